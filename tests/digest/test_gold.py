"""The ranking against people's labels: the day's largest stories have to be on top. Needs the shared data."""

from __future__ import annotations

import gzip
import json
import math
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from aggregator.digest.period import day_period
from aggregator.digest.selection import Filters, title_words
from aggregator.model import Coverage, Digest, Feed, Item, Period, Story, Topic
from tests.digest.sample import select
from tests.shared import shared_path

Labelled = tuple[list[Coverage], dict[int, Topic], dict[str, Feed]]
FLOOR = 0.90
"""Measured .929 and .950 (nDCG@20, gain = publishers of the day); without the growth part .997 and .979."""


@pytest.fixture(scope="module")
def labelled() -> Labelled:
    """The gold stories as coverages, with keywords made the simplest way."""
    with gzip.open(shared_path("data/gold-2023-12-26.jsonl.gz"), "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    stories: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for number, row in enumerate(rows, 1):
        stories[row["story"] or f"alone {number}"].append((number, row))
    labels = {label: id for id, label in enumerate(sorted({row["topic"] for row in rows if row["topic"]}), 1)}
    coverages = [_coverage(id, members, labels) for id, members in enumerate(stories.values(), 1)]
    topics = {id: Topic(id, label) for label, id in labels.items()}
    return coverages, topics, {row["source"]: Feed(row["source"], row["source"], title=row["publisher"]) for row in rows}


def _coverage(id: int, members: list[tuple[int, dict[str, Any]]], labels: dict[str, int]) -> Coverage:
    items = tuple(sorted((_item(number, row) for number, row in members), key=lambda one: one.published_at))
    words = Counter(word for one in items for word in title_words(one.title))
    keywords = tuple(sorted(words, key=lambda word: (-words[word], word))[:6])
    title = max(items, key=lambda one: len(title_words(one.title) & set(keywords))).title
    topic = next((labels[row["topic"]] for _, row in members if row["topic"]), None)
    first, last = items[0].published_at, items[-1].published_at
    return Coverage(Story(id, title, first, last, keywords=keywords, topic_id=topic, item_count=len(items)), items)


def _item(number: int, row: dict[str, Any]) -> Item:
    at = datetime.fromisoformat(row["published"]).astimezone(UTC)
    return Item(
        str(number),
        row["title"],
        row["link"],
        row["link"],
        row["summary"],
        at,
        "",
        id=number,
        feed=row["source"],
        publisher=row["publisher"],
    )


def until(coverages: list[Coverage], end: datetime) -> list[Coverage]:
    cut = (replace(each, items=tuple(one for one in each.items if one.published_at <= end)) for each in coverages)
    return [each for each in cut if each.items]


def ndcg(digest: Digest, coverages: list[Coverage], period: Period) -> float:
    """Normalised discounted cumulative gain of the first twenty; the gain of a story is its number of publishers in the period."""
    gains = {each.story.id: len({one.publisher for one in each.items if one.published_at > period.from_at}) for each in coverages}
    got = [gains[shown.story.id] for shown in digest.stories[:20]]
    best = sorted(gains.values(), reverse=True)[:20]
    return _gain(got) / _gain(best)


def _gain(gains: list[int]) -> float:
    return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains))


@pytest.mark.parametrize("day", ["2023-12-26", "2023-12-27"])
def test_the_largest_stories_of_a_labelled_day_are_on_top_and_none_stands_there_twice(labelled: Labelled, day: str) -> None:
    coverages, topics, feeds = labelled
    period = day_period(day, "UTC", datetime(2023, 12, 28, tzinfo=UTC))
    day_coverages = until(coverages, period.to_at)
    digest = select(day_coverages, topics, feeds, {}, period, filters=Filters(limit=30))
    assert ndcg(digest, day_coverages, period) >= FLOOR
    assert len({shown.story.id for shown in digest.stories}) == 30
    assert max(Counter(shown.story.topic_id for shown in digest.stories if shown.story.topic_id).values()) <= 5, "no saga floods it"
    assert all(shown.sources > 1 for shown in digest.stories), "with so much news no lone item takes a slot"
