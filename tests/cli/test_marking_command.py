"""Following, muting and starring by the command line, on a real database: what is marked reaches the digest, and survives merges."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aggregator.cli.main import cli
from aggregator.clock import ProgramClock
from aggregator.marking import Marking
from aggregator.model import Mark
from aggregator.store.opening import open_store

NOW = "2024-05-15T00:00:00Z"
ROWS = [
    ("harbour", "06:00", "Strong earthquake shakes the Lisbon harbour district"),
    ("courier", "06:30", "Earthquake shakes Lisbon harbour district, cranes topple"),
    ("plains", "07:00", "Vienna bakery wins the world pastry cup with strudel"),
    ("north", "08:00", "Horoscope for all signs of the zodiac this week"),
]


def aggregator(database: Path, *arguments: str, **environ: str) -> Result:
    options = ["--database", str(database), "--now", NOW, *arguments]
    home = {"XDG_CONFIG_HOME": str(database.parent), "XDG_DATA_HOME": str(database.parent)}
    return CliRunner().invoke(cli, options, env=home | environ)


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # a config/ folder where the tests run is not this home's
    lines = [
        {"source": f"https://{feed}.example/feed", "publisher": feed, "language": "en", "published": f"2024-05-14T{time}:00Z"}
        | {"title": title, "summary": title, "link": f"https://{feed}.example/1"}
        for feed, time, title in ROWS
    ]
    archive = tmp_path / "day.jsonl"
    archive.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert aggregator(tmp_path / "news.db", "items", "import", str(archive)).exit_code == 0
    return tmp_path / "news.db"


def stories(database: Path, *arguments: str) -> dict[str, int]:
    """First word of the title -> id, in the digest's order."""
    made = json.loads(aggregator(database, "digest", "--date", "2024-05-14", "--zone", "UTC", "--json", *arguments).stdout)
    return {story["title"].split()[0]: story["id"] for story in made["stories"]}


def test_a_followed_story_rises_and_a_muted_one_is_gone(database: Path) -> None:
    before = stories(database)
    followed, muted = before["Horoscope"], before["Vienna"]
    assert aggregator(database, "stories", "follow", str(followed)).exit_code == 0
    assert aggregator(database, "stories", "mute", str(muted)).exit_code == 0
    assert next(iter(stories(database))) == "Horoscope"
    assert "Vienna" not in stories(database)
    assert aggregator(database, "stories", "unmark", str(followed), str(muted)).exit_code == 0
    assert stories(database) == before


def test_what_is_marked_is_listed_and_a_second_mark_takes_the_place_of_the_first(database: Path) -> None:
    story = str(stories(database)["Vienna"])
    aggregator(database, "stories", "follow", story)
    assert aggregator(database, "stories", "mute", story, "--json").exit_code == 0
    marks = json.loads(aggregator(database, "stories", "marked", "--json").stdout)["marks"]
    assert [(mark["id"], mark["stance"], mark["kind"], mark["since"][:16]) for mark in marks] == [(int(story), "mute", "story", NOW[:16])]
    assert aggregator(database, "stories", "marked").stdout.splitlines()[1].split("\t")[1:3] == ["mute", marks[0]["title"]]
    assert "stories follow ID" in aggregator(database, "topics", "marked").stderr.replace("topics follow", "stories follow")


def test_a_starred_item_is_kept_when_old_items_go_and_can_be_asked_for(database: Path) -> None:
    made = json.loads(aggregator(database, "digest", "--date", "2024-05-14", "--zone", "UTC", "--json").stdout)
    item = next(story for story in made["stories"] if story["title"].startswith("Vienna"))["items"][0]["id"]
    assert aggregator(database, "items", "star", str(item)).exit_code == 0
    assert list(stories(database, "--starred")) == ["Vienna"]
    with open_store(str(database), now=datetime(2025, 1, 1, tzinfo=UTC)) as store:
        assert store.maintenance.prune(datetime(2025, 1, 1, tzinfo=UTC), dry_run=True).items == 3
        assert store.maintenance.prune(datetime(2025, 1, 1, tzinfo=UTC)).items == 3
    assert list(stories(database)) == ["Vienna"]
    assert "Vienna" in aggregator(database, "items", "starred").stdout
    assert aggregator(database, "items", "unstar", str(item)).exit_code == 0
    assert aggregator(database, "items", "starred").stdout == ""


def test_a_mark_holds_for_what_a_merged_story_became_part_of(database: Path) -> None:
    before = stories(database)
    vienna, horoscope = before["Vienna"], before["Horoscope"]
    aggregator(database, "stories", "mute", str(vienna))
    assert aggregator(database, "stories", "merge", str(horoscope), str(vienna)).exit_code == 0
    assert set(stories(database)) == set(before) - {"Vienna", "Horoscope"}
    assert aggregator(database, "stories", "unmark", str(horoscope)).exit_code == 0


def test_a_digest_by_name_has_its_own_limit_and_the_readers_words_and_searches_hold_in_all(database: Path) -> None:
    def new(name: str, **environ: str) -> list[str]:
        made = aggregator(database, "digest", "--new", "--as", name, "--dry-run", "--json", **environ)
        return [story["title"].split()[0] for story in json.loads(made.stdout)["stories"]]

    assert len(new("evening")) == 3
    assert len(new("morning", AGGREGATOR_DIGESTS__MORNING__LIMIT="1")) == 1
    assert "Horoscope" not in new("evening", AGGREGATOR_INTERESTS__MUTE="horoscope")
    assert new("evening", AGGREGATOR_INTERESTS__BOOST="strudel")[0] == "Vienna"
    shown = aggregator(database, "digest", "--new", "--dry-run", AGGREGATOR_INTERESTS__SEARCHES="Sweet things: strudel").stdout
    assert shown.splitlines()[3] == "SWEET THINGS"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("topics", "follow", "99"), "there is no topic 99"),
        (("stories", "mute", "99"), "there is no story 99"),
        (("items", "star", "99"), "there is no item 99"),
        (("stories", "unmark", "1"), "story 1 carries no mark; `aggregator stories marked` lists those that do"),
    ],
)
def test_what_is_not_there_is_told(database: Path, arguments: tuple[str, ...], says: str) -> None:
    result = aggregator(database, *arguments)
    assert says in str(result.exception)


def test_of_two_marks_that_lead_to_one_story_the_newer_counts(database: Path) -> None:
    at = datetime(2024, 5, 15, tzinfo=UTC)
    ids = stories(database)
    with open_store(str(database), now=at) as store:
        marking = Marking(store.stories, store.items, store.marks, ProgramClock(at, 1.0))
        marking.follow("story", ids["Horoscope"])
        store.marks.save(Mark("story", ids["Vienna"], "mute", at + timedelta(hours=1)))
    aggregator(database, "stories", "merge", str(ids["Horoscope"]), str(ids["Vienna"]))
    with open_store(str(database), now=at) as store:
        marking = Marking(store.stories, store.items, store.marks, ProgramClock(at, 1.0))
        interests = marking.interests()
    assert (interests.followed_stories, interests.muted_stories) == (frozenset(), frozenset({ids["Horoscope"]}))


def test_suggest_and_report_say_what_each_feed_brought(database: Path) -> None:
    folder = database.parent / "aggregator"
    folder.mkdir()
    feeds = "\n".join(f'[[feed]]\nname = "{feed}"\nurl = "https://{feed}.example/feed"\n' for feed, _, _ in ROWS)
    (folder / "feeds.toml").write_text(feeds, encoding="utf-8")
    made = json.loads(aggregator(database, "feeds", "report", "--json").stdout)
    assert {card["name"]: (card["items"], card["shared"], card["first"], card["own"]) for card in made["feeds"]} == {
        "harbour": (1, 1, 1, 1),
        "courier": (1, 1, 0, 0),
        "plains": (1, 0, 0, 1),
        "north": (1, 0, 0, 1),
    }
    shown = aggregator(database, "feeds", "report", "courier").stdout.splitlines()
    assert shown[1].split("\t")[:2] == ["courier", "1"]
    assert shown[1].split("\t")[6] == "0.5"
    assert json.loads(aggregator(database, "feeds", "suggest", "--json").stdout)["suggestions"] == []
    assert "Nothing to suggest after 30 days of 4 feeds" in aggregator(database, "feeds", "suggest").stderr
    assert "did you mean “harbour”" in str(aggregator(database, "feeds", "report", "habour").exception)
