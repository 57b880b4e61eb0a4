"""EDGE: one round over the network: what it needs is built from the settings, run in an event loop of its own, and can be interrupted.

due feeds | ingest (pipeline.py)   then   feeds that want full texts | read their pages (fulltext.py)
"""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aggregator.batching import hosts_to_hold
from aggregator.feeds.connect import Network
from aggregator.feeds.fetch import FetchLimits, HttpFetcher, make_secrets
from aggregator.feeds.page_reader import PageProcess, is_installed
from aggregator.feeds.politeness import HostGate, PolitenessLimits
from aggregator.feeds.schedule import ScheduleLimits
from aggregator.fulltext import FullTexts, PagesRead
from aggregator.model import Clock, DueFeed, Feed, FeedOutcome
from aggregator.pipeline import Backlog, Heard, Ingest
from aggregator.ports import HostTurns, Parser
from aggregator.settings import FetchSettings
from aggregator.store.opening import Store


@dataclass
class Round:
    """Good for one round. `folder` is where secrets with a relative path lie; `line_seconds` see politeness.HostGate."""

    settings: FetchSettings
    store: Store
    parser: Callable[[], Parser]
    clock: Clock
    environ: Mapping[str, str]
    folder: Path
    line_seconds: float | None = None
    turns: HostTurns | None = None

    def __post_init__(self) -> None:
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None

    @asynccontextmanager
    async def ingest(self, due: Sequence[DueFeed] = ()) -> AsyncIterator[Ingest]:
        """The ingest pipe, for these feeds; the fetcher in it belongs to the running event loop."""
        settings, feeds, backlog = self.settings, self.store.feeds, Backlog()
        gate = HostGate(
            PolitenessLimits(settings.concurrency, settings.host_delay, settings.host_connections),
            self.line_seconds,
            not_before=feeds.host_not_before(),
            on_back_off=feeds.save_host_not_before,
            turns=self.turns,
            room=backlog.room,
        )
        fetcher = HttpFetcher(_limits(settings), Network(), gate, make_secrets(self.environ, self.folder), clock=self.clock)
        schedule = ScheduleLimits(interval_seconds=settings.interval, slow_seconds=settings.max_interval)
        try:
            if self.turns is not None:
                await gate.expect(hosts_to_hold(due, spaced=settings.host_delay is not None or settings.host_connections is not None))
            yield Ingest(fetcher, self.parser(), feeds, self.store.items, schedule, random.random, backlog)
        finally:
            await fetcher.aclose()
            await gate.leave()

    def run(self, due: Sequence[DueFeed], wanting: Sequence[Feed], heard: Heard | None) -> tuple[list[FeedOutcome], PagesRead | None]:
        """Poll `due`, then read the pages that new items of the `wanting` feeds lack; None without such feeds or the extra."""
        # ten thousand items come and go: at its usual rhythm the collector took 6 % of the time to find nothing
        gc.set_threshold(50_000, 20, 50)
        try:
            return asyncio.run(self._work(due, wanting, heard))
        except asyncio.CancelledError:
            return [], None  # told to stop: what was stored stays, the rest is polled at the next start
        finally:
            self._running = None

    def interrupt(self) -> None:
        """Stop it, from another thread."""
        if self._running is not None:
            loop, task = self._running
            loop.call_soon_threadsafe(task.cancel)

    async def _work(
        self, due: Sequence[DueFeed], wanting: Sequence[Feed], heard: Heard | None
    ) -> tuple[list[FeedOutcome], PagesRead | None]:
        task = asyncio.current_task()
        assert task is not None
        self._running = (asyncio.get_running_loop(), task)
        async with self.ingest(due) as ingest:
            outcomes = await ingest.round(due, self.clock, heard)
            return outcomes, await self._read_pages(ingest, wanting) if wanting and is_installed() else None

    async def _read_pages(self, ingest: Ingest, wanting: Sequence[Feed]) -> PagesRead:
        states = self.store.feeds.states()
        reader = PageProcess(self.settings.parse_timeout, self.settings.parse_memory_bytes)
        try:
            feeds = [DueFeed(feed, states[feed.name]) for feed in wanting if feed.name in states]
            return await FullTexts(ingest.fetcher, reader, self.store.items).read(feeds, self.clock)
        finally:
            await reader.aclose()


def _limits(settings: FetchSettings) -> FetchLimits:
    return FetchLimits(
        connect_seconds=settings.connect_timeout,
        total_seconds=settings.timeout,
        wire_bytes=settings.max_bytes,
        body_bytes=settings.max_decompressed_bytes,
        redirects=settings.max_redirects,
        allow_private=settings.allow_private,
        proxy=settings.proxy or None,
        contact=settings.contact,
        user_agent=settings.user_agent,
    )


def lack(feeds: Sequence[Feed]) -> str | None:
    """A sentence when feeds want full texts and the extra that finds them is not installed."""
    wanting = sum(1 for feed in feeds if feed.full_text)
    if not wanting or is_installed():
        return None
    has = "1 feed has" if wanting == 1 else f"{wanting} feeds have"
    return f"{has} full_text = true, which needs trafilatura: `pip install 'aggregator[fulltext]'`; until then summaries are used."
