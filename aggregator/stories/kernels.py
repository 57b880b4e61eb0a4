"""Inner loops over sparse rows and lists: scipy's own C routines, called without scipy's operators around them. Pure.

An operator checks and converts what it is given, 20 to 80 microseconds each time; an item takes dozens of these products, each of a
few thousand numbers. The routines check nothing: places must lie within the arrays and all be int32, values float32.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]


@cache
def _routines() -> Any:
    from scipy.sparse import _sparsetools  # not when the program starts: most commands group nothing

    return _sparsetools


def take_rows(ends: Ints, columns: Ints, values: Floats, rows: Ints, into: tuple[Ints, Floats]) -> None:
    """Write columns and values of some rows end to end; row r lies from ends[r] to ends[r + 1]."""
    _routines().csr_row_index(len(rows), rows, ends, columns, values, *into)


def multiply(ends: Ints, columns: Ints, values: Floats, dense: Floats) -> Floats:
    """Product of each row with a dense vector."""
    out = np.zeros(len(ends) - 1, dtype=np.float32)
    _routines().csr_matvec(len(out), len(dense), ends, columns, values, dense, out)
    return out


def multiply_many(ends: Ints, columns: Ints, values: Floats, dense: Floats) -> Floats:
    """Products of each row with several dense vectors, the columns of `dense`; a row of them for each row."""
    width, vectors = dense.shape
    out = np.zeros((len(ends) - 1, vectors), dtype=np.float32)
    if out.size:
        _routines().csr_matvecs(len(out), width, vectors, ends, columns, values, dense.ravel(), out.ravel())
    return out


def add_lists(ends: Ints, places: Ints, values: Floats, lists: Ints, weights: Floats, out: Floats) -> None:
    """Add each list's values times its weight to `out` at the list's places; list t lies from ends[t] to ends[t + 1]."""
    joined = np.zeros(len(lists) + 1, dtype=np.int32)
    (ends[1:].take(lists) - ends.take(lists)).cumsum(out=joined[1:])
    room = np.empty(int(joined[-1]), dtype=np.int32), np.empty(int(joined[-1]), dtype=np.float32)
    # to join the lists takes a third as long as a call for each
    take_rows(ends, places, values, lists, room)
    _routines().csc_matvec(len(out), len(lists), joined, *room, weights, out)
