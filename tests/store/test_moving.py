"""A whole store goes into another database of any kind and comes back: nothing is lost, and half a move is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from aggregator.cli.main import cli
from aggregator.errors import LockedError, StoreError
from aggregator.store import moving
from aggregator.store.opening import Store, open_store
from aggregator.store.rows import insert_plain
from tests.store.make import HOUR, NOW, group, item, poll
from tests.store.test_whole import everything, fill


@pytest.fixture
def other_url(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> str:
    """Where to move to: a database of the other kind."""
    if "://" in database_url:
        return str(tmp_path / "other.db")
    return str(request.getfixturevalue("postgres_url"))


def test_everything_goes_over_and_the_store_goes_on_where_it_was(lasting_store: Store, other_url: str) -> None:
    fill(lasting_store)
    poll(lasting_store, "a", [item("long", link="https://news.example/" + "x" * 9000), item("k" * 9000)])
    poll(lasting_store, "a", [item("long", "Edited", link="https://news.example/" + "x" * 9000)], now=NOW + HOUR)
    seen: list[tuple[int, int]] = []
    with open_store(other_url, now=NOW) as other:
        done = lasting_store.move_to(other, lambda rows, total: seen.append((rows, total)))
        assert everything(other) == everything(lasting_store)
        assert (done.rows, done.replaced, seen[-1]) == (seen[-1][1], 0, (done.rows, done.rows))
        assert [each.id for each in other.items.search("rain")] == [1]
        assert other.stories.story(2) == lasting_store.stories.story(1), "old ids still answer"
        for store in (other, lasting_store):  # both go on with the same ids
            assert poll(store, "c", [item("three"), item("four")]).new == (7,)
            assert store.feeds.state("c").id == 3
            group(store, [7], first_story=store.stories.next_ids()[0])
            assert store.maintenance.check() == []
        assert other.stories.stories(limit=9) == lasting_store.stories.stories(limit=9)


def test_there_and_back_is_the_same_store(lasting_store: Store, other_url: str, tmp_path: Path) -> None:
    fill(lasting_store)
    with open_store(other_url, now=NOW) as other, open_store(str(tmp_path / "back.db"), now=NOW) as back:
        lasting_store.move_to(other)
        other.move_to(back)
        assert everything(back) == everything(lasting_store)
        assert back.maintenance.check() == []


def test_only_an_empty_database_takes_a_store_in(lasting_store: Store, other_url: str) -> None:
    fill(lasting_store)
    with open_store(other_url, now=NOW) as other:
        poll(other, "z", [item("mine")])
        before = everything(other)
        with pytest.raises(StoreError, match=r"is not empty \(there are rows in feeds, items"):
            lasting_store.move_to(other)
        assert everything(other) == before
    with pytest.raises(StoreError, match="is both source and target"):
        lasting_store.move_to(lasting_store)


@pytest.mark.parametrize("spoil", ["a row is lost", "a value is changed", "it is cut short"])
def test_half_a_move_leaves_the_target_empty(lasting_store: Store, other_url: str, spoil: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(lasting_store)

    def spoiled(connection: object, table: object, rows: list[tuple[object, ...]]) -> None:
        if getattr(table, "name", "") == "item_titles":
            if spoil == "it is cut short":
                raise KeyboardInterrupt
            rows = rows[1:] if spoil == "a row is lost" else [(*rows[0][:-1], 1), *rows[1:]]
        insert_plain(connection, table, rows)  # type: ignore[arg-type]

    with open_store(other_url, now=NOW) as other:
        monkeypatch.setattr(moving, "insert_plain", spoiled)
        with pytest.raises(
            KeyboardInterrupt if spoil == "it is cut short" else StoreError, match=None if "cut" in spoil else "gives back another"
        ):
            lasting_store.move_to(other)
        monkeypatch.undo()
        assert list(other.items.export()) == []
        lasting_store.move_to(other)
        assert everything(other) == everything(lasting_store)


def test_a_character_that_postgresql_cannot_hold_is_replaced_and_counted(file_store: Store, postgres_url: str) -> None:
    fill(file_store)
    with file_store.items._db.writing() as connection:  # no door of the program lets it in
        connection.execute(text("UPDATE items SET content_html = 'a' || char(0) || 'b' WHERE id = 1"))
    with open_store(postgres_url, now=NOW) as other:
        assert file_store.move_to(other).replaced == 1
        assert other.items.get([1])[0].content_html == "a\ufffdb"


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, words, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.exit_code, result.stdout


def test_the_command_moves_and_says_how_much(lasting_store: Store, database_url: str, other_url: str, home: Callable[[], None]) -> None:
    fill(lasting_store)
    code, printed = run("db", "move", database_url, other_url)
    assert code == 0
    assert f"copied from {lasting_store.name} to " in printed
    with open_store(other_url, now=NOW) as other:
        assert everything(other) == everything(lasting_store)
    with pytest.raises(StoreError, match="is not empty"):
        run("db", "move", database_url, other_url)


def test_nothing_is_moved_while_the_daemon_runs(lasting_store: Store, database_url: str, other_url: str, home: Callable[[], None]) -> None:
    from aggregator.app import App

    with (
        App.from_options(database=other_url) as app,
        app.locks.single_instance(),
        pytest.raises(LockedError, match="daemon is already running"),
    ):
        run("db", "move", database_url, other_url)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
