"""EDGE: the rows of the processes that take tasks: who lives, and what they do. Times are the database's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import select

from aggregator.model import WorkerState
from aggregator.store import tables as t
from aggregator.store.engine import Database
from aggregator.store.leases import wall
from aggregator.store.rows import upsert

_FORGOTTEN = timedelta(days=1)


class Workers:
    """What `status` shows of the workers."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def beat(self, name: str, queues: Sequence[str], doing: str, done: Mapping[str, int]) -> None:
        """Say that a worker lives; the first time is when it started. Rows of long ago go."""
        with self._db.writing() as connection:
            now = wall(connection)
            row = {"name": name, "queues": tuple(queues), "started_at": now, "seen_at": now, "doing": doing, "done": dict(done)}
            upsert(connection, t.workers, [row], keep=("started_at",))
            connection.execute(t.workers.delete().where(t.workers.c.seen_at < now - _FORGOTTEN))

    def gone(self, name: str) -> None:
        """It ended as it should."""
        with self._db.writing() as connection:
            connection.execute(t.workers.delete().where(t.workers.c.name == name))

    def all(self) -> list[WorkerState]:
        """By name, with the seconds since each was heard of."""
        w = t.workers.c
        with self._db.reading() as connection:
            now = wall(connection)
            rows = connection.execute(select(w.name, w.queues, w.started_at, w.seen_at, w.doing, w.done).order_by(w.started_at, w.name))
            return [WorkerState(*row, silent_seconds=max((now - row.seen_at).total_seconds(), 0.0)) for row in rows]
