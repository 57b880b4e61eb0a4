"""EDGE: puts a digest into a file or a folder: whole or not at all. It renders nothing and marks nothing as delivered.

How a file is replaced in one step comes in (`write`, in the program textfile.replace_text).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from aggregator.digest.index_page import INDEX, to_index
from aggregator.digest.period import TICK
from aggregator.errors import AggregatorError, DeliveryError
from aggregator.model import Delivery, Period

Write = Callable[[Path, str], None]
SUFFIXES = {"terminal": "txt", "plain": "txt", "markdown": "md", "html": "html", "json": "json", "atom": "atom"}


def dated_name(name: str, period: Period, format: str) -> str:
    """digest-daily-2023-12-27.md: the local day on which the period ends (a day that ends at midnight is that day)."""
    day = (period.to_at - TICK).astimezone(ZoneInfo(period.zone)).date()
    safe = "".join(char if char.isalnum() or char in "-_" else "-" for char in name).strip("-") or "digest"
    return f"digest-{safe}-{day.isoformat()}.{SUFFIXES.get(format, 'txt')}"


@dataclass(frozen=True)
class FolderCourier:
    """Implements ports.Courier: a file for each digest, under its dated name. A second attempt replaces the first one's file.

    `folder` holds an index.html of its HTML digests, too.
    """

    folder: Path
    write: Write
    formats: tuple[str, ...] = ()

    def place(self, delivery: Delivery, taken: Collection[str]) -> str:
        """The path; a second digest of the same day gets -2, so that none is overwritten."""
        first = self.folder / dated_name(delivery.name, delivery.period, next(iter(delivery.parts)))
        path, number = first, 1
        while path.exists() or str(path) in taken:
            number += 1
            path = first.with_name(f"{first.stem}-{number}{first.suffix}")
        return str(path)

    def deliver(self, delivery: Delivery) -> None:
        """Missing folders are made; a page lists the folder's HTML digests. Raises DeliveryError with a sentence."""
        path = Path(delivery.place)
        for text in delivery.parts.values():
            write_digest(text, path, self.write)
        if path.suffix == ".html":
            write_digest(to_index(each.name for each in path.parent.glob("digest-*.html")), path.with_name(INDEX), self.write)


def write_digest(text: str, path: Path, write: Write) -> None:
    """Write `text` as UTF-8 to `path` in one step, making its folder; a device or a pipe is written to as it is.

    Raises DeliveryError with a sentence that names the path; the file that stood there stays as it was.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_text(text, encoding="utf-8", newline="\n")
        else:
            write(path, text)
    except OSError as error:
        raise DeliveryError(f"the digest could not be written to {path}: {error.strerror or error}") from error
    except AggregatorError as error:
        raise DeliveryError(f"the digest was not delivered: {error}") from error
