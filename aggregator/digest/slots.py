"""Which of the ranked stories a reader is shown, and how large: never one event twice, never one publisher's flood. Pure.

    ranked | the first slots by rank | saved searches | more of the shown topics | the rest by rank

What completes a topic or a saved search asks for a line. With a reading time everything stops where the time is up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from aggregator.digest.interests import Filters
from aggregator.digest.rank import Ranked, jaccard
from aggregator.digest.reading import GLANCE_SECONDS, reading_seconds
from aggregator.digest.telling import Telling, title_words
from aggregator.model import Story

MAIN_SHARE, MAIN_LEAST = 2 / 3, 20
"""The share of the slots that go by rank alone, and how many do at least (unless saved searches want their share)."""
COMPANIONS = 2
"""More stories of one shown topic, at most."""
PER_SEARCH = 5
LONE_SHARE = 1 / 6
"""The share of the slots that one publisher may fill with what nobody else tells, before all others had their turn."""
FULL_SHARE = 0.85
"""The share of the reading time that goes to stories told in full."""


@dataclass(frozen=True)
class Slot:
    """A shown story and how long it takes to read. `as_line` asks for a line instead of a paragraph."""

    ranked: Ranked
    seconds: float
    as_line: bool = False


@dataclass
class _Filling:
    told: Mapping[int, Telling]
    filters: Filters
    near: float
    slots: list[Slot] = field(default_factory=list)
    keys: set[int] = field(default_factory=set)
    lone: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def full(self) -> bool:
        return bool(self.filters.limit) and len(self.slots) >= self.filters.limit

    def fits(self, cost: float, share: float) -> bool:
        return not self.filters.minutes or self.seconds + cost <= self.filters.minutes * 60 * share

    def take(self, ranked: Ranked, *, as_line: bool = False, share: float = 1.0) -> bool:
        """Give it a slot. False when the time is up; what the reader has seen already takes none."""
        told = self.told[ranked.key]
        if ranked.key in self.keys or self._seen(told.story):
            return True
        slot = make_slot(told, ranked, as_line=as_line)
        if self.slots and not self.fits(slot.seconds, share):
            return False
        self.slots.append(slot)
        self.keys.add(ranked.key)
        self.seconds += slot.seconds
        if told.sources == 1:
            self.lone[told.items[0].publisher] += 1
        return True

    def _seen(self, story: Story) -> bool:
        return any(same_to_a_reader(story, self.told[key].story, self.near) for key in self.keys)

    def floods(self, ranked: Ranked) -> bool:
        told = self.told[ranked.key]
        return told.sources == 1 and self.lone[told.items[0].publisher] >= max(3, self.filters.limit * LONE_SHARE)


def fill_slots(
    ranked: Sequence[Ranked], told: Mapping[int, Telling], filters: Filters, near: float, searches: Iterable[Callable[[Telling], bool]] = ()
) -> list[Slot]:
    """The slots: those by rank first, then the lines. With neither limit nor reading time every story, so that no item is lost."""
    if not filters.limit and not filters.minutes:
        return [make_slot(told[each.key], each) for each in ranked]
    filling = _Filling(told, filters, near)
    searches = tuple(searches)
    waiting = _take_by_rank(filling, ranked, _by_rank(filters, bool(searches)), FULL_SHARE)
    for each in (*_matching(filling, ranked, searches), *_companions(filling, ranked)):
        if filling.full or not filling.take(each, as_line=True):
            break
    _take_rest(filling, waiting)
    return sorted(filling.slots, key=lambda slot: slot.as_line)  # stable: by rank within


def _by_rank(filters: Filters, searched: bool) -> int:
    """How many slots go by rank alone; 0 = all that the time allows."""
    if not filters.limit or filters.topic is not None:
        return filters.limit
    share = round(filters.limit * MAIN_SHARE)
    return share if searched else max(share, min(filters.limit, MAIN_LEAST))


def _take_by_rank(filling: _Filling, ranked: Sequence[Ranked], main: int, share: float) -> list[Ranked]:
    """Fill `main` slots (0 = all that the time allows). Returns who is left, those that would flood last."""
    flood: list[Ranked] = []
    for place, each in enumerate(ranked):
        if main and len(filling.slots) >= main:
            return [*ranked[place:], *flood]
        if filling.floods(each):
            flood.append(each)
        elif not filling.take(each, share=share):
            return []
    return flood


def _take_rest(filling: _Filling, waiting: Iterable[Ranked]) -> None:
    flood: list[Ranked] = []
    for each in waiting:
        if filling.full:
            return
        if filling.floods(each):
            flood.append(each)
        elif not filling.take(each):
            return
    for each in flood:  # nobody else is left: then one publisher may have the room
        if filling.full or not filling.take(each):
            return


def _matching(filling: _Filling, ranked: Sequence[Ranked], searches: Iterable[Callable[[Telling], bool]]) -> Iterator[Ranked]:
    for matches in searches:
        found = 0
        for each in ranked:
            if matches(filling.told[each.key]):
                found += 1
                yield each
            if found == PER_SEARCH:
                break


def _companions(filling: _Filling, ranked: Sequence[Ranked]) -> Iterator[Ranked]:
    """The best stories of several publishers under each shown topic that are not shown yet, topic by topic."""
    if filling.filters.topic is not None:
        return
    under: dict[int, list[Ranked]] = {}
    for each in ranked:
        told = filling.told[each.key]
        if told.story.topic_id is not None and told.sources > 1:
            under.setdefault(told.story.topic_id, []).append(each)
    shown = list(dict.fromkeys(filling.told[slot.ranked.key].story.topic_id for slot in filling.slots))
    for topic in shown:
        yield from [each for each in under.get(topic or 0, ()) if each.key not in filling.keys][:COMPANIONS]


def make_slot(told: Telling, ranked: Ranked, *, as_line: bool = False) -> Slot:
    """With how long a reader is at the story: its title alone in a line (as lone items are shown, too, unless they are important),
    else all its texts and a glance at the facts and at the links."""
    if as_line or (len(told.items) == 1 and not ranked.parts.get("important")):
        return Slot(ranked, reading_seconds(told.story.title) + GLANCE_SECONDS / 2, as_line)
    return Slot(ranked, reading_seconds(told.story.title, told.story.brief, told.latest, glances=2), as_line)


def same_to_a_reader(a: Story, b: Story, near: float) -> bool:
    """Two stories that say the same in the same words."""
    one, other = title_words(a.title), title_words(b.title)
    if one == other and len(one) >= 3:
        return True
    kin = a.id in b.related or b.id in a.related or (a.topic_id is not None and a.topic_id == b.topic_id)
    return kin and jaccard(one, other) >= near
