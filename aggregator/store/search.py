"""EDGE: the full-text index over titles and summaries, kept in the transaction that writes the items, and what it finds.

Each kind of database has its own index (fts5.py, tsvector.py); what is asked and how the finds are ordered is the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from aggregator.store.query import Query, parse_query
from aggregator.store.scores import Found

CANDIDATES = 500
"""The best by words alone; freshness orders among them."""
FRESH_SHARE, FRESH_DAYS = 1.0, 14.0
"""An item as new as the newest found counts double, one that is 14 days older 1.37 times, a very old one once."""


class WordIndex(Protocol):
    """What a kind of database does about words."""

    def add(self, connection: Connection, rows: Sequence[dict[str, object]]) -> None: ...

    def add_new(self, connection: Connection, rows: Sequence[dict[str, object]]) -> None: ...

    def remove(self, connection: Connection, ids: Iterable[int]) -> None: ...

    def find(self, connection: Connection, query: Query, limit: int) -> list[Found]: ...

    def is_whole(self, connection: Connection) -> bool: ...

    def rebuild(self, connection: Connection) -> None: ...

    def tidy(self, connection: Connection) -> None: ...


def _index(connection: Connection) -> WordIndex:
    if connection.dialect.name == "postgresql":
        from aggregator.store import tsvector

        return tsvector
    from aggregator.store import fts5

    return fts5


def add_to_index(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    """Rows with id, title, summary."""
    if rows:
        _index(connection).add(connection, rows)


def add_new_to_index(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    """The newest items: all there are from the first row's id on, none of which is in the index."""
    if rows:
        _index(connection).add_new(connection, rows)


def remove_from_index(connection: Connection, ids: Iterable[int]) -> None:
    """Must run before the items' texts change or go away."""
    _index(connection).remove(connection, ids)


def find(connection: Connection, query: str, limit: int) -> list[int]:
    """Ids of the items that hold all wanted terms and no unwanted one, best first: BM25, times a bonus for the fresh."""
    asked = parse_query(query)
    if not asked.wanted or limit < 1:
        return []
    found = _index(connection).find(connection, asked, max(CANDIDATES, limit))
    if not found:
        return []
    newest = max(each.published_at for each in found)
    ranked = sorted(found, key=lambda each: (-each.score * _freshness(each.published_at, newest), each.id))
    return [each.id for each in ranked[:limit]]


def _freshness(published_at: datetime, newest: datetime) -> float:
    days = (newest - published_at).total_seconds() / 86_400
    return 1 + FRESH_SHARE * math.exp(-days / FRESH_DAYS)


def index_is_whole(connection: Connection) -> bool:
    """Whether the index says the same as the items' texts."""
    return _index(connection).is_whole(connection)


def rebuild_index(connection: Connection) -> None:
    _index(connection).rebuild(connection)


def tidy_index(connection: Connection) -> None:
    """Make the index small and fast after much deleting."""
    _index(connection).tidy(connection)
