"""Several readers, several writers, and a process that is killed while it writes."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from aggregator.errors import StoreError
from aggregator.model import Feed, Mark, Membership, Polled, StoryChanges
from aggregator.store import sqlite
from aggregator.store.opening import Store, open_store
from tests.shared import ROOT
from tests.store.make import HOUR, NOW, group, item, poll, story, subscribe


def test_one_writer_and_several_readers_never_meet_a_lock(lasting_store: Store) -> None:
    done = threading.Event()

    def write() -> None:
        for number in range(20):
            stored = poll(lasting_store, "a", [item(f"{number}-{each}") for each in range(25)])
            group(lasting_store, stored.new, first_story=number + 1)
        done.set()

    def read() -> int:
        rounds = 0
        while not done.is_set() or not rounds:
            covered = lasting_store.stories.coverage(NOW - HOUR, NOW)
            assert all(len(each.items) == 25 for each in covered), "a reader saw half a round"
            lasting_store.items.search("title")
            lasting_store.feeds.states()
            rounds += 1
        return rounds

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        writer = pool.submit(write)
        writer.result(60)
        assert all(reader.result(60) for reader in readers)
    assert lasting_store.maintenance.stats().rows["stories"] == 20


def test_writers_of_two_stores_on_one_database_take_turns(lasting_store: Store, database_url: str) -> None:
    with open_store(database_url, now=NOW) as other, ThreadPoolExecutor(4) as pool:
        poll(lasting_store, "a", [])

        def write(number: int) -> int:
            store = (lasting_store, other)[number % 2]
            return len(poll(store, "a", [item(f"{number}-{each}") for each in range(10)]).new)

        assert sum(pool.map(write, range(40))) == 400
    assert lasting_store.maintenance.check() == []


def test_a_feed_is_claimed_by_one_of_many(lasting_store: Store, database_url: str) -> None:
    names = [f"feed-{number}" for number in range(60)]
    subscribe(lasting_store, *names)
    seen: dict[str, datetime | None] = dict.fromkeys(names)
    with open_store(database_url, now=NOW) as other, ThreadPoolExecutor(6) as pool:
        claims = list(pool.map(lambda n: (lasting_store, other)[n % 2].feeds.claim(seen, NOW + n * HOUR), range(6)))
    claimed = [name for claim in claims for name in claim]
    assert len(claimed) == len(set(claimed)), "two would poll one feed"
    left = lasting_store.feeds.claim(seen, NOW)
    assert set(claimed) | left == set(names), "what was in nobody's hands was left to nobody"


def test_one_piece_that_many_feeds_bring_at_once_is_one_item(lasting_store: Store, database_url: str) -> None:
    feeds = [f"feed-{number}" for number in range(8)]
    subscribe(lasting_store, *feeds)
    pieces = [item(f"piece-{number}") for number in range(20)]
    with open_store(database_url, now=NOW) as other, ThreadPoolExecutor(4) as pool:

        def write(number: int) -> tuple[int, ...]:
            store = (lasting_store, other)[number % 2]
            mine = pieces[number:] + pieces[:number]  # each in an order of its own
            return poll(store, feeds[number], [*mine, item(f"only-{number}")]).new

        new = list(pool.map(write, range(8)))
    stored = list(lasting_store.items.export())
    assert sorted(id_ for ids in new for id_ in ids) == [each.id for each in stored] == list(range(1, 29))
    assert all(ids == tuple(range(ids[0], ids[0] + len(ids))) for ids in new), "no two batches mix their ids: a digest ends at one"
    assert len(lasting_store.items.appearances(1)) == 8


def test_feed_lists_that_are_taken_up_at_once_make_each_feed_once(lasting_store: Store, database_url: str) -> None:
    feeds = [Feed(f"feed-{number}", f"https://{number}.example/feed") for number in range(30)]
    with open_store(database_url, now=NOW) as other, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: (lasting_store, other)[n % 2].feeds.sync(feeds[n:] + feeds[:n], NOW), range(8)))
    assert sorted(lasting_store.feeds.states()) == sorted(feed.name for feed in feeds)


def test_all_kinds_of_work_go_on_side_by_side(lasting_store: Store, database_url: str) -> None:
    """Whatever locks a row while another waits: nothing may stop the other for good."""
    feeds = [f"feed-{number}" for number in range(6)]
    subscribe(lasting_store, *feeds)
    done: list[int] = []
    with open_store(database_url, now=NOW) as other, ThreadPoolExecutor(6) as pool:

        def fetch(number: int) -> None:
            store = (lasting_store, other)[number % 2]
            for turn in range(10):
                names = feeds[number:] + feeds[:number]
                states = store.feeds.states()
                store.feeds.claim({name: states[name].last_attempt_at for name in names}, NOW + turn * HOUR)
                polls = [Polled(states[name], name, (item(f"{name}-{turn % 4}", f"Title {turn}"), item(f"all-{turn}"))) for name in names]
                done.append(sum(len(each.new) for each in store.items.ingest(polls, NOW + turn * HOUR)))

        def group_all() -> None:
            for _ in range(20):
                ids = [each.id for each in other.items.unsorted(20)]
                first, _ = other.stories.next_ids()
                if ids:
                    stories = (story(first, item_count=len(ids)),)
                    other.stories.apply(StoryChanges(tuple(Membership(id_, first) for id_ in ids), stories), NOW)

        def follow() -> None:
            for number in range(20):
                other.marks.save(Mark("story", 1, "follow" if number % 2 else "mute", NOW))
                other.feeds.sync([Feed(name, f"https://{name}.example/feed", title=f"T{number}") for name in feeds], NOW)

        jobs = [pool.submit(fetch, 0), pool.submit(fetch, 1), pool.submit(fetch, 2), pool.submit(group_all), pool.submit(follow)]
        for job in jobs:
            job.result(60)
    assert sum(done) == len(list(lasting_store.items.export())) == 6 * 4 + 10
    assert lasting_store.maintenance.check() == []


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


@pytest.mark.parametrize("statements", [1, 2, 3, 5])
def test_a_process_killed_between_statements_leaves_nothing_of_its_poll(database_url: str, statements: int) -> None:
    with open_store(database_url, now=NOW) as store:
        poll(store, "a", [item("1", "First")])
        before = store.feeds.states()
    ended = subprocess.run([sys.executable, "-c", KILLED, database_url, str(statements)], cwd=ROOT, check=False)
    assert ended.returncode == -9, "the poll has fewer statements than this test thinks"
    with open_store(database_url, now=NOW) as store:
        assert [one.title for one in store.items.export()] == ["First"]
        assert store.feeds.states() == before
        assert store.maintenance.check() == []
        assert len(poll(store, "a", [item("1", "First"), item("2")]).new) == 1


def test_a_store_that_rested_goes_on_also_one_in_memory(store: Store) -> None:
    for each in (store, open_store("sqlite://", now=NOW)):
        poll(each, "a", [item("1")])
        each.rest()
        assert [one.key for one in each.items.get([1])] == ["1"]
    if store.path is not None:
        store.rest()
        assert store._database.engine.pool.checkedin() == 0  # type: ignore[attr-defined]
