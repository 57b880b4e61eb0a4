"""The active items of one language as rows of vectors, and which of them are like a new one. Pure.

word cosine > 0.04, some member of the story >= 0.15 | half words, half characters | x shared evidence x time x same feed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from aggregator.stories.frequencies import FrequencyTable
from aggregator.stories.postings import WordIndex
from aggregator.stories.roster import NOBODY, Numbers, Roster
from aggregator.stories.state import Entry, Likenesses
from aggregator.stories.text import frame
from aggregator.stories.vectorise import Floats, GramSpace, GramWeights, Rows, WordSpace, WordWeights, row_sums

T = TypeVar("T")


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
class Neighbours:
    """Rows of the shelf that are like an item, and how much (0 to 1)."""

    rows: Numbers
    likeness: Floats


class Shelf:
    """Rows of the active items of one language: vectors, feed, story, time. Dead rows go when a quarter of them are dead."""

    def __init__(self, table: FrequencyTable | None, likeness: Likeness) -> None:
        self.like = likeness
        self.word_space = WordSpace(table, likeness.words)
        self.gram_space = GramSpace(likeness.grams)
        self.words = Rows()
        self.grams = Rows()
        self._index = WordIndex()
        self.entries: list[Entry] = []
        self.roster = Roster()
        self._feeds = np.zeros(1024, dtype=np.int64)
        self._frames = np.zeros(1024, dtype=np.int64)
        self._times = np.zeros(1024, dtype=np.float64)
        self._stems = np.zeros(4096, dtype=np.float32)
        self._letters = np.zeros(likeness.grams.columns, dtype=np.float32)

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
        return self._times[: self.count]

    def rows_of(self, story: int) -> Numbers:
        return self.roster.rows_of(story)

    # --- rows come and go ---------------------------------------------------------------------------------------------

    def add(self, entries: Sequence[Entry], feeds: Sequence[int]) -> range:
        """Count a batch, then weigh it with itself counted, then append it. Returns its rows; they have no story yet."""
        words = [entry.words for entry in entries]
        stems = [self.word_space.columns(item) for item in words]
        grams = [row for part in _parts(words) for row in self.gram_space.columns(part)]
        times = [entry.at_seconds for entry in entries]
        self.word_space.window.count(times, [columns for columns, _ in stems])
        self.gram_space.window.count(times, [columns for columns, _ in grams])
        first = self.count
        self._make_room(first + len(entries))
        self._feeds[first : first + len(entries)] = feeds
        self._times[first : first + len(entries)] = times
        self._frames[first : first + len(entries)] = [_frame_number(entry) for entry in entries]
        for (columns, _), weights in zip(stems, self.word_space.weigh(stems), strict=True):
            self.words.append(columns, weights)
        for some in _parts(grams):
            for (columns, _), weights in zip(some, self.gram_space.weigh(some), strict=True):
                self.grams.append(columns, weights)
        self.entries.extend(entries)
        self.roster.grow(len(entries))
        return range(first, self.count)

    def _make_room(self, rows: int) -> None:
        if rows > len(self._feeds):
            more = max(rows, 2 * len(self._feeds)) - len(self._feeds)
            self._feeds = np.concatenate([self._feeds, np.zeros(more, dtype=np.int64)])
            self._frames = np.concatenate([self._frames, np.zeros(more, dtype=np.int64)])
            self._times = np.concatenate([self._times, np.zeros(more, dtype=np.float64)])

    def retire(self, before: float) -> list[int]:
        """Items published before that moment are compared no more. Returns their stories, one for each item."""
        self.word_space.window.forget(before)
        self.gram_space.window.forget(before)
        old = self._times[: self.count] < before
        leaving = np.flatnonzero(old & (self.stories != NOBODY))
        gone = self.stories[leaving]
        for story in np.unique(gone).tolist():
            self.roster.put(leaving[gone == story], story=NOBODY)
        if int(old.sum()) > max(256, self.count // 4):
            self._compact(np.flatnonzero(~old))
        return [int(story) for story in gone]

    def _compact(self, kept: Numbers) -> None:
        self.words.keep(kept, len(self.word_space.stems))
        self.words.renumber(self.word_space.forget_unused(self.words.used()))
        self._index.forget()
        self.grams.keep(kept, self.like.grams.columns)
        self.entries = [self.entries[row] for row in kept.tolist()]
        self.roster.keep(kept)
        room = max(1024, 2 * len(kept))
        for name in ("_feeds", "_frames", "_times"):
            old = getattr(self, name)
            new = np.zeros(room, dtype=old.dtype)
            new[: len(kept)] = old[kept]
            setattr(self, name, new)

    # --- likeness -----------------------------------------------------------------------------------------------------

    def neighbours(self, rows: range) -> list[Neighbours]:
        """For each row of a batch (the last rows of the shelf) the earlier rows that are like it, of any story.

        Earlier rows of the batch are among them although they have no story yet: they will when this row's turn comes.
        """
        found = []
        for row, near in zip(rows, self._near_in_words(rows), strict=True):
            shared = self._shared_words(row, near)
            kept = shared.cosine > self.like.candidate
            near, shared = near[kept], _SharedWords(shared.cosine[kept], shared.number[kept])
            found.append(Neighbours(near, self._mixed(row, near, shared)))
        return found

    def _near_in_words(self, rows: range) -> list[Numbers]:
        """For each row of a batch the earlier rows, near in time, whose story has some member that is promising in words."""
        found, reached = self._promising(rows)
        stories = self.stories
        # one pass over the shelf for the whole batch: the members of all stories that any row reached
        members = np.flatnonzero(np.isin(stories, np.unique(np.concatenate([*reached, [NOBODY]]))) & (stories != NOBODY))
        of_member = stories[members]
        near = []
        for row, direct, ids in zip(rows, found, reached, strict=True):
            kept = np.concatenate([members[np.isin(of_member, ids)], direct[direct >= rows.start]]) if len(ids) else direct
            near.append(kept[np.abs(self._times[kept] - self._times[row]) <= self.like.window_seconds])
        return near

    def _promising(self, rows: range) -> tuple[list[Numbers], list[Numbers]]:
        """For each row of a batch the promising rows of the batch before it, and the stories that have a promising member."""
        pairs = self._index.above(self.words, rows, len(self.word_space.stems), self.like.promising)
        direct, reached = [], []
        for row, near in zip(rows, pairs, strict=True):
            near = near[np.abs(self._times[near] - self._times[row]) <= self.like.window_seconds]
            direct.append(near[(near >= rows.start) & (near < row)])
            ids = np.unique(self.stories[near[near < rows.start]])
            reached.append(ids[ids != NOBODY])
        return direct, reached

    def _mixed(self, row: int, near: Numbers, shared: _SharedWords) -> Floats:
        if not len(near):
            return shared.cosine
        columns, values = self.grams.row(row)
        # a dense row to look up in: a sparse product of so few rows costs four times as much in checks
        self._letters[columns] = values
        by_letters = self.grams.products(near, self._letters)
        self._letters[columns] = 0
        share = np.float32(self.like.characters)
        likeness: Floats = (1 - share) * shared.cosine + share * by_letters
        for factor in self._factors(row, near, shared.number):
            likeness *= factor
        return likeness

    def _factors(self, row: int, near: Numbers, shared_words: Floats) -> tuple[Floats, Floats, Floats]:
        """What a likeness counts for: by the evidence behind it, by time, by feed."""
        like = self.like
        evidence = np.minimum(like.lone_word + like.each_word * shared_words, 1).astype(np.float32)
        apart = np.abs(self._times[near] - self._times[row])
        time = (1 - like.fade * np.minimum(apart / like.window_seconds, 1)).astype(np.float32)
        same = self._feeds[near] == self._feeds[row]
        feed = np.where(same, like.same_feed, 1.0).astype(np.float32)
        if self._frames[row]:
            feed[same & (self._frames[near] == self._frames[row]) & (apart >= like.series_seconds)] = 0
        return evidence, time, feed

    def factors(self, row: int, other: int) -> tuple[float, float, float]:
        """What the likeness of two rows is multiplied by: for the number of shared words, for time, for the feed."""
        near = np.array([other])
        evidence, time, feed = self._factors(row, near, self._shared_words(row, near).number)
        return float(evidence[0]), float(time[0]), float(feed[0])

    def cross(self, some: Numbers, others: Numbers) -> Floats:
        """Likeness of each of `some` rows to each of `others`, as a matrix; 0 where the words have next to nothing in common."""
        if len(some) > len(others):
            return self.cross(others, some).T
        likeness = np.zeros((len(some), len(others)), dtype=np.float32)
        for i, row in enumerate(some.tolist()):
            shared = self._shared_words(row, others)
            apart = np.abs(self._times[others] - self._times[row]) > self.like.window_seconds
            near = np.flatnonzero((shared.cosine > self.like.candidate) & ~apart)
            likeness[i, near] = self._mixed(row, others[near], _SharedWords(shared.cosine[near], shared.number[near]))
        return likeness

    def _shared_words(self, row: int, others: Numbers) -> _SharedWords:
        """Word cosines of one row to some others and what they rest on, without the checks of a sparse product."""
        if len(self._stems) < len(self.word_space.stems):
            self._stems = np.zeros(2 * len(self.word_space.stems), dtype=np.float32)
        columns, values = self.words.row(row)
        self._stems[columns] = values
        theirs, weights, lengths = self.words.gather(others)
        parts = self._stems[theirs] * weights
        self._stems[columns] = 0
        cosine, squares = row_sums(parts, lengths), row_sums(parts * parts, lengths)
        number = (cosine * cosine / np.maximum(squares, np.float32(1e-12))).astype(np.float32)
        return _SharedWords(cosine, number)

    def among(self, rows: Numbers, known: Likenesses | None = None) -> Likenesses:
        """Likeness of all pairs of some rows, 1 on the diagonal; pairs that `known` holds are not compared again."""
        items = [self.entries[row].item.id for row in rows.tolist()]
        made = Likenesses(tuple(items), np.eye(len(items), dtype=np.float32))
        places = {item: place for place, item in enumerate(known.items)} if known is not None else {}
        old = np.array([i for i, item in enumerate(items) if item in places], dtype=np.int64)
        if known is not None and len(old):
            there = np.array([places[items[i]] for i in old.tolist()])
            made.matrix[np.ix_(old, old)] = known.matrix[np.ix_(there, there)]
        done = old.tolist()
        for i in sorted(set(range(len(items))) - set(done)):
            if done:
                made.matrix[i, done] = made.matrix[done, i] = self.cross(rows[[i]], rows[done])[0]
            done.append(i)
        return made

    def beside(self, one: Likenesses, rows: Numbers, other: Likenesses, others: Numbers, across: Floats) -> Likenesses:
        """What is known of two stories with these members as one, where both are known whole; else the first alone."""
        held = [tuple(self.entries[row].item.id for row in part.tolist()) for part in (rows, others)]
        if held != [one.items, other.items]:
            return one
        return Likenesses(one.items + other.items, np.block([[one.matrix, across], [across.T, other.matrix]]))

    def shared(self, row: int, other: int) -> list[tuple[str, float]]:
        """Stems that two rows have in common and their shares of the word cosine, largest first."""
        (columns, values), (theirs, weights) = self.words.row(row), self.words.row(other)
        mine = dict(zip(columns.tolist(), values.tolist(), strict=True))
        theirs_too = zip(theirs.tolist(), weights.tolist(), strict=True)
        parts = [(mine[column] * weight, column) for column, weight in theirs_too if column in mine]
        whole = sum(part for part, _ in parts) or 1.0
        ordered = sorted((pair for pair in parts if pair[0] > 0), key=lambda pair: (-pair[0], pair[1]))
        return [(self.word_space.stems[column], part / whole) for part, column in ordered]


_AT_ONCE = 500
"""Items whose n-grams are taken together: a restart hands over the whole window, and working on all of it at once took a gigabyte."""


def _parts(rows: Sequence[T]) -> list[Sequence[T]]:
    return [rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE)]


def _frame_number(entry: Entry) -> int:
    """Equal for two headlines of one series; 0 for a headline that is hardly one."""
    said = frame(entry.words.title)
    return crc32(said.encode()) + 1 if said else 0


@dataclass(frozen=True, slots=True)
class _SharedWords:
    """Word cosines, and the effective number of shared words behind each: (sum of the terms' parts)^2 / sum of their squares,
    1 when a single word makes up all of it (Simpson's index, inverted)."""

    cosine: Floats
    number: Floats
