"""Days of the daemon's life in minutes: feeds that move, one in twenty of them broken, a digest a day; watched from outside.

    replayed stream at --speed | `aggregator run` at the same speed | memory each day, digests, locks, gaps between polls

Run it as `python bench/soak.py [--days 17] [--speed 1200] [--feeds 60] [--shared DIR]`; bench/README.md says how to read it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from crash import mail_server, mails
from replayed import Replay, memory_bytes, replay

HERE = Path(__file__).resolve().parent
START = datetime(2023, 12, 15, tzinfo=UTC)
FAULTS = ("500", "503", "429", "404", "410", "308", "hang", "reset", "empty", "notxml", "flap", "html", "gzipbomb", "drip", "badchunk")
INTERVAL_SECONDS = 3600.0


def set_up(folder: Path, server: Replay, mail_port: int, feeds: int, faulty: float, keep: str, history: str) -> dict[str, str]:
    """Settings and a feed list in which each so-manyth feed is a broken one. Returns the address of each by name."""
    known = server.feeds()
    urls = known[:: max(1, len(known) // feeds)][:feeds]
    every = round(1 / faulty) if faulty else 0
    for place in range(every - 1, len(urls), every) if every else ():
        slug = urls[place].rpartition("/")[2]
        urls[place] = f"{server.url}/fault/{FAULTS[place // every % len(FAULTS)]}/{slug}"
    named = {f"f{number}": url for number, url in enumerate(urls)}
    (folder / "feeds.toml").write_text("".join(f'[[feed]]\nname = "{name}"\nurl = "{url}"\n\n' for name, url in named.items()))
    mail = f'[mail]\nhost = "127.0.0.1"\nport = {mail_port}\nsecurity = "none"\nsender = "news@home.example"\nto = ["ann@a.example"]\n'
    sizes = f'[topics]\nhistory = "{history}"\n[retention]\nitems = "{keep}"\n[daemon]\nbackups = 1\n'
    (folder / "aggregator.toml").write_text(
        f'database = "aggregator.db"\nzone = "UTC"\n[fetch]\nallow_private = true\ntimeout = "2s"\n'
        f'[digest]\ntargets = ["folder", "mail"]\nfolder = "digests"\n{sizes}{mail}'
    )
    return named


def watch(daemon: subprocess.Popen[Any], began: float, days: int, speed: float, database: Path) -> tuple[list[int], list[int]]:
    """Memory at the end of each day (the least of some samples, since a round under way needs more for a moment), and how many
    items the window of the stories held then."""
    found, held = [], []
    for day in range(1, days + 1):
        end = began + day * 86_400 / speed
        samples = []
        while (left := end - time.monotonic()) > 0:
            if daemon.poll() is not None:
                raise SystemExit(f"the daemon ended on day {day} with status {daemon.returncode}")
            time.sleep(min(left, 2.0))
            if left < 10:
                samples.append(memory_bytes(daemon.pid))
        found.append(min(samples, default=0) or memory_bytes(daemon.pid))
        held.append(window_items(database, START + timedelta(days=day)))
    return found, held


def window_items(database: Path, at: datetime) -> int:
    """Items published in the last three days, which is as far as stories look."""
    since, until = (int(moment.timestamp() * 1e6) for moment in (at - timedelta(days=3), at))
    with closing(sqlite3.connect(database, timeout=10)) as raw:
        return int(raw.execute("SELECT count(*) FROM items WHERE published_at > ? AND published_at <= ?", (since, until)).fetchone()[0])


def gaps(stats: dict[str, Any]) -> tuple[float, int]:
    """The shortest time between two polls of one feed in simulated seconds, and how many polls there were. A redirect is no poll."""
    polls = {path: [simulated for simulated, _ in times] for path, times in stats["times"].items()}
    between = [later - earlier for times in polls.values() for earlier, later in itertools.pairwise(times)]
    return min(between, default=0.0), sum(map(len, polls.values()))


def digest_gaps(database: Path, days_run: int) -> tuple[int, int, list[str]]:
    """Digests made, and those that do not begin where the one before ended; days that have none."""
    with closing(sqlite3.connect(database)) as raw:
        rows = raw.execute("SELECT from_at, to_at, after_item, up_to_item FROM digests ORDER BY id").fetchall()
    torn = sum(1 for one, other in itertools.pairwise(rows) if (one[1], one[3]) != (other[0], other[2]))
    # the digest of a day may be late, until the next one's time; the default time is 07:00
    began = START - timedelta(hours=7)
    days = [(began + timedelta(microseconds=to - int(START.timestamp() * 1e6))).date().isoformat() for _, to, _, _ in rows]
    wanted = {(START.date() + timedelta(days=n)).isoformat() for n in range(days_run)}
    return len(rows), torn + len(days) - len(set(days)), sorted(wanted - set(days))


def run(folder: Path, server: Replay, *, days: int, speed: float, feeds: int, faulty: float, keep: str, history: str) -> dict[str, Any]:
    """The daemon for so many days. The clock of `server` runs at `speed`, too."""
    with mail_server(folder / "mail") as port, (folder / "log").open("w") as log:
        named = set_up(folder, server, port, feeds, faulty, keep, history)
        command = [sys.executable, "-m", "aggregator", "--config", str(folder / "aggregator.toml")]
        clock = ["--now", START.isoformat(), "--speed", str(speed), "run", "--log-format", "json"]
        server.set_clock(START)
        began = time.monotonic()
        daemon = subprocess.Popen([*command, *clock], stderr=log, cwd=HERE.parent)
        try:
            memory, window = watch(daemon, began, days, speed, folder / "aggregator.db")
            stats = server.stats()
        finally:
            daemon.send_signal(signal.SIGTERM)
            status = daemon.wait(60)
        check = subprocess.run([*command, "db", "check"], cwd=HERE.parent, capture_output=True, text=True)
        lines = [json.loads(line) for line in (folder / "log").read_text().splitlines()]
        sent = mails(folder / "mail")
    sound = {"paths": None, "times": {path: times for path, times in stats["times"].items() if not _redirects(path, named)}}
    shortest, polls = gaps(sound)
    made, torn, missed = digest_gaps(folder / "aggregator.db", days)
    faults = [line["message"] for line in lines if line["level"] == "error" or "traceback" in line]
    level = memory[1] if len(memory) > 1 else memory[-1]
    return {
        "days": days,
        "feeds": len(named),
        "polls": polls,
        "shortest_gap_seconds": round(shortest),
        "memory_mb_each_day": [round(each / 1e6) for each in memory],
        "window_items_each_day": window,
        "memory_growth_from_day_7": round(memory[-1] / max(memory[1:7], default=level) - 1, 3),
        "memory_growth": round(memory[-1] / level - 1, 3),
        "lock_errors": sum("locked" in line["message"] for line in lines),
        "errors": faults[:5],
        "digests": made,
        "digests_torn_or_twice": torn,
        "digests_missed": missed,
        "mails": sum(map(len, sent["mails"].values())),
        "mails_again": sent["again"],
        "exit_status": status,
        "check": check.returncode,
    }


def _redirects(path: str, named: dict[str, str]) -> bool:
    """Whether a sound feed is also asked for by way of a redirecting one."""
    slug = path.rpartition("/")[2]
    return sum(urlsplit(url).path.rpartition("/")[2] == slug for url in named.values()) != 1 or "/fault/3" in path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=17)
    parser.add_argument("--speed", type=float, default=1200.0, help="simulated seconds in a second (default 1200: 17 days in 20 minutes)")
    parser.add_argument("--feeds", type=int, default=60)
    parser.add_argument("--faulty", type=float, default=0.05, help="the part of the feeds that is broken")
    parser.add_argument("--keep", default="10d", help="the setting retention.items: what is older is pruned each night")
    parser.add_argument("--history", default="2d", help="the setting topics.history; what it holds grows for so long, and no longer")
    parser.add_argument("--shared", type=Path, default=Path(os.environ.get("AGGREGATOR_SHARED", HERE.parent.parent / "shared")))
    asked = parser.parse_args()
    clock = ("--at", START.isoformat(), "--speed", str(asked.speed), "--items", "60")
    with tempfile.TemporaryDirectory() as held, replay(*clock, shared=asked.shared) as server:
        size = {name: getattr(asked, name) for name in ("days", "speed", "feeds", "faulty", "keep", "history")}
        found = run(Path(held), server, **size)
    for name, value in found.items():
        print(f"{name:22} {value}")
    good = not (found["lock_errors"] or found["digests_torn_or_twice"] or found["digests_missed"] or found["check"])
    return 0 if good and found["memory_growth"] <= 0.10 and found["shortest_gap_seconds"] >= INTERVAL_SECONDS - 60 else 1


if __name__ == "__main__":
    sys.exit(main())
