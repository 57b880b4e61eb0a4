"""Briefs are two or three whole sentences of different publishers that do not repeat each other or the headline."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aggregator.stories.brief import brief, split_sentences
from tests.stories.test_label import story

TALKS = (
    (
        "Blinken in Mexico for talks on migration",
        "Blinken is in Mexico for talks on migration. The two governments agreed to keep shared border crossings open for trade.",
    ),
    ("US delegation meets López Obrador", "Both governments agreed to keep the shared border crossings open for trade. More to follow…"),
    (
        "Blinken meets Mexican president",
        "Mexico's president asked Washington for more aid to poor countries in the region. Sign up for our newsletter today.",
    ),
    ("Talks in Mexico City", "Nearly ten thousand people crossed the border each day in December, officials said. Read more"),
)


def test_the_sentences_come_from_different_publishers_and_do_not_repeat() -> None:
    text = brief(story(*TALKS))
    assert text.count("open for trade") == 1
    assert 2 <= len(split_sentences(text)) <= 3
    assert len(text) <= 400


def test_neither_the_headline_nor_calls_to_the_reader_are_in_the_brief() -> None:
    text = brief(story(*TALKS))
    assert "Blinken is in Mexico for talks on migration" not in text
    assert "newsletter" not in text
    assert "More to follow" not in text


def test_every_sentence_stands_in_a_summary_word_for_word() -> None:
    summaries = " ".join(summary for _, summary in TALKS)
    assert all(sentence in summaries for sentence in split_sentences(brief(story(*TALKS))))


def test_a_lone_item_gives_its_first_sentences() -> None:
    text = brief(story(("Volcano erupts", "Lava flowed for hours towards the evacuated town. The airport stayed open on Tuesday morning.")))
    assert text == "Lava flowed for hours towards the evacuated town. The airport stayed open on Tuesday morning."


def test_no_summary_no_brief() -> None:
    assert brief(story(("Volcano erupts", ""))) == ""


def test_abbreviations_and_initials_do_not_end_a_sentence() -> None:
    assert split_sentences("Gov. Greg Abbott met Dr. A. Smith. They spoke.") == ["Gov. Greg Abbott met Dr. A. Smith.", "They spoke."]


def test_polish_and_japanese_sentences_are_told_apart() -> None:
    assert split_sentences("Rząd przyjął budżet. Źródła mówią o sporze.") == ["Rząd przyjął budżet.", "Źródła mówią o sporze."]
    assert len(split_sentences("火山が噴火した。空港は開いている。")) == 2


def test_a_polish_story_has_a_brief() -> None:
    view = story(
        ("Rząd przyjął budżet", "Rada Ministrów zajmowała się projektem przez cały wtorek w Warszawie."),
        ("Budżet przyjęty przez rząd", "Deficyt ma wynieść w przyszłym roku ponad sto miliardów złotych."),
        language="pl",
    )
    assert "Deficyt ma wynieść" in brief(view)


@given(st.lists(st.tuples(st.text(max_size=60), st.text(max_size=300)), min_size=1, max_size=4))
def test_any_text_gives_a_brief_within_its_length(texts: list[tuple[str, str]]) -> None:
    assert len(brief(story(*texts))) <= 400
