"""The commands db, items and search, run as a person runs them."""

from __future__ import annotations

import gzip
import json
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from click.testing import CliRunner, Result

from aggregator.app import App
from aggregator.cli.main import cli
from aggregator.errors import AggregatorError, ArchiveError, NotFoundError, StoreError, UsageError
from aggregator.store.opening import open_store
from aggregator.store.schema import revisions
from aggregator.upkeep import Upkeep
from tests.store.make import HOUR, NOW, group, item, poll
from tests.store.test_archive import line


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with four items, two of them in a story; and a home and a folder where nothing else is."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "store.db"
    with open_store(str(path), now=NOW) as store:
        poll(store, "a", [item("1", "Caravan heads north"), item("2", "Caravan nears the border", at=NOW + HOUR), item("3", "Storm")])
        group(store, [1, 2])
        poll(store, "a", [item("1", "Caravan heads north again")], now=NOW + HOUR)
    return path


def run(database: Path, *words: str, stdin: str | bytes | None = None) -> Result:
    options = ["--database", str(database), "--now", "2023-12-27T14:00:00Z"]
    return CliRunner().invoke(cli, [*options, *words], input=stdin, standalone_mode=False)


def fails(database: Path, error: type[AggregatorError], sentence: str, *words: str, stdin: str | None = None) -> None:
    result = run(database, *words, stdin=stdin)
    assert isinstance(result.exception, error), result.output
    assert sentence in str(result.exception)


def test_search_prints_a_line_for_each_item(database: Path) -> None:
    lines = run(database, "search", "caravan", "-border").stdout.splitlines()
    assert [each.split("\t")[1:5] for each in lines[1:]] == [["1", "1", "The A", "Caravan heads north again"]]


def test_search_as_json_names_items_and_stories(database: Path) -> None:
    told = json.loads(run(database, "search", "caravan", "--json").stdout)
    assert (told["version"], told["query"]) == (1, "caravan")
    assert {each["id"]: each["story"] for each in told["items"]} == {1: 1, 2: 1}
    assert told["stories"] == [{"id": 1, "title": "Story 1", "found": 2}]
    assert run(database, "search", "cara*", "--stories").stdout.splitlines() == ["STORY\tFOUND\tTITLE", "1\t2\tStory 1"]


def test_a_search_without_success_prints_nothing_and_says_so(database: Path) -> None:
    result = run(database, "search", "unheard-of")
    assert (result.stdout, result.exception) == ("", None)
    assert "Nothing holds all of: unheard-of" in result.stderr


def test_a_mistyped_option_is_no_query(database: Path) -> None:
    fails(database, UsageError, "there is no option --limt", "search", "storm", "--limt", "3")


def test_an_item_is_shown_with_its_history(database: Path) -> None:
    shown = run(database, "items", "show", "1").stdout
    assert shown.startswith("Caravan heads north again\n  until 2023-12-27T13:00:00Z: Caravan heads north\nItem 1, story 1\n")
    told = json.loads(run(database, "items", "show", "1", "--json").stdout)["item"]
    assert (told["story"], told["appearances"][0]["feed"], told["titles"][0]["title"]) == (1, "a", "Caravan heads north")
    fails(database, NotFoundError, "there is no item 99", "items", "show", "99")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dash", [False, True])
def test_an_archive_is_imported_packed_or_not_from_a_file_or_stdin(database: Path, packed: bool, dash: bool) -> None:
    body = (line(1) + "\n" + line(2) + "\n").encode()
    body = gzip.compress(body) if packed else body
    (database.parent / "some.jsonl").write_bytes(body)
    result = run(database, "items", "import", "-" if dash else "some.jsonl", "--no-organise", "--json", stdin=body)
    assert json.loads(result.stdout)["new"] == 2, result.exception


def test_a_bad_archive_is_a_sentence(database: Path) -> None:
    fails(database, ArchiveError, "standard input, line 2: it is no JSON object", "items", "import", "-", stdin=line(1) + "\n{\n")
    fails(database, ArchiveError, "nowhere.jsonl cannot be read: No such file", "items", "import", "nowhere.jsonl")
    (database.parent / "cut.gz").write_bytes(gzip.compress(line(1).encode() * 50)[:-20])
    fails(database, ArchiveError, "cut.gz cannot be read to its end", "items", "import", "cut.gz")


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_an_export_is_a_line_for_each_item_and_imports_back(database: Path, name: str) -> None:
    assert run(database, "items", "export", "--output", name).exception is None
    printed = run(database, "items", "export").stdout
    assert len(printed.splitlines()) == 3
    other = database.parent / "other.db"
    assert json.loads(run(other, "items", "import", name, "--no-organise", "--json").stdout)["new"] == 3
    assert run(other, "items", "export").stdout == printed
    assert not list(database.parent.glob("*.partial"))


def test_the_database_is_checked(database: Path) -> None:
    result = run(database, "db", "check")
    assert (result.return_value, result.stdout) == (0, "")
    raw = sqlite3.connect(database)
    raw.execute("DELETE FROM memberships")
    raw.commit()
    raw.close()
    result = run(database, "db", "check", "--json")
    assert result.return_value == 1
    assert "1 stories hold no item." in json.loads(result.stdout)["problems"]


def test_figures_are_printed(database: Path) -> None:
    told = json.loads(run(database, "db", "stats", "--json").stdout)
    assert (told["rows"]["items"], told["unsorted"], told["newest_published"]) == (3, 1, "2023-12-27T13:00:00Z")
    assert "items\t3" in run(database, "db", "stats").stdout.splitlines()


def test_a_dry_prune_changes_nothing_and_a_real_one_does(database: Path) -> None:
    asked = ("db", "prune", "--before", "2023-12-28T00:00Z")
    assert run(database, *asked, "--dry-run").stdout == "Would forget 3 items, 1 stories and 0 topics from before 2023-12-28T00:00:00Z.\n"
    assert json.loads(run(database, *asked, "--json").stdout)["items"] == 3
    assert json.loads(run(database, "db", "stats", "--json").stdout)["rows"]["items"] == 0


def test_without_input_a_prune_needs_its_yes(database: Path) -> None:
    asked = ("--no-input", "db", "prune", "--before", "2023-12-28T00:00Z")
    fails(database, UsageError, "3 items would be forgotten and nobody may be asked; add --yes", *asked)
    assert json.loads(run(database, "db", "stats", "--json").stdout)["rows"]["items"] == 3
    assert run(database, *asked, "--dry-run").exit_code == 0
    assert run(database, *asked, "--yes").stdout.startswith("Forgot 3 items")


def test_a_prune_that_is_not_said_well_is_refused(database: Path) -> None:
    fails(database, UsageError, "give one of them", "db", "prune", "--before", "2023-12-28", "--older-than", "3d")
    fails(database, UsageError, "is not a duration", "db", "prune", "--older-than", "long")
    fails(database, UsageError, "is not a time", "db", "prune", "--before", "soon")


def test_a_backup_is_written_where_one_says(database: Path) -> None:
    assert run(database, "db", "backup", "copy.db").stdout == "copy.db\n"
    assert run(database.parent / "copy.db", "items", "export").stdout == run(database, "items", "export").stdout
    fails(database, StoreError, "is the database itself", "db", "backup", str(database))


def test_backups_by_the_day_are_of_one_database_and_leave_those_of_others_alone(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, other = database.parent / "backups", database.parent / "other.db"
    monkeypatch.setenv("AGGREGATOR_DAEMON__BACKUPS", "1")
    folder.mkdir()
    (folder / "store-2023-12-26.db").write_bytes(b"the copy of the day before")
    open_store(str(other), now=NOW).close()
    assert run(other, "db", "backup").stdout == f"{folder / 'other-2023-12-27.db'}\n"
    assert run(database, "db", "backup").stdout == f"{folder / 'store-2023-12-27.db'}\n"
    assert sorted(path.name for path in folder.iterdir()) == ["other-2023-12-27.db", "store-2023-12-27.db"]
    assert run(folder / "store-2023-12-27.db", "items", "export").stdout == run(database, "items", "export").stdout


class _Server:
    """What Upkeep asks of a store on a server; its copies are empty files."""

    path, in_memory = None, False

    def __init__(self, name: str) -> None:
        self.name, self.maintenance = name, self
        self.copy_suffix = ".dump"

    def backup(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        path.touch()

    def repair(self, copy: Path) -> list[str]:
        self.backup(copy)
        return []


def test_copies_of_databases_on_servers_do_not_take_each_others_place(tmp_path: Path) -> None:
    names = ["postgresql://me@db.example.org:5432/news", "postgresql://me@db.example.org:5432/sports", "postgresql:///news"]
    for name in names:
        app = SimpleNamespace(
            store=_Server(name),
            location=SimpleNamespace(data_folder=tmp_path),
            settings=SimpleNamespace(daemon=SimpleNamespace(backups=1)),
            clock=lambda: NOW,
        )
        (tmp_path / "backups").mkdir(exist_ok=True)
        yesterday = Upkeep(cast(App, app)).backup()
        yesterday.rename(yesterday.with_name(yesterday.name.replace("12-27", "12-26")))
        Upkeep(cast(App, app)).backup()
        Upkeep(cast(App, app)).repair()
    found = sorted(path.name for path in (tmp_path / "backups").iterdir())
    assert found == [
        "me-db.example.org-5432-news-2023-12-27.dump",
        "me-db.example.org-5432-news.dump.before-repair-20231227T120000Z",
        "me-db.example.org-5432-sports-2023-12-27.dump",
        "me-db.example.org-5432-sports.dump.before-repair-20231227T120000Z",
        "news-2023-12-27.dump",
        "news.dump.before-repair-20231227T120000Z",
    ]


def test_a_vacuum_and_an_upgrade_say_what_they_did(database: Path) -> None:
    assert run(database, "db", "vacuum").stdout.endswith("MB after.\n")
    assert run(database, "db", "upgrade").stdout == f"Nothing to do: the database is at revision {revisions()[-1]}.\n"
