"""EDGE: the loop of the process that finds the text of web pages. Reads pages from standard input, answers with plain text.

A question is (body, content type, url), an answer ("text", the text) or ("crash", what); both in MessagePack with the length (8 bytes,
big-endian) in front. Once it is ready it says so with an empty message.
"""

from __future__ import annotations

import os
import re
import resource
import sys

import msgspec

from aggregator.feeds.pipes import limit, read_message, write_message
from aggregator.feeds.sniff import text_codec
from aggregator.text import paragraphs

LONGEST_TEXT = 50_000
"""Characters."""
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\"';\s]{1,60})", re.IGNORECASE)
_DECODER = msgspec.msgpack.Decoder(tuple[bytes, str, str])


def main(memory_bytes: int, cpu_seconds: int) -> None:
    """Serve until standard input ends. `cpu_seconds` holds for each page."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    limit(resource.RLIMIT_CORE, 0)
    import trafilatura  # noqa: F401 - before the first page, whose time is counted

    limit(resource.RLIMIT_AS, memory_bytes)
    write_message(answers, b"")
    while (message := read_message(sys.stdin.buffer)) is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + cpu_seconds + 1)
        try:
            answer = ("text", find_text(*_DECODER.decode(message)))
        except Exception as error:
            answer = ("crash", type(error).__name__)
        write_message(answers, msgspec.msgpack.encode(answer))


def find_text(body: bytes, content_type: str, url: str) -> str:
    """The article of a page as plain text with paragraphs, at most LONGEST_TEXT characters; empty when it holds none."""
    import trafilatura

    match = _CHARSET.search(content_type)
    codec = text_codec(match[1]) if match else None
    page = body.decode(codec, "replace") if codec else body
    found = trafilatura.extract(page, url=url, include_comments=False, include_tables=False, favor_precision=True) or ""
    return paragraphs(found.replace("\n", "\n\n"))[:LONGEST_TEXT]
