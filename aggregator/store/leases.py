"""EDGE: what one process at a time may do, over all processes of a database: leases that run out, with a token that only grows.

A holder renews its lease before it runs out. When it has run out anybody may take it, and its token grows. Who writes under a
lease calls `check` in the same transaction: a holder that slept for too long finds a newer token there, and its write fails (a
fencing token: M. Kleppmann, How to do distributed locking, 2016). Times are the database's, so that clocks need not agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from aggregator.errors import LockedError
from aggregator.store import tables as t
from aggregator.store.engine import Database
from aggregator.store.rows import chunks, pairs

_l = t.leases.c
_AGE = timedelta(days=1)
_LET_GO = (
    update(t.leases)
    .where(_l.name == bindparam("lease"), _l.holder == bindparam("by"))
    .values(holder="", expires_at=bindparam("until"), token=_l.token + 1)
)


_SLEEP = "idle_in_transaction_session_timeout"
_SLEEP_MILLISECONDS = "10000"
"""How long a process may sleep in the middle of such a transaction, before PostgreSQL ends it: its locks would hold up whoever is to
take over. (A process that was stopped by a signal held a lease's row until the other gave up waiting.)"""


def wall(connection: Connection) -> datetime:
    """What time it is for the database. From here on the transaction must not sleep."""
    if connection.dialect.name == "postgresql":
        at: datetime
        at, _ = connection.execute(select(func.clock_timestamp(), func.set_config(_SLEEP, _SLEEP_MILLISECONDS, True))).one()
        return at.astimezone(UTC)
    return datetime.now(UTC)


class Leases:
    """Implements ports.LeaseStore. Remembers the tokens of this process, so that the store's writers can check them."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._tokens: dict[str, int] = {}

    def take(self, name: str, holder: str, seconds: float) -> float:
        """Take a lease that is free, has run out or is the holder's own already: 0. Else the seconds until it runs out."""
        if self.take_free([name], holder, seconds):
            return 0.0
        with self._db.reading() as connection:
            left = connection.scalar(select(_l.expires_at).where(_l.name == name))
            return 0.001 if left is None else max((left - wall(connection)).total_seconds(), 0.001)

    def take_free(self, names: Sequence[str], holder: str, seconds: float) -> set[str]:
        """Take those that can be taken, in one transaction. Returns their names."""
        taken: dict[str, int] = {}
        with self._db.writing() as connection:
            now = wall(connection)
            insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            until = now + timedelta(seconds=seconds)
            for part in chunks(sorted(set(names))):  # all lock rows in one order, so nobody waits in a ring
                statement = insert(t.leases).values([{"name": each, "holder": holder, "token": 1, "expires_at": until} for each in part])
                free = statement.on_conflict_do_update(
                    index_elements=["name"],
                    set_={"holder": holder, "token": _l.token + 1, "expires_at": until},
                    where=(_l.expires_at <= now) | (_l.holder == holder),
                ).returning(_l.name, _l.token)
                taken |= pairs(connection, free)
        self._tokens |= taken
        return set(taken)

    def renew(self, holder: str, seconds: float) -> set[str]:
        """Let all leases of a holder run for so long from now on. Returns their names; one that another took is not among them."""
        with self._db.writing() as connection:
            until = wall(connection) + timedelta(seconds=seconds)
            # in the order of names, as `give_back`: two that lock in different orders wait for each other
            mine = list(connection.scalars(select(_l.name).where(_l.holder == holder).order_by(_l.name).with_for_update()))
            connection.execute(update(t.leases).where(_l.name.in_(mine), _l.holder == holder).values(expires_at=until))
            return set(mine)

    def give_back(self, holder: str, after_seconds: Mapping[str, float]) -> None:
        """Let go of leases by name; each can be taken after its seconds."""
        with self._db.writing() as connection:
            now = wall(connection)
            rows = [{"lease": name, "until": now + timedelta(seconds=max(each, 0.0))} for name, each in sorted(after_seconds.items())]
            if rows:
                connection.execute(_LET_GO, [row | {"by": holder} for row in rows])
        for name in after_seconds:
            self._tokens.pop(name, None)

    def holder(self, name: str) -> str | None:
        """Who holds a lease now."""
        with self._db.reading() as connection:
            query = select(_l.holder).where(_l.name == name, _l.expires_at > wall(connection), _l.holder != "")
            return connection.scalar(query)

    def check(self, connection: Connection, name: str) -> None:
        """Raises LockedError when another process has the lease: what is written under it must not be. In the writer's transaction;
        on PostgreSQL nobody can take the lease until that has ended."""
        now = wall(connection)
        row = connection.execute(select(_l.token, _l.holder, _l.expires_at).where(_l.name == name).with_for_update()).one_or_none()
        mine = self._tokens.get(name)
        if row is None or row.token == mine:
            return
        if mine is not None or (row.holder and row.expires_at > now):
            raise LockedError(f"another process ({row.holder or 'ended'}) has the lease “{name}” since; nothing was stored, try again")

    def tidy(self) -> None:
        """Forget hosts that were asked long ago. Other tokens must go on growing."""
        with self._db.writing() as connection:
            old = wall(connection) - _AGE
            connection.execute(t.leases.delete().where(_l.name.startswith("host "), _l.expires_at < old))
