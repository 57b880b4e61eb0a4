"""EDGE: the full-text index over titles and summaries (SQLite's FTS5), kept in the transaction that writes the items."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DatabaseError

from aggregator.store import tables as t
from aggregator.store.query import parse_query, to_fts5
from aggregator.store.rows import chunks

_ADD = text("INSERT INTO items_fts (rowid, title, summary) VALUES (:id, :title, :summary)")
_ADD_FROM = text("INSERT INTO items_fts (rowid, title, summary) SELECT id, title, summary FROM items WHERE id >= :first ORDER BY id")
# an external-content index must be told the old words to take them out (sqlite.org/fts5.html section 4.4.3)
_REMOVE = text("INSERT INTO items_fts (items_fts, rowid, title, summary) VALUES ('delete', :id, :title, :summary)")
# a word in the title weighs as three in the summary
_FIND = text(
    "SELECT found.id, found.score, items.published_at FROM"
    " (SELECT rowid AS id, -bm25(items_fts, 3.0, 1.0) AS score FROM items_fts"
    " WHERE items_fts MATCH :expression ORDER BY score DESC LIMIT :limit)"
    " AS found JOIN items ON items.id = found.id"
).columns(id=t.items.c.id.type, published_at=t.items.c.published_at.type)

CANDIDATES = 500
"""The best by words alone; freshness orders among them."""
FRESH_SHARE, FRESH_DAYS = 1.0, 14.0
"""An item as new as the newest found counts double, one that is 14 days older 1.37 times, a very old one once."""


def add_to_index(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    """Rows with id, title, summary."""
    if rows:
        connection.execute(_ADD, [_words(row) for row in rows])


def add_new_to_index(connection: Connection, first: int) -> None:
    """All items from the id `first` on, none of which is in the index."""
    connection.execute(_ADD_FROM, {"first": first})


def remove_from_index(connection: Connection, ids: Iterable[int]) -> None:
    """Must run before the items' texts change or go away."""
    for part in chunks(ids):
        query = select(t.items.c.id, t.items.c.title, t.items.c.summary).where(t.items.c.id.in_(part))
        old = [dict(row._mapping) for row in connection.execute(query)]
        if old:
            connection.execute(_REMOVE, old)


def _words(row: dict[str, object]) -> dict[str, object]:
    return {name: row[name] for name in ("id", "title", "summary")}


def find(connection: Connection, query: str, limit: int) -> list[int]:
    """Ids of the items that hold all wanted terms and no unwanted one, best first: BM25, times a bonus for the fresh."""
    expression = to_fts5(parse_query(query))
    if expression is None or limit < 1:
        return []
    found = connection.execute(_FIND, {"expression": expression, "limit": max(CANDIDATES, limit)}).all()
    if not found:
        return []
    newest = max(row.published_at for row in found)
    ranked = sorted(found, key=lambda row: (-row.score * _freshness(row.published_at, newest), row.id))
    return [row.id for row in ranked[:limit]]


def _freshness(published_at: datetime, newest: datetime) -> float:
    days = (newest - published_at).total_seconds() / 86_400
    return 1 + FRESH_SHARE * math.exp(-days / FRESH_DAYS)


def index_is_whole(connection: Connection) -> bool:
    """Whether the index says the same as the items' texts."""
    try:
        connection.execute(text("INSERT INTO items_fts (items_fts, rank) VALUES ('integrity-check', 1)"))
    except DatabaseError as error:
        if "malformed" in str(error.orig) or "corrupt" in str(error.orig):
            return False
        raise
    return True


def rebuild_index(connection: Connection) -> None:
    connection.execute(text("INSERT INTO items_fts (items_fts) VALUES ('rebuild')"))


def tidy_index(connection: Connection) -> None:
    """Merge the index's segments: after much deleting it is smaller and faster."""
    connection.execute(text("INSERT INTO items_fts (items_fts) VALUES ('optimize')"))
