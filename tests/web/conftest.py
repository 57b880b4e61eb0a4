"""The demo's corpus behind a real server on a free port; each test module fills a database of its own once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.app import App
from aggregator.cli.demo import _demo_app
from aggregator.demo.server import bundled_feeds, serve
from aggregator.web.serving import Serving
from tests.web.client import Client, in_thread


@pytest.fixture(scope="module")
def feeds() -> Iterator[dict[str, str]]:
    """The addresses of the bundled feeds, served while the tests run."""
    with serve(bundled_feeds()) as urls:
        yield urls


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, feeds: dict[str, str]) -> Iterator[App]:
    folder: Path = tmp_path_factory.mktemp("web")
    with _demo_app(folder, feeds) as app:
        app.fetch()
        yield app


@pytest.fixture(scope="module")
def address(app: App) -> Iterator[str]:
    with in_thread(Serving(app, "127.0.0.1:0")) as address:
        yield address


@pytest.fixture
def client(address: str) -> Client:
    return Client(address)
