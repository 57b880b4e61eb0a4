"""Scores against a plain counting of pairs, and the rules of `evaluate`."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.errors import UsageError
from aggregator.model import Item
from aggregator.stories.engine import StoryEngine, StoryParams
from aggregator.stories.evaluate import Evaluation, evaluate, read_gold, read_lines
from aggregator.stories.scores import Labelled, first_related_accuracy, pairwise, rates, related, score, without_largest_topics
from aggregator.stories.tables import load_tables
from tests.shared import shared_path
from tests.stories.make import BAKERY, COMET, QUAKE, RATES, assigned_stories, item

ITEMS = st.lists(
    st.builds(Labelled, st.integers(0, 3), st.none() | st.integers(0, 2), st.integers(0, 3), st.none() | st.integers(0, 2)), max_size=14
)


@given(ITEMS)
def test_related_equals_a_count_of_all_pairs(items: list[Labelled]) -> None:
    wanted = have = hit = 0
    for one, other in itertools.combinations(items, 2):
        if one.gold_story == other.gold_story:
            continue
        is_wanted = one.gold_topic is not None and one.gold_topic == other.gold_topic
        is_found = one.found_topic is not None and one.found_topic == other.found_topic and one.found_story != other.found_story
        wanted, have, hit = wanted + is_wanted, have + is_found, hit + (is_wanted and is_found)
    assert related(items) == rates(hit / have if have else 1.0, hit / wanted if wanted else 1.0)


def test_a_worked_example() -> None:
    # gold {a b c} {d}; found {a b} {c d}: one right pair of two found and three wanted
    gold, found = "xxxy", "1122"
    assert pairwise(gold, found) == pytest.approx((1 / 2, 1 / 3, 0.4))
    labelled = [Labelled(g, None, f, None) for g, f in zip(gold, found, strict=True)]
    scores = score(labelled)
    assert scores["bcubed_precision"] == 0.75
    assert scores["bcubed_recall"] == round((2 * 2 / 3 + 1 / 3 + 1) / 4, 4)


def test_the_two_largest_topics_are_left_out() -> None:
    items = [Labelled(n, topic, n, None) for n, topic in enumerate("aaabbbcc")]
    assert {item.gold_topic for item in without_largest_topics(items)} == {"c"}


def test_first_related_counts_only_what_can_be_judged() -> None:
    items = [Labelled(1, "t", 1, None), Labelled(2, "t", 2, None), Labelled(3, "u", 3, None), Labelled(4, None, 4, None)]
    assert first_related_accuracy(items, {1: 2, 3: 1, 2: 99, 4: 1}) == 0.5
    assert first_related_accuracy(items, {}) == 0.0


def line(number: int, told: tuple[str, str], **more: Any) -> dict[str, Any]:
    return {
        "source": f"f{number}",
        "title": told[0],
        "summary": told[1],
        "published": f"2023-12-27T{number:02}:00:00+00:00",
        "link": f"https://f{number}.example/?a={number}&b",
        **more,
    }


STREAM = [line(5, QUAKE[2]), line(1, QUAKE[0]), line(2, BAKERY[0]), line(3, COMET), line(4, QUAKE[1]), line(6, BAKERY[1]), line(7, RATES)]
GOLD = [line(4, QUAKE[1], story="quake", topic="t"), line(5, QUAKE[2], story="quake", topic="t"), line(3, COMET, story=None, topic=None)]


class Spy(StoryEngine):
    seen: list[str]

    def add(self, items: Sequence[Item]) -> Any:
        self.seen += [one.link or "" for one in items]
        return super().add(items)


def make(row: dict[str, Any]) -> Item:
    assert not {"story", "topic", "id"} & set(row), "the labels must not reach the engine"
    made = item(1, row["title"], row["summary"], feed=row["source"], link=row["link"], language=row.get("language", "en"))
    return replace(made, published_at=datetime.fromisoformat(row["published"]))


def run(stream: Sequence[dict[str, Any]], gold: Sequence[dict[str, Any]], **more: Any) -> tuple[Evaluation, list[str]]:
    seen: list[str] = []

    def engine(history: Any) -> StoryEngine:
        made = Spy(StoryParams(), load_tables(), history=history)
        made.seen = seen
        return made

    ticks = itertools.count()
    return evaluate(stream, gold, make_item=make, make_engine=engine, timer=lambda: float(next(ticks)), **more), seen


def test_the_engine_sees_the_stream_in_order_of_time_up_to_the_last_labelled_item() -> None:
    result, seen = run(STREAM, GOLD)
    assert seen == [f"https://f{n}.example/?a={n}&b" for n in (1, 2, 3, 4, 5)]
    assert result.scores["items"] == 3
    assert result.scores["pairwise_f1"] == 1.0
    assert result.scores["items_per_second"] == 5.0


def test_every_input_line_is_assigned_in_its_place_and_unseen_items_have_an_id_of_their_own() -> None:
    result, _ = run([*STREAM, STREAM[0]], GOLD)
    assert [row.link for row in result.assigned] == [row["link"] for row in [*STREAM, STREAM[0]]]
    quake, _, _, comet, _, late, later, again = [row.story for row in result.assigned]
    assert again == quake
    assert [row.story for row in result.assigned].count(quake) == 4
    assert len({quake, comet, late, later}) == 4


def test_without_warm_up_only_labelled_items_are_seen() -> None:
    _, seen = run(STREAM, GOLD, warm_up=False)
    assert len(seen) == 3


def test_labels_in_the_stream_are_ignored() -> None:
    told = [{**row, "story": "all", "topic": "all", "id": 1} for row in STREAM]
    assert run(told, GOLD)[0] == run(STREAM, GOLD)[0]


def test_a_labelled_item_that_the_stream_lacks_counts_as_a_story_of_its_own() -> None:
    result, _ = run(STREAM[:4], GOLD)
    assert (result.scores["missing"], result.scores["pairwise_recall"]) == (1, 0.0)


def test_assigned_is_written_as_the_scorer_reads_it() -> None:
    result, _ = run(STREAM, GOLD)
    first = result.to_tsv().splitlines()[0].split("\t")
    assert first[0] == STREAM[0]["link"]
    assert first[2] == "-"


def test_bad_lines_name_file_and_line() -> None:
    with pytest.raises(UsageError, match=r"stream\.jsonl, line 3"):
        read_lines(['{"a": 1}', "", "{broken"], "stream.jsonl")
    with pytest.raises(UsageError, match="line 1: this is no JSON object"):
        read_lines(["[1]"], "stream.jsonl")
    with pytest.raises(UsageError, match="holds no labels"):
        read_gold([{"link": "x"}], "gold.jsonl")
    with pytest.raises(UsageError, match="byte for byte"):
        run(STREAM[:1], GOLD[:1])


def shared_rows(name: str) -> list[dict[str, Any]]:
    import gzip

    with gzip.open(shared_path(name), "rt", encoding="utf-8") as lines:
        return [json.loads(text) for text in lines]


def test_a_restart_on_a_real_stream_changes_next_to_no_decision() -> None:
    rows = sorted(shared_rows("data/gold-2023-12-26.jsonl.gz"), key=lambda row: (row["published"], row["link"]))
    kept = ("source", "title", "summary", "published", "link")
    items = [replace(make({key: row[key] for key in kept}), id=n) for n, row in enumerate(rows, 1)]
    half = len(items) // 2
    whole = StoryEngine(StoryParams(), load_tables())
    first = whole.add(items[:half])
    second = whole.add(items[half:])
    restarted = StoryEngine(StoryParams(), load_tables())
    by_id = {one.id: one for one in items}
    restarted.restore([(by_id[m.item_id], m) for m in first.memberships], first.stories, [], 1 + max(s.id for s in first.stories), 1)
    again = restarted.add(items[half:])
    decided, anew = assigned_stories([first, second]), assigned_stories([first, again])
    partners = [_partners(decided), _partners(anew)]
    same = sum(partners[0][one.id] == partners[1][one.id] for one in items[half:])
    assert same >= 0.95 * (len(items) - half)


def _partners(story_of: dict[int, int]) -> dict[int, frozenset[int]]:
    """Who is in one story with each item."""
    members: dict[int, set[int]] = {}
    for number, story in story_of.items():
        members.setdefault(story, set()).add(number)
    return {number: frozenset(members[story]) for number, story in story_of.items()}
