"""Parsed items become clean items; re-reading a document changes nothing."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.feeds.normalise import LONGEST_SUMMARY, detect_language, language_code, normalise
from aggregator.model import Item, Media, ParsedFeed, ParsedItem

NOW = datetime(2023, 12, 27, 18, 0, tzinfo=UTC)
BASE = ParsedItem(
    guid="g1",
    link="https://example.org/news/1?utm_source=rss",
    title="Caravan &amp; border",
    summary="<p>A caravan heads <b>north</b>.</p>",
    published_at=NOW - timedelta(hours=3),
)


def items(*parsed: ParsedItem, now: datetime = NOW, language: str | None = "en", **feed: str) -> tuple[Item, ...]:
    document = ParsedFeed(version="rss20", title="Gazette", items=parsed, **feed)  # type: ignore[arg-type]
    return normalise(document, feed="gazette", feed_url="https://example.org/feed", now=now, language=language)


def test_an_item_is_clean_in_every_field() -> None:
    (item,) = items(
        replace(
            BASE,
            content="<p>A caravan heads north, at length.</p><script>x()</script>",
            authors=("desk@example.org (Jo Bloggs)", "JO BLOGGS", "<b>Ann</b>", ""),
            categories=("World", "world", "US &amp; Canada"),
            media=(Media("/1.mp3", "audio/mpeg", 617, "T&amp;T", "Zed\x1b"), Media("javascript:x", "audio/mpeg")),
        )
    )
    assert (item.title, item.summary, item.summary_html) == (
        "Caravan & border",
        "A caravan heads north.",
        "<p>A caravan heads <b>north</b>.</p>",
    )
    assert item.content_html == "<p>A caravan heads north, at length.</p>"
    assert (item.link, item.canonical_link) == (BASE.link, "https://example.org/news/1")
    assert (item.published_at, item.date_rule, item.arrived_at) == (NOW - timedelta(hours=3), "given", NOW)
    assert (item.key, item.feed, item.publisher, item.language) == ("g:g1", "gazette", "Gazette", "en")
    assert (item.authors, item.categories) == (("Jo Bloggs", "Ann"), ("World", "US & Canada"))
    assert item.media == (Media("https://example.org/1.mp3", "audio/mpeg", 617, "T&T", "Zed"),)


def test_content_that_only_repeats_the_summary_is_dropped() -> None:
    (item,) = items(replace(BASE, summary="A caravan heads north.", content="<p>A caravan heads <b>north</b>.</p>"))
    assert (item.summary_html, item.content_html) == ("<p>A caravan heads <b>north</b>.</p>", "")


def test_a_missing_summary_is_taken_from_the_content() -> None:
    (item,) = items(replace(BASE, summary="", content="<p>" + "word " * 2_000 + "</p>"))
    assert item.summary.startswith("word word")
    assert len(item.summary) <= LONGEST_SUMMARY
    assert item.summary_html == ""
    assert len(item.content_html) > LONGEST_SUMMARY


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ({"summary": "<p>First words.</p><p>More.</p>"}, "First words."),
        ({"summary": "<img src='x'>"}, "caravan heads north"),
        ({"summary": "", "link": None, "media": (Media("https://e.org/show/ep_12.mp3", "audio/mpeg"),)}, "ep 12"),
        ({"summary": "", "link": None}, "Untitled"),
    ],
)
def test_an_untitled_item_is_named_by_what_it_has(change: dict[str, object], title: str) -> None:
    raw = replace(BASE, title=" ", link="https://example.org/2023/caravan-heads-north.html")
    assert items(replace(raw, **change))[0].title == title  # type: ignore[arg-type]


def test_relative_links_are_resolved_against_the_items_base() -> None:
    (item,) = items(replace(BASE, link="two", base="https://other.example/dir/", summary='<a href="three">x</a>'))
    assert item.link == "https://other.example/dir/two"
    assert 'href="https://other.example/dir/three"' in item.summary_html


def test_a_link_to_the_sites_own_front_page_is_no_canonical_link() -> None:
    (item,) = items(replace(BASE, link="http://example.org/news/"), link="https://example.org/news")
    assert (item.link, item.canonical_link) == ("http://example.org/news/", None)


def test_items_without_a_time_keep_the_order_of_the_document() -> None:
    undated = [replace(BASE, guid=str(n), published_at=None) for n in range(3)]
    times = [item.published_at for item in items(*undated, replace(BASE, published_at=NOW + timedelta(hours=2)))]
    assert times == [NOW - timedelta(microseconds=n) for n in range(4)]
    assert [item.date_rule for item in items(*undated)] == ["arrival"] * 3


def test_re_reading_gives_equal_keys_and_hashes_at_any_time() -> None:
    parsed = [BASE, replace(BASE, guid=None), replace(BASE, guid=None, link=None), replace(BASE, title="", published_at=None)]
    first, later = items(*parsed), items(*parsed, now=NOW + timedelta(days=30))
    assert [(item.key, item.content_hash) for item in first] == [(item.key, item.content_hash) for item in later]
    assert [item.key[:2] for item in first] == ["g:", "l:", "h:", "g:"]


def test_the_hash_follows_the_words_and_not_the_markup_or_the_tracking() -> None:
    (old,) = items(BASE)
    (same,) = items(replace(BASE, summary="<div>A caravan heads north.</div>", link="http://example.org/news/1/?utm_source=atom"))
    (edited,) = items(replace(BASE, title="Caravan at border"))
    assert old.content_hash == same.content_hash != edited.content_hash


@pytest.mark.parametrize(
    ("declared", "code"),
    [
        ("en-US", "en"),
        ("pl_PL", "pl"),
        ("ENG", "en"),
        ("zh-Hant-TW", "zh"),
        ("und", None),
        ("English", None),
        ("", None),
        (None, None),
        ("e", None),
    ],
)
def test_declared_languages_become_short_codes(declared: str | None, code: str | None) -> None:
    assert language_code(declared) == code


def test_the_language_is_the_items_then_the_persons_then_the_feeds_then_detected() -> None:
    words = "Sejm uchwalił w czwartek ustawę, którą prezydent podpisał następnego dnia."
    polish = replace(BASE, title="Prezydent podpisał ustawę budżetową", summary=words)
    assert items(replace(polish, language="de"), language="fr")[0].language == "de"
    assert items(polish, language="fr")[0].language == "fr"
    assert (
        normalise(ParsedFeed("rss20", language="en-GB", items=(polish,)), feed="f", feed_url="https://e.org", now=NOW)[0].language == "en"
    )
    assert items(polish, language=None)[0].language == "pl"
    assert detect_language("ok") is None


_NASTY = ["<b>x", "&amp;#27;[31m", "\x1b]0;x\x07", "\u202eabc", "\ud800", "https://e.org/\n", "//", "http://[", "javascript:x"]
_TEXT = st.text(max_size=40) | st.sampled_from(_NASTY)
_PARSED = st.builds(
    ParsedItem,
    guid=st.none() | _TEXT,
    link=st.none() | _TEXT,
    title=_TEXT,
    title_is_html=st.booleans(),
    summary=_TEXT,
    content=_TEXT,
    published_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    updated_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    language=st.none() | _TEXT,
    base=st.none() | _TEXT,
    authors=st.lists(_TEXT, max_size=3).map(tuple),
    categories=st.lists(_TEXT, max_size=3).map(tuple),
    media=st.lists(st.builds(Media, url=_TEXT, type=_TEXT, title=st.none() | _TEXT, host=st.none() | _TEXT), max_size=2).map(tuple),
)


def _strings(item: Item) -> list[str]:
    texts = [item.key, item.title, item.summary, item.summary_html, item.content_html, item.link or "", item.canonical_link or ""]
    media = (text or "" for medium in item.media for text in (medium.url, medium.type, medium.title, medium.host))
    return [*texts, *item.authors, *item.categories, *media]


@given(st.lists(_PARSED, max_size=4))
def test_whatever_a_document_says_items_are_harmless(parsed: list[ParsedItem]) -> None:
    for item in items(*parsed, language=None):
        assert item.title
        assert item.published_at <= NOW
        for text in _strings(item):
            assert not [char for char in text if unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t"]
            assert not set(text) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068")
