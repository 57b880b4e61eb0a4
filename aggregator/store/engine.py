"""EDGE: one database, of whatever kind: connections, transactions, guards between writers, and errors as sentences.

It knows no table and no SQL: what SQLite and PostgreSQL do differently is in sqlite.py and postgres.py, each a Kind.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolError

from aggregator.errors import StoreError
from aggregator.text import without_password

_SCHEME = re.compile(r"[a-z][a-z0-9+]+://", re.IGNORECASE)


class Guard(IntEnum):
    """What one writer at a time may change, where several write at once (PostgreSQL). Taken in this order, so nobody waits in a ring."""

    SCHEMA = 1
    FEEDS = 2
    """Which feeds there are."""
    STORIES = 3
    """Stories, topics, memberships, redirects and corrections: they have a single writer."""
    ITEMS = 4
    """Which items there are: their ids grow in the order of storing, and a link is looked up before it is stored as new."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to talk to a database server; times in seconds, 0 for none. A SQLite file needs none of it."""

    pool_size: int = 5
    pool_overflow: int = 10
    pool_timeout_seconds: float = 30.0
    connect_timeout_seconds: float = 10.0
    statement_timeout_seconds: float = 600.0
    lock_timeout_seconds: float = 60.0


class Kind(Protocol):
    """What one kind of database does in its own way."""

    name: str
    """For messages; never holds a password."""
    path: Path | None
    """The file, if it is one."""
    one_writer: bool
    """Whether this process must not write in two threads at once."""
    one_connection: bool
    errors: tuple[type[Exception], ...]
    """What its driver raises when it is used directly."""
    breaches: tuple[type[Exception], ...]
    """Those of them that say of a broken constraint."""

    def make_engine(self) -> Engine: ...

    def reader(self, engine: Engine) -> Engine:
        """The engine for transactions that read one consistent view."""
        ...

    def writer(self, engine: Engine) -> Engine: ...

    def guard(self, connection: Connection, guards: tuple[Guard, ...]) -> None:
        """Wait for the guards, which are held until the transaction ends."""
        ...

    def unhurry(self, connection: Connection) -> None:
        """Let the statements of this transaction take as long as they need: care for a large database is no mistake."""
        ...

    def explain(self, error: BaseException) -> StoreError: ...

    def tables(self, connection: Connection) -> set[str]: ...

    def lock(self, engine: Engine, name: str, *, wait: bool, refusal: str) -> AbstractContextManager[None] | None:
        """A lock between processes, held by the database; None when it has none to give. Raises LockedError without `wait`."""
        ...

    def holder(self, engine: Engine, name: str) -> str | None:
        """Who holds such a lock."""
        ...


class Database:
    """Gives read and write transactions on one database: a SQLite file or a PostgreSQL server.

    `url` is a path, "sqlite:///path", "sqlite://" (in memory) or "postgresql+psycopg://user@host/name". On SQLite any number of
    readers and one writer at a time; on PostgreSQL several writers, which `guards` keep apart.
    """

    def __init__(self, url: str, options: Options | None = None) -> None:
        self.kind = _kind_of(url, options or Options())
        self.name, self.path = self.kind.name, self.kind.path
        self._writer = threading.RLock()
        self._breaches: tuple[type[Exception], ...] = (IntegrityError, *self.kind.breaches)
        self._errors: tuple[type[Exception], ...] = (PoolError, *self.kind.errors)
        self.engine = self.kind.make_engine()
        self._reading, self._writing = self.kind.reader(self.engine), self.kind.writer(self.engine)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view of the database; never waits for a writer."""
        with self._alone(self.kind.one_connection), self.explained(), self._reading.begin() as connection:
            yield connection

    @contextmanager
    def writing(self, *guards: Guard) -> Iterator[Connection]:
        """One transaction: all of it or nothing. Waits for other writers: on SQLite for all, else for those with the same guards."""
        with self._alone(self.kind.one_writer), self.explained(), self._writing.begin() as connection:
            self.kind.guard(connection, tuple(sorted(guards)))
            yield connection

    @contextmanager
    def unguarded(self) -> Iterator[Any]:
        """The driver's connection outside any transaction, for VACUUM, backups and the like."""
        with self._alone(self.kind.one_writer), self.explained():
            pooled = self.engine.raw_connection()
            try:
                yield pooled.driver_connection
            finally:
                pooled.close()

    def _alone(self, needed: bool) -> AbstractContextManager[Any]:
        return self._writer if needed else nullcontext()

    def lock(self, name: str, *, wait: bool, refusal: str = "another process holds the lock") -> AbstractContextManager[None] | None:
        """A lock between processes on whatever machine, if this kind of database has locks to give. Raises LockedError."""
        return self.kind.lock(self.engine, name, wait=wait, refusal=refusal)

    def holder(self, name: str) -> str | None:
        """Who holds that lock now, in words."""
        with self.explained():
            return self.kind.holder(self.engine, name)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """What the database says about itself becomes a StoreError; a broken constraint is a bug and stays one."""
        try:
            yield
        except self._breaches:
            raise
        except DBAPIError as error:
            raise self.kind.explain(error.orig or error) from error
        except self._errors as error:
            raise self.kind.explain(error) from error

    def rest(self) -> None:
        """Let idle connections go, with the cache that each has; the next transactions open theirs anew."""
        if self.path is not None:
            self.engine.dispose()

    def close(self) -> None:
        self.engine.dispose()


def _kind_of(url: str, options: Options) -> Kind:
    parsed = _parse(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        from aggregator.store.sqlite import Sqlite

        return Sqlite(parsed)
    if backend in ("postgresql", "postgres"):
        from aggregator.store.postgres import Postgres

        return Postgres(parsed, options)
    raise StoreError(
        f"this program keeps its data in SQLite or PostgreSQL, not in {backend}; "
        "write a file name, sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
    )


def _parse(url: str) -> URL:
    if not _SCHEME.match(url):
        return URL.create("sqlite", database=url)
    try:
        return make_url(url)
    except (ArgumentError, ValueError) as error:
        raise StoreError(
            f"“{without_password(url)}” is no database address; write a file name, sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
        ) from error
