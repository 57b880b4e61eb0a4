"""Fetching beside its peers: `python bench/fetch.py [--shared DIR] [--peer PYTHON] [--copies 1,5] [--rounds 3]`.

    replay server | for each program, in turn: cold, warm, changed | medians and ratios

cold: an empty store takes every feed; warm: every answer is 304; changed: the server's clock moves on until about a tenth of the feeds
have new items. Each program runs in a process of its own, from the first request to the last item stored: imports, the making of the
store and the list of feeds are before it. Nothing is grouped. Memory is the proportional share (PSS) of all its processes, watched in
one more round that is not timed: to ask for it takes 2 ms for each process of 100 MB, in which that process can take no memory.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from replayed import STREAM, Replay, ask, cpu_seconds, feeds_of, memory_bytes, replay, shared_folder

HERE = Path(__file__).resolve().parent
START = datetime(2023, 12, 27, 12, tzinfo=UTC)
FIGURES = ("seconds", "cpu_seconds", "items", "peak_bytes")
PHASES = ("cold", "warm", "changed")
WANTED = {"cold": (5, 8), "warm": (5, 10), "changed": (8, 20)}
"""How many times the peer's feeds a second: what must be, and what is aimed at."""
CHANGED_SHARE = 0.1


# --- the server ------------------------------------------------------------------------------------------------------


def set_clock(server: Replay, moment: datetime) -> None:
    """Also renders every feed once, so that no program waits for that."""
    server.set_clock(moment)
    for address in server.feeds():
        ask(address, "")


def changed_at(shared: Path) -> tuple[datetime, int, int]:
    """The moment at which a tenth of the feeds has something new since START, how many that are, and how many items."""
    later: dict[str, list[datetime]] = {}
    feeds = set()
    with gzip.open(shared / STREAM, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            feeds.add(row["source"])
            moment = datetime.fromisoformat(row["published"])
            if START < moment <= START + timedelta(hours=2):
                later.setdefault(row["source"], []).append(moment)
    end = sorted(min(moments) for moments in later.values())[int(len(feeds) * CHANGED_SHARE) - 1]
    fresh = [moment for moments in later.values() for moment in moments if moment <= end]
    return end, sum(min(moments) <= end for moments in later.values()), len(fresh)


# --- the programs ----------------------------------------------------------------------------------------------------


@dataclass
class Program:
    """One run of a program: it waits for the name of a phase on its input and answers with what it did."""

    command: list[str]
    folder: Path
    watched: bool = False
    """Whether its memory is watched, which slows it down."""
    peak_bytes: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Program:
        folder = str(self.folder)
        environment = {**os.environ, "HOME": folder, "XDG_CONFIG_HOME": folder, "XDG_DATA_HOME": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode
        self.process = subprocess.Popen(
            self.command, cwd=self.folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if self.watched:
            threading.Thread(target=self._measure, daemon=True).start()
        self._answer()  # it is ready
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.process.kill()
        self.process.wait()

    def run(self, phase: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.peak_bytes, before = 0, cpu_seconds(self.process.pid)
        self.process.stdin.write(phase + "\n")
        self.process.stdin.flush()
        answer = self._answer()
        cpu = cpu_seconds(self.process.pid) - before
        return {"items": answer["items"], "peak_bytes": self.peak_bytes} if self.watched else {**answer, "cpu_seconds": cpu}

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                found: dict[str, Any] = json.loads(line)
                return found
        raise SystemExit(f"{' '.join(self.command[:3])} ended before its time")

    def _measure(self) -> None:
        while not self._stop.wait(0.05):
            self.peak_bytes = max(self.peak_bytes, memory_bytes(self.process.pid))


def serve_phases(phases: dict[str, Any], counted: Any) -> None:
    """The other end of Program: runs what it is told and says how long it took. `counted` tells how many items are stored."""
    print("{}", flush=True)
    for line in sys.stdin:
        items, started = counted(), time.perf_counter()
        phases[line.strip()]()
        took = time.perf_counter() - started
        print(json.dumps({"seconds": took, "items": counted() - items}), flush=True)


def serve_ours(base: str) -> None:
    import aggregator.rounds  # noqa: F401 - it is loaded with the first round
    from aggregator.app import App

    folder = Path.cwd()
    (folder / "aggregator").mkdir(exist_ok=True)
    (folder / "aggregator" / "aggregator.toml").write_text("[fetch]\nallow_private = true\n", encoding="utf-8")
    opml = ask(base, "/index.opml")
    app = App.from_options(cwd=folder)
    app.import_feeds(opml, source="replay")
    app.subscribed()

    def fetch() -> None:
        outcomes = app.fetch(force=True, organise=False)
        failed = [outcome for outcome in outcomes if outcome.outcome in ("failed", "throttled")]
        assert not failed, failed[0]

    serve_phases(dict.fromkeys(PHASES, fetch), lambda: app.store.maintenance.stats().rows["items"])


def serve_reader(base: str) -> None:
    import sqlite3

    import feedparser  # noqa: F401 - it loads these with the first feed
    import requests  # type: ignore[import-untyped]  # noqa: F401
    from reader import make_reader  # type: ignore[import-not-found]

    reader = make_reader("reader.db")
    for url in feeds_of(base):
        reader.add_feed(url)

    def update() -> None:
        # it leaves alone what it polled within the hour
        with sqlite3.connect("reader.db") as database:
            database.execute("UPDATE feeds SET update_after = NULL")
        database.close()
        for result in reader.update_feeds_iter(workers=1):
            assert not isinstance(result.value, Exception), result

    serve_phases(dict.fromkeys(PHASES, update), lambda: reader.get_entry_counts().total)


def serve_newsboat(base: str) -> None:
    import sqlite3

    Path("urls").write_text("\n".join(feeds_of(base)), encoding="utf-8")
    Path("config").write_text("reload-threads 16\n", encoding="utf-8")

    def reload() -> None:
        command = ["newsboat", "-C", "config", "-u", "urls", "-c", "cache.db", "-x", "reload"]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)

    def counted() -> int:
        with sqlite3.connect("cache.db") as database:
            table = database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'rss_item'").fetchone()[0]
            return int(database.execute("SELECT count(*) FROM rss_item").fetchone()[0]) if table else 0

    serve_phases(dict.fromkeys(PHASES, reload), counted)


# --- the comparison --------------------------------------------------------------------------------------------------


def measure(server: Replay, commands: dict[str, list[str]], later: datetime, rounds: int) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """By program and phase what each round gave, the last one the memory and the others the times; the programs take turns."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {name: {phase: [] for phase in PHASES} for name in commands}
    for number in range(rounds + 1):
        set_clock(server, START)
        with tempfile.TemporaryDirectory() as scratch:
            programs = {}
            try:
                for name, command in commands.items():
                    folder = Path(scratch) / name
                    folder.mkdir()
                    programs[name] = Program([*command, server.url], folder, watched=number == rounds).__enter__()
                for phase in PHASES:
                    if phase == "changed":
                        set_clock(server, later)
                    order = list(programs) if number % 2 else list(programs)[::-1]
                    for name in order:
                        found[name][phase].append(programs[name].run(phase))
            finally:
                for program in programs.values():
                    program.__exit__()
    return found


def show(feeds: int, found: dict[str, dict[str, list[dict[str, Any]]]]) -> bool:
    """Prints the table; whether every ratio is what it must be."""
    print(f"\n{feeds} feeds{'':14}seconds     CPU   feeds/s   items/s    items   memory")
    middle = {
        name: {phase: {key: median(each[key] for each in runs if key in each) for key in FIGURES} for phase, runs in phases.items()}
        for name, phases in found.items()
    }
    for phase in PHASES:
        for name in found:
            row = middle[name][phase]
            rates = f"{feeds / row['seconds']:9.0f} {row['items'] / row['seconds']:9.0f}"
            stored = f"{row['items']:8.0f} {row['peak_bytes'] / 1e6:5.0f} MB"
            print(f"{phase:8}{name:14} {row['seconds']:7.2f} {row['cpu_seconds']:7.2f} {rates} {stored}")
    good = True
    if "reader" in found:
        for phase in PHASES:
            ours, peer = middle["ours"][phase], middle["reader"][phase]
            ratio, memory = peer["seconds"] / ours["seconds"], ours["peak_bytes"] / max(1, peer["peak_bytes"])
            least, aim = WANTED[phase]
            good = good and ratio >= least and memory <= 4
            print(
                f"{phase}: {ratio:.1f} times reader's feeds a second (must {least}, aim {aim}), {memory:.1f} times its memory (at most 4)"
            )
    return good


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=shared_folder())
    parser.add_argument("--peer", default=sys.executable, help="a Python that has `reader` (pip install reader sgmllib3k)")
    parser.add_argument("--copies", default="1,5", help="how many times over the 296 feeds are served")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", choices=("ours", "reader", "newsboat"), help=argparse.SUPPRESS)
    parser.add_argument("base", nargs="?", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        {"ours": serve_ours, "reader": serve_reader, "newsboat": serve_newsboat}[options.serve](options.base)
        return 0
    if not (options.shared / STREAM).exists():
        print(f"There is no {STREAM} in {options.shared}; name the shared data with --shared or AGGREGATOR_SHARED.")
        return 2
    commands = {"ours": [sys.executable, str(HERE / "fetch.py"), "--serve", "ours"]}
    if subprocess.run([options.peer, "-c", "import reader"], capture_output=True).returncode == 0:
        commands["reader"] = [options.peer, str(HERE / "fetch.py"), "--serve", "reader"]
    else:
        print("reader is not installed; `pip install reader sgmllib3k`, or name a Python that has it with --peer.")
    if shutil.which("newsboat"):
        commands["newsboat"] = [sys.executable, str(HERE / "fetch.py"), "--serve", "newsboat"]
    else:
        print("newsboat is not installed, so it is not compared.")
    later, feeds, items = changed_at(options.shared)
    print(f"changed: {feeds} feeds with {items} new items, {later - START} later")
    good = True
    for copies in map(int, options.copies.split(",")):
        with replay("--at", START.isoformat(), "--copies", str(copies), shared=options.shared) as server:
            found = measure(server, commands, later, options.rounds)
            good = show(len(server.feeds()), found) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
