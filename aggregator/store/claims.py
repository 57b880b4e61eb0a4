"""EDGE: which process polls a feed now. A feed is claimed for the queue when it is sent, and taken out of it by one worker.

    due | claim (holder "queue") | … | take (holder: the worker) | poll | its state is stored, and the claim goes with that

A claim runs out unless it is renewed. What a dead worker had taken can be taken by another one after that; what nobody took
becomes due once more. A feed whose poll has ended has no claim, so a batch that comes twice finds nothing left to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, update

from aggregator.model import FeedState
from aggregator.store import tables as t
from aggregator.store.engine import Database
from aggregator.store.leases import wall
from aggregator.store.rows import chunks, feed_state_of

QUEUE = "queue"
"""The holder of what was sent and waits for a worker."""

_f = t.feeds.c


@dataclass(frozen=True, slots=True)
class Taken:
    """What a worker may poll, and after how many seconds it should look again for what another one has (0: nothing)."""

    states: list[FeedState]
    wait_seconds: float = 0.0


class Claims:
    """Claims by feed id. `seconds` are real ones."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def claim(self, seen: Mapping[int, datetime | None], seconds: float) -> list[int]:
        """Claim for the queue those that nobody has and nobody has polled since they were seen, atomically over all processes.

        `seen` is when each was last attempted, as the caller saw it. Returns the ids in its order.
        """
        claimed: set[int] = set()
        with self._db.writing() as connection:
            now = wall(connection)
            free = _f.claimed_by.is_(None) | (_f.claimed_until <= now)
            values = {"claimed_by": QUEUE, "claimed_until": now + timedelta(seconds=seconds)}
            for part in chunks(seen):
                query = select(_f.id, _f.last_attempt_at).where(_f.id.in_(part), free).order_by(_f.id).with_for_update(skip_locked=True)
                # one that was polled after it was seen to be due is due no more
                same = [row.id for row in connection.execute(query) if row.last_attempt_at == seen[row.id]]
                connection.execute(update(t.feeds).where(_f.id.in_(same)).values(values))
                claimed |= set(same)
        return [id_ for id_ in seen if id_ in claimed]

    def take(self, ids: Sequence[int], holder: str, seconds: float, at: datetime) -> Taken:
        """Take what waits in the queue, what is the holder's own and what was left behind, and note the attempt (`at`, program's
        time). In the order of `ids`."""
        taken: set[int] = set()
        states: dict[int, FeedState] = {}
        waits = 0.0
        with self._db.writing() as connection:
            now = wall(connection)
            free = _f.claimed_by.in_((QUEUE, holder)) | (_f.claimed_until <= now)
            values = {"claimed_by": holder, "claimed_until": now + timedelta(seconds=seconds), "last_attempt_at": at}
            for part in chunks(ids):
                mine = _f.id.in_(part) & _f.claimed_by.is_not(None)
                taken |= _change(connection, mine & free, values, waiting=True)
                states |= {row.id: feed_state_of(row) for row in connection.execute(select(t.feeds).where(mine, _f.claimed_by == holder))}
                others = connection.scalars(select(_f.claimed_until).where(mine, _f.claimed_by != holder))
                waits = max([waits, *((until - now).total_seconds() for until in others)])
        return Taken([states[id_] for id_ in ids if id_ in taken], waits)

    def renew(self, holder: str, seconds: float) -> int:
        """Let all claims of a holder run for so long from now on. Returns how many."""
        with self._db.writing() as connection:
            until = wall(connection) + timedelta(seconds=seconds)
            return len(_change(connection, _f.claimed_by == holder, {"claimed_until": until}))

    def release(self, ids: Sequence[int], holder: str, seconds: float | None = None) -> None:
        """Give up what the holder has of these: for good, or with `seconds` to the queue."""
        with self._db.writing() as connection:
            until = None if seconds is None else wall(connection) + timedelta(seconds=seconds)
            to = {"claimed_by": None if seconds is None else QUEUE, "claimed_until": until}
            for part in chunks(ids):
                _change(connection, _f.id.in_(part) & (_f.claimed_by == holder), to, waiting=True)


def _change(connection: Connection, which: ColumnElement[bool], values: dict[str, Any], *, waiting: bool = False) -> set[int]:
    """Change those rows that nobody else is changing, or, waiting, all. Returns their ids."""
    free = select(_f.id).where(which).order_by(_f.id).with_for_update(skip_locked=not waiting)
    ids = set(connection.scalars(free))
    for part in chunks(ids):
        connection.execute(update(t.feeds).where(_f.id.in_(part)).values(values))
    return ids
