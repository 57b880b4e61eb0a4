"""EDGE: App, the only place that builds things from Settings, and the verbs that every face (command line, daemon) calls.

Nothing here decides: it composes the store, the fetcher, the parser, the story engine and the clock, and hands them to the
pipeline. Heavy parts are built when they are first used.
"""

from __future__ import annotations

import asyncio
import gc
import gzip
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from aggregator.clock import ProgramClock
from aggregator.errors import ConfigError, DeliveryError, NotFoundError, UsageError
from aggregator.memory import give_memory_back
from aggregator.model import DigestPlan, DigestRecord, Feed, FeedOutcome, Period
from aggregator.settings import ConfigLocation, Settings, find_config, load_settings
from aggregator.times import parse_moment

if TYPE_CHECKING:
    from aggregator.comparing import Comparing
    from aggregator.correcting import Correcting
    from aggregator.digesting import Digesting
    from aggregator.feeds.discover import Candidate
    from aggregator.feeds.subscriptions import Subscriptions
    from aggregator.fulltext import PagesRead
    from aggregator.locks import Locks
    from aggregator.marking import Marking
    from aggregator.model import Correction, Digest, DueFeed, JsonObject, Phase, Story
    from aggregator.pipeline import Heard, Organise
    from aggregator.ports import Courier, Parser
    from aggregator.publishing import Publishing, Sent
    from aggregator.regrouping import Rebuilt
    from aggregator.rounds import Round
    from aggregator.store.opening import Store
    from aggregator.stories.engine import History, StoryEngine
    from aggregator.stories.evaluate import Evaluation
    from aggregator.subscribing import AddedFeed, CheckedFeed, FeedStatus, ImportResult, Subscribing
    from aggregator.team import Team
    from aggregator.upkeep import Upkeep

T = TypeVar("T")

_MANY = 1_000
"""New items from which on grouping them takes so much memory that idle parser processes should give theirs back."""


def _one_thread_for_algebra() -> None:
    """The matrices are small: with two threads learning topics took twice the processor time and no less by the clock."""
    import scipy.linalg  # noqa: F401 - only libraries that are loaded can be limited
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1, user_api="blas")


def make_engine(
    settings: Settings, history: History | None, *, tables: bool = True, corrections: Sequence[Correction] = (), topics: bool = True
) -> StoryEngine:
    """The story engine with its collaborators; `tables` False leaves out the shipped document frequencies, `topics` False both
    the topics and the descriptions: then it only groups."""
    from aggregator.stories.constraints import Constraints
    from aggregator.stories.describe import describe
    from aggregator.stories.engine import StoryEngine, StoryParams
    from aggregator.stories.tables import load_tables
    from aggregator.stories.topics import TopicLinker, TopicParams

    # hundreds of thousands of long-lived small objects: the collector's usual rhythm took 18 % of the time to find nothing. What
    # an engine before this one has left is let go first: frozen with the rest it would never be (100 MB a day after each prune)
    gc.unfreeze()
    give_memory_back()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    _one_thread_for_algebra()
    stories = settings.stories
    params = StoryParams.of(
        window_seconds=stories.window,
        join=stories.join,
        merge=stories.merge,
        same_feed=stories.same_feed,
        batch=stories.batch,
        topic_history_seconds=settings.topics.history,
    )
    return StoryEngine(
        params,
        load_tables() if tables else {},
        topics=TopicLinker(TopicParams()) if topics else None,
        describe=describe if topics else None,
        history=history,
        constraints=Constraints(corrections),
    )


def _json_lines(path: Path) -> list[JsonObject]:
    """JSON lines, gzipped or not. Raises UsageError naming file and line."""
    from aggregator.stories.evaluate import read_lines

    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            return read_lines(lines, str(path))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None


class App:
    """One running program over one database and one feed list. Close it, or use it in a `with`."""

    def __init__(self, settings: Settings, location: ConfigLocation, clock: ProgramClock, environ: Mapping[str, str]) -> None:
        self.settings, self.location, self.clock = settings, location, clock
        self._environ = environ
        self._overrides: Mapping[str, str] | None = None
        self._opened: list[Callable[[], None]] = []
        self._round: Round | None = None
        self._synced: tuple[Feed, ...] | None = None
        self._came = 0  # new items since it last organised

    @classmethod
    def from_options(
        cls,
        *,
        config: str | None = None,
        database: str | None = None,
        now: str | None = None,
        speed: float = 1.0,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> App:
        """Read the settings and set the clock; nothing is opened yet. Raises ConfigError, UsageError."""
        environ = os.environ if environ is None else environ
        location = find_config(config, environ, cwd or Path.cwd())
        overrides = {"database": database} if database else None
        settings = load_settings(location.path, environ, overrides)
        try:
            start = parse_moment(now, settings.zone or "UTC") if now else None
        except ValueError as error:
            raise UsageError(f"--now: {error}") from None
        if start is None and speed != 1.0:
            raise UsageError("--speed goes with --now; give the time at which the clock starts")
        app = cls(settings, location, ProgramClock(start, speed), environ)
        app._overrides = overrides
        return app

    def renewed(self) -> App:
        """The same program with the settings as the file has them now; the clock goes on. Raises ConfigError."""
        settings = load_settings(self.location.path, self._environ, self._overrides)
        for key in ("database", "broker"):
            if settings.value(key) != self.settings.value(key):
                raise ConfigError(f"another {key} counts from the next start on", file=str(self.location.path), key=key)
        app = App(settings, self.location, self.clock, self._environ)
        app._overrides = self._overrides
        return app

    def close(self) -> None:
        """Give everything back that was opened; may be called twice."""
        while self._opened:
            self._opened.pop()()

    def __enter__(self) -> App:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what it is made of -----------------------------------------------------------------------------------------

    @cached_property
    def zone(self) -> str:
        """The reader's IANA zone: the setting, else the system's."""
        if self.settings.zone:
            return self.settings.zone
        from tzlocal import get_localzone_name

        return get_localzone_name() or "UTC"

    @cached_property
    def store(self) -> Store:
        from aggregator.store.engine import Options
        from aggregator.store.opening import open_store

        told = self.settings.store
        options = Options(
            pool_size=told.pool_size,
            pool_overflow=told.pool_overflow,
            pool_timeout_seconds=told.pool_timeout,
            connect_timeout_seconds=told.connect_timeout,
            statement_timeout_seconds=told.statement_timeout,
            lock_timeout_seconds=told.lock_timeout,
        )
        store = open_store(self.settings.database, now=self.clock(), options=options)
        self._opened.append(store.close)
        return store

    @cached_property
    def feed_list(self) -> Subscriptions:
        from aggregator.feeds.subscriptions import Subscriptions
        from aggregator.textfile import replace_text

        return Subscriptions(self.location.feeds_path, replace_text)

    @cached_property
    def parser(self) -> Parser:
        from aggregator.feeds.parse import GuardedParser, ParseLimits

        fetch = self.settings.fetch
        parser = GuardedParser(ParseLimits(fetch.parse_workers, fetch.parse_timeout, fetch.parse_memory_bytes))
        self._opened.append(parser.close)
        return parser

    def _new_round(self, line_seconds: float | None = None) -> Round:
        from aggregator.rounds import Round

        folder = self.location.feeds_path.parent
        turns = self.team.turns() if self.settings.broker else None
        return Round(self.settings.fetch, self.store, lambda: self.parser, self.clock, self._environ, folder, line_seconds, turns)

    @cached_property
    def team(self) -> Team:
        """This process among others, where there is a broker."""
        from aggregator.team import Team

        return Team(self)

    @cached_property
    def _organise(self) -> Organise:
        from aggregator.pipeline import Organise

        window = timedelta(seconds=self.settings.stories.window)
        return Organise(self.store.items, self.store.stories, self._make_engine, self._organise_lock, window)

    def _make_engine(self) -> StoryEngine:
        return make_engine(self.settings, self.store.items.history, corrections=self.store.corrections.all())

    def _organise_lock(self) -> AbstractContextManager[None]:
        return self.locks.hold("organise", True)

    @cached_property
    def locks(self) -> Locks:
        """Locks between processes, of the kind that this installation needs."""
        from aggregator.locks import Locks

        return Locks(self)

    def describe(self) -> str:
        """For the log: what this program runs on."""
        return f"{len(self.subscribed())} feeds from {self.location.feeds_path}, database {self.store.name}"

    # --- the verbs: feeds ---------------------------------------------------------------------------------------------

    def subscribed(self) -> tuple[Feed, ...]:
        """The feed list as the file has it now; the store is told what changed. Raises FeedListError."""
        feeds = self.feed_list.load()
        if feeds != self._synced:
            self.store.feeds.sync(feeds, self.clock())
            self._synced = feeds
        return feeds

    def fetch(
        self,
        names: Sequence[str] = (),
        *,
        force: bool = False,
        organise: bool = True,
        heard: Heard | None = None,
        planned: Callable[[int], None] | None = None,
        line_seconds: float | None = None,
        pages: Callable[[PagesRead], None] | None = None,
    ) -> list[FeedOutcome]:
        """Poll the due (or the named) feeds now, read the pages of new items where feeds want full texts, then organise. `planned`
        is told how many feeds, `heard` each outcome, `pages` what came of the pages.

        A feed that stood in line for its host for `line_seconds` of real time stays due (None: it waits for as long as it takes).
        Raises NotFoundError for an unknown name. Network trouble is in the outcomes.
        """
        from aggregator.pipeline import due_feeds

        feeds = self._named(names)
        due = due_feeds(feeds, self.store.feeds.states(), self.clock(), force=force)
        wanting = [feed for feed in feeds if feed.full_text and feed.enabled]
        if self.settings.broker:
            due = self.team.claimed(due)
        if planned is not None:
            planned(len(due))
        outcomes = self.poll(due, wanting, heard=heard, line_seconds=line_seconds, pages=pages)
        if organise:
            self.organise()
        return outcomes

    def poll(
        self,
        due: Sequence[DueFeed],
        wanting: Sequence[Feed],
        *,
        heard: Heard | None = None,
        line_seconds: float | None = None,
        pages: Callable[[PagesRead], None] | None = None,
    ) -> list[FeedOutcome]:
        """Poll just these, and read the pages that new items of the `wanting` feeds lack; see `fetch`."""
        if not (due or wanting):
            return []
        self.parser.expect(sum(each.state.body_hash is None for each in due))  # those never brought a document yet
        self._round = self._new_round(line_seconds)
        try:
            outcomes, read = self._round.run(due, wanting, heard)
        finally:
            self._round = None
        self._came += sum(outcome.new for outcome in outcomes)
        if pages is not None and read is not None:
            pages(read)
        return outcomes

    def add_feed(self, draft: Feed, *, dry_run: bool = False) -> AddedFeed:
        """Subscribe to a feed or to the feed of a web page; its first poll is stored. Raises FeedError, UsageError."""
        return self._subscribing(lambda subscribing: subscribing.add(draft, self.clock, dry_run=dry_run))

    def check_feeds(self, names: Sequence[str] = ()) -> list[CheckedFeed]:
        """Poll the named feeds (none named: all) now, conditionally, and say how each is. Raises NotFoundError."""
        self.subscribed()
        return self._subscribing(lambda subscribing: subscribing.check(names, self.clock))

    def discover(self, draft: Feed) -> tuple[Candidate, ...]:
        """The feeds of a web page. Raises FeedError."""
        return self._subscribing(lambda subscribing: subscribing.discover(draft, self.clock))

    def document(self, url: str) -> bytes:
        """Any document, fetched as politely as a feed. Raises FeedError."""
        return self._subscribing(lambda subscribing: subscribing.document(url, self.clock))

    def import_feeds(self, data: bytes, *, source: str, tags: Sequence[str] = (), dry_run: bool = False) -> ImportResult:
        """Subscribe to the feeds of an OPML document (or a plain list of addresses); nothing is polled."""
        from aggregator.subscribing import import_feeds

        return import_feeds(self.feed_list, data, source, tags=tags, dry_run=dry_run)

    def feed_status(self, names: Sequence[str] = ()) -> list[FeedStatus]:
        """How each feed is; nothing is fetched. Raises NotFoundError."""
        from aggregator.subscribing import to_status

        feeds = self._named(names)
        states = self.store.feeds.states()
        return [to_status(feed, states.get(feed.name)) for feed in feeds]

    def _subscribing(self, verb: Callable[[Subscribing], Awaitable[T]]) -> T:
        from aggregator.subscribing import Subscribing

        async def work() -> T:
            async with self._new_round().ingest() as ingest:
                return await verb(Subscribing(ingest, self.feed_list))

        return asyncio.run(work())

    def _named(self, names: Iterable[str]) -> list[Feed]:
        from aggregator.feeds.feedlist import unknown_feed

        feeds = {feed.name: feed for feed in self.subscribed()}
        for name in names:
            if name not in feeds:
                raise NotFoundError(unknown_feed(name, feeds))
        return [feeds[name] for name in names] if names else list(feeds.values())

    def lack(self) -> str | None:
        """A sentence when feeds want full texts and the extra that finds them is not installed."""
        from aggregator.rounds import lack

        return lack(self.subscribed())

    def interrupt(self) -> None:
        """Stop the round of polls under way, from another thread."""
        if self._round is not None:
            self._round.interrupt()

    # --- the verbs: stories ---------------------------------------------------------------------------------------------

    def organise(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Group everything that is in no story yet. Returns how many items that were."""
        if self._came >= _MANY:
            self.parser.rest()
        self._came = 0
        return self._organise(self.clock, progress)

    def correcting(self, *, dry_run: bool = False) -> Correcting:
        """The verbs by which people put stories right; nothing is written with `dry_run`."""
        from aggregator.correcting import Correcting

        store = self.store
        return Correcting(store.stories, store.items, store.corrections, self.clock, self._organise_lock, dry_run=dry_run)

    def rebuild_stories(
        self, since: datetime | None = None, *, dry_run: bool = False, progress: Callable[[int, int], None] | None = None
    ) -> Rebuilt:
        """Group what was published since then (None: everything) anew, with the settings of today."""
        from aggregator.regrouping import Regrouping
        from aggregator.stories.topics import TopicLinker, TopicParams

        def engine(corrections: Sequence[Correction]) -> StoryEngine:
            return make_engine(self.settings, None, corrections=corrections, topics=False)

        stories, topics = self.settings.stories, self.settings.topics
        return Regrouping(
            self.store.items,
            self.store.stories,
            self.store.corrections,
            engine,
            lambda: TopicLinker(TopicParams()),
            self._organise_lock,
            window=timedelta(seconds=stories.window),
            topic_history=timedelta(seconds=topics.history),
        ).rebuild(since, dry_run=dry_run, progress=progress)

    @cached_property
    def comparing(self) -> Comparing:
        """Answers to "why not?" and "what if?"; nothing is written."""
        import msgspec

        from aggregator.comparing import Comparing

        def engine(corrections: Sequence[Correction], thresholds: Mapping[str, float]) -> StoryEngine:
            stories = msgspec.structs.replace(self.settings.stories, **thresholds)
            return make_engine(msgspec.structs.replace(self.settings, stories=stories), None, corrections=corrections, topics=False)

        window = timedelta(seconds=self.settings.stories.window)
        return Comparing(self.store.items, self.store.stories, self.store.corrections, engine, window)

    def evaluate(self, streams: Sequence[Path], golds: Sequence[Path], *, warm_up: bool = True, tables: bool = True) -> Evaluation:
        """Run the story engine over an archive in memory and score it; nothing is stored. Raises UsageError."""
        from aggregator.archive import to_item
        from aggregator.stories.evaluate import evaluate, read_gold

        now = self.clock()
        gold = [row for path in golds for row in read_gold(_json_lines(path), str(path))]
        return evaluate(
            [row for path in streams for row in _json_lines(path)],
            gold,
            make_item=lambda row: to_item(row, now),
            make_engine=lambda history: make_engine(self.settings, history, tables=tables),
            timer=time.perf_counter,
            warm_up=warm_up,
        )

    def stories(
        self, *, limit: int, topic: int | None = None, since: datetime | None = None, phase: Phase | None = None
    ) -> list[tuple[Story, Phase]]:
        """Stories with the newest items first, each with its phase now; only those of a topic, with an item since then, in a
        phase. Raises NotFoundError for an unknown topic."""
        from aggregator.stories.timeline import earliest, phase_at

        now, asked = self.clock(), limit
        if phase is not None:
            since = max(filter(None, (since, earliest(phase, now))), default=None)
        while True:
            found = self.store.stories.stories(limit=asked, topic_id=topic, since=since)
            members = self.store.stories.members([story.id for story in found])
            phased = [(story, phase_at(*members[story.id], at=now)) for story in found if story.id in members]
            wanted = [(story, is_now) for story, is_now in phased if phase in (None, is_now)]
            if len(wanted) >= limit or len(found) < asked:
                return wanted[:limit]
            asked *= 4

    # --- the verbs: digest ----------------------------------------------------------------------------------------------

    def digest(self, period: Period, *, by: str = "published", name: str = "digest", **asked: Any) -> Digest:
        """What the period brought, selected and ranked; by="arrived": what was not offered yet under that name.

        `asked` are fields of Filters; what is None or not asked for is as the settings say of the digest of that name. Raises
        NotFoundError for an unknown topic.
        """
        from aggregator.digest.interests import Filters

        digest = self.settings.digest_named(name)
        usual: dict[str, Any] = {"limit": digest.limit, "minutes": digest.minutes, "languages": self.settings.interests.languages}
        if by == "arrived" and asked.get("tag") is None:
            usual["tags"] = digest.tags  # whoever makes the digest of that name, it is of these feeds
        filters = Filters(by=by, **usual | {key: value for key, value in asked.items() if value is not None})
        if by != "arrived":
            return self._digesting().of_period(period, name, filters)
        self.organise()
        return self._digesting().of_new(period, self.last_digest(name), name, filters)

    def _digesting(self) -> Digesting:
        import msgspec

        from aggregator.digest.rank import DigestParams
        from aggregator.digesting import Digesting

        wishes, params = self.settings.interests, DigestParams(**msgspec.structs.asdict(self.settings.ranking))
        interests = self.marking.interests(wishes.mute, wishes.boost, wishes.searches)
        return Digesting(self.store.stories, self.store.feeds, self.subscribed(), params, interests)

    @cached_property
    def marking(self) -> Marking:
        """The verbs by which the reader follows, mutes and stars."""
        from aggregator.marking import Marking

        return Marking(self.store.stories, self.store.items, self.store.marks, self.clock)

    def last_digest(self, name: str) -> DigestRecord | None:
        return self.store.digests.last(name)

    def write_text(self, text: str, path: Path) -> None:
        """Write a digest to a file, whole or not at all. Raises DeliveryError."""
        from aggregator.digest.deliver import write_digest
        from aggregator.textfile import replace_text

        write_digest(text, path, replace_text)

    def naming(self, name: str) -> AbstractContextManager[None]:
        """Held from choosing a digest of what is new to recording it: no other process offers the same under that name."""
        return self.locks.hold(f"digest-{name}", True)

    def record_digest(self, digest: Digest, format: str) -> None:
        """Note that a digest was delivered: the next one of that name begins where it ended."""
        from aggregator.publishing import to_record

        self.store.digests.record(to_record(digest, self.clock(), format))

    def deliver_digest(self, digest: Digest, format: str | None = None) -> str:
        """Put a digest into the outbox and deliver it to the targets of its name. Returns where it went.

        Raises DeliveryError when it could not go everywhere; then it stays in the outbox.
        """
        plan = self.plan(digest.name)
        self.publishing.record(digest, replace(plan, format=format or plan.format), self.clock())
        outcomes = self.publishing.deliver(self.clock(), name=digest.name)
        if failed := [sent.error for sent in outcomes if sent.error]:
            raise DeliveryError(f"{failed[0]}; the digest is kept, and `aggregator run` or the next --deliver of its name tries again")
        return ", ".join(sent.place for sent in outcomes)

    @cached_property
    def publishing(self) -> Publishing:
        """The publish pipe."""
        import uuid

        from aggregator.digest.render import render
        from aggregator.publishing import Publishing

        return Publishing(self.store.digests, self._choose, render, self._courier, self.locks.hold, lambda: uuid.uuid4().hex)

    def publish(self) -> list[DigestRecord]:
        """Make the digests whose time has come since their last one, each once however long ago that was."""
        from aggregator.triggers import daily, missed_since

        made = []
        for plan in self.plans():
            now, trigger = self.clock(), daily(plan.time, plan.zone, plan.weekdays)
            record = self.publishing.make_due(plan, now, lambda last, trigger=trigger, now=now: missed_since(trigger, last, now))  # type: ignore[misc]
            if record is not None:
                made.append(record)
        return made

    def expect_digests(self) -> None:
        """Note from when on digests can be missed: each name's first one is due at the first of its times after this."""
        for plan in self.plans():
            self.store.digests.known_since(plan.name, self.clock())

    def deliver(self) -> list[Sent]:
        """Deliver what waits in the outbox and is due."""
        return self.publishing.deliver(self.clock())

    def plans(self) -> list[DigestPlan]:
        """The digests that the daemon makes."""
        return [self.plan(each.name) for each in self.settings.all_digests() if each.enabled]

    def plan(self, name: str) -> DigestPlan:
        """The plan of a digest in the settings; any other name is as the section [digest] says."""
        from aggregator.couriers import make_plan

        return make_plan(self.settings, self.settings.digest_named(name), self.zone)

    def _choose(self, plan: DigestPlan, now: datetime) -> Digest:
        last = self.last_digest(plan.name)
        period = Period(last.to_at if last else now - timedelta(seconds=plan.since_seconds), now, plan.zone)
        return self.digest(period, by="arrived", name=plan.name)

    def _courier(self, name: str, target: str) -> Courier | None:
        from aggregator.couriers import make_courier, make_secrets

        if target not in self.plan(name).targets:
            return None
        secrets = make_secrets(self._environ, self.location.feeds_path.parent)
        return make_courier(self.settings, self.settings.digest_named(name), target, secrets, self.clock)

    # --- the verbs: upkeep ----------------------------------------------------------------------------------------------

    @cached_property
    def upkeep(self) -> Upkeep:
        """Care for the store, and what there is to say about how things run."""
        from aggregator.upkeep import Upkeep

        return Upkeep(self)

    def next_step(self) -> str | None:
        """What a person who sees nothing should run next; None when there are feeds and grouped items."""
        items, unsorted, _ = self.store.maintenance.sizes()
        if unsorted:
            return f"{unsorted} items are not grouped yet: `aggregator fetch` polls what is due and groups them."
        if items:
            return None
        if not self.subscribed():
            return "There are no feeds yet: `aggregator feeds add URL` subscribes to one, `aggregator demo` shows how it looks."
        return "There are no items yet: `aggregator fetch` polls the feeds, then `aggregator digest` prints what they brought."
