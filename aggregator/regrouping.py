"""Stories made anew from the stored items, with the settings of today.

    stored items | group again | keep what people said | old ids for what continues | describe | topics of now | one transaction

Killed at any moment it leaves either the old stories or the new ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from aggregator.model import Correction, Item, Membership, Story, StoryChanges, Topic
from aggregator.ports import CorrectionStore, ItemStore, Organiser, StoryStore
from aggregator.stories.constraints import Constraints
from aggregator.stories.describe import describe_members
from aggregator.stories.engine import Linker
from aggregator.stories.regroup import continued, regroup
from aggregator.stories.text import read_item
from aggregator.stories.view import StoryView, TopicChanges, by_time

_ALWAYS = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did, or would do: `items` in so many stories `before` and `after`.

    `moved` items are in a story of another id than before."""

    items: int
    before: int
    after: int
    kept: int
    """Stories that keep their id."""
    redirects: tuple[tuple[int, int], ...]
    moved: int
    dry_run: bool


@dataclass(slots=True)
class _Old:
    """How it is now: what is grouped again (`items`, oldest first) and what only stands before it (`held`)."""

    items: list[Item] = field(default_factory=list)
    held: dict[int, Membership] = field(default_factory=dict)
    by_id: dict[int, Item] = field(default_factory=dict)
    story_of: dict[int, int] = field(default_factory=dict)
    stories: dict[int, Story] = field(default_factory=dict)
    topics: Sequence[Topic] = ()


@dataclass
class Regrouping:
    """One writer at a time, held by `lock` (the one that organising holds). `make_engine` makes one that only groups."""

    items: ItemStore
    stories: StoryStore
    corrections: CorrectionStore
    make_engine: Callable[[Sequence[Correction]], Organiser]
    make_linker: Callable[[], Linker]
    lock: Callable[[], AbstractContextManager[None]]
    window: timedelta
    topic_history: timedelta

    def rebuild(
        self, since: datetime | None = None, *, dry_run: bool = False, progress: Callable[[int, int], None] | None = None
    ) -> Rebuilt:
        """Group what was published after `since` (None: everything) anew; earlier items stay, and later ones may join them."""
        with self.lock():
            old = self._read(since)
            made = self.corrections.all()
            engine = self.make_engine(made)
            free, _ = self.stories.next_ids()
            members = [(old.by_id[item], member) for item, member in old.held.items()]
            engine.restore(members, [old.stories[story] for story in sorted({m.story_id for m in old.held.values()})], (), free, 1)
            found = regroup(old.items, engine, Constraints(made), held=old.held, free=free, progress=progress)
            links = continued(old.story_of, {item: m.story_id for item, m in found.items()}, fixed={m.story_id for m in old.held.values()})
            now = {item: replace(member, story_id=links.ids[member.story_id]) for item, member in found.items()}
            if not dry_run:
                self.stories.replace(self._changes(old, now, links.redirects))
        again = [item.id for item in old.items]
        before, after = {old.story_of[item] for item in again if item in old.story_of}, {now[item].story_id for item in again}
        return Rebuilt(
            items=len(again),
            before=len(before),
            after=len(after),
            kept=len(after & before),
            redirects=tuple(sorted(links.redirects.items())),
            moved=sum(member.story_id != old.story_of.get(item) for item, member in now.items()),
            dry_run=dry_run,
        )

    def _read(self, since: datetime | None) -> _Old:
        since = since or _ALWAYS
        members, stories, topics = self.stories.active(max(since, _ALWAYS + self.window) - self.window)
        old = _Old(stories={story.id: story for story in stories}, topics=topics)
        for item, membership in members:
            old.by_id[item.id] = item
            old.story_of[item.id] = membership.story_id
            if item.published_at > since:
                old.items.append(item)
            else:
                old.held[item.id] = membership
        for item in self.items.unsorted():
            if item.published_at > since:
                old.by_id[item.id] = item
                old.items.append(item)
        old.items.sort(key=by_time)
        return old

    # --- what to write --------------------------------------------------------------------------------------------------

    def _changes(self, old: _Old, now: Mapping[int, Membership], redirects: Mapping[int, int]) -> StoryChanges:
        members: dict[int, list[tuple[Item, Membership]]] = {}
        for item, member in now.items():
            members.setdefault(member.story_id, []).append((old.by_id[item], member))
        again = {item.id for item in old.items}
        changed = {item: member for item, member in now.items() if item in again or member != old.held[item]}
        touched = {member.story_id for member in changed.values()} | {old.story_of[item] for item in changed if item in old.story_of}
        topic_of = self._inherited(old, now)
        stories = {
            story: describe_members(
                story,
                members[story],
                topic_id=topic_of.get(story),
                related=old.stories[story].related if story in old.stories else (),
            )
            for story in sorted(touched & set(members))
        }
        linked = self._link(old, members, stories)
        for story, record in list(stories.items()):
            topic = linked.topic_of.get(story, record.topic_id)
            stories[story] = replace(record, topic_id=topic, related=tuple(linked.related.get(story, record.related)))
        return StoryChanges(
            memberships=tuple(changed.values()),
            stories=tuple(stories.values()),
            merged=tuple(sorted(redirects.items())),
            topics=linked.topics,
            merged_topics=linked.merged,
        )

    def _inherited(self, old: _Old, now: Mapping[int, Membership]) -> dict[int, int | None]:
        """The topic that most of a story's items were under."""
        votes: dict[int, Counter[int]] = {}
        for item, member in now.items():
            before = old.stories.get(old.story_of.get(item, 0))
            if before is not None and before.topic_id is not None:
                votes.setdefault(member.story_id, Counter())[before.topic_id] += 1
        return {story: max(counts, key=lambda topic: (counts[topic], -topic)) for story, counts in votes.items()}

    def _link(self, old: _Old, members: Mapping[int, list[tuple[Item, Membership]]], stories: Mapping[int, Story]) -> TopicChanges:
        """Topics and related stories of what is active now; older stories keep what they had."""
        newest = max((item.published_at for item in old.by_id.values()), default=None)
        if newest is None:
            return TopicChanges()
        active = []
        for story, held in sorted(members.items()):
            if story in stories and stories[story].last_published_at >= newest - self.window:
                items = sorted((item for item, _ in held), key=by_time)
                active.append(StoryView(story, tuple(items), tuple(read_item(item) for item in items)))
        linker = self.make_linker()
        _, free = self.stories.next_ids()
        linker.restore(old.topics, free)
        recent = [(item, story) for story, held in members.items() for item, _ in held if item.published_at > newest - self.topic_history]
        linker.rebuild(sorted(recent, key=lambda pair: by_time(pair[0])), newest)
        return linker.link(active, active, newest)
