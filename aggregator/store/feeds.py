"""EDGE: the feeds' rows: what the program has learned about each, and the hosts that asked for peace."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, null, select, update

from aggregator.errors import NotFoundError
from aggregator.model import Feed, FeedState, PollHints
from aggregator.store import tables as t
from aggregator.store.engine import Database, Guard
from aggregator.store.rows import LEARNED_COLUMNS, chunks, feed_state_of, learned_columns, pairs, update_many, upsert

_FRESH: dict[str, Any] = {
    "identity": "guid",
    "etag": None,
    "last_modified": None,
    "validators_at": None,
    "hints": PollHints(),
    "body_hash": None,
    "last_attempt_at": None,  # else a corrected address would look like a poll that crashed, and wait an hour
    "next_poll_at": None,
    "error": None,
    "error_since_at": None,
    "warning": None,
    "streak": 0,
    "retry_after_at": None,
    "gone": False,
}
"""What a feed's row says before its first poll, and again when its url has changed."""


class Feeds:
    """Implements ports.FeedStore. `opened_at` is when the store was opened, by the program's clock."""

    def __init__(self, database: Database, opened_at: datetime) -> None:
        self._db = database
        self._opened_at = opened_at

    def sync(self, feeds: Sequence[Feed], now: datetime) -> None:
        """Make the rows follow the feed list: new, renamed, moved to another url, taken out, taken up again.

        A row is matched by name and url, else by url (renamed), else by name (moved: validators, hints and errors are
        dropped). Items stay with their row. Nothing is written when nothing changed.
        """
        with self._db.reading() as connection:
            if not _plan(connection, feeds):
                return
        with self._db.writing(Guard.FEEDS) as connection:
            _carry_out(connection, _plan(connection, feeds), now)

    def ensure_source(self, name: str, url: str, *, title: str | None, language: str | None, now: datetime) -> FeedState:
        """The feed with that url; made as an unsubscribed one when there is none (numbered when the name is taken).

        An unsubscribed one without a title gets `title` and `language`.
        """
        query = select(t.feeds).where(t.feeds.c.url == url).order_by(t.feeds.c.subscribed.desc(), t.feeds.c.id)
        with self._db.writing(Guard.FEEDS) as connection:
            found = connection.execute(query).first()
            if found is None:
                taken = set(connection.scalars(select(t.feeds.c.name)))
                free = next(candidate for candidate in _numbered(name) if candidate not in taken)
                told = {"subscribed": False, "title": title, "language": language, "reason": "source of an imported archive"}
                connection.execute(t.feeds.insert(), _new_row(Feed(free, url, title=title), now) | told)
            elif title and found.title is None and not found.subscribed:
                told = {"title": title, "publisher": title, "language": found.language or language}
                connection.execute(update(t.feeds).where(t.feeds.c.id == found.id).values(told))
            return feed_state_of(connection.execute(query.limit(1)).one())

    def states(self) -> dict[str, FeedState]:
        with self._db.reading() as connection:
            rows = connection.execute(select(t.feeds).order_by(t.feeds.c.id)).all()
        return {row.name: feed_state_of(row) for row in rows}

    def state(self, name: str) -> FeedState:
        with self._db.reading() as connection:
            row = connection.execute(select(t.feeds).where(t.feeds.c.name == name)).first()
        if row is None:
            raise NotFoundError(f"there is no feed called “{name}”; `aggregator feeds list` shows them all")
        return feed_state_of(row)

    def claim(self, seen: Mapping[str, datetime | None], now: datetime) -> set[str]:
        """See ports.FeedStore."""
        f = t.feeds.c
        claimed: set[str] = set()
        with self._db.writing() as connection:
            for part in chunks(sorted(seen)):
                # nobody waits here: what another process has in its hands is that process's to poll
                query = select(f.id, f.name, f.last_attempt_at).where(f.name.in_(part)).order_by(f.id).with_for_update(skip_locked=True)
                free = {row.id: row.name for row in connection.execute(query) if row.last_attempt_at == seen[row.name]}
                if free:
                    connection.execute(update(t.feeds).where(f.id.in_(free)).values(last_attempt_at=now))
                claimed |= set(free.values())
        return claimed

    def host_not_before(self) -> dict[str, datetime]:
        """Back-off by host; what had passed when the store was opened is left out."""
        with self._db.reading() as connection:
            return pairs(connection, select(t.hosts.c.host, t.hosts.c.not_before_at).where(t.hosts.c.not_before_at > self._opened_at))

    def save_host_not_before(self, host: str, until: datetime) -> None:
        with self._db.writing() as connection:
            upsert(connection, t.hosts, [{"host": host, "not_before_at": until}])


_ROW = t.feeds.c.id == bindparam("row")
_UNCLAIMED = {"claimed_by": null(), "claimed_until": null()}
_LEARN = update(t.feeds).where(_ROW).values({name: bindparam(name) for name in (*LEARNED_COLUMNS, "publisher")} | _UNCLAIMED)
_RENAME = update(t.feeds).where(_ROW).values(publisher=bindparam("publisher"))
# locked in the order of their ids, as wherever several are changed: two processes that lock in different orders wait for each other
_ROWS = (
    select(t.feeds.c.id, t.feeds.c.url, t.feeds.c.publisher)
    .where(t.feeds.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(t.feeds.c.id)
    .with_for_update()
)


def write_states(connection: Connection, states: Sequence[tuple[FeedState, str]]) -> None:
    """Keep what polls learned: pairs of state and publisher, which stays when it is empty. The polls are over: so are the claims.

    When the url was edited while the poll ran, its answer says nothing about the new one. Raises NotFoundError.
    """
    ids = sorted(state.id for state, _ in states)
    rows = {row.id: row for part in chunks(ids) for row in connection.execute(_ROWS, {"ids": part})}
    learned, renamed = [], []
    for state, publisher in states:
        row = rows.get(state.id)
        if row is None:
            raise NotFoundError(f"the feed “{state.name}” is not in the database; `aggregator feeds list` shows them all")
        if row.url == state.url:
            learned.append(learned_columns(state) | {"row": state.id, "publisher": publisher or row.publisher})
        elif publisher:
            renamed.append({"row": state.id, "publisher": publisher})
    update_many(connection, _LEARN, learned)
    update_many(connection, _RENAME, renamed)


@dataclass
class _Plan:
    """Rows to insert and columns to change, by row id."""

    new: list[Feed]
    changes: dict[int, dict[str, Any]]

    def __bool__(self) -> bool:
        return bool(self.new or self.changes)


def _plan(connection: Connection, feeds: Sequence[Feed]) -> _Plan:
    rows = list(connection.execute(select(t.feeds)))
    matched = _match(rows, feeds)
    plan = _Plan([feed for feed in feeds if feed.name not in matched], {})
    for feed in feeds:
        if feed.name in matched:
            changed = _changes(matched[feed.name], feed)
            if changed:
                plan.changes[matched[feed.name].id] = changed
    listed = {row.id for row in matched.values()}
    names = {feed.name for feed in feeds}
    for row in rows:
        if row.id not in listed:
            change: dict[str, Any] = {"subscribed": False} if row.subscribed else {}
            if row.name in names:  # a listed feed needs the name
                taken = names | {other.name for other in rows}
                change["name"] = next(candidate for candidate in _numbered(row.name) if candidate not in taken)
            if change:
                plan.changes[row.id] = change
    return plan


def _match(rows: list[Row[Any]], feeds: Sequence[Feed]) -> dict[str, Row[Any]]:
    """The row of each listed feed that has one, by the feed's name; the surest pairs are taken first."""
    matched: dict[str, Row[Any]] = {}
    free = {row.id: row for row in rows}
    keys: tuple[Callable[[str, str], Hashable], ...] = (lambda name, url: (name, url), lambda name, url: url, lambda name, url: name)
    for key in keys:
        by_key: dict[Hashable, Row[Any]] = {}
        for row in free.values():
            by_key.setdefault(key(row.name, row.url), row)
        for feed in feeds:
            found = None if feed.name in matched else by_key.pop(key(feed.name, feed.url), None)
            if found is not None:
                matched[feed.name] = free.pop(found.id)
    return matched


def _changes(row: Row[Any], feed: Feed) -> dict[str, Any]:
    wanted: dict[str, Any] = {"name": feed.name, "subscribed": True, "publisher": feed.title or row.title or feed.name}
    if row.url != feed.url:
        wanted |= _FRESH | {"url": feed.url, "fetch_url": feed.url, "reason": "its address was changed"}
    elif not row.subscribed:
        # taking a feed out and in again is how a person asks for another try
        wanted |= {"gone": False, "streak": 0, "error": None, "error_since_at": None}
    found = row._mapping
    return {name: value for name, value in wanted.items() if found[name] != value}


def _carry_out(connection: Connection, plan: _Plan, now: datetime) -> None:
    for part in chunks(sorted(plan.changes)):
        connection.execute(_ROWS, {"ids": part})
    renamed = [{"row": id_, "to": f"\x01{id_}"} for id_, change in plan.changes.items() if "name" in change]
    if renamed:  # out of each other's way first: names may have been swapped
        connection.execute(update(t.feeds).where(t.feeds.c.id == bindparam("row")).values(name=bindparam("to")), renamed)
    for id_, change in plan.changes.items():
        connection.execute(update(t.feeds).where(t.feeds.c.id == id_).values(change))
    if plan.new:
        connection.execute(t.feeds.insert(), [_new_row(feed, now) for feed in plan.new])


def _new_row(feed: Feed, now: datetime) -> dict[str, Any]:
    return _FRESH | {
        "name": feed.name,
        "url": feed.url,
        "fetch_url": feed.url,
        "publisher": feed.title or feed.name,
        "created_at": now,
        "subscribed": True,
        "reason": "never polled",
    }


def _numbered(name: str) -> Iterator[str]:
    """name, name-2, name-3 …"""
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1
