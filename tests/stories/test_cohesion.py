"""What is kept of comparisons between stories is what comparing them anew would give."""

from __future__ import annotations

import random

import numpy as np
import pytest

from aggregator.stories.cohesion import Cohesion
from aggregator.stories.measure import Likeness
from aggregator.stories.roster import NOBODY
from aggregator.stories.shelf import Shelf
from aggregator.stories.split import SplitParams
from aggregator.stories.state import StoryState, to_entry
from tests.stories.make import item

WORDS = [f"{a}{b}" for a in ("bor", "kal", "mun", "tir") for b in ("dan", "fex", "gol", "hup", "jim")]


def shelved(count: int, luck: random.Random) -> Shelf:
    shelf = Shelf(None, Likeness(candidate=0.0))
    titles = [" ".join(luck.sample(WORDS, luck.randint(1, 6))) for _ in range(count)]
    entries = [to_entry(item(n, title, " ".join(luck.sample(WORDS, 4)))) for n, title in enumerate(titles, 1)]
    shelf.add(entries, [n % 7 for n in range(count)])
    return shelf


@pytest.mark.parametrize("seed", range(6))
def test_comparisons_kept_while_members_come_and_go_are_those_of_all_members_anew(seed: int) -> None:
    luck = random.Random(seed)
    shelf = shelved(120, luck)
    kept = Cohesion(shelf, SplitParams())
    for row in range(shelf.count):
        shelf.roster.place(row, luck.randrange(3))
        if luck.random() < 0.1:
            gone = shelf.rows_of(luck.randrange(3))
            shelf.roster.put(gone[: luck.randrange(4)], NOBODY if luck.random() < 0.5 else 1)
        if row % 5 == 0:
            one, other, third = luck.sample(range(3), 3)
            fresh = shelf.cross(shelf.rows_of(one), shelf.rows_of(other))
            np.testing.assert_allclose(kept.across(one, other), fresh, atol=1e-6)
            sums = kept.sums(one, [other, third])
            expected = [shelf.cross(shelf.rows_of(one), shelf.rows_of(story)) for story in (other, third)]
            np.testing.assert_allclose(sums, [(each.sum(), each.max(initial=0)) for each in expected], atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_likenesses_within_a_story_stay_those_of_all_its_pairs(seed: int) -> None:
    luck = random.Random(seed)
    shelf = shelved(60, luck)
    kept, state = Cohesion(shelf, SplitParams()), StoryState(1, "en")
    for row in range(shelf.count):
        shelf.roster.place(row, 1)
        if luck.random() < 0.2:
            shelf.roster.put(shelf.rows_of(1)[:1], NOBODY)
        if row % 7 == 0:
            kept.within(state)
            rows = shelf.rows_of(1)
            fresh = shelf.cross(rows, rows)
            np.fill_diagonal(fresh, 1)
            assert state.likenesses is not None
            assert state.likenesses.items == tuple(shelf.entries[row].item.id for row in rows.tolist())
            np.testing.assert_allclose(state.likenesses.matrix, fresh, atol=1e-6)


def test_renumbered_rows_are_compared_anew() -> None:
    luck = random.Random(3)
    shelf = shelved(700, luck)
    kept = Cohesion(shelf, SplitParams())
    for row in range(300, 700):
        shelf.roster.place(row, row % 50)
    before = kept.across(7, 8)
    shelf.retire(shelf.times[300])
    assert shelf.count == 400
    np.testing.assert_allclose(kept.across(7, 8), before, atol=1e-6)
    np.testing.assert_allclose(kept.across(7, 8), shelf.cross(shelf.rows_of(7), shelf.rows_of(8)), atol=1e-6)
