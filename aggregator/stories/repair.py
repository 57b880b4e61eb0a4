"""Mends early mistakes: keeps the likeness between stories up to date and says which to merge, best first. Pure.

Only pairs with some two items as alike as the merging threshold can ever be merged (the mean is never above the maximum), and
they are few: a pair's sum is computed once, when its first such link appears, and kept up incrementally from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

Sizes = Callable[[int], int]
Sums = Callable[[int, Sequence[int]], list[tuple[float, float]]]
"""Sum and maximum of the likeness over the cross pairs of a story and each of some others."""


@dataclass(slots=True)
class PairSum:
    total: float
    maximum: float


@dataclass(frozen=True, slots=True)
class Merge:
    """`gone` becomes part of `kept`, because their likeness reached what was asked."""

    kept: int
    gone: int
    score: float
    asked: float


class StoryPairs:
    """Sums over the story pairs that a strong link joins."""

    def __init__(
        self,
        threshold: float,
        sizes: Sizes,
        cross: Sums,
        may_merge: Callable[[int, int], bool] = lambda one, other: True,
        of_crowd: Callable[[int], float] = lambda size: 0.0,
    ) -> None:
        """`of_crowd`: what a story of so many asks of a single item, where that is more than the threshold."""
        self._of_crowd = of_crowd
        self.threshold, self._sizes, self._cross, self._may_merge = threshold, sizes, cross, may_merge
        self._sums: dict[int, dict[int, PairSum]] = {}
        self._new: set[tuple[int, int]] = set()
        self._changed: set[tuple[int, int]] = set()

    def partners(self, story: int) -> Container[int]:
        """The stories whose sums with this one are kept."""
        return self._sums.get(story, {}).keys()

    def joined(self, story: int, links: dict[int, tuple[float, float]]) -> None:
        """An item came to `story`; `links` maps other stories to the sum and maximum of its likeness to their members.

        They are to hold the partners of the story and all whose maximum reaches the threshold.
        """
        held = self._sums.get(story, {})
        for other, (total, maximum) in links.items():
            if other == story:
                continue
            pair = held.get(other)
            if pair is not None:
                pair.total += total
                pair.maximum = max(pair.maximum, maximum)
                self._changed.add(_ordered(story, other))
            elif maximum >= self.threshold and self._sizes(story) == 1:
                # the item is the story: its links are all there is to sum
                self._put(story, other, PairSum(total, maximum))
                self._changed.add(_ordered(story, other))
            elif maximum >= self.threshold:
                self._new.add(_ordered(story, other))

    def merges(self, apply: Callable[[Merge], None]) -> None:
        """Merge what reached the threshold, best first, until nothing does; `apply` is told each one as it happens."""
        for one, pairs in groupby(sorted(self._new), key=itemgetter(0)):
            others = [other for _, other in pairs]
            for other, (total, maximum) in zip(others, self._cross(one, others), strict=True):
                self._put(one, other, PairSum(total, maximum))
        scores = self._scores(self._new | self._changed)
        self._new, self._changed = set(), set()
        while scores:
            # of two alike the pair of the oldest
            pair = min(scores, key=lambda pair: (-scores[pair], pair))
            merge = self._merge(pair, scores[pair])
            if not self._may_merge(merge.kept, merge.gone):
                del scores[pair]
                continue
            changed = self._fold(merge)
            apply(merge)
            scores = {pair: score for pair, score in scores.items() if merge.gone not in pair and pair not in changed}
            scores |= self._scores(changed)

    def _scores(self, pairs: Iterable[tuple[int, int]]) -> dict[tuple[int, int], float]:
        """The likeness of those pairs that reach the threshold."""
        found = {}
        for one, other in pairs:
            pair = self._sums.get(one, {}).get(other)
            # the mean is never above the maximum
            if pair is not None and pair.maximum >= self.threshold:
                score = 0.5 * pair.maximum + 0.5 * pair.total / max(1, self._sizes(one) * self._sizes(other))
                if score >= self._asked(one, other):
                    found[(one, other)] = score
        return found

    def _asked(self, one: int, other: int) -> float:
        """The likeness at which two stories are merged."""
        small, large = sorted((self._sizes(one), self._sizes(other)))
        return max(self.threshold, self._of_crowd(large)) if small == 1 else self.threshold

    def _merge(self, pair: tuple[int, int], score: float) -> Merge:
        """The larger keeps its id; of two alike the older."""
        kept, gone = pair if self._sizes(pair[0]) >= self._sizes(pair[1]) else pair[::-1]
        return Merge(kept, gone, score, self._asked(kept, gone))

    def _fold(self, merge: Merge) -> set[tuple[int, int]]:
        """Add the sums of the story that goes to those of the one that stays. Returns the pairs that changed."""
        gone, kept = self._sums.pop(merge.gone, {}), self._sums.get(merge.kept, {})
        kept.pop(merge.gone, None)
        gone.pop(merge.kept, None)
        for other in gone:
            del self._sums[other][merge.gone]
        # a sum with the other of the two is unknown where no strong link joined them: look once
        for story, known, lacking in ((merge.gone, gone, kept.keys() - gone.keys()), (merge.kept, kept, gone.keys() - kept.keys())):
            others = sorted(lacking)
            for other, sums in zip(others, self._cross(story, others) if others else (), strict=True):
                known[other] = PairSum(*sums)
        for other, part in gone.items():
            self._put(merge.kept, other, PairSum(kept[other].total + part.total, max(kept[other].maximum, part.maximum)))
        return {_ordered(merge.kept, other) for other in gone}

    def _put(self, one: int, other: int, pair: PairSum) -> None:
        self._sums.setdefault(one, {})[other] = pair
        self._sums.setdefault(other, {})[one] = pair

    def forget(self, story: int) -> None:
        """A story went, or lost items: its sums are computed again at its next strong link."""
        for other in self._sums.pop(story, {}):
            self._sums[other].pop(story, None)

    def known(self) -> dict[tuple[int, int], PairSum]:
        """All pairs with one < other."""
        return {(one, other): pair for one, held in self._sums.items() for other, pair in held.items() if one < other}


def _ordered(one: int, other: int) -> tuple[int, int]:
    return (one, other) if one < other else (other, one)
