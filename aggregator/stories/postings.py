"""Which rows of the shelf reach a word cosine with a new one, without a look at every row that shares a common word. Pure.

    a row's terms, the most widely held dropped while their part stays small | postings of the others | bound | exact cosine

Exact: a dropped part of length d adds at most d to the cosine of two rows of length 1 (Cauchy and Schwarz), so that a row which
shares less than `least` - d of the other terms cannot reach `least`; those that can are compared in full. It is the prefix filter
of Bayardo, Ma and Srikant (2007), read by postings.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aggregator.stories.vectorise import Rows, row_sums

Numbers = NDArray[np.int64]

_DROPPED = 0.8
"""Part of the asked cosine that may be dropped: the rest is what a candidate must still share."""
_TAIL = 1000
"""Rows that may wait until the postings are made anew; they are compared without them."""


class WordIndex:
    """Postings of all rows but the newest, which are looked through by a product."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """The rows and terms were renumbered: what is known of them is void."""
        self._postings: Any = None
        self._rows = 0
        self._held: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def above(self, words: Rows, rows: range, columns: int, least: float) -> list[Numbers]:
        """For each of `rows` (the last of `words`) all rows whose cosine with it is `least` or more, ascending, itself among them."""
        matrix = words.matrix(columns)
        if rows.start - self._rows > max(_TAIL, self._rows // 8):
            self._make(matrix[: rows.start])
        asked, bounds = self._asked(matrix[rows.start :], least)
        old = asked[:, : len(self._held)] @ self._postings if self._rows else None
        new = (matrix[rows.start :] @ matrix[self._rows :].T).tocsr()
        found = []
        for place, row in enumerate(rows):
            tail = slice(new.indptr[place], new.indptr[place + 1])
            near = np.sort(new.indices[tail][new.data[tail] >= least]).astype(np.int64) + self._rows
            if old is not None:
                part = slice(old.indptr[place], old.indptr[place + 1])
                maybe = np.sort(old.indices[part][old.data[part] >= bounds[place]]).astype(np.int64)
                near = np.concatenate([maybe[_cosines(words, row, maybe, columns) >= least], near])
            found.append(near)
        return found

    def _make(self, matrix: Any) -> None:
        self._postings = matrix.T.tocsr()
        self._rows = matrix.shape[0]
        self._held = np.diff(self._postings.indptr).astype(np.int64)

    def _asked(self, batch: Any, least: float) -> tuple[Any, NDArray[np.float64]]:
        """The rows of a batch without their most widely held terms, and what must be shared of what is left."""
        held = np.zeros(batch.shape[1], dtype=np.int64)
        held[: len(self._held)] = self._held
        kept = batch.copy()
        bounds = np.full(batch.shape[0], least)
        for place in range(batch.shape[0]):
            part = slice(batch.indptr[place], batch.indptr[place + 1])
            order = np.argsort(-held[batch.indices[part]], kind="stable")
            lengths = np.sqrt(np.cumsum(batch.data[part][order].astype(np.float64) ** 2))
            dropped = int(np.searchsorted(lengths, _DROPPED * least))
            kept.data[part.start + order[:dropped]] = 0
            # a little less, for the rounding of sums
            bounds[place] = least - (lengths[dropped - 1] if dropped else 0.0) - 1e-5
        kept.eliminate_zeros()
        return kept, bounds


def _cosines(words: Rows, row: int, others: Numbers, columns: int) -> NDArray[np.float32]:
    dense = np.zeros(columns, dtype=np.float32)
    mine, values = words.row(row)
    dense[mine] = values
    theirs, weights, lengths = words.gather(others)
    return row_sums(dense[theirs] * weights, lengths)
