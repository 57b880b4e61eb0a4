"""Why two items are alike or not, and why an item is not in a story, measured on the engine's own shelf. Pure.

the items of the days before | shelf | words, characters, feed, time | likeness of two items, score against a story
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aggregator.model import Item
from aggregator.stories.assign import spellings
from aggregator.stories.constraints import Constraints
from aggregator.stories.engine import StoryParams
from aggregator.stories.frequencies import FrequencyTable
from aggregator.stories.roster import Numbers
from aggregator.stories.shelf import Shelf
from aggregator.stories.state import Entry, to_entry
from aggregator.stories.view import by_time

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Pair:
    """How alike two items are. `likeness` is what the engine goes by: words and characters mixed, times `factor`; 0 where
    something in `obstacles` (sentences) rules it out. `terms` share the word cosine."""

    items: tuple[int, int]
    words: float
    characters: float
    factor: float
    likeness: float
    terms: tuple[tuple[str, float], ...] = ()
    obstacles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fit:
    """How well an item fits a story it may not be in: the engine's score (half the best, half the mean likeness to `members`
    items), against `threshold`. `nearest` items with likeness, best first; `terms` are shared with the nearest."""

    item_id: int
    story_id: int
    best: float
    mean: float
    score: float
    threshold: float
    members: int
    nearest: tuple[tuple[int, float], ...] = ()
    terms: tuple[tuple[str, float], ...] = ()
    obstacles: tuple[str, ...] = ()


class Comparer:
    """Items on shelves, weighed by how often their words occur among `items` (and in the shipped tables)."""

    def __init__(
        self, params: StoryParams, tables: Mapping[str, FrequencyTable], items: Sequence[Item], constraints: Constraints | None = None
    ) -> None:
        self.params = params
        self._constraints = constraints or Constraints()
        self._shelves: dict[str, Shelf] = {}
        self._rows: dict[int, int] = {}
        self._entries: dict[int, Entry] = {}
        feeds: dict[str, int] = {}
        by_language: dict[str, list[Entry]] = {}
        for item in {item.id: item for item in items}.values():
            entry = to_entry(item)
            self._entries[item.id] = entry
            by_language.setdefault(entry.words.language, []).append(entry)
        for language, entries in by_language.items():
            entries.sort(key=lambda entry: by_time(entry.item))
            shelf = self._shelves[language] = Shelf(tables.get(language), params.likeness, language)
            rows = shelf.add(entries, [feeds.setdefault(entry.item.feed, len(feeds)) for entry in entries])
            self._rows |= {entry.item.id: row for entry, row in zip(entries, rows, strict=True)}

    # --- two items ------------------------------------------------------------------------------------------------------

    def pair(self, one: int, other: int) -> Pair:
        """Both must be among the items."""
        first, second = self._entries[one], self._entries[other]
        obstacles = self._between(first, second)
        if first.words.language != second.words.language:
            return Pair((one, other), 0.0, 0.0, 1.0, 0.0, (), obstacles)
        shelf, rows = self._shelves[first.words.language], (self._rows[one], self._rows[other])
        likeness = float(shelf.cross(np.array(rows[:1]), np.array(rows[1:]))[0, 0])
        number, names, time, feed = shelf.measure.factors(*rows)
        return Pair(
            items=(one, other),
            words=round(self._alone(shelf, rows, characters=0.0), 4),
            characters=round(self._alone(shelf, rows, characters=1.0), 4),
            factor=round(number * names * time * feed, 4),
            likeness=round(likeness, 4),
            terms=self._terms(shelf, rows),
            obstacles=(*obstacles, *_discounts(number, names, time, feed)),
        )

    def _alone(self, shelf: Shelf, rows: tuple[int, int], *, characters: float) -> float:
        """One ingredient of the likeness, by the same code, with all that may stand in its way left out."""
        kept = shelf.measure.like
        shelf.measure.like = replace(
            kept,
            characters=characters,
            candidate=-1.0,
            lone_word=1.0,
            nameless=1.0,
            names_alone=1.0,
            fade=0.0,
            same_feed=1.0,
            series_seconds=float("inf"),
        )
        shelf.measure.like = replace(shelf.measure.like, window_seconds=float("inf"))
        try:
            return float(shelf.cross(np.array(rows[:1]), np.array(rows[1:]))[0, 0])
        finally:
            shelf.measure.like = kept

    def _terms(self, shelf: Shelf, rows: tuple[int, int], most: int = 8) -> tuple[tuple[str, float], ...]:
        shared = shelf.shared(*rows)[:most]
        spelled = spellings(shelf.entries[rows[0]], {stem for stem, _ in shared})
        return tuple((spelled.get(stem, stem), round(share, 4)) for stem, share in shared)

    def _between(self, one: Entry, other: Entry) -> tuple[str, ...]:
        found = []
        if self._constraints.are_apart(one.item.id, other.item.id):
            found.append("A person took them apart.")
        if one.words.language != other.words.language:
            found.append(f"They are in two languages ({one.words.language or '?'}, {other.words.language or '?'}).")
        found += [
            f"Item {entry.item.id} announces many subjects at once (a round-up): it stays alone."
            for entry in (one, other)
            if entry.words.round_up
        ]
        apart, window = abs(one.at_seconds - other.at_seconds), self.params.likeness.window_seconds
        if apart > window:
            found.append(f"They were published {apart / _DAY:.1f} days apart; items are compared within {window / _DAY:g} days.")
        if one.item.feed == other.item.feed:
            found.append(f"They are of one feed, whose items look alike: their likeness counts times {self.params.likeness.same_feed:g}.")
        return tuple(found)

    # --- an item and a story --------------------------------------------------------------------------------------------

    def fit(self, item_id: int, story_id: int, members: Sequence[int]) -> Fit:
        """An item against the story with these items (itself left out); all must be among the items."""
        entry = self._entries[item_id]
        others = [self._entries[member] for member in members if member != item_id]
        window = self.params.likeness.window_seconds
        near = [
            other
            for other in others
            if other.words.language == entry.words.language
            and not other.words.round_up
            and abs(other.at_seconds - entry.at_seconds) <= window
        ]
        fit = Fit(
            item_id,
            story_id,
            0.0,
            0.0,
            0.0,
            self.params.to_join(entry.words.language, len(near)),
            len(near),
            obstacles=self._against(entry, others, near),
        )
        if not near:
            return fit
        shelf, row = self._shelves[entry.words.language], self._rows[item_id]
        rows: Numbers = np.array([self._rows[other.item.id] for other in near])
        likeness = shelf.cross(np.array([row]), rows)[0].astype(np.float64)
        order = np.argsort(-likeness, kind="stable")[:3].tolist()
        best, mean = float(likeness.max()), float(likeness.mean())
        return replace(
            fit,
            best=round(best, 4),
            mean=round(mean, 4),
            score=round(0.5 * best + 0.5 * mean, 4),
            nearest=tuple((near[place].item.id, round(float(likeness[place]), 4)) for place in order),
            terms=self._terms(shelf, (row, int(rows[order[0]]))),
        )

    def _against(self, entry: Entry, others: Sequence[Entry], near: Sequence[Entry]) -> tuple[str, ...]:
        """What a likeness does not say: rules and people."""
        found = []
        foes = [other.item.id for other in others if self._constraints.are_apart(entry.item.id, other.item.id)]
        if foes:
            found.append(f"A person took it apart from item {foes[0]}" + (f" and {len(foes) - 1} more." if len(foes) > 1 else "."))
        if entry.words.round_up:
            found.append("It announces many subjects at once (a round-up): it stays alone and draws no other item.")
        languages = {other.words.language for other in others}
        if entry.words.language not in languages:
            found.append(
                f"It is in another language ({entry.words.language or '?'}; the story is in {', '.join(sorted(languages)) or '?'})."
            )
        elif not near:
            days = self.params.likeness.window_seconds / _DAY
            found.append(f"All items of the story were published more than {days:g} days before or after it.")
        same = sum(other.item.feed == entry.item.feed for other in near)
        if same:
            factor = self.params.likeness.same_feed
            found.append(
                f"{same} of the {len(near)} items it is compared with are of its own feed: their likeness counts times {factor:g}."
            )
        return tuple(found)


def _discounts(number: float, names: float, time: float, feed: float) -> list[str]:
    """Why a likeness counts for less, as sentences; nothing below five per cent."""
    found = []
    if feed == 0:
        found.append("One feed repeats its headline on another day: they are numbers of a series.")
    if number < 0.95:
        found.append(f"Few words make up what they share: their likeness counts times {number:.2f}.")
    if names < 0.95:
        found.append(f"What they share is nearly all names, or hardly any: their likeness counts times {names:.2f}.")
    if time < 0.95:
        found.append(f"Time lies between them: their likeness counts times {time:.2f}.")
    return found
