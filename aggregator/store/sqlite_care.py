"""EDGE: care for a SQLite file: integrity, sizes, copies by the backup API, free pages. Implements care.Care."""

from __future__ import annotations

import glob
import re
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import Connection, text

from aggregator.errors import StoreError
from aggregator.store.engine import Database
from aggregator.store.sqlite import make_private

_ABANDONED_SECONDS = 3600.0
_USED_BYTES = text("SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size")
_FILE_BYTES = text("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
_SOME_PAGES = "PRAGMA incremental_vacuum(2000)"
_INTEGRITY = text("PRAGMA integrity_check(20)")
_ANALYZE = text("PRAGMA optimize")
_STRAYS = text('SELECT DISTINCT "table", parent FROM pragma_foreign_key_check')


class SqliteCare:
    copies_before_upgrade = True
    copy_suffix = ".db"

    def __init__(self, database: Database) -> None:
        self._db = database

    def damage(self, connection: Connection) -> list[str]:
        return [f"SQLite finds damage: {line}." for line in connection.scalars(_INTEGRITY) if line != "ok"]

    def strays(self, connection: Connection) -> list[str]:
        return [f"A row of {row.table} refers to a row of {row.parent} that is not there." for row in connection.execute(_STRAYS)]

    def file_bytes(self, connection: Connection) -> int:
        return int(connection.execute(_FILE_BYTES).scalar_one())

    def used_bytes(self, connection: Connection) -> int:
        return int(connection.execute(_USED_BYTES).scalar_one())

    def reindex(self, connection: Connection) -> None:
        connection.execute(text("REINDEX"))

    def settle(self, connection: Connection) -> None:
        connection.execute(_ANALYZE)

    def shrink(self) -> None:
        """A database that was made before this was possible shrinks by `compact` alone, which also makes it possible."""
        while True:
            with self._db.unguarded() as driver:
                free = driver.execute("PRAGMA freelist_count").fetchone()[0]
                driver.execute(_SOME_PAGES).fetchall()  # to its end: each step frees one page
                left = driver.execute("PRAGMA freelist_count").fetchone()[0]
            if left in (0, free):
                return

    def compact(self) -> None:
        with self._db.unguarded() as driver:
            driver.execute("PRAGMA auto_vacuum = INCREMENTAL")  # counts from the VACUUM on
            driver.execute("VACUUM")
            driver.execute("PRAGMA optimize")
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def copy(self, target: Path, *, damaged: bool = False) -> None:
        """Copy a living database with SQLite's backup API, check the copy (unless it is known to be `damaged`), and only then
        give it its name.

        Raises StoreError; a failed copy leaves nothing behind and an older file of that name as it was.
        """
        if self._db.path is not None and target.exists() and target.samefile(self._db.path):
            raise StoreError(f"{target} is the database itself; name another file for the copy.")
        partial = target.with_name(target.name + ".partial")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            sweep(partial)
            partial.unlink(missing_ok=True)
            make_private(partial)
            self._copy_and_check(partial, damaged)
            partial.replace(target)
        except OSError as error:
            raise StoreError(f"the copy {target} cannot be written: {error.strerror}; name another place.") from error
        except sqlite3.DatabaseError as error:
            raise StoreError(f"the copy {target} cannot be written: {error}; free some space or name another place.") from error
        finally:
            with suppress(OSError):
                partial.unlink()

    def _copy_and_check(self, partial: Path, damaged: bool) -> None:
        # not through `reading`: it would say of a full disk under the copy that the database has no room
        with closing(self._db.engine.raw_connection()) as pooled, closing(sqlite3.connect(partial)) as copy:
            assert pooled.driver_connection is not None
            pooled.driver_connection.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without -wal and -shm beside it
            found = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if found != "ok" and not damaged:
                raise StoreError(f"{self._db.name} is damaged ({found}), so its copy is of no use; `aggregator db check` says more.")


def sweep(partial: Path) -> None:
    """Remove what copies of this kind left behind when they were killed: same name but for the digits, untouched for an hour."""
    for path in partial.parent.glob(re.sub(r"\d", "?", glob.escape(partial.name))):
        if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
            path.unlink(missing_ok=True)
