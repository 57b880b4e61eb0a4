"""EDGE: what storing a batch of a feed's items does: which are new, which are edits, which only appear again.

    keys and links known? | decide for each item, in order | write items; from their rows appearances, queue and index

`decide` rules, first that fits: known key; known canonical link; new. It runs inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Connection, String, Uuid, bindparam, cast, exists, func, select, true, tuple_, update

from aggregator.model import Ingested, Item
from aggregator.store import tables as t
from aggregator.store.rows import chunks, counter, insert_many, raise_counter
from aggregator.store.search import add_new_to_index, add_to_index, remove_from_index

_TEXTS = (
    *("title", "link", "canonical_link", "summary", "summary_html", "content_html", "content_hash"),
    *("language", "authors", "categories", "media"),
)
"""What an edit replaces. Not published_at: publishers re-date old pieces, and stories go by when a piece came out first."""
_EDIT = update(t.items).where(t.items.c.id == bindparam("item")).values({name: bindparam(name) for name in (*_TEXTS, "updated_at")})


def _hash(key: Any) -> Any:
    """As in the index (tables.KEY_HASH)."""
    return cast(func.md5(key), Uuid)


_a, _i = t.appearances.c, t.items.c
_HAVE_SHOWN = select(t.feeds.c.id).where(t.feeds.c.id.in_(bindparam("feeds", expanding=True)), exists().where(_a.feed_id == t.feeds.c.id))
_BY_KEY = (
    select(_a.feed_id, _a.key, _i.id, _i.feed_id, _i.content_hash, _i.title)
    .select_from(t.appearances.outerjoin(t.items))
    .where(tuple_(_a.feed_id, _a.key).in_(bindparam("keys", expanding=True)))
)
_BY_LINK = (
    select(_i.canonical_link, _i.id, _i.feed_id, _i.content_hash, _i.title)
    .where(_i.canonical_link.in_(bindparam("links", expanding=True)))
    .order_by(_i.id.desc())
)
_SHOWN_BY = select(_a.feed_id, _a.item_id).where(_a.item_id.in_(bindparam("ids", expanding=True)))
_FROM_FIRST = _i.id >= bindparam("first")
_QUEUE = t.unsorted_items.insert().from_select(["item_id"], select(_i.id).where(_FROM_FIRST))
_APPEAR = t.appearances.insert().from_select(
    ["feed_id", "key", "item_id", "link", "seen_at"], select(_i.feed_id, _i.key, _i.id, _i.link, _i.arrived_at).where(_FROM_FIRST)
)
# on PostgreSQL the same by the hash of a key, which is what the index holds there; key by key, since its planner would rather hash
# all the keys there are
_asked = (
    func.unnest(bindparam("feeds", type_=ARRAY(BigInteger)), bindparam("keys", type_=ARRAY(String)))
    .table_valued("feed", "key", name="asked")
    .render_derived()
)
_one = (
    select(_a.feed_id, _a.key, _a.item_id)
    .where(_a.feed_id == _asked.c.feed, _hash(_a.key) == _hash(_asked.c.key), _a.key == _asked.c.key)
    .limit(1)
    .lateral("one")
)
_BY_KEY_HASH = select(_one.c.feed_id, _one.c.key, _i.id, _i.feed_id, _i.content_hash, _i.title).select_from(
    _asked.join(_one, true()).outerjoin(t.items, _i.id == _one.c.item_id)
)
_STILL_SHOWN = (
    update(t.appearances)
    .where(t.appearances.c.feed_id == bindparam("feed"), t.appearances.c.key == bindparam("shown"))
    .values(seen_at=bindparam("at"))
)
_STILL_SHOWN_HASH = _STILL_SHOWN.where(_hash(t.appearances.c.key) == _hash(bindparam("shown")))


@dataclass(frozen=True, slots=True)
class _Known:
    """A stored item; `id` is None for one that was pruned."""

    id: int | None
    feed_id: int | None
    content_hash: str | None
    title: str | None


def take_in(connection: Connection, groups: Sequence[Sequence[tuple[int, Item]]], now: datetime) -> Taken:
    """Store what feeds show: groups (polls) of pairs of feed id and item, in order. Of a feed's items that are one, the first wins."""
    if connection.dialect.name == "postgresql":
        groups = [[(feed_id, _storable(item)) for feed_id, item in group] for group in groups]
    shown = [pair for group in groups for pair in group]
    if not shown:  # as in most rounds: nothing has changed
        return Taken([Ingested()] * len(groups), {}, set())
    batch = _look_up(connection, shown, now)
    done = []
    for group in groups:
        before = batch.counts()
        for feed_id, item in group:
            batch.decide(feed_id, item)
        done.append(batch.since(before))
    _write(connection, batch)
    return Taken(done, batch.ids, {row["feed"] for row in batch.pruned})


def _storable(item: Item) -> Item:
    """The item with the key and link that the database will give back: by these it is known again."""
    from aggregator.store.postgres import storable

    key, link = storable(item.key), item.canonical_link and storable(item.canonical_link)
    return item if key == item.key and link == item.canonical_link else replace(item, key=key, canonical_link=link)


@dataclass(frozen=True, slots=True)
class Taken:
    """What was stored of each group, which item each (feed id, key) is, and the feeds that still show pruned items."""

    done: list[Ingested]
    ids: dict[tuple[int, str], int]
    showing_pruned: set[int]


def _look_up(connection: Connection, shown: Sequence[tuple[int, Item]], now: datetime) -> _Batch:
    batch = _Batch(now, counter(connection, "next_item"))
    known_feeds = _with_appearances(connection, {feed_id for feed_id, _ in shown})
    batch.by_key = _by_key(connection, {(feed_id, item.key) for feed_id, item in shown if feed_id in known_feeds})
    links = {item.canonical_link for feed_id, item in shown if item.canonical_link and (feed_id, item.key) not in batch.by_key}
    batch.by_link = _by_link(connection, links)
    batch.here = _shown_by(connection, {known.id for known in batch.by_link.values()})
    return batch


def _with_appearances(connection: Connection, feeds: Iterable[int]) -> set[int]:
    """Those of the feeds that have shown something before: of the others no key need be looked up."""
    return {id_ for part in chunks(feeds) for id_ in connection.scalars(_HAVE_SHOWN, {"feeds": part})}


def _by_key(connection: Connection, keys: set[tuple[int, str]]) -> dict[tuple[int, str], _Known]:
    found: dict[tuple[int, str], _Known] = {}
    for part in chunks(keys):
        if connection.dialect.name == "postgresql":
            rows = connection.execute(_BY_KEY_HASH, {"feeds": [feed for feed, _ in part], "keys": [key for _, key in part]})
        else:
            rows = connection.execute(_BY_KEY, {"keys": part})
        found |= {(feed, key): _Known(id_, by, hash_, title) for feed, key, id_, by, hash_, title in rows}
    return found


def _by_link(connection: Connection, links: Iterable[str]) -> dict[str, _Known]:
    found: dict[str, _Known] = {}
    for part in chunks(links):
        rows = connection.execute(_BY_LINK, {"links": part})
        found |= {link: _Known(*known) for link, *known in rows}  # the oldest comes last and stays
    return found


def _shown_by(connection: Connection, ids: Iterable[int | None]) -> set[tuple[int, int]]:
    """(feed id, item id) of all appearances of these items."""
    found: set[tuple[int, int]] = set()
    for part in chunks(ids):
        found |= {(feed, item) for feed, item in connection.execute(_SHOWN_BY, {"ids": part})}
    return found


def _write(connection: Connection, batch: _Batch) -> None:
    run = connection.execute
    if batch.new:
        raise_counter(connection, "next_item", batch.next_id)
        insert_many(connection, t.items, batch.new)
        first = {"first": batch.new[0]["id"]}  # ids only grow, so these are all items from there on
        run(_QUEUE, first)
        run(_APPEAR, first)
        add_new_to_index(connection, batch.new)
    if batch.edits:
        remove_from_index(connection, batch.edits)
        run(_EDIT, list(batch.edits.values()))
        add_to_index(connection, [{"id": id_, **row} for id_, row in batch.edits.items()])
    if batch.titles:
        run(t.item_titles.insert(), batch.titles)
    if batch.appearances:
        run(t.appearances.insert(), batch.appearances)
    if batch.pruned:
        run(_STILL_SHOWN_HASH if connection.dialect.name == "postgresql" else _STILL_SHOWN, batch.pruned)


@dataclass
class _Batch:
    """The decisions, made on plain data. Each feed decides on each item once."""

    now: datetime
    next_id: int
    by_key: dict[tuple[int, str], _Known] = field(default_factory=dict)
    by_link: dict[str, _Known] = field(default_factory=dict)
    here: set[tuple[int, int]] = field(default_factory=set)
    new: list[dict[str, Any]] = field(default_factory=list)
    edits: dict[int, dict[str, Any]] = field(default_factory=dict)
    titles: list[dict[str, Any]] = field(default_factory=list)
    appearances: list[dict[str, Any]] = field(default_factory=list)
    appeared: list[int] = field(default_factory=list)
    pruned: list[dict[str, Any]] = field(default_factory=list)
    ids: dict[tuple[int, str], int] = field(default_factory=dict)
    known: int = 0
    _seen: set[tuple[int, str]] = field(default_factory=set)
    _touched: set[tuple[int, int]] = field(default_factory=set)

    def counts(self) -> tuple[int, int, int, int]:
        return len(self.new), len(self.edits), len(self.appeared), self.known

    def since(self, before: tuple[int, int, int, int]) -> Ingested:
        """What was decided since `counts` gave `before`."""
        new, edits, appeared, known = before
        return Ingested(
            new=tuple(row["id"] for row in self.new[new:]),
            edited=tuple(self.edits)[edits:],
            appeared=tuple(dict.fromkeys(self.appeared[appeared:])),
            known=self.known - known,
        )

    def decide(self, feed_id: int, item: Item) -> None:
        if (feed_id, item.key) in self._seen:
            return
        self._seen.add((feed_id, item.key))
        found = self.by_key.get((feed_id, item.key))
        if found is not None:
            self._again(feed_id, item, found)
            return
        found = self.by_link.get(item.canonical_link) if item.canonical_link else None
        if found is None or found.id is None:
            self._first(feed_id, item)
            return
        self._appear(feed_id, item, found.id)
        if (feed_id, found.id) in self.here:
            self._again(feed_id, item, found)
        else:
            self.here.add((feed_id, found.id))
            self._touched.add((feed_id, found.id))
            self.appeared.append(found.id)

    def _first(self, feed_id: int, item: Item) -> None:
        id_, self.next_id = self.next_id, self.next_id + 1
        self.new.append(_item_row(item, id_, feed_id, self.now))
        self.ids[feed_id, item.key] = id_
        self.here.add((feed_id, id_))
        self._touched.add((feed_id, id_))
        if item.canonical_link:
            self.by_link[item.canonical_link] = _Known(id_, feed_id, item.content_hash, item.title)

    def _appear(self, feed_id: int, item: Item, id_: int) -> None:
        row = {"feed_id": feed_id, "key": item.key, "item_id": id_, "link": item.link, "seen_at": item.arrived_at or self.now}
        self.appearances.append(row)
        self.ids[feed_id, item.key] = id_

    def _again(self, feed_id: int, item: Item, found: _Known) -> None:
        """An item that this feed has shown before. It may edit it if it had it first."""
        if found.id is None:
            self.pruned.append({"feed": feed_id, "shown": item.key, "at": self.now})
            self.known += 1
            return
        self.ids[feed_id, item.key] = found.id
        if (feed_id, found.id) in self._touched:
            return
        self._touched.add((feed_id, found.id))
        if found.feed_id != feed_id or found.content_hash == item.content_hash:
            self.known += 1
            return
        row = {name: getattr(item, name) for name in _TEXTS}
        self.edits[found.id] = row | {"item": found.id, "updated_at": item.updated_at or self.now}
        if found.title != item.title:
            self.titles.append({"item_id": found.id, "title": found.title, "replaced_at": self.now})


def _item_row(item: Item, id_: int, feed_id: int, now: datetime) -> dict[str, Any]:
    return {
        "id": id_,
        "feed_id": feed_id,
        "key": item.key,
        "content_hash": item.content_hash,
        "published_at": item.published_at,
        "arrived_at": item.arrived_at or now,
        "updated_at": item.updated_at,
        "date_rule": item.date_rule,
        "language": item.language,
        "title": item.title,
        "link": item.link,
        "canonical_link": item.canonical_link,
        "summary": item.summary,
        "authors": item.authors,
        "categories": item.categories,
        "media": item.media,
        "summary_html": item.summary_html,
        "content_html": item.content_html,
        "full_text": item.full_text or None,
    }
