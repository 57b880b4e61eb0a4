"""What the benchmarks share: servers on free ports, the program in a folder of its own, time and memory over all processes."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
STREAM = "data/stream-2023-12.jsonl.gz"


def shared_folder() -> Path:
    return Path(os.environ.get("AGGREGATOR_SHARED", ROOT.parent / "shared"))


@dataclass(frozen=True)
class Replay:
    """A running replay server."""

    url: str
    pid: int

    def feeds(self) -> list[str]:
        return feeds_of(self.url)

    def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(ask(self.url, "/stats"))
        return found

    def set_clock(self, moment: datetime) -> None:
        set_clock(self.url, moment)


def ask(base: str, path: str) -> bytes:
    with urllib.request.urlopen(f"{base}{path}") as answer:
        return bytes(answer.read())


def set_clock(base: str, moment: datetime) -> None:
    ask(base, f"/clock?set={moment.isoformat().replace('+', '%2B')}")


def feeds_of(base: str) -> list[str]:
    """The addresses of a server's feeds; of a replay server largest source first."""
    return re.findall(r'xmlUrl="([^"]+)"', ask(base, "/index.opml").decode())


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def process(*command: str) -> Iterator[subprocess.Popen[str]]:
    """A Python program beside the measured one; ready when it has printed a line."""
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        try:
            assert server.stdout is not None
            if not server.stdout.readline():
                raise SystemExit(f"{command[0]} did not start.")
            yield server
        finally:
            server.kill()  # terminate would wait for what it is busy with


@contextmanager
def replay(*options: str, shared: Path | None = None) -> Iterator[Replay]:
    """Serve the shared stream; `options` are those of replay.py."""
    folder, port = (shared or shared_folder()).resolve(), free_port()
    program = folder / "tools/replay.py"
    if not program.exists():
        raise SystemExit(f"There is no replay server in {folder}; set AGGREGATOR_SHARED to the folder of the shared data.")
    with process(str(program), str(folder / STREAM), "--port", str(port), *options) as server:
        yield Replay(f"http://127.0.0.1:{port}", server.pid)


def write_home(folder: Path, feeds: Mapping[str, str], settings: str = "") -> list[str]:
    """A configuration with these feeds (name: address) in `folder`; the command line that uses it."""
    lines = "\n".join(f'[[feed]]\nname = "{name}"\nurl = "{url}"\n' for name, url in feeds.items())
    (folder / "feeds.toml").write_text(lines, encoding="utf-8")
    (folder / "aggregator.toml").write_text(f'database = "aggregator.db"\n{settings}', encoding="utf-8")
    return [sys.executable, "-m", "aggregator", "--config", str(folder / "aggregator.toml")]


@dataclass(frozen=True)
class Run:
    code: int
    seconds: float
    peak_bytes: int | None
    """Over all processes at one moment, shared pages counted once; None where /proc does not tell."""
    output: str


def run_measured(command: list[str], deadline_seconds: float = 600.0) -> Run:
    """Run a command, looking at its processes ten times a second."""
    began, peak = time.monotonic(), 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT) as process:
        try:
            while process.poll() is None and time.monotonic() - began < deadline_seconds:
                peak = max(peak, memory_bytes(process.pid))
                time.sleep(0.1)
        finally:
            process.kill()
        output = process.stdout.read() if process.stdout else ""
    return Run(process.returncode, time.monotonic() - began, peak or None, output)


def memory_bytes(pid: int) -> int:
    """The proportional share (PSS) of a process and all that it started; 0 where /proc does not tell."""
    return sum(map(_bytes, _family(pid)))


def cpu_seconds(pid: int) -> float:
    """Processor time of a process, of all that it started and of what has ended and was waited for; 0 where /proc does not tell."""
    return sum(map(_seconds, _family(pid)))


def _family(pid: int) -> list[int]:
    """A process and all that it started (Linux)."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            found += [each for child in (task / "children").read_text().split() for each in _family(int(child))]
        except OSError:
            continue
    return found


def _bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def schema(url: str) -> Iterator[str]:
    """The address of a schema of its own on a PostgreSQL server, which goes again."""
    from sqlalchemy import NullPool, create_engine, make_url

    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    name = f"aggregator_bench_{os.getpid()}"
    with engine.connect() as connection:
        connection.exec_driver_sql(f'CREATE SCHEMA "{name}"')
        try:
            yield f"{url}{'&' if '?' in url else '?'}options={quote(f'-c search_path={name}')}"
        finally:
            connection.exec_driver_sql(f'DROP SCHEMA "{name}" CASCADE')
