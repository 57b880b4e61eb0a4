"""The history that topics are learned from: each item's units, read once; stories as documents. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aggregator.model import Item
from aggregator.stories.sagas import Units, units_of
from aggregator.stories.text import ItemWords, read_item
from aggregator.stories.view import StoryView


@dataclass(frozen=True, slots=True)
class Read:
    """An item of the history with its story and units."""

    item: Item
    story_id: int
    units: Units


class Reader:
    """Language and units of the items of the history, read once as long as they stay in it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[tuple[int, str], tuple[str, Units]] = {}

    def read(self, items: Iterable[Item]) -> list[tuple[str, Units]]:
        """In the order of `items`; no units for a round-up. What is not among them is forgotten."""
        kept: dict[tuple[int, str], tuple[str, Units]] = {}
        found = []
        for item in items:
            key = item.id, item.content_hash
            said = kept.get(key) or self._known.get(key) or _said(read_item(item))
            kept[key] = said
            found.append(said)
        self._known = kept
        return found

    def units(self, item: Item, words: ItemWords) -> Units:
        """The units of an item whose words are known already; no other place reads it again."""
        key = item.id, item.content_hash
        said = self._known.get(key)
        if said is None:
            if len(self._known) >= self._most:
                self._known.clear()
            said = self._known[key] = _said(words)
        return said[1]


def _said(words: ItemWords) -> tuple[str, Units]:
    return words.language, () if words.round_up else units_of(words)


def story_documents(history: Sequence[Read]) -> list[Units]:
    """One document a story: its items' units, each with the average weight it has in them."""
    stories: dict[int, list[Units]] = {}
    for read in history:
        stories.setdefault(read.story_id, []).append(read.units)
    return [_average(units) for units in stories.values()]


def _average(documents: Sequence[Units]) -> Units:
    if len(documents) == 1:
        return documents[0]
    sums: dict[str, float] = {}
    for units in documents:
        for unit, weight in units:
            sums[unit] = sums.get(unit, 0.0) + weight
    return tuple((unit, weight / len(documents)) for unit, weight in sums.items())


def spellings(items: Sequence[Item], known: Mapping[int, ItemWords], most: int = 30, least: int = 12) -> list[ItemWords]:
    """Words of the newest items that show how a saga spells its units; read only when fewer than `least` are known."""
    newest = sorted(items, key=lambda item: (item.published_at, item.id), reverse=True)
    found = [known[item.id] for item in newest if item.id in known][:most]
    return found + [read_item(item) for item in newest if item.id not in known][: max(0, least - len(found))]


def words_by_item(views: Sequence[StoryView]) -> dict[int, ItemWords]:
    """Item id -> words."""
    return {item.id: words for view in views for item, words in zip(view.items, view.words, strict=True)}
