"""Years of news in one store: how fast an archive comes in, how large it is, and whether a day's digest still takes the time it took.

    a stream, repeated with shifted dates and changed words | items import | bytes, items a second
    two stores with the same last days, one of them with years before | the digest of a day, side by side

Run it as `python bench/years.py [--items 900000] [--shared DIR]`; bench/README.md says how to read it.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import itertools
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from aggregator.app import App  # noqa: E402
from aggregator.archive import import_items  # noqa: E402
from aggregator.digest.render import render  # noqa: E402
from aggregator.model import Membership, Period, Story, StoryChanges, Topic  # noqa: E402

Row = dict[str, Any]
END = datetime(2024, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=17)
SMALL = 9_000
_WORD = re.compile(r"[^\W\d_]{4,}")


def read_stream(path: Path) -> list[Row]:
    """The archive's rows, oldest first, moved so that the last one is published just before END."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    rows.sort(key=lambda row: datetime.fromisoformat(row["published"]))
    return rows


def generated(count: int) -> list[Row]:
    """Rows where there is no shared stream."""
    from tests.newsserver import News

    news = News(60, 1)
    told = sorted((when, key, title, text, name) for name, rows in news.rows.items() for when, key, title, text in rows)[:count]
    shift = END - timedelta(minutes=1) - told[-1][0]
    return [
        {
            "source": f"https://{name}.example/feed",
            "publisher": name,
            "language": "en",
            "published": (when + shift).isoformat(),
            "title": title,
            "summary": text * 4,
            "link": f"https://{name}.example/{key}",
        }
        for when, key, title, text, name in told
    ]


def repeated(rows: list[Row], items: int) -> Iterator[Row]:
    """So many rows, oldest first, the last repetition being the stream itself. In the others the rarer words are others."""
    seen = Counter(word for row in rows for word in set(_WORD.findall(row["title"])))
    common = {word for word, count in seen.items() if count > len(rows) / 200}
    turns = -(-items // len(rows))
    skip = turns * len(rows) - items
    for turn in range(turns - 1, -1, -1):
        part = rows[skip:] if turn == turns - 1 else rows
        yield from (part if turn == 0 else (_changed(row, turn, common) for row in part))


def _changed(row: Row, turn: int, common: set[str]) -> Row:
    def other(found: re.Match[str]) -> str:
        word = found[0]
        if word in common:
            return word
        letters = hashlib.blake2b(f"{turn} {word}".encode(), digest_size=3).hexdigest().translate(_LETTERS)
        return word[:2] + letters

    published = datetime.fromisoformat(row["published"]) - turn * SPAN
    texts = {name: _WORD.sub(other, row.get(name) or "") for name in ("title", "summary")}
    return row | texts | {"published": published.isoformat(), "link": f"{row['link']}{'&' if '?' in row['link'] else '?'}turn={turn}"}


_LETTERS = str.maketrans("0123456789", "ghijklmnop")


def open_app(folder: Path) -> App:
    folder.mkdir()
    (folder / "aggregator.toml").write_text('database = "aggregator.db"\nzone = "UTC"\n')
    return App.from_options(config=str(folder / "aggregator.toml"), now=END.isoformat(), environ={"HOME": str(folder)})


def bring_in(app: App, rows: Iterator[Row]) -> tuple[int, float]:
    """Import, as `items import` does. Returns items and seconds."""
    begun = time.perf_counter()
    counts = import_items((json.dumps(row) for row in rows), store=app.store, now=app.clock())
    return counts.new, time.perf_counter() - begun


def group_by_time(app: App, before: datetime) -> float:
    """Put the old items into stories of two, and forty of those into a topic, without the engine, whose time is another bench's: here
    only the store's size counts. Returns seconds."""
    begun = time.perf_counter()
    store, number = app.store, 1
    profile = {f"word{n}": 1.0 / (n + 1) for n in range(150)}
    waiting = iter([item for item in store.items.unsorted() if item.published_at < before])
    while part := list(itertools.islice(waiting, 4000)):
        stories, members, topics = [], [], {}
        for pair in (part[n : n + 2] for n in range(0, len(part), 2)):
            first, last, topic = pair[0], pair[-1], number // 40 + 1
            counts = {"item_count": len(pair), "sources": len(pair), "brief": first.summary[:280], "topic_id": topic}
            stories.append(Story(number, first.title, first.published_at, last.published_at, **counts))
            members += [Membership(item.id, number, score=0.4, threshold=0.245, rule="join", nearest=((first.id, 0.4),)) for item in pair]
            span = {"first_published_at": first.published_at, "last_published_at": last.published_at}
            topics[topic] = Topic(topic, first.title, ("a", "b"), **span, story_count=40, threshold=0.3, profile=profile)
            number += 1
        store.stories.apply(StoryChanges(tuple(members), tuple(stories), topics=tuple(topics.values())), END)
    return time.perf_counter() - begun


def digest_seconds(app: App, day: datetime) -> float:
    """A day's digest by publication, chosen and rendered."""
    begun = time.perf_counter()
    render(app.digest(Period(day, day + timedelta(days=1), "UTC")), "plain")
    return time.perf_counter() - begun


def side_by_side(small: App, large: App, rounds: int) -> tuple[float, float]:
    """The median of both, taken in turns so that what else the machine does meets both."""
    day = END - timedelta(days=1)
    times = [(digest_seconds(small, day), digest_seconds(large, day)) for _ in range(rounds + 1)][1:]
    return statistics.median(one for one, _ in times), statistics.median(other for _, other in times)


def run(folder: Path, rows: list[Row], items: int, small_items: int, rounds: int = 9) -> dict[str, Any]:
    """Both stores and their figures."""
    latest = rows[-small_items:]
    with open_app(folder / "small") as small, open_app(folder / "large") as large:
        bring_in(small, iter(latest))
        small.organise()
        new, seconds = bring_in(large, repeated(rows, items))
        since = datetime.fromisoformat(latest[0]["published"])
        grouped = group_by_time(large, since)
        large.organise()
        one, other = side_by_side(small, large, rounds)
        return {
            "items": new,
            "import_seconds": round(seconds, 1),
            "items_per_second": round(new / seconds),
            "store_seconds": round(grouped, 1),
            "bytes": large.store.maintenance.sizes()[2],
            "bytes_per_item": round(large.store.maintenance.sizes()[2] / new),
            "digest_small_seconds": round(one, 3),
            "digest_large_seconds": round(other, 3),
            "ratio": round(other / one, 2),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=900_000)
    parser.add_argument("--shared", type=Path, default=Path(os.environ.get("AGGREGATOR_SHARED", HERE.parent.parent / "shared")))
    asked = parser.parse_args()
    stream = asked.shared / "data" / "stream-2023-12.jsonl.gz"
    rows = read_stream(stream) if stream.exists() else generated(20_000)
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), rows, asked.items, SMALL)
    for name, value in found.items():
        print(f"{name:22} {value}")
    return 0 if found["ratio"] <= 1.5 else 1


if __name__ == "__main__":
    sys.exit(main())
