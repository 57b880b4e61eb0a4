"""The store under test: the contract's tests run over every kind of store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.store.opening import Store, open_store
from tests.store.make import NOW

URLS = ("{folder}/new/folder/store.db", "sqlite://")


@pytest.fixture(params=URLS, ids=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with open_store(request.param.format(folder=tmp_path), now=NOW) as opened:
        yield opened
        assert opened.maintenance.check() == []


@pytest.fixture
def file_store(tmp_path: Path) -> Iterator[Store]:
    """For what only a file can show: threads, copies, other processes."""
    with open_store(str(tmp_path / "store.db"), now=NOW) as opened:
        yield opened
