"""The active items of one language as rows of vectors, and which of them are like a new one. Pure.

word cosine > 0.04, some member of the story >= 0.15 | half words, half characters | x shared words x names among them x time x same feed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from aggregator.stories.frequencies import FrequencyTable
from aggregator.stories.kernels import Floats
from aggregator.stories.measure import Likeness, Measure
from aggregator.stories.postings import WordIndex
from aggregator.stories.roster import NOBODY, Numbers, Roster
from aggregator.stories.state import Entry
from aggregator.stories.text import frame
from aggregator.stories.vectorise import GramSpace, WordSpace

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Rows of the shelf that are like an item, and how much (0 to 1)."""

    rows: Numbers
    likeness: Floats


class Shelf:
    """Rows of the active items of one language: vectors, feed, story, time. Dead rows go when a quarter of them are dead."""

    def __init__(self, table: FrequencyTable | None, likeness: Likeness, language: str = "") -> None:
        self.measure = Measure(likeness)
        self.word_space = WordSpace(table, likeness.words, language)
        self.gram_space = GramSpace(likeness.grams)
        self._index = WordIndex()
        self.entries: list[Entry] = []
        self.roster = Roster()
        self._counted = np.zeros(0, dtype=bool)
        self.numbering = 0
        """Changes whenever rows are numbered anew."""

    @property
    def count(self) -> int:
        return len(self.entries)

    @property
    def stories(self) -> Numbers:
        """Story id of each row, NOBODY where there is none; the roster puts rows into stories."""
        return self.roster.stories

    @property
    def times(self) -> NDArray[np.float64]:
        """When each row was published, in seconds."""
        return self.measure.times

    def rows_of(self, story: int) -> Numbers:
        return self.roster.rows_of(story)

    # --- rows come and go ---------------------------------------------------------------------------------------------

    def add(self, entries: Sequence[Entry], feeds: Sequence[int]) -> range:
        """Count a batch, then weigh it with itself counted, then append it. Returns its rows; they have no story yet."""
        words = [entry.words for entry in entries]
        stems = [self.word_space.columns(item) for item in words]
        self.word_space.learn_names(words)
        grams = [row for part in _parts(words) for row in self.gram_space.columns(part)]
        times = [entry.at_seconds for entry in entries]
        self.word_space.window.count([columns for columns, _ in stems])
        self.gram_space.window.count([columns for columns, _ in grams])
        self._counted = np.concatenate([self._counted, np.ones(len(entries), dtype=bool)])
        first = self.count
        weighed = [(columns, weights) for (columns, _), weights in zip(stems, self.word_space.weigh(stems), strict=True)]
        letters = (
            (columns, weights) for some in _parts(grams) for (columns, _), weights in zip(some, self.gram_space.weigh(some), strict=True)
        )
        self.measure.named = self.word_space.named
        self.measure.add(weighed, letters, times, feeds, [_frame_number(entry) for entry in entries])
        self.entries.extend(entries)
        self.roster.grow(len(entries))
        return range(first, self.count)

    def retire(self, before: float) -> list[int]:
        """Items published before that moment are compared no more. Returns their stories, one for each item."""
        old = self.times < before
        self._uncount(np.flatnonzero(old & self._counted))
        leaving = np.flatnonzero(old & (self.stories != NOBODY))
        gone = self.stories[leaving]
        for story in np.unique(gone).tolist():
            self.roster.put(leaving[gone == story], story=NOBODY)
        if int(old.sum()) > max(256, self.count // 4):
            self._compact(np.flatnonzero(~old))
        return [int(story) for story in gone]

    def _uncount(self, rows: Numbers) -> None:
        """The window leaves these rows behind. Their columns are not held a second time for that: it was a fifth of the shelf."""
        for space, vectors in ((self.word_space, self.measure.words), (self.gram_space, self.measure.grams)):
            space.window.forget([vectors.row(row)[0] for row in rows.tolist()])
        self._counted[rows] = False

    def _compact(self, kept: Numbers) -> None:
        self.measure.keep(kept, len(self.word_space.stems))
        self.measure.words.renumber(self.word_space.forget_unused(self.measure.words.used()))
        self.measure.named = self.word_space.named
        self._index.forget()
        self.numbering += 1
        self._counted = self._counted[kept]
        self.entries = [self.entries[row] for row in kept.tolist()]
        self.roster.keep(kept)

    # --- likeness -----------------------------------------------------------------------------------------------------

    def neighbours(self, rows: range) -> list[Neighbours]:
        """For each row of a batch (the last rows of the shelf) the earlier rows that are like it, of any story.

        Earlier rows of the batch are among them although they have no story yet: they will when this row's turn comes.
        """
        near = self.measure.near(rows, self._near_in_words(rows))
        return [Neighbours(others, likeness) for others, likeness in near]

    def _near_in_words(self, rows: range) -> list[Numbers]:
        """For each row of a batch the earlier rows, near in time, whose story has some member that is promising in words.

        By story, and by row within it; last those of the batch itself.
        """
        found = []
        for promising in self._promising(rows):
            old = int(np.searchsorted(promising, rows.start))
            stories = set(self.stories[promising[:old]].tolist()) - {NOBODY}
            found.append(np.concatenate([*self.roster.members(sorted(stories)), promising[old:]]))
        return self._within_window(rows, found)

    def _promising(self, rows: range) -> list[Numbers]:
        """For each row of a batch the earlier rows, near in time, that are promising in words themselves."""
        pairs = self._index.above(self.measure.words, rows, len(self.word_space.stems), self.measure.like.promising)
        return self._within_window(rows, [near[: np.searchsorted(near, row)] for row, near in zip(rows, pairs, strict=True)])

    def _within_window(self, rows: range, others: Sequence[Numbers]) -> list[Numbers]:
        """Of the others of each row those that are near in time."""
        flat, counts = np.concatenate(others), [len(each) for each in others]
        near = np.abs(self.times[flat] - np.repeat(self.times[rows.start : rows.stop], counts)) <= self.measure.like.window_seconds
        if near.all():
            return list(others)
        ends = np.concatenate([[0], np.cumsum(near)])[np.cumsum(counts)]
        return np.split(flat[near], ends[:-1])

    def cross(self, some: Numbers, others: Numbers) -> Floats:
        """Likeness of each of `some` rows to each of `others` (Measure.cross)."""
        return self.measure.cross(some, others)

    def shared(self, row: int, other: int, most: int | None = None) -> list[tuple[str, float]]:
        """Stems that two rows have in common and their shares of the word cosine, largest first, at most so many."""
        columns, parts = self.measure.parts(row, other)
        order = np.argsort(-parts, kind="stable")[:most]
        whole = float(parts.sum()) or 1.0
        return [
            (self.word_space.stems[column], part / whole)
            for column, part in zip(columns[order].tolist(), parts[order].tolist(), strict=True)
        ]


_AT_ONCE = 500
"""Items whose n-grams are taken together: a restart hands over the whole window, and working on all of it at once took a gigabyte."""


def _parts(rows: Sequence[T]) -> list[Sequence[T]]:
    return [rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE)]


def _frame_number(entry: Entry) -> int:
    """Equal for two headlines of one series; 0 for a headline that is hardly one."""
    said = frame(entry.words.title)
    return crc32(said.encode()) + 1 if said else 0
