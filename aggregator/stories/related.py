"""Which other stories a reader of one would be pointed to. Pure.

stories as words and projections | similarity, more words than projection, more within a topic | the nearest three
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aggregator.stories.company import NO_TOPIC, Numbers
from aggregator.stories.linkage import BLOCK, RELATED_WORDS, pair_similarity
from aggregator.stories.sagas import Floats


@dataclass(frozen=True, slots=True)
class Related:
    """`least`: similarity of a related story outside the topic; within it `same_topic` less will do, and comes first. At most `most`."""

    least: float = 0.35
    same_topic: float = 0.3
    most: int = 3


def find_related(rows: Sequence[int], topics: Numbers, words: Any, soft: Floats, related: Related) -> dict[int, list[int]]:
    """For each of `rows` the rows of related stories, nearest first.

    `topics`: of each story, by row of `words` and `soft`, the topic or NO_TOPIC.
    """
    found: dict[int, list[int]] = {}
    for start in range(0, len(rows), BLOCK):
        block = list(rows[start : start + BLOCK])
        near = pair_similarity(words[block], soft[block], words, soft, RELATED_WORDS)
        near[(topics[block, None] == topics) & (topics[block, None] != NO_TOPIC)] += related.same_topic
        lines = np.arange(len(block))
        near[lines, block] = -1
        for row in block:
            found[row] = []
        for _ in range(related.most):
            best = near.argmax(axis=1)
            for place in np.flatnonzero(near[lines, best] >= related.least):
                found[block[place]].append(int(best[place]))
            near[lines, best] = -1
    return found
