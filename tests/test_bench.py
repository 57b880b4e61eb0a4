"""The rules that the benchmark runs beside ours group what they are said to group."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from tests.shared import ROOT


@pytest.fixture(scope="module")
def peers() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "bench" / "peers.py"))


def rows(*titles: str, source: str | None = None) -> list[dict[str, Any]]:
    return [
        {"title": title, "summary": "", "source": source or f"feed {n}", "link": f"{n:03}", "published": f"2024-05-14T06:{n:02}:00+00:00"}
        for n, title in enumerate(titles)
    ]


QUAKE = "Strong earthquake shakes Lisbon harbour district"
CLOSE = "Strong earthquake shakes Lisbon, harbour cranes topple"
APART = "Vienna bakery wins world pastry cup with strudel"


def test_newsblur_joins_titles_that_share_most_of_their_words_across_feeds(peers: dict[str, Any]) -> None:
    one, other, third = peers["newsblur"](rows(QUAKE, CLOSE, APART))
    assert one == other != third


def test_newsblur_leaves_one_feed_and_short_titles_alone(peers: dict[str, Any]) -> None:
    assert len(set(peers["newsblur"](rows(QUAKE, CLOSE, source="one feed")))) == 2
    assert len(set(peers["newsblur"](rows("Lisbon earthquake shakes harbour", "Earthquake shakes Lisbon harbour")))) == 2


def test_jarr_joins_only_what_is_nearly_the_same_and_needs_ten_neighbours(peers: dict[str, Any]) -> None:
    words = ("alpha", "beta", "gamma", "delta", "eta", "theta", "iota", "kappa", "mu", "nu")
    others = [f"Headline {word} nobody else writes about {word}" for word in words]
    groups = peers["jarr"](rows(*others, QUAKE, QUAKE, "Lisbon mayor visits school"))
    assert groups[10] == groups[11] != groups[12]
    assert len(set(peers["jarr"](rows(QUAKE, QUAKE)))) == 2
