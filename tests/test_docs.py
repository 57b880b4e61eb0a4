"""The documentation says what the program does: the reference is made from it, and every command, setting and link exists."""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from aggregator.cli.main import cli
from aggregator.settings import check_settings_text, known_keys, variable_of
from tests.shared import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


@pytest.fixture(scope="module")
def make() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "make.py"))


def blocks(page: Path, language: str) -> Iterator[str]:
    yield from re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_the_reference_is_what_the_program_says() -> None:
    """In a process of its own: click remembers the help options of a command that a test ran outside its group."""
    check = [sys.executable, str(DOCS / "make.py"), "--check"]
    done = subprocess.run(check, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_reference_has_every_command_and_every_setting(make: dict[str, Any]) -> None:
    commands, settings = ((DOCS / "reference" / name).read_text(encoding="utf-8") for name in ("commands.md", "settings.md"))
    assert all(f"\n## {' '.join(path)}\n" in commands for path, _ in make["walk"](cli, ("aggregator",)))
    assert all(f"| `{key}` |" in settings for key in known_keys())


def test_every_command_shows_examples_before_its_options(make: dict[str, Any]) -> None:
    for path, command in make["walk"](cli, ("aggregator",)):
        shown = make["help_of"](" ".join(path), command)
        example = re.search(r"^  Examples?:$", shown, re.MULTILINE)
        assert example, f"{' '.join(path)} --help has no example"
        assert example.start() < shown.index("Options:"), path


def commands_in(page: Path) -> Iterator[list[str]]:
    """The words behind `aggregator` of each command in a block for the shell."""
    for block in blocks(page, "sh"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] == "aggregator":
                yield words[1:]


def parse(words: list[str]) -> None:
    """Read the words as the program would, without running anything. Raises click's errors."""
    command: click.Command = cli
    context = cli.make_context("aggregator", list(words), resilient_parsing=False)
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None, name
        command = found
        context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("page", [page for page in PAGES if any(commands_in(page))], ids=name_of)
def test_every_command_in_a_page_can_be_typed(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("archive.jsonl.gz", "labels.jsonl.gz", "subscriptions.opml"):
        (tmp_path / name).touch()
    for words in commands_in(page):
        try:
            parse(words)
        except click.ClickException as error:
            pytest.fail(f"aggregator {' '.join(words)}: {error.format_message()}")


@pytest.mark.parametrize("page", [page for page in PAGES if any(blocks(page, "toml"))], ids=name_of)
def test_every_piece_of_settings_in_a_page_is_understood(page: Path) -> None:
    for block in blocks(page, "toml"):
        check_settings_text(block, page)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_within_the_documentation_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), target


def test_the_table_of_qualities_is_that_of_the_readme() -> None:
    def table(page: Path) -> list[str]:
        text = page.read_text(encoding="utf-8")
        return re.findall(r"^\|.*\|$", text[text.index("| method |") :].split("\n\n")[0], re.MULTILINE)

    assert table(DOCS / "how-stories-are-made.md") == table(ROOT / "README.md")


def test_the_pictures_are_there_and_load_nothing() -> None:
    svg = (DOCS / "pictures" / "terminal.svg").read_text(encoding="utf-8")
    assert "Blinken" in svg
    assert "url(http" not in svg
    assert all((DOCS / "pictures" / name).stat().st_size < 400_000 for name in ("digest-light.png", "digest-dark.png", "digest-phone.png"))


@pytest.mark.parametrize("name", ["compose.yaml", "Containerfile", "aggregator.service", "aggregator-worker@.service"])
def test_what_a_deployment_starts_can_be_typed(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    lists = [json.loads(found) for found in re.findall(r"(?:command: |^CMD )(\[.*\])$", text, re.MULTILINE)]
    found = [words for words in lists if words[0] != "redis-server"]
    found += [shlex.split(line)[1:] for line in re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)]
    assert len(found) == (4 if name == "compose.yaml" else 1)
    for words in found:
        parse(words)
    for variable in re.findall(r"(AGGREGATOR_\w+): ", text):
        assert variable in {variable_of(key) for key in known_keys()}
