"""A whole store goes out as lines and comes back the same; a file that somebody wrote brings no harm."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aggregator.archive import without_credentials
from aggregator.cli.main import cli
from aggregator.errors import ArchiveError
from aggregator.feeds.links import clean_link
from aggregator.feeds.markup import safe_html
from aggregator.model import Correction, Delivery, DigestRecord, Media, Period, StoryChanges
from aggregator.store.opening import Store, open_store
from aggregator.store.whole import Cleaning
from aggregator.text import strip_controls
from tests.store.make import HOUR, NOW, group, item, poll

CLEANING = Cleaning(strip_controls, lambda text: safe_html(text, None), clean_link)


def fill(store: Store) -> None:
    pieces = [
        item("one", "Śnieg & wind", summary_html='<p>Text <a href="https://a.example/x">link</a></p>', authors=("Ann",)),
        item("two", media=(Media("https://a.example/2.mp3", "audio/mpeg", seconds=95),), at=NOW - HOUR),
        item("three"),
    ]
    poll(store, "a", pieces)
    poll(store, "b", [item("x", link="https://news.example/one"), item("waiting")])
    poll(store, "a", [item("one", "Śnieg, wind & rain")], now=NOW + HOUR)
    group(store, [1, 2], [3], topic=1)
    store.corrections.record(Correction("merge", NOW, (1,), (3,), story_ids=(1, 2)), StoryChanges(merged=((2, 1),)))
    delivery = Delivery("k3y", "daily", "mail:ann@a.example", Period(NOW, NOW + HOUR), {"plain": "Hello\n", "html": "<p>Hello</p>"})
    store.digests.record(DigestRecord("daily", NOW, NOW + HOUR, NOW, "html", None, 3, (1,)), [delivery])
    store.digests.known_since("daily", NOW)
    store.feeds.save_host_not_before("a.example", NOW + HOUR)


def everything(store: Store) -> list[str]:
    return [line for line in store.whole.lines(without_credentials) if '"revision"' not in line]


def test_it_comes_back_the_same_and_goes_on(file_store: Store, tmp_path: Path) -> None:
    fill(file_store)
    lines = list(file_store.whole.lines(without_credentials))
    with open_store(str(tmp_path / "other.db"), now=NOW) as other:
        assert other.whole.restore(lines, CLEANING, name="it") == len(lines) - 1 - sum('{"table"' in line for line in lines)
        assert [line for line in everything(other) if '["revision",' not in line] == [
            line for line in everything(file_store) if '["revision",' not in line
        ]
        assert list(other.items.export()) == list(file_store.items.export())
        assert other.stories.story(2) == file_store.stories.story(1), "old ids still answer"
        assert other.digests.waiting() == file_store.digests.waiting()
        assert [each.id for each in other.items.search("rain")] == [1]
        assert poll(other, "a", [item("three"), item("four")]).new == (5,)
        assert other.maintenance.check() == []


def test_only_an_empty_store_takes_it_in(file_store: Store) -> None:
    fill(file_store)
    before = everything(file_store)
    with pytest.raises(ArchiveError, match="only an empty one"):
        file_store.whole.restore(list(file_store.whole.lines(without_credentials)), CLEANING, name="it")
    assert everything(file_store) == before


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda lines: [*lines[:9], "{not json", *lines[9:]], "line 10: it is no JSON"),
        (lambda lines: [*lines[:9], "[1, 2, 3, 4, 5, 6, 7, 8]", *lines[9:]], "line 10: it is no row"),
        (lambda lines: [*lines, '{"table": "users", "columns": []}'], "no such table"),
        (lambda lines: [*lines, '{"table": "items", "columns": ["id; DROP TABLE items"]}'], "no such table or column"),
        (lambda lines: [json.dumps({"aggregator": "store", "version": 1, "revision": "9999"}), *lines[1:]], "revision 9999"),
        (lambda lines: lines[:1], "not whole"),
    ],
)
def test_a_file_that_is_not_whole_is_named_and_nothing_is_stored(file_store: Store, tmp_path: Path, spoil, says: str) -> None:  # type: ignore[no-untyped-def]
    fill(file_store)
    lines = spoil(list(file_store.whole.lines(without_credentials)))
    with open_store(str(tmp_path / "other.db"), now=NOW) as other:
        with pytest.raises(ArchiveError, match=says):
            other.whole.restore(lines, CLEANING, name="it")
        assert list(other.items.export()) == []
        assert len(poll(other, "a", [item("k")]).new) == 1


def test_a_file_that_somebody_wrote_brings_no_script_no_controls_and_no_bad_address(file_store: Store, tmp_path: Path) -> None:
    fill(file_store)
    evil = []
    for line in file_store.whole.lines(without_credentials):
        line = line.replace("Śnieg, wind & rain", "Rain\\u001b[2J\\u202e").replace("https://a.example/2.mp3", "javascript:alert(1)")
        line = line.replace("<p>Text", "<script>alert(1)</script><p onclick='x()'>Text")
        evil.append(line.replace('"https://news.example/three"', '"javascript:alert(1)"'))
    with open_store(str(tmp_path / "other.db"), now=NOW) as other:
        other.whole.restore(evil, CLEANING, name="it")
        items = other.items.get([1, 2, 3])
        text = repr(items)
    assert "\\x1b" not in text
    assert "\\u202e" not in text
    assert "javascript" not in text
    assert "script>" not in text
    assert "onclick" not in text
    assert (items[1].media, items[2].link) == ((), None)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def test_the_commands_write_and_take_a_whole_store(file_store: Store, tmp_path: Path) -> None:
    fill(file_store)
    held = everything(file_store)
    file = tmp_path / "store.jsonl.gz"
    assert "lines written" in run("--database", str(tmp_path / "store.db"), "items", "export", "--everything", "-o", str(file)).stderr
    assert gzip.decompress(file.read_bytes()).startswith(b'{"aggregator"')
    taken = run("--database", str(tmp_path / "new.db"), "items", "import", str(file))
    assert "whole store" in taken.stderr
    with open_store(str(tmp_path / "new.db"), now=NOW) as other:
        assert sorted(line for line in everything(other) if '["revision",' not in line) == sorted(
            line for line in held if '["revision",' not in line
        )
