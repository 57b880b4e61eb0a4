"""The order of things; each stage is somebody else's work.

    ingest:    due feeds | claim | fetch -P hosts | parse, sift, normalise -P processes | identify | store items and states, some at once
    organise:  unsorted items | vectorise | assign | repair | link into topics | store            (one writer)
    publish:   a period | select | rank | render | deliver

It decides nothing about schedules, identity, grouping or ranking, and touches the world only through `ports`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from aggregator.errors import FeedError, StoreError
from aggregator.feeds import dedupe, schedule
from aggregator.model import Clock, DueFeed, Feed, FeedOutcome, FeedState, Fetched, Ingested, Item, ParsedFeed, Polled, Reading, ReadItems
from aggregator.ports import FeedStore, Fetcher, ItemStore, Organiser, Parser, StoryStore

Heard = Callable[[FeedOutcome], None]
"""Is told each outcome as it comes: a log line, a progress bar."""


@dataclass
class Ingest:
    """The ingest pipe over one set of tools. `jitter` draws from [0, 1) so that feeds do not move in step."""

    fetcher: Fetcher
    parser: Parser
    feeds: FeedStore
    items: ItemStore
    limits: schedule.ScheduleLimits
    jitter: Callable[[], float]
    backlog: Backlog = field(default_factory=lambda: Backlog())
    _store: GroupCommit = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._store = GroupCommit(self.items)

    async def round(self, due: Sequence[DueFeed], clock: Clock, heard: Heard | None = None) -> list[FeedOutcome]:
        """Poll all of `due` that no other process polls now; no feed can stop the others. Outcomes in the order of `due`."""
        mine = self.feeds.claim({each.feed.name: each.state.last_attempt_at for each in due}, clock())

        async def one(each: DueFeed) -> FeedOutcome:
            outcome, _ = await self.poll(each, clock)
            if heard is not None:
                heard(outcome)
            return outcome

        return list(await asyncio.gather(*(one(each) for each in due if each.feed.name in mine)))

    async def poll(self, due: DueFeed, clock: Clock) -> tuple[FeedOutcome, ParsedFeed | None]:
        """Fetch, parse, normalise, identify and store one feed: its items and its new state in one transaction."""
        with self._store.one_more():
            outcome, parsed, polled, now = await self._polled(due, clock)
        stored = await self._store.put(polled, now)
        if stored.new or stored.edited:
            outcome = replace(outcome, new=len(stored.new), edited=len(stored.edited))
        return outcome, parsed

    async def _polled(self, due: DueFeed, clock: Clock) -> tuple[FeedOutcome, ParsedFeed | None, Polled, datetime]:
        """What came of polling one feed and is to be stored, by the time that goes with it; the body is not kept until it is."""
        fetched = await self.fetcher.fetch(due, clock())
        parsed, read, problem = await self._read(due, fetched, clock(), self._shown(due, fetched))
        identity, items = self._identify(due, read)
        if read.same and identity != "guid":  # the keys of those that were left out change too
            parsed, read, problem = await self._read(due, fetched, clock(), b"")
            identity, items = self._identify(due, read)
        now = clock()
        state = schedule.after_poll(due.feed, due.state, fetched, parsed, problem, self.limits, now=now, jitter=self.jitter())
        polled = Polled(state, publisher_of(due.feed, state))
        if parsed is not None:
            state = state if state.identity == identity else replace(state, identity=identity)
            polled = Polled(state, polled.publisher, items, read.shown if identity == "guid" else b"", relies=read.same > 0)
        outcome = FeedOutcome(due.feed.name, fetched.outcome, fetched.status, error=state.error, next_poll_at=state.next_poll_at)
        return outcome, parsed, polled, now

    async def _read(self, due: DueFeed, fetched: Fetched, now: datetime, shown: bytes) -> tuple[ParsedFeed | None, ReadItems, str | None]:
        """The document, if a body came that is one, its items, and what was wrong with it (fetch trouble first)."""
        if not _brings_document(fetched):
            return None, ReadItems(), fetched.error
        reading = Reading(due.feed.name, due.state.fetch_url, now, due.feed.language, shown)
        try:
            with self.backlog.one_more():
                parsed, read = await self.parser.read(fetched.body or b"", fetched.headers, fetched.final_url, reading)
        except FeedError as error:
            return None, ReadItems(), fetched.error or str(error)
        return parsed, read, fetched.error or parsed.error

    def _shown(self, due: DueFeed, fetched: Fetched) -> bytes:
        if due.state.last_success_at is None or due.state.identity != "guid" or not _brings_document(fetched):
            return b""
        return self.items.shown(due.state.id)

    def _identify(self, due: DueFeed, read: ReadItems) -> tuple[str, tuple[Item, ...]]:
        identity = due.state.identity
        apart = identity == "guid" and read.shown  # then only whether all guids are new ones is to be decided
        if not read.items or (apart and (read.guids_hold or due.state.last_success_at is None)):
            return identity, read.items
        return dedupe.identify(read.items, identity, self._known_links(due, read.items))

    def _known_links(self, due: DueFeed, items: Sequence[Item]) -> dict[str, str]:
        if due.state.last_success_at is None:
            return {}  # it has shown nothing yet
        return self.items.known_links(due.feed.name, [item.canonical_link for item in items if item.canonical_link])


_MOST_UNREAD = 64


class Backlog:
    """Documents that came and are not parsed yet: fetching waits for it, else a thousand of them would lie in the memory."""

    def __init__(self) -> None:
        self._unread = 0
        self._free = asyncio.Event()
        self._free.set()

    async def room(self) -> None:
        await self._free.wait()

    @contextmanager
    def one_more(self) -> Iterator[None]:
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        self._unread += change
        if self._unread < _MOST_UNREAD:
            self._free.set()
        else:
            self._free.clear()


_LINGER_SECONDS = 0.01
_MOST_LINGERS = 6
_MOST_TOGETHER = 100
_Waiting = list[tuple[Polled, asyncio.Future[Ingested]]]


class GroupCommit:
    """Stores the polls that end at about the same time in one transaction: a commit costs as much as storing ten items.

    It writes in a thread, one batch after the other, so that answers are read meanwhile. When one of a batch cannot be stored, each is
    tried alone, so that it fails alone. Belongs to one event loop.
    """

    def __init__(self, items: ItemStore) -> None:
        self._items = items
        self._under_way = 0
        self._last_came = asyncio.Event()
        self._waiting: _Waiting = []
        self._now = datetime.min
        self._writer: asyncio.Task[None] | None = None

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """While a poll is under way, of which something will be put."""
        self._under_way += 1
        self._last_came.clear()
        try:
            yield
        finally:
            self._under_way -= 1

    async def put(self, polled: Polled, now: datetime) -> Ingested:
        """Returns when it is stored."""
        future: asyncio.Future[Ingested] = asyncio.get_running_loop().create_future()
        self._waiting.append((polled, future))
        self._now = now
        if not self._under_way:
            self._last_came.set()
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        return await future

    async def _write_all(self) -> None:
        while self._waiting:
            await self._linger()
            batch, self._waiting = self._waiting[:_MOST_TOGETHER], self._waiting[_MOST_TOGETHER:]
            await self._write(batch)

    async def _linger(self) -> None:
        """While more come, but not for long."""
        for _ in range(_MOST_LINGERS):
            before = len(self._waiting)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LINGER_SECONDS):
                    await self._last_came.wait()
            if not self._under_way or len(self._waiting) == before or len(self._waiting) >= _MOST_TOGETHER:
                return

    async def _write(self, batch: _Waiting) -> None:
        try:
            stored = await asyncio.to_thread(self._items.ingest, [polled for polled, _ in batch], self._now)
        except Exception as error:
            if len(batch) == 1 or isinstance(error, StoreError):
                _fail(batch, error)
                return
            for one in batch:
                await self._write([one])
            return
        for (_, future), result in zip(batch, stored, strict=True):
            if not future.done():
                future.set_result(result)


def _fail(batch: _Waiting, error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)


def _brings_document(fetched: Fetched) -> bool:
    return fetched.outcome == "changed" or (fetched.outcome != "same" and bool(fetched.body))


def publisher_of(feed: Feed, state: FeedState) -> str:
    """The title in feeds.toml, else the feed's own, else its name."""
    return feed.title or state.title or feed.name


def due_feeds(feeds: Iterable[Feed], states: dict[str, FeedState], now: datetime, *, force: bool = False) -> list[DueFeed]:
    """Which subscriptions to poll now; `force` lifts the interval only (never a Retry-After, never a feed that is gone)."""
    ready = schedule.may_force if force else schedule.is_due
    pairs = (DueFeed(feed, states[feed.name]) for feed in feeds if feed.enabled and feed.name in states)
    return [pair for pair in pairs if ready(pair.feed, pair.state, now)]


_LATE = 5
"""Windows by which an item may come late and still find its story after a restart."""


@dataclass
class Organise:
    """The organise pipe: one writer at a time, held by `lock`.

    The engine's state is rebuilt from the store at the first call, and again when another process has organised meanwhile
    or a write failed half-way.
    """

    items: ItemStore
    stories: StoryStore
    make_engine: Callable[[], Organiser]
    lock: Callable[[], AbstractContextManager[None]]
    window: timedelta
    chunk: int = 2000
    """Items grouped and written in one transaction."""

    def __post_init__(self) -> None:
        self._engine: Organiser | None = None
        self._revision = -1

    def __call__(self, clock: Clock, progress: Callable[[int, int], None] | None = None) -> int:
        """Group everything that is in no story yet. Returns how many items that were."""
        with self.lock():
            waiting = self.items.unsorted()
            done = 0
            while waiting:
                batch, waiting = waiting[: self.chunk], waiting[self.chunk :]
                self._write(batch, clock())
                done += len(batch)
                if progress is not None:
                    progress(done, done + len(waiting))
            return done

    def _write(self, batch: list[Item], now: datetime) -> None:
        engine = self._engine_for(batch)
        self._engine = None  # if the write fails, the store is the truth and the engine starts again from it
        self.stories.apply(engine.add(batch), now)
        self._engine, self._revision = engine, self.stories.revision()

    def _since(self, batch: Sequence[Item]) -> datetime:
        """From when on stories may gain a member of `batch`; one very old item must not load years of news."""
        times = [item.published_at for item in batch]
        return max(min(times), max(times) - _LATE * self.window) - self.window

    def _engine_for(self, batch: Sequence[Item]) -> Organiser:
        if self._engine is not None and self._revision == self.stories.revision():
            return self._engine
        self._engine = None  # two at a time would take twice the memory
        engine = self.make_engine()
        engine.restore(*self.stories.active(self._since(batch)), *self.stories.next_ids())
        return engine
