"""The C routines that are called directly give what scipy's operators give, whatever the rows: empty, single, none at all."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix, random_array

from aggregator.stories.kernels import add_lists
from aggregator.stories.vectorise import Rows

WIDTH = 40


def some_rows(seed: int, count: int = 30) -> tuple[Rows, csr_matrix]:
    """The same rows, some of them empty, as the program holds them and as scipy does."""
    luck = np.random.default_rng(seed)
    matrix = csr_matrix(random_array((count, WIDTH), density=0.1, rng=luck, dtype=np.float32))
    matrix.sort_indices()
    rows = Rows()
    for row in range(count):
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        rows.append(matrix.indices[part].astype(np.int32), matrix.data[part])
    return rows, matrix


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("chosen", [[], [3], [29, 0, 3, 3], list(range(30))], ids=["none", "one", "any order", "all"])
def test_gathered_rows_multiply_as_those_of_a_matrix(seed: int, chosen: list[int]) -> None:
    rows, matrix = some_rows(seed)
    dense = np.random.default_rng(seed).random((WIDTH, 3), dtype=np.float32)
    numbers = np.array(chosen, dtype=np.int64)
    part = rows.gather(numbers)
    assert np.diff(part.ends).tolist() == [int(np.diff(matrix.indptr)[row]) for row in chosen]
    np.testing.assert_allclose(part.times(np.ascontiguousarray(dense[:, 0])), matrix[numbers] @ dense[:, 0], rtol=1e-5)
    np.testing.assert_allclose(part.times(dense), matrix[numbers] @ dense, rtol=1e-5)
    np.testing.assert_allclose(part.squared().times(dense), matrix[numbers].power(2) @ dense, rtol=1e-5)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("few", [[], [3], [29, 0, 3, 3], list(range(12))], ids=["none", "one", "any order", "dozen"])
def test_rows_that_meet_multiply_as_those_of_a_matrix(seed: int, few: list[int]) -> None:
    rows, matrix = some_rows(seed)
    some, others, places = np.array(few, dtype=np.int64), np.arange(30), np.zeros(WIDTH, dtype=np.int32)
    met = rows.meet(some, others, places)
    np.testing.assert_allclose(met.others.times(met.some), (matrix @ matrix[some].T).toarray(), rtol=1e-5)
    for column, values in zip(met.columns, met.some[1:], strict=True):
        assert not values.any() or values.tolist() == matrix[some].toarray()[:, column].tolist()
    assert not places.any()


def test_rows_gathered_later_do_not_change_a_product_that_was_made() -> None:
    rows, matrix = some_rows(1)
    dense = np.ones(WIDTH, dtype=np.float32)
    first = rows.gather(np.arange(10)).times(dense)
    rows.gather(np.arange(10, 30)).times(dense)
    np.testing.assert_allclose(first, matrix[:10] @ dense, rtol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_lists_are_summed_by_place(seed: int) -> None:
    _, matrix = some_rows(seed)
    lists = matrix.T.tocsr()
    chosen, weights = np.array([0, 7, 39], dtype=np.int32), np.array([0.5, 2, 1], dtype=np.float32)
    out = np.zeros(30, dtype=np.float32)
    add_lists(lists.indptr, lists.indices, lists.data, chosen, weights, out)
    np.testing.assert_allclose(out, matrix[:, chosen] @ weights, rtol=1e-5)
