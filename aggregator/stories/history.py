"""The history that topics are learned from: each item's units, in little room; stories as documents. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from aggregator.model import Item
from aggregator.stories.sagas import Documents, Numbering
from aggregator.stories.text import ItemWords, read_item
from aggregator.stories.view import StoryView


class History:
    """The items of one language, the story of each, and the rows of a reader's documents that hold their units."""

    def __init__(self, read: Documents) -> None:
        self.items: list[Item] = []
        self.stories: list[int] = []
        self.rows: list[int] = []
        self._read = read

    def append(self, item: Item, story_id: int, row: int) -> None:
        self.items.append(item)
        self.stories.append(story_id)
        self.rows.append(row)

    def marks(self) -> NDArray[np.int64]:
        """What tells the items and their versions apart, 8 bytes each."""
        return np.array([_mark(item) for item in self.items], dtype=np.int64)

    def documents(self) -> Documents:
        """One document an item."""
        return self._read.take(self.rows)

    def story_documents(self) -> Documents:
        """One document a story: its items' units, each with the average weight it has in them."""
        stories: dict[int, list[int]] = {}
        for row, story_id in zip(self.rows, self.stories, strict=True):
            stories.setdefault(story_id, []).append(row)
        found = self._read.empty()
        for rows in stories.values():
            found.append(*(self._read.row(rows[0]) if len(rows) == 1 else self._average(rows)))
        return found

    def _average(self, rows: Sequence[int]) -> tuple[Iterable[int], Iterable[float]]:
        sums: dict[int, float] = {}
        for row in rows:
            for unit, weight in zip(*self._read.row(row), strict=True):
                sums[unit] = sums.get(unit, 0.0) + weight
        return sums, [weight / len(rows) for weight in sums.values()]


class Reader:
    """Reads the items of a history, each once as long as it is not told to forget."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.forget()

    def forget(self) -> None:
        self._numbering: dict[str, Numbering] = {}
        self._rows: dict[int, tuple[str, int]] = {}

    def read(self, pairs: Iterable[tuple[Item, int]], known: Mapping[int, tuple[Item, ItemWords]]) -> dict[str, History]:
        """The history (items with their story ids) by language, without round-ups. `known`: by item id an item whose words are
        known, and these; while its text is the same it is not read again."""
        if len(self._rows) >= self._most:
            self.forget()
        found: dict[str, History] = {}
        for item, story_id in pairs:
            mark = _mark(item)
            if mark not in self._rows:
                self._rows[mark] = self._note(item, known.get(item.id))
            language, row = self._rows[mark]
            if row != _NOTHING:
                if language not in found:
                    found[language] = History(self._numbering[language].documents)
                found[language].append(item, story_id, row)
        return found

    def _note(self, item: Item, held: tuple[Item, ItemWords] | None) -> tuple[str, int]:
        words = held[1] if held is not None and held[0].content_hash == item.content_hash else read_item(item)
        if words.round_up or not (any(words.title_stems) or any(words.summary_stems)):
            return words.language, _NOTHING
        numbering = self._numbering.setdefault(words.language, Numbering())
        numbering.append(words)
        return words.language, len(numbering.documents) - 1


_NOTHING = -1
"""The row of an item without units."""


def _mark(item: Item) -> int:
    return item.id << 32 | crc32(item.content_hash.encode())


def spellings(items: Sequence[Item], known: Mapping[int, tuple[Item, ItemWords]], most: int = 30, least: int = 12) -> list[ItemWords]:
    """Words of the newest items that show how a saga spells its units; read only when fewer than `least` are known."""
    newest = sorted(items, key=lambda item: (item.published_at, item.id), reverse=True)
    found = [known[item.id][1] for item in newest if item.id in known][:most]
    return found + [read_item(item) for item in newest if item.id not in known][: max(0, least - len(found))]


def words_by_item(views: Iterable[StoryView]) -> dict[int, tuple[Item, ItemWords]]:
    """Item id -> the item and its words."""
    return {item.id: (item, words) for view in views for item, words in zip(view.items, view.words, strict=True)}
