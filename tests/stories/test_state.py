"""What the engine holds of an item: all that it asks for later, and little more."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from aggregator.model import Membership
from aggregator.stories.state import StoryState, to_entry
from tests.stories.make import item

SHARES = st.floats(0, 1, allow_nan=False)
MEMBERSHIPS = st.builds(
    Membership,
    item_id=st.just(7),
    story_id=st.integers(1, 2**40),
    score=SHARES,
    rule=st.sampled_from(("join", "new", "copy", "round-up")),
    nearest=st.lists(st.tuples(st.integers(1, 2**40), SHARES), max_size=3).map(tuple),
    terms=st.lists(st.tuples(st.text(max_size=12), SHARES), max_size=8).map(tuple),
    copy_of=st.none() | st.integers(1, 2**40),
)


@given(MEMBERSHIPS)
def test_an_entry_gives_back_the_membership_that_it_was_given(said: Membership) -> None:
    entry = to_entry(item(7, "Quake off Lisbon"), said)
    assert entry.membership == said
    assert entry.told == replace(said, nearest=(), terms=())
    entry.membership = Membership(7, 3)
    assert entry.membership == Membership(7, 3)


def test_an_entry_without_a_membership_has_none() -> None:
    assert to_entry(item(7, "Quake off Lisbon")).membership is None


def test_an_entry_keeps_the_words_of_its_item_and_leaves_the_texts_to_the_store() -> None:
    whole = replace(item(7, "Quake off Lisbon", "Waves reached the harbour."), content_html="<p>Waves</p>", full_text="Waves " * 99)
    entry = to_entry(whole)
    assert (entry.item.id, entry.item.title, entry.item.link) == (whole.id, whole.title, whole.link)
    assert (entry.item.published_at, entry.item.content_hash) == (whole.published_at, whole.content_hash)
    assert "Waves" in entry.words.summary_words
    assert (entry.item.summary, entry.item.content_html, entry.item.full_text) == ("", "", "")


def test_items_of_one_feed_share_its_name() -> None:
    one, other = (to_entry(replace(item(n, "Quake"), feed="".join(["feed", " one"]))) for n in (1, 2))
    assert one.item.feed is other.item.feed


def test_two_stories_can_change_places_altogether() -> None:
    one, other = StoryState(1, "en"), StoryState(2, "en")
    for story, number in ((one, 1), (other, 2)):
        story.add(to_entry(item(number, "Quake off Lisbon"), Membership(number, story.id)))
        story.alive = 1
    first, second = list(one.entries), list(other.entries)
    one.hand_over(first, other)
    other.hand_over(second, one)
    assert (one.entries, other.entries) == (second, first)
    assert (one.last_seconds, one.alive) == (second[0].at_seconds, 1)
