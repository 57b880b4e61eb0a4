"""EDGE: the loop of a parser process. Reads documents from standard input, answers with what they hold or with a sentence.

A question is (body, headers, url, Reading or None); the answer says how it went ("feed", "error", "crash", "memory"), gives a sentence or
the ParsedFeed, and ReadItems when there was a Reading.

Messages are MessagePack with their length (8 bytes, big-endian) in front: a process that a document took over can send data, not code.
It is started by GuardedParser (parse.py), ends with its standard input, and is killed from outside when it takes too long; the limits
of the system are the second lock.
"""

from __future__ import annotations

import os
import resource
import sys
from dataclasses import replace

import msgspec

from aggregator.documents import ParsedFeed, Reading, ReadItems
from aggregator.errors import FeedError
from aggregator.feeds.document import parse_document
from aggregator.feeds.pipes import Answer, Question, limit, read_message, write_message
from aggregator.feeds.sift import sift

_DECODER = msgspec.msgpack.Decoder(Question)


def main(memory_bytes: int, cpu_seconds: int) -> None:
    """Serve until standard input ends. `cpu_seconds` holds for each document."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a stray print must not get between the answers
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_AS, memory_bytes)
    questions = sys.stdin.buffer
    while (message := read_message(questions)) is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + cpu_seconds + 1)
        answer = _answer(message)
        write_message(answers, msgspec.msgpack.encode(answer))
        if answer[0] == "memory":
            return


def _answer(message: bytes) -> Answer:
    try:
        body, headers, url, reading = _DECODER.decode(message)
        parsed = parse_document(body, headers, url)
        return ("feed", "", parsed, None) if reading is None else ("feed", "", *read_items(parsed, reading))
    except FeedError as error:
        return "error", str(error), None, None
    except MemoryError:
        return "memory", "", None, None
    except Exception as error:
        return "crash", type(error).__name__, None, None


def read_items(parsed: ParsedFeed, reading: Reading) -> tuple[ParsedFeed, ReadItems]:
    """See ports.Parser.read."""
    items = sift(parsed, reading)
    # of the raw items only the dates are wanted further on, and sending the rest costs as much as reading it
    return replace(parsed, items=(), published=tuple([raw.published_at or raw.updated_at for raw in parsed.items])), items
