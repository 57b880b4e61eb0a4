"""One fetch of every fault that the replay server knows beside 100 sound feeds: what is stored, said, and how long it takes.

    replay server | feeds.toml: 27 faults, 100 sound | aggregator fetch | feeds status --json | table, or JSON with --json

Exits 1 when a rule is broken: exit code 3, all sound feeds stored, each fault but the redirects with a sentence, 60 s, 500 MB.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from replayed import ROOT, Replay, replay, run_measured, write_home

_KINDS = """500 503 429 404 410 301 308 302 loop hang drip reset short gzipbomb endless html empty notxml cut latin1 xxe laughs ssrf
filescheme flap longheader badchunk"""
FAULTS = _KINDS.split()
HEALTHY = ("301", "308", "302")
SOUND = 100
MOST_SECONDS, MOST_BYTES = 60.0, 500_000_000
SETTINGS = """
[fetch]
allow_private = true
timeout = "5s"
connect_timeout = "5s"
parse_timeout = "5s"
"""


def fault_run(server: Replay, folder: Path, arguments: list[str]) -> dict[str, Any]:
    """Fetch everything once and look at the feeds' health."""
    urls = server.feeds()[: SOUND + 1]
    spoilt = urls.pop()
    feeds = {f"fault-{kind}": spoilt.replace("/feeds/", f"/fault/{kind}/") for kind in FAULTS}
    feeds |= {f"sound-{number}": url for number, url in enumerate(urls, 1)}
    program = write_home(folder, feeds, SETTINGS)
    done = run_measured([*program, "fetch", *arguments])
    status = subprocess.run([*program, "feeds", "status", "--json"], capture_output=True, text=True, check=True, cwd=ROOT)
    asked = {path: len(times) for path, times in server.stats()["times"].items() if "/fault/" in path}
    return {
        "exit_code": done.code,
        "seconds": round(done.seconds, 1),
        "peak_bytes": done.peak_bytes,
        "said": done.output,
        "feeds": json.loads(status.stdout)["feeds"],
        "requests": {path.split("/")[2]: count for path, count in asked.items()},
    }


def broken_rules(found: dict[str, Any]) -> list[str]:
    """What the run did that it must not do, as sentences; how long it took depends on the machine, and is not among them."""
    feeds = {feed["name"]: feed for feed in found["feeds"]}
    rules = [
        (found["exit_code"] == 3, f"the exit code is {found['exit_code']}, not 3"),
        ((found["peak_bytes"] or 0) <= MOST_BYTES, f"it took {(found['peak_bytes'] or 0) / 1e6:.0f} MB"),
        (len(feeds) == SOUND + len(FAULTS), f"{len(feeds)} feeds have a health record"),
    ]
    for name, feed in feeds.items():
        kind = name.removeprefix("fault-")
        sound = kind == name or kind in HEALTHY
        rules.append((sound == (feed["error"] is None), f"{name}: state {feed['state']}, error {feed['error']}"))
        rules.append((not sound or feed["last_success"] is not None, f"{name} was not stored"))
    rules += [(count == 1, f"{kind} was asked {count} times in one fetch") for kind, count in found["requests"].items()]
    return [sentence for holds, sentence in rules if not holds]


def print_table(found: dict[str, Any]) -> None:
    for feed in found["feeds"]:
        if feed["name"].startswith("fault-"):
            print(f"{feed['name'][6:]:<11} {feed['state']:<8} {feed['error'] or ''}")
    peak = f"{found['peak_bytes'] / 1e6:.0f} MB" if found["peak_bytes"] else "not known here"
    print(f"\n{found['seconds']} s, peak over all processes {peak}, exit code {found['exit_code']}")
    print(found["said"].strip().splitlines()[-1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100, help="items that a feed shows")
    parser.add_argument("--no-organise", action="store_true", help="do not group what came")
    parser.add_argument("--json", action="store_true", help="print what was found")
    options = parser.parse_args()
    with replay("--at", "2023-12-27T12:00:00Z", "--items", str(options.items)) as server, tempfile.TemporaryDirectory() as folder:
        found = fault_run(server, Path(folder), ["--no-organise"] if options.no_organise else [])
    broken = broken_rules(found)
    if options.json:
        print(json.dumps({**found, "broken": broken}, indent=1))
    else:
        print_table(found)
        for sentence in broken:
            print(f"BROKEN: {sentence}")
        if found["seconds"] > MOST_SECONDS:
            print(f"SLOW: it took more than {MOST_SECONDS:g} s")
    return 1 if broken or found["seconds"] > MOST_SECONDS else 0


if __name__ == "__main__":
    sys.exit(main())
