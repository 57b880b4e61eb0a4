"""Does memory stay flat? Ten thousand polls in one process, against the replay server, its clock moved on between rounds.

    replay server | 50 feeds, 200 rounds, 2 hours apart | App.fetch, nothing grouped | memory over all processes after each tenth

Prints the figures and the ratio of the end to the middle (until then caches fill); exits 1 when it is over 1.1.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

from replayed import Replay, memory_bytes, replay, write_home

from aggregator.app import App
from aggregator.clock import ProgramClock

START = datetime(2023, 12, 15, tzinfo=UTC)
STEP = timedelta(hours=2)
MOST_RATIO = 1.1


def poll(server: Replay, config: str, rounds: int) -> tuple[int, int, list[int]]:
    """(polls, items stored, bytes after each tenth of the rounds)."""
    polls = items = 0
    sizes: list[int] = []
    with App.from_options(config=config, now=START.isoformat(), environ={}) as app:
        for number in range(rounds):
            urllib.request.urlopen(f"{server.url}/clock?set={(START + number * STEP):%Y-%m-%dT%H:%M:%SZ}").close()
            app.clock = ProgramClock(START + number * STEP)
            outcomes = app.fetch(force=True, organise=False)
            polls, items = polls + len(outcomes), items + sum(outcome.new for outcome in outcomes)
            if (number + 1) % max(1, rounds // 10) == 0:
                gc.collect()
                sizes.append(memory_bytes(os.getpid()) - memory_bytes(server.pid))
    return polls, items, sizes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--polls", type=int, default=10_000)
    parser.add_argument("--feeds", type=int, default=50)
    options = parser.parse_args()
    with replay("--at", f"{START:%Y-%m-%dT%H:%M:%SZ}") as server, tempfile.TemporaryDirectory() as folder:
        feeds = {f"feed-{number}": url for number, url in enumerate(server.feeds()[: options.feeds])}
        write_home(Path(folder), feeds, "[fetch]\nallow_private = true\n")
        polls, items, sizes = poll(server, f"{folder}/aggregator.toml", options.polls // options.feeds)
    if not sizes[0]:
        print("Memory is not known on this system.")
        return 0
    ratio = sizes[-1] / sizes[len(sizes) // 2 - 1]
    print(f"{polls} polls, {items} items stored; MB after each tenth: {', '.join(f'{size / 1e6:.0f}' for size in sizes)}")
    print(f"the end to the middle: {ratio:.2f}")
    return 1 if ratio > MOST_RATIO else 0


if __name__ == "__main__":
    sys.exit(main())
