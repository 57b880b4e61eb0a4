"""What stands in a document as it did last time is left out, and nobody can tell: not by the items, their edits, or the feed's identity."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any

import pytest

from aggregator.feeds.document import parse_document
from aggregator.feeds.sift import sift
from aggregator.model import ParsedFeed, Reading, ReadItems
from aggregator.store.opening import Store, open_store
from tests.feeds.door import Door

NOW = datetime(2024, 3, 1, tzinfo=UTC)
URL = "https://news.example/feed"


def rss(*entries: dict[str, str], front: str = "https://news.example/") -> bytes:
    items = "".join(f"<item>{''.join(f'<{name}>{escape(text)}</{name}>' for name, text in entry.items())}</item>" for entry in entries)
    return f'<rss version="2.0"><channel><title>News</title><link>{front}</link>{items}</channel></rss>'.encode()


def entry(number: int, **more: str) -> dict[str, str]:
    return {
        "guid": f"guid-{number}",
        "link": f"https://news.example/{number}",
        "title": f"Piece {number}",
        "description": f"What number {number} says",
        **more,
    }


def parsed(body: bytes) -> ParsedFeed:
    return parse_document(body, {"content-type": "application/rss+xml"}, URL)


def read(body: bytes, shown: bytes = b"", **more: Any) -> ReadItems:
    return sift(parsed(body), replace(Reading("news", URL, NOW, shown=shown), **more))


def test_only_what_is_new_or_differs_is_made_an_item() -> None:
    first = read(rss(entry(1), entry(2), entry(3)))
    assert (len(first.items), first.same) == (3, 0)
    second = read(rss(entry(4), entry(1), entry(2, title="Piece 2, corrected"), entry(3)), first.shown)
    assert [item.title for item in second.items] == ["Piece 4", "Piece 2, corrected"]
    assert (second.same, second.guids_hold) == (2, True)
    third = read(rss(entry(4), entry(1), entry(2, title="Piece 2, corrected"), entry(3)), second.shown)
    assert (third.items, third.same) == ((), 4)


def test_an_undated_item_keeps_its_place_in_the_document() -> None:
    first = read(rss(entry(1), entry(2)))
    second = read(rss(entry(1), entry(3), entry(2), entry(4)), first.shown)
    assert [item.published_at for item in second.items] == [NOW - timedelta(microseconds=1), NOW - timedelta(microseconds=3)]


@pytest.mark.parametrize(
    "change",
    [
        {"link": "https://news.example/2?page=1"},
        {"pubDate": "Fri, 01 Mar 2024 10:00:00 GMT"},
        {"description": "What number 2 says."},
        {"author": "ann@news.example (Ann)"},
        {"category": "politics"},
        {"guid": "another"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_an_entry_says_counts(change: dict[str, str]) -> None:
    first = read(rss(entry(1), entry(2)))
    assert len(read(rss(entry(1), entry(2) | change), first.shown).items) == 1


@pytest.mark.parametrize("more", [{"language": "pl"}, {"feed_url": "https://other.example/feed"}], ids=lambda more: next(iter(more)))
def test_what_all_entries_share_counts_too(more: dict[str, str]) -> None:
    first = read(rss(entry(1), entry(2)))
    assert len(read(rss(entry(1), entry(2)), first.shown, **more).items) == 2


@pytest.mark.parametrize(
    "newcomer",
    [
        entry(3, guid="guid-1"),
        entry(3, link="https://news.example/1?utm_source=rss"),
        entry(1, guid="guid-3", link="https://news.example/1"),
    ],
    ids=["key", "link", "words"],
)
def test_a_newcomer_that_shares_something_with_the_others_has_them_all_read(newcomer: dict[str, str]) -> None:
    first = read(rss(entry(1), entry(2)))
    second = read(rss(newcomer, entry(1), entry(2)), first.shown)
    assert (len(second.items), second.same, second.shown) == (3, 0, b"")


def test_an_item_without_guid_that_points_to_the_front_page_is_for_identify() -> None:
    lone = {"title": "Ticker", "link": "https://news.example/", "description": "The news"}
    assert read(rss(lone, entry(1))).shown == b""


def test_what_is_no_memory_is_not_believed() -> None:
    assert len(read(rss(entry(1), entry(2)), b"half a row").items) == 2


# --- through the door ------------------------------------------------------------------------------------------------


class Forgetful(Door):
    """Reads every item of every document."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.store.items.shown = lambda feed_id: b""  # type: ignore[method-assign]


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[list[Store]]:
    opened = [open_store(str(tmp_path / f"{name}.db"), now=NOW) for name in ("sifted", "read")]
    yield opened
    for store in opened:
        store.close()


def told(store: Store) -> list[Any]:
    """All that a store knows of its items."""
    items = list(store.items.export())
    ids = [item.id for item in items]
    appearances = {id_: sorted((each.feed, each.key, str(each.link), each.seen_at) for each in store.items.appearances(id_)) for id_ in ids}
    return [
        items,
        appearances,
        {id_: store.items.titles(id_) for id_ in ids},
        {name: s.identity for name, s in store.feeds.states().items()},
    ]


def some_entry(chance: random.Random) -> dict[str, str]:
    """From a small world, so that guids, links and words meet and part."""
    number = chance.randrange(12)
    drawn = entry(number)
    for name, odd in (("guid", 0.12), ("link", 0.08), ("title", 0.12), ("description", 0.12)):
        if chance.random() < odd:
            drawn[name] = entry(chance.randrange(12))[name] + chance.choice(("", "", "x"))
        elif chance.random() < 0.02:
            del drawn[name]
    return drawn


@pytest.mark.parametrize("seed", range(30))
def test_a_feeds_life_is_the_same_whether_or_not_all_is_read_each_time(stores: list[Store], seed: int) -> None:
    chance = random.Random(seed)
    doors = [Door(stores[0]), Forgetful(stores[1])]
    shown = [entry(number) for number in range(5)]
    for poll in range(12):
        for _ in range(chance.randrange(3)):
            shown.insert(chance.randrange(3), some_entry(chance))
        shown = [each if chance.random() < 0.95 else some_entry(chance) for each in shown][:8]
        if chance.random() < 0.05:
            shown = [{**each, "guid": f"{each.get('guid')}-{poll}"} for each in shown]
        at = NOW + timedelta(hours=poll)
        one, other = (door.hand_in("news", rss(*shown), at) for door in doors)
        assert (one.new, one.edited, one.error) == (other.new, other.edited, other.error)
    assert told(stores[0]) == told(stores[1])


def same_of(door: Door, body: bytes) -> int:
    state = door.store.feeds.state("news")
    return sift(parsed(body), Reading("news", state.fetch_url, NOW, shown=door.store.items.shown(state.id))).same


def test_a_feed_that_shows_pruned_items_is_read_whole_so_that_their_keys_stay(stores: list[Store]) -> None:
    door, body = Door(stores[0]), rss(entry(1), entry(2))
    door.hand_in("news", body, NOW)
    assert same_of(door, rss(entry(1), entry(2), entry(3), front="https://news.example/")) == 2
    door.store.maintenance.prune(NOW + timedelta(days=1))
    later = NOW + timedelta(days=100)
    for number, at in ((3, later), (4, NOW + timedelta(days=200))):
        assert same_of(door, body) == 0
        assert door.hand_in("news", rss(entry(1), entry(2), entry(number)), at).new == 1
    door.store.maintenance.prune(NOW + timedelta(days=250))
    assert door.hand_in("news", rss(entry(1), entry(2)), NOW + timedelta(days=251)).new == 0


def test_when_the_guids_of_all_that_can_be_compared_change_those_that_were_left_out_get_new_keys_too(stores: list[Store]) -> None:
    unlinked = {"guid": "note", "title": "A note", "description": "Without a page of its own"}
    for door in (Door(stores[0]), Forgetful(stores[1])):
        door.hand_in("news", rss(unlinked, entry(1), entry(2), entry(3)), NOW)
        outcome = door.hand_in("news", rss(unlinked, *(entry(n, guid=f"new-{n}") for n in (1, 2, 3))), NOW + timedelta(hours=1))
        assert outcome.error is None
        assert door.store.feeds.state("news").identity == "link"
    assert told(stores[0]) == told(stores[1])
