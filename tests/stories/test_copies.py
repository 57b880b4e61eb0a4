"""Near-copies of one wire text, and who counts as an independent publisher."""

from __future__ import annotations

import pytest

from aggregator.stories.copies import CopyParams, count_sources, is_copy, publisher_key, site_of
from aggregator.stories.text import read_item
from tests.stories.make import item

WIRE = "Rescuers pulled twelve fishermen from the sea off Crete on Wednesday after their trawler capsized in a gale, the coast guard said"
OWN = "Twelve men who had been fishing near Crete were saved on Wednesday; the coast guard blamed a gale for the loss of their trawler"


def copied(one: tuple[str, str], other: tuple[str, str]) -> bool:
    return is_copy(read_item(item(1, *one)), read_item(item(2, *other)), CopyParams())


def test_the_same_lead_under_another_headline_is_a_copy() -> None:
    assert copied(("Fishermen saved off Crete", WIRE), ("Twelve rescued", WIRE))


def test_a_lead_that_was_cut_short_is_a_copy_either_way_round() -> None:
    short = " ".join(WIRE.split()[:16]) + " …"
    assert copied(("A", WIRE), ("B", short))
    assert copied(("A", short), ("B", WIRE))


def test_the_same_event_in_other_words_is_none() -> None:
    assert not copied(("Fishermen saved off Crete", WIRE), ("Fishermen saved off Crete", OWN))


def test_a_long_headline_shared_word_for_word_is_a_copy_and_a_short_one_is_not() -> None:
    long = "Twelve fishermen rescued off Crete after trawler capsizes"
    assert copied((long, WIRE), (long, OWN))
    assert not copied(("Fishermen rescued", ""), ("Fishermen rescued", ""))


@pytest.mark.parametrize(
    ("host", "site"),
    [("feeds.bbci.co.uk", "bbci.co.uk"), ("www.example.com", "example.com"), ("a.b.example.com.au", "example.com.au"),
     ("127.0.0.1", "127.0.0.1"), ("", "")],
)  # fmt: skip
def test_the_site_of_a_host(host: str, site: str) -> None:
    assert site_of(host) == site


def test_a_link_through_a_carrier_says_nothing_about_the_publisher() -> None:
    assert publisher_key(item(1, "x", link="https://news.google.com/rss/articles/1", feed="paper")) == "paper"
    assert publisher_key(item(1, "x", link="https://[broken/", feed="paper")) == "paper"
    assert publisher_key(item(1, "x", link="https://edition.cnn.com/1", feed="hacker-news")) == "cnn.com"


def test_sources_are_publishers_with_a_text_of_their_own() -> None:
    assert count_sources([("a", None), ("b", 1), ("b", None), ("c", 1), ("a", None)]) == 2
    assert count_sources([("c", 1)]) == 1
    assert count_sources([]) == 0
