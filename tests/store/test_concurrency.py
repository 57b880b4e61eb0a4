"""Several readers, several writers, and a process that is killed while it writes."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aggregator.errors import StoreError
from aggregator.store import sqlite
from aggregator.store.opening import Store, open_store
from tests.shared import ROOT
from tests.store.make import HOUR, NOW, group, item, poll


def test_one_writer_and_several_readers_never_meet_a_lock(file_store: Store) -> None:
    done = threading.Event()

    def write() -> None:
        for number in range(20):
            stored = poll(file_store, "a", [item(f"{number}-{each}") for each in range(25)])
            group(file_store, stored.new, first_story=number + 1)
        done.set()

    def read() -> int:
        rounds = 0
        while not done.is_set() or not rounds:
            covered = file_store.stories.coverage(NOW - HOUR, NOW)
            assert all(len(each.items) == 25 for each in covered), "a reader saw half a round"
            file_store.items.search("title")
            file_store.feeds.states()
            rounds += 1
        return rounds

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        writer = pool.submit(write)
        writer.result(60)
        assert all(reader.result(60) for reader in readers)
    assert file_store.maintenance.stats().rows["stories"] == 20


def test_writers_of_two_stores_on_one_file_take_turns(file_store: Store, tmp_path: Path) -> None:
    with open_store(str(tmp_path / "store.db"), now=NOW) as other, ThreadPoolExecutor(4) as pool:
        poll(file_store, "a", [])

        def write(number: int) -> int:
            store = (file_store, other)[number % 2]
            return len(poll(store, "a", [item(f"{number}-{each}") for each in range(10)]).new)

        assert sum(pool.map(write, range(40))) == 400
    assert file_store.maintenance.check() == []


def test_a_backup_runs_beside_a_writer(file_store: Store, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(lambda: [poll(file_store, "a", [item(f"{n}-{each}") for each in range(25)]) for n in range(20)])
        file_store.maintenance.backup(tmp_path / "copy.db")
        writing.result(60)
    with open_store(str(tmp_path / "copy.db"), now=NOW) as copy:
        assert copy.maintenance.check() == []
        assert copy.maintenance.stats().rows["items"] % 25 == 0


def test_a_database_locked_by_another_process_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    with open_store(str(tmp_path / "store.db"), now=NOW) as store:
        poll(store, "a", [item("k")])
        other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"store\.db was kept locked by another process"):
            poll(store, "a", [item("l")])
        assert [one.key for one in store.items.export()] == ["k"], "readers go on"
        other.close()
        assert len(poll(store, "a", [item("l")]).new) == 1


KILLED = """
import sys
from sqlalchemy import event
from aggregator.store.opening import open_store
from tests.store.make import NOW, item, poll
import os, signal

store = open_store(sys.argv[1], now=NOW)
left = [int(sys.argv[2])]

def count(connection, cursor, statement, *rest):
    if statement.lstrip().upper().startswith(("INSERT", "UPDATE")):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

event.listen(store.items._db.engine, "before_cursor_execute", count)
poll(store, "a", [item("1", "Edited"), *(item(str(n)) for n in range(2, 50))])
"""


@pytest.mark.parametrize("statements", [1, 3, 5, 8])
def test_a_process_killed_between_statements_leaves_nothing_of_its_poll(tmp_path: Path, statements: int) -> None:
    path = tmp_path / "store.db"
    with open_store(str(path), now=NOW) as store:
        poll(store, "a", [item("1", "First")])
        before = store.feeds.states()
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path), str(statements)], cwd=ROOT, check=False)
    assert ended.returncode == -9, "the poll has fewer statements than this test thinks"
    with open_store(str(path), now=NOW) as store:
        assert [one.title for one in store.items.export()] == ["First"]
        assert store.feeds.states() == before
        assert store.maintenance.check() == []
        assert len(poll(store, "a", [item("1", "First"), item("2")]).new) == 1
