"""Scores of assigned stories and topics against labels: B-cubed, pairwise, related. Pure.

n_ij = items of gold story i in found story j, N items:
  B-cubed   P = sum n_ij^2 / n_.j / N,  R = sum n_ij^2 / n_i. / N            (Bagga and Baldwin 1998)
  pairwise  precision and recall over pairs of items in one story
  related   the same over pairs of items of different gold stories: wanted when both have the same gold topic, found when they
            are in different found stories under the same found topic
F1 = 2PR / (P + R). B-cubed flatters where most items stand alone: read it beside pairwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

Rates = tuple[float, float, float]
"""Precision, recall, F1."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One labelled item: its story and topic in the labels and as found; topics may be None."""

    gold_story: Hashable
    gold_topic: Hashable | None
    found_story: Hashable
    found_topic: Hashable | None


def rates(precision: float, recall: float) -> Rates:
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def bcubed(gold: Sequence[Hashable], found: Sequence[Hashable]) -> Rates:
    if not gold:
        return rates(1.0, 1.0)
    both, of_gold, of_found = Counter(zip(gold, found, strict=True)), Counter(gold), Counter(found)
    precision = sum(n * n / of_found[story] for (_, story), n in both.items()) / len(gold)
    recall = sum(n * n / of_gold[story] for (story, _), n in both.items()) / len(gold)
    return rates(precision, recall)


def pairwise(gold: Sequence[Hashable], found: Sequence[Hashable]) -> Rates:
    return _shares(_pairs(zip(gold, found, strict=True)), _pairs(found), _pairs(gold))


def related(items: Sequence[Labelled]) -> Rates:
    """Counted, not listed: pairs under one label less those within one story (two sagas alone make a hundred thousand pairs)."""
    wanted = _apart([(item.gold_topic, item.gold_story) for item in items if item.gold_topic is not None])
    under = [item for item in items if item.found_topic is not None]
    have = _both_apart([(item.found_topic, item) for item in under])
    hit = _both_apart([((item.found_topic, item.gold_topic), item) for item in under if item.gold_topic is not None])
    return _shares(hit, have, wanted)


def without_largest_topics(items: Sequence[Labelled], count: int = 2) -> list[Labelled]:
    """The items outside the gold topics with the most items: what is left shows how small sagas fare."""
    sizes = Counter(item.gold_topic for item in items if item.gold_topic is not None)
    largest = {topic for topic, _ in sorted(sizes.items(), key=lambda row: (-row[1], str(row[0])))[:count]}
    return [item for item in items if item.gold_topic not in largest]


def first_related_accuracy(items: Sequence[Labelled], first: Mapping[Hashable, Hashable]) -> float:
    """How often the first related story has the same gold topic.

    Over the found stories that have a gold topic (that of most of their labelled items) and whose first related story
    (`first`) holds labelled items too; others cannot be judged. 0 when there is none.
    """
    topics: dict[Hashable, Counter[Hashable | None]] = {}
    for item in items:
        topics.setdefault(item.found_story, Counter())[item.gold_topic] += 1
    topic = {story: min(counts, key=lambda name: (-counts[name], str(name))) for story, counts in topics.items()}
    judged = [(story, first[story]) for story in topic if topic[story] is not None and first.get(story) in topic]
    return sum(topic[story] == topic[other] for story, other in judged) / len(judged) if judged else 0.0


def score(items: Sequence[Labelled]) -> dict[str, float]:
    """The twelve figures, rounded to four digits, by name."""
    gold, found = [item.gold_story for item in items], [item.found_story for item in items]
    out: dict[str, float] = {"items": len(items), "gold_stories": len(set(gold)), "assigned_stories": len(set(found))}
    for name, values in (("bcubed", bcubed(gold, found)), ("pairwise", pairwise(gold, found)), ("related", related(items))):
        out |= {f"{name}_{rate}": round(value, 4) for rate, value in zip(("precision", "recall", "f1"), values, strict=True)}
    out["singletons_bcubed_f1"] = round(bcubed(gold, range(len(gold)))[2], 4)
    out["related_f1_small"] = round(related(without_largest_topics(items))[2], 4)
    return out


def _shares(hit: int, found: int, wanted: int) -> Rates:
    return rates(hit / found if found else 1.0, hit / wanted if wanted else 1.0)


def _pairs(labels: Iterable[Hashable]) -> int:
    return sum(n * (n - 1) // 2 for n in Counter(labels).values())


def _apart(rows: Sequence[tuple[Hashable, Hashable]]) -> int:
    """Pairs under one label that are not in one story."""
    return _pairs(label for label, _ in rows) - _pairs(rows)


def _both_apart(rows: Sequence[tuple[Hashable, Labelled]]) -> int:
    """Pairs under one label that are in one story neither in the labels nor as found (inclusion and exclusion)."""
    return (
        _pairs(label for label, _ in rows)
        - _pairs((label, item.gold_story) for label, item in rows)
        - _pairs((label, item.found_story) for label, item in rows)
        + _pairs((label, item.gold_story, item.found_story) for label, item in rows)
    )
