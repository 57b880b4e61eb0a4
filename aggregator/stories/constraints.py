"""What people said about items, kept by every regrouping: these are one event, those are not. Pure.

    corrections, newest first | sets of items that stay together, pairs of sets that stay apart        Constraints
    an engine's items         | which story an item must join, which it must not, which stories must not merge    Bonds

Of two corrections that contradict each other the newer one counts. Where nobody corrected anything, nothing here costs or changes
anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set

import numpy as np
from numpy.typing import NDArray

from aggregator.model import Correction
from aggregator.stories.assign import StoryScores
from aggregator.stories.state import Entry, StoryState

Flags = NDArray[np.bool_]


class Constraints:
    """Sets of items that belong together (must-link, closed under union) and which sets are apart (cannot-link)."""

    def __init__(self, corrections: Iterable[Correction] = ()) -> None:
        self._group_of: dict[int, int] = {}
        self._members: dict[int, list[int]] = {}
        self._apart: dict[int, set[int]] = {}
        self._placed: set[int] = set()
        self._put: set[int] = set()
        for correction in sorted(corrections, key=lambda each: (each.made_at, each.id), reverse=True):
            self._learn(correction)

    def __bool__(self) -> bool:
        return bool(self._group_of)

    def __contains__(self, item: int) -> bool:
        return item in self._group_of

    def is_placed(self, item: int) -> bool:
        """Whether a person said where the item belongs, and not only where it does not."""
        return item in self._placed

    def was_put(self, item: int) -> bool:
        """Whether a person took the item out of a story, or a whole story with it, and put it elsewhere."""
        return item in self._put

    def group(self, item: int) -> int | None:
        """A number that the items have in common that belong together; None when nobody said anything about the item."""
        return self._group_of.get(item)

    def together(self, item: int) -> Sequence[int]:
        """The items that belong with this one, itself among them; empty when nobody said anything about it."""
        group = self._group_of.get(item)
        return self._members[group] if group is not None else ()

    def apart(self, item: int) -> list[int]:
        """The items that must not be in a story with this one."""
        group = self._group_of.get(item)
        return [other for enemy in sorted(self._apart[group]) for other in self._members[enemy]] if group is not None else []

    def are_apart(self, item: int, other: int) -> bool:
        group = self._group_of.get(item)
        return group is not None and self._group_of.get(other) in self._apart[group]

    def groups(self) -> list[list[int]]:
        """All sets of two or more items that belong together."""
        return [members for _, members in sorted(self._members.items()) if len(members) > 1]

    # --- learning -----------------------------------------------------------------------------------------------------

    def _learn(self, correction: Correction) -> None:
        """Take a correction as far as no newer one says otherwise."""
        firsts: list[int] = []
        self._put.update(correction.placed)
        for item in (*correction.placed, *correction.beside):
            self._placed.add(item)
            self._know(item)
            # what a newer correction took apart stays apart: the item goes with the first part that will have it
            with_it = next((first for first in firsts if self._group_of[first] not in self._apart[self._group_of[item]]), None)
            if with_it is None:
                firsts.append(item)
            else:
                self._unite(self._group_of[with_it], self._group_of[item])
        for item in correction.against:
            self._know(item)
        for one in {self._group_of[item] for item in correction.placed}:
            for other in {self._group_of[item] for item in correction.against} - {one}:
                self._apart[one].add(other)
                self._apart[other].add(one)

    def _know(self, item: int) -> None:
        if item not in self._group_of:
            self._group_of[item] = item
            self._members[item] = [item]
            self._apart[item] = set()

    def _unite(self, one: int, other: int) -> None:
        if one == other:
            return
        if len(self._members[one]) < len(self._members[other]):
            one, other = other, one
        moved = self._members.pop(other)
        self._members[one] += moved
        self._group_of.update(dict.fromkeys(moved, one))
        for enemy in self._apart.pop(other):
            self._apart[enemy].discard(other)
            self._apart[enemy].add(one)
            self._apart[one].add(enemy)


NOTHING = Constraints()


class Bonds:
    """The constraints as an engine needs them: it knows in which story the constrained items are at the moment."""

    def __init__(self, constraints: Constraints) -> None:
        self.constraints = constraints
        self._entries: dict[int, Entry] = {}

    def note(self, entry: Entry) -> None:
        """The engine holds this item now; its membership says where, also after merges and splits."""
        if entry.item.id in self.constraints:
            self._entries[entry.item.id] = entry

    def home(self, entry: Entry, active: Mapping[int, StoryState]) -> int | None:
        """The active story of its language that holds the items which belong with this one; of several the one with most."""
        if entry.item.id not in self.constraints:
            return None
        found = Counter(self._stories(self.constraints.together(entry.item.id)))
        able = [(count, -story) for story, count in found.items() if story in active and active[story].language == entry.words.language]
        return -max(able)[1] if able else None

    def best(self, entry: Entry, scores: StoryScores, home: int | None) -> int | None:
        """Position of the story to join among `scores`: its home, else the best that nobody forbids; None when there is none."""
        if entry.item.id not in self.constraints:
            return scores.best
        if home is not None:
            return next(iter(np.flatnonzero(scores.stories == home).tolist()), None)
        barred = set(self._stories(self.constraints.apart(entry.item.id)))
        allowed = np.array([story not in barred for story in scores.stories.tolist()], dtype=bool)
        return int(np.argmax(np.where(allowed, scores.scores, -1.0))) if allowed.any() else None

    def forbid(self, one: int, other: int) -> bool:
        """Whether the two stories hold items that must stay apart."""
        if not self.constraints:
            return False
        held: dict[int, list[int]] = {one: [], other: []}
        for item, entry in self._entries.items():
            if entry.membership is not None and entry.membership.story_id in held:
                held[entry.membership.story_id].append(item)
        ours, theirs = sorted(held.values(), key=len)
        groups = {self.constraints.group(item) for item in theirs}
        return any(self.constraints.group(enemy) in groups for item in ours for enemy in self.constraints.apart(item))

    def cut(self, entries: Sequence[Entry], second: Flags) -> Flags | None:
        """A cut of a story's members as far as people allow it: what a person placed keeps its story, whole.

        None when that cannot be; the parts are exchanged when all that was placed is in the second.
        """
        placed = self._placed(entries)
        if not (placed & second).any():
            return second
        return None if (placed & ~second).any() else ~second

    def drawn(self, entries: Sequence[Entry], side: Flags, drawn: Flags) -> Flags:
        """A new line between two stories as far as people allow it: what a person placed does not move, and nothing moves to
        what it must be kept from."""
        if not self.constraints:
            return drawn
        stays = self._placed(entries)
        for place in np.flatnonzero((drawn != side) & ~stays).tolist():
            others = np.flatnonzero(side == drawn[place]).tolist()
            stays[place] = any(self.constraints.are_apart(entries[place].item.id, entries[other].item.id) for other in others)
        kept = np.where(stays, side, drawn)
        return kept if kept.any() and not kept.all() else side

    def _placed(self, entries: Sequence[Entry]) -> Flags:
        return np.array([self.constraints.is_placed(entry.item.id) for entry in entries], dtype=bool)

    def _stories(self, items: Iterable[int]) -> list[int]:
        entries = [self._entries[item] for item in items if item in self._entries]
        return [entry.membership.story_id for entry in entries if entry.membership is not None]


def settle(story_of: Mapping[int, int], constraints: Constraints, take_id: Callable[[], int]) -> dict[int, int]:
    """The items that must change story so that a finished grouping keeps the constraints: item -> story.

    An engine keeps them within its window; this mends the rest (items weeks apart, in two languages, round-ups). A story that
    holds items of a set goes with it as a whole, unless it holds what the set must be kept from: then the set's items go alone.
    """
    now = dict(story_of)
    held: dict[int, set[int]] = {}
    for item, story in now.items():
        held.setdefault(story, set()).add(item)

    def move(items: Set[int], target: int) -> None:
        for item in items:
            held[now[item]].discard(item)
            now[item] = target
        held.setdefault(target, set()).update(items)

    for members in constraints.groups():
        present = [item for item in members if item in now]
        if not present:
            continue
        counts = Counter(now[item] for item in present)
        target = max(counts, key=lambda story: (counts[story], len(held[story]), -story))
        for story in sorted(set(counts) - {target}):
            whole = not _conflict(held[story] | held[target], constraints)
            move(set(held[story]) if whole else held[story] & set(present), target)
    for story in sorted(held):
        for group in _enemies(held[story], constraints):
            move(group, take_id())
    return {item: story for item, story in now.items() if story_of[item] != story}


def _conflict(items: Set[int], constraints: Constraints) -> bool:
    return any(True for _ in _enemies(items, constraints))


def _enemies(items: Set[int], constraints: Constraints) -> list[set[int]]:
    """The smallest sets of items that must leave so that nobody among `items` is with what it must be kept from."""
    groups: dict[int, set[int]] = {}
    for item in items:
        group = constraints.group(item)
        if group is not None:
            groups.setdefault(group, set()).add(item)
    stay: list[int] = []
    leave: list[set[int]] = []
    for group, held in sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        if any(constraints.are_apart(group, other) for other in stay):
            leave.append(held)
        else:
            stay.append(group)
    return leave
