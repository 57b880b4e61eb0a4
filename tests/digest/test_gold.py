"""The ranking against people's labels: the day's largest stories have to be on top. Needs the shared data."""

from __future__ import annotations

import math
import runpy
from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from aggregator.digest.period import day_period
from aggregator.digest.rank import DigestParams
from aggregator.settings import RankingSettings
from tests.shared import ROOT, shared_path

FLOOR = 0.85
MEASURED = {
    ("data/gold-2023-12-26.jsonl.gz", "2023-12-26"): (0.929, 0.882),
    ("data/gold-2023-12-26.jsonl.gz", "2023-12-27"): (0.950, 0.952),
    ("data/gold-pl-2023-12-27.jsonl.gz", "2023-12-27"): (0.877, 0.861),
}
"""nDCG@20 on the labelled stories themselves and on those that the program makes of the same items (bench/ranking.py)."""
MARGIN = 0.03


@pytest.fixture(scope="module")
def bench() -> Any:
    return SimpleNamespace(**runpy.run_path(str(ROOT / "bench" / "ranking.py")))


@pytest.fixture(scope="module")
def grouped(bench: Any) -> dict[str, tuple[Any, Any]]:
    """Both readings of each labelled file."""
    files = {path: bench.read_rows(shared_path(path)) for path, _ in MEASURED}
    return {path: (bench.by_labels(rows), bench.by_engine(rows)) for path, rows in files.items()}


@pytest.mark.parametrize(("path", "day"), sorted(MEASURED))
def test_the_largest_stories_of_a_labelled_day_are_on_top(bench: Any, grouped: Any, path: str, day: str) -> None:
    period = day_period(day, "UTC", datetime(2023, 12, 28, tzinfo=UTC))
    for labelled, measured in zip(grouped[path], MEASURED[path, day], strict=True):
        assert bench.ndcg(bench.make_digest(labelled, period), labelled) >= max(FLOOR, measured - MARGIN)


@pytest.mark.parametrize("day", ["2023-12-26", "2023-12-27"])
def test_no_saga_and_no_lone_item_floods_a_labelled_day(bench: Any, grouped: Any, day: str) -> None:
    labelled, _ = grouped["data/gold-2023-12-26.jsonl.gz"]
    digest = bench.make_digest(labelled, day_period(day, "UTC", datetime(2023, 12, 28, tzinfo=UTC)))
    assert len({shown.story.id for shown in digest.stories}) == 30
    assert max(Counter(shown.story.topic_id for shown in digest.stories if shown.story.topic_id).values()) <= 5
    assert all(shown.sources > 1 for shown in digest.stories), "with so much news no lone item takes a slot"


def test_a_story_told_in_two_pieces_gains_once(bench: Any) -> None:
    """What is measured is worth something: 1 for the best order, less when a large story is shown twice."""
    rows: list[dict[str, Any]] = [
        {"source": f"f{n}", "publisher": f"p{n}", "language": "en", "published": f"2023-12-27T0{n}:00:00Z", "title": f"Word{n} stands here"}
        | {"summary": "", "link": f"https://x.example/{n}", "story": "big" if n < 4 else "small" if n < 6 else None, "topic": None}
        for n in range(1, 8)
    ]
    labelled, period = bench.by_labels(rows), day_period("2023-12-27", "UTC", datetime(2023, 12, 28, tzinfo=UTC))
    digest = bench.make_digest(labelled, period)
    assert bench.ndcg(digest, labelled) == pytest.approx(1)
    torn = bench.Labelled(labelled.coverages, {}, labelled.feeds, {**labelled.label, 4: "big", 5: "big"})
    assert bench.ndcg(bench.make_digest(torn, period), torn) == pytest.approx(
        (5 + 1 / 2 + 1 / math.log2(5)) / (5 + 1 / math.log2(3) + 1 / 2)
    )


def test_the_settings_name_every_part_with_the_same_defaults() -> None:
    params, settings = DigestParams(), RankingSettings()
    assert {name: getattr(params, name) for name in RankingSettings.__struct_fields__} == {
        name: getattr(settings, name) for name in RankingSettings.__struct_fields__
    }
    assert set(DigestParams.__dataclass_fields__) - set(RankingSettings.__struct_fields__) == {"diverse_slots"}
