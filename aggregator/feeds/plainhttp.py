"""The plainest requests and answers of HTTP/1.1, and whether one is so plain. Pure.

What is read or written here comes out as h11 would read or write it, at a tenth of the time; in any doubt the answer is None, and h11
is to be asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_Headers = Sequence[tuple[bytes, bytes]]

# names that say nothing of how a message ends; the value neither begins nor ends with white space
_REQUEST = re.compile(
    rb"GET [!-~]+ HTTP/1\.1\r\nhost: [!-~]+\r\n"
    rb"(?:(?:accept|accept-encoding|user-agent|if-none-match|if-modified-since|authorization): "
    rb"[!-~\x80-\xff](?:[ -~\x80-\xff]*[!-~\x80-\xff])?\r\n)*"
)
_NOT_MODIFIED = re.compile(
    rb"HTTP/1\.1 304 ([\t -~\x80-\xff]*)\r\n((?:[-!#$%&'*+.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*\r\n)+)\r\n",
)
_FRAMING = (b"content-length", b"transfer-encoding")


class NotModified(NamedTuple):
    """A 304, which has no body; names as they came."""

    reason: bytes
    headers: list[tuple[bytes, bytes]]


def request_head(method: bytes, target: bytes, headers: _Headers) -> bytes | None:
    """A request without a body, as it goes over the wire; None unless it is a GET with usual headers, `host` first."""
    lines = b"".join([b"%s: %s\r\n" % pair for pair in headers])
    head = b"%s %s HTTP/1.1\r\n%s" % (method, target, lines)
    if _REQUEST.fullmatch(head) is None or head.count(b"\n") != len(headers) + 1:
        return None
    return head + b"\r\n"


def read_not_modified(data: bytes) -> NotModified | None:
    """The 304 that `data` is, no more and no less, after which the connection stays open; None for anything else."""
    match = _NOT_MODIFIED.fullmatch(data)
    if match is None:
        return None
    headers = []
    for line in match[2].split(b"\r\n")[:-1]:
        name, _, value = line.partition(b":")
        value = value.strip(b" \t")
        known = name.lower()
        if known in _FRAMING or (known == b"connection" and value.lower() != b"keep-alive"):
            return None
        headers.append((name, value))
    return NotModified(match[1], headers)
