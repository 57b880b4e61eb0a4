"""The plain data that flows between the stages. Frozen, no behaviour beyond trivial properties, no I/O.

Five nouns: a *feed* is a subscription; an *item* is one published piece; a *story* is the items about one event;
a *topic* is a saga of stories; a *digest* is what a reader gets for a period.
Times named `x_at` are aware datetimes in UTC; `x_seconds` are seconds, `x_bytes` bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from aggregator.documents import Item as Item
from aggregator.documents import Media as Media
from aggregator.documents import ParsedFeed as ParsedFeed
from aggregator.documents import ParsedItem as ParsedItem
from aggregator.documents import PollHints as PollHints
from aggregator.documents import Reading as Reading
from aggregator.documents import ReadItems as ReadItems

Phase = Literal["new", "growing", "fading"]
"""Where a story is in its life (see stories/timeline.py)."""

Clock = Callable[[], datetime]
"""Returns the program's idea of now: an aware UTC datetime."""


# --- feeds -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Feed:
    """A subscription as the person wrote it in feeds.toml (or a source row of an imported archive)."""

    name: str
    url: str
    title: str | None = None
    tags: tuple[str, ...] = ()
    enabled: bool = True
    interval_seconds: int | None = None
    language: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    user_agent: str | None = None
    auth: str | None = None
    proxy: str | None = None
    allow_private: bool | None = None
    full_text: bool = False
    weight: float = 1.0
    mute: tuple[str, ...] = ()
    boost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Validators:
    """ETag and Last-Modified, opaque, as the server sent them (RFC 9110 section 8.8), and when."""

    etag: str | None
    last_modified: str | None
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class FeedState:
    """What the program has learned about a feed; it lives in the database, never in feeds.toml."""

    id: int
    name: str
    url: str
    fetch_url: str
    created_at: datetime
    title: str | None = None
    link: str | None = None
    language: str | None = None
    validators: Validators | None = None
    hints: PollHints = PollHints()  # noqa: RUF009 - frozen
    body_hash: str | None = None
    identity: str = "guid"
    """How items are told apart: "guid", or degraded to "link" or "hash" (see feeds/dedupe.py)."""
    last_attempt_at: datetime | None = None
    last_success_at: datetime | None = None
    next_poll_at: datetime | None = None
    reason: str = "never polled"
    """Why it is polled when it is: a short sentence."""
    error: str | None = None
    error_since_at: datetime | None = None
    warning: str | None = None
    streak: int = 0
    """Failures in a row."""
    retry_after_at: datetime | None = None
    """Not before this moment, not even by hand (429/503 with Retry-After)."""
    gone: bool = False
    items_per_day: float | None = None
    subscribed: bool = True
    """False for the sources of an imported archive and for feeds taken out of feeds.toml."""


@dataclass(frozen=True, slots=True)
class DueFeed:
    """A subscription together with what is known of it, ready to be fetched."""

    feed: Feed
    state: FeedState


@dataclass(frozen=True, slots=True)
class Fetched:
    """The outcome of one poll. Network trouble is data here, not an exception.

    `outcome` is one of
      "changed"    a body came whose hash is new (`body`, `body_hash`)
      "same"       304, or a 200 whose body hash is the stored one
      "failed"     no usable answer; `error` is the sentence for the person (a cut body may still be in `body`)
      "throttled"  429 or 503, or another answer with Retry-After
      "gone"       410
    """

    outcome: str
    url: str
    at: datetime
    final_url: str
    permanent_url: str | None = None
    """Where an unbroken chain of 301 and 308 led; to be stored once the body proved to be a feed."""
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Lower-case names."""
    body: bytes | None = None
    body_hash: str | None = None
    validators: Validators | None = None
    max_age_seconds: int | None = None
    retry_after_at: datetime | None = None
    error: str | None = None


# --- many processes ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A process that takes tasks. `doing` is empty while it waits; `done` counts what it did since it started."""

    name: str
    queues: tuple[str, ...]
    started_at: datetime
    seen_at: datetime
    doing: str
    done: Mapping[str, int]
    silent_seconds: float


@dataclass(frozen=True, slots=True)
class QueueState:
    """Tasks of one queue: waiting (those for later included), taken but not done (None where the broker does not tell), given up."""

    name: str
    waiting: int
    unacked: int | None
    dead: int


# --- items -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Appearance:
    """That an item stood in a feed."""

    item_id: int
    feed: str
    key: str
    link: str | None
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Ingested:
    """What storing one feed's items changed: ids of the new and of the edited items, and how many were known."""

    new: tuple[int, ...] = ()
    edited: tuple[int, ...] = ()
    appeared: tuple[int, ...] = ()
    """Items that were known from another feed and now appear in this one too."""
    known: int = 0


@dataclass(frozen=True, slots=True)
class Polled:
    """What one poll brought: the feed's new state, its publisher (empty: as it was), and the items of the document.

    `shown` is that of ReadItems, None when no document came; `relies` tells that `items` lack some because of the last one.
    """

    state: FeedState
    publisher: str = ""
    items: tuple[Item, ...] = ()
    shown: bytes | None = None
    relies: bool = False


@dataclass(frozen=True, slots=True)
class ArchivedItem:
    """An item on its way in from an archive, with what an export knows beyond the item itself."""

    feed_id: int
    item: Item
    appearances: tuple[tuple[int, str, str | None, datetime], ...] = ()
    """(feed id, key, link, seen_at) of its other appearances."""
    titles: tuple[tuple[str, datetime], ...] = ()
    """Earlier titles, and when each was replaced."""


# --- stories and topics ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Membership:
    """Why an item is in its story.

    `rule` is "join" (score reached the threshold), "new" (nothing near enough), "round-up" (stays alone), "copy" (near-copy
    of `copy_of`), "repair" (the story it was in was merged), "split" (it was cut out of a story that held two events) or
    "person". `score` is the similarity to the story (or to the best story that was refused, for "new"). `nearest` pairs item ids
    with similarities, best first; `terms` pairs shared
    words with their share of the similarity, largest first.
    """

    item_id: int
    story_id: int
    score: float = 0.0
    threshold: float = 0.0
    rule: str = "new"
    nearest: tuple[tuple[int, float], ...] = ()
    terms: tuple[tuple[str, float], ...] = ()
    copy_of: int | None = None
    """Id of the item whose wire text this one repeats; copies count as one independent publisher."""


@dataclass(frozen=True, slots=True)
class Story:
    """The items about one event. A lone item is a story of one. Ids are stable; a merged id redirects for ever."""

    id: int
    title: str
    first_published_at: datetime
    last_published_at: datetime
    brief: str = ""
    keywords: tuple[str, ...] = ()
    language: str | None = None
    topic_id: int | None = None
    item_count: int = 1
    sources: int = 1
    """Independent publishers: near-copies of one wire text collapse."""
    related: tuple[int, ...] = ()
    """Up to three other stories of the same saga or near in words, best first."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A saga of stories."""

    id: int
    label: str
    keywords: tuple[str, ...] = ()
    first_published_at: datetime | None = None
    last_published_at: datetime | None = None
    story_count: int = 0
    profile: Mapping[str, float] = field(default_factory=dict)
    """What the saga's items talk about: unit (a stem or a name) -> its weight in the saga's centre, the strongest 1."""
    threshold: float = 0.0
    """A story attaches when its score against the profile reaches this."""


@dataclass(frozen=True, slots=True)
class StoryChanges:
    """What one round of organising decided; written in one transaction. Everything refers to ids."""

    memberships: tuple[Membership, ...] = ()
    stories: tuple[Story, ...] = ()
    """New stories and all whose members, title, brief, keywords, topic or related stories changed."""
    merged: tuple[tuple[int, int], ...] = ()
    """(old story id, id it now redirects to)."""
    topics: tuple[Topic, ...] = ()
    merged_topics: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """A story with its items (oldest first) and their memberships, as read back from the store."""

    story: Story
    items: tuple[Item, ...]
    memberships: tuple[Membership, ...] = ()


# --- corrections -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person put right: the `placed` and `beside` items are one event, and none of the `against` items belongs to it.

    `verb` is "merge" (the items of a story are placed beside another's), "split" (placed apart from what stays) or "move" (both).
    All are item ids, so that the correction outlives stories and rebuilds; items that were pruned are left out. Of two
    corrections that contradict each other the newer one counts. `story_ids` are the stories that it named or made.
    """

    verb: str
    made_at: datetime
    placed: tuple[int, ...]
    beside: tuple[int, ...] = ()
    against: tuple[int, ...] = ()
    story_ids: tuple[int, ...] = ()
    id: int = 0


@dataclass(frozen=True, slots=True)
class StoriesBefore:
    """What a correction changed, as it was: what `--undo` puts back.

    `memberships` of the items that changed story, `stories` that were touched, (old id, story id) of the `redirects` that led to
    a story which went.
    """

    memberships: tuple[Membership, ...] = ()
    stories: tuple[Story, ...] = ()
    redirects: tuple[tuple[int, int], ...] = ()


# --- what the reader marked --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mark:
    """That a person follows or mutes a topic or a story, or starred an item."""

    kind: Literal["topic", "story", "item"]
    target_id: int
    stance: Literal["follow", "mute", "star"]
    made_at: datetime


# --- digest ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Period:
    """(from_at, to_at], shown in `zone` (an IANA name)."""

    from_at: datetime
    to_at: datetime
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class DigestStory:
    """One story as the digest shows it: all members up to the period's end, best first."""

    story: Story
    items: tuple[Item, ...]
    scores: tuple[float, ...]
    """The membership score of each of `items`."""
    sources: int
    new: bool
    phase: Phase
    """At the period's end."""
    rank: float
    parts: Mapping[str, float] = field(default_factory=dict)
    """What the rank is made of, by name."""
    gained: int = 0
    """Independent publishers that came in the period to a story told before; 0 for a new one."""
    latest: str = ""
    """The headline of what the period brought to a story told before, when it says something else than the title."""
    followed: bool = False
    starred: bool = False
    as_line: bool = False
    """It is there to complete its topic or a saved search, and asks for a line instead of a paragraph."""


@dataclass(frozen=True, slots=True)
class DigestMedia:
    """One audio or video of the period."""

    media: Media
    item: Item


@dataclass(frozen=True, slots=True)
class FailedFeed:
    name: str
    error: str
    since_at: datetime | None


@dataclass(frozen=True, slots=True)
class DigestTopic:
    """A section of the digest: a topic and the shown stories under it."""

    id: int
    label: str
    story_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DigestSearch:
    """A section of the digest: a saved search and the shown stories that match it, best first."""

    name: str
    query: str
    story_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Digest:
    """What a reader gets for a period. `counts` are taken before the limit: feeds, items, stories."""

    name: str
    period: Period
    counts: Mapping[str, int]
    topics: tuple[DigestTopic, ...]
    stories: tuple[DigestStory, ...]
    media: tuple[DigestMedia, ...]
    failed_feeds: tuple[FailedFeed, ...]
    related_titles: Mapping[int, str] = field(default_factory=dict)
    """Titles of the related stories that the digest mentions but may not show."""
    searches: tuple[DigestSearch, ...] = ()
    seconds: float = 0.0
    """About how long the stories take to read."""
    after_item: int | None = None
    up_to_item: int = 0
    """Of a digest of what is new: the items it offers are those with ids in (after_item, up_to_item]; see DigestRecord."""


@dataclass(frozen=True, slots=True)
class DigestRecord:
    """A digest that was made under a name: its next one begins after `up_to_item`.

    Items get their ids in the order in which they are stored, whatever clocks say: no item can come into (after_item, up_to_item]
    later. `after_item` None: the name's first digest, which begins at `from_at`. `story_ids` are the stories it showed.
    """

    name: str
    from_at: datetime
    to_at: datetime
    made_at: datetime
    format: str = ""
    after_item: int | None = None
    up_to_item: int = 0
    story_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class DigestPlan:
    """What the settings say of one digest: when it is made, in which form, and where it goes. `time` ("07:00") is local in `zone`."""

    name: str
    time: str = "07:00"
    weekdays: tuple[str, ...] = ()
    zone: str = "UTC"
    format: str = "markdown"
    since_seconds: float = 86_400.0
    targets: tuple[str, ...] = ("folder",)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A digest on its way to one target, kept until it got there.

    `key` is the same at every attempt, so that a receiver can tell a second one. `parts` are the renderings by format. `place` is
    where it goes, once that is settled (a file's path).
    """

    key: str
    name: str
    target: str
    period: Period
    parts: Mapping[str, str]
    id: int = 0
    attempts: int = 0
    next_try_at: datetime | None = None
    error: str | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class FeedOutcome:
    """What polling one feed came to, for the person who asked: a sentence in `error` when it failed."""

    name: str
    outcome: str
    status: int | None = None
    new: int = 0
    edited: int = 0
    error: str | None = None
    next_poll_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoreStats:
    """Figures of one database. `items_per_day` is over the days from the oldest to the newest arrival."""

    name: str
    revision: str
    file_bytes: int
    rows: Mapping[str, int] = field(default_factory=dict)
    unsorted: int = 0
    oldest_published_at: datetime | None = None
    newest_published_at: datetime | None = None
    oldest_arrived_at: datetime | None = None
    newest_arrived_at: datetime | None = None
    items_per_day: float = 0.0


JsonObject = dict[str, Any]
