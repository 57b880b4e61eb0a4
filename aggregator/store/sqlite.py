"""EDGE: what SQLite does in its own way: the file, its journal, BEGIN IMMEDIATE, and its errors as sentences."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event, text

from aggregator.errors import StoreError
from aggregator.store.engine import Guard

BUSY_SECONDS = 10

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
_TABLES = text("SELECT name FROM sqlite_master WHERE type = 'table'")


class Sqlite:
    """One file, or one database in memory. Implements engine.Kind."""

    one_writer = True
    errors: tuple[type[Exception], ...] = (sqlite3.DatabaseError,)
    breaches: tuple[type[Exception], ...] = (sqlite3.IntegrityError,)

    def __init__(self, url: URL) -> None:
        self._url = url.set(drivername="sqlite")
        if url.host or url.port:
            raise StoreError(f"“{url.render_as_string()}” is no database address; write a file name or sqlite:///FILE")
        self.path = Path(url.database) if url.database not in (None, "", ":memory:") else None
        self.name = str(self.path) if self.path else "the database in memory"
        self.one_connection = self.path is None
        self._prepare_folder()

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

    def make_engine(self) -> Engine:
        # isolation_level None: the driver must not begin transactions of its own; `begin` below does
        options: dict[str, Any] = {"connect_args": {"isolation_level": None, "timeout": BUSY_SECONDS}}
        if self.path is None:
            options |= {"poolclass": StaticPool}
            options["connect_args"]["check_same_thread"] = False
        else:
            # the one used last is taken first: each connection has a cache of its own, and one that is used in turns fills them all
            options |= {"max_overflow": -1, "pool_use_lifo": True}
        engine = create_engine(self._url, **options)
        event.listen(engine, "connect", _set_up)
        event.listen(engine, "begin", _begin)
        return engine

    def reader(self, engine: Engine) -> Engine:
        return engine

    def writer(self, engine: Engine) -> Engine:
        return engine.execution_options(writing=True)

    def guard(self, connection: Connection, guards: tuple[Guard, ...]) -> None:
        """Nothing: there is one writer."""

    def unhurry(self, connection: Connection) -> None:
        """Nothing: statements take as long as they take."""

    def explain(self, error: BaseException) -> StoreError:
        """The sentence for what SQLite reported."""
        message = str(error)
        folded = message.casefold()
        for part, sentence in _CAUSES:
            if part in folded:
                return StoreError(f"{self.name} {sentence}.")
        return StoreError(f"{self.name} refused the work: {message}; `aggregator db check` looks for damage.")

    def tables(self, connection: Connection) -> set[str]:
        return set(connection.scalars(_TABLES))

    def lock(self, engine: Engine, name: str, *, wait: bool, refusal: str) -> None:
        """None: the file is on this machine, whose operating system has locks."""

    def holder(self, engine: Engine, name: str) -> None:
        """Nobody: see `lock`."""


def make_private(path: Path) -> None:
    """Make a file that is not there yet, for its owner alone; SQLite gives its journals the same mode."""
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _set_up(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    # before anything is written: pages that a prune frees can then be given back some at a time
    if cursor.execute("PRAGMA page_count").fetchone()[0] == 0:
        cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
    # WAL with NORMAL: readers and the writer do not wait for each other; the default journal is 5.5 times slower
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    # 32 MB: to stop for a checkpoint takes as long as to store hundreds of items; a first fetch of 300 feeds ends before the first one
    cursor.execute("PRAGMA wal_autocheckpoint = 8000")
    # 4 MB a connection: with 16 storing 30,000 items and meeting them again took as long, since the system keeps the file's pages, too
    cursor.execute("PRAGMA cache_size = -4000")
    cursor.execute("PRAGMA temp_store = MEMORY")
    cursor.close()


def _begin(connection: Connection) -> None:
    # IMMEDIATE: a transaction that begins as a reader and writes later fails at once when another wrote meanwhile
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
