"""PostgreSQL for tests: the only place that knows where its server is (AGGREGATOR_TEST_POSTGRES, else one on this machine).

Each test process has a schema of its own, made once and emptied for each test, so that tests run side by side.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from urllib.parse import quote

import pytest
from sqlalchemy import Connection, Engine, NullPool, create_engine, make_url
from sqlalchemy.exc import DBAPIError

from aggregator.store.opening import open_store
from aggregator.store.tables import COUNTERS, metadata

USUAL = tuple(f"postgresql+psycopg://127.0.0.1:5432/{name}" for name in ("test", "postgres"))
_MINE = "aggregator_test"


@cache
def _found() -> str | None:
    """The address of a server that answers."""
    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'aggregator[postgres]'")
    named = os.environ.get("AGGREGATOR_TEST_POSTGRES")
    for url in (named,) if named else USUAL:
        try:
            with _admin(url).connect():
                return url
        except DBAPIError:
            continue
    return None


def _admin(url: str) -> Engine:
    return create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"connect_timeout": 3},
    )


def server() -> str:
    """The address of the server. Skips the test that asks when there is none; fails it where one was named and none may skip."""
    found = _found()
    if found is None:
        lacking = "needs PostgreSQL; set AGGREGATOR_TEST_POSTGRES to the address of a database that tests may use"
        if os.environ.get("AGGREGATOR_TEST_NO_SKIP") and os.environ.get("AGGREGATOR_TEST_POSTGRES"):
            pytest.fail(lacking)
        pytest.skip(lacking)
    return found


@contextmanager
def connected() -> Iterator[Connection]:
    """A connection that commits each statement."""
    engine = _admin(server())
    with engine.connect() as connection:
        yield connection


def url_of(schema: str) -> str:
    # not waiting for the disk: a test's data need not outlive a power cut
    options = quote(f"-c search_path={schema} -c synchronous_commit=off")
    base = server()
    return f"{base}{'&' if '?' in base else '?'}options={options}"


def schema_of(url: str) -> str:
    """The schema that an address of `url_of` names."""
    found = re.search(rf"{_MINE}_\w+", url)
    assert found is not None
    return found[0]


@contextmanager
def new_schema(name: str) -> Iterator[str]:
    """The address of an empty schema, which goes when the test is done."""
    schema = f"{_MINE}_{os.getpid()}_{name}"
    with connected() as connection:
        connection.exec_driver_sql(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
        connection.exec_driver_sql(f'CREATE SCHEMA "{schema}"')
    try:
        yield url_of(schema)
    finally:
        with connected() as connection:
            connection.exec_driver_sql(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')


def sweep() -> None:
    """Drop what test processes left behind that were killed."""
    with connected() as connection:
        for name in list(connection.exec_driver_sql("SELECT nspname FROM pg_namespace").scalars()):
            found = re.fullmatch(rf"{_MINE}_(\d+)_\w+", name)
            if found and not _runs(int(found[1])):
                connection.exec_driver_sql(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def standing_store() -> Iterator[str]:
    """The address of a schema with the tables in it, for one test process."""
    sweep()
    with new_schema("standing") as url:
        open_store(url, now=datetime.now(UTC)).close()
        yield url


def empty(url: str) -> None:
    """Make it as new: no row but the counters, ids from 1 on."""
    statements = [f'DELETE FROM "{table.name}"' for table in reversed(metadata.sorted_tables)]
    statements += ["DELETE FROM items_fts"]
    statements += [
        f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), 1, false)"
        for table in metadata.sorted_tables
        if "id" in table.columns
    ]
    statements += [f"INSERT INTO meta (key, value) VALUES ('{key}', {value})" for key, value in COUNTERS.items()]
    engine = _admin(url)
    with engine.connect() as connection:
        connection.exec_driver_sql("; ".join(statements))
