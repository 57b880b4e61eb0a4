"""Both ways around the roster says the same as a look at every row would."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.stories.roster import NOBODY, Roster

STORIES = range(4)
STEP = st.one_of(
    st.tuples(st.just("new"), st.sampled_from(STORIES), st.just(0)),
    st.tuples(st.just("merge"), st.sampled_from(STORIES), st.sampled_from(STORIES)),
    st.tuples(st.just("move"), st.sampled_from(STORIES), st.sampled_from([*STORIES, NOBODY])),
    st.tuples(st.just("clear"), st.just(0), st.just(0)),
)


def scan(roster: Roster, story: int) -> list[int]:
    return np.flatnonzero(roster.stories == story).tolist()


@settings(deadline=None)
@given(st.lists(STEP, max_size=40))
def test_the_rows_of_a_story_are_those_that_a_scan_finds(steps: list[tuple[str, int, int]]) -> None:
    roster = Roster()
    for what, story, other in steps:
        held = roster.rows_of(story)
        if what == "new":
            roster.grow(1)
            roster.place(roster.count - 1, story)
        elif what == "merge" and story != other:
            roster.put(held, other)
        elif what == "move" and story != other:
            roster.put(held[::2], other)
        elif what == "clear":
            roster.keep(np.flatnonzero(roster.stories != NOBODY)[1:])
        assert len(roster.stories) == roster.count
        for one in STORIES:
            assert roster.rows_of(one).tolist() == scan(roster, one)


def test_a_row_beyond_the_first_room_has_no_story_yet() -> None:
    roster = Roster()
    roster.grow(1500)
    roster.place(1400, 7)
    roster.grow(1500)
    assert (roster.rows_of(7).tolist(), int(roster.stories[2999]), int(roster.stories[1400])) == ([1400], NOBODY, 7)
