"""What people put right is kept with how it was before, and taken back exactly."""

from __future__ import annotations

import pytest

from aggregator.errors import NotFoundError
from aggregator.model import Correction, Membership, StoryChanges
from aggregator.store.opening import Store
from tests.store.make import HOUR, NOW, group, item, poll, story


def filled(store: Store) -> None:
    """Story 1 holds items 1 and 2, story 2 holds 3 and 4, story 9 led to 2 already."""
    poll(store, "a", [item(str(number), at=NOW - number * HOUR) for number in range(1, 5)])
    group(store, [1, 2], [3, 4], topic=5)
    store.stories.apply(StoryChanges(merged=((9, 2),)), NOW)


MERGE = Correction("merge", NOW, placed=(3, 4), beside=(1, 2), story_ids=(1, 2))
MERGED = StoryChanges((Membership(3, 1, rule="person"), Membership(4, 1, rule="person")), (story(1, topic=5, item_count=4),), ((2, 1),))


def everything(store: Store) -> object:
    """All stories, memberships, redirects and topics."""
    members, stories, topics = store.stories.active(NOW - 99 * HOUR)
    return [member for _, member in members], stories, topics, [store.stories.resolve(id_) for id_ in (1, 2, 9)]


def test_a_correction_is_written_with_its_changes_and_taken_back_exactly(store: Store) -> None:
    filled(store)
    before, revision = everything(store), store.stories.revision()
    made = store.corrections.record(MERGE, MERGED)
    assert store.stories.revision() > revision
    assert [store.stories.resolve(id_) for id_ in (1, 2, 9)] == [1, 1, 1]
    assert store.stories.topic(5)[0].story_count == 1
    (kept,) = store.corrections.all()
    assert (kept.id, kept.placed, kept.beside, kept.against, kept.story_ids) == (made, (3, 4), (1, 2), (), (1, 2))
    was = store.corrections.before(made)
    back = StoryChanges(was.memberships, was.stories)
    revision = store.stories.revision()
    store.corrections.take_back(made, back, [2])
    assert everything(store) == before
    assert store.corrections.all() == []
    assert store.stories.revision() > revision


def test_a_failing_write_leaves_neither_half(store: Store) -> None:
    filled(store)
    before = everything(store)
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        store.corrections.record(MERGE, StoryChanges((Membership(3, 77),)))
    assert everything(store) == before
    assert store.corrections.all() == []


def test_pruned_items_leave_a_correction_and_an_empty_one_goes(store: Store) -> None:
    poll(store, "a", [item("old", arrived_at=NOW - 9 * HOUR), item("new")])
    group(store, [1], [2])
    store.corrections.record(Correction("merge", NOW, (1,), (2,), story_ids=(2, 1)), StoryChanges())
    store.maintenance.prune(NOW - HOUR)
    assert [(each.placed, each.beside) for each in store.corrections.all()] == [((), (2,))]
    store.maintenance.prune(NOW + HOUR)
    assert store.corrections.all() == []


def test_an_unknown_correction_is_named(store: Store) -> None:
    with pytest.raises(NotFoundError, match="no correction 7"):
        store.corrections.before(7)
