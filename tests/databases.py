"""Which database a test's programs run on: modules that ask for the fixture `every_kind` run each test on each kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

_make: Callable[[str], str] | None = None
_made: dict[Path, str] = {}


def use(make: Callable[[str], str] | None) -> None:
    """From now on databases are made by this: a number as text -> an address. None: files."""
    global _make
    _make = make
    _made.clear()


def database_of(folder: Path, name: str = "test.db") -> str:
    """The address of the database of a program that lives in this folder: always the same for one folder and test."""
    path = folder / name
    if _make is None:
        return str(path)
    if path not in _made:
        _made[path] = _make(str(len(_made)))
    return _made[path]
