"""The history that topics are learned from: each item's units, in little room; stories as documents. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from aggregator.model import Item
from aggregator.stories.sagas import Documents, Numbering, Units, units_of
from aggregator.stories.text import ItemWords, read_item
from aggregator.stories.view import StoryView


class History:
    """The items of one language, the story of each, and their units as documents. It lasts as long as something is learned from it."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.stories: list[int] = []
        self._units = Numbering()

    @property
    def documents(self) -> Documents:
        return self._units.documents

    def append(self, item: Item, story_id: int, units: Units) -> None:
        self.items.append(item)
        self.stories.append(story_id)
        self._units.append(units)

    def marks(self) -> NDArray[np.int64]:
        """What tells the items and their versions apart, 8 bytes each."""
        return np.array([item.id << 32 | crc32(item.content_hash.encode()) for item in self.items], dtype=np.int64)


def read_history(pairs: Iterable[tuple[Item, int]], known: Mapping[int, tuple[Item, ItemWords]]) -> dict[str, History]:
    """The history by language, without round-ups. `known`: by item id an item whose words are known, and these; as long as its
    text is the same it is not read again."""
    found: dict[str, History] = {}
    for item, story_id in pairs:
        held = known.get(item.id)
        words = held[1] if held is not None and held[0].content_hash == item.content_hash else read_item(item)
        if not words.round_up and (units := units_of(words)):
            found.setdefault(words.language, History()).append(item, story_id, units)
    return found


def story_documents(history: History) -> Documents:
    """One document a story: its items' units, each with the average weight it has in them."""
    stories: dict[int, list[int]] = {}
    for place, story_id in enumerate(history.stories):
        stories.setdefault(story_id, []).append(place)
    found = Documents(history.documents.names)
    for places in stories.values():
        found.append(_average(history.documents, places))
    return found


def _average(items: Documents, places: Sequence[int]) -> Iterable[tuple[int, float]]:
    if len(places) == 1:
        return items.row(places[0])
    sums: dict[int, float] = {}
    for place in places:
        for unit, weight in items.row(place):
            sums[unit] = sums.get(unit, 0.0) + weight
    return ((unit, weight / len(places)) for unit, weight in sums.items())


def spellings(items: Sequence[Item], known: Mapping[int, tuple[Item, ItemWords]], most: int = 30, least: int = 12) -> list[ItemWords]:
    """Words of the newest items that show how a saga spells its units; read only when fewer than `least` are known."""
    newest = sorted(items, key=lambda item: (item.published_at, item.id), reverse=True)
    found = [known[item.id][1] for item in newest if item.id in known][:most]
    return found + [read_item(item) for item in newest if item.id not in known][: max(0, least - len(found))]


def words_by_item(views: Iterable[StoryView]) -> dict[int, tuple[Item, ItemWords]]:
    """Item id -> the item and its words."""
    return {item.id: (item, words) for view in views for item, words in zip(view.items, view.words, strict=True)}
