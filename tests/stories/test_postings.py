"""The index finds exactly the rows that a full product would, whatever waits outside the postings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.stories import postings
from aggregator.stories.measure import Likeness
from aggregator.stories.postings import WordIndex
from aggregator.stories.shelf import Shelf
from aggregator.stories.state import to_entry
from aggregator.stories.text import read_item
from aggregator.stories.vectorise import GramSpace, GramWeights, Rows
from tests.stories.make import item

COLUMNS = 400


def make_rows(count: int, seed: int = 1) -> Rows:
    """Unit rows over Zipf-like columns, so that a few columns are in nearly every row, and every tenth repeats much of another."""
    chance = np.random.default_rng(seed)
    rows, made = Rows(), list[np.ndarray]()
    for number in range(count):
        columns = np.unique(np.minimum(chance.zipf(1.3, size=18), COLUMNS) - 1)
        if number % 10 == 9:
            columns = np.unique(np.concatenate([columns[:4], made[int(chance.integers(number))]]))
        made.append(columns)
        values = chance.random(len(columns)) * np.log(2 + columns)
        rows.append(columns.astype(np.int32), (values / np.linalg.norm(values)).astype(np.float32))
    return rows


def by_product(rows: Rows, batch: range, least: float) -> list[list[int]]:
    dense = rows.matrix(COLUMNS).toarray()
    return [np.flatnonzero(dense[: batch.stop] @ dense[row] >= least).tolist() for row in batch]


@pytest.mark.parametrize("many", [1, 10_000], ids=["summed list by list", "by a sparse product"])
@pytest.mark.parametrize("least", [0.15, 0.4, 0.8])
def test_every_row_that_reaches_the_cosine_is_found_and_no_other(least: float, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings, "_MANY", many)
    rows, index = make_rows(1600), WordIndex()
    batch = range(1550, 1600)
    found = index.above(rows, batch, COLUMNS, least)
    assert [near.tolist() for near in found] == by_product(rows, batch, least)
    assert any(len(near) > 1 for near in found)


def test_rows_that_came_after_the_postings_were_made_are_found_too() -> None:
    whole, rows, index = make_rows(1700), Rows(), WordIndex()
    for number in range(1700):
        rows.append(*whole.row(number))
        if number in (1499, 1699):
            batch = range(number - 49, number + 1)
            assert [near.tolist() for near in index.above(rows, batch, COLUMNS, 0.3)] == by_product(rows, batch, 0.3)


@pytest.mark.parametrize("many", [1, 10_000])
@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=8), st.sampled_from([0.1, 0.3, 0.6]), st.integers(0, 9))
def test_whatever_layers_there_are_by_then_every_row_that_reaches_the_cosine_is_found(
    many: int, batches: list[int], least: float, seed: int
) -> None:
    whole, rows, index = make_rows(sum(batches), seed), Rows(), WordIndex()
    for size in batches:
        for number in range(rows.count, rows.count + size):
            rows.append(*whole.row(number))
        batch = range(rows.count - min(size, 20), rows.count)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(postings, "_MANY", many)
            found = index.above(rows, batch, COLUMNS, least)
        assert [near.tolist() for near in found] == by_product(rows, batch, least)


def test_after_rows_went_nothing_of_the_old_numbers_is_left() -> None:
    rows, index = make_rows(1500), WordIndex()
    index.above(rows, range(1450, 1500), COLUMNS, 0.3)
    rows.keep(np.arange(700, 1500), COLUMNS)
    index.forget()
    batch = range(750, 800)
    assert [near.tolist() for near in index.above(rows, batch, COLUMNS, 0.3)] == by_product(rows, batch, 0.3)


def test_after_terms_went_too_the_narrower_rows_are_searched() -> None:
    index = WordIndex()
    index.above(make_rows(1500), range(1450, 1500), COLUMNS, 0.3)
    index.forget()
    narrow = Rows()
    for number in range(100):
        narrow.append(np.array([number % 40, 40 + number % 7], dtype=np.int32), np.array([0.6, 0.8], dtype=np.float32))
    found = index.above(narrow, range(99, 100), 50, 0.5)
    assert found[0].tolist() == [number for number in range(100) if number % 7 == 99 % 7]


def test_a_restart_weighs_the_whole_window_as_one_batch_would() -> None:
    words = [read_item(item(number, f"Harbour {number} strike number {number % 7}")) for number in range(1100)]
    entries = [to_entry(item(number, f"Harbour {number} strike number {number % 7}")) for number in range(1100)]
    shelf, space = Shelf(None, Likeness()), GramSpace(GramWeights())
    shelf.add(entries, [0] * len(entries))
    rows = space.columns(words)
    space.window.count([columns for columns, _ in rows])
    for number, weights in enumerate(space.weigh(rows)):
        columns, held = shelf.measure.grams.row(number)
        assert columns.tolist() == rows[number][0].tolist()
        assert held.tolist() == weights.tolist()
