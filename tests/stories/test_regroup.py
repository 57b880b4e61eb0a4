"""Which of the new stories continues which old one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aggregator.stories.regroup import continued


def test_the_story_with_most_of_the_items_keeps_the_id_and_the_rest_lead_on() -> None:
    old = {1: 10, 2: 10, 3: 10, 4: 11, 5: 11, 6: 12}
    new = {1: 50, 2: 50, 3: 51, 4: 50, 5: 50, 6: 50, 7: 52}
    found = continued(old, new)
    # 10 and 11 have two items each in 50: the older id wins; 11 has no other story to continue in
    assert found.ids == {50: 10, 51: 51, 52: 52}
    assert found.redirects == {11: 10, 12: 10}


def test_an_id_goes_to_the_next_best_story_when_the_best_continues_another() -> None:
    old = dict.fromkeys((1, 2, 3), 10) | dict.fromkeys((4, 5), 11)
    new = {1: 50, 2: 50, 3: 50, 4: 50, 5: 51}
    assert continued(old, new).ids == {50: 10, 51: 11}


def test_stories_with_earlier_items_keep_their_id_whatever_is_grouped_anew() -> None:
    old = {1: 10, 2: 11, 3: 11, 4: 11}
    new = {1: 10, 2: 10, 3: 10, 4: 10}
    found = continued(old, new, fixed={10})
    assert (found.ids, found.redirects) == ({10: 10}, {11: 10})


@given(st.dictionaries(st.integers(1, 12), st.tuples(st.integers(1, 5), st.integers(100, 105))))
def test_every_old_id_answers_and_no_id_is_given_twice(both: dict[int, tuple[int, int]]) -> None:
    old, new = {item: pair[0] for item, pair in both.items()}, {item: pair[1] for item, pair in both.items()}
    found = continued(old, new)
    assert len(set(found.ids.values())) == len(found.ids) == len(set(new.values()))
    living = set(found.ids.values())
    assert {found.redirects.get(story, story) for story in old.values()} <= living
    assert not set(found.redirects) & living
