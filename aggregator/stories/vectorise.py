"""Turns item words into weighted vectors over stems and over character n-grams, with frequencies of a moving window. Pure.

    counts -> window (counted before they are scored) -> (1 + ln tf) * idf -> unit length, frozen at arrival

Rows of sparse matrices grow at the end and are compacted when many are dead; memory follows the window, not the archive.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aggregator.stories.frequencies import FrequencyTable
from aggregator.stories.kernels import Floats, Ints, multiply, multiply_many, take_rows
from aggregator.stories.names import CAPITAL_NOUNS, Capitals, spelled_inside
from aggregator.stories.text import SUMMARY_WEIGHT, TITLE_WEIGHT, ItemWords

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Numbers = NDArray[np.int64]
Row = tuple[Ints, Floats]
"""One sparse row: ascending column numbers and their values."""


class Window:
    """Document frequencies of the items published lately; whoever holds their columns says when they leave."""

    def __init__(self, columns: int) -> None:
        self.documents = 0
        self.frequency = np.zeros(columns, dtype=np.int32)

    def count(self, batch: Sequence[Ints]) -> None:
        """More items: their distinct columns."""
        self._count(batch, 1)

    def forget(self, batch: Sequence[Ints]) -> None:
        """Items that were counted leave."""
        self._count(batch, -1)

    def _count(self, batch: Sequence[Ints], number: int) -> None:
        self.documents += number * len(batch)
        for columns in batch:
            # one item's columns are distinct; a call for all of them at once (np.add.at) takes three times as long
            self.frequency[columns] += number

    def widen(self, columns: int) -> None:
        if columns > len(self.frequency):
            grown = np.zeros(max(columns, 2 * len(self.frequency)), dtype=np.int32)
            grown[: len(self.frequency)] = self.frequency
            self.frequency = grown

    def keep(self, columns: Ints) -> None:
        """Renumber: the old `columns`, ascending, become 0, 1, 2 …"""
        self.frequency = self.frequency[columns]


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a sparse matrix, end to end: row r from ends[r] to ends[r + 1]."""

    ends: Ints
    columns: Ints
    values: Floats

    def times(self, dense: Floats) -> Floats:
        """Product of each row with a dense vector, or with each column of a dense matrix."""
        product = multiply if dense.ndim == 1 else multiply_many
        return product(self.ends, self.columns, self.values, dense)

    def squared(self) -> Part:
        """With each value squared."""
        return Part(self.ends, self.columns, self.values * self.values)


@dataclass(frozen=True, slots=True)
class Meeting:
    """A few rows as the columns of a dense matrix, and others to be multiplied with it. Both have only the columns that the few
    hold: column c is columns[c - 1] (no second time, if it is there twice), and all else that the others hold is in column 0."""

    columns: Ints
    some: Floats
    others: Part


class Rows:
    """A sparse matrix that grows by rows: CSR buffers with doubling capacity."""

    def __init__(self) -> None:
        self.count = 0
        self._ends = np.zeros(1024, dtype=np.int32)
        self._lengths = np.zeros(1024, dtype=np.int32)
        self._indices = np.zeros(65536, dtype=np.int32)
        self._values = np.zeros(65536, dtype=np.float32)
        self._made: csr_matrix | None = None
        self._scratch = np.empty(0, np.int32), np.empty(0, np.float32)
        self.width = 0
        """Columns from this one on are in no row."""

    def append(self, indices: Ints, values: Floats) -> None:
        start = int(self._ends[self.count])
        end = start + len(indices)
        if self.count + 2 > len(self._ends):
            self._ends = _roomier(self._ends, 2 * len(self._ends), self.count + 1)
            self._lengths = _roomier(self._lengths, len(self._ends), self.count)
        if end > len(self._indices):
            room = max(end, 2 * len(self._indices))
            self._indices, self._values = _roomier(self._indices, room, start), _roomier(self._values, room, start)
        self._indices[start:end], self._values[start:end] = indices, values
        self._lengths[self.count] = len(indices)
        self.count += 1
        self._ends[self.count] = end
        self.width = max(self.width, int(indices[-1]) + 1) if len(indices) else self.width

    def row(self, number: int) -> Row:
        part = slice(int(self._ends[number]), int(self._ends[number + 1]))
        return self._indices[part], self._values[part]

    def gather(self, numbers: NDArray[np.int64]) -> Part:
        """Some rows end to end, to be used before others are gathered."""
        rows = numbers.astype(np.int32)
        ends = np.zeros(len(rows) + 1, dtype=np.int32)
        self._lengths.take(rows).cumsum(out=ends[1:])
        columns, values = self._room(int(ends[-1]))
        take_rows(self._ends, self._indices, self._values, rows, (columns, values))
        return Part(ends, columns, values)

    def meet(self, some: NDArray[np.int64], others: NDArray[np.int64], places: Ints) -> Meeting:
        """A few rows and others, to be used before more are gathered. `places`: room for each column, all zero before and after.

        All columns would be half a megabyte for the letters of one row, and a dozen rows at once beyond any cache.
        """
        mine = self.gather(some)
        held = mine.columns.copy()
        dense = np.zeros((len(held) + 1, len(some)), dtype=np.float32)
        try:
            # a column that several rows hold ends up in the last one's place
            places[held] = np.arange(1, len(held) + 1, dtype=np.int32)
            owner = np.arange(len(some), dtype=np.int32).repeat(np.diff(mine.ends))
            dense.ravel()[places.take(held) * np.int32(len(some)) + owner] = mine.values
            theirs = self.gather(others)
            return Meeting(held, dense, Part(theirs.ends, places.take(theirs.columns), theirs.values))
        finally:  # it outlives an engine that failed
            places[held] = 0

    def _room(self, length: int) -> tuple[Ints, Floats]:
        """Columns and values of gathered rows: arrays made anew each time cost a third more."""
        if length > len(self._scratch[0]):
            self._scratch = np.empty(2 * length, np.int32), np.empty(2 * length, np.float32)
        columns, values = self._scratch
        return columns[:length], values[:length]

    def matrix(self, columns: int) -> csr_matrix:
        """All rows, without copying, as a matrix of that width. To be read, and only until rows are added."""
        from scipy.sparse import csr_matrix

        shape = (self.count, max(1, columns))
        if self._made is not None and self._made.shape == shape:
            return self._made
        end = int(self._ends[self.count])
        self._made = made = csr_matrix(shape, dtype=np.float32)
        # set the arrays directly: the constructor's checks read all of them, every batch
        made.indptr = self._ends[: self.count + 1]
        made.indices, made.data = self._indices[:end], self._values[:end]
        return made

    def keep(self, rows: NDArray[np.int64], columns: int) -> None:
        """Only these rows stay, in this order."""
        kept = self.matrix(columns)[rows]
        self._made = None
        self.count = len(rows)
        self._ends = np.zeros(max(1024, 2 * self.count), dtype=np.int32)
        self._ends[: self.count + 1] = kept.indptr
        self._lengths = np.zeros(len(self._ends), dtype=np.int32)
        self._lengths[: self.count] = np.diff(kept.indptr)
        self._indices, self._values = kept.indices.astype(np.int32, copy=False), kept.data.astype(np.float32, copy=False)

    def used(self) -> Ints:
        """Columns that some row holds."""
        return np.unique(self._indices[: int(self._ends[self.count])])

    def renumber(self, new: Ints) -> None:
        """Column c becomes new[c]; the order of columns must stay."""
        end = int(self._ends[self.count])
        self._indices[:end] = new[self._indices[:end]]


def _roomier(old: NDArray[Any], room: int, used: int) -> NDArray[Any]:
    """The part that is used with more room behind it, which is not written to: that makes memory of it only when it is needed."""
    new = np.empty(room, dtype=old.dtype)
    new[:used] = old[:used]
    return new


def unit_length(values: Floats, owner: NDArray[np.int64], owners: int) -> Floats:
    """Values scaled so that those of each owner (numbered from 0) have length 1 together (zeros stay)."""
    norms = np.sqrt(np.bincount(owner, weights=values.astype(np.float64) ** 2, minlength=owners))
    return (values / np.maximum(norms, 1e-12)[owner]).astype(np.float32)


def cut_apart(values: Floats, lengths: NDArray[np.int64]) -> list[Floats]:
    """Joined rows as rows again."""
    return np.split(values, np.cumsum(lengths)[:-1])


def joined(batch: Sequence[Row]) -> tuple[Ints, Floats, NDArray[np.int64]]:
    """Columns and values of all rows end to end, and the length of each row."""
    lengths = np.array([len(columns) for columns, _ in batch], dtype=np.int64)
    if not batch:
        return np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32), lengths
    return np.concatenate([columns for columns, _ in batch]), np.concatenate([values for _, values in batch]), lengths


COLD = 100.0
"""Items that hold no stem or gram are added to those counted: among the first dozen items of a language what two of them share
would else weigh less than what only one says. From a thousand items on it changes nothing."""


@dataclass(frozen=True, slots=True)
class WordWeights:
    """How stems are weighted: `background` is N0, how many items' worth of belief the shipped table gets; `unread` how many
    items without the stem are taken for read where there is no table (COLD)."""

    background: float = 10_000.0
    unread: float = COLD


_TELLING = 0.03
"""Share of the words inside sentences with a capital (.28 in English, .24 in Polish) below which a language is taken to have none."""
_SPELLED = 5, 20
"""With a capital, and all: what is believed of a language before it is read."""


class WordSpace:
    """Stems of one language, numbered as they come; forgotten when no item of the window or of an active story holds them."""

    def __init__(self, table: FrequencyTable | None, weights: WordWeights, language: str = "") -> None:
        self.table, self.weights = table, weights
        self._has_names = language not in CAPITAL_NOUNS
        self.numbers: dict[str, int] = {}
        self.stems: list[str] = []
        self.window = Window(4096)
        self._background = np.zeros(4096, dtype=np.float32)
        self._capitals = Capitals()
        self._named = np.zeros(4096, dtype=np.float32)
        self._spelled = np.array(_SPELLED)

    def columns(self, words: ItemWords) -> tuple[Ints, Floats]:
        """Distinct columns, ascending, and 1 + ln(tf) of each."""
        counts = words.counts_with_slug
        known = list(map(self.numbers.get, counts))
        numbers = [number if number is not None else self._number(stem) for number, stem in zip(known, counts, strict=True)]
        columns = np.array(numbers, dtype=np.int32)
        order = np.argsort(columns)
        tf = np.fromiter(counts.values(), dtype=np.float32, count=len(counts))
        return columns[order], (1 + np.log(tf[order])).astype(np.float32)

    def _number(self, stem: str) -> int:
        """A number for a new stem."""
        number = self.numbers[stem] = len(self.stems)
        self.stems.append(stem)
        if number >= len(self._background):
            self._background = np.concatenate([self._background, np.zeros_like(self._background)])
            self._named = np.concatenate([self._named, np.zeros_like(self._named)])
            self.window.widen(len(self._background))
        self._named[number] = not any(map(str.isdigit, stem))
        self._background[number] = self._believed() * self.table.share(stem) if self.table else 0.0
        return number

    def _believed(self) -> float:
        return self.weights.background if self.table else 0.0

    def learn_names(self, batch: Iterable[ItemWords]) -> None:
        """Note how the stems of items are spelled; all must have been given columns."""
        found = [
            spelled
            for item in batch
            for text in ((item.title_words, item.title_stems), (item.summary_words, item.summary_stems))
            for spelled in spelled_inside(*text)
        ]
        numbers, capitals = [self.numbers[stem] for stem, _ in found], [word[0].isupper() for _, word in found]
        self._capitals.note(numbers, capitals)
        self._spelled += sum(capitals), len(capitals)
        met = np.unique(np.array(numbers, dtype=np.int32))
        self._named[met] = 2 * self._capitals.capital[met] >= self._capitals.said[met]

    @property
    def named(self) -> Floats | None:
        """1 for each column whose stem is a name, as far as is known, else 0; None where capitals do not tell: there are none, or
        every noun has one."""
        capitals, words = self._spelled.tolist()
        return self._named if self._has_names and capitals >= _TELLING * words else None

    def weigh(self, batch: Sequence[Row]) -> list[Floats]:
        """Unit vectors of the weights, with the frequencies as they are now."""
        columns, tf, lengths = joined(batch)
        seen = self._background[columns] + self.window.frequency[columns] + np.float32(0.5)
        believed = self._believed() or self.weights.unread
        idf = np.log(np.float32(believed + self.window.documents + 1) / seen)
        owner = np.repeat(np.arange(len(lengths)), lengths)
        return cut_apart(unit_length(tf * np.maximum(idf, 0), owner, len(lengths)), lengths)

    def forget_unused(self, used: Ints) -> Ints:
        """Keep only the used and the counted stems. Returns new numbers by old ones (-1 = gone)."""
        alive = self.window.frequency[: len(self.stems)] > 0
        alive[used] = True
        kept = np.flatnonzero(alive).astype(np.int32)
        new = np.full(len(self.stems), -1, dtype=np.int32)
        new[kept] = np.arange(len(kept), dtype=np.int32)
        self.stems = [self.stems[number] for number in kept]
        self.numbers = {stem: number for number, stem in enumerate(self.stems)}
        room = np.zeros(max(4096, len(kept)), dtype=np.float32)
        self._background, self._named = (np.concatenate([old[kept], room]) for old in (self._background, self._named))
        self._capitals.keep(kept)
        self.window.keep(kept)
        self.window.widen(len(self._background))
        return new


@dataclass(frozen=True, slots=True)
class GramWeights:
    """Character n-grams: their lengths, BM25's k1 (Robertson and Zaragoza 2009, without length normalisation), hash bits.

    Short grams bridge inflections and compounds, long ones are nearly phrases; the mean of both cosines beats either alone in
    English (pairwise F1 .84 against .83) and most of all in Polish (.82 against .75).
    """

    lengths: tuple[int, ...] = (3, 5)
    k1: float = 1.2
    bits: int = 16
    unread: float = COLD

    @property
    def columns(self) -> int:
        """Each length has hash values of its own."""
        return len(self.lengths) << self.bits


class GramSpace:
    """Hashed character n-grams that run across word boundaries; frequencies from the window only, no background.

    The vectors' product is the mean of the cosines by each length.
    """

    def __init__(self, weights: GramWeights) -> None:
        self.weights = weights
        self.window = Window(weights.columns)

    def columns(self, words: Sequence[ItemWords]) -> list[Row]:
        """For each item distinct columns, ascending, and the saturated term frequency of each."""
        texts = [text for item in words for text in (item.title_letters, item.summary_letters)]
        padded = [f" {text} " if text else "" for text in texts]
        parts = [self._of_length(padded, number, length) for number, length in enumerate(self.weights.lengths)]
        return [(np.concatenate([row[0] for row in rows]), np.concatenate([row[1] for row in rows])) for rows in zip(*parts, strict=True)]

    def _of_length(self, texts: Sequence[str], number: int, n: int) -> list[Row]:
        """The grams of one length in texts that are titles and summaries in turn."""
        k1, bits = self.weights.k1, self.weights.bits
        items = len(texts) // 2
        lengths = np.array([len(text) for text in texts], dtype=np.int64)
        sizes = np.maximum(lengths - n + 1, 0)
        hashes = _rolling("".join(texts), n)[_starts(lengths, sizes)]
        # item, gram, and whether of the title in one number: sorting them is most of the work, and narrow ones sort faster
        owner = np.repeat(np.arange(len(texts), dtype=np.int64), sizes)
        keys = (owner >> 1 << (bits + 1)) | ((hashes >> np.uint64(64 - bits)).astype(np.int64) << 1) | (1 - (owner & 1))
        if items.bit_length() + bits + 1 < 32:
            keys = keys.astype(np.int32)
        keys.sort()
        starts = np.flatnonzero(np.diff(keys >> 1, prepend=-1))
        titles = np.add.reduceat(keys & 1, starts, dtype=np.int64) if len(starts) else starts
        tf = SUMMARY_WEIGHT * np.diff(starts, append=len(keys)) + (TITLE_WEIGHT - SUMMARY_WEIGHT) * titles
        saturated = (tf * (k1 + 1) / (tf + k1)).astype(np.float32)
        grams = keys[starts] >> 1
        ends = np.searchsorted(grams >> bits, np.arange(items + 1))
        low = (grams & ((1 << bits) - 1)).astype(np.int32) + np.int32(number << bits)
        return [(low[a:b], saturated[a:b]) for a, b in pairwise(ends.tolist())]

    def weigh(self, batch: Sequence[Row]) -> list[Floats]:
        """Vectors of the weights with the frequencies as they are now; each length's part has the same share of the unit."""
        columns, tf, lengths = joined(batch)
        idf = np.log(np.float32(self.weights.unread + self.window.documents + 1) / (self.window.frequency[columns] + np.float32(0.5)))
        parts = len(self.weights.lengths)
        owner = np.repeat(np.arange(len(lengths)), lengths) * parts + (columns >> self.weights.bits)
        share = np.float32(1 / np.sqrt(parts))
        return cut_apart(share * unit_length(tf * np.maximum(idf, 0), owner, len(lengths) * parts), lengths)


def _starts(lengths: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions in the joined texts where an n-gram begins that does not run into the next text."""
    offsets = np.cumsum(lengths) - lengths
    return np.repeat(offsets - (np.cumsum(sizes) - sizes), sizes) + np.arange(int(sizes.sum()))


def _rolling(text: str, n: int) -> NDArray[np.uint64]:
    """A 64-bit hash of every n characters in a row; the high bits are the good ones (multiplicative hashing)."""
    codes = np.frombuffer(text.encode("utf-32-le", "replace"), dtype=np.uint32).astype(np.uint64)
    hashes = np.zeros(max(0, len(codes) - n + 1), dtype=np.uint64)
    for i in range(n):
        hashes = (hashes + codes[i : i + len(hashes)]) * np.uint64(0x9E3779B97F4A7C15)
        hashes ^= hashes >> np.uint64(29)
    return hashes * np.uint64(0xBF58476D1CE4E5B9)
