"""Groups items anew and finds which of the new stories continue which old one. Pure.

items | an engine without topics | what people said | item -> membership         regroup
old and new stories | overlap, largest first | new id -> old id, old id -> where it leads     continued
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from aggregator.model import Item, Membership
from aggregator.ports import Organiser
from aggregator.stories.constraints import Constraints, settle
from aggregator.stories.view import follow

CHUNK = 2000
"""Items handed over at once, as the daemon does."""


def regroup(
    items: Sequence[Item],
    engine: Organiser,
    constraints: Constraints,
    *,
    held: Mapping[int, Membership],
    free: int,
    progress: Callable[[int, int], None] | None = None,
) -> dict[int, Membership]:
    """The membership of each of `items` (by published_at) and of those that `held` says the engine was restored with.

    `free` is the first story id that the engine may take.
    """
    found = dict(held)
    moved: dict[int, int] = {}
    for start in range(0, len(items), CHUNK):
        changes = engine.add(items[start : start + CHUNK])
        found.update({member.item_id: member for member in changes.memberships})
        moved.update(changes.merged)
        if progress is not None:
            progress(min(start + CHUNK, len(items)), len(items))
    story_of = {item: follow(moved, member.story_id) for item, member in found.items()}
    fresh = count(max([free - 1, *story_of.values()], default=free - 1) + 1)
    settled = settle(story_of, constraints, fresh.__next__)
    return {
        item: replace(
            member,
            story_id=settled.get(item, story_of[item]),
            rule="person" if item in settled or constraints.was_put(item) else member.rule,
        )
        for item, member in found.items()
    }


@dataclass(frozen=True, slots=True)
class Continued:
    """`ids`: new story -> the id it goes by. `redirects`: old story that is none any more -> the id that it leads to."""

    ids: Mapping[int, int]
    redirects: Mapping[int, int]


def continued(old: Mapping[int, int], new: Mapping[int, int], fixed: Collection[int] = ()) -> Continued:
    """Who continues whom, from item -> story before and after (items without an old story may be in `new` alone).

    The pairs with most items in common come first; of equal ones the oldest ids. `fixed` stories keep their id whatever they hold.
    """
    overlap = Counter((old[item], story) for item, story in new.items() if item in old)
    ids = {story: story for story in set(new.values()) & set(fixed)}
    taken = set(ids)
    for (before, after), _ in sorted(overlap.items(), key=lambda pair: (-pair[1], pair[0])):
        if after not in ids and before not in taken:
            ids[after] = before
            taken.add(before)
    ids |= {story: story for story in set(new.values()) - set(ids)}
    redirects: dict[int, int] = {}
    for (before, after), _ in sorted(overlap.items(), key=lambda pair: (-pair[1], pair[0])):
        if before not in taken:
            redirects.setdefault(before, ids[after])
    return Continued(ids, redirects)
