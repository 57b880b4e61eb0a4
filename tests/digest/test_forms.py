"""Every form of a digest: what it shows (goldens beside this file), and what text from feeds can never do to it.

After a wanted change: AGGREGATOR_TEST_REWRITE=1 pytest tests/digest, and read the difference.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from aggregator.digest import layout
from aggregator.digest.interests import Filters
from aggregator.digest.markdown import escape
from aggregator.digest.render import FORMATS, render
from aggregator.digest.terminal import Look
from aggregator.errors import UsageError
from aggregator.model import Coverage, Digest, FailedFeed, Media, Topic
from aggregator.text import one_line
from tests.digest.sample import FEEDS, PERIOD, STATES, TOPICS, at, coverage, day, item, select

GOLDEN = Path(__file__).parent / "golden"
SUFFIXES = {"plain": "txt", "markdown": "md", "json": "json", "html": "html", "atom": "atom", "terminal": "terminal.txt"}
COLOURED = Look(width=80, colour=True, links=True)
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m|\x1b\]8;[^\x1b]*\x1b\\")


def the_day(**given: object) -> Digest:
    return select(day(), TOPICS, FEEDS, STATES, PERIOD, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("format", FORMATS)
def test_the_sample_day_looks_as_it_did(format: str) -> None:
    path, shown = GOLDEN / f"day.{SUFFIXES[format]}", render(the_day(), format)
    if os.environ.get("AGGREGATOR_TEST_REWRITE"):
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")


def test_an_unknown_format_is_a_usage_error_that_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="plain"):
        render(the_day(), "papyrus")


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_digest_gives_the_same_bytes(format: str) -> None:
    assert render(the_day(), format) == render(the_day(), format)


@pytest.mark.parametrize("format", FORMATS)
def test_each_form_names_every_story_once_as_a_headline_and_the_failed_feed(format: str) -> None:
    shown = render(the_day(), format)
    for story in the_day().stories:
        assert story.story.title in shown
    assert format == "atom" or "broken" in shown


@pytest.mark.parametrize("format", ["terminal", "plain", "markdown", "html"])
def test_forms_for_people_say_publishers_times_durations_and_the_next_command(format: str) -> None:
    shown = render(the_day(), format)
    for words in (
        "5 publishers (6 with copies)",
        "first 20 h ago",
        "last 2 h ago",
        "1 h 23 min 51 s · Zippity Zap",
        "aggregator feeds status",
    ):
        assert words in shown, words


@pytest.mark.parametrize("format", ["terminal", "plain", "markdown", "html"])
def test_explain_says_what_a_rank_is_made_of(format: str) -> None:
    assert "publishers 2.58" in render(the_day(), format, explain=True)
    assert "publishers 2.58" not in render(the_day(), format)


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_digest_is_a_sentence_or_an_empty_list(format: str) -> None:
    empty = select([], TOPICS, FEEDS, STATES, PERIOD)
    shown = render(empty, format)
    if format == "json":
        assert json.loads(shown)["stories"] == []
    elif format != "atom":
        assert "Nothing new in this period." in shown


# --- sections ----------------------------------------------------------------------------------------------------------


def test_sections_hold_every_story_once_and_count_in_reading_order() -> None:
    told = [told for section in layout.sections(the_day()) for told in (*section.stories, *section.also)]
    assert [each.number for each in told] == list(range(1, 9))
    assert sorted(each.id for each in told) == sorted(each.story.id for each in the_day().stories)


def test_a_story_above_every_topic_stands_first_even_without_a_topic() -> None:
    many = tuple(item(900 + i, name, 20 + i / 10, f"Bridge falls, view {i}") for i, name in enumerate(list(FEEDS)[:9]))
    big = coverage(50, many, title="Bridge falls")
    digest = select([*day(), big], TOPICS, FEEDS, STATES, PERIOD)
    assert [section.title for section in layout.sections(digest)] == [layout.TOP, "Migration to the United States", layout.MORE]
    told = [each.id for section in layout.sections(digest) for each in (*section.stories, *section.also)]
    assert sorted(told) == sorted(shown.story.id for shown in digest.stories), "and not once more further down"


def test_a_topic_asked_for_by_itself_is_a_section_even_with_one_story() -> None:
    assert [section.title for section in layout.sections(the_day(filters=Filters(topic=8)))] == ["Artificial intelligence and copyright"]


@pytest.mark.parametrize(
    ("wanted", "zone", "from_at", "to_at"),
    [
        ("Wednesday 27 December 2023", "UTC", PERIOD.from_at, PERIOD.to_at),
        ("Wednesday 27 December 2023, 01:00 – Thursday 28 December 2023, 01:00", "Europe/Warsaw", PERIOD.from_at, PERIOD.to_at),
        (
            "Wednesday 27 December 2023, 00:00 – 12:00",
            "UTC",
            PERIOD.from_at,
            PERIOD.to_at.replace(hour=12, minute=0, second=0, microsecond=0),
        ),
    ],
)
def test_the_headline_tells_the_period_in_the_readers_zone(wanted: str, zone: str, from_at: object, to_at: object) -> None:
    assert layout.headline(replace(PERIOD, zone=zone, from_at=from_at, to_at=to_at)) == wanted  # type: ignore[arg-type]


def test_the_bar_draws_the_shape_of_the_day_and_none_for_a_handful() -> None:
    hours = (1, 13, 13.2, 13.4, 13.6, 13.8, 14.1, 14.2)
    items = [item(i, "courier", hour, "A") for i, hour in enumerate(hours)]
    assert layout.volume_bar(items, PERIOD) == "▃▁▁▁▁▁█▄▁▁▁▁"
    assert layout.volume_bar(items[:3], PERIOD) == ""


# --- the terminal ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("look", [Look(), COLOURED, Look(links=True)], ids=["bare", "coloured", "no colour"])
def test_no_line_is_wider_than_the_terminal(width: int, look: Look) -> None:
    from rich.cells import cell_len

    shown = render(the_day(), "terminal", look=replace(look, width=width), explain=True)
    assert max(cell_len(_ESCAPES.sub("", line)) for line in shown.split("\n")) <= min(width, 100)


def test_links_are_osc_8_on_a_terminal_and_written_out_elsewhere() -> None:
    assert "https://harbour.example/102\x1b\\" in render(the_day(), "terminal", look=COLOURED)
    bare = render(the_day(), "terminal")
    assert "\x1b" not in bare
    assert "Harbour Radio: https://harbour.example/102" in bare


def test_without_colour_the_only_escapes_are_weight_and_links() -> None:
    shown = render(the_day(), "terminal", look=replace(COLOURED, colour=False))
    assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|9[0-7]|38|48)[;m]", shown)


def test_many_recordings_are_cut_short_on_the_terminal_with_the_way_to_see_all() -> None:
    many = tuple(Media(f"https://x.example/{i}.mp3", "audio/mpeg", 60 + i) for i in range(30))
    digest = select([coverage(9, (item(1, "casts", 3, "A", media=many),))], {}, FEEDS, {}, PERIOD)
    assert "and 10 more; --format plain lists all" in render(digest, "terminal")
    assert render(digest, "plain").count(".mp3") == 30


# --- JSON --------------------------------------------------------------------------------------------------------------


def test_json_has_exactly_the_keys_of_version_1() -> None:
    made = json.loads(render(the_day(), "json"))
    assert list(made) == ["version", "period", "counts", "topics", "stories", "media", "failed_feeds", "searches", "reading_seconds"]
    assert made["version"] == 1
    assert made["period"] == {"from": "2023-12-27T00:00:00Z", "to": "2023-12-28T00:00:00Z", "zone": "UTC"}
    assert list(made["counts"]) == ["feeds", "items", "stories"]
    assert all(list(topic) == ["id", "label", "stories"] for topic in made["topics"])
    story = [
        "id",
        "title",
        "brief",
        "topic",
        "first_published",
        "last_published",
        "sources",
        "items",
        "keywords",
        "related",
        "new",
        "phase",
        "gained",
        "latest",
        "followed",
        "starred",
        "as_line",
    ]
    assert all(list(each) == story for each in made["stories"])
    pieces = [piece for each in made["stories"] for piece in each["items"]]
    assert all(list(piece) == ["id", "title", "link", "feed", "publisher", "published", "score", "media", "new"] for piece in pieces)
    assert all(list(one) == ["type", "url", "seconds"] for piece in pieces for one in piece["media"])
    assert all(list(one) == ["type", "url", "seconds", "title", "host", "item", "feed"] for one in made["media"])
    assert all(list(feed) == ["name", "error", "since"] for feed in made["failed_feeds"])


def test_json_refers_only_to_what_it_holds_and_gives_the_story_in_full() -> None:
    made = json.loads(render(the_day(), "json"))
    stories = {each["id"]: each for each in made["stories"]}
    assert all(set(topic["stories"]) <= set(stories) for topic in made["topics"])
    assert stories[1]["topic"] == 7
    assert stories[1]["sources"] == 5
    assert len(stories[1]["items"]) == 6
    assert stories[1]["related"] == [2, 3]
    assert made["media"][3] == {
        "type": "audio/mpeg",
        "url": "https://casts.example/e/77.mp3",
        "seconds": 5031,
        "title": "Episode 77: The lighthouse keepers",
        "host": "Zippity Zap",
        "item": 601,
        "feed": "casts",
    }


def test_explain_adds_keys_to_json_and_changes_none() -> None:
    bare, explained = (json.loads(render(the_day(), "json", explain=explain)) for explain in (False, True))
    assert set(explained["stories"][0]) - set(bare["stories"][0]) == {"rank", "parts"}
    assert {key: explained["stories"][0][key] for key in bare["stories"][0]} == bare["stories"][0]


# --- hostile text ------------------------------------------------------------------------------------------------------

HOSTILE = [
    "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07 \x1b[2J\x9b31m",
    "\u202egnp.exe\u2066 and \u200b\u200fmore",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "[click](javascript:alert(1)) ![x](https://evil.example/t.gif) <https://evil.example>",
    "# heading\n\n- list\n> quote\n```\ncode\n",
    "*bold* _under_ ~~gone~~ | a | b |\n|---|---|\n$x^2$ \\[y\\] &lt;b&gt; &#x202e;",
    "{{ 7*7 }} {% raw %} [bold red]rich[/] :smile: %s {0}",
    "]]> <!-- --> \"'><svg/onload=alert(1)>",
    "1. first\n2. second",
    "A\ufeffB\x00C\ud800D",
]


BLOCKS = {"html_block", "fence", "code_block", "table_open", "blockquote_open", "ordered_list_open"}


def hostile_digest(text: str) -> Digest:
    media = (Media("javascript:alert(1)", "audio/mpeg", 5, text, text),)
    first = item(1, "evil", 3, text, summary=text, link="javascript:alert(1)", media=media)
    evil = replace(first, publisher=text)
    pair = (replace(item(2, "north", 4, text, summary=text, link="https://x.example/a)b<c>\"d'`e f"), publisher="Two " + text), evil)
    coverages: list[Coverage] = [
        coverage(1, (evil,), brief=text, topic=7, related=(2,), keywords=(text,)),
        coverage(2, pair, title=text + " II", brief=text, topic=7, related=(1,)),
    ]
    digest = select(coverages, {7: Topic(7, text)}, {}, {}, PERIOD, filters=Filters(limit=0), titles={1: text, 2: text})
    return replace(digest, failed_feeds=(FailedFeed(text, text, None),))


def forbidden(text: str, allowed: str = "\n") -> set[str]:
    """Control, format, surrogate and private characters in it."""
    return {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co") and char not in allowed}


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("format", FORMATS)
def test_no_control_character_of_a_feed_reaches_the_reader(text: str, format: str) -> None:
    shown = render(hostile_digest(text), format, look=Look(), explain=True)
    assert not forbidden(shown)


@pytest.mark.parametrize("text", HOSTILE)
def test_on_a_coloured_terminal_the_only_escapes_are_ours(text: str) -> None:
    shown = render(hostile_digest(text), "terminal", look=COLOURED, explain=True)
    assert not forbidden(_ESCAPES.sub("", shown))
    assert set(re.findall(r"\x1b\]8;[^;]*;([^\x1b]*)\x1b", shown)) <= {"", "https://x.example/a)b%3Cc%3E%22d'%60e%20f"}


@pytest.mark.parametrize("text", HOSTILE)
def test_in_markdown_text_of_feeds_is_never_markup(text: str) -> None:
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tokens = reader.parse(render(hostile_digest(text), "markdown", explain=True))
    inner = [child for token in tokens for child in token.children or ()]
    assert not {token.type for token in tokens} & BLOCKS
    assert {child.type for child in inner} & {"html_inline", "image", "em_open", "s_open"} == set()
    assert [child.content for child in inner if child.type == "code_inline"] == ["aggregator feeds status"]
    assert {str(child.attrGet("href")) for child in inner if child.type == "link_open"} <= {"https://x.example/a)b%3Cc%3E%22d'%60e%20f"}
    levels = [(token.tag, tokens[i + 1].content) for i, token in enumerate(tokens) if token.type == "heading_open"]
    assert [tag for tag, _ in levels].count("h1") == 1


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab1 .)-+*_[](){}<>#`~|&;:!\\=^$\"'/"), max_size=24))
def test_escaped_markdown_renders_as_the_text_itself(text: str) -> None:
    line = one_line(text)
    tokens = MarkdownIt("commonmark").parse(escape(line))
    assert "".join(child.content for token in tokens for child in token.children or ()) == line
    assert [token.type for token in tokens] == (["paragraph_open", "inline", "paragraph_close"] if line else [])


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://x.example/ä?a=1&b=(2)", "https://x.example/ä?a=1&b=(2)"),
        ("HTTP://x.example", "HTTP://x.example"),
        ("https://x.example/a b", "https://x.example/a%20b"),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("file:///etc/passwd", None),
        ("https:///nohost", None),
        ("https://[broken", None),
        ("https://x.example/\x1b]8;;", None),
        ("//x.example/a", None),
        ("", None),
        (None, None),
    ],
)
def test_only_http_links_are_links(url: str | None, kept: str | None) -> None:
    assert layout.safe_link(url) == kept


# --- HTML and Atom -----------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What an HTML reader sees: the tags with their attributes, in order; fails at a tag that is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_needs_nothing_else_and_can_be_walked_by_landmarks_and_headings() -> None:
    page = Page(render(the_day(), "html"))
    names = [tag for tag, _ in page.tags]
    assert {"header", "nav", "main", "footer"} <= set(names)
    assert names.count("h1") == 1
    assert not {"script", "img", "iframe", "link", "audio", "video"} & set(names)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    inside = {f"#{name}" for name in ids}
    hrefs = [str(attributes["href"]) for tag, attributes in page.tags if tag == "a"]
    assert all(href in inside or href.startswith("https://") for href in hrefs)
    labels = {attributes["aria-labelledby"] for _, attributes in page.tags if "aria-labelledby" in attributes}
    assert labels
    assert labels <= set(ids)


@pytest.mark.parametrize("text", HOSTILE)
def test_in_html_text_of_feeds_is_never_markup(text: str) -> None:
    page = Page(render(hostile_digest(text), "html", explain=True))
    tame = Page(render(hostile_digest("Tame"), "html", explain=True))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in tame.tags]
    assert [set(attributes) for _, attributes in page.tags] == [set(attributes) for _, attributes in tame.tags]
    hrefs = {str(attributes["href"]) for tag, attributes in page.tags if tag == "a"}
    assert {href for href in hrefs if not href.startswith("#")} == {"https://x.example/a)b%3Cc%3E%22d'%60e%20f"}


def test_atom_is_read_by_a_feed_reader_without_complaint_and_ids_stay_when_stories_grow() -> None:
    import feedparser

    read = feedparser.parse(render(the_day(), "atom").encode())
    assert not read.bozo
    assert read.version == "atom10"
    assert {entry.id for entry in read.entries} == {f"tag:aggregator.localhost,2026:story/{id}" for id in range(1, 9)}
    morning = select(day(), TOPICS, FEEDS, STATES, replace(PERIOD, to_at=at(12)))
    earlier = {entry.id: entry.updated for entry in feedparser.parse(render(morning, "atom").encode()).entries}
    later = {entry.id: entry.updated for entry in read.entries}
    assert set(earlier) <= set(later)
    assert earlier["tag:aggregator.localhost,2026:story/1"] == "2023-12-27T09:00:00Z"
    assert later["tag:aggregator.localhost,2026:story/1"] == "2023-12-27T22:00:00Z"
    assert [link.type for link in read.entries[0].links if link.rel == "enclosure"] == ["video/mp4"] * 3


@pytest.mark.parametrize("text", HOSTILE)
def test_in_atom_text_of_feeds_is_never_markup(text: str) -> None:
    import feedparser

    read = feedparser.parse(render(hostile_digest(text), "atom", explain=True).encode(), sanitize_html=False)
    assert not read.bozo
    assert len(read.entries) == 2
    inner = Page(f"<div>{read.entries[0].content[0].value}</div>")
    assert {tag for tag, _ in inner.tags} <= {"div", "p", "a"}
