"""A simulated day of the daemon against the replay server, seen by the server (bench/polite.py). Needs the shared data."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.shared import ROOT, shared_path


def test_a_day_of_the_daemon_breaks_no_rule_of_politeness() -> None:
    shared_path("tools/replay.py")
    shared_path("data/stream-2023-12.jsonl.gz")
    command = [sys.executable, str(ROOT / "bench/polite.py"), "--days", "1", "--speed", "7200", "--feeds", "8", "--max-age", "5400"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    told = re.search(r"(\d+) addresses, (\d+) requests", done.stdout)
    assert told is not None, done.stdout
    assert int(told[1]) == 8 + 10 + 3, "the sound ones, the faults, and where three of them lead"
    assert int(told[2]) >= 2 * 8 + 10, "nothing is shown by feeds that were asked once"
