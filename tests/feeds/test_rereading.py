"""What a feed shows again is known: real snapshots in order, and every real document read twice (shared data)."""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from aggregator.feeds.markup import title_text
from aggregator.store.opening import open_store
from tests.feeds.door import Door
from tests.shared import shared_path

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with open_store(str(tmp_path / "store.db"), now=NOW) as store:
        yield Door(store)


def snapshots() -> list[tuple[datetime, bytes]]:
    def taken_at(path: Path) -> datetime:
        return datetime.strptime(path.name, "%Y%m%dT%H%M%SZ.xml.gz").replace(tzinfo=UTC)

    paths = sorted(shared_path("data/snapshots/arstechnica").iterdir())
    return [(taken_at(path), gzip.decompress(path.read_bytes())) for path in paths]


def test_two_hundred_snapshots_in_order_give_the_feeds_items_with_their_edits_none_doubled_none_lost(door: Door) -> None:
    """What plain XML says is the truth here: guids, and the titles and texts that each item had one after another."""
    titles: defaultdict[str, list[str]] = defaultdict(list)
    texts: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    new = edited = 0
    for at, body in snapshots():
        outcome = door.hand_in("ars", body, at)
        assert outcome.error is None
        new, edited = new + outcome.new, edited + outcome.edited
        again = door.hand_in("ars", body, at + timedelta(minutes=1))
        assert (again.new, again.edited) == (0, 0), at
        for entry in ElementTree.fromstring(body).iter("item"):
            guid, written, text = (entry.findtext(name, "").strip() for name in ("guid", "title", "description"))
            title = title_text(written, is_html=True)
            if titles[guid][-1:] != [title]:
                titles[guid].append(title)
            if texts[guid][-1:] != [(title, text)]:
                texts[guid].append((title, text))
    items = list(door.store.items.export())
    assert new == len(items) == len(titles) > 400
    assert {item.key for item in items} == {f"g:{guid}" for guid in titles}
    recorded = {item.key[2:]: [old for old, _ in door.store.items.titles(item.id)] + [item.title] for item in items}
    assert recorded == titles
    assert sum(len(each) > 1 for each in titles.values()) > 10, "the snapshots hold edited titles"
    assert edited == sum(len(each) - 1 for each in texts.values())
    assert all(len(door.store.items.appearances(item.id)) == 1 for item in items)


def test_reading_any_real_document_again_makes_and_edits_nothing(door: Door) -> None:
    folder = shared_path("data/real-feeds")
    names = [line.split("\t")[0] for line in (folder / "INDEX.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    read = 0
    for number, name in enumerate(names):
        body = (folder / name).read_bytes()
        read += door.hand_in(f"feed-{number}", body, NOW).new
        again = door.hand_in(f"feed-{number}", body, NOW + timedelta(days=97))
        assert (again.new, again.edited) == (0, 0), name
    assert len(names) == 281
    assert read > 5_800, "5,977 of which some stand in two feeds"
