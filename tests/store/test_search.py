"""Search: what is found, in which order, and that no text is refused."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.store.opening import Store
from aggregator.store.query import Query, Term, parse_query, to_fts5
from tests.store.make import HOUR, NOW, item, poll

TITLES = {
    "blinken": "Blinken visits Mexico City for talks on migration",
    "caravan": "Migrant caravan heads north through Mexico",
    "cafe": "Café culture in Kraków",
    "price": "Bread price rises by 5.5%, C++ developers shrug",
}


@pytest.fixture
def filled(store: Store) -> Store:
    poll(store, "a", [item(key, title, summary="Officials said little.") for key, title in TITLES.items()])
    return store


def found(store: Store, query: str, limit: int = 20) -> list[str]:
    return [each.key for each in store.items.search(query, limit)]


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("mexico", {"blinken", "caravan"}),
        ("MEXICO blinken", {"blinken"}),
        ('"mexico city"', {"blinken"}),
        ('"city mexico"', set()),
        ("mexico -caravan", {"blinken"}),
        ('mexico -"mexico city"', {"caravan"}),
        ("migra*", {"blinken", "caravan"}),
        ("migra", set()),
        ("cafe krakow", {"cafe"}),
        ("KRAKÓW", {"cafe"}),
        ("officials", {"blinken", "caravan", "cafe", "price"}),
        ("c++", {"price"}),
        ("5.5%", {"price"}),
        ('"unclosed mexico', set()),
        ('"mexico', {"blinken", "caravan"}),
        ("mexico AND caravan", set()),
        ("title:mexico", set()),
        ("", set()),
        ("-mexico", set()),
        ('*** "" ( ) ^ -', set()),
        ("mexico — “", {"blinken", "caravan"}),
    ],
)
def test_a_query_finds(filled: Store, query: str, keys: set[str]) -> None:
    assert set(found(filled, query)) == keys


def test_a_word_in_the_title_counts_more_than_one_in_the_summary(store: Store) -> None:
    poll(store, "a", [item("summary", "Something else", summary="An earthquake"), item("title", "An earthquake", summary="Something else")])
    assert found(store, "earthquake") == ["title", "summary"]


def test_of_equal_matches_the_newer_comes_first(store: Store) -> None:
    poll(store, "a", [item(str(days), "Storm warning", at=NOW - timedelta(days=days), summary="") for days in (30, 1, 7)])
    assert found(store, "storm") == ["1", "7", "30"]
    assert found(store, "storm", limit=1) == ["1"]
    assert found(store, "storm", limit=0) == []


def test_what_was_pruned_is_not_found(filled: Store) -> None:
    poll(filled, "a", [item("later", "Mexico later", arrived_at=NOW + HOUR)])
    filled.maintenance.prune(NOW + HOUR)
    assert found(filled, "mexico") == ["later"]


def test_terms_are_read_in_order() -> None:
    assert parse_query('one -two "three four"* five* -"six"') == Query(
        (Term("one"), Term("three four", prefix=True), Term("five", prefix=True)), (Term("two"), Term("six"))
    )


@given(st.text(max_size=60) | st.text(alphabet='"*-() ^:{}+.aé\x00NEAR', max_size=40))
def test_fts5_takes_every_text(text: str) -> None:
    expression = to_fts5(parse_query(text))
    if expression is not None:
        ENGINE.execute("SELECT * FROM words WHERE words MATCH ?", (expression,)).fetchall()


ENGINE = sqlite3.connect(":memory:")
ENGINE.execute("CREATE VIRTUAL TABLE words USING fts5(title, summary, tokenize='unicode61 remove_diacritics 2')")
ENGINE.execute("INSERT INTO words VALUES ('a b', 'c')")
