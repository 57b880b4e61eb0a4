"""EDGE: everything that a store holds as lines of JSON, and back into an empty one: items, memberships, topics, corrections, digests.

    {"aggregator": "store", "version": 1, "revision": …} | {"table": …, "columns": […]} | [row] | [row] | {"table": …} …

Values stand as the columns hold them (moments as microseconds, records as JSON text), so that no kind of database matters. What
comes back is cleaned on the way by functions that are given: a file can be written by anybody.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, func, select
from sqlalchemy.types import TypeDecorator

from aggregator.errors import ArchiveError
from aggregator.store import tables as t
from aggregator.store.care import care_of
from aggregator.store.engine import Database, Guard
from aggregator.store.rows import chunks, counter, raise_counter
from aggregator.store.search import rebuild_index
from aggregator.store.types import Record

PORTION = 1000
_HTML = {("items", "summary_html"), ("items", "content_html")}
_LINKS = {("items", "link"), ("items", "canonical_link"), ("appearances", "link"), ("feeds", "link")}


@dataclass(frozen=True)
class Cleaning:
    """How text, markup and addresses of a file are made safe; `link` gives None for an address that leads nowhere good."""

    text: Callable[[str], str]
    html: Callable[[str], str]
    link: Callable[[str | None], str | None]


def _raw_tables() -> list[Table]:
    """The tables with columns as the database holds them, each after those it refers to."""
    raw = MetaData()

    def kind(column: Column[Any]) -> Any:
        return column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type

    return [
        Table(table.name, raw, *(Column(each.name, kind(each), primary_key=each.primary_key) for each in table.columns))
        for table in t.metadata.sorted_tables
        if table is not t.shown  # a short cut
    ]


RAW = _raw_tables()


class Whole:
    """All of one store."""

    def __init__(self, database: Database, revision: str) -> None:
        self._db, self.revision = database, revision

    def lines(self, bare_url: Callable[[str], str]) -> Iterator[str]:
        """One view of the whole store, read a portion at a time; `bare_url` takes credentials out of the feeds' addresses."""
        yield json.dumps({"aggregator": "store", "version": 1, "revision": self.revision})
        with self._db.reading() as connection:
            for table in RAW:
                yield json.dumps({"table": table.name, "columns": [column.name for column in table.columns]})
                urls = [n for n, column in enumerate(table.columns) if table.name == "feeds" and column.name in ("url", "fetch_url")]
                rows = connection.execution_options(yield_per=PORTION).execute(select(table).order_by(*table.primary_key))
                for row in rows:
                    values = list(row)
                    for place in urls:
                        values[place] = bare_url(values[place])
                    yield json.dumps(values, ensure_ascii=False, separators=(",", ":"))

    def restore(self, lines: Iterable[str | bytes], cleaning: Cleaning, *, name: str) -> int:
        """Fill the store, which must be empty, in one transaction. Returns how many rows. Raises ArchiveError naming the line."""
        with self._db.writing(Guard.FEEDS, Guard.STORIES, Guard.ITEMS) as connection:
            if any(connection.scalar(select(func.count()).select_from(table)) for table in (t.feeds, t.items, t.digests)):
                raise ArchiveError(
                    f"{name} holds a whole store, which only an empty one can take in; name a new database with --database, "
                    "or export the items alone"
                )
            self._db.kind.unhurry(connection)
            connection.execute(t.meta.delete())
            count = _fill(connection, _Reading(lines, name, self.revision), cleaning)
            for key, value in t.COUNTERS.items():
                if connection.scalar(select(t.meta.c.key).where(t.meta.c.key == key)) is None:
                    raise ArchiveError(f"{name} is not whole: the counter {key} is missing ({value} would be a guess)")
            raise_counter(connection, "revision", counter(connection, "revision") + 1)
            rebuild_index(connection)
            care_of(self._db).settle(connection)
            return count


@dataclass
class _Reading:
    """The lines of a file, with their numbers for errors."""

    lines: Iterable[str | bytes]
    name: str
    revision: str

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        for number, line in enumerate(self.lines, 1):
            if not line.strip():
                continue
            try:
                read = json.loads(line)
            except ValueError as error:
                raise ArchiveError(f"{self.name}, line {number}: it is no JSON ({error}); nothing was stored") from None
            if isinstance(read, dict) and "aggregator" in read:
                if read.get("revision") != self.revision:
                    raise ArchiveError(
                        f"{self.name} was written at revision {read.get('revision')} of the schema, this program has {self.revision}; "
                        "take it in with the program that wrote it, then let this one upgrade the database"
                    )
                continue
            yield number, read


def _fill(connection: Connection, reading: _Reading, cleaning: Cleaning) -> int:
    known = {table.name: table for table in RAW}
    table, columns, count = None, [], 0
    portion: list[dict[str, Any]] = []

    def flush() -> None:
        for part in chunks(portion):
            assert table is not None
            connection.execute(table.insert(), part)
        portion.clear()

    for number, read in reading:
        where = f"{reading.name}, line {number}"
        if isinstance(read, dict):
            flush()
            table, columns = known.get(str(read.get("table"))), read.get("columns", [])
            if table is None or not set(columns) <= set(table.columns.keys()):
                raise ArchiveError(f"{where}: there is no such table or column here; nothing was stored")
            continue
        if table is None or not isinstance(read, list) or len(read) != len(columns):
            raise ArchiveError(f"{where}: it is no row of the table above it; nothing was stored")
        portion.append({column: _clean(table.name, column, value, cleaning) for column, value in zip(columns, read, strict=True)})
        count += 1
        if len(portion) >= PORTION:
            flush()
    flush()
    return count


def _clean(table: str, column: str, value: Any, cleaning: Cleaning) -> Any:
    if not isinstance(value, str):
        return value if isinstance(value, int | float | None) else None
    if (table, column) in _HTML:
        return cleaning.html(value)
    if (table, column) in _LINKS:
        return cleaning.link(value)
    if isinstance(t.metadata.tables[table].c[column].type, Record):
        try:
            return json.dumps(_clean_record(json.loads(value), cleaning), ensure_ascii=False, separators=(",", ":"))
        except ValueError:
            return None
    return cleaning.text(value)


def _clean_record(value: Any, cleaning: Cleaning) -> Any:
    if isinstance(value, str):
        return cleaning.text(value)
    if isinstance(value, list):
        cleaned = [_clean_record(each, cleaning) for each in value]
        return [each for each in cleaned if not (isinstance(each, dict) and "url" in each and cleaning.link(each["url"]) != each["url"])]
    if isinstance(value, dict):
        return {cleaning.text(key): _clean_record(each, cleaning) for key, each in value.items()}
    return value
