"""`stories explain ID [ITEM [ITEM]]` and `stories what-if`, from the command line down to a real store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aggregator.errors import NotFoundError, UsageError
from aggregator.stories.whatif import Difference, differences
from tests.cli.test_corrections_command import Desk, desk, take_in
from tests.stories.make import BAKERY, QUAKE
from tests.stories.test_evaluate import line

__all__ = ["desk"]  # a fixture


def why_not(desk: Desk, item: int, story: int) -> dict[str, Any]:
    told = desk.told("stories", "explain", story, item)
    assert told["in_story"] is False
    found: dict[str, Any] = told["against"]
    return found


def test_an_item_of_the_story_is_explained_and_the_option_still_works(desk: Desk) -> None:
    told = desk.told("stories", "explain", 1, 4)
    assert [each["item"] for each in told["items"]] == [4]
    assert told == desk.told("stories", "explain", 1, "--item", 4)


def test_why_an_item_is_not_in_the_story(desk: Desk) -> None:
    # the bakery and the quake have next to nothing in common
    far = why_not(desk, 2, desk.story_of(1))
    assert far["score"] < far["threshold"]
    assert far["score"] == pytest.approx(0.5 * far["best"] + 0.5 * far["mean"], abs=1e-3)
    assert far["members"] == 3
    own = desk.told("stories", "explain", desk.story_of(1), 2)["own"]
    assert own["story"] == desk.story_of(2)
    assert own["score"] >= own["threshold"]
    said = desk("stories", "explain", desk.story_of(1), 2).stdout
    assert "below 0.23" in said
    assert "where it is, it scores" in said


def test_what_a_person_said_stands_in_the_way(desk: Desk) -> None:
    desk("stories", "split", 1, 5)
    found = why_not(desk, 5, 1)
    assert found["score"] >= found["threshold"]
    assert found["obstacles"] == ["A person took it apart from item 1 and 1 more."]
    assert {word["word"] for word in found["terms"]} & {"Lisbon", "Alfama"}
    assert [near["item"] for near in found["nearest"]]


def test_rules_stand_in_the_way(desk: Desk, tmp_path: Path) -> None:
    rows = [
        line(8, ("Morning briefing: Lisbon earthquake", QUAKE[0][1])),
        line(9, QUAKE[0], language="pl"),
        line(10, QUAKE[0]) | {"published": "2024-01-20T10:00:00+00:00"},
        line(11, BAKERY[0]) | {"source": "f1"},
    ]
    take_in(tmp_path / "a.db", rows)
    quake = desk.story_of(1)
    assert "round-up" in why_not(desk, 8, quake)["obstacles"][0]
    assert "another language (pl; the story is in en)" in why_not(desk, 9, quake)["obstacles"][0]
    assert "more than 3 days" in why_not(desk, 10, quake)["obstacles"][0]
    assert "of its own feed" in why_not(desk, 11, quake)["obstacles"][0]


def test_how_alike_two_items_are(desk: Desk, tmp_path: Path) -> None:
    pair = desk.told("stories", "explain", 1, 1, 4)["pair"]
    assert pair["likeness"] == pytest.approx(pair["factor"] * (0.5 * pair["words"] + 0.5 * pair["characters"]), abs=1e-3)
    assert 0.95 < pair["factor"] < 1
    assert sum(term["share"] for term in pair["terms"]) <= 1.001
    assert pair["terms"][0]["share"] == max(term["share"] for term in pair["terms"])
    assert pair["obstacles"] == []
    take_in(tmp_path / "a.db", [line(8, QUAKE[1]) | {"source": "f1"}])
    same = desk.told("stories", "explain", 1, 1, 8)["pair"]
    assert 0.65 < same["factor"] < 0.7
    assert same["likeness"] == pytest.approx(same["factor"] * (0.5 * same["words"] + 0.5 * same["characters"]), abs=1e-3)
    assert "Likeness" in desk("stories", "explain", 1, 1, 4).stdout


def test_what_if_shows_what_would_split_and_changes_nothing(desk: Desk) -> None:
    before = desk.everything()
    arguments = ("stories", "what-if", "threshold=0.95", "--since", "2023-12-27T00:00:00Z")
    changes = desk.told(*arguments)["changes"]
    assert [(each["kind"], [part["items"] for part in each["before"]], len(each["after"])) for each in changes] == [
        ("split", [[1, 4, 5]], 3),
        ("split", [[2, 6]], 2),
    ]
    assert all(part["title"] for each in changes for part in (*each["before"], *each["after"]))
    assert "would be 3 stories" in desk(*arguments).stdout
    assert desk.everything() == before
    # with a merging threshold as it is, what does not join is merged in the next step
    assert desk.told(*arguments[:2], "join=0.95", *arguments[3:])["changes"] == []
    late = desk.told("stories", "what-if", "threshold=0.95", "merge=0.95", "--since", "2023-12-27T05:30:00Z")["changes"]
    assert [part["items"] for each in late for part in each["before"]] == [[2, 6]]


def test_what_if_for_one_story_shows_only_what_concerns_it(desk: Desk) -> None:
    changes = desk.told("stories", "explain", desk.story_of(2), "--what-if", "threshold=0.95", "--what-if", "merge=0.95")["changes"]
    assert [part["items"] for each in changes for part in each["before"]] == [[2, 6]]
    assert desk.told("stories", "explain", desk.story_of(3), "--what-if", "threshold=0.95")["changes"] == []


def test_what_if_keeps_to_what_people_said(desk: Desk) -> None:
    desk("stories", "merge", 1, desk.story_of(2))
    told = desk.told("stories", "what-if", "threshold=0.95", "merge=0.95", "--since", "2023-12-27T00:00:00Z")
    assert told["changes"] == []


@pytest.mark.parametrize(
    ("words", "kind", "sentence"),
    [
        (("explain", 1, 999), NotFoundError, "no item 999"),
        (("explain", 1, 1, 999), NotFoundError, "no item 999"),
        (("explain", 1, 1, 4, 5), UsageError, "at most two items"),
        (("explain", 1, "--what-if", "size=3"), UsageError, "size=3"),
        (("what-if", "threshold=much"), UsageError, "threshold=much"),
        (("what-if", "threshold=2"), UsageError, "from 0 to 1"),
    ],
)
def test_what_cannot_be_is_one_sentence(desk: Desk, words: tuple[object, ...], kind: type[Exception], sentence: str) -> None:
    refused = desk("stories", *words, fails=True)
    assert isinstance(refused.exception, kind)
    assert sentence in str(refused.exception)


@pytest.mark.parametrize("verb", ["explain", "what-if"])
def test_help_begins_with_examples(desk: Desk, verb: str) -> None:
    assert "Examples:" in desk("stories", verb, "--help").stdout


def test_differences_are_told_by_kind_with_the_largest_first() -> None:
    before = {1: 1, 2: 1, 3: 2, 4: 3, 5: 3, 6: 3, 7: 4, 8: 5, 9: 5, 10: 6}
    after = {1: 9, 2: 9, 3: 9, 4: 8, 5: 8, 6: 7, 7: 6, 8: 5, 9: 4, 10: 4}
    found = differences(before, after)
    assert [each.kind for each in found] == ["merge", "split", "mixed"]
    assert found[0] == Difference(((1, 2), (3,)), ((1, 2, 3),))
    assert found[1] == Difference(((4, 5, 6),), ((4, 5), (6,)))
    assert differences(before, before) == []
