"""EDGE: one database: connections, transactions, the writer's lock, and errors as sentences. Knows no table."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError

from aggregator.errors import StoreError

BUSY_SECONDS = 10
_SCHEME = re.compile(r"[a-z][a-z0-9+]+://", re.IGNORECASE)

_CAUSES: tuple[tuple[str, str], ...] = (
    ("not a database", "is not a database of this program; move it away, or name another file with --database"),
    ("malformed", "is damaged; put a backup in its place, or save what `aggregator items export` can still read"),
    ("locked", f"was kept locked by another process for more than {BUSY_SECONDS} s; wait until that is done, then try again"),
    ("busy", f"was kept busy by another process for more than {BUSY_SECONDS} s; wait until that is done, then try again"),
    ("is full", "could not be written because the disk is full; free some space and try again, nothing was changed"),
    ("readonly", "may not be written; give this user the right to write the file and its folder"),
    ("read-only", "may not be written; give this user the right to write the file and its folder"),
    ("unable to open", "could not be opened; check that its folder exists and that this user may write there"),
    ("disk i/o error", "could not be read or written (disk error); check the disk and the space on it, then try again"),
)
"""A part of SQLite's message, and what to tell a person (sqlite.org/rescode.html)."""


class Database:
    """Gives read and write transactions on one SQLite file. Any number of readers, one writer at a time.

    `url` is a path or "sqlite:///path"; "sqlite://" is a database in memory.
    """

    def __init__(self, url: str) -> None:
        self._url = _parse(url)
        self.path = Path(self._url.database) if self._url.database not in (None, "", ":memory:") else None
        self.name = str(self.path) if self.path else "the database in memory"
        self._writer = threading.RLock()
        self._prepare_folder()
        self.engine = self._make_engine()

    def _prepare_folder(self) -> None:
        if self.path is None:
            return
        try:
            if self.path.is_dir():
                raise StoreError(f"{self.name} is a folder; name a file in it, for example {self.path / 'aggregator.db'}")
            self.path.parent.mkdir(parents=True, exist_ok=True)
            make_private(self.path)
        except OSError as error:
            raise StoreError(
                f"{self.name} cannot be opened or made: {error.strerror}; mend that, or name another place with --database"
            ) from error

    def _make_engine(self) -> Engine:
        # isolation_level None: the driver must not begin transactions of its own; `begin` below does
        options: dict[str, Any] = {"connect_args": {"isolation_level": None, "timeout": BUSY_SECONDS}}
        if self.path is None:
            options |= {"poolclass": StaticPool}
            options["connect_args"]["check_same_thread"] = False
        else:
            options |= {"max_overflow": -1}
        engine = create_engine(self._url, **options)
        event.listen(engine, "connect", _set_up)
        event.listen(engine, "begin", _begin)
        return engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view of the database; never waits for the writer (WAL)."""
        alone = self._writer if self.path is None else nullcontext()  # in memory there is one connection for all
        with alone, self.explained(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: all of it or nothing. Waits for other writers, in this process and in others."""
        with self._writer, self.explained(), self.engine.connect() as raw:
            connection = raw.execution_options(writing=True)
            with connection.begin():
                yield connection

    @contextmanager
    def unguarded(self) -> Iterator[Any]:
        """The driver's connection outside any transaction, for VACUUM, backups and the like."""
        with self._writer, self.explained():
            pooled = self.engine.raw_connection()
            try:
                yield pooled.driver_connection
            finally:
                pooled.close()

    @contextmanager
    def explained(self) -> Iterator[None]:
        """What the database says about itself becomes a StoreError; a broken constraint is a bug and stays one."""
        import sqlite3

        try:
            yield
        except IntegrityError:
            raise
        except DatabaseError as error:
            raise explain(self.name, error.orig or error) from error
        except sqlite3.DatabaseError as error:
            raise explain(self.name, error) from error

    def close(self) -> None:
        self.engine.dispose()


def make_private(path: Path) -> None:
    """Make a file that is not there yet, for its owner alone; SQLite gives its journals the same mode."""
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def explain(name: str, error: BaseException) -> StoreError:
    """The sentence for what SQLite reported."""
    message = str(error)
    folded = message.casefold()
    for part, sentence in _CAUSES:
        if part in folded:
            return StoreError(f"{name} {sentence}.")
    return StoreError(f"{name} refused the work: {message}; `aggregator db check` looks for damage.")


def _parse(url: str) -> URL:
    if not _SCHEME.match(url):
        return URL.create("sqlite", database=url)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise StoreError(f"“{url}” is no database address; write a file name or sqlite:///FILE") from error
    if parsed.get_backend_name() != "sqlite":
        raise StoreError(
            f"this version keeps its data in SQLite only, not in {parsed.get_backend_name()}; write a file name or sqlite:///FILE"
        )
    return parsed.set(drivername="sqlite")


def _set_up(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    # before anything is written: pages that a prune frees can then be given back some at a time
    if cursor.execute("PRAGMA page_count").fetchone()[0] == 0:
        cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
    # WAL with NORMAL: readers and the writer do not wait for each other; the default journal is 5.5 times slower
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA wal_autocheckpoint = 4000")  # 16 MB: a first fetch would stop for a checkpoint at every second commit
    cursor.execute("PRAGMA cache_size = -16000")
    cursor.execute("PRAGMA temp_store = MEMORY")
    cursor.close()


def _begin(connection: Connection) -> None:
    # IMMEDIATE: a transaction that begins as a reader and writes later fails at once when another wrote meanwhile
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
