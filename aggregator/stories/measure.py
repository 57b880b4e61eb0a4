"""Measures how alike items are: their vectors, feeds, headlines and times as rows, and the likeness of any rows to any others. Pure.

word cosine > 0.04 | half words, half characters | x shared evidence x time x same feed
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import local
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aggregator.stories.roster import Numbers
from aggregator.stories.vectorise import Floats, GramWeights, Ints, Row, Rows, Stretches, WordWeights


@dataclass(frozen=True, slots=True)
class Likeness:
    """What counts as alike, and within what time.

    `candidate`: word cosine below which two items are not alike at all. `promising`: word cosine that some member of a story
    must reach before characters are compared (against .12 no decision on the labelled days changed; a tenth of the work).
    `characters`: their share. `lone_word`, `each_word`: a likeness that rests on one shared word counts `lone_word` +
    `each_word`, on two `each_word` more, until it counts in full: items with little text else meet in a single rare word.
    `fade`: share that a whole window of time takes away. `same_feed`: factor for two items of one feed, whose series look alike;
    `series_seconds`: when it repeats a headline (but for numbers and dates) after so long, the two are numbers of a series and
    not alike at all. `window_seconds`: items published further apart are not compared.
    """

    candidate: float = 0.04
    promising: float = 0.15
    characters: float = 0.5
    lone_word: float = 0.55
    each_word: float = 0.15
    fade: float = 0.15
    same_feed: float = 0.7
    series_seconds: float = 12 * 3600
    window_seconds: float = 3 * 86_400
    words: WordWeights = field(default_factory=WordWeights)
    grams: GramWeights = field(default_factory=GramWeights)


@dataclass(frozen=True, slots=True)
class SharedWords:
    """Word cosines, and the effective number of shared words behind each: (sum of the terms' parts)^2 / sum of their squares,
    1 when a single word makes up all of it (Simpson's index, inverted)."""

    cosine: Floats
    number: Floats


class _Scratch(local):
    """One row of zeros a thread, for all languages: 8 MB, and few items touch all its pages. Whoever writes to it clears it."""

    def __init__(self) -> None:
        self._row = np.zeros(0, dtype=np.float32)

    def row(self, columns: int) -> Floats:
        if len(self._row) < columns:
            self._row = np.zeros(columns, dtype=np.float32)
        return self._row[:columns]


_SCRATCH = _Scratch()


class Measure:
    """Rows of one language, numbered from 0 in the order in which they come."""

    def __init__(self, likeness: Likeness) -> None:
        self.like = likeness
        self.words, self.grams = Rows(), Rows()
        self._feeds = np.zeros(1024, dtype=np.int64)
        self._frames = np.zeros(1024, dtype=np.int64)
        self._times = np.zeros(1024, dtype=np.float64)
        self._stems = np.zeros(4096, dtype=np.float32)

    @property
    def count(self) -> int:
        return self.words.count

    @property
    def times(self) -> NDArray[np.float64]:
        """When each row was published, in seconds."""
        return self._times[: self.count]

    # --- rows come and go ---------------------------------------------------------------------------------------------

    def add(self, words: Iterable[Row], grams: Iterable[Row], times: Sequence[float], feeds: Sequence[int], frames: Sequence[int]) -> None:
        """More rows: their unit vectors, seconds since 1970, numbers of feeds, and numbers of headline frames (0: none)."""
        new = slice(self.count, self.count + len(times))
        if new.stop > len(self._feeds):
            room = max(new.stop, 2 * len(self._feeds))
            self._feeds, self._frames, self._times = (_wider(old, room) for old in (self._feeds, self._frames, self._times))
        self._feeds[new], self._frames[new], self._times[new] = feeds, frames, times
        for row in words:
            self.words.append(*row)
        for row in grams:
            self.grams.append(*row)

    def keep(self, rows: Numbers, stems: int) -> None:
        """Only these rows stay, in this order; `stems` is how many word columns there are."""
        self.words.keep(rows, stems)
        self.grams.keep(rows, self.like.grams.columns)
        room = max(1024, 2 * len(rows))
        self._feeds, self._frames, self._times = (_wider(old[rows], room) for old in (self._feeds, self._frames, self._times))

    # --- likeness -----------------------------------------------------------------------------------------------------

    def near(self, rows: Sequence[int], others: Sequence[Numbers]) -> list[tuple[Numbers, Floats]]:
        """For each of some rows those of its own `others` that are like it at all, and how much; all must be within the window.

        For many rows at once, since most of the time for one would go into calling numpy.
        """
        shared, whole = self._shared_words_each(rows, others), np.concatenate([[0], *others]).astype(np.int64)[1:]
        kept = np.flatnonzero(shared.cosine > self.like.candidate)
        ends = np.searchsorted(kept, np.cumsum([len(each) for each in others]))
        counts, shared, whole = np.diff(ends, prepend=0), SharedWords(shared.cosine[kept], shared.number[kept]), whole[kept]
        near = np.split(whole, ends[:-1])
        letters = [self._shared_letters([row], each)[0] for row, each in zip(rows, near, strict=True)]
        mine = np.repeat(rows, counts)
        factors = self._factors(mine, whole, np.abs(self._times[whole] - self._times[mine]))
        likeness = self._mixed(shared, np.concatenate(letters), factors)
        return list(zip(near, np.split(likeness, ends[:-1]), strict=True))

    def cross(self, some: Numbers, others: Numbers) -> Floats:
        """Likeness of each of `some` rows to each of `others`, as a matrix; 0 where the words have next to nothing in common."""
        if len(some) > len(others):
            return self.cross(others, some).T
        shared = self.shared_words(some, others)
        apart = np.abs(self._times[others] - self._times[some][:, None])
        likeness = self._mixed(shared, self._shared_letters(some.tolist(), others), self._factors(some[:, None], others, apart))
        likeness[(shared.cosine <= self.like.candidate) | (apart > self.like.window_seconds)] = 0
        return likeness

    def _mixed(self, shared: SharedWords, letters: Floats, factors: tuple[Floats, Floats]) -> Floats:
        share = np.float32(self.like.characters)
        likeness: Floats = (1 - share) * shared.cosine
        likeness += share * letters
        likeness *= self._evidence(shared)
        for factor in factors:
            likeness *= factor
        return likeness

    def _evidence(self, shared: SharedWords) -> Floats:
        """What a likeness counts for by what it rests on."""
        counted = self.like.lone_word + self.like.each_word * shared.number
        evidence: Floats = np.minimum(counted, 1, out=counted)
        return evidence

    def shared_words(self, some: Numbers, others: Numbers) -> SharedWords:
        """Word cosines of some rows to some others and what they rest on, as matrices."""
        theirs, weights, stretches = self.words.gather(others)
        parts = np.empty((len(some), len(theirs)), dtype=np.float32)
        for place, row in enumerate(some.tolist()):
            self._look_up(row, theirs, parts[place])
        parts *= weights
        return _weighed(parts, stretches)

    def _shared_words_each(self, rows: Sequence[int], others: Sequence[Numbers]) -> SharedWords:
        """As `shared_words`, but each row with its own others; end to end."""
        theirs, weights, stretches = self.words.gather(np.concatenate(others))
        parts = np.empty(len(theirs), dtype=np.float32)
        starts = np.append(stretches.starts, len(theirs))[np.cumsum([0, *map(len, others)])].tolist()
        for row, start, end in zip(rows, starts[:-1], starts[1:], strict=True):
            self._look_up(row, theirs[start:end], parts[start:end])
        parts *= weights
        return _weighed(parts, stretches)

    def _look_up(self, row: int, columns: Numbers, found: Floats) -> None:
        """A row's weights of some word columns."""
        if len(self._stems) < self.words.width:
            self._stems = np.zeros(2 * self.words.width, dtype=np.float32)
        mine, values = self.words.row(row)
        # numpy takes places in its own width several times as fast
        mine = mine.astype(np.int64)
        self._stems[mine] = values
        self._stems.take(columns, out=found, mode="clip")
        self._stems[mine] = 0

    def parts(self, row: int, other: int) -> tuple[Ints, NDArray[np.float64]]:
        """Word columns that two rows have in common, ascending, and their parts of the cosine."""
        columns, weights = self.words.row(other)
        found = np.empty(len(columns), dtype=np.float32)
        self._look_up(row, columns.astype(np.int64), found)
        parts = found.astype(np.float64) * weights
        shared = parts > 0
        return columns[shared], parts[shared]

    def _shared_letters(self, some: Sequence[int], others: Numbers) -> Floats:
        """Character cosines of some rows to some others."""
        found = np.empty((len(some), len(others)), dtype=np.float32)
        letters = _SCRATCH.row(self.like.grams.columns)
        product = self.grams.products(others, len(letters))
        for place, row in enumerate(some):
            columns, values = self.grams.row(row)
            mine = columns.astype(np.int64)
            try:
                letters[mine] = values
                found[place] = product(letters)
            finally:  # it outlives an engine that failed
                letters[mine] = 0
        return found

    def _factors(self, some: Numbers, others: Numbers, apart: NDArray[np.float64]) -> tuple[Floats, Floats]:
        """What a likeness counts for by time and by feed. `some`, `others` and the seconds `apart` are broadcast."""
        like = self.like
        time = (1 - like.fade * np.minimum(apart / like.window_seconds, 1)).astype(np.float32)
        same = self._feeds[others] == self._feeds[some]
        if not same.any():
            return time, _ONE
        feed = np.where(same, np.float32(like.same_feed), np.float32(1))
        frames = self._frames[some]
        feed[same & (frames != 0) & (self._frames[others] == frames) & (apart >= like.series_seconds)] = 0
        return time, feed

    def factors(self, row: int, other: int) -> tuple[float, float, float]:
        """What the likeness of two rows is multiplied by: for the number of shared words, for time, for the feed."""
        some, others = np.array([row]), np.array([other])
        evidence = self._evidence(self.shared_words(some, others))
        time, feed = self._factors(some, others, np.abs(self._times[others] - self._times[some]))
        return float(evidence[0, 0]), float(time[0]), float(feed[0])


_ONE = np.ones(1, dtype=np.float32)


def _weighed(parts: Floats, stretches: Stretches) -> SharedWords:
    """From the terms' parts of the cosines, a stretch of the last axis for each pair. Spoils `parts`."""
    cosine = stretches.sums(parts)
    np.multiply(parts, parts, out=parts)
    number = cosine * cosine
    number /= np.maximum(stretches.sums(parts), np.float32(1e-12))
    return SharedWords(cosine, number)


def _wider(old: NDArray[Any], room: int) -> NDArray[Any]:
    new = np.zeros(room, dtype=old.dtype)
    new[: len(old)] = old
    return new
