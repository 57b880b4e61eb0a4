"""EDGE: messages with their length in front over pipes, and limits of the process itself: what worker processes share."""

from __future__ import annotations

import contextlib
import resource
import struct
from typing import BinaryIO

from aggregator.documents import ParsedFeed, Reading, ReadItems

LENGTH = struct.Struct(">Q")
ORDER, REPLY = struct.Struct(">cQ"), struct.Struct(">q")
"""To parse_nursery.py and from it: what to do with which process, and what it ended with."""
START, END = b"+", b"-"
Question = tuple[bytes, dict[str, str], str, Reading | None]
"""To parse_worker.py: body, headers, url, and what normalise needs when items are wanted."""
Answer = tuple[str, str, ParsedFeed | None, ReadItems | None]
"""From it; see there. They stand here so that the asking process need not load what parses."""


def limit(kind: int, value: int) -> None:
    """Set a limit of this process (resource.RLIMIT_…). Only the soft one: it can be raised again for the next document."""
    # some systems refuse; the deadline by the clock remains
    with contextlib.suppress(ValueError, OSError):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def read_message(stream: BinaryIO) -> bytes | None:
    """None when the stream has ended."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    return stream.read(LENGTH.unpack(head)[0])


def write_message(stream: BinaryIO, message: bytes) -> None:
    stream.write(LENGTH.pack(len(message)) + message)  # at once: whoever waits is woken by the first that comes
    stream.flush()
