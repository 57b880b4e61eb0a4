"""The page that lists the digests of a folder, newest first, by month. Pure: the names of the files come in.

digest-daily-2023-12-27.html  ->  December 2023: Wednesday 27 December 2023, daily
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from itertools import groupby
from typing import TYPE_CHECKING

from aggregator.digest.layout import day_name, month_name

if TYPE_CHECKING:
    from jinja2 import Template

INDEX = "index.html"
_NAME = re.compile(r"digest-(.+)-(\d{4}-\d{2}-\d{2})(?:-(\d+))?\.\w+")


@dataclass(frozen=True)
class Entry:
    """A file in the folder: the `number`-th digest of that name and day."""

    file: str
    name: str
    at: datetime
    number: int

    @property
    def day(self) -> str:
        return day_name(self.at)


def to_index(files: Iterable[str]) -> str:
    """The page; files whose names are not those of digests are left out."""
    entries = sorted(filter(None, map(_entry, files)), key=lambda entry: (entry.at, entry.number, entry.name), reverse=True)
    months = [(month, list(of_month)) for month, of_month in groupby(entries, key=lambda entry: month_name(entry.at))]
    return _template().render(months=months) + "\n"


def _entry(file: str) -> Entry | None:
    found = _NAME.fullmatch(file)
    if not found:
        return None
    try:
        return Entry(file, found[1], datetime.fromisoformat(found[2]), int(found[3] or 1))
    except ValueError:
        return None


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    source = resources.files("aggregator.digest").joinpath("templates/index.html.jinja").read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined).from_string(source)
