"""EDGE: a whole store goes into another database, of whatever kind, as it is: every row, every id, every counter.

    source: one view | tables in the order of their references | target: one transaction
    words and sequences made anew | read back, counted and compared by digest | commit

Nothing is read into the memory whole. Whatever goes wrong, the target stays empty.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Table, func, select

from aggregator.errors import StoreError
from aggregator.store import tables as t
from aggregator.store.care import care_of
from aggregator.store.engine import Database, Guard
from aggregator.store.rows import insert_plain, pairs
from aggregator.store.search import rebuild_index
from aggregator.store.whole import RAW

PORTION = 2_000
OF_THE_MOMENT = ("leases", "workers")
"""What running processes write about themselves, should there be such a table: it goes nowhere."""
MOVED = [table for table in RAW if table.name not in OF_THE_MOMENT]
ALL_GUARDS = (Guard.FEEDS, Guard.STORIES, Guard.ITEMS)
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved. `replaced` texts held NUL, which PostgreSQL cannot hold: it became U+FFFD."""

    tables: int = 0
    rows: int = 0
    replaced: int = 0


def move_all(source: Database, target: Database, progress: Progress | None = None) -> Moved:
    """Copy everything and prove it. Both have this program's schema. Raises StoreError; then the target is as it was."""
    if source.name == target.name:
        raise StoreError(f"{source.name} is both source and target; name another database to move to.")
    with source.reading() as reading, target.writing(*ALL_GUARDS) as writing:
        for database, connection in ((source, reading), (target, writing)):
            database.kind.unhurry(connection)
        _refuse_unless_empty(writing, target)
        writing.execute(t.meta.delete())
        total = sum(reading.scalar(select(func.count()).select_from(table)) or 0 for table in MOVED)
        mover = _Mover(reading, writing, target, total, progress)
        for table in MOVED:
            mover.move(table)
        rebuild_index(writing)
        care_of(target).settle(writing)
        mover.compare()
    return Moved(len(MOVED), mover.done, mover.replaced)


def _refuse_unless_empty(connection: Connection, target: Database) -> None:
    filled = [table.name for table in MOVED if table.name != "meta" and connection.scalar(select(func.count()).select_from(table))]
    if filled or pairs(connection, select(t.meta.c.key, t.meta.c.value)) != t.COUNTERS:
        what = f" (there are rows in {', '.join(filled[:3])})" if filled else ""
        raise StoreError(f"{target.name} is not empty{what}; only a new database can take a whole store in.")


class _Mover:
    def __init__(self, source: Connection, target: Connection, database: Database, total: int, progress: Progress | None) -> None:
        self.source, self.target, self.database = source, target, database
        self.total, self.progress = total, progress
        self.done = self.replaced = 0
        self._sums: dict[str, tuple[int, str]] = {}

    def move(self, table: Table) -> None:
        sum_ = _Sum()
        for rows in _portions(self.source, table):
            whole = [self._storable(row) for row in rows]
            sum_.add(whole)
            insert_plain(self.target, table, whole)
            self.done += len(whole)
            if self.progress is not None:
                self.progress(self.done, self.total)
        self._sums[table.name] = sum_.so_far()

    def compare(self) -> None:
        """Read back what was written, within the transaction."""
        for table in MOVED:
            sum_ = _Sum()
            for rows in _portions(self.target, table):
                sum_.add(rows)
            if sum_.so_far() != self._sums[table.name]:
                count, wanted = sum_.so_far()[0], self._sums[table.name][0]
                raise StoreError(
                    f"{self.database.name} gives back another {table.name} than was written ({count} rows of {wanted}); nothing was moved."
                )

    def _storable(self, row: Sequence[Any]) -> tuple[Any, ...]:
        if self.target.dialect.name != "postgresql" or not any(isinstance(value, str) and "\0" in value for value in row):
            return tuple(row)
        self.replaced += sum(1 for value in row if isinstance(value, str) and "\0" in value)
        return tuple(value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in row)


class _Sum:
    """How many rows, and a digest of them all in their order."""

    def __init__(self) -> None:
        self._count, self._hash = 0, sha256()

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        for row in rows:
            self._count += 1
            line = json.dumps(list(row), ensure_ascii=False, separators=(",", ":"), default=bytes.hex)
            self._hash.update(line.encode("utf-8", "surrogatepass"))

    def so_far(self) -> tuple[int, str]:
        return self._count, self._hash.hexdigest()


def _portions(connection: Connection, table: Table) -> Iterator[Sequence[Sequence[Any]]]:
    rows = connection.execute(select(table).order_by(*table.primary_key), execution_options={"yield_per": PORTION})
    return (part for part in rows.partitions())
