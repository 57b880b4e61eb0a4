"""What would be grouped otherwise: two groupings of the same items, and where they differ. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """Stories (as sets of item ids, the largest first) that would be other ones: several become one ("merge"), one becomes
    several ("split"), or some items go from one to another ("mixed")."""

    before: tuple[tuple[int, ...], ...]
    after: tuple[tuple[int, ...], ...]

    @property
    def kind(self) -> str:
        if len(self.before) > 1:
            return "mixed" if len(self.after) > 1 else "merge"
        return "split"


def differences(before: Mapping[int, int], after: Mapping[int, int]) -> list[Difference]:
    """Where two groupings (item -> story) of the same items differ, those with the most items first."""
    joined: dict[tuple[str, int], tuple[str, int]] = {}

    def root(node: tuple[str, int]) -> tuple[str, int]:
        while joined.setdefault(node, node) != node:
            joined[node] = joined[joined[node]]
            node = joined[node]
        return node

    for item, story in before.items():
        joined[root(("before", story))] = root(("after", after[item]))
    parts: dict[tuple[str, int], list[int]] = {}
    for item, story in sorted(before.items()):
        parts.setdefault(root(("before", story)), []).append(item)
    found = [Difference(_stories(items, before), _stories(items, after)) for items in parts.values()]
    return sorted(
        (each for each in found if len(each.before) > 1 or len(each.after) > 1),
        key=lambda each: (-sum(map(len, each.before)), each.before),
    )


def _stories(items: list[int], story_of: Mapping[int, int]) -> tuple[tuple[int, ...], ...]:
    sizes = Counter(story_of[item] for item in items)
    order = sorted(sizes, key=lambda story: (-sizes[story], story))
    return tuple(tuple(item for item in items if story_of[item] == story) for story in order)
