"""The fetcher against the replay server of the shared data: 296 real feeds, and every fault it can serve."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace

import pytest

from aggregator.model import Fetched
from tests.feeds.test_fetch import LOCAL, NOW, due_feed, make_fetcher
from tests.shared import shared_path

OUTCOMES = {
    "500": "failed", "503": "throttled", "429": "throttled", "404": "failed", "410": "gone",
    "301": "changed", "308": "changed", "302": "changed", "loop": "failed",
    "hang": "failed", "drip": "failed", "reset": "failed", "short": "failed", "gzipbomb": "failed", "endless": "failed",
    "html": "changed", "empty": "changed", "notxml": "changed", "cut": "changed", "latin1": "changed",
    "xxe": "changed", "laughs": "changed",
    "ssrf": "failed", "filescheme": "failed", "flap": "failed", "longheader": "failed", "badchunk": "failed",
}  # fmt: skip


@pytest.fixture(scope="module")
def feeds() -> Iterator[list[str]]:
    """The addresses of the replayed feeds, while they are served."""
    tool, stream = shared_path("tools/replay.py"), shared_path("data/stream-2023-12.jsonl.gz")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(tool), str(stream), "--port", str(port), "--at", "2023-12-27T12:00:00Z", "--max-age", "600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert "feeds at" in server.stdout.readline()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/index.opml") as opml:
                yield re.findall(r'xmlUrl="([^"]+)"', opml.read().decode())
        finally:
            server.kill()  # terminate would wait for the gzip bomb to be packed


def test_all_feeds_come_whole_and_a_second_poll_answers_304_to_each(feeds: list[str]) -> None:
    async def run() -> tuple[list[Fetched], list[Fetched]]:
        fetcher = make_fetcher(replace(LOCAL, total_seconds=20))
        first = await asyncio.gather(*(fetcher.fetch(due_feed(url), NOW) for url in feeds))
        known = [due_feed(each.url, state={"validators": each.validators, "body_hash": each.body_hash}) for each in first]
        second = await asyncio.gather(*(fetcher.fetch(due, NOW) for due in known))
        await fetcher.aclose()
        return list(first), list(second)

    first, second = asyncio.run(run())
    assert len(first) == 296
    assert {(each.outcome, each.status, each.max_age_seconds, each.error) for each in first} == {("changed", 200, 600, None)}
    assert {(each.outcome, each.status) for each in second} == {("same", 304)}


def test_no_fault_escapes_its_outcome_or_goes_without_a_sentence(feeds: list[str]) -> None:
    base, slug = feeds[0].split("/feeds/")
    limits = replace(LOCAL, connect_seconds=1, total_seconds=1)

    async def run() -> dict[str, Fetched]:
        fetcher = make_fetcher(limits)
        polls = (fetcher.fetch(due_feed(f"{base}/fault/{kind}/{slug}"), NOW) for kind in OUTCOMES)
        fetched = dict(zip(OUTCOMES, await asyncio.gather(*polls), strict=True))
        await fetcher.aclose()
        return fetched

    found = asyncio.run(run())
    assert {kind: fetched.outcome for kind, fetched in found.items()} == OUTCOMES
    for kind, fetched in found.items():
        assert (fetched.error is None) == (fetched.outcome == "changed"), kind
        assert fetched.error is None or re.fullmatch(r"[^\n]{20,250}[.]", fetched.error), f"{kind}: {fetched.error}"
    assert found["301"].permanent_url == found["308"].permanent_url == feeds[0]
    assert found["302"].permanent_url is None
    assert found["short"].body
    assert found["reset"].body
    assert found["gzipbomb"].body is None
