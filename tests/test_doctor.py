"""The doctor finds what is broken, says what to do, and shows no secret."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from aggregator.app import App
from aggregator.doctor import Doctor, Finding
from tests.shared import ROOT
from tests.smtp_sink import SmtpSink
from tests.store.make import item, poll
from tests.test_flow import Site, make_app


@pytest.fixture
def site(httpserver: HTTPServer) -> Site:
    return Site(httpserver)


def examined(app: App, environ: dict[str, str] | None = None, *, network: bool = False) -> dict[str, Finding]:
    return {finding.check: finding for finding in Doctor(app, environ or {}, network=network).examine()}


def with_settings(folder: Path, site: Site, more: str, names: list[str] | None = None) -> App:
    make_app(folder, site, names or ["alpha"]).close()
    config = folder / "aggregator.toml"
    config.write_text(config.read_text() + more)
    return App.from_options(config=str(config), environ={})


def test_a_sound_installation_has_no_fault(tmp_path: Path, site: Site) -> None:
    with make_app(tmp_path, site, ["alpha", "beta"]) as app:
        app.fetch()
        found = examined(app, network=True)
    assert {name for name, finding in found.items() if finding.state != "ok"} == {"daemon"}
    assert "aggregator run" in found["daemon"].cure
    assert "2 of 2" in found["names"].says or "1 of 1" in found["names"].says


def test_an_empty_feed_list_says_how_to_begin(tmp_path: Path, site: Site) -> None:
    with make_app(tmp_path, site, []) as app:
        assert "feeds add" in examined(app)["feed list"].cure


def test_a_broken_feed_list_is_a_finding_and_stops_no_other_check(tmp_path: Path, site: Site) -> None:
    with make_app(tmp_path, site, ["alpha"]) as app:
        (tmp_path / "feeds.toml").write_text("[[feed]\n")
        found = examined(app)
    assert found["feed list"].state == "fault"
    assert "line 1" in found["feed list"].says
    assert found["database"].state == "ok"


def test_a_clock_behind_the_newest_item_is_a_fault(tmp_path: Path, site: Site) -> None:
    with make_app(tmp_path, site, ["alpha"]) as app:
        later = app.clock() + timedelta(days=2)
        poll(app.store, "alpha", [item("x", arrived_at=later)], now=later)
        assert "timedatectl" in examined(app)["clock"].cure


def test_failing_feeds_are_named(tmp_path: Path, site: Site) -> None:
    with make_app(tmp_path, site, ["alpha", "down"]) as app:
        app.fetch()
        assert examined(app)["feeds"].says == "1 of 2 fail: down"


SECRET = '[mail]\nhost = "127.0.0.1"\nport = {port}\nsender = "a@b.example"\nto = ["c@d.example"]\nuser = "me"\npassword = "{ref}"\n'


def test_secrets_must_be_there_and_for_this_user_alone_and_are_never_shown(tmp_path: Path, site: Site) -> None:
    with with_settings(tmp_path, site, SECRET.format(port=25, ref="env:PASS")) as app:
        assert "PASS, named by mail.password, is not set" in examined(app)["secrets"].says
        assert examined(app, {"PASS": "hunter2"})["secrets"].state == "ok"
    with with_settings(tmp_path, site, SECRET.format(port=25, ref="file:pass")) as app:
        assert "is not there" in examined(app)["secrets"].says
        (tmp_path / "pass").write_text("hunter2")
        (tmp_path / "pass").chmod(0o640)
        found = examined(app)
        assert found["secrets"].cure == f"chmod 600 {tmp_path / 'pass'}"
        assert "hunter2" not in str(found)


def test_a_mail_server_that_does_not_answer_and_what_waits_for_it_are_faults(tmp_path: Path, site: Site) -> None:
    targets = '[digests.m]\ntargets = ["mail"]\n'
    with SmtpSink() as sink, with_settings(tmp_path, site, targets + SECRET.format(port=sink.port, ref="")) as app:
        assert examined(app, network=True)["targets"].says == f"127.0.0.1:{sink.port} answers"
    assert sink.mails == []
    with with_settings(tmp_path, site, targets + SECRET.format(port=sink.port, ref="")) as app:
        app.publishing.make(app.plan("m"), app.clock())
        app.deliver()
        found = examined(app, network=True)
    assert (found["targets"].state, found["deliveries"].state) == ("fault", "fault")
    assert "m to mail:c@d.example" in found["deliveries"].says


def test_the_command_prints_lines_or_json_and_exits_1_on_a_fault(tmp_path: Path, site: Site) -> None:
    make_app(tmp_path, site, ["alpha"]).close()
    command = [sys.executable, "-m", "aggregator", "--config", str(tmp_path / "aggregator.toml"), "doctor", "--offline"]
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    plain = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env)
    assert plain.returncode == 0, plain.stderr
    assert "warning  daemon: it does not run. To do: `aggregator run`" in plain.stdout
    (tmp_path / "feeds.toml").write_text("nonsense")
    told = subprocess.run([*command, "--json"], capture_output=True, text=True, cwd=ROOT, env=env)
    assert told.returncode == 1
    assert {each["state"] for each in json.loads(told.stdout)["checks"] if each["check"] == "feed list"} == {"fault"}
