"""What storing costs in SQLite and in PostgreSQL: polls, memberships, searches and reading back, in turns on both.

python bench/intake.py --postgres postgresql+psycopg://user@host/name [--items 10000] [--turns 3]

The database that is named must be empty; a schema of its own is made in it for each turn and dropped. Prints, for each step, the
processor time of this process and the time by the clock, the median of the turns, and PostgreSQL's share of SQLite's.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from replayed import schema

from aggregator.model import Feed, Item, Membership, Polled, Story, StoryChanges
from aggregator.store.opening import Store, open_store

NOW = datetime(2023, 12, 27, 12, 0, tzinfo=UTC)
FEEDS, PER_POLL, TOGETHER = 100, 25, 10
"""Feeds, items of one poll, and polls stored in one transaction."""
_NEAREST, _TERMS = ((1, 0.5), (2, 0.4)), (("word", 0.5),) * 5
Times = dict[str, list[tuple[float, float, float]]]


def pieces(count: int) -> list[Item]:
    """Items whose texts are as long as those of real feeds."""
    draw = random.Random(7)
    words = ["".join(draw.choices("abcdefghijklmnoprstuwyz", k=draw.randint(3, 9))) for _ in range(20_000)]

    def text(length: int) -> str:
        return " ".join(words[min(int(draw.expovariate(1 / 2_000)), 19_999)] for _ in range(length))

    return [
        Item(
            key=f"https://news.example/{number}",
            title=text(10),
            link=f"https://news.example/{number}/{number * 7919}",
            canonical_link=f"https://news.example/{number}/{number * 7919}",
            summary=text(40),
            summary_html=f"<p>{text(60)}</p>",
            content_html=f"<p>{text(200)}</p>" if number % 3 == 0 else "",
            published_at=NOW - timedelta(seconds=number),
            content_hash=f"{number:064x}",
            arrived_at=NOW,
            authors=("Ann Example",),
            categories=("world", "news"),
        )
        for number in range(count)
    ]


@contextmanager
def timed(store: Store, times: Times, step: str) -> Iterator[None]:
    server, cpu, wall = server_seconds(store), time.process_time(), time.perf_counter()
    yield
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    times.setdefault(step, []).append((cpu, server_seconds(store) - server, wall))


def server_seconds(store: Store) -> float:
    """Processor time of the server's processes that work for this one; 0 for a file, and for a server elsewhere."""
    if store.path is not None:
        return 0.0
    with store.items._db.reading() as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = current_setting('application_name')"
        stats = [Path(f"/proc/{pid}/stat") for pid in connection.exec_driver_sql(query).scalars()]
    ticks = [path.read_text().rpartition(")")[2].split()[11:13] for path in stats if path.exists()]
    return sum(int(user) + int(system) for user, system in ticks) / os.sysconf("SC_CLK_TCK")


def work(store: Store, items: list[Item], times: Times) -> None:
    store.feeds.sync([Feed(f"feed-{number}", f"https://{number}.example/feed") for number in range(FEEDS)], NOW)
    states = list(store.feeds.states().values())
    polls = [Polled(states[n // PER_POLL % FEEDS], "", tuple(items[n : n + PER_POLL])) for n in range(0, len(items), PER_POLL)]
    for step in ("store new items", "store them again", "store edits"):
        if step == "store edits":
            polls = [Polled(p.state, "", tuple(edited(each) for each in p.items)) for p in polls[::4]]
        with timed(store, times, step):
            for start in range(0, len(polls), TOGETHER):
                store.items.ingest(polls[start : start + TOGETHER], NOW)
    with timed(store, times, "write stories"):
        unsorted = store.items.unsorted()
        for start in range(0, len(unsorted), 2_000):
            part = unsorted[start : start + 2_000]
            first, _ = store.stories.next_ids()
            stories = [Story(first + n, each.title, each.published_at, each.published_at) for n, each in enumerate(part[::2])]
            members = [
                Membership(each.id, first + n // 2, score=0.5, nearest=((each.id, 0.5),), terms=(("word", 0.5),) * 5)
                for n, each in enumerate(part)
            ]
            store.stories.apply(StoryChanges(tuple(members), tuple(stories)), NOW)
    with timed(store, times, "search 50 times"):
        for item in items[:50]:
            store.items.search(" ".join(item.title.split()[:2]))
    with timed(store, times, "read a day's stories"):
        store.stories.coverage(NOW - timedelta(days=1), NOW)
    with timed(store, times, "read all for the engine"):
        store.stories.active(NOW - timedelta(days=3))


def edited(item: Item) -> Item:
    import dataclasses

    return dataclasses.replace(item, title=f"{item.title} now", content_hash=f"{item.content_hash}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postgres", required=True, metavar="URL")
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    items = pieces(given.items)
    lite: Times = {}
    post: Times = {}

    def turn(url: str, times: Times) -> None:
        with open_store(url, now=NOW) as store:
            work(store, items, times)

    for _ in range(given.turns):
        with tempfile.TemporaryDirectory() as folder:
            turn(str(Path(folder) / "store.db"), lite)
        with schema(given.postgres) as url:
            turn(url, post)
    median: Callable[[list[float]], float] = statistics.median
    head = f"{'':26}{'cpu s':>7} {'wall s':>8}  {'cpu s':>8} {'server':>8} {'wall s':>8}  {'cpu':>8} {'with server':>12}"
    print(f"{'':26}{'SQLite':>16}  {'PostgreSQL':>26}  {'share of SQLite':>21}\n{head}")
    for step in lite:
        (cpu, _, wall), (mine, server, slow) = ([median([turn[n] for turn in times[step]]) for n in range(3)] for times in (lite, post))
        print(f"{step:26}{cpu:7.2f} {wall:8.2f}  {mine:8.2f} {server:8.2f} {slow:8.2f}  {mine / cpu:8.2f} {(mine + server) / cpu:12.2f}")


if __name__ == "__main__":
    main()
