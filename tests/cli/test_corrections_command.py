"""`aggregator stories merge, split, move, corrections` and `rebuild`, from the command line down to a real store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from aggregator.app import App
from aggregator.archive import import_items
from aggregator.cli.main import cli
from aggregator.errors import NotFoundError, UsageError
from aggregator.store.opening import Store
from tests.stories.make import BAKERY, COMET, QUAKE, RATES
from tests.stories.test_evaluate import line

# items 1, 4 and 5 are the quake, 2 and 6 the bakery, 3 and 7 stand alone
ROWS = [line(1, QUAKE[0]), line(2, BAKERY[0]), line(3, COMET), line(4, QUAKE[1]), line(5, QUAKE[2]), line(6, BAKERY[1]), line(7, RATES)]
QUAKES, BAKERIES = (1, 4, 5), (2, 6)


class Desk:
    """A person at the command line, with a look into the store."""

    def __init__(self, database: Path) -> None:
        self.database = str(database)

    def __call__(self, *arguments: object, fails: bool = False) -> Result:
        result = CliRunner().invoke(cli, ["--database", self.database, *map(str, arguments)])
        if not fails:
            assert result.exit_code == 0, result.output or result.exception
        return result

    def told(self, *arguments: object) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self(*arguments, "--json").stdout)
        return found

    def look(self, ask: Callable[[Store], Any]) -> Any:
        with App.from_options(database=self.database) as app:
            return ask(app.store)

    def homes(self) -> dict[int, int]:
        """Item -> story."""
        found: dict[int, int] = self.look(lambda store: store.stories.story_ids(range(1, 40)))
        return found

    def groups(self) -> list[list[int]]:
        by_story: dict[int, list[int]] = {}
        for item, story in sorted(self.homes().items()):
            by_story.setdefault(story, []).append(item)
        return sorted(by_story.values())

    def everything(self) -> Any:
        """All that a correction may touch."""

        def read(store: Store) -> Any:
            ids = sorted(set(store.stories.story_ids(range(1, 40)).values()))
            return [store.stories.story(id_) for id_ in ids], store.stories.topics(), [store.stories.resolve(id_) for id_ in ids]

        return self.look(read)

    def is_sound(self) -> bool:
        problems: list[str] = self.look(lambda store: store.maintenance.check())
        assert problems == []
        return True

    def story_of(self, item: int) -> int:
        return self.homes()[item]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    take_in(tmp_path / "a.db", ROWS)
    made = Desk(tmp_path / "a.db")
    assert made.groups() == [[1, 4, 5], [2, 6], [3], [7]]
    return made


def take_in(database: Path, rows: list[dict[str, Any]]) -> None:
    """Import and group in a program of its own: a restart."""
    with App.from_options(database=str(database)) as app:
        import_items([json.dumps(row) for row in rows], store=app.store, now=app.clock())
        app.organise()


def test_merge_keeps_the_first_id_and_undo_restores_exactly(desk: Desk) -> None:
    quake, bakery, comet = desk.story_of(1), desk.story_of(2), desk.story_of(3)
    before = desk.everything()
    told = desk.told("stories", "merge", quake, bakery, comet)
    assert {each["item"] for each in told["moved"]} == {2, 3, 6}
    assert {each["story"]: each["to"] for each in told["redirects"]} == {bakery: quake, comet: quake}
    assert desk.groups() == [[1, 2, 3, 4, 5, 6], [7]]
    shown = desk.told("stories", "show", bakery)
    assert (shown["story"]["id"], shown["story"]["items"], shown["story"]["sources"]) == (quake, 6, 6)
    assert {each["id"]: each["rule"] for each in shown["items"]}[6] == "person"
    assert "A person put it here." in desk("stories", "explain", quake).stdout
    assert desk.is_sound()
    desk("stories", "merge", quake, bakery, "--undo")
    assert desk.everything() == before
    assert desk.told("stories", "corrections")["corrections"] == []
    assert desk.is_sound()


@pytest.mark.parametrize(("items", "keeps"), [((5,), (1, 4)), ((1, 4), (1, 4))])
def test_split_leaves_the_id_with_the_larger_part(desk: Desk, items: tuple[int, ...], keeps: tuple[int, ...]) -> None:
    quake, before = desk.story_of(1), desk.everything()
    desk("stories", "split", quake, *items)
    assert desk.groups() == [[1, 4], [2, 6], [3], [5], [7]]
    assert {desk.story_of(item) for item in keeps} == {quake}
    assert desk.is_sound()
    new = desk.story_of(5)
    desk("stories", "split", quake, "--undo")
    assert desk.everything() == before
    assert desk.look(lambda store: store.stories.resolve(new)) == quake


def test_move_takes_items_from_several_stories_and_undo_brings_back_an_emptied_one(desk: Desk) -> None:
    quake, bakery, comet, before = desk.story_of(1), desk.story_of(2), desk.story_of(3), desk.everything()
    desk("stories", "move", 3, 5, "--to", bakery)
    assert desk.groups() == [[1, 4], [2, 3, 5, 6], [7]]
    assert desk.told("stories", "show", comet)["story"]["id"] == bakery
    made = desk.told("stories", "corrections")["corrections"][0]
    assert (made["verb"], made["placed"], made["beside"], made["against"]) == ("move", [3, 5], [2, 6], [1, 4])
    assert quake in made["stories"]
    assert desk.is_sound()
    desk("stories", "move", 3, 5, "--undo")
    assert desk.everything() == before


def test_a_dry_run_says_what_would_change_and_changes_nothing(desk: Desk) -> None:
    quake, bakery, before = desk.story_of(1), desk.story_of(2), desk.everything()
    for verb in (("merge", quake, bakery), ("split", quake, 5), ("move", 5, "--to", bakery)):
        told = desk.told("stories", *verb, "--dry-run")
        assert (told["dry_run"], told["correction"]) == (True, None)
        assert told["moved"]
        assert desk.everything() == before
    desk("stories", "merge", quake, bakery)
    merged = desk.everything()
    assert desk.told("stories", "merge", quake, bakery, "--undo", "--dry-run")["moved"]
    assert desk.everything() == merged


def test_undo_leaves_alone_what_was_put_elsewhere_since(desk: Desk) -> None:
    quake, bakery = desk.story_of(1), desk.story_of(2)
    desk("stories", "merge", quake, bakery)
    desk("stories", "split", quake, 6)
    apart = desk.story_of(6)
    desk("stories", "merge", bakery, "--undo")
    assert desk.homes() | {2: bakery, 6: apart} == desk.homes()
    assert desk.is_sound()


def test_undo_takes_back_the_latest_of_its_verb_that_names_the_ids(desk: Desk) -> None:
    quake, bakery, comet, rates = (desk.story_of(item) for item in (1, 2, 3, 7))
    desk("stories", "merge", quake, comet)
    desk("stories", "merge", bakery, rates)
    desk("stories", "merge", quake, "--undo")
    assert desk.groups() == [[1, 4, 5], [2, 6, 7], [3]]
    refused = desk("stories", "merge", quake, "--undo", fails=True)
    assert isinstance(refused.exception, NotFoundError)
    assert f"story {quake}" in str(refused.exception)


def test_new_items_and_a_restart_keep_to_what_was_said(desk: Desk, tmp_path: Path) -> None:
    quake, comet = desk.story_of(1), desk.story_of(3)
    desk("stories", "merge", quake, comet)
    desk("stories", "split", quake, 5)
    apart = desk.story_of(5)
    take_in(tmp_path / "a.db", [line(number, QUAKE[number % 3]) for number in range(8, 14)] + [line(14, COMET)])
    homes = desk.homes()
    assert {homes[1], homes[3], homes[4]} == {quake}
    assert homes[14] == quake
    assert homes[5] == apart
    assert desk.is_sound()


def test_a_program_that_runs_hears_of_a_correction_by_another(desk: Desk, tmp_path: Path) -> None:
    with App.from_options(database=desk.database) as daemon:
        import_items([json.dumps(line(8, QUAKE[1]))], store=daemon.store, now=daemon.clock())
        assert daemon.organise() == 1
        quake = desk.story_of(1)
        desk("stories", "split", quake, 8)
        desk("stories", "merge", desk.story_of(3), quake)
        import_items([json.dumps(line(9, QUAKE[0]))], store=daemon.store, now=daemon.clock())
        assert daemon.organise() == 1
    homes = desk.homes()
    assert homes[1] == homes[4] == homes[3] != homes[8]
    assert homes[9] in (homes[1], homes[8])
    assert desk.is_sound()


def test_a_rebuild_without_a_cause_changes_nothing(desk: Desk) -> None:
    before, homes = desk.everything(), desk.homes()
    told = desk.told("stories", "rebuild")
    assert (told["items"], told["before"], told["after"], told["kept"], told["moved"]) == (7, 4, 4, 4, 0)
    assert told["redirects"] == []
    assert desk.homes() == homes
    assert [coverage.story.title for coverage in desk.everything()[0]] == [coverage.story.title for coverage in before[0]]
    assert desk.is_sound()


def test_corrections_hold_and_old_ids_answer_after_a_restart_and_a_rebuild(desk: Desk, tmp_path: Path) -> None:
    quake, bakery, comet, rates = (desk.story_of(item) for item in (1, 2, 3, 7))
    desk("stories", "merge", bakery, comet)
    desk("stories", "split", quake, 5)
    apart = desk.story_of(5)
    desk("stories", "move", 7, "--to", apart)
    take_in(tmp_path / "a.db", [line(8, QUAKE[1])])
    for _ in range(2):
        desk("stories", "rebuild")
        homes = desk.homes()
        assert homes[1] == homes[4] == quake
        assert homes[2] == homes[6] == homes[3] == bakery
        assert homes[5] == homes[7] == apart
        shown = [desk.told("stories", "show", old)["story"]["id"] for old in (quake, bakery, comet, rates, apart)]
        assert shown == [quake, bakery, bakery, apart, apart]
        rules = {each["id"]: each["rule"] for each in desk.told("stories", "show", apart)["items"]}
        assert rules[7] == "person"
        assert desk.is_sound()
    desk("stories", "merge", bakery, comet, "--undo")
    assert desk.story_of(3) == comet
    assert desk.told("stories", "show", comet)["story"]["items"] == 1
    assert desk.is_sound()


def test_a_rebuild_forgets_what_was_taken_back(desk: Desk) -> None:
    quake, bakery = desk.story_of(1), desk.story_of(2)
    desk("stories", "merge", quake, bakery)
    desk("stories", "merge", quake, bakery, "--undo")
    desk("stories", "rebuild")
    assert desk.groups() == [[1, 4, 5], [2, 6], [3], [7]]


def test_a_rebuild_goes_by_the_settings_of_today_and_leads_old_ids_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = {item: desk.story_of(item) for item in range(1, 8)}
    monkeypatch.setenv("AGGREGATOR_STORIES__JOIN", "0.95")
    monkeypatch.setenv("AGGREGATOR_STORIES__MERGE", "0.95")
    would = desk.told("stories", "rebuild", "--dry-run")
    assert desk.groups() == [[1, 4, 5], [2, 6], [3], [7]]
    told = desk.told("stories", "rebuild")
    assert {**would, "dry_run": False} == told
    assert desk.groups() == [[number] for number in range(1, 8)]
    # one of the parts keeps the id
    assert {ids[1], ids[2], ids[3], ids[7]} <= set(desk.homes().values())
    apart = desk.homes()
    monkeypatch.delenv("AGGREGATOR_STORIES__JOIN")
    monkeypatch.delenv("AGGREGATOR_STORIES__MERGE")
    desk("stories", "rebuild")
    assert desk.groups() == [[1, 4, 5], [2, 6], [3], [7]]
    homes = desk.homes()
    assert all(desk.told("stories", "show", story)["story"]["id"] == homes[item] for item, story in apart.items())
    assert desk.is_sound()


def test_a_rebuild_of_the_last_hours_leaves_what_was_before(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    homes = desk.homes()
    monkeypatch.setenv("AGGREGATOR_STORIES__JOIN", "0.95")
    monkeypatch.setenv("AGGREGATOR_STORIES__MERGE", "0.95")
    told = desk.told("stories", "rebuild", "--since", "2023-12-27T04:30:00Z")
    assert told["items"] == 3
    assert desk.groups() == [[1, 4], [2], [3], [5], [6], [7]]
    now = desk.homes()
    assert {item: now[item] for item in (1, 2, 3, 4, 7)} == {item: homes[item] for item in (1, 2, 3, 4, 7)}
    shown = desk.told("stories", "show", homes[1])
    assert (shown["story"]["items"], len(shown["items"])) == (2, 2)
    assert desk.is_sound()


def test_a_rebuild_takes_what_waits_and_a_failing_one_changes_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with App.from_options(database=desk.database) as app:
        import_items([json.dumps(line(8, QUAKE[1]))], store=app.store, now=app.clock())
    before = desk.everything()
    with monkeypatch.context() as patch:
        patch.setattr("aggregator.store.stories.count_stories", lambda *_: 1 / 0)
        assert isinstance(desk("stories", "rebuild", fails=True).exception, ZeroDivisionError)
    assert desk.everything() == before
    assert 8 not in desk.homes()
    assert desk.is_sound()
    assert desk.told("stories", "rebuild")["items"] == 8
    assert desk.story_of(8) == desk.story_of(1)
    assert desk.is_sound()


def test_corrections_are_exported_as_labelled_pairs(desk: Desk, tmp_path: Path) -> None:
    quake, comet = desk.story_of(1), desk.story_of(3)
    desk("stories", "split", quake, 5)
    desk("stories", "merge", comet, desk.story_of(7))
    desk("stories", "corrections", "--export", tmp_path / "labels.jsonl")
    pairs = [json.loads(text) for text in (tmp_path / "labels.jsonl").read_text(encoding="utf-8").splitlines()]
    links = {number: row["link"] for number, row in enumerate(ROWS, 1)}
    assert {(pair["link"], pair["other"], pair["label"]) for pair in pairs} == {
        (links[5], links[1], "different"),
        (links[5], links[4], "different"),
        (links[3], links[7], "same"),
    }
    assert all(pair["made"] for pair in pairs)
    assert "split" in desk("stories", "corrections").stdout


@pytest.mark.parametrize(
    ("words", "kind", "sentence"),
    [
        (("merge", 1, 999), NotFoundError, "no story 999"),
        (("merge", 1), UsageError, "two stories"),
        (("merge", 1, 1), UsageError, "one story already"),
        (("split", 999, 1), NotFoundError, "no story 999"),
        (("split", 1, 3), NotFoundError, "item 3 is not in story 1"),
        (("split", 1, 1, 4, 5), UsageError, "nothing would stay"),
        (("split", 1), UsageError, "needs items"),
        (("move", 999, "--to", 1), NotFoundError, "item 999"),
        (("move", 3, "--to", 999), NotFoundError, "no story 999"),
        (("move", 1, "--to", 1), UsageError, "in story 1 already"),
        (("move", 1), UsageError, "--to"),
        (("move", 1, "--undo"), NotFoundError, "no move"),
    ],
)
def test_what_cannot_be_is_one_sentence(desk: Desk, words: tuple[object, ...], kind: type[Exception], sentence: str) -> None:
    assert desk.story_of(1) == 1
    refused = desk("stories", *words, fails=True)
    assert isinstance(refused.exception, kind)
    assert sentence in str(refused.exception)
    assert "\n" not in str(refused.exception)


@pytest.mark.parametrize("verb", ["merge", "split", "move", "corrections", "rebuild"])
def test_help_begins_with_examples(desk: Desk, verb: str) -> None:
    assert "Examples:" in desk("stories", verb, "--help").stdout
