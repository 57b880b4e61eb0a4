"""What the pipeline needs from the world, as Protocols. The implementations are the EDGE modules and the story engine."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from aggregator.model import (
    Appearance,
    Correction,
    Coverage,
    Delivery,
    DigestRecord,
    DueFeed,
    Feed,
    FeedState,
    Fetched,
    Ingested,
    Item,
    Mark,
    Membership,
    ParsedFeed,
    Polled,
    Reading,
    ReadItems,
    StoriesBefore,
    Story,
    StoryChanges,
    Topic,
)


class Fetcher(Protocol):
    """Polls addresses politely: conditional requests, deadlines, byte caps, per-host spacing, address checks."""

    async def fetch(self, due: DueFeed, now: datetime) -> Fetched:
        """One request (and at most five redirects). Never raises for what a server or network does."""
        ...

    async def aclose(self) -> None: ...


class Parser(Protocol):
    """Turns bytes into records in a process that can be killed."""

    async def parse(self, body: bytes, headers: Mapping[str, str], url: str) -> ParsedFeed:
        """Raises FeedError with a sentence when the body is no feed, or took too long or too much memory."""
        ...

    async def read(self, body: bytes, headers: Mapping[str, str], url: str, reading: Reading) -> tuple[ParsedFeed, ReadItems]:
        """Parse and normalise what `reading.shown` does not know. Of the raw items the ParsedFeed holds the dates only. Raises as
        `parse`."""
        ...

    def expect(self, documents: int) -> None:
        """Make ready for so many documents."""
        ...

    def rest(self) -> None:
        """Give back the memory of what is idle."""
        ...

    def close(self) -> None: ...


class PageReader(Protocol):
    """Finds the text of a web page in a process that can be killed."""

    async def extract(self, body: bytes, headers: Mapping[str, str], url: str) -> str:
        """Plain text with paragraphs, empty when the page holds none. Raises FeedError when it took too long or too much memory."""
        ...

    async def aclose(self) -> None: ...


class FeedStore(Protocol):
    def sync(self, feeds: Sequence[Feed], now: datetime) -> None:
        """Make one row for each subscription; a changed url drops validators; rows no longer listed become unsubscribed."""
        ...

    def states(self) -> dict[str, FeedState]:
        """All known feeds by name, also the unsubscribed ones."""
        ...

    def state(self, name: str) -> FeedState:
        """Raises NotFoundError."""
        ...

    def claim(self, seen: Mapping[str, datetime | None], now: datetime) -> set[str]:
        """Note the attempt (last_attempt_at) before it is made, so that a crash or restart does not poll again at once.

        `seen` is when each feed was last attempted, as the caller saw it. Returns the names that are the caller's to poll: those of
        which that still holds and which nobody else is claiming at this moment.
        """
        ...

    def host_not_before(self) -> dict[str, datetime]:
        """Host-wide back-off that is still in force, by host."""
        ...

    def save_host_not_before(self, host: str, until: datetime) -> None: ...


class LeaseStore(Protocol):
    """What one process at a time may do, over all processes; see store/leases.py."""

    def take(self, name: str, holder: str, seconds: float) -> float:
        """0 when the holder has it now, else the seconds until it can be taken."""
        ...

    def take_free(self, names: Sequence[str], holder: str, seconds: float) -> set[str]:
        """Those of the names that the holder has now."""
        ...

    def renew(self, holder: str, seconds: float) -> set[str]:
        """The names of what the holder still has."""
        ...

    def give_back(self, holder: str, after_seconds: Mapping[str, float]) -> None: ...

    def holder(self, name: str) -> str | None: ...


class HostTurns(Protocol):
    """Sees to it that a host is in one process at a time."""

    async def take_free(self, hosts: Collection[str]) -> None:
        """Take at once what can be had of these: each by itself would cost a commit."""
        ...

    async def take(self, host: str) -> float:
        """0 when it is ours until the end of the round, else the seconds until it can be taken."""
        ...

    def has(self, host: str) -> bool: ...

    async def leave(self, after_seconds: Mapping[str, float]) -> None:
        """Give back all hosts; each may be asked again after its seconds (0 where there are none)."""
        ...


class ItemStore(Protocol):
    def known_links(self, feed: str, links: Sequence[str]) -> dict[str, str]:
        """For canonical links that this feed has shown before: the newest key it had there. Input of feeds/dedupe.identify."""
        ...

    def shown(self, feed_id: int) -> bytes:
        """Polled.shown of the last poll that brought a document; empty when there is nothing to rely on."""
        ...

    def ingest(self, polls: Sequence[Polled], now: datetime) -> list[Ingested]:
        """Store the items and the feeds' new states of several polls, all in one transaction; what each stored, in order.

        For each item: a known (feed, key) is the same item (an edit when this feed had it first and content_hash differs: the old
        title is kept); else a known canonical_link is the same piece under another key or in another feed (a new appearance, never
        an edit by a second feed); else it is new. The items of one poll may repeat keys or links; the first wins.
        """
        ...

    def lacking_full_text(self, feeds: Sequence[str], since: datetime, limit: int) -> list[Item]:
        """Items of these feeds that arrived since then, have a link, and whose page was not asked for: of each feed the newest `limit`."""
        ...

    def save_full_text(self, item_id: int, text: str) -> None:
        """Keep the text of an item's page; empty when there is none to be had."""
        ...

    def history(self, from_at: datetime, to_at: datetime) -> list[tuple[Item, int]]:
        """Items with their story id, published in (from_at, to_at], by published_at: what topics are rebuilt from."""
        ...

    def unsorted(self, limit: int | None = None) -> list[Item]:
        """Items that are in no story yet, by published_at, then link, then id."""
        ...

    def get(self, ids: Sequence[int]) -> list[Item]:
        """In the order of `ids`; unknown ids are left out."""
        ...

    def appearances(self, item_id: int) -> list[Appearance]: ...

    def titles(self, item_id: int) -> list[tuple[str, datetime]]:
        """Earlier titles of an edited item, oldest first."""
        ...

    def search(self, query: str, limit: int = 20) -> list[Item]: ...

    def export(self) -> Iterable[Item]: ...


class StoryStore(Protocol):
    def active(self, since: datetime) -> tuple[Iterable[tuple[Item, Membership]], list[Story], list[Topic]]:
        """What the engine needs to go on after a restart: members (in the order they were assigned) of every story with an
        item published since then, those stories, and the topics that had one within a week before.

        The members are read as they are taken, once; what another process prunes meanwhile is not among them."""
        ...

    def next_ids(self) -> tuple[int, int]:
        """First free story id and topic id."""
        ...

    def apply(self, changes: StoryChanges, now: datetime) -> None:
        """Write one round of organising in one transaction; raises `revision`."""
        ...

    def replace(self, changes: StoryChanges) -> None:
        """Write a regrouping in one transaction: as `apply`, and every topic's stories are counted again."""
        ...

    def revision(self) -> int:
        """Grows with every `apply`: tells a long-running engine that another process has organised meanwhile."""
        ...

    def resolve(self, story_id: int) -> int:
        """Follow redirects of merged ids. Raises NotFoundError."""
        ...

    def resolve_topic(self, topic_id: int) -> int: ...

    def coverage(self, from_at: datetime, to_at: datetime, *, by: str = "published") -> list[Coverage]:
        """Every story with at least one item whose published_at (by="arrived": arrived_at) lies in (from_at, to_at], each
        with *all* its members published (or arrived) up to to_at. For days pass from_at one microsecond before midnight.
        Items come without markup, memberships without `nearest` and `terms`."""
        ...

    def coverage_of_new(self, after_item: int | None, from_at: datetime) -> tuple[int, list[Coverage]]:
        """The newest item of which all older ones are in a story, and every story with an item in (after_item, that one], each
        with all its members up to that one, as in `coverage`. `after_item` None: instead those that arrived after `from_at`."""
        ...

    def story(self, story_id: int) -> Coverage:
        """One story with all items; follows redirects. Raises NotFoundError."""
        ...

    def stories(self, *, limit: int, topic_id: int | None = None, since: datetime | None = None) -> list[Story]:
        """Latest last_published_at first."""
        ...

    def titles(self, ids: Sequence[int]) -> dict[int, str]: ...

    def story_ids(self, item_ids: Sequence[int]) -> dict[int, int]:
        """The story of each item that is in one."""
        ...

    def topics(self, *, limit: int | None = None) -> list[Topic]:
        """Latest last_published_at first."""
        ...

    def topics_named(self, ids: Collection[int]) -> dict[int, Topic]:
        """By id, without their profiles; unknown ids are left out."""
        ...

    def topic(self, topic_id: int) -> tuple[Topic, list[Story]]: ...


class CorrectionStore(Protocol):
    def all(self) -> list[Correction]:
        """What people put right and did not take back, oldest first."""
        ...

    def before(self, correction_id: int) -> StoriesBefore:
        """Raises NotFoundError."""
        ...

    def record(self, correction: Correction, changes: StoryChanges) -> int:
        """Note a correction and write what it changes in one transaction; raises the stories' `revision`. Returns its id."""
        ...

    def take_back(self, correction_id: int, changes: StoryChanges, revived: Sequence[int]) -> None:
        """Forget a correction and write what that changes in one transaction: `revived` ids are stories again, and what led to
        them before does so again."""
        ...


class MarkStore(Protocol):
    def all(self) -> list[Mark]:
        """Newest first."""
        ...

    def save(self, mark: Mark) -> None:
        """A target carries one mark; a second one takes the first one's place."""
        ...

    def remove(self, kind: str, target_id: int) -> bool:
        """Whether there was one."""
        ...


class DigestStore(Protocol):
    """Digests by name, and the outbox."""

    def last(self, name: str) -> DigestRecord | None: ...

    def record(self, record: DigestRecord, deliveries: Sequence[Delivery] = ()) -> None:
        """Note a digest and put what is to be delivered of it into the outbox, in one transaction."""
        ...

    def known_since(self, name: str, now: datetime) -> datetime: ...

    def waiting(self) -> list[Delivery]: ...

    def note_place(self, id_: int, place: str) -> None:
        """Where a delivery goes, noted before it goes there."""
        ...

    def note_delivered(self, id_: int, at: datetime) -> None: ...

    def note_failure(self, id_: int, error: str, next_try_at: datetime) -> None: ...

    def drop(self, id_: int) -> None:
        """Forget a delivery that nobody wants any more."""
        ...


class Courier(Protocol):
    """Brings digests to one target. `formats` are the renderings it needs; none: the one that the digest's settings name."""

    @property
    def formats(self) -> tuple[str, ...]: ...

    def place(self, delivery: Delivery, taken: Collection[str]) -> str:
        """Where it will go, nowhere that is `taken`; asked once, so that a second attempt goes to the same place."""
        ...

    def deliver(self, delivery: Delivery) -> None:
        """Raises DeliveryError with a sentence. A second attempt with the same key must do no harm."""
        ...


class Organiser(Protocol):
    """The story engine (stories/engine.py). One writer; deterministic: the same items in the same order, the same stories."""

    def restore(
        self,
        members: Iterable[tuple[Item, Membership]],
        stories: Sequence[Story],
        topics: Sequence[Topic],
        next_story: int,
        next_topic: int,
    ) -> None:
        """Rebuild the state from what the store kept."""
        ...

    def add(self, items: Sequence[Item]) -> StoryChanges:
        """Assign items (sorted by published_at, link) in micro-batches, repair, link into topics, label."""
        ...
