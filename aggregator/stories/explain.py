"""Says in sentences why an item is in its story, from what the engine noted when it decided. Pure; decides nothing itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aggregator.model import Coverage, Item, Membership


@dataclass(frozen=True, slots=True)
class Near:
    """One of the items that spoke for (or against) the decision."""

    item_id: int
    similarity: float
    title: str
    publisher: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one item is where it is. `sentence` says the rule and the figures; the rest is what it rests on."""

    item_id: int
    story_id: int
    title: str
    publisher: str
    rule: str
    score: float
    threshold: float
    sentence: str
    words: tuple[tuple[str, float], ...] = ()
    nearest: tuple[Near, ...] = ()


def explain_story(coverage: Coverage, others: Mapping[int, Item] | None = None, item_id: int | None = None) -> tuple[Explanation, ...]:
    """One explanation for each item of the story, oldest first, or for `item_id` alone (empty when it is not in the story).

    `others` are the items outside the story that memberships mention (what was nearest to an item that stayed alone).
    """
    items = {**(others or {}), **{item.id: item for item in coverage.items}}
    by_item = {membership.item_id: membership for membership in coverage.memberships}
    return tuple(
        explain_item(by_item[item.id], items) for item in coverage.items if item.id in by_item and (item_id is None or item.id == item_id)
    )


def mentioned(memberships: Sequence[Membership]) -> tuple[int, ...]:
    """Ids of all items that the memberships speak of, to be looked up for `explain_story`."""
    found = {item for membership in memberships for item, _ in membership.nearest} | {
        m.copy_of for m in memberships if m.copy_of is not None
    }
    return tuple(sorted(found))


def explain_item(membership: Membership, items: Mapping[int, Item]) -> Explanation:
    """The explanation of one membership; items that are not known any more are named by number."""
    item = items.get(membership.item_id)
    return Explanation(
        item_id=membership.item_id,
        story_id=membership.story_id,
        title=item.title if item else f"item {membership.item_id}",
        publisher=item.publisher if item else "",
        rule=membership.rule,
        score=membership.score,
        threshold=membership.threshold,
        sentence=_sentence(membership, items),
        words=membership.terms,
        nearest=tuple(_near(other, similarity, items) for other, similarity in membership.nearest),
    )


def _near(item_id: int, similarity: float, items: Mapping[int, Item]) -> Near:
    item = items.get(item_id)
    return Near(item_id, similarity, item.title if item else f"item {item_id}", item.publisher if item else "")


def _sentence(membership: Membership, items: Mapping[int, Item]) -> str:
    score, asked = f"{membership.score:.2f}", _figure(membership.threshold)
    if membership.rule == "join":
        return f"It joined because it scores {score}, at or above {asked}, against the story as it was then."
    if membership.rule == "copy":
        near = _near(membership.copy_of, 1.0, items) if membership.copy_of is not None else None
        of_what = f"“{near.title}”" + (f" ({near.publisher})" if near.publisher else "") if near else "another item"
        return f"It repeats the text of {of_what}; both count as one independent publisher."
    if membership.rule == "repair":
        return f"It came with a story that was merged into this one, because the two together score {score}, at or above {asked}."
    if membership.rule == "split":
        return "It was cut out of a story that turned out to hold two events, and fits this one better."
    if membership.rule == "round-up":
        return "It announces many subjects at once (a round-up), so that it stays alone and draws no other item."
    if membership.rule == "person":
        return "A person put it here."
    if membership.nearest:
        return f"It began a story of its own: the nearest story scores {score}, below {asked}."
    return "It began a story of its own: no other item of the last days is near."


def _figure(threshold: float) -> str:
    """0.235 in full, 0.3 as 0.30."""
    text = f"{threshold:.3f}"
    return text[:-1] if text.endswith("0") else text


# --- faces -----------------------------------------------------------------------------------------------------------


def to_lines(explanation: Explanation) -> list[str]:
    """The explanation as lines of plain text: item, sentence, shared words, nearest items."""
    heading = f"{explanation.item_id}  {explanation.title}" + (f" ({explanation.publisher})" if explanation.publisher else "")
    lines = [heading, f"    {explanation.sentence}"]
    if explanation.words:
        lines.append("    Shared words: " + ", ".join(f"{word} {share:.0%}" for word, share in explanation.words))
    if explanation.nearest:
        lines.append("    Nearest items:")
        lines += [
            f"      {near.similarity:.2f}  {near.title}" + (f" ({near.publisher})" if near.publisher else "") + f"  [{near.item_id}]"
            for near in explanation.nearest
        ]
    return lines


def to_json(explanation: Explanation) -> dict[str, Any]:
    """The explanation as plain data for --json."""
    return {
        "item": explanation.item_id,
        "story": explanation.story_id,
        "title": explanation.title,
        "publisher": explanation.publisher,
        "rule": explanation.rule,
        "score": explanation.score,
        "threshold": explanation.threshold,
        "sentence": explanation.sentence,
        "words": [{"word": word, "share": share} for word, share in explanation.words],
        "nearest": [
            {"item": near.item_id, "similarity": near.similarity, "title": near.title, "publisher": near.publisher}
            for near in explanation.nearest
        ],
    }
