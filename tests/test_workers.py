"""The daemon sends, workers do: over Redis and RabbitMQ, with processes that are stopped, killed and put to sleep."""

from __future__ import annotations

import itertools
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aggregator.app import App
from aggregator.batching import batches
from aggregator.cli.status import to_json, to_lines
from aggregator.doctor import Doctor
from aggregator.errors import BrokerError, UsageError
from aggregator.heartbeat import Heartbeat
from aggregator.metrics import to_metrics
from aggregator.model import DigestRecord, DueFeed, Feed, FeedState
from aggregator.sending import SendingDaemon
from aggregator.store.claims import QUEUE
from aggregator.store.stories import WRITER
from aggregator.tasks import Queues
from aggregator.worker import Steps
from tests.services import Command, broker_address, own_queues, wait_for
from tests.shared import ROOT
from tests.store.make import seen
from tests.test_flow import OWN, WATCH, rss

NOW = "2023-12-27T18:30:00Z"
LEASE_SECONDS = 2.0


class Site:
    """Serves feeds by path on as many threads as it takes; can hold its answers back."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, str]] = []
        """Moment and path of each request."""
        self.hold: set[str] = set()
        self.go = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((time.monotonic(), self.path))
                if self.path in outer.hold:
                    outer.go.wait(60)
                number = int(re.sub(r"\D", "", self.path) or 0)
                title, headline, text = WATCH[number % 3]
                body = rss(
                    f"{title}{number}", (f"watch{number}", headline, text), (f"own{number}", f"{OWN[title][1]} {number}", OWN[title][2])
                )
                self.send_response(200)
                self.send_header("ETag", '"v1"')
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None: ...

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """Clients are killed here."""

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_address[1]

    def counts(self) -> Counter[str]:
        return Counter(path for _, path in self.asked)

    def close(self) -> None:
        self.go.set()
        self.server.shutdown()
        self.server.server_close()


class Fleet:
    """One installation: a folder, a broker, a daemon whose ticks the test makes, and worker processes."""

    def __init__(self, folder: Path, site: Site, broker: str, prefix: str, *, feeds: int, database: str, more: str) -> None:
        self.folder, self.broker, self.prefix = folder, broker, prefix
        self.config = folder / "aggregator.toml"
        self.config.write_text(
            f'database = "{database or folder / "test.db"}"\nbroker = "{broker}"\nzone = "UTC"\n'
            f'[workers]\nbatch = 4\nlease = {LEASE_SECONDS}\nprefix = "{prefix}"\n[digest]\nfolder = "{folder / "digests"}"\n'
            f"[fetch]\nallow_private = true\nparse_workers = 1\n{more}"
        )
        urls = (f"http://127.0.0.1:{site.port}/f{number}" for number in range(feeds))
        lines = (f'[[feed]]\nname = "f{number}"\nurl = "{url}"\ninterval = "1h"\n' for number, url in enumerate(urls))
        (folder / "feeds.toml").write_text("\n".join(lines))
        self.app = App.from_options(config=str(self.config), now=NOW, environ={"HOME": str(folder)})
        self.daemon = SendingDaemon(self.app, Heartbeat({}))
        self.workers: list[Command] = []

    def worker(self, *options: str) -> Command:
        started = Command(self.config, "--now", NOW, "worker", *options, log=self.folder / f"worker-{len(self.workers)}.log")
        self.workers.append(started)
        return started

    def tick(self) -> None:
        self.daemon._poll()

    def polled(self) -> int:
        return sum(state.last_success_at is not None for state in self.app.store.feeds.states().values())

    def settle(self) -> None:
        """Until all is polled and grouped, as the daemon's ticks have it done."""

        def done() -> bool:
            self.tick()
            time.sleep(0.2)
            return self.polled() == len(self.app.subscribed()) and not self.app.store.maintenance.sizes()[1]

        wait_for(done, "the feeds were not all polled and grouped")

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
        self.daemon.queues.close()
        self.app.close()


MakeFleet = Callable[..., Fleet]


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


@pytest.fixture
def fleet_of(tmp_path: Path, site: Site) -> Iterator[MakeFleet]:
    with ExitStack() as stack:

        def make(kind: str, *, feeds: int = 12, database: str = "", more: str = "") -> Fleet:
            address = broker_address(kind)
            prefix = stack.enter_context(own_queues(address))
            made = Fleet(tmp_path, site, address, prefix, feeds=feeds, database=database, more=more)
            stack.callback(made.close)
            return made

        yield make


def test_two_workers_do_the_work_once_and_the_daemon_none(fleet_of: MakeFleet, site: Site, postgres_url: str) -> None:
    fleet = fleet_of("redis", database=postgres_url)
    last = datetime(2023, 12, 25, 7, tzinfo=UTC)
    fleet.app.store.digests.record(DigestRecord("daily", last, last, last, "markdown"))
    for _ in range(2):
        fleet.worker()
    fleet.settle()
    assert site.counts() == Counter({f"/f{number}": 1 for number in range(12)})
    stories = fleet.app.store.stories.stories(limit=100)
    assert sum(story.item_count for story in stories) == 24
    assert max(story.item_count for story in stories) == 12
    fleet.daemon._publish()
    wait_for(lambda: (fleet.folder / "digests" / "digest-daily-2023-12-27.md").exists())
    wait_for(lambda: all(not state.waiting and not state.unacked for state in fleet.daemon.queues.states()))
    fleet.daemon._publish()
    fleet.tick()
    assert all((state.waiting, state.unacked, state.dead) == (0, 0, 0) for state in fleet.daemon.queues.states())  # nothing is due
    assert [worker.end() for worker in fleet.workers] == [0, 0]
    assert fleet.app.store.workers.all() == []


@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
def test_what_a_killed_worker_had_is_done_by_another(fleet_of: MakeFleet, site: Site, kind: str) -> None:
    fleet = fleet_of(kind)
    site.hold = {"/f1"}
    first = fleet.worker("--queues", "fetch")
    first.wait_for("started")
    fleet.tick()
    wait_for(lambda: site.counts()["/f1"] == 1 and fleet.polled() == 3)  # its batch but for one
    first.kill()
    site.hold = set()
    fleet.worker()
    fleet.settle()
    assert site.counts() == Counter({f"/f{number}": 1 for number in range(12)}) + Counter({"/f1": 1})
    assert sum(story.item_count for story in fleet.app.store.stories.stories(limit=100)) == 24


def test_a_worker_that_is_told_to_stop_gives_back_what_it_has_not_done(fleet_of: MakeFleet, site: Site) -> None:
    fleet = fleet_of("redis")
    site.hold = {"/f1"}
    first = fleet.worker("--queues", "fetch")
    first.wait_for("started")
    fleet.tick()
    wait_for(lambda: site.counts()["/f1"] == 1 and fleet.polled() == 3)
    assert first.end() == 0
    assert fleet.polled() == 3
    site.hold = set()
    fleet.worker()
    fleet.settle()
    assert sum(site.counts().values()) == 13


def test_what_the_broker_lost_is_sent_again_when_its_claim_has_run_out(fleet_of: MakeFleet, site: Site) -> None:
    fleet = fleet_of("redis")
    fleet.tick()
    fleet.daemon.queues.broker.flush_all()
    fleet.tick()
    assert all(not state.waiting for state in fleet.daemon.queues.states() if state.name == "fetch")  # claimed, and held to be on its way
    fleet.app.store.claims.renew(QUEUE, 0.0)
    fleet.worker()
    fleet.settle()
    assert set(site.counts().values()) == {1}


def test_feeds_are_given_back_when_the_broker_does_not_take_them(tmp_path: Path, site: Site) -> None:
    fleet = Fleet(tmp_path, site, "redis://127.0.0.1:1", "x", feeds=3, database="", more="")
    with pytest.raises(BrokerError, match=r"redis://127\.0\.0\.1:1 cannot be used"):
        fleet.tick()
    with pytest.raises(BrokerError):
        fleet.daemon._send_due()
    assert fleet.app.store.claims.claim(seen(fleet.app.store, [1, 2, 3]), 60) == [1, 2, 3]
    fleet.close()


def test_a_command_that_polls_by_itself_leaves_alone_what_is_on_its_way_to_workers(fleet_of: MakeFleet, site: Site) -> None:
    fleet = fleet_of("redis", feeds=3)
    fleet.app.subscribed()
    fleet.app.store.claims.claim(seen(fleet.app.store, [2]), 600)
    assert [outcome.name for outcome in fleet.app.fetch()] == ["f0", "f2"]
    assert set(site.counts()) == {"/f0", "/f2"}
    assert fleet.app.store.claims.claim(seen(fleet.app.store, [1, 2, 3]), 600) == [1, 3]


def test_a_host_is_asked_by_one_worker_at_a_time_and_spaced(fleet_of: MakeFleet, site: Site) -> None:
    delay = 0.2
    fleet = fleet_of("redis", feeds=8, more=f"host_delay = {delay}\n")
    app, queues = fleet.app, fleet.daemon.queues
    ids = [state.id for state in app.store.feeds.states().values()] or [state.id for state in _synced(app)]
    app.store.claims.claim(seen(app.store, ids), 600)
    for id_ in ids:  # as no daemon would: a host's feeds all over the place
        queues.send("fetch_batch", [id_])
    for _ in range(2):
        fleet.worker("--queues", "fetch")
    wait_for(lambda: fleet.polled() == 8)
    wait_for(lambda: all("polled" in worker.log.read_text() for worker in fleet.workers))
    moments = [moment for moment, _ in site.asked]
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert len(gaps) == 7
    assert min(gaps) >= delay


def _synced(app: App) -> list[FeedState]:
    app.subscribed()
    return list(app.store.feeds.states().values())


def test_a_task_that_fails_again_and_again_is_put_aside_where_status_sees_it(fleet_of: MakeFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    import dramatiq

    monkeypatch.setattr("aggregator.tasks.RETRIES", 1)
    monkeypatch.setattr("aggregator.tasks._FIRST_PAUSE", 10)
    fleet = fleet_of("redis")
    (fleet.folder / "feeds.toml").write_text("[[feed]\n")
    queues = Queues(fleet.app.settings, Steps(fleet.app, Heartbeat({})).by_name())
    worker = dramatiq.Worker(queues.broker, worker_threads=1, worker_timeout=50)
    worker.start()
    queues.send("fetch_batch", [1])
    wait_for(lambda: queues.states()[0].dead == 1)
    assert [(queue.name, queue.dead) for queue in fleet.app.team.status().queues if queue.dead] == [("fetch", 1)]
    worker.stop()
    queues.close()


def test_what_a_stranger_puts_into_a_queue_polls_nothing(fleet_of: MakeFleet, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    import dramatiq

    monkeypatch.setattr("aggregator.tasks.RETRIES", 0)
    fleet = fleet_of("redis", feeds=2)
    fleet.app.subscribed()
    queues = Queues(fleet.app.settings, Steps(fleet.app, Heartbeat({})).by_name())
    worker = dramatiq.Worker(queues.broker, worker_threads=1, worker_timeout=50)
    worker.start()
    name, fetch = queues.full_name("fetch"), "fetch_batch"
    for actor, arguments in (("os.system", ("true",)), (fetch, ("1 OR 1=1",)), (fetch, (["1; DROP TABLE feeds"],)), (fetch, ())):
        queues.broker.enqueue(dramatiq.Message(queue_name=name, actor_name=actor, args=arguments, kwargs={}, options={}))
    queues.send(fetch, [1, 2])  # nobody has claimed them: a poll that is not due does not come to be by being sent
    wait_for(lambda: queues.states()[0].dead == 4 and not queues.states()[0].unacked)
    assert site.asked == []
    worker.stop()
    queues.close()


# --- the one writer of stories ----------------------------------------------------------------------------------------


SLEEPER = """
import sys, time
from aggregator.app import App
app = App.from_options(config=sys.argv[1], now=sys.argv[2], environ={"HOME": "/nowhere"})
engine = app._make_engine()
add = engine.add
def slow(items):
    changes = add(items)
    print("worked out", flush=True)
    time.sleep(1)  # put to sleep here
    return changes
engine.add = slow
app._organise.make_engine = lambda: engine
try:
    app.organise()
    print("written", flush=True)
except Exception as error:
    print(type(error).__name__, error, flush=True)
"""


def test_a_writer_of_stories_that_slept_is_refused_and_another_takes_over(fleet_of: MakeFleet, site: Site, postgres_url: str) -> None:
    fleet = fleet_of("redis", database=postgres_url)
    fleet.worker("--queues", "fetch")
    fleet.daemon._send_due()
    wait_for(lambda: fleet.polled() == 12)
    command = [sys.executable, "-c", SLEEPER, str(fleet.config), NOW]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as stale:
        assert stale.stdout is not None
        try:
            assert stale.stdout.readline() == "worked out\n"
            stale.send_signal(signal.SIGSTOP)
            assert fleet.app.store.leases.holder(WRITER) is not None
            assert fleet.app.organise() == 24  # waits until the lease of the sleeper has run out
            before = fleet.app.store.stories.revision(), fleet.app.store.stories.stories(limit=100)
            stale.send_signal(signal.SIGCONT)
            said = stale.stdout.readline()
            assert said.startswith("LockedError"), said
        finally:
            stale.kill()
    assert (fleet.app.store.stories.revision(), fleet.app.store.stories.stories(limit=100)) == before


# --- what goes into one task ------------------------------------------------------------------------------------------


def due(*urls: str) -> list[DueFeed]:
    at = datetime(2023, 12, 27, tzinfo=UTC)
    return [DueFeed(Feed(f"f{n}", url), FeedState(n, f"f{n}", url, url, at)) for n, url in enumerate(urls)]


def test_a_public_hosts_feeds_stay_together_even_when_they_are_many() -> None:
    feeds = due(*(["https://a.example/1", "https://b.example/1", "https://a.example/2", "https://c.example/1", "https://a.example/3"]))
    assert list(batches(feeds, 2, spaced=False)) == [[0, 2, 4], [1, 3]]
    assert list(batches(feeds, 100, spaced=False)) == [[0, 2, 4, 1, 3]]
    assert list(batches([], 2, spaced=False)) == []


def test_feeds_of_ones_own_network_are_split_unless_requests_are_spaced_there_too() -> None:
    feeds = due(*(f"http://192.168.1.2/{n}" for n in range(5)))
    assert list(batches(feeds, 2, spaced=False)) == [[0, 1], [2, 3], [4]]
    assert list(batches(feeds, 2, spaced=True)) == [[0, 1, 2, 3, 4]]


# --- what others see --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
def test_status_metrics_and_doctor_tell_of_workers_and_queues(fleet_of: MakeFleet, site: Site, kind: str) -> None:
    fleet = fleet_of(kind)
    queues = fleet.daemon.queues
    queues.send("organise")
    wait_for(lambda: next(state.waiting for state in queues.states() if state.name == "organise") == 1)
    fleet.app.store.workers.beat("ann-1-aa", ("fetch",), "fetch_batch (4 feeds)", {"polls": 7})
    status = fleet.app.upkeep.status()
    lines, found = to_lines(status, fleet.app.clock()), json.loads(json.dumps(to_json(status)))
    taken = ", 0 taken" if kind == "redis" else ""
    assert f"Queue       organise: 1 waiting{taken}" in lines
    assert any(line.startswith("Worker      ann-1-aa: fetch_batch (4 feeds), heard of ") and line.endswith("; 7 polls") for line in lines)
    assert (found["team"]["workers"][0]["doing"], found["team"]["workers"][0]["alive"]) == ("fetch_batch (4 feeds)", True)
    assert "guest:guest" not in str(found)
    text = to_metrics(status)
    assert 'aggregator_queue_tasks{queue="organise",state="waiting"} 1' in text
    assert 'aggregator_workers{state="alive"} 1' in text
    assert 'aggregator_worker_done_total{worker="ann-1-aa",what="polls"} 7' in text
    (finding,) = (each for each in Doctor(fleet.app, {}, network=False).examine() if each.check == "broker")
    assert (finding.state, finding.says.endswith("1 workers")) == ("ok", True)


def test_a_broker_that_is_down_is_told_and_hides_nothing_else(tmp_path: Path, site: Site) -> None:
    fleet = Fleet(tmp_path, site, "redis://ann:geheim@127.0.0.1:1", "x", feeds=1, database="", more="")
    status = fleet.app.upkeep.status()
    assert status.team is not None
    assert "cannot be used" in (status.team.error or "")
    assert "geheim" not in "\n".join(to_lines(status, fleet.app.clock())) + str(to_json(status)) + to_metrics(status)
    assert "aggregator_broker_up 0" in to_metrics(status)
    (finding,) = (each for each in Doctor(fleet.app, {}, network=False).examine() if each.check == "broker")
    assert finding.state == "fault"
    fleet.close()


# --- what a person meets ----------------------------------------------------------------------------------------------


def test_a_worker_without_a_broker_says_what_to_set(tmp_path: Path) -> None:
    config = tmp_path / "aggregator.toml"
    config.write_text('database = "test.db"\n')
    command = Command(config, "worker", log=tmp_path / "log")
    assert command.process.wait(60) == 2
    assert command.log.read_text().startswith("Error: a worker needs a broker; set broker = ")


def test_without_the_extra_a_broker_is_refused_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    monkeypatch.setattr("aggregator.tasks.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'aggregator\[workers\]'"):
        Fleet(tmp_path, site, "redis://127.0.0.1:1", "x", feeds=1, database="", more="").tick()
