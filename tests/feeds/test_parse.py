"""The parser processes: real ones, with documents that hang, crash or eat memory."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aggregator.errors import FeedError
from aggregator.feeds.parse import GuardedParser, ParseLimits
from aggregator.model import ParsedFeed, Reading

FEED = b'<rss version="2.0"><channel><title>T</title><item><title>One</title><guid>1</guid></item></channel></rss>'
# malformed, so that feedparser's lenient parser gets it, whose time grows with the square of the open quotes: minutes
HANG = b'<rss version="2.0"><channel><item><title>&</title>' + b"<a '" * 1_000_000 + b"</item></channel></rss>"


@pytest.fixture
def parser() -> Iterator[GuardedParser]:
    parser = GuardedParser(ParseLimits(workers=2, deadline_seconds=2.0))
    yield parser
    parser.close()


def parse(parser: GuardedParser, body: bytes, url: str = "https://example.org/feed") -> ParsedFeed:
    return asyncio.run(parser.parse(body, {"content-type": "application/rss+xml"}, url))


def processes(parser: GuardedParser) -> list[int]:
    """The ids of the parser processes, once all that were ordered are there."""
    found: list[int] = []
    until = time.monotonic() + 30
    while len(found) != len(parser._all) and time.monotonic() < until:
        assert parser._nursery is not None
        found = children(parser._nursery.process.pid)
    return found


def children(process: int) -> list[int]:
    listed = Path(f"/proc/{process}/task/{process}/children")
    if listed.exists():
        return [int(word) for word in listed.read_text().split()]
    return [int(word) for word in subprocess.run(["pgrep", "-P", str(process)], capture_output=True, text=True).stdout.split()]


def runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"  # ended, and nobody has asked how


def test_a_document_comes_back_as_records(parser: GuardedParser) -> None:
    feed = parse(parser, FEED)
    assert [item.title for item in feed.items] == ["One"]


def test_no_process_runs_before_the_first_document_or_after_close() -> None:
    parser = GuardedParser()
    assert processes(parser) == []
    parse(parser, FEED)
    (process,) = processes(parser)
    assert runs(process)
    parser.close()
    parser.close()
    assert not runs(process)
    with pytest.raises(RuntimeError, match="closed"):
        parse(parser, FEED)


def test_what_is_no_feed_raises_the_sentence_and_keeps_the_process(parser: GuardedParser) -> None:
    parse(parser, FEED)
    before = processes(parser)
    with pytest.raises(FeedError, match="HTML page") as caught:
        parse(parser, b"<!doctype html><p>Hi")
    assert caught.value.url == "https://example.org/feed"
    assert processes(parser) == before
    assert runs(before[0])


def test_a_hung_document_is_stopped_and_the_others_go_on(parser: GuardedParser) -> None:
    async def all_at_once() -> list[ParsedFeed | BaseException]:
        bodies = [HANG, *[FEED] * 20]
        jobs = (parser.parse(body, {}, f"https://example.org/{n}") for n, body in enumerate(bodies))
        return await asyncio.gather(*jobs, return_exceptions=True)

    hung, *others = asyncio.run(all_at_once())
    assert isinstance(hung, FeedError)
    assert str(hung) == "Reading the document of https://example.org/0 took more than 2 s and was stopped."
    assert all(isinstance(each, ParsedFeed) for each in others)
    assert len(parse(parser, FEED).items) == 1


def test_close_does_not_wait_for_a_hung_document() -> None:
    parser = GuardedParser(ParseLimits(workers=1, deadline_seconds=500.0))

    async def close_meanwhile() -> list[int]:
        job = asyncio.create_task(parser.parse(HANG, {}, "https://example.org/feed"))
        while not processes(parser):
            await asyncio.sleep(0.01)
        started = processes(parser)
        await asyncio.to_thread(parser.close)
        with pytest.raises(FeedError, match=r"https://example\.org/feed"):
            await job
        return started

    (process,) = asyncio.run(asyncio.wait_for(close_meanwhile(), 60))
    assert not runs(process)


def test_too_much_memory_is_an_error_with_a_sentence() -> None:
    parser = GuardedParser(ParseLimits(workers=1, deadline_seconds=20.0, memory_bytes=120 * 1024 * 1024))
    try:
        with pytest.raises(FeedError, match=r"https://example.org/feed needed more than 120 MB of memory"):
            parse(parser, FEED.replace(b"One", b"x" * 60_000_000))
        assert len(parse(parser, FEED).items) == 1
    finally:
        parser.close()


def test_a_process_that_was_killed_from_outside_is_replaced(parser: GuardedParser) -> None:
    parse(parser, FEED)
    (process,) = processes(parser)
    os.kill(process, signal.SIGKILL)
    with pytest.raises(FeedError, match=r"https://example.org/feed failed"):
        parse(parser, FEED)
    assert len(parse(parser, FEED).items) == 1


def test_a_nursery_that_was_killed_from_outside_is_replaced(parser: GuardedParser) -> None:
    parse(parser, FEED)
    assert parser._nursery is not None
    parser._nursery.process.kill()
    parser._nursery.process.wait()
    assert len(parse(parser, FEED).items) == 1, "what was forked from it goes on"
    parser.rest()
    assert len(parse(parser, FEED).items) == 1
    parser.expect(1_000)
    assert len(processes(parser)) == parser.limits.workers


PROGRAM = """
import asyncio, sys
from aggregator.feeds.parse import GuardedParser, ParseLimits
from tests.feeds.test_parse import FEED, HANG, processes

async def main():
    parser = GuardedParser(ParseLimits(workers=2, deadline_seconds=500.0))
    parser.expect(1_000)
    jobs = [asyncio.create_task(parser.parse(HANG, {}, "https://example.org/hang"))]
    await parser.parse(FEED, {}, "https://example.org/feed")
    print(*processes(parser), parser._nursery.process.pid, flush=True)
    await jobs[0]

asyncio.run(main())
"""


def test_no_process_is_left_when_the_program_itself_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        started = [int(word) for word in program.stdout.readline().split()]
        assert len(started) == 3
        assert all(map(runs, started))
        program.kill()
    until = time.monotonic() + 30
    while any(map(runs, started)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(runs, started))


def test_one_parser_serves_several_event_loops(parser: GuardedParser) -> None:
    assert [len(parse(parser, FEED).items) for _ in range(3)] == [1, 1, 1]


def test_idle_processes_can_be_sent_home_and_others_come_with_the_next_document(parser: GuardedParser) -> None:
    parse(parser, FEED)
    (before,) = processes(parser)
    parser.rest()
    assert not runs(before)
    assert processes(parser) == []
    assert len(parse(parser, FEED).items) == 1


def test_processes_are_started_ahead_for_many_documents_and_not_for_few(parser: GuardedParser) -> None:
    parser.expect(2)
    assert processes(parser) == []
    parser.expect(1_000)
    parser.expect(1_000)
    assert len(processes(parser)) == parser.limits.workers
    assert len(parse(parser, FEED).items) == 1


def test_half_a_surrogate_pair_in_json_spoils_neither_its_item_nor_the_others(parser: GuardedParser) -> None:
    body = (
        rb'{"version": "https://jsonfeed.org/version/1.1", "title": "J", "items": ['
        rb'{"id": "\ud800", "title": "half \udc00", "content_html": "<p>one \ud83d two</p>", "authors": [{"name": "\ud800"}]},'
        rb'{"id": "2", "title": "Whole \ud83d\ude00", "content_html": "<p>three</p>"}]}'
    )
    reading = Reading("j", "https://example.org/feed", datetime(2023, 12, 27, tzinfo=UTC))
    _, read = asyncio.run(parser.read(body, {"content-type": "application/feed+json"}, "https://example.org/feed", reading))
    assert [(item.title, item.summary) for item in read.items] == [("half \ufffd", "one \ufffd two"), ("Whole 😀", "three")]
