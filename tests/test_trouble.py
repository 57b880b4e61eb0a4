"""The disk is full, the database read-only, locked or gone: a clear sentence, nothing half-written, and on it goes afterwards."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from aggregator.app import App
from aggregator.daemon import Daemon
from aggregator.errors import StoreError
from aggregator.store.opening import open_store
from tests.shared import ROOT
from tests.store.make import NOW, item, poll
from tests.test_flow import Site, make_app


@pytest.fixture
def site(httpserver: HTTPServer) -> Site:
    return Site(httpserver)


def command(folder: Path, *arguments: str, limit_bytes: int | None = None) -> subprocess.CompletedProcess[str]:
    """A real process; `limit_bytes` is the largest file it may write: what lies beyond is to it a full disk."""

    def prepare() -> None:
        if limit_bytes is not None:
            # Python ignores SIGXFSZ, so that a write beyond it fails with EFBIG
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    return subprocess.run(
        [sys.executable, "-m", "aggregator", "--config", str(folder / "aggregator.toml"), "--now", "2023-12-27T18:30:00Z", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=prepare,
    )


def archive(folder: Path, count: int) -> Path:
    path = folder / "archive.jsonl"
    lines = (
        f'{{"source":"https://a.example/feed","title":"Number {n} of many","summary":"{"word " * 100}{n}","link":"https://a.example/{n}",'
        f'"published":"2023-12-27T{n % 18:02}:00:00Z"}}\n'
        for n in range(count)
    )
    path.write_text("".join(lines))
    return path


def sound(app: App) -> bool:
    return app.store.maintenance.check() == []


# --- a full disk ----------------------------------------------------------------------------------------------------------


def test_an_import_on_a_full_disk_says_so_and_is_finished_later_without_loss(tmp_path: Path, site: Site) -> None:
    with make_app(tmp_path, site, []) as app:
        app.subscribed()
    lines = archive(tmp_path, 6000)
    full = command(tmp_path, "items", "import", str(lines), "--no-organise", limit_bytes=3_000_000)
    assert full.returncode == 1
    assert full.stderr.startswith("Error: ")
    assert "disk" in full.stderr
    assert "Traceback" not in full.stderr
    with make_app(tmp_path, site, []) as app:
        assert sound(app)
        assert app.store.maintenance.sizes()[0] % 2000 == 0, "portions are stored whole or not at all"
    assert command(tmp_path, "items", "import", str(lines), "--no-organise").returncode == 0
    with make_app(tmp_path, site, []) as app:
        assert app.store.maintenance.sizes()[0] == 6000
        assert sound(app)


def test_a_poll_on_a_full_disk_is_made_up_for_by_the_next_one(tmp_path: Path, site: Site) -> None:
    with make_app(tmp_path, site, ["alpha", "beta"]) as app:
        app.subscribed()
    full = command(tmp_path, "fetch", limit_bytes=36_000)  # the journal has no room for a poll
    assert full.returncode == 1, full.stdout
    assert "disk" in full.stderr
    assert "Traceback" not in full.stderr
    with make_app(tmp_path, site, ["alpha", "beta"]) as app:
        assert sound(app)
        app.fetch(force=True)
        assert app.store.maintenance.sizes()[:2] == (4, 0)


def test_a_digest_that_has_no_room_stays_in_the_outbox(tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with make_app(tmp_path, site, ["alpha"]) as app:
        app.fetch()
        app.publishing.make(app.plan("daily"), app.clock())
        with monkeypatch.context() as patch:
            patch.setattr("aggregator.textfile.os.fsync", _no_space)
            (sent,) = app.deliver()
        assert "No space left on device" in (sent.error or "")
        assert not list((tmp_path / "digests").iterdir())
        (again,) = app.publishing.deliver(app.clock(), name="daily")
        assert again.error is None
        assert len(list((tmp_path / "digests").iterdir())) == 1


def _no_space(_: int) -> None:
    raise OSError(28, os.strerror(28))


# --- a database that may not be written -------------------------------------------------------------------------------------


@contextmanager
def nobody() -> Iterator[None]:
    """Root may write everything: be nobody for a moment."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_read_only_database_is_named_with_the_cure_and_left_alone(tmp_path: Path, site: Site) -> None:
    folder = tmp_path / "data"
    with open_store(str(folder / "test.db"), now=NOW) as store:
        poll(store, "a", [item("k")])
    held = (folder / "test.db").read_bytes()
    (folder / "test.db").chmod(0o444)
    folder.chmod(0o555)
    for above in (tmp_path, *tmp_path.parents):
        if "pytest" in above.name or above == tmp_path or "popen" in above.name:
            above.chmod(0o755)
    with nobody(), pytest.raises(StoreError, match=r"test\.db (may not be written; give|could not be opened; check)"):
        open_store(str(folder / "test.db"), now=NOW).feeds.sync([], NOW)
    folder.chmod(0o755)
    assert (folder / "test.db").read_bytes() == held


# --- a database that another process has locked ------------------------------------------------------------------------------


@contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Another process's write transaction."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other
        if other.in_transaction:
            other.execute("ROLLBACK")


def test_a_writer_waits_for_another_process(tmp_path: Path, site: Site) -> None:
    with make_app(tmp_path, site, ["alpha"]) as app:
        app.subscribed()
        with locked(tmp_path / "test.db") as other:
            release = threading.Timer(1.5, lambda: other.execute("ROLLBACK"))
            release.start()
            app.fetch()
            release.join()
        assert app.store.maintenance.sizes()[0] == 2


def test_a_lock_that_outlasts_the_patience_is_a_sentence_and_loses_nothing(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aggregator.store.sqlite.BUSY_SECONDS", 0.2)
    with make_app(tmp_path, site, ["alpha"]) as app:
        app.subscribed()
        with locked(tmp_path / "test.db"):
            with pytest.raises(StoreError, match="kept locked by another process"):
                app.fetch()
            assert app.store.maintenance.sizes()[0] == 0, "readers do not wait"
        app.fetch(force=True)
        assert app.store.maintenance.sizes()[:2] == (2, 0)
        assert sound(app)


def test_the_daemon_outlives_a_lock_and_goes_on(tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aggregator.store.sqlite.BUSY_SECONDS", 0.2)
    with make_app(tmp_path, site, ["alpha"]) as app:
        daemon = Daemon(app)
        app.expect_digests()
        with locked(tmp_path / "test.db"):
            daemon._guarded("round", daemon._round)()
        assert daemon.counters.failed_jobs == 1
        assert app.store.maintenance.sizes()[0] == 0
        daemon._guarded("round", daemon._round)()
        assert app.store.maintenance.sizes()[0] == 2


def test_a_grouping_that_cannot_be_written_is_done_again(tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aggregator.store.sqlite.BUSY_SECONDS", 0.2)
    with make_app(tmp_path, site, ["alpha"]) as app:
        app.fetch()
        poll(app.store, "alpha", [item("late", "A third thing entirely", summary="Nothing to do with the others")], now=app.clock())
        with locked(tmp_path / "test.db"), pytest.raises(StoreError, match="locked"):
            app.organise()
        assert app.store.maintenance.sizes()[1] == 1
        assert app.organise() == 1
        assert sound(app)


SLOW = ("AGGREGATOR_TEST_SLOW", "AGGREGATOR_TEST_NO_SKIP")


@pytest.mark.skipif(not any(map(os.environ.get, SLOW)), reason="takes 30 s: AGGREGATOR_TEST_SLOW=1 runs it")
def test_a_lock_of_thirty_seconds(tmp_path: Path, site: Site) -> None:
    """The daemon's rounds fail with a sentence while it lasts, and the first one after it stores everything."""
    with make_app(tmp_path, site, ["alpha"]) as app:
        daemon = Daemon(app)
        app.expect_digests()
        with locked(tmp_path / "test.db"):
            end = time.monotonic() + 30
            while time.monotonic() < end:
                daemon._guarded("round", daemon._round)()
        assert daemon.counters.failed_jobs >= 2
        daemon._guarded("round", daemon._round)()
        assert app.store.maintenance.sizes()[0] == 2
