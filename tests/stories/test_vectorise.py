"""Vectors: weights, the moving window, rows that come and go, hashed n-grams."""

from __future__ import annotations

import math

import numpy as np
import pytest

from aggregator.stories.frequencies import FrequencyTable, make_table, read_table, write_table
from aggregator.stories.tables import load_tables
from aggregator.stories.text import read_item
from aggregator.stories.vectorise import GramSpace, GramWeights, Rows, Window, WordSpace, WordWeights
from tests.shared import shared_path
from tests.stories.make import item


def test_a_weight_blends_background_and_window() -> None:
    space = WordSpace(FrequencyTable(1000, {"ship": 100}), WordWeights(background=50))
    columns, tf = space.columns(read_item(item(1, "Ship ship whale")))
    space.window.count([columns])
    weights = space.weigh([(columns, tf)])[0]
    # tf counts a title word twice; N0 = 50, one item in the window
    ship = (1 + math.log(4)) * math.log(52 / (50 * 0.1 + 1 + 0.5))
    whale = (1 + math.log(2)) * math.log(52 / (0 + 1 + 0.5))
    by_stem = {space.stems[column]: weight for column, weight in zip(columns, weights, strict=True)}
    assert by_stem["ship"] / by_stem["whale"] == pytest.approx(ship / whale, rel=1e-5)
    assert np.linalg.norm(weights) == pytest.approx(1, abs=1e-5)


def test_what_leaves_the_window_is_counted_no_more() -> None:
    window = Window(4)
    window.count([np.array([0, 1], np.int32), np.array([1], np.int32), np.array([1, 2], np.int32)])
    window.forget([np.array([1], np.int32)])
    assert (window.documents, window.frequency.tolist()) == (2, [1, 2, 1, 0])


def test_forgetting_unused_stems_keeps_the_numbers_of_the_others_in_step() -> None:
    space = WordSpace(None, WordWeights())
    old, _ = space.columns(read_item(item(1, "alpha beta")))
    space.window.count([old])
    new, _ = space.columns(read_item(item(2, "beta gamma")))
    space.window.count([new])
    space.window.forget([old])
    renumbered = space.forget_unused(np.array([], dtype=np.int32))
    assert space.stems == ["beta", "gamma"]
    assert [space.stems[number] for number in renumbered[new]] == ["beta", "gamma"]
    assert space.window.frequency[:2].tolist() == [1, 1]


def test_rows_survive_growth_and_compaction() -> None:
    rows = Rows()
    for number in range(3000):
        rows.append(np.array([number % 7, 10 + number], np.int32), np.array([1, number], np.float32))
    rows.keep(np.array([5, 2999]), 4000)
    assert rows.count == 2
    assert [part.tolist() for part in rows.row(1)] == [[2999 % 7, 3009], [1.0, 2999.0]]
    assert rows.matrix(4000).shape == (2, 4000)


def test_n_grams_run_across_words_and_title_counts_double() -> None:
    space = GramSpace(GramWeights(lengths=(5,), k1=1.2))
    title, summary, both = space.columns(
        [read_item(item(1, "abc de")), read_item(item(2, "", "abc de")), read_item(item(3, "abc de", "abc de"))]
    )
    assert len(title[0]) == len(" abc de ") - 5 + 1
    assert title[0].tolist() == summary[0].tolist()
    assert title[1][0] == pytest.approx(2 * 2.2 / (2 + 1.2))
    assert summary[1][0] == pytest.approx(1.0)
    assert both[1][0] == pytest.approx(2 * 2.2 / (2 + 1.2)) or len(both[0]) == len(title[0])


def test_grams_of_each_length_are_columns_of_their_own_and_share_the_unit() -> None:
    space = GramSpace(GramWeights(lengths=(3, 5), bits=20))
    rows = space.columns([read_item(item(1, "harbour strike")), read_item(item(2, "whale"))])
    space.window.count([columns for columns, _ in rows])
    for (columns, _), weights in zip(rows, space.weigh(rows), strict=True):
        short = columns < 1 << 20
        assert columns.tolist() == sorted(columns.tolist())
        assert short.any()
        assert float((weights[short] ** 2).sum()) == pytest.approx(0.5, abs=1e-5)
        assert float((weights[~short] ** 2).sum()) == pytest.approx(0.5, abs=1e-5)


def test_n_grams_never_run_from_one_item_into_the_next() -> None:
    space = GramSpace(GramWeights())
    alone = space.columns([read_item(item(1, "whale"))])[0]
    among = space.columns([read_item(item(2, "ship")), read_item(item(1, "whale")), read_item(item(3, "x"))])[1]
    assert alone[0].tolist() == among[0].tolist()


def test_a_table_made_written_and_read_is_the_same() -> None:
    table = make_table(["# documents\t100\n", "ship\t7\n", "ships\t5\n", "us\t9\n", "the\t99\n", "rare\t1\n"], "en")
    assert table == FrequencyTable(100, {"ship": 12, "US": 9})
    assert read_table(write_table(table).splitlines()) == table


def test_a_table_without_its_head_is_refused() -> None:
    with pytest.raises(ValueError, match="# documents"):
        make_table(["ship\t7\n"], "en")


def test_shipped_tables_hold_english_and_polish_and_no_function_words() -> None:
    tables = load_tables()
    assert set(tables) == {"en", "pl"}
    assert tables["en"].documents == 297_958
    assert 0.05 < tables["en"].share("US") < 0.07
    assert tables["en"].share("the") == 0


@pytest.mark.parametrize("language", ["en", "pl"])
def test_the_shipped_table_is_what_the_counts_give(language: str) -> None:
    import gzip

    source = shared_path(f"data/df-{language}-2023-01-05.tsv.gz")
    with gzip.open(source, "rt", encoding="utf-8") as lines:
        assert make_table(lines, language) == load_tables()[language]


def test_among_the_first_items_of_a_language_what_two_share_weighs_nearly_as_much_as_what_one_says() -> None:
    space = WordSpace(None, WordWeights())
    rows = [space.columns(read_item(item(n, title, language="de"))) for n, title in enumerate(("Hafen Streik", "Hafen Brand"), 1)]
    space.window.count([columns for columns, _ in rows])
    first, _ = space.weigh(rows)
    shared, own = (float(first[rows[0][0].tolist().index(space.numbers[stem])]) for stem in ("haf", "streik"))
    assert own > shared > 0.85 * own
