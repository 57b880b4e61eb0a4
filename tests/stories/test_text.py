"""Cleaning, tokens, language and round-ups, on the shapes that real feeds have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.stories import text
from aggregator.stories.text import (
    SUMMARY_LENGTH,
    clean_summary,
    clean_title,
    fold,
    frame,
    is_round_up,
    language_of,
    letters,
    read_item,
    slug,
    stem_words,
)
from tests.stories.make import item


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Ship aground &amp; leaking", "Ship aground & leaking"),
        ("<p>Ship <b>aground</b></p>", "Ship aground"),
        ("Ship aground &lt;a href=&quot;x&quot;&gt;off Malta&lt;/a&gt;", "Ship aground off Malta"),
        ("Ship aground https://t.example/x off Malta", "Ship aground off Malta"),
        ("Ship aground off Malta [&#8230;]", "Ship aground off Malta"),
        ("Ship aground off Malta. Continue reading...", "Ship aground off Malta."),
        ("Ship aground off Malta. Read more…", "Ship aground off Malta."),
        ("Ship aground off Malta. The post Ship aground appeared first on Harbour News.", "Ship aground off Malta."),
        ("Statek na mieliźnie. Artykuł Statek pochodzi z serwisu Port.", "Statek na mieliźnie."),
        ("Article URL: https://a.example Comments URL: https://b.example Points: 14 # Comments: 2", ""),
        ("Ship aground (Photo by Ann Lee/Getty Images) off Malta", "Ship aground off Malta"),
        ("Sign up for our free daily newsletter. Ship aground off Malta", "Ship aground off Malta"),
    ],
)
def test_boilerplate_leaves_the_summary_and_news_stays(raw: str, clean: str) -> None:
    assert clean_summary(raw) == clean


def test_the_title_repeated_at_the_head_of_the_summary_goes() -> None:
    assert clean_summary("Ship aground off Malta: the crew is safe", "Ship aground off Malta") == "the crew is safe"


def test_words_that_only_look_like_calls_to_the_reader_stay() -> None:
    assert clean_summary("Pupils read more books, a study says") == "Pupils read more books, a study says"
    assert clean_summary("Police follow the money") == "Police follow the money"


def test_a_summary_is_cut_at_its_length() -> None:
    assert len(clean_summary("word " * 1000)) <= SUMMARY_LENGTH


@pytest.mark.parametrize(
    ("title", "publisher", "clean"),
    [
        ("Ship aground off Malta - BBC News", "BBC News - World", "Ship aground off Malta"),
        ("Ship aground off Malta | The Verge", "The Verge", "Ship aground off Malta"),
        ("Ship aground off Malta | Polly Toynbee", "The Guardian", "Ship aground off Malta | Polly Toynbee"),
        ("Spider-Man - No Way Home", "Film Weekly", "Spider-Man - No Way Home"),
    ],
)
def test_only_the_publishers_own_name_is_taken_off_a_title(title: str, publisher: str, clean: str) -> None:
    assert clean_title(title, publisher) == clean


def test_stems_run_parallel_to_words_and_stop_words_are_empty() -> None:
    words, stems = stem_words("The ministers’ visits to U.S. bases cost 12,000 dollars", "en")
    assert words == ("The", "ministers", "visits", "to", "US", "bases", "cost", "12000", "dollars")
    assert stems == ("", "minist", "visit", "", "US", "base", "cost", "12000", "dollar")


def test_the_country_is_no_pronoun() -> None:
    assert stem_words("US tells us", "en")[1] == ("US", "", "")


def test_accents_are_folded_so_that_spellings_meet() -> None:
    assert stem_words("Erdoğan", "en")[1] == stem_words("Erdogan", "en")[1]
    assert fold("Łódź Ærø straße “x”") == 'Lodz AEro strasse "x"'
    assert letters("Biden’s U-turn…") == "biden s u turn"


def test_polish_inflection_meets_in_one_stem() -> None:
    assert len({stem_words(word, "pl")[1][0] for word in ("rosyjski", "rosyjska", "rosyjskiego")}) == 1


def test_a_language_without_stemmer_keeps_its_words() -> None:
    assert stem_words("Čeština xyzzy", "xx")[1] == ("cestina", "xyzzy")


def test_scripts_without_spaces_become_pairs_of_characters() -> None:
    assert stem_words("東京地震", "ja")[1] == ("東京", "京地", "地震")


def test_an_english_declaration_is_doubted_when_the_text_has_no_english() -> None:
    polish = (
        "Rząd przyjął projekt ustawy budżetowej na przyszły rok, a premier zapowiedział podwyżki dla nauczycieli i lekarzy w całym kraju"
    )
    assert language_of("en-US", polish) == "pl"
    assert language_of("en-US", "Kuwait’s ruling emir dies at 86") == "en"
    assert language_of("pl-PL", "x") == "pl"
    assert language_of(None, "") == ""


@pytest.mark.parametrize(
    "title",
    ["Morning Briefing: what to expect", "Today’s Wordle hints and answer", "Your daily horoscope", "UK Pound to PKR rate today",
     "Monday’s newsletter", "Kursy walut 27.12", "Pogoda na dziś - środa 27.12", "Week in pictures", "Horoskop na środę",
     "FirstFT: container ships avoid the strait", "12:30 Report — the justices say farewell",
     "Pięć rzeczy, które warto wiedzieć 20 grudnia"],
)  # fmt: skip
def test_titles_of_many_subjects_are_round_ups(title: str) -> None:
    assert is_round_up(title)


@pytest.mark.parametrize(
    "title",
    [
        "Blinken heads to Mexico",
        "Missing letters of Mozart found",
        "Ministers quiz the bank’s chief",
        "Kurs na wojnę",
        "Strong pound hurts exporters",
        "Reporters do the first thing: run",
    ],
)
def test_ordinary_headlines_are_not(title: str) -> None:
    assert not is_round_up(title)


@given(st.text(max_size=200), st.text(max_size=400), st.sampled_from(["en", "pl", "ja", "", "xx-Weird", None]), st.text(max_size=200))
def test_reading_never_fails_and_words_and_stems_stay_parallel(title: str, summary: str, language: str | None, link: str) -> None:
    words = read_item(item(1, title, summary, language=language or "", link=f"https://a.example/{link}"))
    assert len(words.title_words) == len(words.title_stems)
    assert len(words.summary_words) == len(words.summary_stems)
    assert len(words.slug_words) == len(words.slug_stems)
    assert "" not in words.counts_with_slug


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("Tide tables for Tuesday, 14 May", "tide tables for"),
        ("TIDE TABLES FOR WEDNESDAY, 15TH MAY 2024", "tide tables for"),
        ("Harbour 3-1 Athletic", "harbour athletic"),
        ("Friday", ""),
        ("Markets 14/05", ""),
    ],
)
def test_the_frame_of_a_headline_has_no_numbers_and_dates(title: str, said: str) -> None:
    assert frame(title) == said


def test_stems_are_the_same_when_words_that_were_not_met_for_long_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text._StemCache, "LIMIT", 50)
    cache, words = text._StemCache("en"), [f"running{n} harbours{n}".split()[n % 2] for n in range(400)]
    first = [cache[word] for word in words]
    assert len(cache) + len(cache._before) <= 100
    assert [cache[word] for word in words] == first == [text._StemCache("en")[word] for word in words]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://a.example/2023/12/26/storm-gerrit-hits-a1b2c3.html", "storm gerrit hits"),
        ("https://a.example/world_news/storm_gerrit_hits_harbour/", "storm gerrit hits harbour"),
        ("https://a.example/news/articles/cd10kdqe8yko", ""),
        ("https://a.example/news/uk-67812345", ""),
        ("https://a.example/f1-2023-final-at-98765432", "f1 2023 final at"),
        ("https://a.example/%C5%9Bnieg-w-g%C3%B3rach-dzi%C5%9B,nid,123", "śnieg w górach"),
        ("https://a.example/?p=storm-gerrit-hits-harbour", ""),
        ("//[a.example/storm-gerrit-hits", ""),
        ("", ""),
    ],
)
def test_the_words_of_an_address(address: str, said: str) -> None:
    assert slug(address) == said


def test_of_an_address_stays_what_neither_title_nor_summary_says() -> None:
    words = read_item(item(1, "Ferry aground", "Dozens wait.", link="https://a.example/ferries-aground-off-malta-with-dozens"))
    assert words.slug_words == ("malta",)
    assert words.counts_with_slug == {**words.counts, "malta": 1}
