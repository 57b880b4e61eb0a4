"""Databases for the tests of the whole program: each such test runs on every kind of store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import databases, postgres

KINDS = ("sqlite", "postgres")


@pytest.fixture(scope="session")
def standing_postgres() -> Iterator[str]:
    """One schema for this test process, with the tables in it."""
    with postgres.standing_store() as url:
        yield url


@pytest.fixture
def postgres_url(standing_postgres: str) -> str:
    """The address of an empty store on PostgreSQL."""
    postgres.empty(standing_postgres)
    return standing_postgres


@pytest.fixture
def bare_postgres_url() -> Iterator[str]:
    """The address of a schema without tables."""
    with postgres.new_schema("bare") as url:
        yield url


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store that lasts: a file, or a schema on PostgreSQL."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return str(tmp_path / "store.db")


@pytest.fixture(params=KINDS)
def every_kind(request: pytest.FixtureRequest) -> Iterator[None]:
    """For modules whose programs find their database by `databases.database_of`."""
    with ExitStack() as stack:
        if request.param == "postgres":
            standing = str(request.getfixturevalue("postgres_url"))
            databases.use(lambda number: standing if number == "0" else stack.enter_context(postgres.new_schema(f"more{number}")))
        yield
        databases.use(None)
