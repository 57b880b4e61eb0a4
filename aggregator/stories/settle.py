"""Puts the topics of a day into shape: sides of one saga become one topic, several sagas under one name come apart. Pure.

Both look at stories as words and as their projection. A saga that grew for weeks has sides (a front, an aid bill) whose stories
resemble each other on average too little for average linkage, while the centres of the sides are nearly the same; a person in
the news ties together what is several sagas, and their stories fall into parts that hang together better than the whole.

Measured on 26-27 December 2023: of the ten pairs of topics with the nearest centres nine were one saga, of the next ten seven.
Topics that the labels hold for one had a cohesion (see `pieces`) of .83 and more, several under one name .63 to .75. What has only
a word in common is no saga: "Russia" held four (dissent, sanctions, India, the war), with 2,283 false pairs and 255 right ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aggregator.stories.linkage import average_linkage, pair_similarity
from aggregator.stories.sagas import Floats, scale_rows
from aggregator.stories.split import Flags, Matrix, bisect, hangs_together, within

_GONE = -2.0
"""The nearness of a topic that became part of another: below any cosine."""
LEAST_PART = 3
"""Stories that a saga has when it comes out of another."""


@dataclass(frozen=True, slots=True)
class Shape:
    """`side`: nearness of two centres (cosine in words plus cosine in the projection) from which they are sides of one saga; at
    1.15 crimes of different places became one. `side_words`: the same in words alone, for a late group and where there is no
    projection; read through on one replayed day, 25 of the 28 pairs above it belonged together. `one`: cohesion up to which a
    topic is several sagas. `least`: stories below which a topic is not taken apart. `breadth`: below it a topic rests on a word or
    two (`breadth`), and its stories are linked again without the units that make up `leading` or more of what they share, at an
    average cosine of `linked` in words; above .32 the war in Ukraine (.38) would come apart, Russia (.31) and Trump (.28) do."""

    side: float = 1.2
    side_words: float = 0.48
    one: float = 0.75
    least: int = 8
    breadth: float = 0.32
    leading: float = 0.3
    linked: float = 0.12


def settle(groups: Mapping[int, list[int]], words: Any, soft: Floats, shape: Shape) -> tuple[dict[int, list[int]], list[list[int]]]:
    """Rows of stories by saga, and the groups that are under none.

    `groups`: rows by topic, a saga's under its id, the others under numbers below 0. Of a saga that comes apart the largest piece
    keeps the id, of two sagas that are one the larger. A row that is in none of what is returned hangs together with no other.
    """
    joined = {key: [key] for key in groups}
    for gone, kept in sides(groups, words, soft, shape.side if soft.shape[1] else shape.side_words):
        joined[kept] += joined.pop(gone)
    of_saga: dict[int, list[int]] = {}
    left: list[list[int]] = []
    for keys in joined.values():
        rows = np.array([row for key in keys for row in groups[key]])
        found = [rows[piece].tolist() for piece in _taken_apart(words[rows], soft[rows], shape)]
        sagas = [key for key in keys if key >= 0]
        if sagas and found:
            of_saga[max(sagas, key=lambda key: (len(groups[key]), -key))] = found.pop(0)
        left += found
    return of_saga, left


def _taken_apart(words: Any, soft: Floats, shape: Shape) -> list[list[int]]:
    """The sagas in one topic, as places of its stories, the largest first."""
    if words.shape[0] < shape.least or breadth(words) >= shape.breadth:
        return pieces(words, soft, shape.one, shape.least)
    others = scale_rows(words.multiply(_parts(words) < shape.leading).tocsr())
    found = []
    for group in average_linkage(others, soft[:, :0], shape.linked):
        found += [[group[place] for place in piece] for piece in pieces(words[group], soft[group], shape.one, shape.least)]
    return sorted(found, key=lambda piece: (-len(piece), piece))


def breadth(words: Any) -> float:
    """The average cosine of words between stories, times how many units it rests on: (sum of their parts)^2 / sum of squares."""
    parts = _parts(words)
    stories = words.shape[0]
    whole = float(np.square(words.sum(axis=0)).sum()) - stories
    return float(whole / (stories * (stories - 1)) / max(float(parts @ parts), 1e-9))


def _parts(words: Any) -> Matrix:
    """What each unit makes up of all the cosines between stories (rows of length 1), 1 together."""
    shared: Matrix = (
        np.square(np.asarray(words.sum(axis=0), dtype=np.float64).ravel()) - np.asarray(words.multiply(words).sum(axis=0)).ravel()
    )
    shared = np.maximum(shared, 0)
    return shared / max(float(shared.sum()), 1e-9)


def sides(groups: Mapping[int, Sequence[int]], words: Any, soft: Floats, least: float) -> list[tuple[int, int]]:
    """Which topics are sides of one: (gone, kept) in the order in which they join, the nearest first.

    `groups`: rows of stories by topic. Two join when the cosine of their centres in words plus that in the projection is `least`
    or more (0 to 2); the larger is kept, of two alike the one with the smaller number. What grew is compared anew.
    """
    ids = sorted(groups)
    if len(ids) < 2:
        return []
    sizes = np.array([len(groups[topic]) for topic in ids])
    products = [_products(groups, ids, words), _products(groups, ids, soft)]
    near = np.asarray(sum(_cosines(product, slice(None)) for product in products))
    np.fill_diagonal(near, _GONE)
    there = np.ones(len(ids), dtype=bool)
    joins: list[tuple[int, int]] = []
    while True:
        one, other = sorted(int(place) for place in np.unravel_index(int(near.argmax()), near.shape))
        if near[one, other] < least:
            return joins
        kept, gone = (one, other) if sizes[one] >= sizes[other] else (other, one)
        joins.append((ids[gone], ids[kept]))
        sizes[kept] += sizes[gone]
        for product in products:  # the centres' sum has the sum of their products
            product[kept] += product[gone]
            product[:, kept] += product[:, gone]
        there[[kept, gone]] = False
        near[gone] = near[:, gone] = _GONE
        line = np.asarray(sum(_cosines(product, slice(kept, kept + 1)) for product in products))[0]
        near[kept] = near[:, kept] = np.where(there, line, _GONE)
        there[kept] = True


def _products(groups: Mapping[int, Sequence[int]], ids: Sequence[int], rows: Any) -> Matrix:
    """Of each two groups the product of the sums of their rows."""
    from scipy.sparse import csr_matrix

    members = [row for topic in ids for row in groups[topic]]
    owner = np.repeat(np.arange(len(ids)), [len(groups[topic]) for topic in ids])
    of_group = csr_matrix((np.ones(len(members)), (owner, members)), shape=(len(ids), rows.shape[0]))
    sums = of_group @ rows
    product = sums @ sums.T
    return np.asarray(product.toarray() if hasattr(product, "toarray") else product, dtype=np.float64)


def _cosines(product: Matrix, which: slice) -> Matrix:
    """Of some groups to all, from their products; 0 where there is nothing."""
    squares = product.diagonal()
    found: Matrix = product[which] / np.sqrt(np.maximum(np.outer(squares[which], squares), 1e-12))
    return found


def pieces(words: Any, soft: Floats, ratio: float, least: int) -> list[list[int]]:
    """The sagas in one topic, as places of its stories, the largest first; one when it hangs together or has fewer than `least`.

    Cohesion is the mean similarity across the best cut as a share of the (geometric) mean within its parts. Above `ratio` a
    topic is one; else each part is looked at in turn.
    """
    whole = list(range(words.shape[0]))
    second = _cut(words, soft, ratio) if len(whole) >= least else None
    if second is None:
        return [whole]
    found = []
    for part in (np.flatnonzero(~second), np.flatnonzero(second)):
        found += [part[piece].tolist() for piece in pieces(words[part], soft[part], ratio, least)]
    return sorted(found, key=lambda piece: (-len(piece), piece))


def _cut(words: Any, soft: Floats, ratio: float) -> Flags | None:
    near = np.maximum(pair_similarity(words, soft, words, soft), 0).astype(np.float64)
    second = bisect(near)
    if min(int(second.sum()), int((~second).sum())) < LEAST_PART:
        return None
    means = within(near[np.ix_(~second, ~second)]), within(near[np.ix_(second, second)])
    return second if hangs_together(float(near[np.ix_(~second, second)].mean()), *means) <= ratio else None
