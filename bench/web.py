"""How long do pages take while news comes in? Readers at once against `aggregator serve`, beside a writer that stores and groups.

    a copy of a database, or the demo's | serve in a process of its own | 1, 8, 32 readers and a writer in this one | milliseconds

On SQLite, then on PostgreSQL where a server is named (`--postgres`, AGGREGATOR_TEST_POSTGRES): in a schema of its own. Prints median
and 95th percentile for each page and number of readers; exits 1 when an answer was none of a page (a lock error is one).
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from urllib.error import URLError

from replayed import schema

from aggregator.app import App
from aggregator.demo.server import bundled_feeds, serve
from aggregator.model import Polled

NOW = "2023-12-27T18:30:00Z"
AGGREGATOR = [sys.executable, "-m", "aggregator"]


def home(folder: Path, database: Path | None, url: str, now: str) -> App:
    """An App over a copy of the database at `url`; without one, over the demo's items."""
    with serve(bundled_feeds()) as urls:
        lines = "\n".join(f'[[feed]]\nname = "{name}"\nurl = "{url}"\n' for name, url in urls.items())
        (folder / "feeds.toml").write_text(lines, encoding="utf-8")
        (folder / "aggregator.toml").write_text(
            f'database = "{url or "aggregator.db"}"\nzone = "UTC"\n[fetch]\nallow_private = true\n', encoding="utf-8"
        )
        if database and url:
            subprocess.run([*AGGREGATOR, "db", "move", f"sqlite:///{database}", url], check=True)
        elif database:
            shutil.copy(database, folder / "aggregator.db")
        app = App.from_options(config=str(folder / "aggregator.toml"), now=now, environ={})
        app.fetch()
    return app


def paths(app: App) -> list[str]:
    """The pages that people read, with the largest story and topic."""
    story = max(app.store.stories.stories(limit=2000), key=lambda each: each.item_count)
    topic = max(app.store.stories.topics(limit=500), key=lambda each: each.story_count)
    return ["/", f"/stories/{story.id}", f"/topics/{topic.id}", "/search?q=mexico", "/feeds", "/api/v1/stories", "/digest.atom"]


def write(app: App, stop: threading.Event) -> int:
    """Store twenty changed copies of known items at a time, and group them, until told to stop. Returns how many."""
    state = app.store.feeds.states()[app.subscribed()[0].name]
    known = [item for story in app.store.stories.stories(limit=40) for item in app.store.stories.story(story.id).items][:20]
    for number in count(1):
        new = [
            replace(item, id=0, key=f"b:{number}-{n}", link=None, canonical_link=None, title=f"{item.title} {number}")
            for n, item in enumerate(known)
        ]
        app.store.items.ingest([Polled(state, items=tuple(new))], app.clock())
        app.organise()
        if stop.wait(0.2):
            break
    return number * len(known)


def read(address: str, path: str) -> tuple[str, float, bool]:
    started = time.perf_counter()
    try:
        with urllib.request.urlopen(address + path, timeout=60) as answer:
            good = answer.status == 200 and bool(answer.read())
    except URLError:
        good = False
    return path, time.perf_counter() - started, good


def measure(address: str, pages: list[str], readers: int, requests: int) -> int:
    """Print a line for each page; returns how many answers were bad."""
    times: dict[str, list[float]] = defaultdict(list)
    bad = 0
    with ThreadPoolExecutor(readers) as pool:
        for path, seconds, good in pool.map(lambda n: read(address, pages[n % len(pages)]), range(requests)):
            times[path].append(seconds * 1000)
            bad += not good
    for path, found in times.items():
        middle, most = statistics.median(found), statistics.quantiles(found, n=20)[-1]
        print(f"{readers:>3} readers  {path:<22} median {middle:6.0f} ms  95 % {most:6.0f} ms")
    return bad


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", type=Path, help="a database to copy (default: the demo's items)")
    parser.add_argument("--now", default=NOW, help="the program's clock")
    parser.add_argument("--readers", default="1,8,32")
    parser.add_argument("--requests", type=int, default=140, help="for each number of readers")
    parser.add_argument("--postgres", default=os.environ.get("AGGREGATOR_TEST_POSTGRES"), help="address of a PostgreSQL database")
    options = parser.parse_args()
    print("on SQLite")
    bad = run(options, "")
    if not options.postgres:
        print("not on PostgreSQL: name a database with --postgres or AGGREGATOR_TEST_POSTGRES")
        return 1 if bad else 0
    print("on PostgreSQL")
    with schema(options.postgres) as url:
        bad += run(options, url)
    return 1 if bad else 0


def run(options: argparse.Namespace, url: str) -> int:
    """All numbers of readers on one database; returns how many answers were bad."""
    with tempfile.TemporaryDirectory() as name:
        app = home(Path(name), options.database, url, options.now)
        command = [*AGGREGATOR, "--config", f"{name}/aggregator.toml", "--now", options.now, "serve", "--listen", "127.0.0.1:0"]
        with app, subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr is not None
            address = server.stderr.readline().split()[1].rstrip("/")
            stop, pages = threading.Event(), paths(app)
            with ThreadPoolExecutor(1) as beside:
                writing = beside.submit(write, app, stop)
                bad = sum(measure(address, pages, int(readers), options.requests) for readers in options.readers.split(","))
                stop.set()
                print(f"{writing.result()} items stored and grouped meanwhile; {bad} bad answers")
            server.terminate()
    return bad


if __name__ == "__main__":
    sys.exit(main())
