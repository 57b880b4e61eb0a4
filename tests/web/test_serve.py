"""`aggregator serve` as a person or a service manager starts and stops it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from aggregator.cli.main import cli
from tests.shared import ROOT
from tests.web.client import Client


def start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "aggregator", "serve", *arguments]
    return subprocess.Popen(command, cwd=home, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_ends_when_told(tmp_path: Path, ending: signal.Signals) -> None:
    running = start(tmp_path, "--listen", "127.0.0.1:0")
    try:
        assert running.stderr is not None
        said = re.match(r"Serving (http://127\.0\.0\.1:\d+/) ", running.stderr.readline())
        assert said
        assert Client(said[1]).get("/healthz").text == "ok\n"
        assert "There are no feeds yet" in Client(said[1]).get("/").text
        running.send_signal(ending)
        _, rest = running.communicate(timeout=60)
        assert (running.returncode, rest) == (0, "")
    finally:
        running.kill()


@pytest.mark.parametrize(
    ("listen", "sentence"),
    [
        ("0.0.0.0:0", "so a login is needed: write a long token into a file"),
        ("example.org:80", "it takes an address of this machine and a port"),
        ("127.0.0.1:99999", "cannot be listened on"),
    ],
)
def test_what_cannot_be_served_is_told_in_a_sentence(tmp_path: Path, listen: str, sentence: str) -> None:
    running = start(tmp_path, "--listen", listen)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 2
    assert sentence in said
    assert said.count("\n") == 1


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        running = start(tmp_path, "--listen", address)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 2
    assert f"{address} cannot be listened on" in said


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("aggregator.cli.serve.find_spec", lambda name: None)
    done = CliRunner().invoke(cli, ["--database", str(tmp_path / "x.db"), "serve"])
    assert "pip install 'aggregator[web]'" in str(done.exception)
