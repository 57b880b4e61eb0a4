"""Many processes: polling by 1, 2 and 4 workers, and how many active items one organiser bears.

    replay server, a PostgreSQL and a Redis of our own | one process alone | daemon and 1, 2, 4 workers | feeds/s, what the server saw
    a stream, repeated with other words | one engine for each number of active items | items/s, memory
    a stream | one engine for all, one for each language | stories of the one against the other

Run it as `python bench/scale.py [--workers 1,2,4] [--copies 10] [--organise-items 1000000] [--shards]`; bench/README.md says how to
read it. Each source of the stream is a host of its own (127.0.0.2 and on), so that the spacing of requests to a host can be seen in
what the server noted. Processor time counts, not the clock, on a machine that does other things as well.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import re
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replayed import ROOT, STREAM, Replay, ask, cpu_seconds, free_port, memory_bytes, process, shared_folder

sys.path.insert(0, str(ROOT))

from aggregator.app import App
from aggregator.stories.scores import bcubed
from tests.services import Cluster, listens, program, wait_for

NOW = "2023-12-27T23:59:59Z"
DELAY_SECONDS = 0.05
BYTES_EACH = 17_000
"""Memory for an active item, of the engine and of the bench that holds the items themselves."""
FROM, TO = "2023-12-24", "2023-12-28"
"""The days that are grouped together and apart: a window before the labels, and the labels."""
ITEMS = (30_000, 100_000, 300_000, 1_000_000)


# --- the servers -------------------------------------------------------------------------------------------------------


def host_of(number: int) -> str:
    return f"127.0.{number // 250}.{2 + number % 250}"


def serve(stream: str, port: str, copies: str) -> None:
    """The replay server, on many addresses of this machine instead of one."""
    begin = asyncio.start_server

    def everywhere(handler: Any, host: str, *rest: Any, **options: Any) -> Any:
        return begin(handler, [host, *map(host_of, range(300))], *rest, **options)

    asyncio.start_server = everywhere
    sys.argv = ["replay.py", stream, "--port", port, "--copies", copies, "--at", NOW]
    runpy.run_path(str(Path(stream).parent.parent / "tools" / "replay.py"), run_name="__main__")


@contextmanager
def replay_everywhere(shared: Path, copies: int) -> Iterator[Replay]:
    port = free_port()
    with process(str(Path(__file__)), "--serve", str(shared / STREAM), str(port), str(copies)) as server:
        yield Replay(f"http://127.0.0.1:{port}", server.pid)


def feeds_by_name(server: Replay) -> dict[str, str]:
    """The copies of a source are at one host."""
    hosts: dict[str, str] = {}
    found = {}
    for number, url in enumerate(server.feeds()):
        source = re.sub(r"(-[0-9a-f]{6})-\d+$", r"\1", url)
        host = hosts.setdefault(source, host_of(len(hosts)))
        found[f"f{number}"] = url.replace("127.0.0.1", host)
    return found


@contextmanager
def own_redis() -> Iterator[str]:
    port = free_port()
    command = [program("redis-server"), "--port", str(port), "--save", "", "--appendonly", "no", "--loglevel", "warning"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            wait_for(lambda: listens("127.0.0.1", port))
            yield f"redis://127.0.0.1:{port}"
        finally:
            server.kill()


# --- polling -----------------------------------------------------------------------------------------------------------


@dataclass
class Installation:
    """A folder, a schema of the database and the feeds of the server."""

    folder: Path
    database: str
    broker: str
    batch: int

    def set_up(self, feeds: Mapping[str, str]) -> None:
        self.folder.mkdir()
        lines = "\n".join(f'[[feed]]\nname = "{name}"\nurl = "{url}"\n' for name, url in feeds.items())
        (self.folder / "feeds.toml").write_text(lines)
        broker = f'broker = "{self.broker}"\n' if self.broker else ""
        (self.folder / "aggregator.toml").write_text(
            f'database = "{self.database}"\n{broker}zone = "UTC"\n[workers]\nbatch = {self.batch}\n[daemon]\ntick = "2s"\n'
            f"[digest]\nenabled = false\n[fetch]\nallow_private = true\nhost_delay = {DELAY_SECONDS}\nhost_connections = 1\n"
        )

    def app(self) -> App:
        return App.from_options(config=str(self.folder / "aggregator.toml"), now=NOW, environ={"HOME": str(self.folder)})

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "aggregator", "--config", str(self.folder / "aggregator.toml"), "--now", NOW, *arguments]
        with (self.folder / "log").open("a") as log:
            return subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, env=os.environ | {"HOME": str(self.folder)})


@contextmanager
def running(installation: Installation, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with installation.start(*arguments) as started:
        try:
            yield started
        finally:
            started.terminate()
            with suppress(subprocess.TimeoutExpired):
                started.wait(30)
            started.kill()


def make_schema(cluster: Cluster, name: str) -> str:
    """A schema of its own in the database; the address of a store in it."""
    import psycopg

    with psycopg.connect(cluster.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f'CREATE SCHEMA "{name}"')
    return f"{cluster.url}?options=-c%20search_path%3D{name}"


def polled(app: App) -> int:
    return sum(state.last_success_at is not None for state in app.store.feeds.states().values())


def by_link(app: App) -> dict[str, int]:
    """The story of each item."""
    items = list(app.store.items.export())
    stories = app.store.stories.story_ids([item.id for item in items])
    return {f"{item.link}": stories[item.id] for item in items}


def alone(installation: Installation, server: Replay, feeds: int, database: int) -> dict[str, Any]:
    """One process, no broker: `aggregator fetch`."""
    before = cpu_seconds(server.pid), cpu_seconds(database)
    with running(installation, "fetch", "--no-organise", "--ignore-failures") as started:
        used, peak = 0.0, 0
        while started.poll() is None:
            used, peak = max(used, cpu_seconds(started.pid)), max(peak, memory_bytes(started.pid))
            time.sleep(0.2)
    found = seen(server) | {
        "cpu": used,
        "server_cpu": cpu_seconds(server.pid) - before[0],
        "database_cpu": cpu_seconds(database) - before[1],
    }
    with installation.app() as app:
        app.organise()
        return found | {"polled": polled(app), "peak_bytes": peak, "stories": by_link(app)}


def together(installation: Installation, server: Replay, feeds: int, database: int, workers: int) -> dict[str, Any]:
    """A daemon and so many workers that poll; afterwards one that groups."""
    with ExitStack() as stack, installation.app() as app:
        app.store.maintenance.sizes()  # makes the tables
        started = [stack.enter_context(running(installation, "worker", "--queues", "fetch")) for _ in range(workers)]
        wait_for(lambda: len(app.store.workers.all()) == workers)
        before = sum(map(cpu_seconds, (each.pid for each in started))), cpu_seconds(server.pid), cpu_seconds(database)
        daemon = stack.enter_context(running(installation, "run"))
        peak = 0
        while polled(app) < feeds:
            peak = max(peak, sum(memory_bytes(each.pid) for each in started))
            time.sleep(0.5)
        used = sum(map(cpu_seconds, (each.pid for each in started))) - before[0]
        found = seen(server) | {
            "cpu": used,
            "server_cpu": cpu_seconds(server.pid) - before[1],
            "database_cpu": cpu_seconds(database) - before[2],
        }
        found |= {"polled": polled(app), "peak_bytes": peak, "daemon_cpu": cpu_seconds(daemon.pid)}
        stack.enter_context(running(installation, "worker", "--queues", "organise"))
        end = time.monotonic() + 900
        while app.store.maintenance.sizes()[1] and time.monotonic() < end:
            time.sleep(1)
        later = seen(server)  # after some more ticks
        return found | {"most_polls": later["most_polls"], "stories": by_link(app)}


def seen(server: Replay) -> dict[str, Any]:
    """What the server noted: requests, the seconds from the first to the last, the least gap at a host, the most polls of a feed."""
    times = {path: [real for _, real in moments] for path, moments in server.stats()["times"].items() if path.startswith("/feeds/")}
    hosts: dict[str, list[float]] = {}
    for path, moments in times.items():
        hosts.setdefault(re.sub(r"(-[0-9a-f]{6})-\d+$", r"\1", path), []).extend(moments)
    gaps = [later - earlier for moments in hosts.values() for earlier, later in itertools.pairwise(sorted(moments))]
    everything = sorted(itertools.chain.from_iterable(times.values()))
    return {
        "requests": len(everything),
        "seconds": everything[-1] - everything[0] if everything else 0.0,
        "least_gap": min(gaps, default=0.0),
        "most_polls": max(map(len, times.values()), default=0),
    }


def agreement(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """B-cubed F1 of one grouping against the other, over the items of either."""
    links = sorted({*one, *other})
    return bcubed([str(one.get(link, link)) for link in links], [str(other.get(link, link)) for link in links])[2]


def row(name: str, feeds: int, run: Mapping[str, Any]) -> str:
    figures = f"{feeds / run['seconds']:8.1f} {run['cpu']:7.1f} {run['server_cpu']:8.1f} {run['database_cpu']:9.1f}"
    return f"{name:14}{figures} {run['peak_bytes'] / 1e6:9.0f} {run['least_gap']:10.3f} {run['most_polls']:11d} {run['f1']:7.4f}"


def polling(shared: Path, workers: list[int], copies: int, batch: int) -> bool:
    """Prints the table. Whether all that must hold held."""
    good = True
    with tempfile.TemporaryDirectory() as held, replay_everywhere(shared, copies) as server, own_redis() as broker:
        cluster = Cluster()
        try:
            cluster.start()
            postgres = int((cluster.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
            feeds = feeds_by_name(server)
            reference: dict[str, int] = {}
            print(f"{len(feeds)} feeds at {len({url.split(':')[1] for url in feeds.values()})} hosts, {DELAY_SECONDS} s apart at each\n")
            print("               feeds/s   CPU s  server s database s   peak MB  least gap  most polls      F1")
            for count in [0, *workers]:
                name = f"workers{count}" if count else "alone"
                installation = Installation(Path(held, name), make_schema(cluster, name), broker if count else "", batch)
                installation.set_up(feeds)
                ask(server.url, "/stats?reset=1")
                run = (
                    together(installation, server, len(feeds), postgres, count)
                    if count
                    else alone(installation, server, len(feeds), postgres)
                )
                reference = reference or run["stories"]
                same = run["f1"] = agreement(reference, run["stories"])
                good = good and run["most_polls"] == 1 and run["least_gap"] >= DELAY_SECONDS - 0.002 and same >= 0.99
                good = good and run["polled"] == len(feeds)
                print(row(f"{count} workers" if count else "one process", len(feeds), run), flush=True)
        finally:
            cluster.remove()
    return good


# --- one organiser -------------------------------------------------------------------------------------------------------


def organising(shared: Path, sizes: list[int]) -> None:
    """Prints a row for each number of active items, as soon as it is known."""
    from speed import prepare, slim_items
    from stories import GOLD, ours, read_rows

    stream = read_rows(shared / STREAM)
    warm = ours(stream, read_rows(shared / GOLD))
    items, stories = slim_items(stream), {number: row.story for number, row in enumerate(warm.assigned, 1)}
    print("active items   items/s   a day   restart s   peak GB", flush=True)
    with tempfile.TemporaryDirectory() as held:
        for size in sizes:
            needed, free = size * BYTES_EACH, free_bytes()
            if free is not None and needed > free:
                print(f"{size:12,} needs about {needed / 1e9:.0f} GB, and {free / 1e9:.0f} are free")
                return
            # in a process of its own, whose memory is given back before the measured one begins
            preparing = multiprocessing.get_context("fork").Process(target=prepare, args=(items, stories, size, Path(held, "items")))
            preparing.start()
            preparing.join()
            command = [sys.executable, str(Path(__file__).with_name("speed.py")), str(Path(held, "items")), "--cpu"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout)
            rate = 1e6 / (found["read_microseconds"] + found["weigh_microseconds"] + found["assign_microseconds"])
            figures = f"{rate:9.0f} {rate * 86_400 / 1e6:6.1f} M {found['restore_seconds']:9.1f} {found['peak_bytes'] / 1e9:9.2f}"
            print(f"{size:12,} {figures}", flush=True)


def free_bytes() -> int | None:
    """What can be used without taking it from other programs; None where /proc does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def sharding(shared: Path) -> None:
    """Prints what becomes of the stories when each language has an organiser of its own, against one for all."""
    from speed import bare_engine
    from stories import READ_AT, read_rows

    from aggregator.archive import to_item
    from aggregator.stories.evaluate import evaluate
    from aggregator.stories.text import read_item

    golds = [row for name in ("gold-2023-12-26", "gold-pl-2023-12-27") for row in read_rows(shared / "data" / f"{name}.jsonl.gz")]
    rows = [row for row in read_rows(shared / STREAM) if FROM <= row["published"] < TO]
    language = {row["link"]: read_item(to_item(row, READ_AT)).language for row in rows}

    def group(part: list[dict[str, Any]]) -> tuple[dict[str, int], float]:
        links = {row["link"] for row in part}
        labels = [row for row in golds if row["link"] in links]
        options = {"make_item": lambda row: to_item(row, READ_AT), "make_engine": lambda history: bare_engine(), "timer": time.process_time}
        found = evaluate(part, labels, **options)
        return {row.link: row.story for row in found.assigned}, found.scores["items_per_second"]

    whole, rate = group(rows)
    members: dict[int, set[str]] = {}
    for link, story in whole.items():
        members.setdefault(story, set()).add(language[link])
    mixed = sum(len(languages) > 1 for languages in members.values())
    print(f"one for all: {len(rows):,} items, {rate:.0f} items/s, {mixed} of {len(members):,} stories in more than one language")
    apart: dict[str, int] = {}
    labelled = {row["link"] for row in golds}
    for name in sorted({*language.values()}):
        part = [row for row in rows if language[row["link"]] == name]
        if labelled.isdisjoint(row["link"] for row in part):
            continue  # evaluate reads up to the last label
        found, rate = group(part)
        first = len(apart) * 1_000_000
        apart |= {link: first + story for link, story in found.items()}
        print(f"{name or 'unsaid':11}  {len(part):,} items, {rate:.0f} items/s")
    common = {link: whole[link] for link in apart}
    print(f"apart against together: B-cubed F1 {agreement(common, apart):.4f} over {len(apart):,} items")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", default="1,2,4", help="numbers of workers (default 1,2,4); empty: do not poll")
    parser.add_argument("--copies", type=int, default=10, help="how many times over the 296 feeds are served")
    parser.add_argument("--batch", type=int, default=50, help="feeds in one task (default: the setting's)")
    parser.add_argument("--organise-items", type=int, default=0, help="up to how many active items one organiser is measured")
    parser.add_argument("--shards", action="store_true", help="group each language apart, against all together")
    parser.add_argument("--shared", type=Path, default=shared_folder())
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(*asked.serve)
        return 0
    shared = asked.shared.resolve()
    if not (shared / STREAM).exists():
        print(f"There is no {STREAM} in {shared}; name the shared data with --shared or AGGREGATOR_SHARED.")
        return 2
    good = polling(shared, [int(part) for part in asked.workers.split(",")], asked.copies, asked.batch) if asked.workers else True
    if asked.organise_items:
        organising(shared, [size for size in ITEMS if size <= asked.organise_items] or [asked.organise_items])
    if asked.shards:
        sharding(shared)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
