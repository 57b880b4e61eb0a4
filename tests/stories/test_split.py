"""Cutting a story that holds two events, on matrices whose right answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from aggregator.stories.split import Matrix, SplitParams, bisect, damped, find_cut, redraw

PARAMS = SplitParams()


def blocks(sizes: tuple[int, int], inside: float, across: float) -> Matrix:
    first = np.arange(sum(sizes)) < sizes[0]
    likeness: Matrix = np.where(first[:, None] == first[None, :], inside, across)
    np.fill_diagonal(likeness, 1.0)
    return likeness


def test_two_blocks_are_found_and_the_first_member_is_in_the_first() -> None:
    assert bisect(blocks((4, 5), 0.5, 0.1)).tolist() == [False] * 4 + [True] * 5


def test_two_events_are_cut_and_one_event_is_not() -> None:
    cut = find_cut(blocks((4, 5), 0.4, 0.19), PARAMS)
    assert cut is not None
    assert cut.tolist() == [False] * 4 + [True] * 5
    assert find_cut(blocks((4, 5), 0.4, 0.21), PARAMS) is None


def test_small_stories_and_stray_members_are_left_alone() -> None:
    assert find_cut(blocks((3, 4), 0.5, 0.1), PARAMS) is None
    assert find_cut(blocks((2, 9), 0.5, 0.1), PARAMS) is None


def test_time_and_copies_count_less() -> None:
    day = 86_400.0
    likeness = np.array([[1.0, 0.5, 0.5]])
    faded = damped(likeness, np.array([0.0]), np.array([0.0, 1.5 * day, 9 * day]), 3 * day, PARAMS)
    assert faded[0].tolist() == pytest.approx([0.6, 0.3, 0.1])


def test_a_member_on_the_wrong_side_goes_over_but_no_side_falls_below_three() -> None:
    likeness = blocks((4, 5), 0.5, 0.1)
    wrong = np.array([False] * 4 + [False] + [True] * 4)
    assert redraw(likeness, wrong, PARAMS).tolist() == [False] * 4 + [True] * 5
    few = blocks((2, 5), 0.5, 0.1)
    drawn = redraw(few, np.array([False] * 3 + [True] * 4), PARAMS)
    assert drawn.tolist() == [False] * 3 + [True] * 4
