"""Average linkage of stories by half words, half projection, exact and in pieces small enough for memory. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from aggregator.stories.sagas import Floats

WORDS = 0.5
"""Share of the words in a pair's similarity; the rest is the projection's (.4 to .6 score alike)."""
RELATED_WORDS = 0.65
"""Share of the words in what is related: the first suggestion was right in .74 of cases, with .5 in .67, with .8 in .81 of fewer."""
BLOCK = 256
"""Rows that are compared with all others at once: with 10,000 stories 10 MB a matrix."""


def pair_similarity(words: Any, soft: Floats, other_words: Any, other_soft: Floats, share: float = WORDS) -> Floats:
    """Similarities of rows x other rows: both cosines, blended by `share` of the words; words alone without a projection."""
    near = np.asarray((words @ other_words.T).toarray(), dtype=np.float32)
    if soft.shape[1]:
        near *= share
        projected = soft @ other_soft.T
        projected *= 1 - share
        near += projected
    return near


def average_linkage(words: Any, soft: Floats, cut: float) -> list[list[int]]:
    """Groups of two or more rows whose average similarity is `cut` or more, as UPGMA merges them.

    Rows that no chain of pairs at `cut` connects can never merge, so that each connected part is linked by itself: the same
    result as on the whole, without its quadratic memory.
    """
    groups: list[list[int]] = []
    for part in _parts(words, soft, cut):
        groups.extend([part[k] for k in group] for group in _link(words[part], soft[part], cut))
    return groups


def _parts(words: Any, soft: Floats, cut: float) -> list[list[int]]:
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    size = words.shape[0]
    if not size:
        return []
    rows: list[Any] = []
    columns: list[Any] = []
    for start in range(0, size, BLOCK):
        near = pair_similarity(words[start : start + BLOCK], soft[start : start + BLOCK], words, soft)
        row, column = np.nonzero(near >= cut)
        rows.append(row + start)
        columns.append(column)
    row, column = np.concatenate(rows), np.concatenate(columns)
    _, labels = connected_components(csr_matrix((np.ones(len(row), dtype=np.int8), (row, column)), shape=(size, size)), directed=False)
    return [part for part in _by_label(labels) if len(part) > 1]


def _link(words: Any, soft: Floats, cut: float) -> list[list[int]]:
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    # in place: a part may hold thousands of stories
    far = pair_similarity(words, soft, words, soft)
    far = far + far.T
    far *= -0.5
    far += 1
    np.clip(far, 0, None, out=far)
    np.fill_diagonal(far, 0)
    condensed = squareform(far, checks=False)
    del far
    labels = fcluster(linkage(condensed, "average"), 1 - cut, "distance")
    return [group for group in _by_label(labels) if len(group) > 1]


def _by_label(labels: Sequence[int]) -> list[list[int]]:
    parts: dict[int, list[int]] = {}
    for row, label in enumerate(labels):
        parts.setdefault(int(label), []).append(row)
    return list(parts.values())
