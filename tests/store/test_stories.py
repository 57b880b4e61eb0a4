"""The contract of StoryStore and DigestStore."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from aggregator.errors import NotFoundError
from aggregator.model import DigestRecord, Membership, Story, StoryChanges, Topic
from aggregator.store.opening import Store
from tests.store.make import HOUR, NOW, group, item, poll, story


def ids_of(store: Store, *period: int, by: str = "published") -> dict[int, list[int]]:
    """Item ids by story of the coverage between two hours after NOW."""
    found = store.stories.coverage(NOW + period[0] * HOUR, NOW + period[1] * HOUR, by=by)
    return {each.story.id: [one.id for one in each.items] for each in found}


@pytest.fixture
def five(store: Store) -> Store:
    """Five items, published at hours 0 to 4, arrived one hour later each."""
    poll(store, "a", [item(str(hour), at=NOW + hour * HOUR, arrived_at=NOW + (hour + 1) * HOUR, summary_html="<p>") for hour in range(5)])
    return store


def test_what_was_applied_is_read_back_as_it_was(five: Store) -> None:
    told = replace(story(7, topic=3, brief="Brief.", keywords=("x", "y"), language="en", item_count=2, sources=1), related=(8,))
    other = story(8)
    topic = Topic(3, "Saga", ("k",), NOW, NOW + HOUR, 1, {"border": 0.75}, 1.5)
    why = Membership(2, 7, 0.51, 0.235, "join", ((1, 0.6),), (("border", 0.4), ("größe", 0.1)), copy_of=1)
    five.stories.apply(StoryChanges((Membership(1, 7), why, Membership(3, 8)), (told, other), topics=(topic,)), NOW)
    covered = five.stories.story(7)
    assert covered.story == told
    assert covered.memberships == (Membership(1, 7), why)
    assert covered.items == tuple(five.items.get([1, 2]))
    assert five.stories.topic(3) == (topic, [told])
    assert five.stories.topics() == [topic]


def test_a_restart_takes_up_the_topics_of_late_and_no_others(five: Store) -> None:
    days = {number: NOW - timedelta(days=number) for number in (0, 6, 8, 300)}
    topics = tuple(Topic(number + 1, "Saga", ("k",), at, at, 1, {"border": 0.75}, 1.5) for number, at in days.items())
    five.stories.apply(StoryChanges((Membership(1, 7),), (story(7),), topics=topics), NOW)
    assert [each.id for each in five.stories.active(NOW)[2]] == [1, 7]
    assert [each.id for each in five.stories.active(datetime.min.replace(tzinfo=UTC))[2]] == [1, 7, 9, 301]


def test_members_are_read_for_many_stories_at_once_oldest_first_without_html(five: Store) -> None:
    group(five, [3, 1], [2])
    found = five.stories.members([1, 2, 77])
    assert {story_id: [one.id for one in items] for story_id, (items, _) in found.items()} == {1: [1, 3], 2: [2]}
    assert {item_id: why.story_id for _, members in found.values() for item_id, why in members.items()} == {1: 1, 3: 1, 2: 2}
    assert {one.summary_html for items, _ in found.values() for one in items} == {""}


def test_applying_takes_the_items_out_of_the_queue_and_raises_the_revision(five: Store) -> None:
    before = five.stories.revision()
    group(five, [1, 2])
    assert five.stories.revision() > before
    assert [each.id for each in five.items.unsorted()] == [3, 4, 5]


def test_a_round_is_applied_whole_or_not_at_all(five: Store) -> None:
    before = five.stories.revision()
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        five.stories.apply(StoryChanges((Membership(1, 1), Membership(2, 99)), (story(1),)), NOW)
    assert (five.stories.revision(), five.stories.stories(limit=9), len(five.items.unsorted())) == (before, [], 5)


def test_ids_are_never_given_twice(five: Store) -> None:
    assert five.stories.next_ids() == (1, 1)
    group(five, [1], [2], first_story=10, topic=4)
    assert five.stories.next_ids() == (12, 5)
    five.maintenance.prune(NOW + 100 * HOUR)
    assert five.stories.stories(limit=9) == []
    assert five.stories.next_ids() == (12, 5)
    assert poll(five, "a", [item("new")]).new == (6,)


def test_the_engine_gets_the_stories_of_its_window_with_members_in_the_order_of_assignment(five: Store) -> None:
    five.stories.apply(
        StoryChanges((Membership(5, 2), Membership(1, 1), Membership(4, 2)), (story(1, at=NOW), story(2, at=NOW + 4 * HOUR))), NOW
    )
    five.stories.apply(StoryChanges((Membership(3, 2),), (story(2, at=NOW + 4 * HOUR),)), NOW)
    members, stories, topics = five.stories.active(NOW + 4 * HOUR)
    assert [(one.id, why.story_id) for one, why in members] == [(5, 2), (4, 2), (3, 2)]
    assert ([each.id for each in stories], topics) == ([2], [])
    assert len(list(five.stories.active(NOW)[0])) == 4
    five.stories.apply(StoryChanges((Membership(5, 2, rule="repair"),), ()), NOW)
    assert [one.id for one, _ in five.stories.active(NOW + 4 * HOUR)[0]] == [5, 4, 3], "a repair changes no one's turn"


def test_members_are_read_as_they_are_taken_and_what_was_pruned_meanwhile_is_not_among_them(five: Store) -> None:
    five.stories.apply(StoryChanges(tuple(Membership(n, 1) for n in range(1, 6)), (story(1),)), NOW)
    members, *_ = five.stories.active(NOW)
    five.maintenance.prune(NOW + 1000 * HOUR)
    assert list(members) == []


def test_many_stories_are_covered_without_markup_reasons_and_profiles(five: Store) -> None:
    why = Membership(2, 7, 0.51, 0.235, "copy", ((1, 0.6),), (("border", 0.4),), copy_of=1)
    topic = Topic(3, "Saga", ("k",), NOW, NOW + HOUR, 1, {"border": 0.75}, 1.5)
    five.stories.apply(StoryChanges((Membership(1, 7), why, Membership(3, 8)), (story(7, topic=3), story(8)), topics=(topic,)), NOW)
    _, of_new = five.stories.coverage_of_new(None, NOW - HOUR)
    for covered in (five.stories.coverage(NOW - HOUR, NOW + 5 * HOUR), of_new):
        assert covered[0].story == five.stories.story(7).story
        assert covered[0].memberships == (Membership(1, 7), replace(why, nearest=(), terms=()))
        assert covered[0].items == tuple(replace(each, summary_html="") for each in five.items.get([1, 2]))
    assert five.stories.topics_named({3}) == {3: replace(topic, profile={})}


def test_coverage_takes_the_end_but_not_the_start_of_the_period(five: Store) -> None:
    group(five, [1], [2], [3])
    assert ids_of(five, 0, 1) == {2: [2]}
    assert ids_of(five, -1, 0) == {1: [1]}


def test_a_covered_story_comes_with_all_its_items_up_to_the_end(five: Store) -> None:
    group(five, [1, 3, 5], [2], [4])
    assert ids_of(five, 1, 3) == {1: [1, 3], 3: [4]}
    assert ids_of(five, 1, 3, by="arrived") == {1: [1, 3], 2: [2]}


def test_coverage_asks_the_same_number_of_questions_however_many_stories(five: Store) -> None:
    poll(five, "b", [item(f"b{number}") for number in range(600)])
    group(five, *([one.id] for one in five.items.unsorted()))
    asked: list[str] = []
    engine = five.items._db.engine
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    assert len(ids_of(five, -1, 9)) == 605
    assert len(asked) <= 3


def test_merged_ids_redirect_for_ever(five: Store) -> None:
    group(five, [1], [2], [3], [4], topic=1)
    five.stories.apply(StoryChanges(merged=((1, 2),)), NOW)
    five.stories.apply(StoryChanges((Membership(1, 3), Membership(2, 3)), merged=((2, 3),)), NOW)
    assert [five.stories.resolve(number) for number in (1, 2, 3, 4)] == [3, 3, 3, 4]
    assert five.stories.story(1).story.id == 3
    assert [one.id for one in five.stories.story(2).items] == [1, 2, 3]
    assert five.stories.titles([1, 4, 99]) == {1: "Story 3", 4: "Story 4"}


def test_merges_of_one_round_may_be_told_in_any_order(five: Store) -> None:
    group(five, [1], [2], [3])
    five.stories.apply(StoryChanges((Membership(4, 1),), (story(3), story(1)), merged=((2, 3), (1, 2))), NOW)
    assert [five.stories.resolve(number) for number in (1, 2, 3)] == [3, 3, 3]
    assert [one.id for one in five.stories.story(3).items] == [1, 2, 3, 4]
    assert [each.id for each in five.stories.stories(limit=9)] == [3]


def test_a_story_that_was_made_and_merged_in_one_round_redirects_too(five: Store) -> None:
    group(five, [1])
    five.stories.apply(StoryChanges((Membership(2, 1),), (story(1),), merged=((2, 1),)), NOW)
    assert five.stories.resolve(2) == 1
    assert five.stories.next_ids()[0] == 3


def test_merged_topics_take_their_stories_along(five: Store) -> None:
    group(five, [1], topic=1)
    group(five, [2], first_story=2, topic=2)
    five.stories.apply(StoryChanges(stories=(story(3, topic=1),), memberships=(Membership(3, 3),), merged_topics=((1, 2),)), NOW)
    assert (five.stories.resolve_topic(1), [each.id for each in five.stories.topics()]) == (2, [2])
    assert {each.id for each in five.stories.topic(1)[1]} == {1, 2, 3}
    assert {each.id for each in five.stories.stories(limit=9, topic_id=1)} == {1, 2, 3}


def test_related_stories_are_named_by_what_they_became(five: Store) -> None:
    group(five, [1], [2], [3], [4])
    five.stories.apply(StoryChanges(stories=(replace(story(4), related=(1, 2, 3, 99)),), merged=((2, 1), (3, 4))), NOW)
    assert five.stories.story(4).story.related == (1,)


def test_the_latest_stories_come_first(five: Store) -> None:
    group(five, [1], [3], [2], topic=5)
    assert [each.id for each in five.stories.stories(limit=2)] == [2, 3]
    assert [each.id for each in five.stories.stories(limit=9, since=NOW + HOUR)] == [2, 3]
    assert [each.id for each in five.stories.stories(limit=9, topic_id=5)] == [2, 3, 1]


def test_topics_come_latest_first_and_those_without_a_time_last(five: Store) -> None:
    topics = (Topic(1, "no time"), Topic(2, "old", last_published_at=NOW), Topic(3, "new", last_published_at=NOW + HOUR))
    five.stories.apply(StoryChanges(topics=topics), NOW)
    assert [each.id for each in five.stories.topics()] == [3, 2, 1]
    assert [each.id for each in five.stories.topics(limit=1)] == [3]


def test_the_story_of_an_item_is_found(five: Store) -> None:
    group(five, [1, 2], [3])
    assert five.stories.story_ids([1, 2, 3, 4]) == {1: 1, 2: 1, 3: 2}


@pytest.mark.parametrize("call", ["story", "resolve"])
def test_an_unknown_story_is_named(five: Store, call: str) -> None:
    with pytest.raises(NotFoundError, match=r"no story 42; `aggregator stories list`"):
        getattr(five.stories, call)(42)


@pytest.mark.parametrize("call", ["topic", "resolve_topic"])
def test_an_unknown_topic_is_named(five: Store, call: str) -> None:
    with pytest.raises(NotFoundError, match=r"no topic 42; `aggregator topics list`"):
        getattr(five.stories, call)(42)


def test_topics_are_found_by_their_ids(store: Store) -> None:
    poll(store, "a", [item("1"), item("2")])
    group(store, [1], topic=1)
    group(store, [2], first_story=2, topic=2)
    assert {id_: topic.label for id_, topic in store.stories.topics_named({2, 77}).items()} == {2: "Topic 2"}
    assert store.stories.topics_named(()) == {}


def test_an_empty_round_is_a_round(store: Store) -> None:
    store.stories.apply(StoryChanges(), NOW)
    assert store.stories.coverage(NOW, NOW + HOUR) == []
    members, *others = store.stories.active(NOW)
    assert (list(members), others) == ([], [[], []])


def test_the_last_digest_of_a_name_is_the_one_that_was_made_last_whatever_the_clock_said(store: Store) -> None:
    assert store.digests.last("daily") is None
    first = DigestRecord("daily", NOW, NOW + HOUR, NOW + HOUR, "html")
    second = DigestRecord("daily", NOW + HOUR, NOW + 2 * HOUR, NOW + timedelta(minutes=1))
    for record in (second, first, replace(first, name="weekly", to_at=NOW + 9 * HOUR)):
        store.digests.record(record)
    assert store.digests.last("daily") == first


def test_a_large_story_is_written_and_read(store: Store) -> None:
    stored = poll(store, "a", [item(str(number)) for number in range(1300)])
    group(store, stored.new)
    found = store.stories.story(1)
    assert (len(found.items), found.story) == (1300, Story(1, "Story 1", NOW, NOW, item_count=1300, sources=1300))
