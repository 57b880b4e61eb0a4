"""How well a digest's order agrees with people's labels: nDCG@20 of the day's stories, gain = publishers of the labelled story.

    labels as stories | select | nDCG          the day's items | engine | select | nDCG, each labelled story credited once

Run it as `python bench/ranking.py`; bench/README.md says how to read it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from aggregator.archive import to_item
from aggregator.digest.interests import Filters
from aggregator.digest.period import day_period
from aggregator.digest.rank import DigestParams
from aggregator.digest.selection import DEFAULTS, select
from aggregator.digest.telling import title_words
from aggregator.model import Coverage, Digest, Feed, Item, Period, Story, Topic
from aggregator.stories.timeline import phase_at

HERE = Path(__file__).resolve().parent
DAYS = (
    ("data/gold-2023-12-26.jsonl.gz", "2023-12-26"),
    ("data/gold-2023-12-26.jsonl.gz", "2023-12-27"),
    ("data/gold-pl-2023-12-27.jsonl.gz", "2023-12-27"),
)
DEPTH = 20
READ_AT = datetime(2024, 1, 1, tzinfo=UTC)
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Labelled:
    """Labelled items as the digest's input: `label` names the labelled story of each item by id; a lone item is its own."""

    coverages: list[Coverage]
    topics: dict[int, Topic]
    feeds: dict[str, Feed]
    label: dict[int, str]

    def until(self, end: datetime) -> list[Coverage]:
        """The stories as far as they were told by then."""
        cut = (replace(each, items=tuple(one for one in each.items if one.published_at <= end)) for each in self.coverages)
        return [each for each in cut if each.items]


def read_rows(path: Path) -> Rows:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def by_labels(rows: Rows) -> Labelled:
    """The labelled stories themselves, with titles and keywords made the simplest way: what the order alone is worth."""
    labels = {label: id for id, label in enumerate(sorted({row["topic"] for row in rows if row["topic"]}), 1)}
    members: dict[str, list[tuple[Item, dict[str, Any]]]] = defaultdict(list)
    for number, row in enumerate(rows, 1):
        members[row["story"] or f"alone {number}"].append((_item(number, row), row))
    coverages = [_coverage(id, each, labels) for id, each in enumerate(members.values(), 1)]
    topics = {id: Topic(id, label) for label, id in labels.items()}
    return Labelled(coverages, topics, _feeds(rows), {item.id: name for name, each in members.items() for item, _ in each})


def by_engine(rows: Rows) -> Labelled:
    """The stories that the program itself makes of the same items: what a reader gets."""
    from aggregator.app import make_engine
    from aggregator.settings import Settings

    ordered = sorted(rows, key=lambda row: (row["published"], row["link"]))
    items = [_item(number, row) for number, row in enumerate(ordered, 1)]
    changes = make_engine(Settings(), None).add(items)
    members = defaultdict(list)
    for each in changes.memberships:
        members[each.story_id].append(each)
    by_id = {item.id: item for item in items}
    topics = {topic.id: topic for topic in changes.topics}
    coverages = [
        Coverage(story, tuple(by_id[each.item_id] for each in members[story.id]), tuple(members[story.id])) for story in changes.stories
    ]
    label = {number: row["story"] or f"alone {number}" for number, row in enumerate(ordered, 1)}
    return Labelled([each for each in coverages if each.items], topics, _feeds(rows), label)


def _feeds(rows: Rows) -> dict[str, Feed]:
    return {row["source"]: Feed(row["source"], row["source"], title=row["publisher"]) for row in rows}


def _item(number: int, row: dict[str, Any]) -> Item:
    return replace(to_item(row, READ_AT), id=number, feed=row["source"], publisher=row["publisher"])


def _coverage(id: int, members: Sequence[tuple[Item, dict[str, Any]]], labels: Mapping[str, int]) -> Coverage:
    items = tuple(sorted((item for item, _ in members), key=lambda item: item.published_at))
    words = Counter(word for item in items for word in title_words(item.title))
    keywords = tuple(sorted(words, key=lambda word: (-words[word], word))[:6])
    title = max(items, key=lambda item: len(title_words(item.title) & set(keywords))).title
    topic = next((labels[row["topic"]] for _, row in members if row["topic"]), None)
    first, last = items[0].published_at, items[-1].published_at
    return Coverage(Story(id, title, first, last, keywords=keywords, topic_id=topic, item_count=len(items)), items)


def make_digest(labelled: Labelled, period: Period, params: DigestParams = DEFAULTS) -> Digest:
    """The digest of the period as anyone gets it: thirty stories, nothing followed, nothing muted."""
    coverages = labelled.until(period.to_at)
    return select(coverages, labelled.topics, labelled.feeds, {}, period, phase_of=phase_at, params=params, filters=Filters(limit=30))


def ndcg(digest: Digest, labelled: Labelled, depth: int = DEPTH) -> float:
    """Normalised discounted cumulative gain (Järvelin and Kekäläinen, TOIS 2002) of the first `depth` stories, 0-1.

    A shown story gains as many as its labelled story (the one of most of its items) has publishers in the period, but
    nothing when that one stood higher up already.
    """
    publishers: dict[str, set[str]] = defaultdict(set)
    for coverage in labelled.coverages:
        for item in coverage.items:
            if digest.period.from_at < item.published_at <= digest.period.to_at:
                publishers[labelled.label[item.id]].add(item.publisher)
    got, seen = [], set()
    for shown in digest.stories[:depth]:
        name = Counter(labelled.label[item.id] for item in shown.items).most_common(1)[0][0]
        got.append(0 if name in seen else len(publishers[name]))
        seen.add(name)
    return _gain(got) / _gain(sorted(map(len, publishers.values()), reverse=True)[:depth])


def _gain(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains))


def report(shared: Path) -> Table:
    """A row for each labelled day: the order alone, without growth and freshness, and with the program's own stories."""
    table = Table(title=f"nDCG@{DEPTH} of the digest's order", title_justify="left")
    for name in ("labels", "day", "labelled stories", "by publishers alone", "the program's stories"):
        table.add_column(name, justify="left" if name in ("labels", "day") else "right")
    bare = DigestParams(freshness=0, growth=0, like_others=0, same_topic=0)
    for path, day in DAYS:
        rows, period = read_rows(shared / path), day_period(day, "UTC", READ_AT)
        labelled, grouped = by_labels(rows), by_engine(rows)
        scores = (
            ndcg(make_digest(labelled, period), labelled),
            ndcg(make_digest(labelled, period, bare), labelled),
            ndcg(make_digest(grouped, period), grouped),
        )
        table.add_row(Path(path).name.partition(".")[0], day, *(f"{score:.3f}" for score in scores))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path(os.environ.get("AGGREGATOR_SHARED") or HERE.parent.parent / "shared"))
    Console().print(report(parser.parse_args().shared))


if __name__ == "__main__":
    main()
