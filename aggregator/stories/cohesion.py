"""Likeness between whole stories and within them, of one language, compared once and kept while it may be asked for again. Pure.

two stories | rows of both on the shelf | what is known, the rest compared | sums, or whether both together are one event
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np

from aggregator.stories.kernels import Floats
from aggregator.stories.roster import Numbers
from aggregator.stories.shelf import Shelf
from aggregator.stories.split import Matrix, SplitParams, damped, hangs_together, within
from aggregator.stories.state import Likenesses, StoryState

_AT_ONCE = 16
"""Members that are compared with all others in one go: of those among them the pairs are looked at twice."""
_KEPT = 500_000
"""Likenesses between stories that are kept: 2 MB. The pairs that are looked at again and again are a few hundred."""


@dataclass(frozen=True, slots=True)
class _Across:
    """Likeness of the rows of one story to those of another, as it was when last asked for."""

    rows: Numbers
    others: Numbers
    matrix: Floats


class Cohesion:
    """Compares stories by the members that are on the shelf."""

    def __init__(self, shelf: Shelf, params: SplitParams) -> None:
        self.params = params
        self._shelf = shelf
        self._refused: dict[tuple[int, int], int] = {}
        self._across: dict[tuple[int, int], _Across] = {}
        self._held, self._numbering = 0, shelf.numbering

    # --- between stories ----------------------------------------------------------------------------------------------

    def sums(self, one: int, others: Sequence[int]) -> list[tuple[float, float]]:
        """Sum and maximum of the likeness between the members of a story and those of each of some others."""
        rows, parts = self._shelf.rows_of(one), [self._shelf.rows_of(other) for other in others]
        found = [(0.0, 0.0)] * len(others)
        # what may come to be asked again, when the two would merge, is kept; the rest is compared in one go
        kept = [min(len(rows), len(part)) >= self.params.part for part in parts]
        for place in (place for place, keep in enumerate(kept) if keep):
            likeness = self.across(one, others[place])
            found[place] = float(likeness.sum()), float(likeness.max())
        rest = [place for place, part in enumerate(parts) if not kept[place] and len(part)]
        if rest and len(rows):
            likeness = self._shelf.cross(rows, np.concatenate([parts[place] for place in rest]))
            starts = np.cumsum([0, *(len(parts[place]) for place in rest[:-1])])
            totals = np.add.reduceat(likeness.sum(axis=0, dtype=np.float64), starts)
            maxima = np.maximum.reduceat(likeness.max(axis=0), starts)
            for place, total, maximum in zip(rest, totals.tolist(), maxima.tolist(), strict=True):
                found[place] = total, maximum
        return found

    def across(self, one: int, other: int) -> Floats:
        """Likeness of each member of one story to each of another, the newly come compared only."""
        if one > other:
            return self.across(other, one).T
        if self._numbering != self._shelf.numbering:
            self._across, self._held, self._numbering = {}, 0, self._shelf.numbering
        known = self._across.pop((one, other), None)
        made = self._made(known, self._shelf.rows_of(one), self._shelf.rows_of(other))
        self._held += made.matrix.size - (known.matrix.size if known is not None else 0)
        self._across[(one, other)] = made
        while self._held > _KEPT and len(self._across) > 1:
            self._held -= self._across.pop(next(iter(self._across))).matrix.size
        return made.matrix

    def _made(self, known: _Across | None, rows: Numbers, others: Numbers) -> _Across:
        if known is None:
            return _Across(rows, others, self._shelf.cross(rows, others))
        if np.array_equal(known.rows, rows) and np.array_equal(known.others, others):
            return known
        mine, theirs = np.isin(rows, known.rows), np.isin(others, known.others)
        matrix = np.empty((len(rows), len(others)), dtype=np.float32)
        was = np.ix_(np.searchsorted(known.rows, rows[mine]), np.searchsorted(known.others, others[theirs]))
        matrix[np.ix_(mine, theirs)] = known.matrix[was]
        if not mine.all():
            matrix[~mine] = self._shelf.cross(rows[~mine], others)
        if mine.any() and not theirs.all():
            matrix[np.ix_(mine, ~theirs)] = self._shelf.cross(rows[mine], others[~theirs])
        return _Across(rows, others, matrix)

    def hold(self, one: StoryState, other: StoryState) -> bool:
        """Whether two stories would hang together as one: what was cut must not be merged again."""
        params, alive = self.params, one.alive + other.alive
        if min(one.alive, other.alive) < params.part or alive < params.least:
            return True
        pair = min(one.id, other.id), max(one.id, other.id)
        if alive < self._refused.get(pair, 0) * (1 + params.growth):
            return False
        rows, others = self._shelf.rows_of(one.id), self._shelf.rows_of(other.id)
        across = float(self._damped(self.across(one.id, other.id), rows, others).mean())
        hold = hangs_together(across, *(within(self.within(state)) for state in (one, other))) > params.ratio + params.margin
        if not hold:
            self._refused[pair] = alive
        return hold

    def forget_all_but(self, stories: Container[int]) -> None:
        """Stories that are done merge with none."""
        self._refused = {pair: alive for pair, alive in self._refused.items() if pair[0] in stories and pair[1] in stories}

    # --- within stories -----------------------------------------------------------------------------------------------

    def within(self, state: StoryState) -> Matrix:
        """Cohesion of all pairs of a story's members; only what is new since the last time is compared."""
        rows = self._shelf.rows_of(state.id)
        state.likenesses = self._among(rows, state.likenesses)
        return self._damped(state.likenesses.matrix, rows, rows)

    def both(self, one: StoryState, other: StoryState) -> Matrix:
        """Likeness of all pairs of the members of two stories, first the one's, then the other's."""
        one.likenesses, other.likenesses = (self._among(self._shelf.rows_of(state.id), state.likenesses) for state in (one, other))
        across = self.across(one.id, other.id)
        return np.block([[one.likenesses.matrix, across], [across.T, other.likenesses.matrix]]).astype(np.float64)

    def unite(self, kept: StoryState, gone: StoryState) -> None:
        """What is known of two stories that become one, where both are known whole; else what is known of the first remains.

        To be called while both are still apart on the shelf.
        """
        if kept.likenesses is None or gone.likenesses is None:
            return
        if any(self._items(self._shelf.rows_of(state.id)) != state.likenesses.items for state in (kept, gone) if state.likenesses):
            return
        across = self.across(kept.id, gone.id)
        matrix = np.block([[kept.likenesses.matrix, across], [across.T, gone.likenesses.matrix]])
        kept.likenesses = Likenesses(kept.likenesses.items + gone.likenesses.items, matrix)

    def _among(self, rows: Numbers, known: Likenesses | None) -> Likenesses:
        """Likeness of all pairs of some rows, 1 on the diagonal; pairs that `known` holds are not compared again."""
        items = self._items(rows)
        if known is not None and known.items == items:
            return known
        matrix = np.eye(len(items), dtype=np.float32)
        places = {item: place for place, item in enumerate(known.items)} if known is not None else {}
        done = [place for place, item in enumerate(items) if item in places]
        if known is not None and done:
            there = [places[items[place]] for place in done]
            matrix[np.ix_(done, done)] = known.matrix[np.ix_(there, there)]
        new = [place for place, item in enumerate(items) if item not in places]
        for start in range(0, len(new), _AT_ONCE):
            some = new[start : start + _AT_ONCE]
            done += some
            likeness = self._shelf.cross(rows[some], rows[done])
            matrix[np.ix_(some, done)] = likeness
            matrix[np.ix_(done, some)] = likeness.T
        np.fill_diagonal(matrix, 1)
        return Likenesses(items, matrix)

    def _items(self, rows: Numbers) -> tuple[int, ...]:
        entries = self._shelf.entries
        return tuple([entries[row].item.id for row in rows.tolist()])

    def _damped(self, likeness: Floats, rows: Numbers, others: Numbers) -> Matrix:
        times, window = self._shelf.times, self._shelf.measure.like.window_seconds
        return damped(likeness.astype(np.float64), times[rows], times[others], window, self.params)
