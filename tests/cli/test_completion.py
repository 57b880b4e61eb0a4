"""What TAB offers: names, tags and ids from the list and the database, and nothing when something is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_marking_command import aggregator, database  # noqa: F401 - the fixture
from tests.shared import ROOT

LIST = """
[[feed]]
name = "harbour"
url = "https://harbour.example/feed"
title = "Harbour News"
tags = ["port", "world"]

[[feed]]
name = "hills"
url = "https://hills.example/feed"
"""


def offered(home: Path, words: str, shell: str = "bash") -> list[str]:
    """What a shell is told when TAB is pressed behind these words."""
    typed = words.split(" ")
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "XDG_CONFIG_HOME": str(home),
        "XDG_DATA_HOME": str(home),
        "_AGGREGATOR_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": typed[-1] if shell == "fish" else str(len(typed) - 1),
    }
    done = subprocess.run([sys.executable, "-m", "aggregator"], env=environ, cwd=home, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


@pytest.fixture
def home(database: Path) -> Path:  # noqa: F811
    folder = database.parent / "aggregator"
    folder.mkdir(exist_ok=True)
    (folder / "feeds.toml").write_text(LIST, encoding="utf-8")
    database.rename(folder / "aggregator.db")
    return database.parent


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("aggregator feeds remove h", ["plain,harbour", "plain,hills"]),
        ("aggregator feeds remove harbour h", ["plain,hills"]),
        ("aggregator feeds list --tag p", ["plain,port"]),
        ("aggregator digest --tag ", ["plain,port", "plain,world"]),
        ("aggregator fetch hi", ["plain,hills"]),
        ("aggregator dig", ["plain,digest"]),
        ("aggregator feeds repo", ["plain,report"]),
        ("aggregator digest --format ht", ["plain,html"]),
    ],
)
def test_bash_is_offered_names_tags_and_commands(home: Path, words: str, found: list[str]) -> None:
    assert offered(home, words) == found


def test_ids_come_with_their_titles_where_the_shell_shows_them(home: Path) -> None:
    assert len(offered(home, "aggregator stories show ")) == 3
    assert any("Vienna bakery wins" in line for line in offered(home, "aggregator stories follow ", "zsh"))
    assert any("Vienna bakery wins" in line for line in offered(home, "aggregator items star ", "fish"))


def test_a_broken_list_offers_nothing_and_says_nothing(home: Path) -> None:
    (home / "aggregator" / "feeds.toml").write_text("[[feed", encoding="utf-8")
    assert offered(home, "aggregator feeds remove h") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_lines_for_each_shell_name_the_program_and_the_variable(tmp_path: Path, shell: str) -> None:
    shown = aggregator(tmp_path / "x.db", "completion", shell).stdout
    assert "_AGGREGATOR_COMPLETE" in shown
    assert "aggregator" in shown
    if shell == "bash":
        assert subprocess.run(["bash", "-n"], input=shown, text=True, check=False).returncode == 0
