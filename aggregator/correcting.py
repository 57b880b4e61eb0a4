"""What people put right about stories: merge, split, move, and taking it back.

    what was said | which items change story | describe the touched stories again | correction and stories, one transaction

The store keeps the correction as sets of items; the engine holds to it from then on (stories/constraints.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from aggregator.errors import NotFoundError, UsageError
from aggregator.model import Clock, Correction, Item, JsonObject, Membership, StoriesBefore, Story, StoryChanges
from aggregator.ports import CorrectionStore, ItemStore, StoryStore
from aggregator.stories.describe import describe_members
from aggregator.times import iso


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a correction changed, or would change: items by the story they left and the one they are in now."""

    verb: str
    undone: bool
    moved: tuple[tuple[int, int, int], ...]
    """(item id, story it was in, story it is in now)."""
    stories: tuple[Story, ...]
    """The touched stories as they are now."""
    redirects: tuple[tuple[int, int], ...] = ()
    """(story id that went, story it leads to now)."""
    correction: int | None = None
    """None for a dry run."""


@dataclass(frozen=True, slots=True)
class _Plan:
    changes: StoryChanges
    moved: tuple[tuple[int, int, int], ...]

    def done(self, verb: str, *, undone: bool = False, correction: int | None = None) -> Corrected:
        return Corrected(verb, undone, self.moved, self.changes.stories, self.changes.merged, correction)


@dataclass
class Correcting:
    """One writer at a time, held by `lock` (the one that organising holds)."""

    stories: StoryStore
    items: ItemStore
    corrections: CorrectionStore
    clock: Clock
    lock: Callable[[], AbstractContextManager[None]]
    dry_run: bool = field(default=False, kw_only=True)

    # --- the verbs ----------------------------------------------------------------------------------------------------

    def merge(self, ids: Sequence[int]) -> Corrected:
        """The items of all these stories become part of the first. Raises NotFoundError, UsageError."""
        with self.lock():
            kept, *others = dict.fromkeys(self.stories.resolve(id_) for id_ in ids)
            if not others:
                raise UsageError(f"{_listed(ids)} are one story already, story {kept}; name two different stories")
            beside = self._members(kept)
            gone = [member for other in others for member in self._members(other).values()]
            plan = self._plan([replace(member, story_id=kept, rule="person") for member in gone])
            placed = tuple(member.item_id for member in gone)
            named = tuple(dict.fromkeys((*ids, kept, *others)))
            return self._write(Correction("merge", self.clock(), placed, tuple(beside), story_ids=named), plan)

    def split(self, story_id: int, item_ids: Sequence[int]) -> Corrected:
        """These items leave the story into a new one together; the larger part keeps the id. Raises NotFoundError, UsageError."""
        with self.lock():
            story = self.stories.resolve(story_id)
            members = self._members(story)
            placed = tuple(dict.fromkeys(item_ids))
            for item in placed:
                if item not in members:
                    raise NotFoundError(f"item {item} is not in story {story}; `aggregator stories show {story}` lists its items")
            against = tuple(item for item in members if item not in placed)
            if not against:
                raise UsageError(f"these are all items of story {story}: nothing would stay in it; leave some out")
            new, _ = self.stories.next_ids()
            leaving = placed if len(placed) <= len(against) else against
            plan = self._plan([replace(members[item], story_id=new, rule="person") for item in leaving])
            named = tuple(dict.fromkeys((story_id, story, new)))
            return self._write(Correction("split", self.clock(), placed, against=against, story_ids=named), plan)

    def move(self, item_ids: Sequence[int], story_id: int) -> Corrected:
        """These items leave the stories they are in for another. Raises NotFoundError, UsageError."""
        with self.lock():
            target = self.stories.resolve(story_id)
            homes = self._homes(item_ids)
            placed = tuple(item for item, home in homes.items() if home != target)
            if not placed:
                raise UsageError(f"{_listed(item_ids, 'item')} in story {target} already; name items of another story")
            beside = tuple(item for item in self._members(target) if item not in placed)
            left = {home: self._members(home) for home in dict.fromkeys(homes[item] for item in placed)}
            against = tuple(item for members in left.values() for item in members if item not in placed)
            plan = self._plan([replace(left[homes[item]][item], story_id=target, rule="person") for item in placed])
            named = tuple(dict.fromkeys((story_id, target, *left)))
            return self._write(Correction("move", self.clock(), placed, beside, against, story_ids=named), plan)

    def undo(self, verb: str, story_ids: Sequence[int] = (), item_ids: Sequence[int] = ()) -> Corrected:
        """Take back the latest correction of that verb that concerns all of these. Raises NotFoundError.

        Items that a later correction or a repair has put elsewhere since stay where they are.
        """
        with self.lock():
            made = [each for each in self.corrections.all() if each.verb == verb and _concerns(each, story_ids, item_ids)]
            if not made:
                about = " ".join(part for part in (_listed(story_ids, "story", "stories"), _listed(item_ids, "item")) if part)
                raise NotFoundError(f"no {verb} of {about} is to be undone; `aggregator stories corrections` lists what is")
            before = self.corrections.before(made[-1].id)
            revived, members = self._as_before(made[-1], before)
            plan = self._plan(members, {story.id: story for story in before.stories})
            if not self.dry_run:
                self.corrections.take_back(made[-1].id, plan.changes, revived)
            return plan.done(verb, undone=True, correction=None if self.dry_run else made[-1].id)

    # --- what was said, for others --------------------------------------------------------------------------------------

    def labelled(self) -> Iterator[JsonObject]:
        """Pairs of items that people said are the same event or different ones. A chain of "same" is not spelled out."""
        corrections = self.corrections.all()
        wanted = sorted({item for each in corrections for item in (*each.placed, *each.beside, *each.against)})
        links = {item.id: item.link for item in self.items.get(wanted)}
        for each in corrections:
            for one, other, label in _pairs(each):
                yield {
                    "link": links.get(one),
                    "other": links.get(other),
                    "label": label,
                    "made": iso(each.made_at),
                    "verb": each.verb,
                    "items": [one, other],
                }

    # --- how ------------------------------------------------------------------------------------------------------------

    def _members(self, story: int) -> dict[int, Membership]:
        return {member.item_id: member for member in self.stories.story(story).memberships}

    def _homes(self, item_ids: Sequence[int]) -> dict[int, int]:
        found = self.stories.story_ids(item_ids)
        for item in item_ids:
            if item not in found:
                raise NotFoundError(f"item {item} is in no story; `aggregator search` finds items by their words")
        return {item: found[item] for item in dict.fromkeys(item_ids)}

    def _write(self, correction: Correction, plan: _Plan) -> Corrected:
        made = None if self.dry_run else self.corrections.record(correction, plan.changes)
        return plan.done(correction.verb, correction=made)

    def _as_before(self, correction: Correction, before: StoriesBefore) -> tuple[list[int], list[Membership]]:
        """The story ids that live again, and the memberships that come back (of items still where the correction put them)."""
        now = self.stories.story_ids([member.item_id for member in before.memberships])
        places = {resolved for story in correction.story_ids if (resolved := self._find(story)) is not None}
        back = [member for member in before.memberships if now.get(member.item_id) in places]
        gone = {story.id for story in before.stories if self._find(story.id) != story.id}
        ours = gone & set(correction.story_ids)
        members = []
        for member in back:
            story = member.story_id if member.story_id in ours else self._find(member.story_id)
            if story is not None:
                members.append(replace(member, story_id=story))
        return sorted({member.story_id for member in members} & ours), members

    def _find(self, story: int) -> int | None:
        try:
            return self.stories.resolve(story)
        except NotFoundError:
            return None

    def _plan(self, members: Sequence[Membership], known: Mapping[int, Story] | None = None) -> _Plan:
        """What follows from these new memberships. `known`: earlier records of stories, for what is not described (topic, related)."""
        homes = self.stories.story_ids([member.item_id for member in members])
        new = {member.item_id: member for member in members}
        held: dict[int, dict[int, tuple[Item, Membership]]] = {}
        records: dict[int, Story] = {}
        for story in sorted({*homes.values(), *(member.story_id for member in members)}):
            if self._find(story) == story:
                coverage = self.stories.story(story)
                records[story] = coverage.story
                by_item = {member.item_id: member for member in coverage.memberships}
                held[story] = {item.id: (item, by_item[item.id]) for item in coverage.items}
        for item, member in new.items():
            pair, _ = held[homes[item]].pop(item)
            held.setdefault(member.story_id, {})[item] = pair, member
        leads = {
            story: Counter(new[item].story_id for item, home in homes.items() if home == story).most_common(1)[0][0]
            for story, left in held.items()
            if not left
        }
        records |= {story: record for story, record in (known or {}).items() if story in held}
        stories = [
            self._describe(story, list(left.values()), records, homes, leads, fresh=story not in homes.values())
            for story, left in sorted(held.items())
            if left
        ]
        moved = tuple((item, homes[item], member.story_id) for item, member in new.items())
        return _Plan(StoryChanges(tuple(members), tuple(stories), tuple(sorted(leads.items()))), moved)

    def _describe(
        self,
        story: int,
        members: list[tuple[Item, Membership]],
        records: Mapping[int, Story],
        homes: Mapping[int, int],
        leads: Mapping[int, int],
        *,
        fresh: bool,
    ) -> Story:
        record = records.get(story)
        sources = [records[home] for home in dict.fromkeys(homes[item.id] for item, _ in members if item.id in homes)]
        topics = [each.topic_id for each in (*([record] if record else []), *sources) if each.topic_id is not None]
        topic = next((topic for topic in topics if self._has_topic(topic)), None)
        # a story that came out of another points back at it
        related = record.related if record else tuple(each.id for each in sources if fresh)
        told = describe_members(story, members, topic_id=topic, related=[each for each in related if leads.get(each, each) != story])
        return replace(told, language=record.language) if record is not None else told

    def _has_topic(self, topic: int) -> bool:
        try:
            return self.stories.resolve_topic(topic) == topic
        except NotFoundError:
            return False


def _concerns(correction: Correction, story_ids: Iterable[int], item_ids: Iterable[int]) -> bool:
    return set(story_ids) <= set(correction.story_ids) and set(item_ids) <= set(correction.placed)


def _pairs(correction: Correction) -> Iterator[tuple[int, int, str]]:
    first = (*correction.beside, *correction.placed)[0]
    yield from ((first, item, "same") for item in correction.placed if item != first)
    yield from ((item, other, "different") for item in correction.placed for other in correction.against)


def _listed(ids: Sequence[int], noun: str = "story", plural: str | None = None) -> str:
    """ "stories 3 and 4"."""
    if not ids:
        return ""
    numbers = [str(id_) for id_ in dict.fromkeys(ids)]
    name = noun if len(numbers) == 1 else plural or {"story": "stories"}.get(noun, f"{noun}s")
    return f"{name} " + (f"{', '.join(numbers[:-1])} and {numbers[-1]}" if len(numbers) > 1 else numbers[0])
