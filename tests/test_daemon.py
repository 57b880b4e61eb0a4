"""The daemon: fires by the program's clock, catches up once, refuses a second instance, stops cleanly."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pytest_httpserver import HTTPServer

from aggregator.clock import ProgramClock
from aggregator.daemon import Daemon
from aggregator.errors import LockedError
from aggregator.model import DigestRecord
from aggregator.triggers import ProgramTimeTrigger, daily, missed_since
from tests.shared import ROOT
from tests.test_flow import Site, make_app

pytestmark = pytest.mark.usefixtures("every_kind")

PATIENCE_SECONDS = 60.0


def wait_for(condition: Callable[[], bool]) -> None:
    """Until it holds; a test that waits this long has failed."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.fixture
def site(httpserver: HTTPServer) -> Site:
    return Site(httpserver)


def test_the_daily_time_is_local_across_clock_changes() -> None:
    trigger = daily("07:00", "Europe/Berlin")
    winter = trigger.get_next_fire_time(None, datetime(2024, 3, 30, 7, 0, tzinfo=UTC))
    assert winter.astimezone(UTC) == datetime(2024, 3, 31, 5, 0, tzinfo=UTC)
    assert daily("07:00", "UTC", ("mon",)).get_next_fire_time(None, datetime(2023, 12, 27, tzinfo=UTC)).weekday() == 0


def test_a_digest_is_missed_only_when_its_time_passed_since_the_last_one() -> None:
    trigger = daily("07:00", "UTC")
    last = datetime(2023, 12, 27, 7, 0, tzinfo=UTC)
    assert not missed_since(trigger, last, last + timedelta(hours=23))
    assert missed_since(trigger, last, last + timedelta(hours=24))
    assert missed_since(trigger, last, last + timedelta(days=9))


@pytest.mark.parametrize(
    ("at", "zone", "day", "moments"),
    [
        ("02:30", "Europe/Berlin", "2024-03-30", ["2024-03-30T01:30", "2024-03-31T01:30", "2024-04-01T00:30"]),
        ("02:30", "Europe/Berlin", "2024-10-26", ["2024-10-26T00:30", "2024-10-27T00:30", "2024-10-28T01:30"]),
        ("07:00", "Australia/Lord_Howe", "2024-04-06", ["2024-04-05T20:00", "2024-04-06T20:30", "2024-04-07T20:30"]),
    ],
)
def test_a_time_that_a_clock_change_takes_or_repeats_fires_once_a_day(at: str, zone: str, day: str, moments: list[str]) -> None:
    trigger = daily(at, zone)
    previous, found = None, []
    now = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    for _ in moments:
        previous = now = trigger.get_next_fire_time(previous, now)
        found.append(previous.astimezone(UTC).isoformat()[:16])
    assert found == moments


def test_triggers_go_by_the_programs_clock() -> None:
    clock = ProgramClock(datetime(2023, 12, 27, 6, 0, tzinfo=UTC), speed=3600)
    now = datetime.now(UTC)
    real = ProgramTimeTrigger(daily("07:00", "UTC"), clock).get_next_fire_time(None, now)
    assert real is not None
    assert clock.of_real(real) == datetime(2023, 12, 27, 7, 0, tzinfo=UTC)
    assert timedelta(0) < real - now <= timedelta(seconds=1)


def test_the_digest_is_written_when_its_time_comes(tmp_path: Path, site: Site) -> None:
    with make_app(tmp_path, site, ["alpha", "beta"], now="2023-12-27T06:55:00Z", speed=30) as app:
        daemon = Daemon(app)
        running = threading.Thread(target=daemon.run)
        running.start()
        try:
            wait_for(lambda: app.last_digest("daily") is not None)
        finally:
            daemon.stop_asked.set()
            running.join(PATIENCE_SECONDS)
        assert not running.is_alive()
        text = (tmp_path / "digests" / "digest-daily-2023-12-27.md").read_text(encoding="utf-8")
    assert "Sourdough" in text
    assert {request.path for request in site.requests} == {"/alpha", "/beta"}


def test_a_missed_digest_is_caught_up_once_and_says_its_period(tmp_path: Path, site: Site) -> None:
    with make_app(tmp_path, site, ["alpha"], now="2023-12-27T18:30:00Z") as app:
        last = datetime(2023, 12, 25, 7, 0, tzinfo=UTC)
        app.store.digests.record(DigestRecord("daily", last - timedelta(days=1), last, last, "markdown"))
        daemon = Daemon(app)
        daemon.once()
        daemon.once()
        assert [path.name for path in (tmp_path / "digests").iterdir()] == ["digest-daily-2023-12-27.md"]
        record = app.last_digest("daily")
    assert record is not None
    assert record.from_at == last
    text = (tmp_path / "digests" / "digest-daily-2023-12-27.md").read_text(encoding="utf-8")
    assert "25 December 2023" in text


def test_a_job_that_fails_does_not_end_the_daemon(tmp_path: Path, site: Site) -> None:
    with make_app(tmp_path, site, ["alpha"], now="2023-12-27T18:30:00Z") as app:
        (tmp_path / "feeds.toml").write_text("[[feed]\nname =\n", encoding="utf-8")
        daemon = Daemon(app)
        daemon._guarded("poll", daemon._poll)()
        (tmp_path / "feeds.toml").write_text(f'[[feed]]\nname = "alpha"\nurl = "{site.base.rstrip("/")}/alpha"\n', encoding="utf-8")
        daemon._guarded("poll", daemon._poll)()
        assert app.store.feeds.state("alpha").last_success_at is not None


def test_a_second_instance_is_refused(tmp_path: Path, site: Site) -> None:
    with make_app(tmp_path, site, ["alpha"]) as app, make_app(tmp_path, site, ["alpha"]) as other, app.locks.single_instance():
        with pytest.raises(LockedError, match="already running"), other.locks.single_instance():
            pass
        assert other.upkeep.status().daemon_process is not None
    assert make_app(tmp_path, site, ["alpha"]).upkeep.status().daemon_process is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_logs_json_lines_and_stops_cleanly_on_a_signal(tmp_path: Path, site: Site, number: signal.Signals) -> None:
    make_app(tmp_path, site, ["alpha", "down"]).close()
    command = [sys.executable, "-m", "aggregator", "--config", str(tmp_path / "aggregator.toml"), "run", "--log-format", "json"]
    log = tmp_path / "log"
    with log.open("w") as out:
        process = subprocess.Popen(command, stderr=out, cwd=ROOT, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    try:
        wait_for(lambda: "organised" in log.read_text())
        process.send_signal(number)
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    messages = [line["message"] for line in lines]
    assert any(message.startswith("polled alpha (200): 2 new") for message in messages)
    assert any(line["level"] == "warning" and "500" in line["message"] for line in lines)
    assert messages[-1] == "stopped"


def test_one_round_exits_3_when_a_feed_failed(tmp_path: Path, site: Site) -> None:
    make_app(tmp_path, site, ["alpha", "down"]).close()
    command = [sys.executable, "-m", "aggregator", "--config", str(tmp_path / "aggregator.toml"), "run", "--once"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert done.returncode == 3, done.stderr
