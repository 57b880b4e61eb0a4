"""Headlines, keywords and topic labels are spelled as people spell them and say plainly what happened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aggregator.model import Item
from aggregator.stories.label import headline, keywords, surface_forms, topic_label
from aggregator.stories.text import read_item
from aggregator.stories.view import StoryView

START = datetime(2023, 12, 27, 12, tzinfo=UTC)


def story(*texts: tuple[str, str], language: str = "en") -> StoryView:
    items = tuple(
        Item(
            key=f"l:{n}",
            title=title,
            link=None,
            canonical_link=None,
            summary=summary,
            published_at=START + timedelta(minutes=n),
            content_hash=str(n),
            id=n + 1,
            publisher=f"Paper {n}",
            language=language,
        )
        for n, (title, summary) in enumerate(texts)
    )
    return StoryView(1, items, tuple(read_item(item) for item in items))


VISIT = (
    ("Blinken meets Mexican president over migrant surge", "Secretary of State Antony Blinken met Mexico's president on Wednesday."),
    ("WATCH: Blinken meets Mexican president over migrant surge", "Antony Blinken was in Mexico City."),
    ("You won't believe what Blinken told Mexico's president!", "Antony Blinken spoke about the border."),
    ("BLINKEN IN MEXICO FOR MIGRANT TALKS WITH PRESIDENT", "Talks about migrants took place in Mexico City."),
)


def test_the_headline_is_the_plain_one_among_equally_central_ones() -> None:
    assert headline(story(*VISIT)) == VISIT[0][0]
    assert headline(story(*reversed(VISIT))) == VISIT[0][0]


def test_an_outlier_does_not_name_the_story() -> None:
    view = story(
        ("Markets rise as year ends", "Shares rose."), *VISIT[:1], ("Blinken and Mexican president discuss migrant surge", "They met.")
    )
    assert "Blinken" in headline(view)


def test_a_lone_item_keeps_its_own_title_without_the_publisher() -> None:
    assert headline(story(("WATCH: Volcano erupts again | Paper 0", "Lava flows."))) == "WATCH: Volcano erupts again"


def test_a_story_without_any_title_has_an_empty_headline() -> None:
    assert headline(story(("", "Only a summary here."))) == ""


def test_keywords_are_names_and_words_in_their_spelling_without_repeats() -> None:
    found = keywords(story(*VISIT))
    assert "Antony Blinken" in found
    assert 3 <= len(found) <= 8
    words = " ".join(found).lower().split()
    assert len(words) == len(set(words))
    assert "migr" not in words


def test_a_rare_word_comes_before_a_common_one() -> None:
    view = story(
        ("Officials discuss ransomware with officials", "Officials spoke."), ("Officials warn of ransomware", "Officials said so.")
    )
    rare = {"ransomwar": 8.0}
    assert keywords(view, lambda stem: rare.get(stem, 0.5))[0] == "ransomware"


def test_polish_keywords_are_words_that_stand_in_the_text() -> None:
    view = story(
        ("Rada Ministrów przyjęła budżet państwa", "Rząd przyjął budżet."),
        ("Budżet państwa przyjęty przez rząd", "Będzie deficyt."),
        language="pl",
    )
    spelled = {word for words in view.words for word in (*words.title_words, *words.summary_words)}
    found = keywords(view)
    assert found
    assert all(part in spelled for keyword in found for part in keyword.split())


def test_summaries_decide_about_capitals() -> None:
    view = story(("Migrants Cross The Border", "More migrants crossed the border."), ("Border Crossings Rise", "At the border."))
    assert surface_forms(["migrant", "border"], view.words) == {"migrant": "migrants", "border": "border"}


def test_a_topic_is_named_by_its_strongest_words_and_names() -> None:
    forms = {
        "migrant": "migrants",
        "border": "border",
        "suprem court": "Supreme Court",
        "suprem": "Supreme",
        "court": "court",
        "2023": "2023",
    }
    profile = {"suprem": 0.9, "court": 1.0, "suprem court": 0.8, "border": 0.5, "migrant": 0.6, "2023": 0.95, "unseen": 0.99}
    label, words = topic_label(profile, forms)
    assert label == "Supreme Court, migrants, border"
    assert words == ("Supreme Court", "migrants", "border")
