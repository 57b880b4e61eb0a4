"""What documents hold: the part of the plain data (model.py) that parser processes know.

Apart, since to make the other thirty kinds of record takes a quarter of the time in which such a process starts. Everybody else takes
these from model.py, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class PollHints:
    """What server and document say about how often to come back; each is a lower bound, None = said nothing."""

    max_age_seconds: int | None = None
    ttl_seconds: int | None = None
    update_period_seconds: int | None = None
    skip_hours: tuple[int, ...] = ()
    skip_days: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Media:
    """An enclosure, Media RSS or JSON Feed attachment. `type` is a MIME type, `kind` audio, video, image or other."""

    url: str
    type: str = ""
    seconds: int | None = None
    title: str | None = None
    host: str | None = None
    """Who speaks: the podcast's or episode's author."""
    size_bytes: int | None = None

    @property
    def kind(self) -> str:
        head = self.type.partition("/")[0]
        return head if head in ("audio", "video", "image") else "other"


@dataclass(frozen=True, slots=True)
class ParsedItem:
    """One entry as the document gives it, not yet cleaned. Strings may hold markup and control characters."""

    guid: str | None = None
    link: str | None = None
    title: str = ""
    title_is_html: bool = True
    summary: str = ""
    content: str = ""
    published: str | None = None
    published_at: datetime | None = None
    updated: str | None = None
    updated_at: datetime | None = None
    language: str | None = None
    base: str | None = None
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    media: tuple[Media, ...] = ()
    seconds: int | None = None
    """Playing time of the episode (itunes:duration); `media` have it too."""


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """A document that was recognised as a feed; `error` says what was wrong with it even though items came out."""

    version: str
    title: str | None = None
    link: str | None = None
    language: str | None = None
    hints: PollHints = PollHints()
    items: tuple[ParsedItem, ...] = ()
    error: str | None = None
    published: tuple[datetime | None, ...] = ()
    """When its items came, where they themselves are left out."""


@dataclass(frozen=True, slots=True)
class Reading:
    """For whom and when a document is read: what normalise needs to make items of it. `language` is what the person says."""

    feed: str
    feed_url: str
    now: datetime
    language: str | None = None
    shown: bytes = b""
    """ReadItems.shown of the last document; empty: every item is wanted."""


@dataclass(frozen=True, slots=True)
class Item:
    """One published piece, normalised. Its copies in several feeds are one item with several appearances.

    `key` is its identity within the feed ("g:" guid, "l:" link, "h:" content hash; see feeds/dedupe.py).
    `id` is 0 until it is stored; `feed` is the name of the feed that had it first, `publisher` that feed's title.
    """

    key: str
    title: str
    link: str | None
    canonical_link: str | None
    summary: str
    published_at: datetime
    content_hash: str
    id: int = 0
    feed: str = ""
    publisher: str = ""
    arrived_at: datetime | None = None
    date_rule: str = "given"
    """Where published_at comes from: "given", "updated", "arrival" (missing or absurd) or "future" (then arrival)."""
    updated_at: datetime | None = None
    summary_html: str = ""
    content_html: str = ""
    language: str | None = None
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    media: tuple[Media, ...] = ()
    full_text: str = ""
    """Plain text of the page behind the link, where the feed asks for it; where markup is left out, only its beginning."""

    @property
    def body(self) -> str:
        """What there is to read: the full text when it says more than the summary."""
        return self.full_text if len(self.full_text) > len(self.summary) else self.summary


@dataclass(frozen=True, slots=True)
class ReadItems:
    """The items of a document, without those that stand there as they did last time (`same` tells how many)."""

    items: tuple[Item, ...] = ()
    same: int = 0
    guids_hold: bool = False
    """Whether one of those has a guid and a link, so that the feed has not changed all its guids."""
    shown: bytes = b""
    """By what the next poll finds those that stay (feeds/sift.py); empty where two items have a key, a link or words in common."""
