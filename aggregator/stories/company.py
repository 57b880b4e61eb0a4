"""Lets single stories follow their nearest ones: out of a saga in which they have hardly any, into one that holds nearly all. Pure.

A centre says little of a saga that grew for weeks: its newest sides lie far from it, while something else may lie near. The stories
of now tell both apart (a vote of the k nearest, Cover and Hart 1967). Measured on 26-27 December 2023 as the mean of four
projections and starts: related precision .629 -> .646, recall .479 -> .502; of 5 to 20 nearest and 60 to 90 % of them all score alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aggregator.stories.linkage import BLOCK, RELATED_WORDS, pair_similarity
from aggregator.stories.sagas import Floats

Numbers = NDArray[np.int64]
NO_TOPIC = -1


@dataclass(frozen=True, slots=True)
class Company:
    """Of its `nearest` stories, as far as they are alike by `least`, a story needs `stays` in its saga to stay there, if that has
    `saga` stories or more, and `follows` in a saga to go there when it has no topic."""

    nearest: int = 10
    stays: int = 3
    follows: int = 7
    least: float = 0.15
    saga: int = 12


def follow_company(
    rows: Sequence[int], topics: Numbers, sagas: Collection[int], words: Any, soft: Floats, company: Company
) -> dict[int, int]:
    """The topic, or NO_TOPIC, of each of `rows` that goes elsewhere.

    `topics`: of each story, by row of `words` and `soft`, the topic or NO_TOPIC. `sagas`: the topics that stories may follow into
    or leave. First those go that do not belong; who follows is asked of what is left.
    """
    sizes = Counter(topics.tolist())
    large = {topic for topic in sagas if sizes[topic] >= company.saga}
    asked = [row for row in rows if topics[row] == NO_TOPIC or int(topics[row]) in large]
    near = _nearest(asked, words, soft, company)
    topics = topics.copy()
    found: dict[int, int] = {}
    for row, others in zip(asked, near, strict=True):
        if topics[row] != NO_TOPIC and int((topics[others] == topics[row]).sum()) < company.stays:
            found[row] = NO_TOPIC
    topics[list(found)] = NO_TOPIC
    for row, others in zip(asked, near, strict=True):
        if topics[row] == NO_TOPIC:
            topic, votes = Counter(topics[others].tolist()).most_common(1)[0] if len(others) else (NO_TOPIC, 0)
            if topic in sagas and votes >= company.follows:
                found[row] = topic
    return found


def _nearest(rows: Sequence[int], words: Any, soft: Floats, company: Company) -> list[Numbers]:
    """For each row the rows of the other stories that are nearest to it, nearest first, without what is not alike."""
    found: list[Numbers] = []
    for start in range(0, len(rows), BLOCK):
        block = list(rows[start : start + BLOCK])
        near = pair_similarity(words[block], soft[block], words, soft, RELATED_WORDS)
        near[np.arange(len(block)), block] = -1
        few = min(company.nearest, near.shape[1] - 1)
        order = np.argsort(-near, axis=1, kind="stable")[:, :few]
        found += [places[scores[places] >= company.least] for scores, places in zip(near, order, strict=True)]
    return found
