"""EDGE: what the C library does with the memory of a process that runs for weeks. GNU's only; others need nothing and get nothing."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
_LARGE_BYTES = 1 << 20
_ARENAS = 2


def keep_memory_together() -> None:
    """Large blocks stand by themselves and go back when they are freed; threads that come and go share two arenas (mallopt(3)).

    By itself the library raises the limit of what is large to the largest block it ever freed, up to 32 MB: from then on the
    engine's tables lie among small blocks, and holes that nothing fits are left where they were.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
        library.mallopt(_ARENA_MAX, _ARENAS)


def give_memory_back() -> None:
    """Collect what rounds left in cycles, and hand freed memory to the system, which the library else keeps (malloc_trim(3))."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
