"""EDGE: the items: stored once with all their appearances, searched, waiting to be sorted into stories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import bindparam, func, select, update

from aggregator.model import Appearance, ArchivedItem, Ingested, Item, Polled
from aggregator.store import shown
from aggregator.store import tables as t
from aggregator.store.engine import Database, Guard
from aggregator.store.feeds import write_states
from aggregator.store.intake import take_in
from aggregator.store.rows import HTML_FIELDS, ITEM_FIELDS, ITEMS_WITH_FEEDS, chunks, insert_missing, item_of, item_with_html
from aggregator.store.search import find

_TEXT_ONLY = select(*ITEM_FIELDS).select_from(ITEMS_WITH_FEEDS)
_WHOLE = select(*ITEM_FIELDS, *HTML_FIELDS).select_from(ITEMS_WITH_FEEDS)

_SHOWN = t.appearances.join(t.items, t.appearances.c.item_id == t.items.c.id).join(t.feeds, t.appearances.c.feed_id == t.feeds.c.id)
_KNOWN_LINKS = (
    select(t.items.c.canonical_link, t.appearances.c.key)
    .select_from(_SHOWN)
    .where(t.feeds.c.name == bindparam("feed"), t.items.c.canonical_link.in_(bindparam("links", expanding=True)))
    .order_by(t.appearances.c.seen_at, t.appearances.c.key)
)


class Items:
    """Implements ports.ItemStore.

    `unsorted` and `history` leave out summary_html and content_html: grouping reads text only, and the markup of a
    month would fill the memory.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def known_links(self, feed: str, links: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        if not links:
            return found
        with self._db.reading() as connection:
            for part in chunks(set(links)):
                found |= {link: key for link, key in connection.execute(_KNOWN_LINKS, {"feed": feed, "links": part})}  # noqa: C416
        return found

    def ingest(self, polls: Sequence[Polled], now: datetime) -> list[Ingested]:
        """See ports.ItemStore. Raises NotFoundError for a feed without a row; then none of them is stored."""
        with self._db.writing(Guard.ITEMS) as connection:
            write_states(connection, [(poll.state, poll.publisher) for poll in polls])
            taken = take_in(connection, [[(poll.state.id, item) for item in poll.items] for poll in polls], now)
            shown.save(connection, polls, taken.showing_pruned)
            return taken.done

    def shown(self, feed_id: int) -> bytes:
        with self._db.reading() as connection:
            return shown.load(connection, feed_id)

    def take_archive(self, batch: Sequence[ArchivedItem], now: datetime) -> Ingested:
        """Store items of any feeds in one transaction, without touching the feeds' states. Else as `ingest`."""
        with self._db.writing(Guard.ITEMS) as connection:
            taken = take_in(connection, [[(each.feed_id, each.item) for each in batch]], now)
            done = taken.done[0]
            new = set(done.new)
            more, titles = [], []
            for each in batch:
                id_ = taken.ids.get((each.feed_id, each.item.key))
                if id_ is not None:
                    more += [{"feed_id": f, "key": k, "item_id": id_, "link": link, "seen_at": at} for f, k, link, at in each.appearances]
                if id_ in new:
                    titles += [{"item_id": id_, "title": title, "replaced_at": at} for title, at in each.titles]
            insert_missing(connection, t.appearances, more)
            if titles:
                connection.execute(t.item_titles.insert(), titles)
        return done

    def history(self, from_at: datetime, to_at: datetime) -> list[tuple[Item, int]]:
        query = (
            select(*ITEM_FIELDS, t.memberships.c.story_id)
            .select_from(ITEMS_WITH_FEEDS.join(t.memberships, t.memberships.c.item_id == t.items.c.id))
            .where(t.items.c.published_at > from_at, t.items.c.published_at <= to_at)
            .order_by(t.items.c.published_at, t.items.c.id)
        )
        with self._db.reading() as connection:
            return [(item_of(row), row[-1]) for row in connection.execute(query)]

    def unsorted(self, limit: int | None = None) -> list[Item]:
        query = (
            _TEXT_ONLY.join(t.unsorted_items, t.unsorted_items.c.item_id == t.items.c.id)
            .order_by(t.items.c.published_at, func.coalesce(t.items.c.link, ""), t.items.c.id)
            .limit(limit)
        )
        with self._db.reading() as connection:
            return [item_of(row) for row in connection.execute(query)]

    def get(self, ids: Sequence[int]) -> list[Item]:
        found: dict[int, Item] = {}
        with self._db.reading() as connection:
            for part in chunks(set(ids)):
                found |= {row.id: item_with_html(row) for row in connection.execute(_WHOLE.where(t.items.c.id.in_(part)))}
        return [found[id_] for id_ in ids if id_ in found]

    def lacking_full_text(self, feeds: Sequence[str], since: datetime, limit: int) -> list[Item]:
        """See ports.ItemStore."""
        found: list[Item] = []
        i = t.items.c
        query = (
            _TEXT_ONLY.where(t.feeds.c.name == bindparam("feed"), i.arrived_at >= since, i.full_text.is_(None), i.link.is_not(None))
            .order_by(i.published_at.desc(), i.id.desc())
            .limit(limit)
        )
        with self._db.reading() as connection:
            for feed in feeds:
                found += [item_of(row) for row in connection.execute(query, {"feed": feed})]
        return found

    def save_full_text(self, item_id: int, text: str) -> None:
        with self._db.writing() as connection:
            connection.execute(update(t.items).where(t.items.c.id == item_id).values(full_text=text))

    def appearances(self, item_id: int) -> list[Appearance]:
        """Oldest first."""
        return self.appearances_of([item_id]).get(item_id, [])

    def appearances_of(self, ids: Sequence[int]) -> dict[int, list[Appearance]]:
        """The appearances of many items, by item."""
        a = t.appearances.c
        query = (
            select(a.item_id, t.feeds.c.name, a.key, a.link, a.seen_at)
            .select_from(t.appearances.join(t.feeds, t.feeds.c.id == a.feed_id))
            .order_by(a.seen_at, t.feeds.c.id, a.key)
        )
        found: dict[int, list[Appearance]] = {}
        with self._db.reading() as connection:
            for part in chunks(ids):
                for row in connection.execute(query.where(a.item_id.in_(part))):
                    found.setdefault(row.item_id, []).append(Appearance(*row))
        return found

    def titles(self, item_id: int) -> list[tuple[str, datetime]]:
        """The moment of each is when it was replaced."""
        return self.titles_of([item_id]).get(item_id, [])

    def titles_of(self, ids: Sequence[int]) -> dict[int, list[tuple[str, datetime]]]:
        """The earlier titles of many items, by item."""
        h = t.item_titles.c
        query = select(h.item_id, h.title, h.replaced_at).order_by(h.replaced_at, h.id)
        found: dict[int, list[tuple[str, datetime]]] = {}
        with self._db.reading() as connection:
            for part in chunks(ids):
                for item_id, title, at in connection.execute(query.where(h.item_id.in_(part))):
                    found.setdefault(item_id, []).append((title, at))
        return found

    def search(self, query: str, limit: int = 20) -> list[Item]:
        """Items with all the words, best first: words, "phrases", -unwanted and prefix*. Any text is a valid query."""
        with self._db.reading() as connection:
            ids = find(connection, query, limit)
        return self.get(ids)

    def export(self) -> Iterator[Item]:
        """All items whole, in the order of their ids, read in portions so that memory does not grow with the archive."""
        last = 0
        while True:
            with self._db.reading() as connection:
                rows = connection.execute(_WHOLE.where(t.items.c.id > last).order_by(t.items.c.id).limit(1000)).all()
            if not rows:
                return
            yield from map(item_with_html, rows)
            last = rows[-1].id
