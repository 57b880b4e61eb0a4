"""EDGE: what each feed's last document showed, as feeds/sift.py packs it. A short cut: what is lost here is only read again.

It must never say more than the appearances do. So it goes when items are pruned that a feed showed, and is not kept while a feed shows
pruned ones, whose appearances have to be renewed with each document.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection, bindparam, select, update

from aggregator.model import Polled
from aggregator.store import tables as t
from aggregator.store.rows import chunks, delete_by, upsert

_LOAD = select(t.shown.c.entries).where(t.shown.c.feed_id == bindparam("feed"))
_RENEW = update(t.shown).where(t.shown.c.feed_id == bindparam("feed")).values(entries=bindparam("entries"))


def load(connection: Connection, feed_id: int) -> bytes:
    return connection.execute(_LOAD, {"feed": feed_id}).scalar() or b""


def save(connection: Connection, polls: Iterable[Polled], pruned: Collection[int]) -> None:
    """`pruned` are the feeds that still show items which are gone."""
    came = {poll.state.id: poll for poll in polls if poll.shown is not None}
    kept = {id_: poll for id_, poll in came.items() if poll.shown and id_ not in pruned}
    delete_by(connection, t.shown.c.feed_id, came.keys() - kept.keys())
    # one that left items out must not bring back what went since it was read
    renewed = [{"feed": id_, "entries": poll.shown} for id_, poll in kept.items() if poll.relies]
    if renewed:
        connection.execute(_RENEW, renewed)
    upsert(connection, t.shown, [{"feed_id": id_, "entries": poll.shown} for id_, poll in kept.items() if not poll.relies])


def forget(connection: Connection, items: Sequence[int]) -> None:
    """Before these items go."""
    for part in chunks(items):
        feeds = set(connection.scalars(select(t.appearances.c.feed_id).where(t.appearances.c.item_id.in_(part))))
        delete_by(connection, t.shown.c.feed_id, feeds)
