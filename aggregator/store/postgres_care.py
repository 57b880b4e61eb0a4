"""EDGE: care for a database on PostgreSQL: sizes, copies by pg_dump, VACUUM. Implements care.Care."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, exists, select, text

from aggregator.errors import StoreError
from aggregator.store import tables as t
from aggregator.store.engine import Database
from aggregator.store.postgres import Postgres
from aggregator.store.sqlite import make_private
from aggregator.store.sqlite_care import sweep

_INVALID = text(
    "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " WHERE NOT i.indisvalid AND c.relnamespace = CAST(current_schema() AS regnamespace) ORDER BY 1"
)
_FILE_BYTES = text("SELECT coalesce(sum(pg_total_relation_size(CAST(name AS regclass))), 0) FROM unnest(CAST(:names AS text[])) AS name")
_WITH_INDEXES = 1.27
"""Bytes of packed tables and indexes for each byte of rows: measured on 11,488 items in 8,015 stories."""
_ROW_BYTES = 28
"""Beside a row's values: its header and its pointer in the page (section 73.6 of PostgreSQL's manual)."""
_NAMES = [*(table.name for table in t.metadata.sorted_tables), "items_fts"]
_USED = [f'SELECT coalesce(sum(pg_column_size("{name}".*) + {_ROW_BYTES}), 0) FROM "{name}"' for name in _NAMES]
_REINDEX = [f'REINDEX TABLE "{name}"' for name in _NAMES]
_VACUUM = [f'VACUUM (ANALYZE) "{name}"' for name in _NAMES]
_COMPACT = [f'VACUUM (FULL, ANALYZE) "{name}"' for name in _NAMES]
_NEXT_IDS = [
    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), coalesce(max(id), 0) + 1, false) FROM \"{table.name}\""
    for table in t.metadata.sorted_tables
    if "id" in table.columns
]
_ANALYZE = [f'ANALYZE "{name}"' for name in _NAMES]
_SEARCHED = text("SELECT nspname FROM pg_namespace WHERE oid = CAST(current_schema() AS regnamespace) AND nspname <> 'public'")


class PostgresCare:
    copies_before_upgrade = False
    copy_suffix = ".dump"

    def __init__(self, database: Database) -> None:
        self._db = database

    def damage(self, connection: Connection) -> list[str]:
        return [f"The index {name} is not usable." for name in connection.scalars(_INVALID)]

    def strays(self, connection: Connection) -> list[str]:
        """PostgreSQL sees to it by itself, unless somebody turned that off."""
        found = []
        for table in t.metadata.sorted_tables:
            for key in sorted(table.foreign_keys, key=lambda key: key.parent.name):
                lost = select(table).where(key.parent.is_not(None), ~exists().where(key.column == key.parent))
                if connection.scalar(select(exists(lost))):
                    found.append(f"A row of {table.name} refers to a row of {key.column.table.name} that is not there.")
        return found

    def file_bytes(self, connection: Connection) -> int:
        return int(connection.execute(_FILE_BYTES, {"names": _NAMES}).scalar_one())

    def used_bytes(self, connection: Connection) -> int:
        """What the rows take, with their indexes' share: files do not become smaller when rows go."""
        rows = sum(int(connection.execute(text(statement)).scalar_one()) for statement in _USED)
        return round(_WITH_INDEXES * rows)

    def reindex(self, connection: Connection) -> None:
        for statement in _REINDEX:
            connection.execute(text(statement))

    def settle(self, connection: Connection) -> None:
        for statement in (*_NEXT_IDS, *_ANALYZE):
            connection.execute(text(statement))

    def shrink(self) -> None:
        """What was pruned becomes room for what comes; the server does the same by itself, later."""
        self._vacuum(_VACUUM)

    def compact(self) -> None:
        self._vacuum(_COMPACT)

    def _vacuum(self, statements: Sequence[str]) -> None:
        with self._db.unguarded() as driver:
            before = driver.autocommit
            driver.autocommit = True  # VACUUM runs in no transaction
            try:
                driver.execute("SET statement_timeout = 0")
                for statement in statements:
                    driver.execute(statement)
                driver.execute("RESET statement_timeout")
            finally:
                driver.autocommit = before

    def copy(self, target: Path, *, damaged: bool = False) -> None:
        """Copy by pg_dump, in its own format, which `pg_restore` reads. Raises StoreError; a failed copy leaves nothing behind."""
        program = shutil.which("pg_dump")
        if program is None:
            raise StoreError(
                "pg_dump is not on this machine; install PostgreSQL's client programs, or back up on the server as docs/postgresql.md says"
            )
        partial = target.with_name(target.name + ".partial")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir():
                raise StoreError(f"the copy {target} cannot be written: it is a folder; name a file.")
            sweep(partial)
            partial.unlink(missing_ok=True)
            make_private(partial)
            self._dump(program, partial)
            partial.replace(target)
        except OSError as error:
            raise StoreError(f"the copy {target} cannot be written: {error.strerror}; name another place.") from error
        finally:
            with suppress(OSError):
                partial.unlink()

    def _dump(self, program: str, partial: Path) -> None:
        with self._db.reading() as connection:
            schema = connection.scalar(_SEARCHED)
        words = [program, "--format=custom", "--no-password", f"--file={partial}", *([f"--schema={schema}"] if schema else [])]
        done = subprocess.run([*words, f"--dbname={self._address()}"], env=self._environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
            raise StoreError(f"pg_dump could not copy {self._db.name}: {said}.")

    def _address(self) -> str:
        """Without the password: everybody on this machine may see what programs are started with."""
        url = self._postgres.url
        query = {name: value for name, value in url.query.items() if name not in ("password", "options", "application_name")}
        return URL.create("postgresql", url.username, None, url.host, url.port, url.database, query).render_as_string(hide_password=False)

    def _environment(self) -> dict[str, str]:
        url = self._postgres.url
        password: Any = url.password or url.query.get("password")
        return {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}

    @property
    def _postgres(self) -> Postgres:
        assert isinstance(self._db.kind, Postgres)
        return self._db.kind
