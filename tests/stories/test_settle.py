"""Sides of one saga join; several sagas under one name come apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from aggregator.stories.sagas import Floats, unit_rows
from aggregator.stories.settle import Shape, breadth, pieces, settle, sides

NOTHING = np.zeros((0, 0), dtype=np.float32)


def stories(*centres: tuple[float, ...], each: int, own: float = 0.8, seed: int = 0) -> tuple[csr_matrix, Floats]:
    """`each` stories about every centre, with words of their own besides: word rows and a projection that sees the centres only."""
    chance = np.random.default_rng(seed)
    about = np.repeat(np.array(centres, dtype=np.float32), each, axis=0)
    noise = np.abs(chance.normal(size=(len(about), 40))).astype(np.float32)
    words = unit_rows(np.hstack([about, own * unit_rows(noise)]))
    return csr_matrix(words), unit_rows(about + 0.05 * chance.normal(size=about.shape).astype(np.float32))


def test_two_topics_with_near_centres_are_sides_of_the_larger_one() -> None:
    words, soft = stories((1, 0.2, 0), (1, 0.3, 0), (0, 0, 1), each=4)
    groups = {5: [0, 1], 2: [2, 3, 4, 5, 6, 7], 9: [8, 9, 10, 11]}
    assert sides(groups, words, soft, 1.5) == [(5, 2)]
    assert sides(groups, words, soft, 1.999) == []
    assert sides({}, words, soft, 0.1) == []
    assert sides({1: [0]}, words, soft, 0.1) == []


def test_what_has_joined_is_compared_as_a_whole() -> None:
    words, soft = stories((1, 0, 0), (1, 0.9, 0), (0, 1, 0), each=4)
    line = {1: [0, 1, 2, 3], 2: [4, 5, 6, 7], 3: [8, 9, 10, 11]}
    # the third is near the second; the second as part of the first is further from it
    assert sides(line, words, soft, 1.0)[0] == (2, 1)
    assert (3, 1) in sides(line, words, soft, 0.5)
    assert len(sides(line, words, soft, 1.3)) == 1


def test_a_topic_that_is_two_sagas_comes_apart_and_one_that_is_one_does_not() -> None:
    words, soft = stories((1, 0.4), (0.4, 1), each=6)
    assert pieces(words, soft, 0.9, 8) == [list(range(6)), list(range(6, 12))]
    assert pieces(words, soft, 0.9, 13) == [list(range(12))]
    one, alike = stories((1, 0.4), each=12)
    assert pieces(one, alike, 0.79, 8) == [list(range(12))]


def test_no_piece_is_smaller_than_three_stories() -> None:
    words, soft = stories((1, 0), (0, 1), each=8)
    few = [*range(8), 8, 9]
    assert pieces(words[few], soft[few], 0.9, 8) == [list(range(10))]


def test_the_largest_piece_of_a_saga_keeps_its_id_and_a_group_joins_the_saga() -> None:
    words, soft = stories((1, 0.1, 0), (0, 0.1, 1), (1, 0.15, 0), each=5)
    groups = {7: [0, 1, 2, 3, 4, 5, 6, 7, 8], -1: [10, 11, 12]}
    of_saga, left = settle(groups, words, soft, Shape(side=1.5, one=0.79, least=8))
    assert sorted(of_saga[7]) == [0, 1, 2, 3, 4, 10, 11, 12]
    assert left == [[5, 6, 7, 8]]


def test_of_two_sagas_that_are_one_the_larger_keeps_its_name() -> None:
    words, soft = stories((1, 0.1), (1, 0.12), each=5)
    of_saga, left = settle({3: [0, 1, 2], 4: [5, 6, 7, 8]}, words, soft, Shape(side=1.5))
    assert {saga: sorted(rows) for saga, rows in of_saga.items()} == {4: [0, 1, 2, 5, 6, 7, 8]}
    assert left == []


def test_without_a_projection_words_alone_decide() -> None:
    words, soft = stories((1, 0.1), (1, 0.12), each=5)
    none = soft[:, :0]
    groups = {-2: [0, 1, 2, 3, 4], -1: [5, 6, 7, 8, 9]}
    assert len(settle(groups, words, none, Shape(side_words=0.48))[1]) == 1
    assert len(settle(groups, words, none, Shape(side_words=0.999))[1]) == 2


def country(sagas: int, each: int) -> tuple[csr_matrix, Floats]:
    """Stories that all name one country, and with the others of their saga four words more."""
    rows = np.zeros((sagas * each, 1 + 4 * sagas + sagas * each), dtype=np.float32)
    rows[:, 0] = 1.5
    for saga in range(sagas):
        rows[saga * each : (saga + 1) * each, 1 + 4 * saga : 5 + 4 * saga] = 0.6
    rows[:, 1 + 4 * sagas :] = np.eye(sagas * each)
    words = unit_rows(rows)
    return csr_matrix(words), words[:, :1]


def test_breadth_is_the_common_cosine_times_the_units_that_it_rests_on() -> None:
    lone = csr_matrix(unit_rows(np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]], dtype=np.float32)))
    assert breadth(lone) == pytest.approx(0.5 * 1)
    both = csr_matrix(unit_rows(np.array([[1, 1, 1, 0], [1, 1, 0, 1]], dtype=np.float32)))
    assert breadth(both) == pytest.approx(2 / 3 * 2)


def test_a_topic_that_rests_on_one_word_is_linked_again_without_it() -> None:
    words, soft = country(sagas=3, each=4)
    groups = {7: list(range(12))}
    alone = Shape(one=0.1, breadth=2.0)
    assert settle(groups, words, soft, alone) == ({7: [0, 1, 2, 3]}, [[4, 5, 6, 7], [8, 9, 10, 11]])
    assert settle(groups, words, soft, replace(alone, breadth=0.0)) == ({7: list(range(12))}, [])
    # stories that have nothing else in common are in none
    words, soft = country(sagas=12, each=1)
    assert settle(groups, words, soft, replace(alone, linked=0.6)) == ({}, [])
