"""The store under test: the contract's tests run over every kind of store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.store.opening import Store, open_store
from tests.store.make import NOW

KINDS = ("file", "memory", "postgres")


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    urls = {"file": str(tmp_path / "new" / "folder" / "store.db"), "memory": "sqlite://"}
    url = urls.get(request.param) or request.getfixturevalue("postgres_url")
    with open_store(url, now=NOW) as opened:
        yield opened
        assert opened.maintenance.check() == []


@pytest.fixture
def lasting_store(database_url: str) -> Iterator[Store]:
    """For what a store in memory cannot show: threads and other processes."""
    with open_store(database_url, now=NOW) as opened:
        yield opened


@pytest.fixture
def file_store(tmp_path: Path) -> Iterator[Store]:
    """For what only a file can show."""
    with open_store(str(tmp_path / "store.db"), now=NOW) as opened:
        yield opened
