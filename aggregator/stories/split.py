"""Finds two events in what was taken for one story: sagas fuse when their coverage mixes them for a day. Pure.

    likeness of all pairs, capped, damped by time | leading eigenvector of the modularity matrix | flips | mean across / means within

Measured on 26-27 December 2023: of the cuts with a ratio up to .6 three pairs out of four are rightly cut; pairwise F1 .81 -> .83 in
English, precision .74 -> .88 in Polish at no loss of B-cubed F1. Above .68 good stories begin to fall apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SplitParams:
    """`ratio`: cut when the mean likeness across is at most this part of the (geometric) mean likeness within the two parts;
    two stories are merged only above `ratio` + `margin`, so that nothing is cut and merged in turn. `least` members a story
    needs to be looked at, `part` members each part needs. `cap`: likeness counts no more than this, or a few copies of one
    wire text would look like an event of their own. `fade`: share of the likeness that a whole window of time takes away.
    `growth`: a story is looked at again when it has grown by that share. `gain`: how much better a member must fit the other
    part to change sides.
    """

    ratio: float = 0.5
    margin: float = 0.05
    least: int = 8
    part: int = 3
    cap: float = 0.6
    fade: float = 0.8
    growth: float = 0.03
    gain: float = 0.0


def damped(likeness: Matrix, times: Matrix, other_times: Matrix, window_seconds: float, params: SplitParams) -> Matrix:
    """Likeness as cohesion counts it: capped, and the less the further apart two items were published."""
    apart = np.abs(times[:, None] - other_times[None, :]) / window_seconds
    faded: Matrix = np.minimum(likeness, params.cap) * (1 - params.fade * np.minimum(apart, 1))
    return faded


def find_cut(cohesion: Matrix, params: SplitParams) -> Flags | None:
    """Which members belong to the second event; None when the story holds together. `cohesion` is symmetric."""
    if len(cohesion) < params.least:
        return None
    part = bisect(cohesion)
    if min(int(part.sum()), int((~part).sum())) < params.part:
        return None
    across = float(cohesion[np.ix_(part, ~part)].mean())
    means = within(cohesion[np.ix_(part, part)]), within(cohesion[np.ix_(~part, ~part)])
    return part if hangs_together(across, *means) <= params.ratio else None


def hangs_together(across: float, one: float, other: float) -> float:
    """Mean likeness across as part of the geometric mean of the means within: 1 when two parts are one."""
    return across / float(np.sqrt(max(one, 0.01) * max(other, 0.01)))


def within(cohesion: Matrix) -> float:
    """Mean over the pairs of different members."""
    n = len(cohesion)
    return float((cohesion.sum() - np.trace(cohesion)) / (n * (n - 1))) if n > 1 else 0.0


def bisect(cohesion: Matrix) -> Flags:
    """Two groups by modularity (Newman 2006): signs of the leading eigenvector, then single flips while they help."""
    links = cohesion.copy()
    np.fill_diagonal(links, 0)
    degrees = links.sum(axis=1)
    excess = links - np.outer(degrees, degrees) / max(float(degrees.sum()), 1e-9)
    side = np.where(_leading_vector(excess) > 0, 1.0, -1.0)
    for _ in range(len(side)):
        gain = -2 * side * (excess @ side - np.diag(excess) * side)
        best = int(np.argmax(gain))
        if gain[best] <= 1e-9:
            break
        side[best] = -side[best]
    # an eigenvector's sign is arbitrary: the first member is always on the first side
    return side != side[0] if len(side) else np.zeros(0, dtype=bool)


def _leading_vector(symmetric: Matrix) -> Matrix:
    from scipy.linalg import eigh
    from scipy.sparse.linalg import eigsh

    n = len(symmetric)
    if n <= 64:
        # one vector of the spectrum costs a tenth of all of it
        vector: Matrix = eigh(symmetric, subset_by_index=[n - 1, n - 1], check_finite=False)[1][:, 0]
    else:
        # a fixed start makes the result the same every time; all ones would be no start, the matrix maps them to zero
        vector = eigsh(symmetric, k=1, which="LA", v0=symmetric[0], tol=1e-4)[1][:, 0]
    return vector


def redraw(likeness: Matrix, side: Flags, params: SplitParams) -> Flags:
    """Draw the line between two parts again: who fits the other part better, by the mean likeness to its members (its
    nearest may itself be on the wrong side), goes over, one at a time and the clearest first; no part falls below `part` members.

    An item from the day on which the second event began is often cut off on the wrong side: later items show where it belongs.
    """
    side, links = side.copy(), likeness.copy()
    np.fill_diagonal(links, 0)
    for _ in range(len(side)):
        fits = np.stack([_fit(links, ~side), _fit(links, side)])
        gain = np.where(side, fits[0] - fits[1], fits[1] - fits[0])
        small = [int((side == part).sum()) <= params.part for part in (False, True)]
        gain[(side & small[1]) | (~side & small[0])] = 0
        best = int(np.argmax(gain))
        if gain[best] <= params.gain:
            break
        side[best] = not side[best]
    return side


def _fit(links: Matrix, part: Flags) -> Matrix:
    """Each member's fit to a part, itself left out."""
    others = np.maximum(int(part.sum()) - part, 1)
    inside = links[:, part]
    fit: Matrix = inside.sum(axis=1) / others
    return fit
