"""EDGE: the first schema. Written out, not taken from tables.py: a migration must not change when the tables do."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# the order of texts is that of their bytes on every kind of database
_STRING = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_COUNTERS = {"next_item": 1, "next_story": 1, "next_topic": 1, "next_position": 1, "revision": 0}


def upgrade() -> None:
    meta = op.create_table("meta", sa.Column("key", _STRING, primary_key=True), sa.Column("value", sa.BigInteger, nullable=False))
    op.bulk_insert(meta, [{"key": key, "value": value} for key, value in _COUNTERS.items()])
    _feeds()
    _items()
    _beside_items()
    _stories()
    _redirects_and_digests()
    if _on_postgresql():
        op.execute(
            "CREATE TABLE items_fts"
            " (item_id BIGINT PRIMARY KEY REFERENCES items (id) ON DELETE CASCADE, words TSVECTOR NOT NULL, size INTEGER NOT NULL)"
        )
        op.execute("CREATE INDEX ix_items_fts_words ON items_fts USING gin (words)")
    else:
        op.execute(
            "CREATE VIRTUAL TABLE items_fts USING fts5"
            "(title, summary, content='items', content_rowid='id', tokenize='unicode61 remove_diacritics 2')"
        )


def _on_postgresql() -> bool:
    return bool(op.get_bind().dialect.name == "postgresql")


def _number() -> Any:
    return sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _some(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _maybe(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind)


def _key(name: str = "id", **more: Any) -> sa.Column[Any]:
    return sa.Column(name, _number(), primary_key=True, **more)


def _reference(name: str, target: str, *, nullable: bool = False, ondelete: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, _number(), sa.ForeignKey(target, ondelete=ondelete), nullable=nullable)


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def _feeds() -> None:
    op.create_table(
        "feeds",
        _key(),
        sa.Column("name", _STRING, nullable=False, unique=True),
        _some("url", _STRING),
        _some("fetch_url", _STRING),
        _some("publisher", _STRING),
        _some("created_at", sa.BigInteger),
        _some("subscribed", sa.Boolean),
        _maybe("title", _STRING),
        _maybe("link", _STRING),
        _maybe("language", _STRING),
        _maybe("etag", _STRING),
        _maybe("last_modified", _STRING),
        _maybe("validators_at", sa.BigInteger),
        _maybe("hints", sa.Text),
        _maybe("body_hash", _STRING),
        _some("identity", _STRING),
        _maybe("last_attempt_at", sa.BigInteger),
        _maybe("last_success_at", sa.BigInteger),
        _maybe("next_poll_at", sa.BigInteger),
        _some("reason", _STRING),
        _maybe("error", _STRING),
        _maybe("error_since_at", sa.BigInteger),
        _maybe("warning", _STRING),
        _some("streak", sa.Integer),
        _maybe("retry_after_at", sa.BigInteger),
        _some("gone", sa.Boolean),
        _maybe("items_per_day", sa.Float),
    )
    op.create_index("ix_feeds_url", "feeds", ["url"], postgresql_using="hash")
    op.create_table("hosts", sa.Column("host", _STRING, primary_key=True), _some("not_before_at", sa.BigInteger))


def _items() -> None:
    op.create_table(
        "items",
        _key(),
        _reference("feed_id", "feeds.id"),
        _some("key", _STRING),
        _some("content_hash", _STRING),
        _some("published_at", sa.BigInteger),
        _some("arrived_at", sa.BigInteger),
        _maybe("updated_at", sa.BigInteger),
        _some("date_rule", _STRING),
        _maybe("language", _STRING),
        _some("title", _TEXT),
        _maybe("link", _TEXT),
        _maybe("canonical_link", _TEXT),
        _some("summary", _TEXT),
        _maybe("authors", sa.Text),
        _maybe("categories", sa.Text),
        _maybe("media", sa.Text),
        _some("summary_html", _TEXT),
        _some("content_html", _TEXT),
    )
    _index("items", "published_at")
    _index("items", "arrived_at")
    op.create_index("ix_items_canonical_link", "items", ["canonical_link"], postgresql_using="hash")


def _beside_items() -> None:
    op.create_table(
        "appearances",
        _reference("feed_id", "feeds.id"),
        _some("key", _STRING),
        _reference("item_id", "items.id", nullable=True, ondelete="SET NULL"),
        _maybe("link", _TEXT),
        _some("seen_at", sa.BigInteger),
        *([] if _on_postgresql() else [sa.PrimaryKeyConstraint("feed_id", "key")]),  # a key may be too long for a B-tree there
        sqlite_with_rowid=False,
    )
    if _on_postgresql():
        op.create_index("ix_appearances_feed_id_key", "appearances", ["feed_id", sa.text("(md5(key)::uuid)")], unique=True)
    _index("appearances", "item_id")
    op.create_table(
        "item_titles",
        _key(),
        _reference("item_id", "items.id", ondelete="CASCADE"),
        _some("title", _TEXT),
        _some("replaced_at", sa.BigInteger),
    )
    _index("item_titles", "item_id")
    op.create_table("unsorted_items", sa.Column("item_id", _number(), sa.ForeignKey("items.id", ondelete="CASCADE"), primary_key=True))


def _stories() -> None:
    op.create_table(
        "topics",
        _key(),
        _some("label", _TEXT),
        _maybe("keywords", sa.Text),
        _maybe("first_published_at", sa.BigInteger),
        _maybe("last_published_at", sa.BigInteger),
        _some("story_count", sa.Integer),
        _some("threshold", sa.Float),
        _maybe("profile", sa.Text),
    )
    _index("topics", "last_published_at")
    op.create_table(
        "stories",
        _key(),
        _reference("topic_id", "topics.id", nullable=True, ondelete="SET NULL"),
        _some("first_published_at", sa.BigInteger),
        _some("last_published_at", sa.BigInteger),
        _some("item_count", sa.Integer),
        _some("sources", sa.Integer),
        _maybe("language", _STRING),
        _some("title", _TEXT),
        _some("brief", _TEXT),
        _maybe("keywords", sa.Text),
        _maybe("related", sa.Text),
    )
    _index("stories", "topic_id")
    _index("stories", "last_published_at")
    op.create_table(
        "memberships",
        sa.Column("item_id", _number(), sa.ForeignKey("items.id", ondelete="CASCADE"), primary_key=True),
        _reference("story_id", "stories.id"),
        _some("position", sa.BigInteger),
        _some("score", sa.Float),
        _some("threshold", sa.Float),
        _some("rule", _STRING),
        _maybe("copy_of", _number()),
        _maybe("nearest", sa.Text),
        _maybe("terms", sa.Text),
    )
    _index("memberships", "story_id")


def _redirects_and_digests() -> None:
    for table, column, target in (("story_redirects", "story_id", "stories.id"), ("topic_redirects", "topic_id", "topics.id")):
        op.create_table(table, _key("old_id", autoincrement=False), _reference(column, target, ondelete="CASCADE"))
        _index(table, column)
    op.create_table(
        "digests",
        _key(),
        _some("name", _STRING),
        _some("from_at", sa.BigInteger),
        _some("to_at", sa.BigInteger),
        _some("delivered_at", sa.BigInteger),
        _some("format", _STRING),
    )
    _index("digests", "name", "to_at")
