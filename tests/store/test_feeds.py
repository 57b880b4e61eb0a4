"""The contract of FeedStore."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from aggregator.errors import NotFoundError
from aggregator.model import Feed, FeedState, Polled, PollHints, Validators
from aggregator.store.opening import Store
from tests.store.make import HOUR, NOW, item, keep, poll, subscribe


def learned(state: FeedState) -> FeedState:
    """A state with every field that a poll can set."""
    return replace(
        state,
        fetch_url="https://moved.example/feed",
        title="The A",
        link="https://a.example/",
        language="en",
        validators=Validators('W/"x"', "Wed, 27 Dec 2023 12:00:00 GMT", NOW),
        hints=PollHints(600, None, 3600, (1, 2), ("Sunday",)),
        body_hash="abc",
        identity="link",
        last_attempt_at=NOW,
        last_success_at=NOW - HOUR,
        next_poll_at=NOW + timedelta(microseconds=1),
        reason="its own interval",
        error="HTTP 500",
        error_since_at=NOW - HOUR,
        warning="not well-formed",
        streak=3,
        retry_after_at=NOW + HOUR,
        gone=True,
        items_per_day=2.5,
    )


def test_a_new_subscription_is_a_row_that_was_never_polled(store: Store) -> None:
    state = subscribe(store, "a")["a"]
    assert (state.name, state.url, state.fetch_url, state.created_at) == ("a", "https://a.example/feed", "https://a.example/feed", NOW)
    assert state.subscribed
    assert (state.next_poll_at, state.validators, state.error) == (None, None, None)
    assert state.reason == "never polled"


def test_a_saved_state_is_read_back_as_it_was(store: Store) -> None:
    state = learned(subscribe(store, "a")["a"])
    keep(store, state)
    assert store.feeds.state("a") == state


def test_validators_without_etag_are_kept(store: Store) -> None:
    state = replace(subscribe(store, "a")["a"], validators=Validators(None, None, NOW))
    keep(store, state)
    assert store.feeds.state("a").validators == Validators(None, None, NOW)


def test_an_unknown_feed_is_named(store: Store) -> None:
    with pytest.raises(NotFoundError, match="no feed called “nope”"):
        store.feeds.state("nope")
    state = subscribe(store, "a")["a"]
    with pytest.raises(NotFoundError, match="“b” is not in the database"):
        keep(store, replace(state, id=99, name="b"))


def test_a_changed_address_drops_what_was_learned_at_the_old_one(store: Store) -> None:
    keep(store, learned(subscribe(store, "a")["a"]))
    store.feeds.sync([Feed("a", "https://new.example/feed")], NOW)
    state = store.feeds.state("a")
    assert (state.url, state.fetch_url) == ("https://new.example/feed", "https://new.example/feed")
    assert (state.validators, state.body_hash, state.error, state.next_poll_at, state.retry_after_at) == (None,) * 5
    assert (state.hints, state.identity, state.gone, state.streak) == (PollHints(), "guid", False, 0)
    assert state.last_attempt_at is None, "a corrected address need not wait like a poll that crashed"


def test_a_poll_of_the_old_address_does_not_overwrite_the_new_one(store: Store) -> None:
    old = subscribe(store, "a")["a"]
    store.feeds.sync([Feed("a", "https://new.example/feed")], NOW)
    stored = store.items.ingest([Polled(learned(old), "A", (item("k"),))], NOW)[0]
    assert len(stored.new) == 1
    assert store.feeds.state("a").fetch_url == "https://new.example/feed"
    assert store.feeds.state("a").validators is None


def test_a_renamed_feed_keeps_its_state_and_its_items(store: Store) -> None:
    keep(store, learned(subscribe(store, "a")["a"]))
    poll(store, "a", [item("k")])
    before = store.feeds.state("a")
    store.feeds.sync([Feed("b", "https://a.example/feed")], NOW)
    assert store.feeds.states() == {"b": replace(before, name="b")}
    assert [each.feed for each in store.items.export()] == ["b"]


def test_two_feeds_may_swap_their_names(store: Store) -> None:
    states = subscribe(store, "a", "b")
    store.feeds.sync([Feed("a", states["b"].url), Feed("b", states["a"].url)], NOW)
    assert {name: state.id for name, state in store.feeds.states().items()} == {"a": states["b"].id, "b": states["a"].id}


def test_a_feed_taken_out_keeps_its_items_and_gets_another_try_when_it_comes_back(store: Store) -> None:
    keep(store, learned(subscribe(store, "a", "b")["a"]))
    poll(store, "a", [item("k")])
    subscribe(store, "b")
    assert not store.feeds.state("a").subscribed
    assert [each.feed for each in store.items.export()] == ["a"]
    back = subscribe(store, "a", "b")["a"]
    assert (back.subscribed, back.gone, back.streak, back.error) == (True, False, 0, None)
    assert back.retry_after_at == NOW + HOUR, "a server's Retry-After is not lifted by an edit"


def test_a_new_feed_may_take_the_name_of_one_whose_address_goes_on_under_another(store: Store) -> None:
    subscribe(store, "a")
    poll(store, "a", [item("k")])
    store.feeds.sync([Feed("a", "https://other.example/"), Feed("old-a", "https://a.example/feed")], NOW)
    assert store.feeds.state("a").url == "https://other.example/"
    assert [each.feed for each in store.items.export()] == ["old-a"]


def test_the_publisher_is_the_title_of_the_feed_list_then_the_feeds_own_then_the_name(store: Store) -> None:
    poll(store, "a", [item("k")])
    url = store.feeds.state("a").url
    for title, own, expected in (("Listed", "Own", "Listed"), (None, "Own", "Own"), (None, None, "a")):
        keep(store, replace(store.feeds.state("a"), title=own))
        store.feeds.sync([Feed("a", url, title=title)], NOW)
        assert [each.publisher for each in store.items.export()] == [expected]


def test_a_claim_notes_the_attempt(store: Store) -> None:
    subscribe(store, "a", "b")
    assert store.feeds.claim({"a": None, "no such feed": None}, NOW + HOUR) == {"a"}
    assert store.feeds.state("a").last_attempt_at == NOW + HOUR
    assert store.feeds.state("b").last_attempt_at is None
    assert store.feeds.claim({}, NOW) == set()


def test_a_feed_that_was_attempted_since_it_was_seen_cannot_be_claimed(store: Store) -> None:
    subscribe(store, "a", "b")
    store.feeds.claim({"a": None}, NOW)
    assert store.feeds.claim({"a": None, "b": None}, NOW + HOUR) == {"b"}
    assert store.feeds.state("a").last_attempt_at == NOW
    assert store.feeds.claim({"a": NOW, "b": NOW}, NOW + HOUR) == {"a"}


def test_a_host_is_left_alone_until_its_time(store: Store) -> None:
    store.feeds.save_host_not_before("a.example", NOW + HOUR)
    store.feeds.save_host_not_before("a.example", NOW + 2 * HOUR)
    store.feeds.save_host_not_before("passed.example", NOW - HOUR)
    assert store.feeds.host_not_before() == {"a.example": NOW + 2 * HOUR}


def test_the_source_of_an_archive_is_a_feed_outside_the_list(store: Store) -> None:
    listed = subscribe(store, "a")["a"]
    made = store.feeds.ensure_source("a", "https://archive.example/", title="Archive", language="en", now=NOW)
    assert (made.name, made.title, made.language, made.subscribed) == ("a-2", "Archive", "en", False)
    assert store.feeds.ensure_source("b", "https://archive.example/", title=None, language=None, now=NOW) == made
    assert store.feeds.ensure_source("b", listed.url, title=None, language=None, now=NOW) == listed
    subscribe(store, "a")
    assert not store.feeds.state("a-2").subscribed


def test_an_archives_source_is_called_by_its_title_once_that_is_known(store: Store) -> None:
    store.feeds.ensure_source("s", "https://archive.example/", title=None, language=None, now=NOW)
    named = store.feeds.ensure_source("s", "https://archive.example/", title="Archive", language="pl", now=NOW)
    assert (named.name, named.title, named.language) == ("s", "Archive", "pl")
    assert store.feeds.ensure_source("s", "https://archive.example/", title="Other", language="en", now=NOW) == named


def test_subscribing_to_an_archives_source_goes_on_with_its_row(store: Store) -> None:
    made = store.feeds.ensure_source("archive", "https://archive.example/", title="Archive", language=None, now=NOW)
    store.feeds.sync([Feed("live", "https://archive.example/")], NOW)
    state = store.feeds.state("live")
    assert (state.id, state.subscribed) == (made.id, True)
