"""EDGE: rows to records and back, and the few statements that several nouns share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Dialect, Executable, Row, Table, Update, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

from aggregator.model import FeedState, Item, Membership, Story, Topic, Validators
from aggregator.store import tables as t
from aggregator.store.types import Moment, Record

T = TypeVar("T")

CHUNK = 500
"""Values in one IN list: well below SQLite's 32,766 variables, and the statement is cached for each length."""

ITEM_FIELDS = (
    t.items.c.id,
    t.feeds.c.name,
    t.feeds.c.publisher,
    t.items.c.key,
    t.items.c.title,
    t.items.c.link,
    t.items.c.canonical_link,
    t.items.c.summary,
    t.items.c.published_at,
    t.items.c.content_hash,
    t.items.c.arrived_at,
    t.items.c.date_rule,
    t.items.c.updated_at,
    t.items.c.language,
    t.items.c.authors,
    t.items.c.categories,
    t.items.c.media,
    func.substr(func.coalesce(t.items.c.full_text, ""), 1, 2000),
)
"""Of the full text the beginning, which is what grouping and briefs read."""
HTML_FIELDS = (t.items.c.summary_html, t.items.c.content_html, t.items.c.full_text)
ITEMS_WITH_FEEDS = t.items.join(t.feeds)


def item_of(row: Sequence[Any], html: tuple[str, str] = ("", ""), full_text: str | None = None) -> Item:
    """The item in a row that begins with ITEM_FIELDS; by position, since 40,000 rows by name cost a second more."""
    (id_, feed, publisher, key, title, link, canonical, summary, published_at, content_hash, arrived_at) = row[:11]
    (date_rule, updated_at, language, authors, categories, media, beginning) = row[11:18]
    return Item(
        key=key,
        title=title,
        link=link,
        canonical_link=canonical,
        summary=summary,
        published_at=published_at,
        content_hash=content_hash,
        id=id_,
        feed=feed,
        publisher=publisher,
        arrived_at=arrived_at,
        date_rule=date_rule,
        updated_at=updated_at,
        summary_html=html[0],
        content_html=html[1],
        language=language,
        authors=authors,
        categories=categories,
        media=media,
        full_text=full_text or beginning,
    )


def item_with_html(row: Sequence[Any]) -> Item:
    """The item in a row of ITEM_FIELDS and HTML_FIELDS."""
    width = len(ITEM_FIELDS)
    return item_of(row, (row[width], row[width + 1]), row[width + 2])


MEMBERSHIP_FIELDS = tuple(t.memberships.c[name] for name in Membership.__dataclass_fields__)


def membership_of(row: Sequence[Any]) -> Membership:
    return Membership(*row)


_OUTLINE = tuple(name for name in Membership.__dataclass_fields__ if name not in ("nearest", "terms"))
OUTLINE_FIELDS = tuple(t.memberships.c[name] for name in _OUTLINE)


def outline_of(row: Sequence[Any]) -> Membership:
    """The membership in a row of OUTLINE_FIELDS, without its reasons."""
    return Membership(**dict(zip(_OUTLINE, row, strict=True)))


STORY_FIELDS = tuple(t.stories.c[name] for name in Story.__dataclass_fields__)


def story_of(row: Sequence[Any]) -> Story:
    return Story(*row)


TOPIC_FIELDS = tuple(t.topics.c[name] for name in Topic.__dataclass_fields__)


def topic_of(row: Sequence[Any]) -> Topic:
    return Topic(*row)


_NAMED = tuple(name for name in Topic.__dataclass_fields__ if name != "profile")
TOPIC_NAMES = tuple(t.topics.c[name] for name in _NAMED)


def topic_named(row: Sequence[Any]) -> Topic:
    """The topic in a row of TOPIC_NAMES, without its profile."""
    return Topic(**dict(zip(_NAMED, row, strict=True)))


_SAME_IN_FEED = tuple(
    name for name in FeedState.__dataclass_fields__ if name not in ("validators", "id", "name", "url", "created_at", "subscribed")
)
"""Fields of a FeedState that a poll may change and that are columns as they are."""


LEARNED_COLUMNS = (*_SAME_IN_FEED, "etag", "last_modified", "validators_at")


def _places(names: Sequence[str]) -> Callable[[Row[Any]], tuple[Any, ...]]:
    """What picks these columns from a whole row of `feeds`."""
    return itemgetter(*map(t.feeds.columns.keys().index, names))


_STATE = tuple(FeedState.__dataclass_fields__)
_MIDDLE = _STATE.index("validators")
_before_validators, _after_validators = _places(_STATE[:_MIDDLE]), _places(_STATE[_MIDDLE + 1 :])
_validators = _places(("etag", "last_modified", "validators_at"))


def feed_state_of(row: Row[Any]) -> FeedState:
    """The state in a whole row of `feeds`; by position, since by name it took twice the time."""
    etag, last_modified, stored_at = _validators(row)
    validators = None if stored_at is None else Validators(etag, last_modified, stored_at)
    return FeedState(*(*_before_validators(row), validators, *_after_validators(row)))


def learned_columns(state: FeedState) -> dict[str, Any]:
    """What a poll learned, by column; name, url and subscribed are `sync`'s alone."""
    validators = state.validators
    return {name: getattr(state, name) for name in _SAME_IN_FEED} | {
        "etag": validators.etag if validators else None,
        "last_modified": validators.last_modified if validators else None,
        "validators_at": validators.stored_at if validators else None,
    }


def columns_of(record: Any, *, leave: tuple[str, ...] = ()) -> dict[str, Any]:
    """A record's fields by name, for a table whose columns are called the same."""
    return {name: getattr(record, name) for name in record.__dataclass_fields__ if name not in leave}


def pairs(connection: Connection, query: Executable) -> dict[Any, Any]:
    """A query for two columns as a dict; of equal keys the last row wins."""
    return {key: value for key, value in connection.execute(query)}  # noqa: C416 - rows are no tuples to the type checker


def chunks(values: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    rest = list(values)
    for start in range(0, len(rest), size):
        yield rest[start : start + size]


def upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]], *, keep: tuple[str, ...] = ()) -> None:
    """Insert rows; where the primary key is there already, replace all other columns but those in `keep`. All rows name the same."""
    if not rows:
        return
    names = tuple(rows[0])
    if connection.dialect.name == "postgresql":
        sql, columns = _upsert_arrays(table, names, keep, connection.dialect)
        arrays = [[row[name] if to is None else to(row[name]) for row in rows] for name, to in columns]
        connection.exec_driver_sql(sql, tuple(arrays))
        return
    statement = sqlite.insert(table)
    primary = [column.name for column in table.primary_key]
    replaced = {name: statement.excluded[name] for name in names if name not in primary and name not in keep}
    connection.execute(statement.on_conflict_do_update(index_elements=primary, set_=replaced), rows)


_Columns = tuple[tuple[str, Callable[[Any], Any] | None], ...]
"""Columns in the order of a statement, each with what makes its values the driver's."""


@lru_cache
def _upsert_arrays(table: Table, names: tuple[str, ...], keep: tuple[str, ...], dialect: Dialect) -> tuple[str, _Columns]:
    """One statement for all rows, each column an array: a third of what a statement for each row costs. PostgreSQL only."""
    columns = [table.c[name] for name in names]
    primary = [column.name for column in table.primary_key]
    arrays = ", ".join(f"%s::{str(column.type.compile(dialect)).partition(' COLLATE')[0]}[]" for column in columns)
    replaced = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name not in primary and name not in keep)
    quoted, keys = (", ".join(f'"{name}"' for name in some) for some in (names, primary))
    sql = f'INSERT INTO "{table.name}" ({quoted}) SELECT * FROM unnest({arrays}) ON CONFLICT ({keys}) DO UPDATE SET {replaced}'
    return sql, tuple((column.name, column.type.dialect_impl(dialect).bind_processor(dialect)) for column in columns)


def insert_many(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows that name every column. As `connection.execute(table.insert(), rows)`, at a quarter of the processor time.

    SQLAlchemy looks up each value of each row by name; here the driver gets plain rows in the statement's order.
    """
    if not rows:
        return
    _, columns = _plain_insert(table, connection.dialect)
    insert_plain(connection, table, _to_plain(rows, columns))


def update_many(connection: Connection, statement: Update, rows: Sequence[dict[str, Any]]) -> None:
    """As `connection.execute(statement, rows)`, at half the processor time. `statement` is one that stays, and names all values."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(statement, rows)
    else:
        sql, columns = _plain_update(statement, connection.dialect)
        connection.exec_driver_sql(sql, _to_plain(rows, columns))


def _to_plain(rows: Sequence[dict[str, Any]], columns: _Columns) -> list[tuple[Any, ...]]:
    """The driver's values of rows, in the order of a statement of two columns or more."""
    values_of = itemgetter(*[name for name, _ in columns])
    told = [(place, to) for place, (_, to) in enumerate(columns) if to is not None]
    plain = []
    for row in rows:
        values = list(values_of(row))
        for place, to in told:
            values[place] = to(values[place])
        plain.append(tuple(values))
    return plain


def insert_plain(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows whose values are the driver's, in the order of the table's columns."""
    if connection.dialect.name == "postgresql":
        copy_rows(connection, table.name, table.columns.keys(), rows)
    elif rows:
        sql, _ = _plain_insert(table, connection.dialect)
        connection.exec_driver_sql(sql, list(rows))


@lru_cache
def _plain_insert(table: Table, dialect: Dialect) -> tuple[str, _Columns]:
    """The statement, and its values in order with how each becomes the driver's."""
    types = ((column.name, _to_driver(column.type, dialect)) for column in table.columns)
    return str(table.insert().compile(dialect=dialect)), tuple(types)


@lru_cache
def _plain_update(statement: Update, dialect: Dialect) -> tuple[str, _Columns]:
    compiled: Any = statement.compile(dialect=dialect)
    return str(compiled), tuple((name, _to_driver(compiled.binds[name].type, dialect)) for name in compiled.positiontup)


def _to_driver(type_: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """What makes a column's values the driver's. Of our own types the very method: all that SQLAlchemy puts around it costs as much."""
    processor = type_.dialect_impl(dialect).bind_processor(dialect)
    return type_.process_bind_param if isinstance(type_, Moment | Record) else processor


def copy_rows(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert plain rows by COPY, which takes a third of the time of INSERTs. PostgreSQL only."""
    driver: Any = connection.connection.driver_connection
    names = ", ".join(f'"{name}"' for name in columns)
    with driver.cursor() as cursor, cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row(row)


def insert_missing(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows; those whose primary key is there already stay as they are."""
    if rows:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        connection.execute(insert(table).on_conflict_do_nothing(), rows)


def delete_by(connection: Connection, column: Column[Any], values: Iterable[Any]) -> None:
    table = column.table
    for part in chunks(values):
        connection.execute(table.delete().where(column.in_(part)))


def counter(connection: Connection, key: str) -> int:
    """To raise it one must hold the guard of what it counts."""
    return int(connection.execute(select(t.meta.c.value).where(t.meta.c.key == key)).scalar_one())


def raise_counter(connection: Connection, key: str, value: int) -> None:
    """Counters only grow."""
    connection.execute(update(t.meta).where(t.meta.c.key == key, t.meta.c.value < value).values(value=value))
