"""Every rule by which an item can have come into a story has a sentence with its figures."""

from __future__ import annotations

import pytest

from aggregator.model import Coverage, Membership, Story
from aggregator.stories.explain import explain_item, explain_story, mentioned, to_json, to_lines
from tests.stories.test_label import START, VISIT, story

ITEMS = {item.id: item for item in story(*VISIT).items}
JOINED = Membership(
    2, 1, score=0.412, threshold=0.235, rule="join", nearest=((1, 0.61), (9, 0.2)), terms=(("blinken", 0.4), ("mexico", 0.25))
)


def test_a_join_names_score_threshold_words_and_neighbours() -> None:
    text = "\n".join(to_lines(explain_item(JOINED, ITEMS)))
    assert "It joined because it scores 0.41, at or above 0.235" in text
    assert "Shared words: blinken 40%, mexico 25%" in text
    assert "0.61  Blinken meets Mexican president over migrant surge (Paper 0)" in text
    assert "0.20  item 9" in text


@pytest.mark.parametrize(
    ("membership", "sentence"),
    [
        (
            Membership(1, 1, 0.1, 0.235, "new", nearest=((2, 0.1),)),
            "It began a story of its own: the nearest story scores 0.10, below 0.235.",
        ),
        (Membership(1, 1), "It began a story of its own: no other item of the last days is near."),
        (
            Membership(1, 1, rule="round-up"),
            "It announces many subjects at once (a round-up), so that it stays alone and draws no other item.",
        ),
        (Membership(1, 1, rule="person"), "A person put it here."),
        (
            Membership(1, 1, 0.24, 0.225, "repair"),
            "It came with a story that was merged into this one, because the two together score 0.24, at or above 0.225.",
        ),
    ],
    ids=lambda value: value.rule if isinstance(value, Membership) else "",
)
def test_each_rule_has_its_sentence(membership: Membership, sentence: str) -> None:
    assert explain_item(membership, ITEMS).sentence == sentence


def test_a_copy_names_what_it_repeats() -> None:
    said = explain_item(Membership(2, 1, 0.9, 0.235, "copy", copy_of=1), ITEMS).sentence
    assert "Blinken meets Mexican president over migrant surge” (Paper 0)" in said


def test_a_story_is_explained_item_by_item_or_for_one() -> None:
    view = story(*VISIT[:2])
    coverage = Coverage(Story(1, "t", START, START), view.items, (Membership(1, 1), JOINED))
    assert [each.item_id for each in explain_story(coverage)] == [1, 2]
    assert [each.rule for each in explain_story(coverage, item_id=2)] == ["join"]
    assert explain_story(coverage, item_id=77) == ()


def test_the_items_to_look_up_are_all_that_are_mentioned() -> None:
    assert mentioned([JOINED, Membership(3, 1, rule="copy", copy_of=4)]) == (1, 4, 9)


def test_the_json_carries_the_same_figures() -> None:
    data = to_json(explain_item(JOINED, ITEMS))
    assert (data["rule"], data["score"], data["threshold"]) == ("join", 0.412, 0.235)
    assert data["nearest"][0] == {"item": 1, "similarity": 0.61, "title": VISIT[0][0], "publisher": "Paper 0"}
