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
    add = _routines().csc_matvec
    for place, number in enumerate(lists.tolist()):
        add(len(out), 1, ends[number : number + 2], places, values, weights[place : place + 1], out)
