"""The brokers that tests may use, each test under names of its own, and the servers that a test may start for itself."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from aggregator.tasks import QUEUES
from tests.shared import ROOT

PATIENCE_SECONDS = 60.0
ADDRESSES = {
    "redis": ("AGGREGATOR_TEST_REDIS", "redis://127.0.0.1:6379", 6379),
    "rabbitmq": ("AGGREGATOR_TEST_RABBITMQ", "amqp://guest:guest@127.0.0.1:5672", 5672),
}


def wait_for(condition: Callable[[], object], why: str = "waited in vain") -> None:
    """Until it holds; a test that waits this long has failed."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, why
        time.sleep(0.05)


def listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 2).close()
    except OSError:
        return False
    return True


def broker_address(kind: str) -> str:
    """The address of a running broker. Skips where none listens, unless one was named; then it fails."""
    variable, usual, port = ADDRESSES[kind]
    address = os.environ.get(variable, usual)
    split = urlsplit(address)
    if not listens(split.hostname or "localhost", split.port or port):
        lacking = f"needs {kind}; start one, or name it with {variable}"
        if variable in os.environ:
            pytest.fail(f"{lacking}: nothing listens at {split.hostname}:{split.port or port}")
        pytest.skip(lacking)
    return address


@contextmanager
def own_queues(address: str) -> Iterator[str]:
    """A prefix that nobody else has; what was made under it is removed."""
    prefix = f"test-{uuid4().hex[:12]}"
    try:
        yield prefix
    finally:
        with suppress(Exception):  # a test may have killed its own broker
            (_clear_redis if address.startswith("redis") else _clear_rabbitmq)(address, prefix)


def _clear_redis(address: str, prefix: str) -> None:
    import redis

    with closing(redis.Redis.from_url(address, socket_connect_timeout=2)) as client:
        for key in client.scan_iter(match=f"{prefix}:*"):
            client.delete(key)


def _clear_rabbitmq(address: str, prefix: str) -> None:
    import pika

    with closing(pika.BlockingConnection(pika.URLParameters(address))) as connection:
        channel = connection.channel()
        for queue in QUEUES:
            for ending in ("", ".DQ", ".XQ"):
                channel.queue_delete(f"{prefix}.{queue}{ending}")


class Command:
    """An `aggregator` process and its log; killed in the end if it still runs."""

    def __init__(self, config: Path, *arguments: str, log: Path, environ: dict[str, str] | None = None) -> None:
        self.log = log
        command = [sys.executable, "-m", "aggregator", "--config", str(config), *arguments]
        usual = {"HOME": str(log.parent), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        with log.open("w") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, cwd=log.parent, env=usual | (environ or {}))

    def wait_for(self, text: str) -> None:
        wait_for(lambda: text in self.log.read_text() or self.process.poll() is not None, f"“{text}” was not logged")
        assert text in self.log.read_text(), self.log.read_text()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """How it ends after SIGTERM."""
        self.process.terminate()
        return self.process.wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def program(name: str, *folders: str) -> str:
    """A server program of this machine, or a skip."""
    found = shutil.which(name) or next((str(path) for folder in folders if (path := Path(folder) / name).exists()), None)
    if found is None:
        pytest.skip(f"needs the program {name}")
    return found


class Cluster:
    """A PostgreSQL of our own in a folder of its own, as the user postgres where this one is root."""

    def __init__(self) -> None:
        self._bin = Path(program("initdb", *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)))).parent
        self.folder, self.port = Path(tempfile.mkdtemp(prefix="aggregator-pg-")), free_port()
        self._as: list[str] = []
        if os.getuid() == 0:
            try:
                owner = pwd.getpwnam("postgres")
            except KeyError:
                pytest.skip("needs a user postgres, since root may not run a PostgreSQL")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            self._as = [program("runuser"), "-u", "postgres", "--"]
        self._do("initdb", "-D", str(self.folder / "data"), "-A", "trust", "-U", "postgres", "-E", "UTF8", "-N")

    def _do(self, name: str, *arguments: str) -> None:
        command = [*self._as, str(self._bin / name), *arguments]
        subprocess.run(command, check=True, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} -c shared_buffers=16MB"
        self._do("pg_ctl", "start", "-w", "-D", str(self.folder / "data"), "-l", str(self.folder / "log"), "-o", options)

    def kill(self) -> None:
        """Kill the server's first process; its others follow it as soon as they notice."""
        process = int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(process, signal.SIGKILL)
        wait_for(lambda: not listens("127.0.0.1", self.port))

    def start_again(self) -> None:
        """Once its old processes are gone: before that, the server refuses to start on their shared memory."""
        for _ in range(100):
            with suppress(subprocess.CalledProcessError):
                self.start()
                return
            time.sleep(0.2)
        pytest.fail((self.folder / "log").read_text())

    def remove(self) -> None:
        with suppress(subprocess.CalledProcessError):
            self._do("pg_ctl", "stop", "-m", "immediate", "-D", str(self.folder / "data"))
        shutil.rmtree(self.folder, ignore_errors=True)
