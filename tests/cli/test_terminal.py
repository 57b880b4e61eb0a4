"""The conventions of the command line, through a real pseudo-terminal and a real pipe: width, colour, pager, signals, exit codes.

What is written to the terminal is drawn by pyte, which has its own idea of how wide characters are: a line that is too wide
wraps there and is found.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import pyte
import pytest

from tests.shared import ROOT

NOW = "2024-05-15T00:00:00Z"
TITLES = [
    "Strong earthquake shakes the Lisbon harbour district",
    "千島列島沖で地震、津波の心配なし、気象庁が発表しました",
    "נמל חיפה: שיא חדש במכולות בחודש מאי",
    "Zürich café naïveté: Cafe\u0301 and Zu\u0308rich in combining characters",
    "🌋 Volcano wakes, 🚀 rocket waits",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
]
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m|\x1b\]8;[^\x1b]*\x1b\\")


def write_list(home: Path) -> None:
    folder = home / "aggregator"
    folder.mkdir(parents=True, exist_ok=True)
    feeds = "\n".join(f'[[feed]]\nname = "feed-{n}"\nurl = "https://feed{n}.example/feed"\n' for n in range(len(TITLES)))
    (folder / "feeds.toml").write_text(feeds, encoding="utf-8")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with six stories, in four scripts."""
    home = tmp_path_factory.mktemp("home")
    write_list(home)
    rows = [
        {"source": f"https://feed{n}.example/feed", "publisher": f"Publisher {n}", "published": f"2024-05-14T{6 + n:02}:00:00Z"}
        | {"title": title, "summary": f"{title}. " * 4, "link": f"https://feed{n}.example/{n}", "language": "en"}
        for n, title in enumerate(TITLES)
    ]
    (home / "day.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = piped(home, "items", "import", str(home / "day.jsonl"))
    assert done.returncode == 0, done.stderr
    return home


def environment(home: Path, **changed: str) -> dict[str, str]:
    kept = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "TERM": "xterm-256color", "PAGER": "cat"}
    return {**kept, "XDG_CONFIG_HOME": str(home), "XDG_DATA_HOME": str(home), **changed}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "aggregator", "--now", NOW, *arguments]


def piped(home: Path, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
    """Run with stdout and stderr in pipes of their own."""
    return subprocess.run(
        command(*arguments),
        env=environment(home, **changed),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@dataclass(frozen=True)
class Shown:
    """What came out of a pseudo-terminal, and how the program ended."""

    text: str
    status: int
    columns: int

    @property
    def bare(self) -> str:
        return _ESCAPES.sub("", self.text)

    @property
    def screen(self) -> list[str]:
        """The lines as a terminal draws them, without the empty ones at the end."""
        lines = self.text.count("\n") + 10
        screen = pyte.Screen(self.columns, lines * 3)
        stream = pyte.Stream(screen)
        stream.feed(re.sub(r"\x1b\]8;[^\x1b]*\x1b\\", "", self.text).replace("\n", "\r\n"))  # pyte knows no OSC 8
        drawn = [line.rstrip() for line in screen.display]
        while drawn and not drawn[-1]:
            drawn.pop()
        return drawn


def shown(home: Path, *arguments: str, columns: int = 80, rows: int = 200, environ: dict[str, str] | None = None, **changed: str) -> Shown:
    """Run with stdin, stdout and stderr on a pseudo-terminal of that size."""
    main, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    child = subprocess.Popen(
        command(*arguments), stdin=end, stdout=end, stderr=end, env=environment(home, **(environ or {}), **changed), cwd=home
    )
    os.close(end)
    heard = b""
    with contextlib.suppress(OSError):  # reading after the child closed its end fails on Linux
        while chunk := os.read(main, 65_536):
            heard += chunk
    os.close(main)
    return Shown(heard.decode().replace("\r\n", "\n"), child.wait(), columns)


DAY = ("digest", "--date", "2024-05-14", "--zone", "UTC")
COMMANDS = [DAY, ("stories", "list"), ("feeds", "list"), ("feeds", "report"), ("stories", "show", "2"), ("search", "earthquake")]


# --- width -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [40, 80, 140, 200])
@pytest.mark.parametrize("arguments", [DAY, ("stories", "list"), ("feeds", "report")], ids=lambda words: " ".join(words[:2]))
def test_no_line_wraps_that_the_program_did_not_wrap_itself(home: Path, arguments: tuple[str, ...], columns: int) -> None:
    found = shown(home, *arguments, columns=columns)
    assert found.status == 0
    assert len(found.screen) == len(found.bare.rstrip("\n").split("\n"))


def test_columns_stand_below_each_other_whatever_the_width_of_the_characters(home: Path) -> None:
    lines = shown(home, "stories", "list", columns=140).screen
    from wcwidth import wcswidth

    def column_of(line: str, word: str) -> int:
        return wcswidth(line[: line.index(word)])

    at = column_of(lines[0], "LAST SEEN")
    for line in lines[1:]:
        if "2024-05-14" in line:
            assert column_of(line, "2024-05-14") == at, line


def test_where_columns_have_no_room_each_row_is_a_block(home: Path) -> None:
    found = shown(home, "stories", "list", columns=40)
    assert "TITLE: " in found.bare
    assert "".join(found.bare.split()).count("Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft") == 1


def test_a_title_from_right_to_left_has_its_line_to_itself(home: Path) -> None:
    for text in (shown(home, *DAY).bare, piped(home, *DAY).stdout):
        lines = [line for line in text.splitlines() if "חיפה" in line]
        assert lines
        assert not [line for line in lines if "ago" in line or "http" in line]


# --- colour and control characters -------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda words: " ".join(words[:2]))
def test_colour_is_for_terminals_that_want_it(home: Path, arguments: tuple[str, ...]) -> None:
    assert "\x1b" not in piped(home, *arguments).stdout
    assert "\x1b" not in shown(home, *arguments, TERM="dumb").text
    assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|9[0-7]|38|48)[;m]", shown(home, *arguments, NO_COLOR="1").text)


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda words: " ".join(words[:2]))
def test_off_a_terminal_there_are_no_boxes_and_nothing_is_cut_off(home: Path, arguments: tuple[str, ...]) -> None:
    text = piped(home, *arguments, COLUMNS="40").stdout
    assert not [char for char in text if "\u2500" <= char <= "\u257f"]
    assert arguments[0] == "feeds" or "search" in arguments or all(title in text for title in TITLES) or arguments[1] == "show"
    assert not [char for char in text if unicodedata.category(char) == "Cc" and char not in "\n\t"]


def test_links_are_links_on_a_terminal_alone(home: Path) -> None:
    assert "\x1b]8;" in shown(home, *DAY).text
    assert "https://feed0.example/0" in piped(home, *DAY).stdout
    targets = re.findall(r"\x1b\]8;[^;]*;([^\x1b]*)\x1b", shown(home, *DAY).text)
    assert all(target == "" or target.startswith("https://") for target in targets)


# --- the pager ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def pager(tmp_path: Path) -> Path:
    """A pager that says that it ran."""
    path = tmp_path / "pager"
    path.write_text('#!/bin/sh\necho "PAGED with LESS=$LESS"; cat\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def test_what_is_taller_than_the_terminal_goes_through_the_pager(home: Path, pager: Path) -> None:
    assert shown(home, *DAY, rows=10, PAGER=str(pager)).text.startswith("PAGED with LESS=FRX\n")
    assert not shown(home, *DAY, rows=200, PAGER=str(pager)).text.startswith("PAGED")


@pytest.mark.parametrize("how", ["--no-pager", "TERM=dumb", "PAGER=cat", "PAGER=", "a pipe"])
def test_the_pager_stays_away_when(home: Path, pager: Path, how: str) -> None:
    if how == "a pipe":
        assert "PAGED" not in piped(home, *DAY, PAGER=str(pager)).stdout
        return
    options = (how,) if how.startswith("--") else ()
    changed = {"PAGER": str(pager)} | ({how.split("=")[0]: how.split("=")[1]} if "=" in how else {})
    assert "PAGED" not in shown(home, *DAY, *options, rows=10, environ=changed).text


def test_a_pager_that_is_not_there_is_done_without(home: Path) -> None:
    assert "Lisbon" in shown(home, *DAY, rows=10, PAGER="/nowhere/pager").text


# --- streams, signals, exit codes --------------------------------------------------------------------------------------


def test_data_is_on_stdout_and_words_for_the_person_on_stderr(home: Path) -> None:
    done = piped(home, "digest", "--date", "2020-01-01")
    assert done.stdout.splitlines()[-1] == "Nothing new in this period."
    assert "--since 7d" in done.stderr
    assert piped(home, "-q", "digest", "--date", "2020-01-01").stderr == ""


LONG = [(*DAY, "--limit", "0"), ("stories", "list", "--json"), ("items", "export"), ("completion", "bash")]


@pytest.mark.parametrize("arguments", LONG, ids=lambda words: " ".join(words[:2]))
def test_a_reader_who_goes_away_is_no_error(home: Path, arguments: tuple[str, ...]) -> None:
    words = " ".join(f"'{word}'" for word in command(*arguments))
    done = subprocess.run(
        ["bash", "-c", f'{words} | head -c 1 >/dev/null; echo "${{PIPESTATUS[0]}}"'],
        env=environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == ("0", "")


def test_an_interrupt_ends_with_130_and_a_word(home: Path) -> None:
    child = subprocess.Popen(
        command("items", "import", "-"), stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(home), cwd=home, text=True
    )
    assert child.stdin is not None
    assert child.stderr is not None
    child.stdin.write('{"source": "https://feed0.example/feed", "title": "One"}\n' * 3)
    child.stdin.write("\n" * 200_000)  # more than a pipe holds: when it is gone, the program is past its start and reads
    child.stdin.flush()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(timeout=3)  # it waits for more lines
    child.send_signal(signal.SIGINT)
    said = child.communicate()[1]
    assert (child.returncode, said.strip().splitlines()[-1]) == (130, "Interrupted.")


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("digest", "--date", "2024-05-14"), 0, ""),
        (("stories", "show", "999"), 1, "Error: "),
        (("digest", "--date", "soon"), 2, "Error: --date soon: not a day"),
        (("digest", "--nonsense"), 2, "--nonsense"),
        (("feeds", "remove", "feed-9"), 1, "did you mean “feed-"),
        (("nonsense",), 2, "No such command “nonsense”"),
    ],
)
def test_exit_codes_and_errors_in_a_sentence(home: Path, arguments: tuple[str, ...], status: int, says: str) -> None:
    done = piped(home, *arguments)
    assert done.returncode == status
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    if status:
        assert done.stdout == ""


def test_some_feeds_that_failed_are_3_unless_told_otherwise(home: Path, tmp_path: Path) -> None:
    (tmp_path / "aggregator").mkdir()
    (tmp_path / "aggregator" / "feeds.toml").write_text('[[feed]]\nname = "a"\nurl = "http://127.0.0.1:9/feed"\n', encoding="utf-8")
    allowed = {"AGGREGATOR_FETCH__ALLOW_PRIVATE": "true"}
    assert piped(tmp_path, "feeds", "check", **allowed).returncode == 3
    assert piped(tmp_path, "feeds", "check", "--ignore-failures", **allowed).returncode == 0


def test_every_reading_command_has_json_with_a_version(home: Path) -> None:
    for arguments in (*COMMANDS, ("topics", "list"), ("status",), ("feeds", "status"), ("feeds", "suggest"), ("items", "starred")):
        done = piped(home, *arguments, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["version"] == 1, arguments
