"""EDGE: the full-text index of SQLite (FTS5): an external-content table over the items' titles and summaries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DatabaseError

from aggregator.store import tables as t
from aggregator.store.query import Query, to_fts5
from aggregator.store.rows import chunks
from aggregator.store.scores import Found

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


def add(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    connection.execute(_ADD, [{name: row[name] for name in ("id", "title", "summary")} for row in rows])


def add_new(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    connection.execute(_ADD_FROM, {"first": rows[0]["id"]})  # ids only grow: the rows are all items from there on


def remove(connection: Connection, ids: Iterable[int]) -> None:
    for part in chunks(ids):
        query = select(t.items.c.id, t.items.c.title, t.items.c.summary).where(t.items.c.id.in_(part))
        old = [dict(row._mapping) for row in connection.execute(query)]
        if old:
            connection.execute(_REMOVE, old)


def find(connection: Connection, query: Query, limit: int) -> list[Found]:
    rows = connection.execute(_FIND, {"expression": to_fts5(query), "limit": limit})
    return [Found(row.id, row.score, row.published_at) for row in rows]


def is_whole(connection: Connection) -> bool:
    try:
        connection.execute(text("INSERT INTO items_fts (items_fts, rank) VALUES ('integrity-check', 1)"))
    except DatabaseError as error:
        if "malformed" in str(error.orig) or "corrupt" in str(error.orig):
            return False
        raise
    return True


def rebuild(connection: Connection) -> None:
    connection.execute(text("INSERT INTO items_fts (items_fts) VALUES ('rebuild')"))


def tidy(connection: Connection) -> None:
    """Merge the index's segments: after much deleting it is smaller and faster."""
    connection.execute(text(t.FTS_MERGE))
    connection.execute(text("INSERT INTO items_fts (items_fts) VALUES ('optimize')"))
