"""What is a name: learned from capitals inside sentences, and what follows for the likeness of items."""

from __future__ import annotations

import numpy as np
import pytest

from aggregator.stories.measure import Likeness
from aggregator.stories.names import Capitals, spelled_inside
from aggregator.stories.shelf import Shelf
from aggregator.stories.state import to_entry
from aggregator.stories.text import read_item
from aggregator.stories.vectorise import WordSpace, WordWeights
from tests.stories.make import item

NEWS = "Storms came to the river near Kaldova, and storms came again with the mayor of Veresk on the bridge."
GERMAN = "Gestern sah der alte Mann den Hund im Garten vor dem Haus und gab dem Tier ein Brot aus der Tasche."
TITLE_CASE = "Storms Hit The River Near Kaldova Again As The Mayor Of Veresk Waits"


def told(text: str) -> dict[str, str]:
    words = read_item(item(1, "A title", text))
    return dict(spelled_inside(words.summary_words, words.summary_stems))


def space(*texts: str, language: str = "en") -> WordSpace:
    found = WordSpace(None, WordWeights(), language)
    words = [read_item(item(number, "A title", text, language=language)) for number, text in enumerate(texts)]
    for each in words:
        found.columns(each)
    found.learn_names(words)
    return found


def names_of(found: WordSpace) -> dict[str, float]:
    assert found.named is not None
    return {stem: float(found.named[number]) for stem, number in found.numbers.items()}


def test_the_first_word_and_stop_words_say_nothing() -> None:
    assert told(NEWS) == {
        "river": "river",
        "kaldova": "Kaldova",
        "storm": "storms",
        "mayor": "mayor",
        "veresk": "Veresk",
        "bridg": "bridge",
    }
    assert told("Storms in 2023") == {"2023": "2023"}


def test_a_text_that_is_set_like_a_headline_says_nothing() -> None:
    assert told(TITLE_CASE) == {}
    assert told("") == {}


def test_shares_count_all_that_was_noted_and_are_one_where_little_was() -> None:
    capitals = Capitals()
    capitals.note([0, 2, 0, 2], [True, False, True, False])
    capitals.note([0, 2, 2], [False, False, True])
    capitals.note([], [])
    assert capitals.shares(4, enough=3).tolist() == pytest.approx([2 / 3, 1, 1 / 4, 1])
    assert capitals.shares(4, enough=4).tolist() == pytest.approx([1, 1, 1 / 4, 1])
    capitals.keep(np.array([0, 2], dtype=np.int32))
    assert capitals.shares(2, enough=1).tolist() == pytest.approx([2 / 3, 1 / 4])


def test_a_stem_is_a_name_when_half_of_its_spellings_have_a_capital() -> None:
    found = names_of(space(NEWS))
    assert (found["kaldova"], found["veresk"]) == (1, 1)
    assert (found["river"], found["mayor"]) == (0, 0)
    assert names_of(space(NEWS, "A river was called Kaldova, and kaldova is a word for it too, kaldova."))["kaldova"] == 1
    # a title in title case tells nothing of a stem: it may be a name
    assert names_of(space(NEWS, TITLE_CASE))["wait"] == 1
    assert names_of(space(NEWS, "He waits and waits by the river."))["wait"] == 0


def test_a_number_is_no_name() -> None:
    assert names_of(space(NEWS + " It was 2023."))["2023"] == 0


def test_where_capitals_do_not_tell_nobody_knows_the_names() -> None:
    assert space(NEWS).named is not None
    assert space(*[GERMAN] * 60, language="de").named is None  # every noun has one
    assert space(*["السيول تصل إلى مدينة كبيرة قرب النهر"] * 600, language="ar").named is None
    assert space(*[NEWS.lower()] * 600).named is None


def test_names_outlive_the_stems_that_are_forgotten() -> None:
    found = space(NEWS)
    kept = np.array(sorted(found.numbers[stem] for stem in ("kaldova", "river", "veresk")), dtype=np.int32)
    found.forget_unused(kept)
    assert names_of(found) == {"kaldova": 1, "river": 0, "veresk": 1}


ALONE = "The mayor opened a river bridge in {0} with {1} and a parade of boats, a market and a concert for children."
"""Shares what was done, and with the names filled in who did it where."""


def factor(one: str, other: str) -> float:
    shelf = Shelf(None, Likeness())
    texts = [*([NEWS] * 5), one, other]
    rows = shelf.add([to_entry(item(n, f"Word{n}x", text)) for n, text in enumerate(texts)], range(len(texts)))
    return shelf.measure.factors(rows[-2], rows[-1])[1]


def test_a_likeness_counts_in_full_only_where_names_and_other_words_are_shared() -> None:
    both = ALONE.format("Kaldova", "Tamsin Okoro")
    assert factor(both, both) == 1
    assert factor(both, ALONE.format("Veresk", "Ludo Brand")) == pytest.approx(Likeness().nameless, abs=0.1)
    alone = factor("They met when Tamsin Okoro left Kaldova early.", "She heard what Tamsin Okoro said about Kaldova later.")
    assert alone == pytest.approx(Likeness().names_alone, abs=0.1)
