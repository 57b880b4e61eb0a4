"""Care for the database: check, figures, backup, prune, vacuum, and a full disk."""

from __future__ import annotations

import os
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from aggregator.errors import NotFoundError, StoreError
from aggregator.model import Ingested, Mark, StoryChanges
from aggregator.store.maintenance import KEEP_PRUNED_KEYS, Pruned
from aggregator.store.opening import Store, open_store
from tests.store.make import HOUR, NOW, group, item, poll


def at_hours(*hours: int, prefix: str = "") -> list[object]:
    return [item(f"{prefix}{hour}", at=NOW + hour * HOUR, arrived_at=NOW + hour * HOUR) for hour in hours]


def fill(store: Store) -> None:
    """Items 1 to 6 of hours 0 to 5; story 1 is old, story 2 is both, story 3 is new; topic 1 is old, topic 2 is both."""
    poll(store, "a", at_hours(0, 1, 2, 3, 4, 5))  # type: ignore[arg-type]
    group(store, [1, 2], topic=1)
    group(store, [3, 4], [5], first_story=2, topic=2)


def test_a_prune_takes_old_items_and_what_is_left_empty(store: Store) -> None:
    fill(store)
    revision = store.stories.revision()
    assert store.maintenance.prune(NOW + 3 * HOUR, dry_run=True) == Pruned(3, 1, 1)
    assert len(list(store.items.export())) == 6
    assert store.maintenance.prune(NOW + 3 * HOUR) == Pruned(3, 1, 1)
    assert [one.id for one in store.items.export()] == [4, 5, 6]
    assert [each.id for each in store.stories.stories(limit=9)] == [3, 2]
    assert [each.id for each in store.stories.topics()] == [2]
    assert [one.id for one in store.items.unsorted()] == [6]
    assert store.stories.revision() > revision, "a running engine must notice"
    with pytest.raises(NotFoundError):
        store.stories.story(1)


def test_a_story_that_keeps_some_items_is_counted_anew(store: Store) -> None:
    fill(store)
    store.maintenance.prune(NOW + 3 * HOUR)
    kept = store.stories.story(2).story
    assert (kept.item_count, kept.sources, kept.first_published_at, kept.last_published_at) == (1, 1, NOW + 3 * HOUR, NOW + 3 * HOUR)
    assert store.stories.topic(2)[0].story_count == 2


def test_a_prune_in_portions_is_the_same(store: Store) -> None:
    fill(store)
    assert store.maintenance.prune(NOW + 3 * HOUR, chunk=1) == Pruned(3, 1, 1)


def test_a_pruned_item_that_its_feed_still_shows_does_not_come_back(store: Store) -> None:
    poll(store, "a", at_hours(0))  # type: ignore[arg-type]
    store.maintenance.prune(NOW + HOUR)
    assert poll(store, "a", at_hours(0), now=NOW + 2 * HOUR) == Ingested(known=1)  # type: ignore[arg-type]
    assert list(store.items.export()) == []
    store.maintenance.prune(NOW + HOUR + KEEP_PRUNED_KEYS)
    assert poll(store, "a", at_hours(0)).known == 1, "it was seen after the prune, so it is remembered for longer"  # type: ignore[arg-type]
    store.maintenance.prune(NOW + 3 * HOUR + KEEP_PRUNED_KEYS)
    assert len(poll(store, "a", at_hours(0)).new) == 1  # type: ignore[arg-type]


def test_figures(store: Store) -> None:
    fill(store)
    stats = store.maintenance.stats()
    assert (stats.rows["items"], stats.rows["stories"], stats.rows["topics"], stats.rows["feeds"], stats.unsorted) == (6, 3, 2, 1, 1)
    assert (stats.oldest_published_at, stats.newest_arrived_at) == (NOW, NOW + 5 * HOUR)
    assert stats.items_per_day == 6
    assert stats.file_bytes > 10_000


def test_figures_of_an_empty_store(store: Store) -> None:
    stats = store.maintenance.stats()
    assert (stats.rows["items"], stats.oldest_published_at, stats.items_per_day) == (0, None, 0)


def test_items_a_day_are_counted_over_the_days_of_arrival(store: Store) -> None:
    poll(store, "a", at_hours(0, 24, 48))  # type: ignore[arg-type]
    assert store.maintenance.stats().items_per_day == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("DELETE FROM memberships WHERE story_id = 1", "1 stories hold no item."),
        ("DELETE FROM memberships WHERE item_id = 3", "1 items are in no story and do not wait for one either."),
        ("DELETE FROM items WHERE id = 3", "1 memberships belong to items that are not there."),
        ("UPDATE memberships SET story_id = 77 WHERE item_id = 3", "A row of memberships refers to a row of stories that is not there."),
        ("UPDATE appearances SET item_id = NULL WHERE item_id = 3", "1 items appear in no feed."),
        (
            "UPDATE items SET title = 'quite another' WHERE id = 3",
            "The search index does not fit the items; `aggregator db vacuum` builds it anew.",
        ),
    ],
)
def test_the_check_finds_and_the_repair_mends(file_store: Store, tmp_path: Path, damage: str, sentence: str) -> None:
    fill(file_store)
    assert file_store.maintenance.check() == []
    raw = sqlite3.connect(tmp_path / "store.db")
    raw.execute("PRAGMA foreign_keys = OFF")
    raw.execute(damage)
    raw.commit()
    raw.close()
    assert sentence in file_store.maintenance.check()
    assert file_store.maintenance.repair(tmp_path / "copy.db")
    assert file_store.maintenance.check() == []
    ids = {each.id for each in file_store.items.export()}
    grouped = set(file_store.stories.story_ids(sorted(ids)))
    assert grouped | {each.id for each in file_store.items.unsorted()} == ids, "every item is in a story or waits for one"
    assert ids >= {1, 2, 4, 5, 6}
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        assert copy.execute("SELECT count(*) FROM feeds").fetchone() == (1,)
    copy.close()


def test_a_repair_builds_indexes_anew(file_store: Store, tmp_path: Path) -> None:
    fill(file_store)
    poll(file_store, "a", [item("apart", at=NOW - HOUR)])
    with sqlite3.connect(tmp_path / "store.db") as raw:  # the index is told to hold another column than it does
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute("UPDATE sqlite_master SET sql = replace(sql, 'published_at)', 'arrived_at)') WHERE name = 'ix_items_published_at'")
    raw.close()
    with open_store(str(tmp_path / "store.db"), now=NOW) as store:
        assert store.maintenance.check()[0].startswith("SQLite finds damage")
        store.maintenance.repair(tmp_path / "copy.db")
        assert store.maintenance.check() == []


def test_damage_that_no_repair_mends_is_told_and_a_copy_is_kept(file_store: Store, tmp_path: Path) -> None:
    poll(file_store, "a", [item(str(number), summary="x" * 500) for number in range(300)])
    file_store.close()
    size = (tmp_path / "store.db").stat().st_size
    with (tmp_path / "store.db").open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * (size // 3))
    with open_store(str(tmp_path / "store.db"), now=NOW) as store, pytest.raises(StoreError, match="put a backup in its place"):
        store.maintenance.repair(tmp_path / "copy.db")
    assert (tmp_path / "copy.db").stat().st_size == size


def test_a_prune_to_a_size_takes_what_arrived_first_and_shrinking_gives_the_space_back(file_store: Store, tmp_path: Path) -> None:
    for hour in range(12):
        arrived = NOW + hour * HOUR
        poll(file_store, "a", [item(f"{hour}-{n}", summary=f"{hour} {n} " * 300, arrived_at=arrived) for n in range(30)])
    before = file_store.maintenance.stats().file_bytes
    most = before // 2
    done = file_store.maintenance.prune_to(most, chunk=30)
    assert 120 <= done.items < 330
    assert min(each.arrived_at or NOW for each in file_store.items.export()) == NOW + done.items // 30 * HOUR
    freed = file_store.maintenance.shrink()
    assert freed > before // 4
    assert file_store.maintenance.stats().file_bytes <= most
    assert file_store.maintenance.prune_to(most).items == 0
    assert file_store.maintenance.check() == []


def test_a_vacuum_mends_the_index_and_gives_space_back(file_store: Store) -> None:
    poll(file_store, "a", [item(str(number), summary="word " * 2000) for number in range(200)])
    file_store.maintenance.prune(NOW + HOUR)
    poll(file_store, "a", [item("kept", "A kept title", arrived_at=NOW + 2 * HOUR)])
    with file_store.items._db.writing() as connection:
        connection.execute(text("UPDATE items SET title = 'A mended title'"))
    assert file_store.maintenance.check() != []
    before, after = file_store.maintenance.vacuum()
    assert after < before / 2
    assert file_store.maintenance.check() == []
    assert [one.key for one in file_store.items.search("mended")] == ["kept"]


def test_starred_items_and_followed_stories_are_kept_whatever_became_of_their_ids(store: Store) -> None:
    fill(store)
    store.stories.apply(StoryChanges(merged=((1, 2),)), NOW)  # 1 was followed, 2 is what it became
    store.marks.save(Mark("story", 1, "follow", NOW))
    store.marks.save(Mark("story", 3, "mute", NOW))
    store.marks.save(Mark("item", 6, "star", NOW))
    later = NOW + 99 * HOUR
    assert store.maintenance.prune(later, dry_run=True).items == 1
    assert store.maintenance.prune(later).items == 1
    assert store.maintenance.prune_to(1).items == 0
    assert [one.id for one in store.items.export()] == [1, 2, 3, 4, 6]


def test_a_backup_is_a_whole_store_in_one_file(file_store: Store, tmp_path: Path) -> None:
    fill(file_store)
    target = tmp_path / "new folder" / "copy.db"
    for _ in range(2):  # the second replaces the first
        file_store.maintenance.backup(target)
        assert [each.name for each in target.parent.iterdir()] == ["copy.db"]
    with open_store(str(target), now=NOW) as copy:
        assert list(copy.items.export()) == list(file_store.items.export())
        assert copy.maintenance.check() == []


def test_a_backup_sweeps_up_what_killed_ones_left_and_nothing_else(file_store: Store, tmp_path: Path) -> None:
    names = ("copy-2023-12-25.db.partial", "copy-2023-12-26.db.partial", "copy-2023-12-24.db", "other-2023-12-25.db.partial")
    for name in names:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / names[1]).touch()  # one that is being written
    file_store.maintenance.backup(tmp_path / "copy-2023-12-27.db")
    assert {path.name for path in tmp_path.glob("*-2023-*")} == {*names[1:], "copy-2023-12-27.db"}


def test_a_backup_that_cannot_be_written_is_named_and_leaves_nothing(file_store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"store\.db is the database itself"):
        file_store.maintenance.backup(tmp_path / "store.db")
    with pytest.raises(StoreError, match=r"the copy .*store\.db/x/copy\.db cannot be written"):
        file_store.maintenance.backup(tmp_path / "store.db" / "x" / "copy.db")
    (tmp_path / "taken").mkdir()
    with pytest.raises(StoreError, match=r"the copy .*taken cannot be written"):
        file_store.maintenance.backup(tmp_path / "taken")
    assert not list(tmp_path.glob("*.partial"))


def test_a_full_disk_under_a_backup_is_said_of_the_copy(file_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poll(file_store, "a", [item("k")])

    def small(path: Path) -> sqlite3.Connection:
        connection = sqlite3.Connection(path)
        connection.execute("PRAGMA max_page_count = 3")
        return connection

    monkeypatch.setattr("aggregator.store.sqlite_care.sqlite3.connect", small)
    with pytest.raises(StoreError, match=r"the copy .*copy\.db cannot be written: database or disk is full; free some space"):
        file_store.maintenance.backup(tmp_path / "copy.db")
    assert not list(tmp_path.glob("copy*"))


def test_a_full_disk_is_a_sentence_and_changes_nothing(file_store: Store) -> None:
    poll(file_store, "a", [item("first")])
    with file_store.items._db.reading() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count = {pages + 2}"))
    with pytest.raises(StoreError, match=r"store\.db could not be written because the disk is full; free some space"):
        poll(file_store, "a", [item(str(number), summary="x" * 3000) for number in range(100)])
    assert [one.key for one in file_store.items.export()] == ["first"]
    with file_store.items._db.reading() as connection:
        connection.execute(text("PRAGMA max_page_count = 1000000"))
    assert len(poll(file_store, "a", [item("second")]).new) == 1
    assert file_store.maintenance.check() == []


def test_old_host_back_off_goes_with_a_prune(store: Store) -> None:
    store.feeds.save_host_not_before("a.example", NOW + HOUR)
    store.maintenance.prune(NOW + timedelta(days=1))
    assert store.maintenance.stats().rows["hosts"] == 0
