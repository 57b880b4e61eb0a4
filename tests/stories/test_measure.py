"""Many rows at once are measured as each pair alone would be."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from aggregator.stories.kernels import Floats
from aggregator.stories.measure import Likeness
from aggregator.stories.shelf import Shelf
from aggregator.stories.state import to_entry
from aggregator.stories.vectorise import Part
from tests.stories.make import item

WORDS = [f"{a}{b}" for a in ("bor", "kal", "mun", "tir") for b in ("dan", "fex", "gol", "hup", "jim")]


def shelved(count: int, seed: int, like: Likeness) -> Shelf:
    """Items of few words, some of none, in few stories."""
    luck = random.Random(seed)
    titles = [" ".join(luck.sample(WORDS, luck.randint(0, 5))) for _ in range(count)]
    entries = [to_entry(item(n, title, " ".join(luck.sample(WORDS, 3 * luck.randint(0, 1))))) for n, title in enumerate(titles, 1)]
    shelf = Shelf(None, like)
    shelf.add(entries, [n % 5 for n in range(count)])
    for row in range(count - 25):
        shelf.roster.place(row, luck.randrange(count // 4))
    return shelf


def alone(shelf: Shelf, row: int, other: int) -> float:
    return float(shelf.measure.cross(np.array([row]), np.array([other]))[0, 0])


@pytest.mark.parametrize("seed", range(4))
def test_a_matrix_holds_the_likeness_of_each_pair(seed: int) -> None:
    luck, shelf = random.Random(seed), shelved(150, seed, Likeness())
    some, others = (np.array(sorted(luck.sample(range(150), n))) for n in (7, 60))
    whole = shelf.cross(some, others)
    expected = [[alone(shelf, one, other) for other in others.tolist()] for one in some.tolist()]
    np.testing.assert_allclose(whole, expected, atol=1e-6)
    np.testing.assert_allclose(shelf.cross(others, some), whole.T, atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_neighbours_are_the_members_of_stories_with_a_promising_member(seed: int) -> None:
    like = Likeness(window_seconds=15 * 3600)
    shelf = shelved(150, seed, like)
    rows = range(125, 150)
    dense = shelf.measure.words.matrix(shelf.measure.words.width).toarray()
    cosine, times = dense @ dense.T, shelf.times
    for row, near in zip(rows, shelf.neighbours(rows), strict=True):
        within = [other for other in range(row) if abs(times[other] - times[row]) <= like.window_seconds]
        promising = [other for other in within if cosine[row, other] >= like.promising]
        stories = {int(shelf.stories[other]) for other in promising if other < rows.start}
        members = [other for other in within if (other in promising if other >= rows.start else int(shelf.stories[other]) in stories)]
        expected = {other: alone(shelf, row, other) for other in members if cosine[row, other] > like.candidate}
        assert dict(zip(near.rows.tolist(), near.likeness.tolist(), strict=True)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("made", range(4))
def test_a_measurement_that_failed_leaves_nothing_to_the_next_one(monkeypatch: pytest.MonkeyPatch, made: int) -> None:
    shelf, some, others = shelved(60, 1, Likeness()), np.arange(5), np.arange(5, 60)
    before = shelf.cross(some, others)
    products, times = itertools.count(), Part.times

    def fails(part: Part, dense: Floats) -> Floats:
        if next(products) >= made:
            raise MemoryError
        return times(part, dense)

    with monkeypatch.context() as patch:
        patch.setattr(Part, "times", fails)
        with pytest.raises(MemoryError):
            shelf.cross(some, others)
    assert shelf.cross(np.arange(5, 10), others).tolist() == shelved(60, 1, Likeness()).cross(np.arange(5, 10), others).tolist()
    assert shelf.cross(some, others).tolist() == before.tolist()
