"""A database of the first revision, as its own program wrote it, is upgraded with all that is in it."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from aggregator.model import Correction, Media, StoryChanges
from aggregator.store.opening import open_store
from aggregator.store.schema import revisions
from tests.store.make import HOUR, NOW, item, poll
from tests.store.test_schema import schema_of

FIRST = Path(__file__).with_name("first_revision.sql")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "store.db"
    with sqlite3.connect(path) as raw:
        raw.executescript(FIRST.read_text(encoding="utf-8"))
    raw.close()
    return path


def test_its_schema_becomes_that_of_a_new_database(old: Path, tmp_path: Path) -> None:
    with open_store(str(old), now=NOW) as store:
        done = store.maintenance.upgrade
        assert (done.before, done.after, store.maintenance.check()) == ("0001", revisions()[-1], [])
    open_store(str(tmp_path / "new.db"), now=NOW).close()
    assert schema_of(old)[:3] == schema_of(tmp_path / "new.db")[:3]


def test_it_is_copied_aside_as_it_was(old: Path) -> None:
    with open_store(str(old), now=NOW) as store:
        copy = store.maintenance.upgrade.copy
    assert copy is not None
    with sqlite3.connect(copy) as raw:
        assert raw.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
        assert raw.execute("SELECT count(*) FROM items").fetchone() == (4,)
    raw.close()


def test_what_is_in_it_is_read_as_before(old: Path) -> None:
    with open_store(str(old), now=NOW) as store:
        titles = [each.title for each in store.items.get([1, 2, 3, 4])]
        assert titles[:3] == ["Strike closes all northern ports", "Port strike: ferries stay in harbour", "Śnieg nad morzem"]
        assert store.items.get([2])[0].media == (Media("https://a.example/2.mp3", "audio/mpeg", seconds=95),)
        assert store.items.get([3])[0].content_html == "<p>Dużo śniegu</p>"
        assert [each.feed for each in store.items.appearances(1)] == ["a", "b"]
        assert store.items.titles(1) == [("Strike closes the northern ports", NOW + HOUR)]
        assert {id_: [one.id for one in store.stories.story(id_).items] for id_ in (1, 2)} == {1: [2, 1], 2: [3]}
        assert [each.id for each in store.items.unsorted()] == [4]
        assert [each.id for each in store.items.search("ferries")] == [2, 1]
        state = store.feeds.state("a")
        assert state.validators is not None
        assert (state.validators.etag, state.next_poll_at) == ('"v1"', NOW + HOUR)


def test_its_digests_end_where_they_ended(old: Path) -> None:
    """The last one ended an hour after NOW: the item that arrived later is still to be offered, the others are not."""
    with open_store(str(old), now=NOW) as store:
        last = store.digests.last("daily")
        assert last is not None
        assert (last.to_at, last.up_to_item, last.made_at) == (NOW + HOUR, 3, NOW + HOUR)
        assert store.digests.waiting() == []


def test_it_goes_on_as_any_other(old: Path) -> None:
    with open_store(str(old), now=NOW) as store:
        assert poll(store, "a", [item("two"), item("four")], now=NOW + timedelta(days=1)).new == (5,)
        store.corrections.record(Correction("merge", NOW, (1,), (3,)), StoryChanges())
        assert store.maintenance.check() == []
