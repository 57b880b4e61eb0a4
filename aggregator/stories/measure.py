"""Measures how alike items are: their vectors, feeds, headlines and times as rows, and the likeness of any rows to any others. Pure.

word cosine > 0.04 | half words, half characters | x shared words x names among them x time x same feed
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import local
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aggregator.stories.kernels import Floats, Ints
from aggregator.stories.roster import Numbers
from aggregator.stories.vectorise import GramWeights, Meeting, Part, Row, Rows, WordWeights


@dataclass(frozen=True, slots=True)
class Likeness:
    """What counts as alike, and within what time.

    `candidate`: word cosine below which two items are not alike at all. `promising`: word cosine that some member of a story
    must reach before characters are compared (against .12 no decision on the labelled days changed; a tenth of the work).
    `characters`: their share. `lone_word`, `each_word`: a likeness that rests on one shared word counts `lone_word` +
    `each_word`, on two `each_word` more, until it counts in full: items with little text else meet in a single rare word.
    `nameless`: what a likeness counts for when no shared word is a name, `names_alone` when all are, in parts of the word cosine:
    reports of one event share who *and* what; who alone is a saga, what alone a kind of event. In between, from a share of
    `some_names` to one of `most_names`, it counts in full (of pairs with likeness .2 to .25 on the labelled day two in three
    were of one event there, one in six without a name, two in five with names alone).
    `fade`: share that a whole window of time takes away. `same_feed`: factor for two items of one feed, whose series look alike;
    `series_seconds`: when it repeats a headline (but for numbers and dates) after so long, the two are numbers of a series and
    not alike at all. `window_seconds`: items published further apart are not compared.
    """

    candidate: float = 0.04
    promising: float = 0.15
    characters: float = 0.5
    lone_word: float = 0.55
    each_word: float = 0.15
    nameless: float = 0.75
    names_alone: float = 0.65
    some_names: float = 0.2
    most_names: float = 0.55
    fade: float = 0.15
    same_feed: float = 0.7
    series_seconds: float = 12 * 3600
    window_seconds: float = 3 * 86_400
    words: WordWeights = field(default_factory=WordWeights)
    grams: GramWeights = field(default_factory=GramWeights)


@dataclass(frozen=True, slots=True)
class SharedWords:
    """Word cosines, and what is behind each: the effective number of shared words, (sum of the terms' parts)^2 / sum of their
    squares, 1 when a single word makes up all of it (Simpson's index, inverted); and the part of the cosine that names make up."""

    cosine: Floats
    number: Floats
    names: Floats

    @classmethod
    def room(cls, *shape: int) -> SharedWords:
        return cls(*np.empty((3, *shape), dtype=np.float32))

    def put(self, place: slice, some: SharedWords) -> None:
        self.cosine[place], self.number[place], self.names[place] = some.cosine, some.number, some.names

    def take(self, kept: Numbers) -> SharedWords:
        return SharedWords(self.cosine[kept], self.number[kept], self.names[kept])


class _Scratch(local):
    """A dense vector of a thread, all zero, for all languages: half a megabyte. Whoever writes to it clears it."""

    def __init__(self) -> None:
        self._row = np.zeros(0, dtype=np.float32)

    def row(self, columns: int) -> Floats:
        if len(self._row) < columns:
            self._row = np.zeros(columns, dtype=np.float32)
        return self._row[:columns]


class _Places(local):
    """Numbers for columns, as Rows.meet wants them, of a thread."""

    def __init__(self) -> None:
        self._room = np.zeros(0, dtype=np.int32)

    def room(self, columns: int) -> Ints:
        if len(self._room) < columns:
            self._room = np.zeros(2 * columns, dtype=np.int32)
        return self._room[:columns]


_SCRATCH = _Scratch()
_PLACES = _Places()


_AT_ONCE = 16
"""Rows that are compared with the same others in one product: twice as many leave the cache."""
_WORTH = 8
"""Rows whose letters are compared in one product; as many as _AT_ONCE with 40 others take two thirds of the time of one by one."""


class Measure:
    """Rows of one language, numbered from 0 in the order in which they come."""

    def __init__(self, likeness: Likeness) -> None:
        self.like = likeness
        self.words, self.grams = Rows(), Rows()
        self._feeds = np.zeros(1024, dtype=np.int64)
        self._frames = np.zeros(1024, dtype=np.int64)
        self._times = np.zeros(1024, dtype=np.float64)
        self._stems = np.zeros(4096, dtype=np.float32)
        self.named: Floats | None = None
        """1 for each word column that is a name, else 0; None: nobody knows, and nothing counts for less because of names."""

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
        shared, whole = self._words_of_each(rows, others), np.concatenate([[0], *others]).astype(np.int64)[1:]
        kept = np.flatnonzero(shared.cosine > self.like.candidate)
        ends = np.searchsorted(kept, np.cumsum([len(each) for each in others]))
        counts, shared, whole = np.diff(ends, prepend=0), shared.take(kept), whole[kept]
        near = np.split(whole, ends[:-1])
        letters = [self._letters_of(row, self.grams.gather(each)) for row, each in zip(rows, near, strict=True)]
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
        likeness = self._mixed(shared, self._shared_letters(some, others), self._factors(some[:, None], others, apart))
        likeness[(shared.cosine <= self.like.candidate) | (apart > self.like.window_seconds)] = 0
        return likeness

    def _mixed(self, shared: SharedWords, letters: Floats, factors: tuple[Floats, Floats]) -> Floats:
        share = np.float32(self.like.characters)
        likeness: Floats = (1 - share) * shared.cosine
        likeness += share * letters
        likeness *= self._of_number(shared)
        likeness *= self._of_names(shared)
        for factor in factors:
            likeness *= factor
        return likeness

    def _of_number(self, shared: SharedWords) -> Floats:
        """What a likeness counts for by how many words it rests on."""
        counted = self.like.lone_word + self.like.each_word * shared.number
        factor: Floats = np.minimum(counted, 1, out=counted)
        return factor

    def _of_names(self, shared: SharedWords) -> Floats:
        """What a likeness counts for by the share of names in what it rests on."""
        if self.named is None:
            return _ONE
        like = self.like
        share = shared.names / np.maximum(shared.cosine, np.float32(1e-12))
        few = like.nameless + (1 - like.nameless) / like.some_names * share
        many = like.names_alone + (1 - like.names_alone) / (1 - like.most_names) * (1 - share)
        factor: Floats = np.minimum(np.minimum(few, many), 1)
        return factor

    def shared_words(self, some: Numbers, others: Numbers) -> SharedWords:
        """Word cosines of some rows to some others and what they rest on, as matrices."""
        if len(some) <= _AT_ONCE:
            return self._words_of(some, others)
        found = SharedWords.room(len(some), len(others))
        for start in range(0, len(some), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            found.put(part, self._words_of(some[part], others))
        return found

    def _words_of(self, some: Numbers, others: Numbers) -> SharedWords:
        """The same for a few rows."""
        met = self.words.meet(some, others, _PLACES.room(self.words.width))
        cosine = met.others.times(met.some).T
        names = cosine if self.named is None else met.others.times(self._names_of(met)).T
        squares = met.others.squared().times(met.some * met.some).T
        return SharedWords(cosine, _effective(cosine, squares), names)

    def _words_of_each(self, rows: Sequence[int], others: Sequence[Numbers]) -> SharedWords:
        """As `shared_words`, but each row with its own others; end to end."""
        met = self.words.meet(np.array(rows), np.concatenate(others), _PLACES.room(self.words.width))
        ends = met.others.ends
        # one product for all rows: in the matrix end to end, column c of row number r is at c * rows + r
        owner = np.arange(len(rows), dtype=np.int32).repeat(np.diff(ends[np.cumsum([0, *map(len, others)])]))
        theirs = Part(ends, met.others.columns * np.int32(len(rows)) + owner, met.others.values)
        cosine = theirs.times(met.some.ravel())
        names = cosine if self.named is None else theirs.times(self._names_of(met).ravel())
        squares = theirs.squared().times((met.some * met.some).ravel())
        return SharedWords(cosine, _effective(cosine, squares), names)

    def _names_of(self, met: Meeting) -> Floats:
        """The dense matrix with nothing but names."""
        assert self.named is not None
        named = np.zeros_like(met.some)
        np.multiply(met.some[1:], self.named[met.columns][:, None], out=named[1:])
        return named

    def _stem_room(self) -> Floats:
        """A zero for each word column. Whoever writes to it clears it."""
        if len(self._stems) < self.words.width:
            self._stems = np.zeros(2 * self.words.width, dtype=np.float32)
        return self._stems[: self.words.width]

    def parts(self, row: int, other: int) -> tuple[Ints, NDArray[np.float64]]:
        """Word columns that two rows have in common, ascending, and their parts of the cosine."""
        mine, values = self.words.row(row)
        columns, weights = self.words.row(other)
        stems = self._stem_room()
        try:
            stems[mine] = values
            parts = stems[columns].astype(np.float64) * weights
        finally:
            stems[mine] = 0
        shared = parts > 0
        return columns[shared], parts[shared]

    def _shared_letters(self, some: Numbers, others: Numbers) -> Floats:
        """Character cosines of some rows to some others, as a matrix."""
        found = np.empty((len(some), len(others)), dtype=np.float32)
        if len(some) < _WORTH:
            theirs = self.grams.gather(others)
            for place, row in enumerate(some.tolist()):
                found[place] = self._letters_of(row, theirs)
            return found
        places = _PLACES.room(self.like.grams.columns)
        for start in range(0, len(some), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            met = self.grams.meet(some[part], others, places)
            found[part] = met.others.times(met.some).T
        return found

    def _letters_of(self, row: int, theirs: Part) -> Floats:
        """Character cosines of one row to others."""
        columns, values = self.grams.row(row)
        letters = _SCRATCH.row(self.like.grams.columns)
        try:
            letters[columns] = values
            return theirs.times(letters)
        finally:  # it outlives an engine that failed
            letters[columns] = 0

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

    def factors(self, row: int, other: int) -> tuple[float, float, float, float]:
        """What the likeness of two rows is multiplied by: for the number of shared words, for names among them, for time, for the feed."""
        some, others = np.array([row]), np.array([other])
        shared = self.shared_words(some, others)
        number, names = float(self._of_number(shared)[0, 0]), float(self._of_names(shared).flat[0])
        time, feed = self._factors(some, others, np.abs(self._times[others] - self._times[some]))
        return number, names, float(time[0]), float(feed[0])


_ONE = np.ones(1, dtype=np.float32)


def _effective(cosine: Floats, squares: Floats) -> Floats:
    """How many words a cosine rests on, from the sum of its parts' squares (SharedWords)."""
    number: Floats = cosine * cosine
    number /= np.maximum(squares, np.float32(1e-12))
    return number


def _wider(old: NDArray[Any], room: int) -> NDArray[Any]:
    new = np.zeros(room, dtype=old.dtype)
    new[: len(old)] = old
    return new
