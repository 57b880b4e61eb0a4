"""EDGE: the tables as SQLAlchemy describes them; migrations/ holds how a database got there (a test compares the two)."""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    event,
    text,
)

from aggregator.model import Media, Membership, PollHints, Story
from aggregator.store.types import Moment, Record

metadata = MetaData()

# BIGINT would not become the rowid in SQLite
_Id = BigInteger().with_variant(Integer, "sqlite")
# PostgreSQL orders texts by the rules of a language unless told otherwise, and stories depend on the order of links
_String = String().with_variant(String(collation="C"), "postgresql")
_Text = Text().with_variant(Text(collation="C"), "postgresql")
_WORDS = tuple[str, ...]


def _cascade(target: str) -> ForeignKey:
    return ForeignKey(target, ondelete="CASCADE")


meta = Table(
    "meta",
    metadata,
    Column("key", _String, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
"""Counters: next_item, next_story, next_topic, next_position (ids are never given twice, also after a prune), revision."""

COUNTERS = {"next_item": 1, "next_story": 1, "next_topic": 1, "next_position": 1, "revision": 0}

feeds = Table(
    "feeds",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", _String, nullable=False, unique=True),
    Column("url", _String, nullable=False),
    Column("fetch_url", _String, nullable=False),
    Column("publisher", _String, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("subscribed", Boolean, nullable=False),
    Column("title", _String),
    Column("link", _String),
    Column("language", _String),
    Column("etag", _String),
    Column("last_modified", _String),
    Column("validators_at", Moment),
    Column("hints", Record(PollHints, PollHints)),
    Column("body_hash", _String),
    Column("identity", _String, nullable=False),
    Column("last_attempt_at", Moment),
    Column("last_success_at", Moment),
    Column("next_poll_at", Moment),
    Column("reason", _String, nullable=False),
    Column("error", _String),
    Column("error_since_at", Moment),
    Column("warning", _String),
    Column("streak", Integer, nullable=False),
    Column("retry_after_at", Moment),
    Column("gone", Boolean, nullable=False),
    Column("items_per_day", Float),
    # who polls it now, and until when that holds; "queue" while it waits for a worker (claims.py)
    Column("claimed_by", _String, index=True),
    Column("claimed_until", Moment),
    # PostgreSQL puts at most 2,704 bytes into a B-tree, and addresses may be longer
    Index("ix_feeds_url", "url", postgresql_using="hash"),
)

shown = Table(
    "shown",
    metadata,
    Column("feed_id", _Id, _cascade("feeds.id"), primary_key=True),
    Column("entries", LargeBinary, nullable=False),
)
"""What each feed's last document showed (shown.py); apart from `feeds`, which is read whole for each round."""

hosts = Table(
    "hosts",
    metadata,
    Column("host", _String, primary_key=True),
    Column("not_before_at", Moment, nullable=False),
)

items = Table(
    "items",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("feed_id", _Id, ForeignKey("feeds.id"), nullable=False),
    Column("key", _String, nullable=False),
    Column("content_hash", _String, nullable=False),
    Column("published_at", Moment, nullable=False, index=True),
    Column("arrived_at", Moment, nullable=False, index=True),
    Column("updated_at", Moment),
    Column("date_rule", _String, nullable=False),
    Column("language", _String),
    Column("title", _Text, nullable=False),
    Column("link", _Text),
    Column("canonical_link", _Text),
    Column("summary", _Text, nullable=False),
    Column("authors", Record(_WORDS, tuple)),
    Column("categories", Record(_WORDS, tuple)),
    Column("media", Record(tuple[Media, ...], tuple)),
    # the large ones last: SQLite then reads the others without touching overflow pages
    Column("summary_html", _Text, nullable=False),
    Column("content_html", _Text, nullable=False),
    # NULL until its page was asked for; empty when no text came of it
    Column("full_text", _Text),
    Index("ix_items_canonical_link", "canonical_link", postgresql_using="hash"),
)

KEY_HASH = text("(md5(key)::uuid)")
"""What PostgreSQL's index of appearances holds instead of a key, which may be too long for it."""

appearances = Table(
    "appearances",
    metadata,
    Column("feed_id", _Id, ForeignKey("feeds.id"), nullable=False),
    Column("key", _String, nullable=False),
    # NULL once the item was pruned: the feed may go on showing it, and it must not come back as new
    Column("item_id", _Id, ForeignKey("items.id", ondelete="SET NULL"), index=True),
    Column("link", _Text),
    Column("seen_at", Moment, nullable=False),
    PrimaryKeyConstraint("feed_id", "key").ddl_if(dialect="sqlite"),
    Index("ix_appearances_feed_id_key", "feed_id", KEY_HASH, unique=True).ddl_if(dialect="postgresql"),
    sqlite_with_rowid=False,
)

item_titles = Table(
    "item_titles",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("item_id", _Id, _cascade("items.id"), nullable=False, index=True),
    Column("title", _Text, nullable=False),
    Column("replaced_at", Moment, nullable=False),
)

unsorted_items = Table(
    "unsorted_items",
    metadata,
    Column("item_id", _Id, _cascade("items.id"), primary_key=True),
)
"""The queue of items that are in no story yet: finding them does not grow with the archive."""

topics = Table(
    "topics",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("label", _Text, nullable=False),
    Column("keywords", Record(_WORDS, tuple)),
    Column("first_published_at", Moment),
    Column("last_published_at", Moment, index=True),
    Column("story_count", Integer, nullable=False),
    Column("threshold", Float, nullable=False),
    Column("profile", Record(dict[str, float], dict)),
)

stories = Table(
    "stories",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("topic_id", _Id, ForeignKey("topics.id", ondelete="SET NULL"), index=True),
    Column("first_published_at", Moment, nullable=False),
    Column("last_published_at", Moment, nullable=False, index=True),
    Column("item_count", Integer, nullable=False),
    Column("sources", Integer, nullable=False),
    Column("language", _String),
    Column("title", _Text, nullable=False),
    Column("brief", _Text, nullable=False),
    Column("keywords", Record(_WORDS, tuple)),
    Column("related", Record(tuple[int, ...], tuple)),
)

memberships = Table(
    "memberships",
    metadata,
    Column("item_id", _Id, _cascade("items.id"), primary_key=True),
    Column("story_id", _Id, ForeignKey("stories.id"), nullable=False, index=True),
    Column("position", BigInteger, nullable=False),
    Column("score", Float, nullable=False),
    Column("threshold", Float, nullable=False),
    Column("rule", _String, nullable=False),
    Column("copy_of", _Id),
    Column("nearest", Record(tuple[tuple[int, float], ...], tuple)),
    Column("terms", Record(tuple[tuple[str, float], ...], tuple)),
)
"""`position` is the order of assignment; it stays when a repair moves the item."""

story_redirects = Table(
    "story_redirects",
    metadata,
    Column("old_id", _Id, primary_key=True, autoincrement=False),
    Column("story_id", _Id, _cascade("stories.id"), nullable=False, index=True),
)

topic_redirects = Table(
    "topic_redirects",
    metadata,
    Column("old_id", _Id, primary_key=True, autoincrement=False),
    Column("topic_id", _Id, _cascade("topics.id"), nullable=False, index=True),
)

corrections = Table(
    "corrections",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("verb", _String, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("story_ids", Record(tuple[int, ...], tuple)),
    Column("memberships", Record(tuple[Membership, ...], tuple)),
    Column("stories", Record(tuple[Story, ...], tuple)),
    Column("redirects", Record(tuple[tuple[int, int], ...], tuple)),
)
"""What people put right; `memberships`, `stories` and `redirects` are what it changed, as it was."""

correction_items = Table(
    "correction_items",
    metadata,
    Column("correction_id", _Id, _cascade("corrections.id"), nullable=False),
    Column("item_id", _Id, _cascade("items.id"), nullable=False, index=True),
    Column("role", _String, nullable=False),
    PrimaryKeyConstraint("correction_id", "item_id"),
)
"""`role`: placed, beside or against. Sets of items, not pairs: whichever is pruned, the rest still says what it said."""

marks = Table(
    "marks",
    metadata,
    Column("kind", _String, nullable=False),
    Column("target_id", BigInteger, nullable=False),
    Column("stance", _String, nullable=False),
    Column("made_at", Moment, nullable=False),
    PrimaryKeyConstraint("kind", "target_id"),
)
"""`target_id` of `kind` topic, story or item; no foreign key, since redirects outlive what they lead from."""

digests = Table(
    "digests",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", _String, nullable=False),
    Column("from_at", Moment, nullable=False),
    Column("to_at", Moment, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("format", _String, nullable=False),
    # item ids grow in the order of storing: no item can come into this range later
    Column("after_item", BigInteger),
    Column("up_to_item", BigInteger, nullable=False, server_default="0"),
    Column("story_ids", Record(tuple[int, ...], tuple)),
    Index("ix_digests_name_to_at", "name", "to_at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("digest_id", _Id, _cascade("digests.id"), nullable=False, index=True),
    Column("key", _String, nullable=False, unique=True),
    Column("target", _String, nullable=False),
    Column("zone", _String, nullable=False),
    Column("parts", Record(dict[str, str], dict)),
    Column("place", _Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", Moment),
    Column("delivered_at", Moment, index=True),
    Column("error", _Text),
)
"""The outbox: written in the same transaction as its digest; `parts` are emptied once they were delivered."""

leases = Table(
    "leases",
    metadata,
    Column("name", _String, primary_key=True),
    Column("holder", _String, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("expires_at", Moment, nullable=False),
)
"""What one process at a time may do (leases.py); `token` grows with each holder. Times are the database's own."""

workers = Table(
    "workers",
    metadata,
    Column("name", _String, primary_key=True),
    Column("queues", Record(_WORDS, tuple)),
    Column("started_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("doing", _String, nullable=False),
    Column("done", Record(dict[str, int], dict)),
)
"""Processes that take tasks: a row is written again and again while one lives."""

# No triggers keep the index: filling it by them costs 7.7 times as much as a batch (search.py does it, in the same transaction).
FTS_TABLE = (
    "CREATE VIRTUAL TABLE items_fts USING fts5"
    "(title, summary, content='items', content_rowid='id', tokenize='unicode61 remove_diacritics 2')"
)
# By itself FTS5 merges whenever four segments are of one size. To wait for sixteen halves what a first fetch writes, and ten queries over
# 40,000 items take 7.1 instead of 6.8 ms. The setting lies in the database; older ones get it with `db vacuum`.
FTS_MERGE = "INSERT INTO items_fts (items_fts, rank) VALUES ('automerge', 16)"
WORDS_TABLE = (
    "CREATE TABLE items_fts"
    " (item_id BIGINT PRIMARY KEY REFERENCES items (id) ON DELETE CASCADE, words TSVECTOR NOT NULL, size INTEGER NOT NULL)",
    "CREATE INDEX ix_items_fts_words ON items_fts USING gin (words)",
)
for _dialect, _statement in (("sqlite", FTS_TABLE), ("sqlite", FTS_MERGE), *(("postgresql", each) for each in WORDS_TABLE)):
    event.listen(metadata, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]
