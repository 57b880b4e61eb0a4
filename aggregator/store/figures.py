"""EDGE: figures about what feeds brought: where each item stood, and what its markup links to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import select

from aggregator.store import tables as t
from aggregator.store.engine import Database

PORTION = 2_000


class Figures:
    """Reads only. Items count by their arrival in (from_at, to_at]."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def appearances(self, from_at: datetime, to_at: datetime) -> list[tuple[int, str]]:
        """(item id, feed name) for each feed that an item stood in."""
        i = t.items.c
        query = (
            select(t.appearances.c.item_id, t.feeds.c.name)
            .join(t.items, i.id == t.appearances.c.item_id)
            .join(t.feeds, t.feeds.c.id == t.appearances.c.feed_id)
            .where(i.arrived_at > from_at, i.arrived_at <= to_at)
            .order_by(t.appearances.c.item_id, t.feeds.c.name)
        )
        with self._db.reading() as connection:
            return [(row[0], row[1]) for row in connection.execute(query)]

    def markup(self, from_at: datetime, to_at: datetime) -> Iterator[tuple[str, str, str]]:
        """(feed name, title, summary and content as HTML) of each item that links somewhere, in portions."""
        i, last = t.items.c, 0
        links = i.summary_html.contains("href=") | i.content_html.contains("href=")
        while True:
            query = (
                select(i.id, t.feeds.c.name, i.title, i.summary_html, i.content_html)
                .join(t.feeds)
                .where(i.arrived_at > from_at, i.arrived_at <= to_at, links, i.id > last)
                .order_by(i.id)
                .limit(PORTION)
            )
            with self._db.reading() as connection:
                rows = connection.execute(query).all()
            for row in rows:
                yield row[1], row[2], f"{row[3]}\n{row[4]}"
            if not rows:
                return
            last = rows[-1][0]
