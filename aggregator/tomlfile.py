"""Helpers for TOML that people edit: in which line a key stands, what a syntax error says, the nearest known word. Pure.

tomllib tells values but no places, so the places come from a scan of the text that knows strings, arrays and comments.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# strings that may span lines, strings within a line, comments, brackets, line ends: all that decides where a logical line ends
_TOKEN = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*|[\[\]{}\n]', re.DOTALL)
_HEADER = re.compile(r"\s*\[(\[?)\s*([^\]\n]+?)\s*\]")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*'))*)\s*=""")
_AT_LINE = re.compile(r"\s*\(at line (\d+), column \d+\)")


class TomlError(ValueError):
    """The text is no TOML. `line` counts from 1 (None when unknown)."""

    def __init__(self, message: str, line: int | None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table header (`key` None) or a key with its value stands. `index` counts the tables of that name from 0;
    `offset` and `end` (after the line's end) are in characters."""

    line: int
    offset: int
    end: int
    table: str
    index: int
    key: str | None


def parse_toml(text: str) -> dict[str, Any]:
    """The values. Raises TomlError with a sentence and the line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _to_toml_error(str(error), text) from None
    except RecursionError:
        raise TomlError("brackets are nested too deeply", None) from None


def _to_toml_error(message: str, text: str) -> TomlError:
    found = _AT_LINE.search(message)
    if found:
        return TomlError(f"not valid TOML: {_lower_first(_AT_LINE.sub('', message))}", int(found[1]))
    if "end of document" in message:
        return TomlError(f"not valid TOML: {_lower_first(message)}", text.rstrip().count("\n") + 1)
    return TomlError(f"not valid TOML: {_lower_first(message)}", None)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def places(text: str) -> Iterator[Place]:
    """Every table header and every key outside values, in the order of the text. Meant for text that parses."""
    table, seen = "", {"": 0}
    for line, offset, end in _logical_lines(text):
        header = _HEADER.match(text, offset, end)
        if header:
            table = re.sub(r"\s*\.\s*", ".", header[2])
            seen[table] = seen.get(table, -1) + 1
            yield Place(line, offset, end, table, seen[table], None)
            continue
        key = _KEY.match(text, offset, end)
        if key:
            yield Place(line, offset, end, table, seen[table], key[1].strip("\"'"))


def _logical_lines(text: str) -> Iterator[tuple[int, int, int]]:
    """(line number, start, end) of each line that begins outside strings and brackets."""
    line, start, depth, first = 1, 0, 0, 1
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in ("[", "{"):
            depth += 1
        elif mark in ("]", "}"):
            depth = max(0, depth - 1)
        elif mark == "\n":
            line += 1
            if depth == 0:
                yield first, start, token.end()
                start, first = token.end(), line
        else:
            line += mark.count("\n")
    if start < len(text):
        yield first, start, len(text)


def comment_start(logical_line: str) -> int | None:
    """Where the comment after a value begins, in a logical line as `places` delimits it."""
    found, depth = None, 0
    for token in _TOKEN.finditer(logical_line):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if token[0].startswith("#") and depth == 0:
            found = token.start()
    return found


def to_toml(value: Any) -> str:
    """A text, number, switch, list or table of those as one writes it in TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{to_toml(str(key))} = {to_toml(each)}" for key, each in value.items()) + " }" if value else "{}"
    if isinstance(value, Iterable):
        return "[" + ", ".join(map(to_toml, value)) + "]"
    return str(value)


def line_of(text: str, table: str, key: str | None, index: int = 0) -> int | None:
    """The line of `key` (None: of the header) in the `index`-th table of that name; None when it is not found."""
    for place in places(text):
        if place.table == table and place.index == index and place.key == key:
            return place.line
    return None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that looks most like it, if any does."""
    near = difflib.get_close_matches(word.lower(), sorted(known), n=1, cutoff=0.5)
    return near[0] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """ "; did you mean “x”?" or what there is to choose from."""
    choices = sorted(known)
    near = nearest(word, choices)
    return f"; did you mean “{near}”?" if near else f"; known are {', '.join(choices)}"
