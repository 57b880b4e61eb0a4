"""The bundled demo: what a newcomer sees first must be whole, offline and harmless."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from aggregator.demo.server import BROKEN, bundled_feeds
from aggregator.feeds.links import canonical_link
from tests.shared import ROOT

EXPECTED = json.loads((files("aggregator.demo") / "feeds" / "expected.json").read_text(encoding="utf-8"))["stories"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def run_demo(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "AGGREGATOR_FETCH__INTERVAL": "3h"}
    command = [sys.executable, "-m", "aggregator", "demo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=home, env=environment, timeout=300)


@pytest.fixture(scope="module")
def digest(home: Path) -> dict[str, Any]:
    done = run_demo(home, "--format", "json", "--limit", "0")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def stories(digest: dict[str, Any]) -> list[set[str]]:
    return [{canonical_link(item["link"]) or "" for item in story["items"]} for story in digest["stories"]]


def test_it_bundles_enough_feeds_of_different_formats() -> None:
    feeds = bundled_feeds()
    assert len(feeds) >= 15
    assert len({feed.content_type.partition(";")[0] for feed in feeds}) >= 4


def test_the_visit_is_one_story_without_strangers(digest: dict[str, Any]) -> None:
    slug = next(slug for slug in EXPECTED if "blinken" in slug)
    wanted = {canonical_link(link) or "" for link in EXPECTED[slug]["items"]}
    best = max(stories(digest), key=lambda links: len(links & wanted))
    assert len(best & wanted) >= len(wanted) - 2
    assert len(best - wanted) <= 1


def test_the_other_border_stories_stand_apart(digest: dict[str, Any]) -> None:
    slugs = [slug for slug, story in EXPECTED.items() if story["topic"] and "border" in story["topic"]]
    assert len(slugs) >= 5
    found = stories(digest)
    homes = {}
    for slug in slugs:
        wanted = {canonical_link(link) or "" for link in EXPECTED[slug]["items"]}
        homes[slug] = max(range(len(found)), key=lambda place, wanted=wanted: len(found[place] & wanted))  # type: ignore[misc]
    assert len(set(homes.values())) >= len(slugs) - 1


def test_the_grouping_is_near_the_editors(digest: dict[str, Any]) -> None:
    """Pairwise F1 on the demo's own labels; the digest's period leaves some items out, so only shown ones count."""
    shown = {link for links in stories(digest) for link in links}
    wanted = {
        pair
        for story in EXPECTED.values()
        for pair in combinations(sorted({canonical_link(link) or "" for link in story["items"]} & shown), 2)
    }
    have = {pair for links in stories(digest) for pair in combinations(sorted(links), 2)}
    hit = len(have & wanted)
    assert hit / len(have) >= 0.85
    assert hit / len(wanted) >= 0.8


def test_copies_of_one_piece_in_two_feeds_are_one_item(digest: dict[str, Any]) -> None:
    links = [canonical_link(item["link"]) for story in digest["stories"] for item in story["items"]]
    assert len(links) == len(set(links))


def test_media_come_with_exact_durations(digest: dict[str, Any]) -> None:
    seconds = {medium["seconds"] for medium in digest["media"]}
    assert 3723 in seconds
    assert all(medium["host"] for medium in digest["media"] if medium["type"].startswith("audio/"))


def test_the_feed_that_is_down_is_named(digest: dict[str, Any]) -> None:
    assert [feed["name"] for feed in digest["failed_feeds"]] == [BROKEN]


def test_the_plain_demo_says_what_to_do_next_and_leaves_nothing_behind(home: Path) -> None:
    done = run_demo(home)
    assert done.returncode == 0
    assert "Blinken" in done.stdout
    assert "\x1b" not in done.stdout
    assert "aggregator feeds add" in done.stderr
    assert list(home.iterdir()) == []
