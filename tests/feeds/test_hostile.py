"""Hostile documents and answers, each beside sound ones: they cost what is allowed, say a sentence, and stop nobody."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from aggregator.errors import FeedError
from aggregator.feeds import connect
from aggregator.feeds.connect import Network
from aggregator.feeds.dates import EARLIEST
from aggregator.feeds.dedupe import identify
from aggregator.feeds.document import parse_document
from aggregator.feeds.links import canonical_link, clean_link
from aggregator.feeds.markup import html_text, safe_html, title_text
from aggregator.feeds.normalise import normalise
from aggregator.feeds.parse import GuardedParser, ParseLimits
from aggregator.model import Fetched, Item, ParsedFeed
from aggregator.store.opening import open_store
from tests.feeds.door import Door
from tests.feeds.hostile import ANSWERS, DOCUMENTS, ITEM, documents, pieces, rss
from tests.feeds.server import Asked, Detour, reply, serving
from tests.feeds.test_fetch import LOCAL, PUBLIC, due_feed, make_fetcher

NOW = datetime(2023, 12, 27, 12, 0, tzinfo=UTC)
LATER = datetime(2024, 6, 1, tzinfo=UTC)
URL = "https://example.org/feed"
SENTENCE = re.compile(r"[^\x00-\x1f\x7f-\x9f]{20,400}[.]")
_TAGS = frozenset(
    [
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "caption",
        "cite",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "details",
        "dfn",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "ins",
        "kbd",
        "li",
        "mark",
        "ol",
        "p",
        "pre",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "time",
        "tr",
        "u",
        "ul",
        "var",
    ]
)


class Markup(HTMLParser):
    """Asserts of markup what a browser would have to hold to so that it is safe to show."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _TAGS
        for name, value in attrs:
            assert not name.startswith("on")
            assert name != "style"
            if name in ("href", "src", "cite"):
                assert re.match("https?://|mailto:", value or ""), value


def to_items(feed: ParsedFeed, now: datetime = NOW) -> tuple[Item, ...]:
    return identify(normalise(feed, feed="f", feed_url=URL, now=now), "guid", {})[1]


def texts(item: Item) -> list[str]:
    """Every text of an item that may reach a person, a file or another program."""
    media = (text or "" for medium in item.media for text in (medium.url, medium.type, medium.title, medium.host))
    known = (item.link, item.canonical_link, item.language, item.key, item.title, item.summary, item.summary_html, item.content_html)
    return [text or "" for text in known] + [*media, *item.authors, *item.categories]


def assert_harmless(item: Item, now: datetime) -> None:
    for text in texts(item):
        assert not [char for char in text if unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t"], text
        assert not set(text) & set("\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"), text
    for address in (item.link, item.canonical_link, *(medium.url for medium in item.media)):
        assert address is None or re.match(r"https?://[^/@]+(/|\?|#|$)", address), address
    for markup in (item.summary_html, item.content_html):
        Markup().feed(markup)
    assert EARLIEST <= item.published_at <= now
    assert item.updated_at is None or EARLIEST <= item.updated_at <= now
    assert item.title
    assert "\n" not in item.title


# --- documents ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parser() -> Iterator[GuardedParser]:
    parser = GuardedParser(ParseLimits(workers=2, deadline_seconds=3.0))
    yield parser
    parser.close()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_hostile_document_gives_harmless_items_or_a_sentence_and_holds_up_nobody(parser: GuardedParser, name: str) -> None:
    async def both() -> list[ParsedFeed | BaseException]:
        jobs = [parser.parse(body, {}, URL) for body in (DOCUMENTS[name](), rss())]
        return await asyncio.gather(*jobs, return_exceptions=True)

    found, sound = asyncio.run(both())
    assert isinstance(sound, ParsedFeed)
    if isinstance(found, ParsedFeed):
        assert found.error is None or SENTENCE.fullmatch(found.error), found.error
        for item in to_items(found):
            assert_harmless(item, NOW)
            assert "root:" not in item.title + item.summary
            assert sum(map(len, texts(item))) < 1_000_000
    else:
        assert isinstance(found, FeedError)
        assert SENTENCE.fullmatch(str(found)), found


READ = ("a title of 8 MB", "C0 and ESC", "bidi", "unicode_escape", "utf-7", "utf-16 without a mark", "links that run", "odd dates")


@pytest.mark.parametrize("name", READ)
def test_what_can_be_read_of_a_hostile_document_is_read(name: str) -> None:
    feed = parse_document(DOCUMENTS[name](), {}, URL)
    assert feed.items
    assert to_items(feed)


def read(body: bytes) -> ParsedFeed | None:
    """None for what is no feed; anything but a FeedError comes through."""
    try:
        return parse_document(body, {}, URL)
    except FeedError:
        return None


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(documents())
def test_any_document_gives_harmless_items_that_stay_the_same_or_a_sentence(body: bytes) -> None:
    feed = read(body)
    if feed is None:
        return
    items = to_items(feed)
    for item in items:
        assert_harmless(item, NOW)
    again = to_items(parse_document(body, {}, URL), LATER)
    assert [(item.key, item.content_hash) for item in again] == [(item.key, item.content_hash) for item in items]
    assert len({item.key for item in items}) == len(items)


@given(pieces())
def test_cleaning_what_is_clean_changes_nothing(text: str) -> None:
    canonical, clean = canonical_link(text), clean_link(text)
    assert canonical is None or canonical_link(canonical) == canonical
    assert clean is None or clean_link(clean) == clean
    assert clean is None or canonical_link(clean) == canonical
    markup = safe_html(text, "https://e.org/")
    assert html_text(safe_html(markup, "https://e.org/")) == html_text(markup)
    plain = html_text(text)
    assert title_text(plain, False) == title_text(title_text(plain, False), False)


# --- what the store and the feed's health hold afterwards ----------------------------------------------------------------


def test_items_of_a_body_that_broke_off_are_stored_and_the_error_stays_in_the_health_record(tmp_path: Path) -> None:
    said = "The answer broke off after 99 bytes (the connection was closed too early); it is tried again later."
    with open_store(str(tmp_path / "store.db"), now=NOW) as store:
        door = Door(store)
        outcome = door.hand_in("broken", rss(ITEM + ITEM.replace("1<", "2<"))[:-60], NOW, error=said)
        state = store.feeds.state("broken")
        assert (outcome.new, outcome.error) == (1, said)
        assert (state.error, state.streak, state.validators, state.last_success_at) == (said, 1, None, None)
        whole = door.hand_in("broken", rss(ITEM + ITEM.replace("1<", "2<")), LATER)
        assert (whole.new, whole.edited, whole.error) == (1, 0, None)
        assert store.feeds.state("broken").error is None


# --- answers --------------------------------------------------------------------------------------------------------------


def test_hostile_answers_end_with_a_sentence_at_their_deadline_and_stop_no_sound_feed() -> None:
    """All at once, with forty sound feeds between them, on one fetcher."""
    names = list(ANSWERS)

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        number = re.match(r"/hostile/(\d+)", asked.target)
        if number is not None:
            await ANSWERS[names[int(number[1])]](asked, writer)
        else:
            writer.write(reply(body=rss()))

    async def run() -> tuple[list[Fetched], list[Fetched]]:
        async with serving(answer) as server:
            fetcher = make_fetcher(replace(LOCAL, total_seconds=2.0, connect_seconds=2.0, body_bytes=4_000_000, wire_bytes=4_000_000))
            bad = [fetcher.fetch(due_feed(f"{server.url}/hostile/{number}"), NOW) for number in range(len(names))]
            good = [fetcher.fetch(due_feed(f"{server.url}/sound/{number}"), NOW) for number in range(40)]
            found = await asyncio.gather(*bad, *good)
            await fetcher.aclose()
            return found[: len(names)], found[len(names) :]

    bad, good = asyncio.run(asyncio.wait_for(run(), 300))
    assert {(each.outcome, each.body) for each in good} == {("changed", rss())}
    for name, fetched in zip(names, bad, strict=True):
        assert fetched.outcome == "failed", f"{name}: {fetched}"
        assert SENTENCE.fullmatch(fetched.error or ""), f"{name}: {fetched.error}"
        assert fetched.validators is None
        assert fetched.permanent_url is None
        assert len(fetched.body or b"") <= 4_000_000


# --- names ------------------------------------------------------------------------------------------------------------------


def ask(lookup: Callable[[str], list[str]], **feed: Any) -> tuple[Fetched, list[str]]:
    """Poll http://news.example/feed with this name server; what came, and the addresses that were connected to."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(body=rss()))

    async def run() -> tuple[Fetched, list[str]]:
        detour = Detour()
        async with serving(answer) as server:
            fetcher = make_fetcher(replace(LOCAL, allow_private=False), Network(lookup=lookup, backend=detour))
            fetched = await fetcher.fetch(due_feed(f"http://news.example:{server.port}/feed", **feed), NOW)
            await fetcher.aclose()
            return fetched, detour.addresses

    return asyncio.run(run())


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.7", "192.168.1.1", "172.16.0.1", "::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::a00:1"]
)
def test_a_name_that_leads_into_a_private_network_is_not_connected_to_unless_the_feed_may(address: str) -> None:
    fetched, connected = ask(lambda name: [address])
    assert (fetched.outcome, connected) == ("failed", [])
    assert "set allow_private = true" in str(fetched.error)
    allowed, connected = ask(lambda name: [address], allow_private=True)
    assert (allowed.outcome, connected) == ("changed", [address])


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "0.0.0.0", "224.0.0.1", "fd00:ec2::254"])
def test_a_name_that_leads_to_a_forbidden_address_is_never_connected_to(address: str) -> None:
    fetched, connected = ask(lambda name: [address], allow_private=True)
    assert (fetched.outcome, connected) == ("failed", [])
    assert "never fetched" in str(fetched.error)


def test_a_name_that_is_public_when_it_is_judged_and_private_when_it_is_connected_to_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "_REMEMBER_SECONDS", -1.0)  # the name server is asked each time
    answers = [[PUBLIC], ["127.0.0.1"], ["169.254.169.254"]]
    fetched, connected = ask(lambda name: answers.pop(0))
    assert (fetched.outcome, connected) == ("failed", [])
    assert len(answers) == 1, "it was asked twice, and the second answer was judged, too"
    assert "private address" in str(fetched.error)
