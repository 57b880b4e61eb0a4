"""What the daemon's main thread watches: changed settings, signals, the clock, the service manager, and who asks how it is."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from aggregator.app import App
from aggregator.daemon import Daemon
from aggregator.heartbeat import STALLED_SECONDS, ClockWatch, Heartbeat
from aggregator.listener import Listener
from tests.shared import ROOT
from tests.test_daemon import PATIENCE_SECONDS, wait_for
from tests.test_flow import Site, make_app


@pytest.fixture
def site(httpserver: HTTPServer) -> Site:
    return Site(httpserver)


@contextmanager
def running(app: App, heartbeat: Heartbeat | None = None) -> Iterator[Daemon]:
    daemon = Daemon(app, heartbeat)
    thread = threading.Thread(target=daemon.run)
    thread.start()
    try:
        yield daemon
    finally:
        daemon.stop_asked.set()
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()
        daemon.app.close()


# --- settings and signals --------------------------------------------------------------------------------------------------


def test_changed_settings_count_without_a_signal_and_a_mistake_leaves_the_old_ones(
    tmp_path: Path, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="aggregator")
    config = tmp_path / "aggregator.toml"
    with make_app(tmp_path, site, ["alpha"]) as app, running(app) as daemon:
        wait_for(lambda: daemon.counters.rounds > 0)
        before = config.read_text()
        config.write_text(f'{before}[digests.noon]\ntime = "12:00"\n')
        wait_for(lambda: "noon" in daemon.app.settings.digests)
        assert daemon._scheduler is not None
        wait_for(lambda: daemon._scheduler is not None and "digest noon" in {job.id for job in daemon._scheduler.get_jobs()})
        config.write_text("[digest\n")
        wait_for(lambda: "not valid TOML" in caplog.text)
        assert "noon" in daemon.app.settings.digests
        config.write_text(f'{before}[daemon]\ntick = "1s"\n')
        wait_for(lambda: daemon.app.settings.daemon.tick == 1)
        rounds = daemon.counters.rounds
        wait_for(lambda: daemon.counters.rounds > rounds)


def test_settings_that_are_read_once_are_named_when_they_change(tmp_path: Path, site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="aggregator")
    with make_app(tmp_path, site, ["alpha"]) as app, running(app) as daemon:
        wait_for(lambda: daemon.counters.rounds > 0)
        config = tmp_path / "aggregator.toml"
        config.write_text(f'{config.read_text()}[daemon]\nlisten = "127.0.0.1:0"\ntick = "1s"\n[log]\nlevel = "debug"\n')
        wait_for(lambda: "that counts when the daemon is started again" in caplog.text)
        said = next(record.message for record in caplog.records if "started again" in record.message)
        assert said == "daemon.listen, log.level changed: that counts when the daemon is started again"


def test_another_database_in_the_settings_waits_for_the_next_start(tmp_path: Path, site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with make_app(tmp_path, site, ["alpha"]) as app, running(app) as daemon:
        wait_for(lambda: daemon.counters.rounds > 0)
        config = tmp_path / "aggregator.toml"
        config.write_text(config.read_text().replace("test.db", "other.db"))
        wait_for(lambda: "another database counts from the next start" in caplog.text)
        assert not (tmp_path / "other.db").exists()


def command(folder: Path) -> list[str]:
    return [sys.executable, "-m", "aggregator", "--config", str(folder / "aggregator.toml"), "run"]


def environ(folder: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(folder), "PATH": "/usr/bin:/bin", **more}


def test_the_service_manager_hears_of_start_reload_watchdog_and_stop(tmp_path: Path, site: Site) -> None:
    make_app(tmp_path, site, ["alpha"]).close()
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.bind(str(tmp_path / "notify"))
    channel.settimeout(PATIENCE_SECONDS)
    env = environ(tmp_path, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="100000")
    process = subprocess.Popen(command(tmp_path), cwd=ROOT, env=env, stderr=subprocess.DEVNULL)

    def heard(word: str) -> None:
        while word not in channel.recv(4096).decode().split("\n")[0]:
            pass

    try:
        for sent, word in ((None, "READY=1"), (None, "WATCHDOG=1"), (signal.SIGHUP, "RELOADING=1"), (None, "READY=1")):
            if sent is not None:
                process.send_signal(sent)
            heard(word)
        process.send_signal(signal.SIGTERM)
        heard("STOPPING=1")
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        channel.close()


def test_a_stop_gives_up_on_a_server_that_never_answers_within_the_deadline(tmp_path: Path, site: Site) -> None:
    mute = socket.socket()
    mute.bind(("127.0.0.1", 0))
    mute.listen()
    make_app(tmp_path, site, []).close()
    (tmp_path / "feeds.toml").write_text(f'[[feed]]\nname = "mute"\nurl = "http://127.0.0.1:{mute.getsockname()[1]}/"\n')
    config = tmp_path / "aggregator.toml"
    config.write_text(config.read_text().replace("[fetch]", '[daemon]\nshutdown_timeout = "20s"\n[fetch]\ntimeout = "10m"'))
    process = subprocess.Popen(command(tmp_path), cwd=ROOT, env=environ(tmp_path), stderr=subprocess.DEVNULL)
    try:
        mute.accept()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        mute.close()


def test_work_that_does_not_end_is_left_at_the_deadline(tmp_path: Path, site: Site) -> None:
    make_app(tmp_path, site, ["alpha"]).close()
    config = tmp_path / "aggregator.toml"
    config.write_text(config.read_text().replace("[fetch]", '[daemon]\nshutdown_timeout = "1s"\n[fetch]'))
    code = (
        "import sys, time; from aggregator.app import App; from aggregator.cli.main import main\n"
        "def stuck(self, progress=None):\n print('stuck', flush=True); time.sleep(3600)\n"
        f"App.organise = stuck; main(['--config', {str(config)!r}, 'run'])"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environ(tmp_path), stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"stuck\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()


# --- the clock -----------------------------------------------------------------------------------------------------------


def test_a_clock_that_is_set_is_noticed_once_and_one_that_drifts_is_not() -> None:
    watch = ClockWatch(1000.0, 0.0)
    assert watch.jump_seconds(1010.5, 10.0) is None
    assert watch.jump_seconds(4620.0, 20.0) == pytest.approx(3600)
    assert watch.jump_seconds(4630.0, 30.0) is None
    assert watch.jump_seconds(1000.0, 31.0) == pytest.approx(-3631)


def test_after_the_clock_was_set_back_the_next_round_comes_at_once(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ahead = [3600.0]
    real = time.time
    monkeypatch.setattr("aggregator.daemon.time.time", lambda: real() + ahead[0])
    with make_app(tmp_path, site, ["alpha"]) as app, running(app) as daemon:
        wait_for(lambda: daemon.counters.rounds > 0)
        assert daemon._scheduler is not None
        for job in daemon._scheduler.get_jobs():  # what a clock that was an hour ahead had worked out
            job.modify(next_run_time=datetime.now(UTC) + timedelta(hours=1))
        rounds = daemon.counters.rounds
        ahead[0] = 0.0
        wait_for(lambda: daemon.counters.rounds > rounds)
        assert "the clock was set -3600 s" in caplog.text


# --- the heartbeat ---------------------------------------------------------------------------------------------------------


def test_work_without_progress_starves_the_watchdog(tmp_path: Path) -> None:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.bind(str(tmp_path / "n"))
    channel.setblocking(False)
    now = [0.0]
    heart = Heartbeat({"NOTIFY_SOCKET": str(tmp_path / "n"), "WATCHDOG_USEC": "60000000"}, lambda: now[0])

    def fed(*, busy: bool) -> bool:
        now[0] += 31
        heart.feed_watchdog(busy=busy)
        try:
            return channel.recv(99) == b"WATCHDOG=1"
        except BlockingIOError:
            return False

    assert fed(busy=True)
    now[0] += STALLED_SECONDS
    assert not fed(busy=True)
    assert fed(busy=False)
    heart.progress()
    assert fed(busy=True)
    channel.close()


# --- who asks --------------------------------------------------------------------------------------------------------------


def get(port: int, path: str, host: str | None = None) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_listener_answers_this_machine_alone() -> None:
    with Listener("127.0.0.1:0", {"/healthz": lambda: (200, "text/plain", "ok\n")}) as listener:
        assert get(listener.port, "/healthz") == (200, "ok\n")
        assert get(listener.port, "/healthz", "localhost:1")[0] == 200
        assert get(listener.port, "/healthz", "evil.example")[0] == 403
        assert get(listener.port, "/etc/passwd")[0] == 404


def test_metrics_and_health_are_served_and_written(tmp_path: Path, site: Site) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    make_app(tmp_path, site, []).close()
    config = tmp_path / "aggregator.toml"
    text = f'[daemon]\nlisten = "127.0.0.1:{port}"\nmetrics_file = "metrics.prom"\n[fetch]'
    config.write_text(config.read_text().replace("[fetch]", text))
    (tmp_path / "feeds.toml").write_text(
        "".join(f'[[feed]]\nname = "{name}"\nurl = "{site.base.rstrip("/")}/{name}"\n' for name in ("alpha", "down"))
    )
    with App.from_options(config=str(config), now="2023-12-27T18:30:00Z", environ={}) as app, running(app) as daemon:
        wait_for(lambda: daemon.counters.rounds > 0)
        assert get(port, "/healthz") == (200, "ok\n")
        status, served = get(port, "/metrics")
        wait_for((tmp_path / "metrics.prom").exists)
    assert status == 200
    for text in (served, (tmp_path / "metrics.prom").read_text()):
        samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        assert samples['aggregator_polls_total{outcome="changed"}'] == "1"
        assert samples['aggregator_polls_total{outcome="error"}'] == "1"
        assert samples['aggregator_feeds{state="failing"}'] == "1"
        assert samples["aggregator_items"] == samples["aggregator_new_items_total"] == "2"
        assert samples["aggregator_unsorted_items"] == "0"
        assert all(re.fullmatch(r"aggregator_[a-z_]+(\{[a-z]+=\"[^\"]*\"\})?", name) for name in samples)


# --- the files that run it ---------------------------------------------------------------------------------------------------


UNIT = ROOT / "docs" / "aggregator.service"


def test_the_unit_runs_a_command_that_exists_as_the_service_it_is() -> None:
    lines = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if re.match(r"[A-Z]\w+=", line))
    assert lines["Type"] == "notify"
    assert lines["ExecStart"].split()[1:] == ["run", "--log-format", "json"]
    wanted = ("NoNewPrivileges", "ProtectSystem", "ProtectHome", "PrivateTmp", "RestrictAddressFamilies", "SystemCallFilter", "WatchdogSec")
    assert all(lines.get(name) for name in wanted)
    assert lines["CapabilityBoundingSet"] == ""


def test_systemd_rates_the_unit_as_hardened() -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", str(UNIT)], capture_output=True, text=True)
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    if exposure is None:
        pytest.skip("this systemd-analyze cannot rate a unit offline")
    assert float(exposure[1]) <= 2.0
