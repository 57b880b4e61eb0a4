"""The contract of ItemStore: identity, edits, appearances."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from aggregator.errors import NotFoundError
from aggregator.model import Appearance, Ingested, Item, Media, Polled
from aggregator.store.opening import Store
from tests.store.make import HOUR, NOW, group, item, poll, subscribe


def test_a_new_item_is_read_back_as_it_was_given(store: Store) -> None:
    given = item(
        "g:1",
        "Größe “quoted” 日本",
        at=NOW - timedelta(microseconds=7),
        updated_at=NOW,
        date_rule="updated",
        summary_html="<p>s</p>",
        content_html="<p>c</p>",
        language="de",
        authors=("Ann", "Bob"),
        categories=("x",),
        media=(Media("https://a.example/1.mp3", "audio/mpeg", 5031, "Episode", "Zippity", 12), Media("https://a.example/2")),
    )
    stored = poll(store, "a", [given])
    assert stored == Ingested(new=(1,))
    assert store.items.get([1]) == [replace(given, id=1, feed="a", publisher="The A")]
    assert list(store.items.export()) == store.items.get([1])
    assert store.items.appearances(1) == [Appearance(1, "a", "g:1", given.link, NOW)]


def test_an_item_without_arrival_arrives_now(store: Store) -> None:
    poll(store, "a", [item("k", arrived_at=None)], now=NOW + HOUR)
    assert store.items.get([1])[0].arrived_at == NOW + HOUR


def test_the_same_items_again_change_nothing(store: Store) -> None:
    items = [item("1"), item("2")]
    poll(store, "a", items)
    before = list(store.items.export())
    assert poll(store, "a", items, now=NOW + HOUR) == Ingested(known=2)
    assert list(store.items.export()) == before


def test_an_edit_keeps_the_old_title_and_the_first_date(store: Store) -> None:
    poll(store, "a", [item("k", "Old title")])
    edited = item("k", "New title", at=NOW + HOUR, summary="New summary", categories=("c",), media=(Media("https://a.example/v"),))
    assert poll(store, "a", [edited], now=NOW + HOUR) == Ingested(edited=(1,))
    found = store.items.get([1])[0]
    assert (found.title, found.summary, found.categories, found.media) == ("New title", "New summary", ("c",), edited.media)
    assert (found.published_at, found.arrived_at, found.updated_at) == (NOW, NOW, NOW + HOUR)
    assert store.items.titles(1) == [("Old title", NOW + HOUR)]
    assert store.items.search("new") == [found]
    assert store.items.search("old") == []


def test_an_edit_of_the_text_alone_adds_no_title(store: Store) -> None:
    poll(store, "a", [item("k", "Same")])
    assert poll(store, "a", [item("k", "Same", content_hash="other", summary="longer")]).edited == (1,)
    assert store.items.titles(1) == []


def test_titles_come_oldest_first(store: Store) -> None:
    for hour, title in enumerate(("One", "Two", "Three")):
        poll(store, "a", [item("k", title)], now=NOW + hour * HOUR)
    assert store.items.titles(1) == [("One", NOW + HOUR), ("Two", NOW + 2 * HOUR)]


def test_the_same_piece_in_a_second_feed_appears_there_and_is_not_edited_by_it(store: Store) -> None:
    poll(store, "a", [item("k", link="https://news.example/1")])
    copy = item("other", "Changed by b", link="https://news.example/1")
    assert poll(store, "b", [copy], now=NOW + HOUR) == Ingested(appeared=(1,))
    assert poll(store, "b", [replace(copy, title="Changed again", content_hash="2")]) == Ingested(known=1)
    assert [each.title for each in store.items.export()] == ["Title of k"]
    assert [(each.feed, each.key) for each in store.items.appearances(1)] == [("a", "k"), ("b", "other")]


def test_a_key_is_its_feeds_own(store: Store) -> None:
    poll(store, "a", [item("1", link=None)])
    assert poll(store, "b", [item("1", link=None)]).new == (2,)


def test_items_without_links_are_told_apart_by_their_keys(store: Store) -> None:
    assert poll(store, "a", [item("1", link=None), item("2", link=None)]).new == (1, 2)


def test_a_link_that_comes_twice_in_one_document_is_one_item_under_two_keys(store: Store) -> None:
    twice = [item("1", "First", link="https://x.example/"), item("2", "Second", link="https://x.example/")]
    assert poll(store, "a", twice).new == (1,)
    assert [each.title for each in store.items.export()] == ["First"]
    assert [each.key for each in store.items.appearances(1)] == ["1", "2"]
    assert poll(store, "a", twice) == Ingested(known=1), "the second must not edit the first back and forth at each poll"
    assert store.items.titles(1) == []


def test_a_key_that_comes_twice_in_one_document_is_the_first_of_them(store: Store) -> None:
    twice = [item("1", "First", link=None), item("1", "Second", link=None)]
    assert poll(store, "a", twice).new == (1,)
    assert poll(store, "a", twice) == Ingested(known=1)
    assert [each.title for each in store.items.export()] == ["First"]


def test_the_first_feed_may_change_the_key_of_a_piece(store: Store) -> None:
    poll(store, "a", [item("old", "Title", link="https://x.example/")])
    assert poll(store, "a", [item("new", "Better title", link="https://x.example/")]).edited == (1,)
    assert poll(store, "a", [item("new", "Better title", link="https://x.example/")]) == Ingested(known=1)
    assert store.items.titles(1) == [("Title", NOW)]


def test_known_links_name_the_newest_key_of_this_feed(store: Store) -> None:
    poll(store, "a", [item("old", link="https://x.example/")])
    poll(store, "a", [item("new", link="https://x.example/", arrived_at=NOW + HOUR)], now=NOW + HOUR)
    poll(store, "b", [item("theirs", link="https://x.example/", arrived_at=NOW + 2 * HOUR)], now=NOW + 2 * HOUR)
    asked = ["https://x.example/", "https://unknown.example/"]
    assert store.items.known_links("a", asked) == {"https://x.example/": "new"}
    assert store.items.known_links("b", asked) == {"https://x.example/": "theirs"}
    assert store.items.known_links("nobody", asked) == {}


def test_the_state_is_stored_with_the_items_or_not_at_all(store: Store) -> None:
    state = subscribe(store, "a")["a"]
    unstorable = replace(item("bad"), title=None)  # type: ignore[arg-type]
    with pytest.raises(Exception, match=r"(?i)not.null"):
        store.items.ingest([Polled(replace(state, body_hash="new", streak=5), "A", (item("good"), unstorable))], NOW)
    assert list(store.items.export()) == []
    assert store.items.search("good") == []
    assert store.feeds.state("a") == state


def test_a_poll_without_items_stores_the_state(store: Store) -> None:
    state = replace(subscribe(store, "a")["a"], error="HTTP 404", streak=1)
    assert store.items.ingest([Polled(state, "A")], NOW) == [Ingested()]
    assert store.feeds.state("a") == state


def test_a_feed_without_a_row_is_refused(store: Store) -> None:
    state = subscribe(store, "a")["a"]
    with pytest.raises(NotFoundError, match="“ghost”"):
        store.items.ingest([Polled(replace(state, id=7, name="ghost"), "G", (item("k"),))], NOW)


def test_unsorted_items_come_by_time_link_and_id_until_they_are_in_a_story(store: Store) -> None:
    poll(
        store,
        "a",
        [item("1", link="https://b.example/"), item("2", link="https://a.example/"), item("3", at=NOW - HOUR), item("4", link=None)],
    )
    assert [each.id for each in store.items.unsorted()] == [3, 4, 2, 1]
    assert [each.id for each in store.items.unsorted(2)] == [3, 4]
    group(store, [3, 1])
    assert [each.id for each in store.items.unsorted()] == [4, 2]


def test_history_is_what_is_in_stories_after_the_first_moment_up_to_the_second(store: Store) -> None:
    poll(store, "a", [item(str(hour), at=NOW + hour * HOUR) for hour in range(5)])
    group(store, [1, 2, 3], [4])
    found = store.items.history(NOW + HOUR, NOW + 4 * HOUR)
    assert [(each.id, story) for each, story in found] == [(3, 1), (4, 2)]


def test_items_come_in_the_order_asked_for_and_unknown_ones_are_left_out(store: Store) -> None:
    poll(store, "a", [item(str(number)) for number in range(3)])
    assert [each.id for each in store.items.get([3, 99, 1, 3])] == [3, 1, 3]
    assert store.items.appearances(99) == []
    assert store.items.titles(99) == []


def test_more_items_than_fit_one_statement(store: Store) -> None:
    many = [item(str(number)) for number in range(1201)]
    assert len(poll(store, "a", many).new) == 1201
    assert poll(store, "a", many).known == 1201
    assert [each.id for each in store.items.get(range(1, 1202))] == list(range(1, 1202))
    assert sum(1 for _ in store.items.export()) == 1201


def test_any_text_survives_the_way_through_the_database(store: Store) -> None:
    odd = "'; DROP TABLE items; -- \\ % _ \" \u2028 😀 ﷽ " + "x" * 100_000
    given: Item = item("k", odd, summary=odd, authors=(odd,))
    poll(store, "a", [given])
    found = store.items.get([1])[0]
    assert (found.title, found.summary, found.authors) == (odd, odd, (odd,))
