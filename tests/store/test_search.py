"""Search: what is found, in which order, and that no text is refused."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.store.opening import Store, open_store
from aggregator.store.query import Query, Term, parse_query, to_fts5
from aggregator.store.scores import words_of
from tests import postgres
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


# --- the words of both kinds of database are the same --------------------------------------------------------------------------


def words_of_fts5(text: str) -> list[str]:
    engine = sqlite3.connect(":memory:")
    engine.execute("CREATE VIRTUAL TABLE texts USING fts5(text, tokenize='unicode61 remove_diacritics 2')")
    engine.execute("CREATE VIRTUAL TABLE found USING fts5vocab(texts, instance)")
    engine.execute("INSERT INTO texts VALUES (?)", (text,))
    return [term for (term,) in engine.execute("SELECT term FROM found ORDER BY offset")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Café culture in KRAKÓW", ["cafe", "culture", "in", "krakow"]),
        ("cafe\u0301 na\u0308he", ["cafe", "nahe"]),
        ("Łódź, Straße, ŒUVRE", ["łodz", "straße", "œuvre"]),
        ("ΟΔΥΣΣΕΥΣ Ὀδυσσεύς", ["οδυσσευσ", "ὀδυσσεύσ"]),
        ("Ёлка й", ["ёлка", "й"]),
        ("東京で地震 5.5%", ["東京で地震", "5", "5"]),
        ("C++ e-mail l'eau O'Neil's a_b", ["c", "e", "mail", "l", "eau", "o", "neil", "s", "a", "b"]),
        ("½ x² №7 \ue001\U000f0001", ["½", "x²", "7", "\ue001\U000f0001"]),
        ("नमस्ते दुनिया", ["नमस", "त", "द", "न", "य"]),
        ("… — “” !", []),
    ],
)
def test_the_words_of_a_text(text: str, words: list[str]) -> None:
    assert words_of(text) == words_of_fts5(text) == words


# SQLite's tables of characters are older than Python's: only what both know
_KNOWN = st.characters(max_codepoint=0x17FF, categories=("L", "N", "P", "Zs", "Sm"), exclude_characters="\u01e0\u01e1\u0378\u0379")


@given(st.text(_KNOWN.filter(lambda char: known_to_fts5(char)), max_size=30))
def test_any_text_has_the_words_that_fts5_finds_in_it(text: str) -> None:
    assert words_of(text) == words_of_fts5(text)


def known_to_fts5(char: str) -> bool:
    """Assigned, with its small letter, in Unicode 6.1, which is what FTS5's tables were made from."""
    import unicodedata

    return unicodedata.ucd_3_2_0.category(char) != "Cn" and unicodedata.ucd_3_2_0.category(char) == unicodedata.category(char)


WORDS = ("port", "ports", "Strike", "strikes", "café", "Kraków", "krakowski", "a", "the", "5.5%", "e-mail", "東京", "Straße")
_TERMS = ("po*", "stri*", "krak*", '"strike port"', '"the port"', '"a strike"*', "-port", "-the", '-"port strike"', "-stri*", "c++")
_QUERY = st.lists(
    st.sampled_from(
        [*WORDS, "po*", "stri*", "krak*", '"strike port"', '"the port"', '"a strike"*', "-port", "-the", '-"port strike"', "-stri*", "c++"]
    ),
    min_size=1,
    max_size=4,
).map(" ".join)


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Store, Store]]:
    """The same two hundred items in a file's index and in PostgreSQL's."""
    draw = random.Random(5)
    pieces = [
        item(
            str(number),
            " ".join(draw.choices(WORDS, k=draw.randint(1, 9))),
            summary=" ".join(draw.choices(WORDS, k=draw.randint(0, 30))),
            at=NOW - timedelta(hours=draw.randint(0, 900)),
        )
        for number in range(200)
    ]
    with postgres.new_schema("search") as url, open_store("sqlite://", now=NOW) as lite, open_store(url, now=NOW) as server:
        for store in (lite, server):
            poll(store, "a", pieces)
        yield lite, server


@settings(max_examples=150, deadline=None)
@given(query=_QUERY)
def test_both_kinds_of_database_find_the_same_in_the_same_order(both: tuple[Store, Store], query: str) -> None:
    lite, server = both
    assert found(server, query, 500) == found(lite, query, 500)


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=60) | st.text(alphabet="\"*-() ^:{}+.aé\x00'&|!<>\\\\NEAR", max_size=40))
def test_postgresql_takes_every_text(both: tuple[Store, Store], text: str) -> None:
    found(both[1], text)


def test_the_index_merges_late_in_an_older_database_too_once_it_was_vacuumed(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    def segments() -> int:
        with closing(sqlite3.connect(path)) as raw:
            return int(raw.execute("SELECT v FROM items_fts_config WHERE k = 'automerge'").fetchone()[0])

    open_store(str(path), now=NOW).close()
    assert segments() == 16
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("INSERT INTO items_fts (items_fts, rank) VALUES ('automerge', 4)")
    with open_store(str(path), now=NOW) as store:
        assert segments() == 4, "to open it is not to write"
        store.maintenance.vacuum()
    assert segments() == 16
