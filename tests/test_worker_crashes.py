"""Kill -9 in the middle of a run: of the daemon, of the broker, of PostgreSQL. It goes on by itself, and nothing is lost or doubled."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.app import App
from aggregator.errors import AggregatorError
from tests.services import Cluster, Command, broker_address, free_port, listens, own_queues, program, wait_for
from tests.test_workers import NOW, Fleet, Site

FEEDS = 12
TICK = '[daemon]\ntick = "1s"\n'


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


class Run(Fleet):
    """A fleet whose daemon is a process, too."""

    def daemon_process(self) -> Command:
        log = self.folder / f"daemon-{len(list(self.folder.glob('daemon-*')))}.log"
        started = Command(self.config, "--now", NOW, "run", log=log)
        self.others.append(started)
        return started

    @property
    def others(self) -> list[Command]:
        return self.__dict__.setdefault("_others", [])  # type: ignore[no-any-return]

    def finished(self) -> bool:
        """Whether all is polled and grouped."""
        try:
            return self.polled() == FEEDS and not self.app.store.maintenance.sizes()[1]
        except AggregatorError:  # the database is down
            return False

    def close(self) -> None:
        for other in self.others:
            other.kill()
        super().close()


def check(app: App) -> None:
    """Nothing lost, nothing doubled: two items of each feed, each in one story, the common one with those of all other feeds."""
    items = [item for story in app.store.stories.stories(limit=1000) for item in app.store.stories.story(story.id).items]
    assert Counter(item.feed for item in items) == Counter({f"f{number}": 2 for number in range(FEEDS)})
    assert len({item.id for item in items}) == len(items)
    assert max(story.item_count for story in app.store.stories.stories(limit=1000)) == FEEDS
    assert app.store.maintenance.check() == []


def in_the_middle(run: Run, site: Site) -> None:
    """Until some feeds are polled and one is being polled."""
    wait_for(lambda: site.counts()["/f5"] == 1 and 4 <= run.polled() < FEEDS)


def test_a_second_daemon_takes_over_from_one_that_was_killed(tmp_path: Path, site: Site) -> None:
    with own_queues(address := broker_address("redis")) as prefix:
        run = Run(tmp_path, site, address, prefix, feeds=FEEDS, database="", more=TICK)
        try:
            site.hold = {"/f5"}
            first = run.daemon_process()
            first.wait_for("sent 12 feeds")
            run.daemon_process().wait_for("this one waits")
            run.worker("--queues", "fetch")
            in_the_middle(run, site)
            first.kill()
            site.go.set()
            run.worker("--queues", "organise")  # what only the second daemon sends
            wait_for(run.finished)
            assert set(site.counts().values()) == {1}
            check(run.app)
        finally:
            run.close()


@pytest.fixture
def redis_server(tmp_path: Path) -> tuple[int, list[str]]:
    """A port, and the command of a Redis that keeps nothing."""
    port, folder = free_port(), tmp_path / "redis"
    folder.mkdir()
    return port, [program("redis-server"), "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(folder)]


def test_a_broker_that_was_killed_and_forgot_everything_is_told_again(
    tmp_path: Path, site: Site, redis_server: tuple[int, list[str]]
) -> None:
    port, command = redis_server
    redis = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    run = Run(tmp_path, site, f"redis://127.0.0.1:{port}", "mine", feeds=FEEDS, database="", more=TICK)
    try:
        wait_for(lambda: listens("127.0.0.1", port))
        site.hold = {"/f5"}
        run.daemon_process()
        run.worker()
        in_the_middle(run, site)
        redis.kill()
        redis.wait()
        site.go.set()
        redis = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_for(run.finished)
        assert set(site.counts().values()) == {1}
        check(run.app)
    finally:
        run.close()
        redis.kill()
        redis.wait()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    try:
        made.start()
        yield made
    finally:
        made.remove()


def test_a_database_that_was_killed_and_started_again_is_used_again(tmp_path: Path, site: Site, cluster: Cluster) -> None:
    with own_queues(address := broker_address("redis")) as prefix:
        run = Run(tmp_path, site, address, prefix, feeds=FEEDS, database=cluster.url, more=TICK)
        try:
            site.hold = {"/f5"}
            run.daemon_process()
            run.worker()
            in_the_middle(run, site)
            cluster.kill()
            site.go.set()
            time.sleep(1)  # what ends now cannot be stored
            cluster.start_again()
            wait_for(run.finished)
            assert set(site.counts()) == {f"/f{number}" for number in range(FEEDS)}
            check(run.app)
        finally:
            run.close()
