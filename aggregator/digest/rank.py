"""Which story comes first, and why. Pure; it decides about order only and drops nothing.

A story's rank is a sum whose parts have names (`digest --explain` prints them):

    publishers   log2(1 + independent publishers in the period + a quarter of the earlier ones)
    freshness    halves each quarter of the period that its newest item lies before the period's end
    growth       log2 of independent publishers who came in the period's second half against the first, within ±2
    weight       log2 of the best feed weight among its items of the period
    follow       it, or its topic, is followed
    boost        it has a word that the reader wants more of
    lone         nobody else tells it, so it stands behind what several tell ...
    important    ... unless its feed's weight, a followed topic or a boosted word says that the reader wants it
    like others  maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): its words stand higher up already
    same topic   the k-th story of one saga pays log2(k)
    same feed    the k-th story that one publisher tells alone pays log2(k)

The last three depend on what was picked before: stories are picked greedily, the best first.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class DigestParams:
    """What the parts of the rank weigh, and when two stories count as the same to a reader (settings [ranking])."""

    publishers: float = 1.0
    earlier_share: float = 0.25
    """How much a publisher who told the story before the period counts."""
    freshness: float = 0.6
    freshness_half_life: float = 0.25
    """As a share of the period's length."""
    growth: float = 0.2
    weight: float = 1.0
    follow: float = 1.5
    boost: float = 1.0
    lone: float = 0.75
    important_weight: float = 2.0
    """A lone item of a feed of at least this weight is no also-ran."""
    like_others: float = 0.8
    same_topic: float = 0.2
    same_publisher: float = 0.6
    near_title: float = 0.6
    """Two related stories whose titles share this much of their words (Jaccard) fill one slot."""
    diverse_slots: int = 100
    """Diversity looks at this many picks; what comes after is ordered as it stands against them."""


@dataclass(frozen=True)
class Candidate:
    """What ranking knows of a story. `arrivals` holds when each independent publisher first told it, within the period."""

    key: int
    arrivals: tuple[datetime, ...]
    earlier: int
    last_at: datetime
    weight: float
    publisher: str
    words: frozenset[str]
    topic: int | None = None
    followed: bool = False
    boosted: bool = False
    alone: bool = False


@dataclass(frozen=True)
class Ranked:
    """A candidate's place: the sum and its parts, in the order in which they were added."""

    key: int
    rank: float
    parts: dict[str, float]


def base_parts(candidate: Candidate, from_at: datetime, to_at: datetime, params: DigestParams) -> dict[str, float]:
    """The parts that do not depend on other stories."""
    publishers = len(candidate.arrivals) + params.earlier_share * candidate.earlier
    parts = {
        "publishers": params.publishers * math.log2(1 + publishers),
        "freshness": params.freshness * _freshness(candidate.last_at, from_at, to_at, params.freshness_half_life),
        "growth": params.growth * _growth(candidate.arrivals, from_at, to_at),
        "weight": params.weight * math.log2(max(candidate.weight, 0.01)),
        "follow": params.follow if candidate.followed else 0.0,
        "boost": params.boost if candidate.boosted else 0.0,
    }
    if candidate.alone:
        parts["lone"] = -params.lone
        if candidate.followed or candidate.boosted or candidate.weight >= params.important_weight:
            parts["important"] = params.lone
    return parts


def _freshness(last_at: datetime, from_at: datetime, to_at: datetime, half_life: float) -> float:
    length = max((to_at - from_at).total_seconds(), 1.0)
    age = max((to_at - last_at).total_seconds(), 0.0)
    return math.exp2(-age / (length * half_life)) if half_life else 0.0


def _growth(arrivals: Sequence[datetime], from_at: datetime, to_at: datetime) -> float:
    if len(arrivals) < 2:
        return 0.0
    middle = from_at + (to_at - from_at) / 2
    late = sum(1 for at in arrivals if at > middle)
    return max(-2.0, min(2.0, math.log2((1 + late) / (1 + len(arrivals) - late))))


def rank(candidates: Sequence[Candidate], from_at: datetime, to_at: datetime, params: DigestParams) -> list[Ranked]:
    """All candidates, best first. Ties go to the later story, then to the smaller key, so that the order is reproducible."""
    picking = _Picking([base_parts(each, from_at, to_at, params) for each in candidates], candidates, params)
    return picking.run()


@dataclass
class _Picking:
    """Greedy picking. Penalties only grow, so a candidate that still leads after its penalty is renewed is the best (lazy greedy)."""

    bases: list[dict[str, float]]
    candidates: Sequence[Candidate]
    params: DigestParams
    topics: Counter[int] = field(default_factory=Counter)
    publishers: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.likeness = [0.0] * len(self.candidates)
        self.having: dict[str, list[int]] = {}
        for i, one in enumerate(self.candidates):
            for word in one.words:
                self.having.setdefault(word, []).append(i)

    def run(self) -> list[Ranked]:
        heap = [(-sum(base.values()), *self._tie(i)) for i, base in enumerate(self.bases)]
        heapq.heapify(heap)
        result: list[Ranked] = []
        while heap and len(result) < self.params.diverse_slots:
            i = heapq.heappop(heap)[-1]
            ranked = self._ranked(i)
            entry = (-ranked.rank, *self._tie(i))
            if heap and heap[0] < entry:
                heapq.heappush(heap, entry)
                continue
            self._pick(i)
            result.append(ranked)
        rest = sorted((-(ranked := self._ranked(entry[-1])).rank, *self._tie(entry[-1]), ranked) for entry in heap)
        return result + [entry[-1] for entry in rest]

    def _tie(self, i: int) -> tuple[float, int, int]:
        return -self.candidates[i].last_at.timestamp(), self.candidates[i].key, i

    def _pick(self, i: int) -> None:
        one = self.candidates[i]
        # only who shares a word can be like it: comparing each with each took a third of a large digest's time
        for j, shared in Counter(j for word in one.words for j in self.having[word]).items():
            self.likeness[j] = max(self.likeness[j], shared / math.sqrt(len(one.words) * len(self.candidates[j].words)))
        if one.topic is not None:
            self.topics[one.topic] += 1
        if one.alone:
            self.publishers[one.publisher] += 1

    def _ranked(self, i: int) -> Ranked:
        one, params = self.candidates[i], self.params
        penalties = {
            "like others": -params.like_others * self.likeness[i],
            "same topic": -params.same_topic * math.log2(1 + self.topics[one.topic]) if one.topic is not None else 0.0,
            "same feed": -params.same_publisher * math.log2(1 + self.publishers[one.publisher]) if one.alone else 0.0,
        }
        parts = {name: value for name, value in {**self.bases[i], **penalties}.items() if value}
        return Ranked(one.key, sum(parts.values()), parts)


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Shared words as a share of all words, 0-1."""
    return len(a & b) / len(a | b) if a and b else 0.0
