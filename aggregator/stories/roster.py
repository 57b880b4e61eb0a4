"""Which story each row of a shelf is in, and which rows each story has, without a look at the others. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
NOBODY = -1
"""The story of a row that is nobody's candidate (any more)."""
_NONE: Numbers = np.zeros(0, dtype=np.int64)


class Roster:
    """Stories of rows numbered from 0 on; both ways around say the same."""

    def __init__(self) -> None:
        self.count = 0
        self._stories: Numbers = np.full(1024, NOBODY, dtype=np.int64)
        self._rows: dict[int, Numbers] = {}

    @property
    def stories(self) -> Numbers:
        """Story id of each row, NOBODY where there is none. To be read; `put` writes."""
        return self._stories[: self.count]

    def rows_of(self, story: int) -> Numbers:
        """The story's rows, ascending. To be read."""
        return self._rows.get(story, _NONE)

    def members(self, stories: Iterable[int]) -> list[Numbers]:
        """The rows of each of some stories, which all have some."""
        return list(map(self._rows.__getitem__, stories))

    def sizes(self, stories: Iterable[int]) -> list[int]:
        """How many rows each of some stories has, which all have some."""
        return list(map(len, self.members(stories)))

    def grow(self, rows: int) -> None:
        """So many more rows, with nobody's story."""
        self.count += rows
        if self.count > len(self._stories):
            more = max(self.count, 2 * len(self._stories)) - len(self._stories)
            self._stories = np.concatenate([self._stories, np.full(more, NOBODY, dtype=np.int64)])

    def put(self, rows: Numbers, story: int) -> None:
        """Rows of no story, or of one other story, go to this one; to NOBODY, and they are out of all."""
        if not len(rows):
            return
        before = int(self._stories[rows[0]])
        if before != NOBODY:
            held = self._rows.pop(before)
            if len(rows) < len(held):
                self._rows[before] = held[~np.isin(held, rows)]
        self._stories[rows] = story
        if story != NOBODY:
            self._rows[story] = np.sort(np.concatenate([self.rows_of(story), rows]))

    def place(self, row: int, story: int) -> None:
        """A new row, higher than all of the story's others, goes to a story: `put` for the commonest case."""
        held = self._rows.get(story)
        self._stories[row] = story
        self._rows[story] = np.array([row]) if held is None else np.append(held, row)

    def keep(self, rows: Numbers) -> None:
        """Only these rows stay, and are numbered from 0 in this order."""
        kept = self._stories[rows]
        self._stories = np.full(max(1024, 2 * len(rows)), NOBODY, dtype=np.int64)
        self._stories[: len(rows)] = kept
        self.count = len(rows)
        order = np.argsort(kept, kind="stable")
        order = order[kept[order] != NOBODY]
        starts = np.flatnonzero(np.diff(kept[order], prepend=NOBODY))
        parts = np.split(order, starts[1:]) if len(order) else []
        self._rows = dict(zip(kept[order][starts].tolist(), parts, strict=True))
