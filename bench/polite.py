"""Simulated days of the daemon against the replay server, both clocks at the same speed; what the server saw of it, as a table.

    replay server --speed N | aggregator --now … --speed N run | /stats | table

A feed may be asked once in an hour, and not before its max-age; one that asked to wait (503, 429) not before that; a feed that moved for
good (301, 308) once at its old address; one that is gone (410) once; each feed unconditionally once. Exits 1 when a rule is broken.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from replayed import ROOT, Replay, replay, write_home

START = "2023-12-25T00:00:00Z"
HOUR = 3600.0
MOVED, GONE, FAILING = ("301", "308"), ("410",), ("500", "503", "429", "404", "flap", "302", "empty")
SETTINGS = """
[fetch]
allow_private = true
"""


@dataclass(frozen=True)
class Seen:
    """What the server saw of one path; gaps in simulated seconds. `least_gap` is None after a single request."""

    path: str
    requests: int
    unconditional: int
    least_gap: float | None
    widest_gap: float | None


def simulate(server: Replay, folder: Path, feeds: dict[str, str], days: float, speed: float) -> str:
    """Run the daemon for so many simulated days; its log."""
    program = write_home(folder, feeds, SETTINGS)
    log = folder / "log.txt"
    with log.open("w", encoding="utf-8") as file:
        command = [*program, "--now", START, "--speed", f"{speed:g}", "run"]
        with subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, cwd=ROOT) as daemon:
            time.sleep(days * 86_400 / speed)
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(120)
            finally:
                daemon.kill()
    return log.read_text(encoding="utf-8")


def seen(stats: dict[str, Any]) -> list[Seen]:
    found = []
    for path, times in sorted(stats["times"].items()):
        moments = [simulated for simulated, _ in times]
        gaps = [late - early for early, late in pairwise(moments)]
        unconditional = len(moments) - stats["paths"][path].get("conditional", 0)
        found.append(Seen(path, len(moments), unconditional, min(gaps, default=None), max(gaps, default=None)))
    return found


def broken_rules(found: list[Seen], agents: dict[str, int], least: float, feeds: int) -> list[str]:
    """Sentences about what a server's owner would complain of."""
    broken = [] if len(agents) == 1 else [f"{len(agents)} User-Agents: {', '.join(agents)}"]
    asked = {each.path for each in found}
    if len(asked) < feeds:
        broken.append(f"only {len(asked)} of {feeds} addresses were asked at all")
    for each in found:
        kind = each.path.split("/")[2] if each.path.startswith("/fault/") else ""
        if each.least_gap is not None and each.least_gap < least:
            broken.append(f"{each.path} was asked after {each.least_gap:.0f} s, allowed are {least:.0f} s")
        if kind in (*MOVED, *GONE) and each.requests > 1:
            broken.append(f"{each.path} was asked {each.requests} times after it said {kind}")
        if not kind and each.unconditional != 1:
            broken.append(f"{each.path} was asked {each.unconditional} times without validators")
    return broken


def print_table(found: list[Seen], agents: dict[str, int], least: float) -> None:
    print(f"{'path':<52} {'requests':>8} {'uncond.':>8} {'least gap':>10} {'widest':>8}   (hours; allowed {least / HOUR:g})")
    for each in found:
        least_gap, widest = (f"{gap / HOUR:.2f}" if gap is not None else "-" for gap in (each.least_gap, each.widest_gap))
        print(f"{each.path:<52} {each.requests:>8} {each.unconditional:>8} {least_gap:>10} {widest:>8}")
    requests = sum(each.requests for each in found)
    print(f"\n{len(found)} addresses, {requests} requests, User-Agent: {', '.join(f'{name} ({n})' for name, n in agents.items())}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=float, default=3.0)
    parser.add_argument("--speed", type=float, default=1800.0, help="simulated seconds in a real one, on both sides")
    parser.add_argument("--feeds", type=int, default=50, help="sound feeds, beside one of each fault")
    parser.add_argument("--max-age", type=int, default=0, help="what the server says in Cache-Control")
    options = parser.parse_args()
    clock = ["--at", START, "--speed", f"{options.speed:g}", "--items", "20", "--max-age", str(options.max_age)]
    with replay(*clock) as server, tempfile.TemporaryDirectory() as folder:
        urls = server.feeds()
        faults = (*MOVED, *GONE, *FAILING)
        spoilt = {kind: url.replace("/feeds/", f"/fault/{kind}/") for kind, url in zip(faults, urls[options.feeds :], strict=False)}
        feeds = {f"sound-{number}": url for number, url in enumerate(urls[: options.feeds])}
        feeds |= {f"fault-{kind}": url for kind, url in spoilt.items()}
        log = simulate(server, Path(folder), feeds, options.days, options.speed)
        stats = server.stats()
    found, least = seen(stats), max(HOUR, float(options.max_age))
    broken = broken_rules(found, stats["user_agents"], least, len(feeds))
    print_table(found, stats["user_agents"], least)
    if "Traceback" in log or "stopped" not in log:
        broken.append("the daemon did not end well: " + log[-1000:])
    for sentence in broken:
        print(f"BROKEN: {sentence}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
