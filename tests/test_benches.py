"""Small versions of the benches that an issue's promises rest on: killed at random, years in one store, days of the daemon."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from tests.shared import ROOT


def bench(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    return __import__(name)


def test_a_store_whose_program_was_killed_again_and_again_equals_one_that_nothing_interrupted() -> None:
    command = [sys.executable, "bench/crash.py", "--generated", "--feeds", "4", "--rounds", "3", "--prune-every", "3"]
    done = subprocess.run([*command, "--kills", "8", "--upgrade-kills", "2"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = dict(re.findall(r"^(\w+) +(.*)$", done.stdout, re.MULTILINE))
    assert int(found["kills"]) >= 4
    assert int(found["items"]) > 50
    assert int(found["digests"]) > 0
    assert found["differences"] == found["failures"] == "[]"


def test_the_comparison_of_two_stores_sees_what_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crash = bench("crash", monkeypatch)
    for name in ("one", "other"):
        crash.old_database(tmp_path / name, 10)
        with closing(sqlite3.connect(tmp_path / name)) as raw:  # what the comparison reads of a newer schema
            raw.executescript(
                "ALTER TABLE digests ADD COLUMN after_item; ALTER TABLE digests ADD COLUMN up_to_item DEFAULT 3;"
                "CREATE TABLE deliveries (target, error, delivered_at)"
            )
    with closing(sqlite3.connect(tmp_path / "other")) as raw:
        raw.execute("DELETE FROM items WHERE id = 12")
        raw.execute("UPDATE memberships SET story_id = 2 WHERE item_id = 1")
        raw.execute("INSERT INTO deliveries VALUES ('mail', 'x', NULL)")
        raw.commit()
    one, other = crash.contents(tmp_path / "one"), crash.contents(tmp_path / "other")
    assert crash.differences(one, one) == []
    found = crash.differences(one, other)
    assert [line.split(" ")[0].rstrip(":") for line in found] == ["items", "stories", "undelivered"]


def test_years_are_the_stream_over_and_over_with_other_words_and_no_link_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    years = bench("years", monkeypatch)
    rows = years.generated(300)
    found = list(years.repeated(rows, 1000))
    assert len(found) == len({row["link"] for row in found}) == 1000
    assert found[-300:] == rows
    assert [row["published"] for row in found] == sorted(row["published"] for row in found)
    assert len({row["title"] for row in found}) > 900


def test_a_digest_of_a_day_is_timed_beside_a_small_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    years = bench("years", monkeypatch)
    found = years.run(tmp_path, years.generated(300), 900, 100, rounds=1)
    assert found["items"] == 900
    assert found["ratio"] > 0


def test_a_soak_sees_a_digest_that_is_missing_torn_or_made_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soak = bench("soak", monkeypatch)

    def made(*days: float) -> tuple[int, int, list[str]]:
        path = tmp_path / "d.db"
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as raw:
            raw.execute("CREATE TABLE digests (id INTEGER PRIMARY KEY, from_at, to_at, after_item, up_to_item)")
            ends = [int((soak.START + timedelta(days=day, hours=7)).timestamp() * 1e6) for day in days]
            rows = [(ends[n - 1] if n else 0, end, n, n + 1) for n, end in enumerate(ends)]
            raw.executemany("INSERT INTO digests VALUES (NULL, ?, ?, ?, ?)", rows)
            raw.commit()
        found: tuple[int, int, list[str]] = soak.digest_gaps(path, 3)
        return found

    assert made(0, 1, 2) == (3, 0, [])
    assert made(0, 2) == (2, 0, [datetime(2023, 12, 16).date().isoformat()])
    assert made(0, 1, 1.1, 2)[1] == 1


def test_a_soak_counts_what_the_stories_window_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soak = bench("soak", monkeypatch)
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("CREATE TABLE items (published_at INTEGER)")
        hours = (-1, 0, 1, 71, 72, 73)
        raw.executemany("INSERT INTO items VALUES (?)", [(int((soak.START + timedelta(hours=n)).timestamp() * 1e6),) for n in hours])
    assert soak.window_items(path, soak.START + timedelta(days=3)) == 3


def test_a_soak_sees_polls_that_come_too_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    soak = bench("soak", monkeypatch)
    assert soak.gaps({"times": {"/a": [[0, 0], [3600, 1], [5400, 2]], "/b": [[0, 0]]}}) == (1800, 4)


class Noted:
    """A replay server as the scale bench sees it."""

    def __init__(self, times: dict[str, list[float]]) -> None:
        self._times = times

    def feeds(self) -> list[str]:
        return [f"http://127.0.0.1:1{path}" for path in self._times]

    def stats(self) -> dict[str, object]:
        return {"times": {path: [[0.0, moment] for moment in moments] for path, moments in self._times.items()}}


def test_the_scale_bench_sees_a_second_poll_a_short_pause_and_another_grouping(monkeypatch: pytest.MonkeyPatch) -> None:
    scale = bench("scale", monkeypatch)
    server = Noted({"/feeds/a-0a1b2c": [1.0, 5.0], "/feeds/a-0a1b2c-1": [1.02], "/feeds/b-ffffff": [1.5]})
    found = scale.seen(server)
    assert (found["requests"], found["most_polls"], found["seconds"]) == (4, 2, 4.0)
    assert found["least_gap"] == pytest.approx(0.02)
    hosts = [url.split("/")[2] for url in scale.feeds_by_name(server).values()]
    assert hosts == ["127.0.0.2:1", "127.0.0.2:1", "127.0.0.3:1"]
    assert scale.agreement({"a": 1, "b": 1, "c": 2}, {"a": 7, "b": 7, "c": 8}) == 1
    assert scale.agreement({"a": 1, "b": 1, "c": 2}, {"a": 7, "b": 8, "c": 9}) < 1
    assert scale.agreement({"a": 1, "b": 1}, {"a": 1}) < 1
