"""`aggregator stories` and `aggregator evaluate` from the command line down to a real store."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aggregator.app import App
from aggregator.archive import import_items
from aggregator.cli.main import cli
from aggregator.errors import NotFoundError, UsageError
from tests.stories.test_evaluate import GOLD, STREAM

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line in an empty folder, over a database that holds the seven items of STREAM, grouped."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    with App.from_options(database=str(tmp_path / "a.db")) as app:
        import_items([json.dumps(row) for row in STREAM], store=app.store, now=app.clock())
        assert app.organise() == 7

    def call(*arguments: str, fails: bool = False) -> Result:
        result = CliRunner().invoke(cli, ["--database", str(tmp_path / "a.db"), *arguments])
        if not fails:
            assert result.exit_code == 0, result.output or result.exception
        return result

    return call


def quake(run: Run) -> str:
    told = json.loads(run("stories", "list", "--json").stdout)
    assert told["version"] == 1
    return str(next(story["id"] for story in told["stories"] if story["items"] == 3))


def test_list_tells_every_story_newest_first(run: Run) -> None:
    told = json.loads(run("stories", "list", "--json").stdout)["stories"]
    assert sorted(story["items"] for story in told) == [1, 1, 2, 3]
    moments = [story["last_published"] for story in told]
    assert moments == sorted(moments, reverse=True)
    plain = run("stories", "list").stdout.splitlines()
    assert plain[0].split("\t") == ["ID", "TITLE", "PUBLISHERS", "ITEMS", "PHASE", "LAST SEEN"]
    assert len(plain) == 5


def test_since_takes_a_time_or_a_duration_and_refuses_other_words(run: Run) -> None:
    assert json.loads(run("stories", "list", "--since", "2023-12-27T06:30:00Z", "--json").stdout)["stories"][0]["items"] == 1
    assert json.loads(run("stories", "list", "--since", "24h", "--json").stdout)["stories"] == []
    refused = run("stories", "list", "--since", "soon", fails=True)
    assert refused.exit_code == 2 or refused.exception is not None
    assert "soon" in str(refused.exception) + refused.output


def test_show_lists_the_items_oldest_first_with_publishers(run: Run) -> None:
    shown = run("stories", "show", quake(run)).stdout
    assert "3 independent publishers" in shown
    assert shown.index("Strong earthquake hits Lisbon") < shown.index("Alfama residents sleep outdoors")
    items = json.loads(run("stories", "show", quake(run), "--json").stdout)["items"]
    assert items[0]["rule"] == "new"


MORNING = ("--now", "2023-12-27T12:00:00Z")


def test_show_tells_the_life_of_a_story(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    shown = run(*MORNING, "stories", "show", quake(run)).stdout.splitlines()
    told = json.loads(run(*MORNING, "stories", "show", quake(run), "--json").stdout)
    assert "Phase: new" in shown
    first = told["first_reported"]
    assert first["item"] == told["items"][0]["id"]
    assert any(line.startswith(f"First reported by: {first['publisher']}, 2023-12-27 ") for line in shown)
    bar = next(line for line in shown if line.startswith("Volume: "))
    assert "█" in bar
    assert len(bar) <= 40
    assert (told["phase"], told["story"]["phase"]) == ("new", "new")
    assert [publisher["lag_seconds"] for publisher in told["publishers"]] == sorted(p["lag_seconds"] for p in told["publishers"])
    assert sum(publisher["independent"] for publisher in told["publishers"]) == told["story"]["sources"]
    assert sum(bucket["items"] for bucket in told["timeline"]) == len(told["items"])


def test_the_volume_is_drawn_in_ascii_where_stdout_has_no_blocks(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CliRunner, "__init__", partialmethod(CliRunner.__init__, charset="latin-1"))
    bar = next(line for line in run("stories", "show", quake(run)).stdout.splitlines() if line.startswith("Volume: "))
    assert "#" in bar
    assert bar.isascii()


def test_list_filters_by_the_phase_at_the_clock(run: Run) -> None:
    def phases(*arguments: str) -> list[str]:
        return [story["phase"] for story in json.loads(run(*arguments, "--json").stdout)["stories"]]

    assert phases(*MORNING, "stories", "list") == ["new"] * 4
    assert phases(*MORNING, "stories", "list", "--phase", "fading") == []
    assert phases(*MORNING, "stories", "list", "--phase", "new", "--limit", "2") == ["new"] * 2
    later = ("--now", "2023-12-29T12:00:00Z", "stories", "list")
    assert phases(*later) == ["fading"] * 4
    assert phases(*later, "--phase", "new") == phases(*later, "--phase", "growing") == []
    assert len(run(*MORNING, "stories", "list", "--phase", "new").stdout.splitlines()) == 5


def test_explain_says_why_in_words_and_in_json(run: Run) -> None:
    said = run("stories", "explain", quake(run)).stdout
    assert "Lisbon" in said.split("Shared words:")[1]
    told = json.loads(run("stories", "explain", quake(run), "--json").stdout)["items"]
    joined = [one for one in told if one["rule"] == "join"]
    assert all(one["score"] >= one["threshold"] and one["nearest"] for one in joined)
    one = run("stories", "explain", quake(run), "--item", str(joined[0]["item"]), "--json")
    assert len(json.loads(one.stdout)["items"]) == 1


def test_unknown_stories_and_items_are_errors(run: Run) -> None:
    assert isinstance(run("stories", "show", "999", fails=True).exception, NotFoundError)
    assert isinstance(run("stories", "explain", quake(run), "--item", "999", fails=True).exception, NotFoundError)


def archive(path: Path, rows: list[dict[str, object]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_evaluate_scores_an_archive_and_writes_every_line(run: Run, tmp_path: Path) -> None:
    stream, gold = archive(tmp_path / "stream.jsonl", STREAM), archive(tmp_path / "gold.jsonl", GOLD)
    told = json.loads(run("evaluate", stream, "--gold", gold, "--assigned", str(tmp_path / "out.tsv"), "--json").stdout)
    assert (told["pairwise_f1"], told["items"], told["missing"]) == (1.0, 3, 0)
    lines = [line.split("\t") for line in (tmp_path / "out.tsv").read_text(encoding="utf-8").splitlines()]
    assert [line[0] for line in lines] == [row["link"] for row in STREAM]
    assert "B-cubed" in run("evaluate", stream, "--gold", gold, "--no-warm-up", "--no-tables").stdout


def test_evaluate_refuses_labels_without_stories(run: Run, tmp_path: Path) -> None:
    stream = archive(tmp_path / "stream.jsonl", STREAM)
    assert isinstance(run("evaluate", stream, "--gold", stream, fails=True).exception, UsageError)
