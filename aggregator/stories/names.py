"""Which stems are names, learned from their spelling: inside a sentence names nearly always have a capital. Pure.

words as spelled | those inside sentences | with a capital or not | share by stem    (truecasing: Lita et al. 2003)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from aggregator.stories.kernels import Floats, Ints

_HEADLINE = 0.6
"""A text with a larger share of capitals is set like a headline, and says nothing of names."""


CAPITAL_NOUNS = frozenset(["de", "lb"])
"""Languages in which every noun has a capital, so that it says nothing of names."""


def spelled_inside(words: Sequence[str], stems: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The stems of a text that stand inside a sentence, each with its word; none of a text that is set like a headline.

    The first word of a sentence has a capital whatever it is. Where others begin is not known here, and they are few. `words` and
    `stems` run parallel; "" is the stem of a stop word.
    """
    if sum([word[0].isupper() for word in words]) > _HEADLINE * len(words):
        return
    for word, stem in islice(zip(words, stems, strict=True), 1, None):
        if stem:
            yield stem, word


class Capitals:
    """How often each stem, by its number, stood inside a sentence, and how often with a capital."""

    def __init__(self) -> None:
        self.said, self.capital = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32)

    def note(self, numbers: Sequence[int], capitals: Sequence[bool]) -> None:
        """Stems (one may come several times) as they were spelled."""
        if not numbers:
            return
        self.widen(max(numbers) + 1)
        np.add.at(self.said, numbers, 1)
        np.add.at(self.capital, numbers, capitals)

    def widen(self, size: int) -> None:
        if size > len(self.said):
            self.said, self.capital = (_wider(old, max(size, 2 * len(old))) for old in (self.said, self.capital))

    def keep(self, numbers: Ints) -> None:
        """Renumber: the old `numbers`, ascending, become 0, 1, 2 …"""
        self.widen(int(numbers[-1]) + 1 if len(numbers) else 0)
        self.said, self.capital = self.said[numbers], self.capital[numbers]

    def shares(self, size: int, enough: int) -> Floats:
        """For each of so many stems the share with a capital; 1 where it was met less than `enough` times."""
        self.widen(size)
        said, capital = self.said[:size], self.capital[:size]
        return np.where(said >= enough, capital / np.maximum(said, np.float32(1)), np.float32(1)).astype(np.float32)


def _wider(old: Ints, size: int) -> Ints:
    grown = np.zeros(size, dtype=np.int32)
    grown[: len(old)] = old
    return grown
