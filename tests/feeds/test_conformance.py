"""The table of docs/conformance.md is what bench/conformance.py finds, and every difference from feedparser is explained (shared data)."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from tests.shared import ROOT, shared_path


@pytest.fixture(scope="module")
def bench() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "bench/conformance.py"))


@pytest.fixture(scope="module")
def count(bench: dict[str, Any]) -> Any:
    return bench["compare"](shared_path("data/conformance/feedparser"))


def test_no_document_of_feedparsers_suite_loses_or_gains_items_but_the_one_that_ends_inside_its_item(count: Any) -> None:
    assert count.documents == 2_107
    assert count.lost == ["illformed/rss_incomplete_cdata.xml"]


def test_every_value_that_differs_from_feedparsers_is_explained(bench: dict[str, Any], count: Any) -> None:
    unexplained = [(each.document, each.field, each.ours, each.theirs) for each in count.differences if bench["class_of"](each) is None]
    assert unexplained == []
    assert sum(count.same.values()) >= 1_300


def test_the_table_is_up_to_date(bench: dict[str, Any], count: Any) -> None:
    podcasts = bench["durations"](shared_path("data/conformance/podcastparser/tests/data"))
    assert podcasts == (52, 52)
    assert bench["TABLE"].read_text(encoding="utf-8") == bench["to_markdown"](count, podcasts), "run python bench/conformance.py --write"
