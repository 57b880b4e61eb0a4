"""Answers to "why not?" and "what if?": a shelf or an engine in memory over stored items; nothing is written.

an item and a story, two items | the items of the days before | shelf | Fit, Pair
a period | grouped with the settings of today, and with others | Change
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aggregator.errors import NotFoundError
from aggregator.model import Correction, Item, Membership
from aggregator.ports import CorrectionStore, ItemStore, StoryStore
from aggregator.stories.compare import Comparer, Fit, Pair
from aggregator.stories.constraints import Constraints
from aggregator.stories.describe import describe_members
from aggregator.stories.engine import StoryEngine
from aggregator.stories.regroup import regroup
from aggregator.stories.view import by_time
from aggregator.stories.whatif import differences

MakeEngine = Callable[[Sequence[Correction], Mapping[str, float]], StoryEngine]
"""An engine that only groups, with some thresholds ("join", "merge") other than the settings'."""

_NEVER = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Part:
    """A story as one of two groupings has it."""

    title: str
    items: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """`kind`: merge, split or mixed (some items go from one story to another)."""

    kind: str
    before: tuple[Part, ...]
    after: tuple[Part, ...]


@dataclass
class Comparing:
    items: ItemStore
    stories: StoryStore
    corrections: CorrectionStore
    make_engine: MakeEngine
    window: timedelta

    # --- why not --------------------------------------------------------------------------------------------------------

    def fit(self, item_id: int, story_id: int) -> tuple[Fit, Fit | None]:
        """An item against a story, and against the one it is in (None when it is in none or alone). Raises NotFoundError."""
        item = self._item(item_id)
        story = self.stories.story(story_id)
        home = self.stories.story_ids([item_id]).get(item_id)
        own = self.stories.story(home) if home is not None and home != story.story.id else None
        others = [*story.items, *(own.items if own is not None else ())]
        comparer = self._comparer(item.published_at, [item, *others])
        fit = comparer.fit(item_id, story.story.id, [each.id for each in story.items])
        mine = comparer.fit(item_id, own.story.id, [each.id for each in own.items]) if own is not None and len(own.items) > 1 else None
        return fit, mine

    def pair(self, one: int, other: int) -> Pair:
        """Raises NotFoundError."""
        items = [self._item(one), self._item(other)]
        return self._comparer(max(item.published_at for item in items), items).pair(one, other)

    def _item(self, item_id: int) -> Item:
        found = self.items.get([item_id])
        if not found:
            raise NotFoundError(f"there is no item {item_id}; `aggregator search` finds items by their words")
        return found[0]

    def _comparer(self, at: datetime, items: Sequence[Item]) -> Comparer:
        made = self.corrections.all()
        engine = self.make_engine(made, {})
        around = [item for item, _ in self.items.history(at - self.window, at)]
        return Comparer(engine.params, engine.tables, [*items, *around], Constraints(made))

    # --- what if --------------------------------------------------------------------------------------------------------

    def what_if(self, thresholds: Mapping[str, float], since: datetime) -> list[Change]:
        """Which stories with an item published after `since` would be other ones with these thresholds."""
        return self._changes(thresholds, since, _NEVER, None)

    def what_if_story(self, thresholds: Mapping[str, float], story_id: int) -> list[Change]:
        """The same for one story: what it would be merged with or split into. Raises NotFoundError."""
        story = self.stories.story(story_id)
        since, until = story.story.first_published_at - timedelta(microseconds=1), story.story.last_published_at + self.window
        return self._changes(thresholds, since, until, {item.id for item in story.items})

    def _changes(self, thresholds: Mapping[str, float], since: datetime, until: datetime, wanted: set[int] | None) -> list[Change]:
        # the days before are grouped too, so that the first stories of the period meet what they would have met
        items = {item.id: item for item, _ in self.items.history(since - self.window, until)}
        made = self.corrections.all()
        found = differences(self._group(items, made, {}), self._group(items, made, thresholds))
        kept = [each for each in found if any(_counts(items[item], since, wanted) for story in each.before for item in story)]
        return [Change(each.kind, tuple(_part(s, items) for s in each.before), tuple(_part(s, items) for s in each.after)) for each in kept]

    def _group(self, items: Mapping[int, Item], made: Sequence[Correction], thresholds: Mapping[str, float]) -> dict[int, int]:
        ordered = sorted(items.values(), key=by_time)
        found = regroup(ordered, self.make_engine(made, thresholds), Constraints(made), held={}, free=1)
        return {item: member.story_id for item, member in found.items()}


def _counts(item: Item, since: datetime, wanted: set[int] | None) -> bool:
    return item.id in wanted if wanted is not None else item.published_at > since


def _part(ids: Sequence[int], items: Mapping[int, Item]) -> Part:
    told = describe_members(0, [(items[item], Membership(item, 0)) for item in ids])
    return Part(told.title, tuple(ids))
