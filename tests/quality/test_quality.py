"""The engine is held to labelled items: floors that only rise, no merge across languages, the same stories whatever the minute's order."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from aggregator.stories.evaluate import Evaluation
from tests.quality.corpus import (
    GOLD,
    MARGINS,
    STREAM,
    WARM,
    WARM_GOLD,
    Corpus,
    group,
    grouped_own,
    languages_together,
    mistakes,
    read_floors,
    read_gold,
    read_own,
    read_warm,
    shuffled,
    theme_scores,
)
from tests.quality.renew import WouldSinkError, renewed
from tests.shared import shared_folder, shared_path

SHUFFLED = 0.01
"""How much B-cubed F1 may change when items of the same minute come in another order."""


@pytest.fixture(scope="module", params=sorted(GOLD))
def gold(request: pytest.FixtureRequest) -> tuple[Corpus, Evaluation]:
    """A shared labelled day without warm-up; skips where the data is absent."""
    corpus = read_gold(request.param, shared_path(GOLD[request.param]))
    return corpus, group(corpus.rows)


def below(corpus: Corpus, scores: Any) -> list[str]:
    """The scores under their floors, in words."""
    floors = read_floors()[corpus.name]["floors"]
    rows = [(name, scores[name], floors[name]["floor"]) for name in MARGINS]
    return [f"{name} of “{corpus.name}” is {score:.4f}, its floor {floor}" for name, score, floor in rows if score < floor]


def assert_fingerprint(corpus: Corpus, renew: str) -> None:
    assert read_floors()[corpus.name]["fingerprint"] == corpus.fingerprint, (
        f"the items or labels of “{corpus.name}” are not those that its floors were measured on; renew them with `{renew}`"
    )


# --- our own set --------------------------------------------------------------------------------------------------------


def test_the_own_set_is_the_one_that_the_floors_were_measured_on() -> None:
    assert_fingerprint(read_own(), "python -m tests.quality.renew")


def test_the_own_set_keeps_its_scores() -> None:
    corpus, result = read_own(), grouped_own()
    fallen = below(corpus, result.scores)
    themes = "\n".join(f"  {score:.3f} {theme}" for theme, score in theme_scores(corpus, result).items())
    told = "\n".join(f"  {line}" for line in mistakes(corpus, result))
    assert not fallen, "\n".join([*fallen, "pairwise F1 by theme:", themes, "what is wrong:", told])


def test_the_own_set_is_well_formed() -> None:
    rows = read_own().rows
    keys = {"source", "publisher", "language", "published", "title", "summary", "link", "story", "topic"}
    assert all(set(row) == keys for row in rows)
    assert len({row["link"] for row in rows}) == len(rows) >= 300
    times = sorted(datetime.fromisoformat(row["published"]) for row in rows)
    assert (times[-1] - times[0]).days < 3
    stories = {row["story"]: {other["language"].split("-")[0] for other in rows if other["story"] == row["story"]} for row in rows}
    assert not [story for story, languages in stories.items() if story and len(languages) > 1]
    assert sum(row["language"] == "pl" for row in rows) >= 30
    assert sum(row["story"] is None for row in rows) >= 100


def test_a_story_of_one_event_has_one_topic() -> None:
    topics: dict[str, set[Any]] = {}
    for row in read_own().rows:
        if row["story"]:
            topics.setdefault(row["story"], set()).add(row["topic"])
    assert {story: found for story, found in topics.items() if len(found) > 1} == {}


def test_no_story_holds_two_languages() -> None:
    """Among the items are a quake and a chip plant that are told in English and in Polish."""
    assert languages_together(read_own(), grouped_own()) == []


def test_two_runs_give_the_same_stories() -> None:
    assert group(read_own().rows).assigned == grouped_own().assigned


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_within_half_an_hour_matters_little(seed: int) -> None:
    """Half an hour here holds as many items as a minute of a large feed list."""
    rows = read_own().rows
    other = shuffled(rows, 30, seed)
    moved = sum(row["published"] != old["published"] for row, old in zip(other, rows, strict=True))
    assert moved > len(rows) / 2
    assert abs(group(other).scores["bcubed_f1"] - grouped_own().scores["bcubed_f1"]) < SHUFFLED


# --- the shared labelled days -------------------------------------------------------------------------------------------


def test_a_labelled_day_keeps_its_scores(gold: tuple[Corpus, Evaluation]) -> None:
    corpus, result = gold
    assert_fingerprint(corpus, "python -m tests.quality.renew --gold")
    assert not below(corpus, result.scores)


def test_the_order_within_a_minute_matters_little_on_a_labelled_day(gold: tuple[Corpus, Evaluation]) -> None:
    corpus, result = gold
    again = group(shuffled(corpus.rows, 1, 1))
    assert abs(again.scores["bcubed_f1"] - result.scores["bcubed_f1"]) < SHUFFLED


def test_the_labelled_day_keeps_its_scores_after_the_stream_before_it() -> None:
    for path in (STREAM, GOLD[WARM_GOLD]):
        shared_path(path)
    corpus = read_warm(shared_folder())
    assert_fingerprint(corpus, "python -m tests.quality.renew --gold")
    assert not below(corpus, group(corpus.rows).scores)


# --- how floors move ----------------------------------------------------------------------------------------------------

PINNED: dict[str, dict[str, Any]] = {name: {"floor": 0.8, "measured": 0.81, "reason": "as it was"} for name in MARGINS}


def test_every_floor_says_why_it_stands_where_it_does() -> None:
    floors = read_floors()
    assert set(floors) == {"own", *GOLD, WARM}
    for corpus in floors.values():
        assert set(corpus["floors"]) == set(MARGINS)
        assert all(floor["reason"].strip() and 0 < floor["floor"] <= floor["measured"] for floor in corpus["floors"].values())


def test_a_floor_rises_with_the_engine_and_stays_when_the_room_is_small() -> None:
    scores = {"bcubed_f1": 0.9, "pairwise_f1": 0.82, "related_f1": 0.8}
    floors = {name: floor["floor"] for name, floor in renewed(PINNED, scores, None).items()}
    assert floors == {"bcubed_f1": 0.89, "pairwise_f1": 0.8, "related_f1": 0.8}


def test_a_floor_sinks_only_with_a_reason_which_is_kept() -> None:
    scores = {"bcubed_f1": 0.7, "pairwise_f1": 0.9, "related_f1": 0.9}
    for lower in (None, "", "  "):
        with pytest.raises(WouldSinkError, match=r"bcubed_f1 is 0\.7000, its floor 0\.8"):
            renewed(PINNED, scores, lower)
    sunk = renewed(PINNED, scores, "sagas are split now")
    assert sunk["bcubed_f1"] == {"floor": 0.69, "measured": 0.7, "reason": "lowered from 0.8: sagas are split now"}
    assert sunk["pairwise_f1"]["floor"] == 0.87


def test_an_edited_item_changes_the_fingerprint_and_a_moved_one_does_not() -> None:
    one = Corpus("x", {"a": ('{"title": "A"}', '{"title": "B"}'), "b": ()})
    moved = Corpus("x", {"a": ('{"title": "B"}',), "b": ('{"title": "A"}',)})
    edited = Corpus("x", {"a": ('{"title": "A"}', '{"title": "b"}'), "b": ()})
    assert one.fingerprint == moved.fingerprint != edited.fingerprint
