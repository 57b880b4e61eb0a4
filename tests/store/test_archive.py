"""Archives: in as if fetched, out and back without loss."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from aggregator import archive
from aggregator.archive import ImportCounts, export_items, import_items
from aggregator.errors import ArchiveError
from aggregator.model import Media
from aggregator.store.opening import Store, open_store
from tests.shared import shared_path
from tests.store.make import HOUR, NOW, item, keep, poll, subscribe


def line(number: int, **keys: Any) -> str:
    known = {
        "source": "https://a.example/feed",
        "publisher": "The A",
        "language": "en-US",
        "published": "2023-12-26T10:00:00+01:00",
        "title": f"Item {number} &amp; more",
        "summary": f"<p>Summary <b>{number}</b></p>",
        "link": f"https://a.example/{number}?utm_source=rss",
    }
    return json.dumps(known | keys)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "other.db"), now=NOW) as opened:
        yield opened


def test_a_line_is_stored_as_a_fetched_item_would_be(file_store: Store) -> None:
    counts = import_items([line(1, unknown={"key": 1}), "", line(2, link=None)], store=file_store, now=NOW)
    assert counts == ImportCounts(lines=2, new=2)
    first, second = file_store.items.get([1, 2])
    assert (first.title, first.summary, first.link) == ("Item 1 & more", "Summary 1", "https://a.example/1?utm_source=rss")
    assert (first.canonical_link, first.language, first.publisher) == ("https://a.example/1", "en", "The A")
    assert (first.published_at, first.arrived_at, first.date_rule) == (NOW - 27 * HOUR, NOW, "given")
    assert (second.link, second.key[:2]) == (None, "h:")
    state = file_store.feeds.state("the-a")
    assert (state.url, state.subscribed, state.title, state.next_poll_at) == ("https://a.example/feed", False, "The A", None)
    assert {each.id for each in file_store.items.unsorted()} == {1, 2}


def test_the_same_archive_again_changes_nothing(file_store: Store) -> None:
    lines = [line(1), line(2), line(1)]
    assert import_items(lines, store=file_store, now=NOW) == ImportCounts(lines=3, new=2, known=1)
    assert import_items(lines, store=file_store, now=NOW + HOUR) == ImportCounts(lines=3, known=3)


def test_an_archive_of_a_subscribed_feed_joins_its_items(file_store: Store) -> None:
    state = replace(subscribe(file_store, "a")["a"], body_hash="x", last_success_at=NOW)
    keep(file_store, state)
    import_items([line(1)], store=file_store, now=NOW)
    assert file_store.items.get([1])[0].feed == "a"
    assert file_store.feeds.states() == {"a": state}, "an import is no poll"


def test_one_piece_of_two_sources_is_one_item(file_store: Store) -> None:
    counts = import_items([line(1), line(1, source="https://b.example/feed", publisher="B")], store=file_store, now=NOW)
    assert counts == ImportCounts(lines=2, new=1, appeared=1)
    assert [each.feed for each in file_store.items.appearances(1)] == ["the-a", "b"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("{", "it is no JSON object"),
        ("[1]", "it does not fit the form of an item"),
        ('{"title": "x"}', "required field `source`"),
        ('{"source": " ", "title": "x"}', "its source is empty"),
        ('{"source": "s"}', "it has neither title nor summary nor link"),
        (line(2, title=7), "Expected `str | null`, got `int` - at `title`"),
        (line(2, published="yesterday"), "Invalid RFC3339 encoded datetime - at `published`"),
        (b'{"source": "\xff\xfe"}', "it is no JSON object"),
    ],
)
def test_a_bad_line_is_named_and_nothing_from_there_on_is_stored(file_store: Store, bad: str | bytes, reason: str) -> None:
    with pytest.raises(ArchiveError) as caught:
        import_items([line(1), bad, line(3)], store=file_store, now=NOW, name="old.jsonl")
    assert str(caught.value).startswith("old.jsonl, line 2: ")
    assert reason in str(caught.value)
    assert "--skip-bad" in str(caught.value)
    assert [one.title for one in file_store.items.export()] == ["Item 1 & more"]


def test_bad_lines_are_counted_when_they_may_be_skipped(file_store: Store) -> None:
    counts = import_items([line(1), "{", "also bad", line(3)], store=file_store, now=NOW, name="x", skip_bad=True)
    assert (counts.lines, counts.new, counts.skipped) == (2, 2, 2)
    assert (counts.first_skipped or "").startswith("x, line 2: it is no JSON object")


def test_portions_add_up(file_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "PORTION", 3)
    told: list[int] = []
    assert import_items(map(line, range(8)), store=file_store, now=NOW, progress=told.append).new == 8
    assert told == [3, 6]
    assert len(list(export_items(file_store))) == 8


def fill(store: Store) -> None:
    """Items with everything that an item can have."""
    rich = item(
        "g:1",
        "5 < 6 & <b> is no markup, “größer”",
        at=NOW - timedelta(microseconds=3),
        arrived_at=NOW - HOUR,
        updated_at=NOW,
        date_rule="updated",
        summary="First paragraph, a < b.\n\nSecond & last.",
        summary_html='<p>First, a &lt; b.</p><p><a href="https://x.example/" rel="noopener nofollow">Second</a> &amp; last.</p>',
        content_html="<p>All of it.</p>",
        language="de",
        authors=("AT&T", "Ann"),
        categories=("R&D",),
        media=(Media("https://a.example/1.mp3", "audio/mpeg", 5031, "A & B", "Zippity", 12),),
    )
    poll(store, "a", [rich, item("g:2", link=None), item("l:3", canonical_link=None)], now=NOW - HOUR)
    poll(store, "b", [replace(rich, key="g:b", arrived_at=NOW)], now=NOW)
    poll(store, "a", [item("g:2", "A better title", link=None, language=None)], now=NOW)


def test_an_export_imports_back_whole(file_store: Store, other: Store) -> None:
    fill(file_store)
    lines = list(export_items(file_store))
    assert import_items(lines, store=other, now=NOW + HOUR) == ImportCounts(lines=3, new=3)
    assert list(export_items(other)) == lines
    assert list(other.items.export()) == list(file_store.items.export())
    for id_ in (1, 2, 3):
        assert other.items.appearances(id_) == file_store.items.appearances(id_)
        assert other.items.titles(id_) == file_store.items.titles(id_)
    assert other.items.titles(2) == [("Title of g:2", NOW)]
    assert other.maintenance.check() == []
    assert import_items(lines, store=other, now=NOW + HOUR) == ImportCounts(lines=3, known=3)


def test_an_export_that_somebody_wrote_brings_no_script_and_no_control_characters(file_store: Store, other: Store) -> None:
    fill(file_store)
    told = json.loads(next(iter(export_items(file_store))))
    told |= {
        "title": "Red \x1b[31m",
        "link": "javascript:alert(1)",
        "canonical_link": "data:text/html,x",
        "summary_html": "<script>x</script><p onclick=x>ok</p>",
        "content_html": "<iframe src=https://x.example></iframe>fine",
        "media": [{"url": "file:///etc/passwd"}, {"url": "https://a.example/ok.mp3", "title": "\x07ok"}],
    }
    import_items([json.dumps(told)], store=other, now=NOW)
    found = next(iter(other.items.export()))
    assert (found.title, found.link, found.canonical_link) == ("Red [31m", None, None)
    assert (found.summary_html, found.content_html) == ("<p>ok</p>", "fine")
    assert found.media == (Media("https://a.example/ok.mp3", title="ok"),)


def test_a_real_stream_is_stored(file_store: Store) -> None:
    with gzip.open(shared_path("data/stream-2023-12.jsonl.gz")) as lines:
        counts = import_items(islice(lines, 0, None, 4), store=file_store, now=NOW + timedelta(days=5), name="the stream")
    assert (counts.lines, counts.skipped) == (10_613, 0)
    assert counts.new + counts.appeared + counts.known == 10_613
    assert counts.new > 10_500
    stats = file_store.maintenance.stats()
    assert stats.rows["feeds"] > 200
    assert stats.unsorted == counts.new
    assert file_store.maintenance.check() == []
    texts = [f"{one.title} {one.summary}".casefold() for one in file_store.items.search("blinken mexico")]
    assert texts
    assert all("mexico" in each and "blinken" in each for each in texts)
