"""What people said about items: sets that stay together, sets that stay apart, and an engine that keeps to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.model import Correction, Item, Membership, StoryChanges
from aggregator.stories.constraints import Bonds, Constraints, settle
from aggregator.stories.engine import StoryEngine, StoryParams
from aggregator.stories.state import Entry, to_entry
from aggregator.stories.tables import load_tables
from tests.stories.make import BAKERY, COMET, QUAKE, RATES, START, assigned_stories, item

TABLES = load_tables()


def said(verb: str, placed: Sequence[int], beside: Sequence[int] = (), against: Sequence[int] = (), *, hour: int = 0) -> Correction:
    return Correction(verb, START + timedelta(hours=hour), tuple(placed), tuple(beside), tuple(against), id=hour)


def merged(*items: int, hour: int = 0) -> Correction:
    return said("merge", items[1:], items[:1], hour=hour)


def split(placed: Sequence[int], against: Sequence[int], *, hour: int = 0) -> Correction:
    return said("split", placed, against=against, hour=hour)


# --- sets ---------------------------------------------------------------------------------------------------------------


def test_what_belongs_together_is_closed_under_union() -> None:
    found = Constraints([merged(1, 2), merged(2, 3, hour=1), merged(8, 9)])
    assert sorted(found.together(1)) == [1, 2, 3]
    assert sorted(found.together(9)) == [8, 9]
    assert found.group(1) == found.group(3) != found.group(8)
    assert list(found.together(5)) == []
    assert 5 not in found


def test_what_is_apart_is_apart_for_all_that_belongs_with_it() -> None:
    found = Constraints([split([1], [7, 8]), merged(1, 2, hour=1), merged(8, 9, hour=2)])
    assert sorted(found.apart(2)) == [7, 8, 9]
    assert found.are_apart(9, 2)
    assert not found.are_apart(7, 8)
    assert not found.are_apart(5, 1)


def test_the_newer_of_two_contradicting_corrections_counts() -> None:
    first_together = Constraints([merged(1, 2, 3), split([3], [1, 2], hour=1)])
    assert sorted(first_together.together(1)) == [1, 2]
    assert first_together.are_apart(1, 3)
    first_apart = Constraints([split([3], [1, 2]), merged(1, 2, 3, hour=1)])
    assert sorted(first_apart.together(1)) == [1, 2, 3]
    assert not first_apart.are_apart(1, 3)


def test_items_that_were_pruned_leave_the_rest_as_it_was() -> None:
    whole, left = said("merge", [3, 4], [1, 2]), said("merge", [4], [2])
    assert sorted(Constraints([whole]).together(4)) == [1, 2, 3, 4]
    assert sorted(Constraints([left]).together(4)) == [2, 4]


def test_only_what_a_person_placed_is_fixed() -> None:
    found = Constraints([split([1, 2], [3, 4])])
    assert [found.is_placed(number) for number in (1, 2, 3, 4, 5)] == [True, True, False, False, False]


corrections = st.lists(
    st.builds(
        lambda items, cut, verb: said("x", items[:cut], items[cut:] if verb else (), () if verb else items[cut:]),
        st.lists(st.integers(1, 9), min_size=2, max_size=6, unique=True),
        st.integers(1, 5),
        st.booleans(),
    ),
    max_size=6,
)


@given(corrections, st.dictionaries(st.integers(1, 9), st.integers(1, 4)))
def test_a_settled_grouping_keeps_every_constraint(made: list[Correction], story_of: dict[int, int]) -> None:
    found = Constraints([replace(each, id=number, made_at=START + timedelta(hours=number)) for number, each in enumerate(made)])
    now = story_of | settle(story_of, found, count(100).__next__)
    for one in now:
        for other in now:
            assert not (found.are_apart(one, other) and now[one] == now[other])
            if found.group(one) is not None and found.group(one) == found.group(other):
                assert now[one] == now[other]
    if not made:
        assert now == story_of


# --- in the engine ------------------------------------------------------------------------------------------------------


def day(*told: tuple[str, str]) -> list[Item]:
    return [item(number, title, summary) for number, (title, summary) in enumerate(told, 1)]


def engine(*made: Correction, params: StoryParams | None = None) -> StoryEngine:
    return StoryEngine(params or StoryParams(), TABLES, constraints=Constraints(made))


def groups(changes: StoryChanges) -> list[list[int]]:
    by_story: dict[int, list[int]] = {}
    for number, story in sorted(assigned_stories([changes]).items()):
        by_story.setdefault(story, []).append(number)
    return sorted(by_story.values())


MIXED = (QUAKE[0], BAKERY[0], COMET, QUAKE[1], RATES, BAKERY[1], QUAKE[2])


@pytest.mark.parametrize("batch", [1, 50])
def test_items_that_belong_together_join_whatever_their_words(batch: int) -> None:
    changes = engine(merged(1, 5), merged(2, 3), params=StoryParams(batch=batch)).add(day(*MIXED))
    assert groups(changes) == [[1, 4, 5, 7], [2, 3, 6]]
    rules = {membership.item_id: membership.rule for membership in changes.memberships}
    assert (rules[5], rules[3], rules[7]) == ("person", "person", "join")


@pytest.mark.parametrize("batch", [1, 50])
def test_items_that_were_taken_apart_neither_join_nor_merge(batch: int) -> None:
    changes = engine(split([4], [1, 7]), params=StoryParams(batch=batch)).add(day(*MIXED))
    assert [1, 7] in groups(changes)
    assert [4] in groups(changes)


def test_a_restart_goes_on_with_what_was_said() -> None:
    made = (split([4], [1]), merged(2, 5))
    items = day(*MIXED)
    first = engine(*made)
    before = first.add(items[:5])
    by_item = {membership.item_id: membership for membership in before.memberships}
    second = engine(*made)
    second.restore([(each, by_item[each.id]) for each in items[:5]], before.stories, (), 100, 1)
    after = second.add(items[5:])
    assert by_item[5].story_id == by_item[2].story_id
    assert by_item[4].story_id != by_item[1].story_id
    found = assigned_stories([before, after])
    assert found[6] == found[2]
    assert found[7] in (found[1], found[4])
    assert found[1] != found[4]


def test_stories_of_two_languages_made_one_by_a_person_go_on() -> None:
    polish = [item(number, *QUAKE[0], language="pl") for number in (2, 4)]
    members = [(item(1, *QUAKE[0]), Membership(1, 1)), (polish[0], Membership(2, 1, rule="person"))]
    going = engine(merged(1, 2))
    going.restore(members, (), (), 2, 1)
    changes = going.add([item(3, *QUAKE[1]), polish[1], *(item(number, *QUAKE[number % 3]) for number in range(5, 20))])
    found = assigned_stories([changes])
    assert found[3] == 1
    assert found[4] != 1


def bonds(*made: Correction, placed: dict[int, int]) -> tuple[Bonds, list[Entry]]:
    """Bonds and the entries of some items in the given stories."""
    found, entries = Bonds(Constraints(made)), []
    for number, story in placed.items():
        one = item(number, *QUAKE[0])
        entries.append(to_entry(one, Membership(number, story)))
        found.note(entries[-1])
    return found, entries


def test_a_cut_leaves_what_a_person_placed_where_it_is() -> None:
    held, entries = bonds(merged(1, 2), placed=dict.fromkeys(range(1, 7), 1))
    wanted = np.array([False, True, False, False, True, True])
    assert held.cut(entries, wanted) is None
    whole = np.array([True, True, True, False, False, False])
    assert held.cut(entries, whole).tolist() == [False, False, False, True, True, True]  # type: ignore[union-attr]
    other = ~whole
    assert held.cut(entries, other) is other


def test_a_new_line_moves_neither_what_was_placed_nor_foes_together() -> None:
    held, entries = bonds(merged(1, 2), split([3], [5]), placed={1: 1, 2: 1, 3: 1, 4: 1, 5: 2, 6: 2})
    side = np.array([False, False, False, False, True, True])
    # 1 was placed, 3 too; 4 may go, 5 may not come to where 3 is
    drawn = np.array([True, False, True, True, False, True])
    assert held.drawn(entries, side, drawn).tolist() == [False, False, False, True, True, True]


def test_stories_that_hold_foes_are_not_merged() -> None:
    held, _ = bonds(split([3], [5]), merged(3, 9, hour=1), placed={1: 1, 9: 1, 5: 2, 6: 3})
    assert held.forbid(1, 2)
    assert held.forbid(2, 1)
    assert not held.forbid(1, 3)
    assert not Bonds(Constraints()).forbid(1, 2)
