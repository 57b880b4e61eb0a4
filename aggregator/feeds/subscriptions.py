"""EDGE: feeds.toml, the feed list that people edit. Reads the file and hands new text to the one who may write it.

It keeps no state that the file does not hold; what the program learns about feeds is in the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from aggregator.errors import FeedListError
from aggregator.feeds.feedlist import Change, FeedList, add_feeds, read_feed_list, remove_feed, set_feed
from aggregator.model import Feed


class Subscriptions:
    """The feed list at `path`; a missing file is an empty list. `write` replaces a file atomically (textfile.replace_text).

    Every change is checked before it is written; with `dry_run` it is only worked out. Errors leave the file as it was.
    """

    def __init__(self, path: Path, write: Callable[[Path, str], None]) -> None:
        self.path = path
        self._write = write
        self._known: tuple[object, FeedList] | None = None

    def load(self) -> tuple[Feed, ...]:
        """The feeds in the order of the file, read again only when it changed. Raises FeedListError."""
        return self._list().feeds

    def notices(self) -> tuple[str, ...]:
        """Sentences about what is odd in the file but no error: two feeds with one address."""
        return self._list().notices

    def text(self) -> str:
        """The file as it stands, line ends as \\n; empty when there is none. Raises FeedListError."""
        try:
            return self.path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        except FileNotFoundError:
            return ""
        except IsADirectoryError:
            raise FeedListError("this is a folder; the feed list is a file", file=str(self.path)) from None
        except OSError as error:
            raise FeedListError(f"cannot be read ({error.strerror}); check the path and its permissions", file=str(self.path)) from None
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise FeedListError("the file is not UTF-8; save it with the encoding UTF-8", file=str(self.path), line=line) from None

    def add(self, feed: Feed, *, dry_run: bool = False) -> Change:
        return self.add_many((feed,), dry_run=dry_run)

    def add_many(self, feeds: Iterable[Feed], *, dry_run: bool = False) -> Change:
        """Append feeds. Raises UsageError for a name that is taken."""
        return self._change(lambda text: add_feeds(text, feeds, str(self.path)), dry_run)

    def remove(self, name: str, *, dry_run: bool = False) -> Change:
        """Raises NotFoundError."""
        return self._change(lambda text: remove_feed(text, name, str(self.path)), dry_run)

    def set(self, name: str, changes: Mapping[str, Any], *, dry_run: bool = False) -> Change:
        """Change keys of one feed (None takes a key out). Raises NotFoundError, UsageError."""
        return self._change(lambda text: set_feed(text, name, changes, str(self.path)), dry_run)

    def enable(self, name: str, *, dry_run: bool = False) -> Change:
        return self.set(name, {"enabled": None}, dry_run=dry_run)

    def disable(self, name: str, *, dry_run: bool = False) -> Change:
        return self.set(name, {"enabled": False}, dry_run=dry_run)

    def replace_text(self, text: str, *, dry_run: bool = False) -> Change:
        """Put `text` in the file's place after checking it. Raises FeedListError."""
        read_feed_list(text, str(self.path))
        return self._change(lambda _: text, dry_run)

    def _list(self) -> FeedList:
        signature = self._signature()
        if self._known is None or self._known[0] != signature:
            self._known = (signature, read_feed_list(self.text(), str(self.path)))
        return self._known[1]

    def _signature(self) -> object:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return (status.st_ino, status.st_mtime_ns, status.st_size)

    def _change(self, edit: Callable[[str], str], dry_run: bool) -> Change:
        before = self.text()
        change = Change(before, edit(before))
        if not dry_run and change.after != before:
            self._write(self.path, self._with_line_ends(change.after))
            self._known = None
        return change

    def _with_line_ends(self, text: str) -> str:
        """Line ends as the file has them already."""
        try:
            windows = b"\r\n" in self.path.read_bytes()
        except OSError:
            windows = False
        return text.replace("\n", "\r\n") if windows else text
