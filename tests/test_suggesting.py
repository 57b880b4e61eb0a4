"""What the feed list could gain or lose: who was first, who only repeats, who is dead, and which site nobody subscribes to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aggregator.model import Coverage, Feed, FeedState, Item
from aggregator.suggesting import Card, Suggestion, make_cards, site_of, suggest
from tests.digest.sample import coverage, item, state

NOW = datetime(2023, 12, 28, tzinfo=UTC)
SINCE = NOW - timedelta(days=30)
NAMES = ("courier", "north", "plains")


def cards_of(*coverages: Coverage, elsewhere: tuple[tuple[int, str], ...] = ()) -> dict[str, Card]:
    own = [(each.id, each.feed) for one in coverages for each in one.items]
    return make_cards(coverages, [*own, *elsewhere], NAMES, SINCE)


def story(id: int, *tellers: tuple[str, float], copies: dict[int, int] | None = None) -> Coverage:
    return coverage(id, tuple(item(id * 10 + n, feed, hour, f"Title {n}") for n, (feed, hour) in enumerate(tellers)), copies=copies)


def test_a_card_tells_who_was_first_alone_late_or_a_copy() -> None:
    found = cards_of(
        story(1, ("courier", 3), ("north", 7), ("plains", 9), copies={12: 11}),
        story(2, ("north", 3), ("courier", 5)),
        story(3, ("courier", 8)),
    )
    courier, north, plains = (found[name] for name in NAMES)
    assert (courier.items, courier.stories, courier.shared, courier.first, courier.own) == (3, 3, 2, 1, 2)
    assert (north.first, north.own, north.delay_hours) == (1, 1, 4)
    assert (plains.own, plains.copies, plains.delay_hours) == (0, 1, 6)
    assert (courier.newest_at, courier.delay_hours) == (datetime(2023, 12, 27, 8, tzinfo=UTC), 2)


def test_an_item_in_two_feeds_counts_for_both_and_leads_for_the_one_that_had_it_first() -> None:
    found = cards_of(story(1, ("courier", 3)), elsewhere=((10, "north"),))
    assert [(found[name].items, found[name].elsewhere, found[name].own) for name in NAMES] == [(1, 1, 1), (1, 1, 0), (0, 0, 0)]


def test_what_was_told_before_the_span_is_no_merit_of_it() -> None:
    old = coverage(1, (replace(item(1, "courier", 1, "A"), published_at=SINCE - timedelta(days=1)), item(2, "north", 5, "B")))
    found = cards_of(old)
    assert (found["courier"].items, found["courier"].own) == (0, 0)
    assert (found["north"].items, found["north"].shared, found["north"].own) == (1, 1, 0)


# --- suggestions -------------------------------------------------------------------------------------------------------


def feed(name: str, **given: object) -> Feed:
    return Feed(name, f"https://{name}.example/feed.xml", **given)  # type: ignore[arg-type]


def suggested(
    feeds: list[Feed],
    *,
    states: dict[str, FeedState] | None = None,
    cards: dict[str, Card] | None = None,
    appearances: list[tuple[int, str]] | None = None,
    markup: list[tuple[str, str, str]] | None = None,
) -> list[Suggestion]:
    known = {each.name: Card(each.name, items=9, own=3) for each in feeds} | (cards or {})
    return suggest(feeds, states or {}, known, appearances or [], markup or [], NOW, 30)


def test_a_list_in_good_health_gets_no_suggestion() -> None:
    assert suggested([feed("courier"), feed("north")], states={"courier": state("courier"), "north": state("north")}) == []


@pytest.mark.parametrize(
    ("changed", "items", "says", "command"),
    [
        ({"gone": True}, 9, "gone for good", "aggregator feeds remove courier"),
        (
            {"error": "the server answers 503", "error_since_at": NOW - timedelta(days=9)},
            9,
            "for 9 days: the server",
            "feeds check courier",
        ),
        ({"error": "the server answers 503", "error_since_at": NOW - timedelta(days=2)}, 9, "", ""),
        ({"last_success_at": NOW, "created_at": NOW - timedelta(days=60)}, 0, "no item in 30 days", "aggregator feeds disable courier"),
        ({"last_success_at": NOW, "created_at": NOW - timedelta(days=10)}, 0, "", ""),
    ],
    ids=["gone", "failing for long", "failing since yesterday", "silent", "too young to say"],
)
def test_a_dead_feed(changed: dict[str, object], items: int, says: str, command: str) -> None:
    dead = replace(state("courier"), **changed)  # type: ignore[arg-type]
    found = suggested([feed("courier")], states={"courier": dead}, cards={"courier": Card("courier", items=items, own=items)})
    assert [each.kind for each in found] == (["dead"] if says else [])
    assert all(says in each.reason and command in each.command for each in found)


def test_of_two_feeds_that_bring_the_same_the_smaller_goes_or_the_later_of_equals() -> None:
    feeds = [feed("courier"), feed("north"), feed("plains")]
    same = [(id, name) for id in range(10) for name in ("courier", "north")] + [(id, "plains") for id in range(3, 9)]
    found = [each for each in suggested(feeds, appearances=same) if each.kind == "same"]
    assert [(each.subject, each.reason) for each in found] == [
        ("north", "10 of its 10 items are in courier, too"),
        ("plains", "6 of its 6 items are in courier, too"),
    ]


def test_a_feed_that_shares_few_items_stays() -> None:
    some = [(id, "courier") for id in range(10)] + [(id, "north") for id in range(5, 15)]
    assert suggested([feed("courier"), feed("north")], appearances=some) == []


def test_a_feed_that_is_always_late_adds_nothing_of_its_own() -> None:
    late = Card("north", items=8, stories=7, shared=7, delays=[2.0, 5.0, 30.0])
    found = suggested([feed("courier"), feed("north")], cards={"north": late})
    assert [(each.kind, each.subject) for each in found] == [("nothing-own", "north")]
    assert found[0].reason == "others told each of its 7 stories first, usually 5 h before it"


def test_a_disabled_feed_is_left_alone() -> None:
    assert suggested([feed("north", enabled=False)], cards={"north": Card("north", items=8)}, states={"north": state("north")}) == []


def test_sites_that_several_feeds_link_to_are_worth_a_look_but_not_platforms_nor_what_is_subscribed() -> None:
    links = "".join(
        f'<a href="{url}">x</a>'
        for url in ("https://www.wanted.example/a", "https://twitter.com/x", "https://blog.courier.example/b", "javascript:alert(1)")
    )
    markup = [(name, f"Piece {n}", links) for n in range(3) for name in ("courier", "north")]
    found = suggested([feed("courier"), feed("north")], markup=[*markup, *[("north", "Once", '<a href="https://rare.example/">x</a>')] * 9])
    assert [(each.kind, each.subject, each.command) for each in found] == [
        ("add", "wanted.example", "aggregator feeds discover wanted.example")
    ]
    assert found[0].reason == "6 items of 2 feeds link to it, such as “Piece 0”"


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://feeds.bbci.co.uk/news", "bbci.co.uk"),
        ("https://WWW.Paper.example:8443/x", "paper.example"),
        ("https://[broken", ""),
        ("mailto:x@y.example", ""),
    ],
)
def test_a_site_is_the_host_without_what_says_how_it_is_served(url: str, site: str) -> None:
    assert site_of(url) == site


def test_items_of_one_story_by_one_feed_count_the_story_once() -> None:
    twice: tuple[Item, ...] = (item(1, "courier", 3, "A"), item(2, "courier", 9, "B"))
    card = cards_of(coverage(1, twice))["courier"]
    assert (card.items, card.stories, card.own, card.shared) == (2, 1, 1, 0)
