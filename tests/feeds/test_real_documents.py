"""Reality: real feeds of hundreds of publishers (shared data, skipped where it is absent)."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

from aggregator.feeds.dedupe import identify
from aggregator.feeds.document import parse_document
from aggregator.feeds.normalise import normalise
from aggregator.model import Item, ParsedFeed
from tests.shared import shared_path

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def read(path: Path, url: str = "https://example.org/feed") -> ParsedFeed:
    return parse_document(path.read_bytes(), {}, url)


def keys(feed: ParsedFeed, now: datetime) -> tuple[str, list[tuple[str, str]], tuple[Item, ...]]:
    items = normalise(feed, feed="f", feed_url="https://example.org/feed", now=now)
    identity, kept = identify(items, "guid", {})
    return identity, [(item.key, item.content_hash) for item in kept], kept


def test_every_real_document_yields_its_items_under_keys_of_their_own() -> None:
    folder = shared_path("data/real-feeds")
    rows = list(csv.DictReader((folder / "INDEX.tsv").open(encoding="utf-8"), delimiter="\t"))
    found = kept = 0
    degraded = []
    for row in rows:
        feed = read(folder / row["file"])
        assert feed.items, row
        identity, first, items = keys(feed, NOW)
        assert len({key for key, _ in first}) == len(first)
        assert all(item.title and item.published_at <= NOW for item in items)
        found, kept = found + len(feed.items), kept + len(items)
        degraded += [row["file"]] * (identity != "guid")
    assert len(rows) == 281
    assert found >= 5_977
    assert found - kept <= 30
    assert len(degraded) <= 3


def test_the_seed_feed_has_exact_durations() -> None:
    feed = read(shared_path("seed/feed.xml"))
    media = [medium for item in normalise(feed, feed="seed", feed_url="https://example.org/", now=NOW) for medium in item.media]
    assert [medium.seconds for medium in media if medium.kind == "audio"] == [5031, 617, 4098, 621, 1183, 841]
    assert [medium.seconds for medium in media if medium.kind == "video"] == [38, 222, 27]
    assert [medium.host for medium in media if medium.kind == "audio"][:2] == ["Zippity Zap", "Michael Brower"]
