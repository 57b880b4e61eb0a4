"""Writes docs/reference/ from the program itself: the commands from their help, the settings from their types and comments.

python docs/make.py            write the pages
python docs/make.py --check    exit with 1 when a page does not say what the program says (tests/test_docs.py does this, too)
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from aggregator.cli.main import cli
from aggregator.feeds.feedlist import KEYS
from aggregator.settings import Settings, known_keys, takes, variable_of
from aggregator.tomlfile import to_toml

HERE = Path(__file__).resolve().parent
CONFIG = HERE.parent / "config"
WIDTH = 100
MADE = "<!-- Made by docs/make.py from the program; change it there. -->\n\n"


def pages() -> dict[str, str]:
    """File name in docs/reference/ -> what belongs in it."""
    return {"commands.md": commands_page(), "settings.md": settings_page(), "feeds-toml.md": feeds_page()}


# --- commands ----------------------------------------------------------------------------------------------------------


def commands_page() -> str:
    found = [(" ".join(path), command) for path, command in walk(cli, ("aggregator",))]
    listed = "\n".join(f"- [`{name}`](#{name.replace(' ', '-')}): {short(command)}" for name, command in found)
    helps = "\n".join(f"## {name}\n\n```text\n{help_of(name, command)}\n```\n" for name, command in found)
    return f"{MADE}# Commands\n\nWhat `aggregator COMMAND --help` prints.\n\n{listed}\n\n{helps}"


def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """The command and all below it, in the order of the help."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1])
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from walk(below, (*path, name))


def help_of(name: str, command: click.Command) -> str:
    """The help page, as wide as the docs, whatever terminal this runs in."""
    settings = {**cli.context_settings, **command.context_settings}  # as the commands inherit them from the program
    context = click.Context(command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH, **settings)
    return command.get_help(context)


def short(command: click.Command) -> str:
    return command.get_short_help_str(limit=200)


# --- settings ----------------------------------------------------------------------------------------------------------


def settings_page() -> str:
    parts = [f"{MADE}# Settings\n"]
    parts.append(
        "Every key of `aggregator.toml`, with its default. A flag beats the environment, the environment the file, the file the "
        "default. `aggregator config show` prints what is in force and where it comes from.\n"
    )
    defaults = {key: value for key, value, _ in Settings().shown()}
    section = None
    for name, comment, keys in example_paragraphs((CONFIG / "aggregator.toml").read_text(encoding="utf-8")):
        if name != section:
            section = name
            parts.append(f"## [{name}]\n" if name else "## At the top\n")
        if not keys:
            parts.append(f"{comment}\n")
            continue
        rows = "\n".join(_setting_row(f"{name}.{key}".lstrip("."), defaults) for key in keys)
        parts.append(f"{comment}\n\n| key | default | takes | variable |\n|---|---|---|---|\n{rows}\n")
    return "\n".join(parts)


def _setting_row(key: str, defaults: dict[str, object]) -> str:
    value = defaults.get(key)
    shown = "not set" if value is None else f"`{to_toml(value)}`"
    return f"| `{key}` | {shown} | {takes(key).replace('|', chr(92) + '|')} | `{variable_of(key)}` |"


def example_paragraphs(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """(section, comment, keys) of each paragraph of the example file; what stands above the first blank line is its own head."""
    section = ""
    for paragraph in text.split("\n\n")[1:]:
        comment, keys = [], []
        for line in paragraph.splitlines():
            key = re.match(r"# (\w+) = ", line)
            if line.startswith("["):
                section = line.strip("[]")
            elif key and f"{section}.{key[1]}".lstrip(".") in known_keys():
                keys.append(key[1])
            elif not line.startswith("# ---"):
                comment.append(line.removeprefix("#").removeprefix(" "))
        if keys or comment:
            yield section, _prose(comment), keys


def _prose(lines: list[str]) -> str:
    """Comment lines as Markdown: what is indented is code."""
    text = []
    for line in lines:
        text.append(f"    {line.strip()}" if line.startswith("  ") else line)
    return "\n".join(text).strip("\n")


# --- feeds.toml --------------------------------------------------------------------------------------------------------


def feeds_page() -> str:
    rows = []
    for line in (CONFIG / "feeds.toml").read_text(encoding="utf-8").splitlines():
        found = re.match(r"# (\w+) = (.+?)\s{2,}(\S.*)$", line) or re.match(r"# (\w+) = (.+\}) (\S.*)$", line)
        if found:
            rows.append(f"| `{found[1]}` | `{found[2].strip()}` | {found[3]} |")
    missing = [key for key in KEYS if not any(row.startswith(f"| `{key}`") for row in rows)]
    assert not missing, f"config/feeds.toml explains no {missing}"
    table = "\n".join(rows)
    return (
        f"{MADE}# The feed list, feeds.toml\n\nA file that you may edit; `aggregator feeds` keeps comments and order. It stands beside "
        f"aggregator.toml, and one `[[feed]]` begins each subscription.\n\n| key | example | what it means |\n|---|---|---|\n{table}\n"
    )


def main(arguments: list[str]) -> int:
    wrong = []
    for name, text in pages().items():
        path = HERE / "reference" / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        wrong.append(name)
        if "--check" not in arguments:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    said = "is not what the program says; run python docs/make.py" if "--check" in arguments else "written"
    for name in wrong:
        print(f"docs/reference/{name} {said}")
    return 1 if wrong and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
