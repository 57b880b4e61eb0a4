"""Which story an item belongs to, and why. Pure.

likeness to items | by story: half the largest, half the mean | >= 0.23 joins the best, else a new story
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aggregator.stories.roster import Numbers
from aggregator.stories.shelf import Neighbours, Shelf
from aggregator.stories.state import Entry

Wide = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StoryScores:
    """The stories among an item's neighbours, by ascending id: sum and maximum of the likeness to members, and the score."""

    stories: Numbers
    sums: Wide
    maxima: Wide
    scores: Wide

    @property
    def best(self) -> int | None:
        """Position of the highest score; of equal ones the oldest story; None when there is no neighbour."""
        return int(np.argmax(self.scores)) if len(self.scores) else None

    def links(self, least: float, wanted: Container[int] = ()) -> dict[int, tuple[float, float]]:
        """Sum and maximum by story, where the maximum is `least` or more or the story is wanted in any case."""
        stories, maxima = self.stories.tolist(), self.maxima.tolist()
        places = [place for place, story in enumerate(stories) if maxima[place] >= least or story in wanted]
        return {stories[place]: (float(self.sums[place]), maxima[place]) for place in places}


def score_stories(stories: Numbers, neighbours: Neighbours, sizes: Callable[[Sequence[int]], Sequence[int]]) -> StoryScores:
    """Half the largest likeness plus half the mean over *all* members of a story (those that are no neighbours count 0).

    `stories[i]` is the story of neighbour i. Measured: the maximum alone chains sagas into one story, the mean alone splits
    long stories; both together are .05 pairwise F1 better than either.
    """
    if not len(stories):
        nothing = np.zeros(0)
        return StoryScores(stories, nothing, nothing, nothing)
    values = neighbours.likeness.astype(np.float64)
    if (stories[1:] < stories[:-1]).any():
        order = np.argsort(stories, kind="stable")
        stories, values = stories[order], values[order]
    starts = np.concatenate([[0], np.flatnonzero(stories[1:] != stories[:-1]) + 1])
    sums, maxima = np.add.reduceat(values, starts), np.maximum.reduceat(values, starts)
    found = stories[starts]
    members = np.maximum(np.array(sizes(found.tolist())), 1)
    return StoryScores(found, sums, maxima, 0.5 * maxima + 0.5 * sums / members)


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why an item went where it went: the nearest members of the best story, and the words shared with the nearest of them."""

    nearest: tuple[tuple[Entry, float], ...] = ()
    terms: tuple[tuple[str, float], ...] = ()


def explain_choice(
    shelf: Shelf, row: int, neighbours: Neighbours, of_story: NDArray[np.bool_], *, nearest: int = 3, terms: int = 8
) -> Reasons:
    """Reasons out of the neighbours that `of_story` marks (those in the best story)."""
    marked = np.flatnonzero(of_story)
    order = marked[np.argsort(-neighbours.likeness[marked], kind="stable")][:nearest]
    if not len(order):
        return Reasons()
    rows = neighbours.rows[order].tolist()
    shared = shelf.shared(row, rows[0], terms)
    spelled = spellings(shelf.entries[row], {stem for stem, _ in shared})
    return Reasons(
        nearest=tuple((shelf.entries[other], round(float(like), 4)) for other, like in zip(rows, neighbours.likeness[order], strict=True)),
        terms=tuple((spelled.get(stem, stem), round(share, 4)) for stem, share in shared),
    )


def spellings(entry: Entry, stems: set[str]) -> dict[str, str]:
    """Stem -> the word as the item first spells it: people read words, not stems."""
    said, found = entry.words, dict[str, str]()
    for held, words in (
        (said.title_stems, said.title_words),
        (said.summary_stems, said.summary_words),
        (said.slug_stems, said.slug_words),
    ):
        for stem in stems - found.keys():
            if stem in held:
                found[stem] = words[held.index(stem)]
    return found
