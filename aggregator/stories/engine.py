"""StoryEngine: groups items into stories as they come, mends early mistakes, and has stories described and tied into topics.

    items | sort by time, link | batches of 50: count, weigh, neighbours | assign | merge | rounds: describe | link  -> StoryChanges

Pure: no clock, no disk; the same items in the same order give the same stories. Time is the items' own. It decides which story
an item is in; headlines, briefs and topics are the collaborators' work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from aggregator.model import Item, Membership, Story, StoryChanges, Topic
from aggregator.stories.assign import StoryScores, explain_choice, score_stories
from aggregator.stories.cohesion import Cohesion
from aggregator.stories.constraints import NOTHING, Bonds, Constraints
from aggregator.stories.copies import CopyParams, count_sources, find_copied
from aggregator.stories.frequencies import FrequencyTable
from aggregator.stories.measure import Likeness
from aggregator.stories.repair import Merge, StoryPairs
from aggregator.stories.roster import Numbers
from aggregator.stories.shelf import Neighbours, Shelf
from aggregator.stories.split import SplitParams, find_cut, redraw
from aggregator.stories.state import Entry, StoryState, to_entry
from aggregator.stories.text import INFLECTED
from aggregator.stories.view import StoryView, TopicChanges, by_time


class Linker(Protocol):
    """Ties stories into topics (stories/topics.py)."""

    def restore(self, topics: Sequence[Topic], next_id: int) -> None: ...

    def rebuild(self, history: Sequence[tuple[Item, int]], at: datetime) -> TopicChanges: ...

    def link(self, changed: Sequence[StoryView], active: Sequence[StoryView], at: datetime) -> TopicChanges: ...


@dataclass(frozen=True, slots=True)
class Description:
    """What a story is called and about."""

    title: str
    brief: str = ""
    keywords: tuple[str, ...] = ()


Describe = Callable[[StoryView], Description]
History = Callable[[datetime, datetime], Sequence[tuple[Item, int]]]
"""Items with their story ids, published in (from, to]."""


@dataclass(frozen=True, slots=True)
class StoryParams:
    """Thresholds of the grouping; each lies on a plateau of the labelled streams (join .225-.235 scores the same within noise).

    `crowd`: what a story of `crowded` items or more asks more of a single item: of those that scored .22 to .26 two in five
    belonged there, three in five to smaller stories.
    `inflected`: factor on both where one word has many forms (text.INFLECTED). `round` is how many items are organised before
    stories are described and linked; `topic_history` how far back topics look.
    """

    join: float = 0.23
    merge: float = 0.22
    crowd: float = 0.02
    crowded: int = 8
    inflected: float = 0.76
    batch: int = 50
    round: int = 2000
    topic_history: timedelta = timedelta(days=21)
    likeness: Likeness = field(default_factory=Likeness)
    copies: CopyParams = field(default_factory=CopyParams)
    split: SplitParams = field(default_factory=SplitParams)

    def of_language(self, language: str) -> tuple[float, float]:
        """What a likeness must reach to join and to merge in that language."""
        factor = self.inflected if language in INFLECTED else 1.0
        return round(self.join * factor, 4), round(self.merge * factor, 4)

    def of_crowd(self, language: str, size: int) -> float:
        """What a story of that many asks of a single item for being crowded; 0 when it is not."""
        return round(self.of_language(language)[0] + self.crowd, 4) if size >= self.crowded else 0.0

    def to_join(self, language: str, size: int) -> float:
        """What an item must reach to join a story of that many."""
        return max(self.of_language(language)[0], self.of_crowd(language, size))

    @classmethod
    def of(
        cls, *, window_seconds: float, join: float, merge: float, same_feed: float, batch: int, topic_history_seconds: float
    ) -> StoryParams:
        """From the settings [stories] and [topics]."""
        likeness = Likeness(same_feed=same_feed, window_seconds=window_seconds)
        return cls(join=join, merge=merge, batch=batch, topic_history=timedelta(seconds=topic_history_seconds), likeness=likeness)


_SWEEP = 20, 400
"""Batches between two sweeps for stories that are done: so many, and one for so many active stories (a sweep looks at all of
them). They take part in nothing, so it only costs memory to wait."""


@dataclass(slots=True)
class _Round:
    """What changed since the last description; ids of stories, items by id."""

    stories: dict[int, StoryState] = field(default_factory=dict)
    memberships: dict[int, Membership] = field(default_factory=dict)


@dataclass(slots=True)
class _Outcome:
    """What one call of `add` comes to."""

    memberships: dict[int, Membership] = field(default_factory=dict)
    stories: dict[int, Story] = field(default_factory=dict)
    merged: list[tuple[int, int]] = field(default_factory=list)
    topics: dict[int, Topic] = field(default_factory=dict)
    merged_topics: list[tuple[int, int]] = field(default_factory=list)

    def topic_changes(self, changes: TopicChanges) -> None:
        self.topics.update({topic.id: topic for topic in changes.topics})
        self.merged_topics.extend(changes.merged)

    def changes(self) -> StoryChanges:
        gone = {old for old, _ in self.merged}
        return StoryChanges(
            memberships=tuple(self.memberships.values()),
            stories=tuple(story for id, story in sorted(self.stories.items()) if id not in gone),
            merged=tuple(self.merged),
            topics=tuple(topic for _, topic in sorted(self.topics.items())),
            merged_topics=tuple(self.merged_topics),
        )


class StoryEngine:
    """Implements ports.Organiser. Items must have ids; one writer; keeps only what was published within the window."""

    def __init__(
        self,
        params: StoryParams,
        tables: Mapping[str, FrequencyTable],
        *,
        topics: Linker | None = None,
        describe: Describe | None = None,
        history: History | None = None,
        constraints: Constraints = NOTHING,
    ) -> None:
        self.params, self.tables = params, tables
        self._bonds = Bonds(constraints)
        self.topics, self.describe, self.history = topics, describe, history
        self._shelves: dict[str, Shelf] = {}
        self._pairs: dict[str, StoryPairs] = {}
        self._cohesions: dict[str, Cohesion] = {}
        self._states: dict[int, StoryState] = {}
        self._feeds: dict[str, int] = {}
        self._next_story = 1
        self._newest: datetime | None = None
        self._day: date | None = None
        self._pending: list[tuple[Item, Entry]] = []
        self._since_sweep = 0

    # --- the port -----------------------------------------------------------------------------------------------------

    def restore(
        self,
        members: Iterable[tuple[Item, Membership]],
        stories: Sequence[Story],
        topics: Sequence[Topic],
        next_story: int,
        next_topic: int,
    ) -> None:
        """Start from what the store kept: `members` of the active stories in the order they were assigned.

        Weights are taken from the frequencies of the whole window instead of those at arrival, so that a decision right at a
        threshold may differ from that of an engine that never stopped. Round-ups and members older than the window are
        counted or kept, not compared.
        """
        self._next_story = next_story
        records = {story.id: story for story in stories}
        for item, membership in members:
            self._newest = max(self._newest or item.published_at, item.published_at)
            state = self._states.get(membership.story_id)
            entry = to_entry(item, membership)
            if state is None:
                record = records.get(membership.story_id)
                state = self._new_state(membership.story_id, entry)
                state.record = record
                state.topic_id, state.related = (record.topic_id, record.related) if record else (None, ())
            state.add(entry)
            self._bonds.note(entry)
        self._day = self._newest.astimezone(UTC).date() if self._newest is not None else None
        self._shelve_all()
        if self.topics is not None:
            self.topics.restore(topics, next_topic)

    def add(self, items: Sequence[Item]) -> StoryChanges:
        """Group new items, by published_at, then link. Returns everything that changed; write it in one transaction."""
        outcome, current = _Outcome(), _Round()
        self._pending = []
        done = 0
        for batch in self._batches(sorted(items, key=by_time)):
            self._organise(batch, current, outcome)
            done += len(batch)
            if done >= self.params.round:
                self._finish(current, outcome)
                current, done = _Round(), 0
        self._finish(current, outcome)
        self._pending = []
        return outcome.changes()

    # --- batches ------------------------------------------------------------------------------------------------------

    def _batches(self, items: list[Item]) -> Iterator[list[Item]]:
        for start in range(0, len(items), self.params.batch):
            yield items[start : start + self.params.batch]

    def _organise(self, batch: list[Item], current: _Round, outcome: _Outcome) -> None:
        """Assign one batch and merge what it brought together."""
        entries = [to_entry(item) for item in batch]
        self._retire(entries[0].at_seconds - self.params.likeness.window_seconds)
        self._turn_day(batch[-1].published_at, outcome)
        near = self._neighbours(entries)
        for entry in entries:
            state = self._assign(entry, *near[id(entry)]) if id(entry) in near else self._alone(entry)
            current.stories[state.id] = state
            current.memberships[entry.item.id] = _said(entry)
        if self.topics is not None:
            self._pending += zip(batch, entries, strict=True)
        for language in sorted({entry.words.language for entry in entries}):
            self._pairs_of(language).merges(lambda merge: self._merge(merge, current, outcome))
        for story in sorted({_told(entry).story_id for entry in entries}):
            self._split(self._states[story], current)
        self._newest = max(self._newest or batch[-1].published_at, batch[-1].published_at)

    def _neighbours(self, entries: list[Entry]) -> dict[int, tuple[Shelf, int, Neighbours]]:
        """Shelf, row and neighbours by entry; a round-up has none of these."""
        found: dict[int, tuple[Shelf, int, Neighbours]] = {}
        for language in dict.fromkeys(entry.words.language for entry in entries):
            shelf = self._shelf(language)
            compared = [entry for entry in entries if entry.words.language == language and not entry.words.round_up]
            if not compared:
                continue
            rows = shelf.add(compared, [self._feed(entry.item) for entry in compared])
            for entry, row, near in zip(compared, rows, shelf.neighbours(rows), strict=True):
                found[id(entry)] = (shelf, row, near)
        return found

    def _assign(self, entry: Entry, shelf: Shelf, row: int, near: Neighbours) -> StoryState:
        stories = shelf.stories[near.rows]
        scores = score_stories(stories, near, shelf.roster.sizes)
        home = self._bonds.home(entry, self._states)
        best = self._bonds.best(entry, scores, home)
        score = float(scores.scores[best]) if best is not None else 0.0
        size = self._size(int(scores.stories[best])) if best is not None else 0
        asked = self.params.to_join(entry.words.language, size)
        joined = home if home is not None else int(scores.stories[best]) if best is not None and score >= asked else None
        joins = joined is not None
        state = self._states[joined] if joined is not None else self._new_state(self._take_id(), entry)
        of_best = stories == scores.stories[best] if best is not None else np.zeros(0, dtype=bool)
        reasons = explain_choice(shelf, row, near, of_best)
        copy_of = self._copied(entry, near, of_best, shelf) if joins else None
        entry.membership = Membership(
            item_id=entry.item.id,
            story_id=state.id,
            score=round(score, 4),
            threshold=asked,
            rule="person" if home is not None else "copy" if copy_of is not None else "join" if joins else "new",
            nearest=tuple((other.item.id, likeness) for other, likeness in reasons.nearest),
            terms=reasons.terms,
            copy_of=copy_of,
        )
        state.add(entry)
        state.alive += 1
        shelf.roster.place(row, state.id)
        self._bonds.note(entry)
        self._note_links(state, scores)
        return state

    def _note_links(self, state: StoryState, scores: StoryScores) -> None:
        pairs = self._pairs_of(state.language)
        pairs.joined(state.id, scores.links(pairs.threshold, pairs.partners(state.id)))

    def _copied(self, entry: Entry, near: Neighbours, of_best: NDArray[np.bool_], shelf: Shelf) -> int | None:
        """The item whose wire text this one repeats: the original, when the nearest is a copy itself."""
        marked = np.flatnonzero(of_best)
        order = marked[np.argsort(-near.likeness[marked], kind="stable")][:5]
        candidates = [shelf.entries[row] for row in near.rows[order].tolist()]
        found = find_copied(entry.words, [(i, other.words) for i, other in enumerate(candidates)], self.params.copies)
        if found is None:
            return None
        original = candidates[found].membership
        copy_of: int | None = original.copy_of if original is not None else None
        return candidates[found].item.id if copy_of is None else copy_of

    def _alone(self, entry: Entry) -> StoryState:
        state = self._new_state(self._take_id(), entry)
        asked, _ = self.params.of_language(entry.words.language)
        entry.membership = Membership(item_id=entry.item.id, story_id=state.id, threshold=asked, rule="round-up")
        state.add(entry)
        self._bonds.note(entry)
        return state

    def _merge(self, merge: Merge, current: _Round, outcome: _Outcome) -> None:
        """One story becomes part of another; its items say why from now on."""
        kept, gone = self._states[merge.kept], self._states.pop(merge.gone)
        shelf = self._shelf(kept.language)
        self._cohesion(kept.language).unite(kept, gone)
        shelf.roster.put(shelf.rows_of(gone.id), kept.id)
        for entry in gone.entries:
            old = _said(entry)
            entry.membership = replace(old, story_id=kept.id, score=round(merge.score, 4), threshold=merge.asked, rule="repair")
            current.memberships[entry.item.id] = _said(entry)
        kept.absorb(gone)
        current.stories.pop(gone.id, None)
        current.stories[kept.id] = kept
        outcome.stories.pop(gone.id, None)
        # a story that was never told may have swallowed one that was: what led to it leads on
        outcome.merged = [(told, kept.id if now == gone.id else now) for told, now in outcome.merged]
        if gone.record is not None:
            outcome.merged.append((gone.id, kept.id))

    # --- two events in one story --------------------------------------------------------------------------------------

    def _split(self, state: StoryState, current: _Round) -> None:
        """Cut a story in two when it holds two events (the larger part keeps the id), and draw earlier cuts again."""
        params = self.params.split
        if state.alive < max(params.part, state.checked * (1 + params.growth)):
            return
        state.checked = state.alive
        shelf = self._shelf(state.language)
        rows = shelf.rows_of(state.id)
        second = find_cut(self._cohesion(state.language).within(state), params) if len(rows) >= params.least else None
        second = self._bonds.cut([shelf.entries[row] for row in rows.tolist()], second) if second is not None else None
        if second is not None:
            second = second if 2 * int(second.sum()) <= len(second) else ~second
            new = self._new_state(self._take_id(), shelf.entries[rows[second][0]])
            new.likenesses = state.likenesses
            self._move(shelf, rows[second], state, new, current)
            state.checked, new.checked = state.alive, new.alive
            state.sisters.add(new.id)
            new.sisters.add(state.id)
        for sister in sorted(state.sisters):
            self._redraw(shelf, state, self._states.get(sister), current)

    def _redraw(self, shelf: Shelf, state: StoryState, sister: StoryState | None, current: _Round) -> None:
        """Members of two stories that were one go where they fit better by now."""
        params = self.params.split
        if sister is None or min(state.alive, sister.alive) < params.part:
            return
        rows = np.concatenate([shelf.rows_of(state.id), shelf.rows_of(sister.id)])
        side = shelf.stories[rows] == sister.id
        drawn = redraw(self._cohesion(state.language).both(state, sister), side, params)
        drawn = self._bonds.drawn([shelf.entries[row] for row in rows.tolist()], side, drawn)
        self._move(shelf, rows[drawn & ~side], state, sister, current)
        self._move(shelf, rows[side & ~drawn], sister, state, current)

    def _move(self, shelf: Shelf, rows: Numbers, source: StoryState, target: StoryState, current: _Round) -> None:
        if not len(rows):
            return
        moved = [shelf.entries[row] for row in rows.tolist()]
        shelf.roster.put(rows, target.id)
        for story in (source.id, target.id):
            self._pairs_of(source.language).forget(story)
        source.hand_over(moved, target)
        for entry in moved:
            entry.membership = replace(_said(entry), story_id=target.id, rule="split")
            current.memberships[entry.item.id] = _said(entry)
        current.stories[source.id], current.stories[target.id] = source, target

    def _may_merge(self, one: int, other: int) -> bool:
        """Whether people let two stories be one, and whether they would hang together."""
        states = self._states[one], self._states[other]
        return not self._bonds.forbid(one, other) and self._cohesion(states[0].language).hold(*states)

    # --- the window ---------------------------------------------------------------------------------------------------

    def _retire(self, before: float) -> None:
        """Items published before that moment are compared no more; stories without a later one are done."""
        for shelf in self._shelves.values():
            for story in shelf.retire(before):
                state = self._states.get(story)
                if state is not None:
                    state.alive -= 1
                    self._pairs_of(state.language).forget(story)
        self._since_sweep += 1
        if self._since_sweep >= max(_SWEEP[0], len(self._states) // _SWEEP[1]):
            self._since_sweep = 0
            self._states = {id: state for id, state in self._states.items() if state.last_seconds >= before}
            for cohesion in self._cohesions.values():
                cohesion.forget_all_but(self._states)

    def _shelve_all(self) -> None:
        """Put restored members on their shelves, in the order of their stories' assignments."""
        if self._newest is None:
            return
        before = self._newest.timestamp() - self.params.likeness.window_seconds
        by_language: dict[str, list[tuple[Entry, StoryState]]] = {}
        for state in self._states.values():
            state.settle_language()
            for entry in state.entries:
                if entry.at_seconds >= before and not entry.words.round_up and entry.words.language == state.language:
                    by_language.setdefault(entry.words.language, []).append((entry, state))
        for language, found in by_language.items():
            shelf = self._shelf(language)
            found.sort(key=lambda pair: by_time(pair[0].item))
            rows = shelf.add([entry for entry, _ in found], [self._feed(entry.item) for entry, _ in found])
            for row, (_, state) in zip(rows, found, strict=True):
                shelf.roster.place(row, state.id)
                state.alive += 1

    def _active(self) -> list[StoryView]:
        assert self._newest is not None
        since = self._newest.timestamp() - self.params.likeness.window_seconds
        return [state.view() for _, state in sorted(self._states.items()) if state.last_seconds >= since]

    # --- descriptions and topics ----------------------------------------------------------------------------------------

    def _turn_day(self, at: datetime, outcome: _Outcome) -> None:
        """Rebuild the topics when the items' own time enters a new UTC day."""
        day, before = at.astimezone(UTC).date(), self._day
        self._day = max(day, before or day)
        if self.topics is None or before is None or day <= before:
            return
        start = at - self.params.topic_history
        known = list(self.history(start, at)) if self.history is not None else []
        # what this call has grouped so far is not in the store yet
        told = {item.id for item, _ in known}
        fresh = [(item, _told(entry).story_id) for item, entry in self._pending if item.id not in told]
        known += [(item, story) for item, story in fresh if start < item.published_at <= at]
        self._apply_topics(self.topics.rebuild(sorted(known, key=lambda pair: by_time(pair[0])), at), outcome)

    def _finish(self, current: _Round, outcome: _Outcome) -> None:
        """Describe the changed stories and tie them into topics."""
        if not current.stories:
            return
        outcome.memberships.update(current.memberships)
        for story, state in sorted(current.stories.items()):
            state.record = outcome.stories[story] = self._describe(state)
        if self.topics is not None and self._newest is not None:
            changed = [state.view() for _, state in sorted(current.stories.items())]
            self._apply_topics(self.topics.link(changed, self._active(), self._newest), outcome, current.stories)

    def _apply_topics(self, changes: TopicChanges, outcome: _Outcome, current: Mapping[int, StoryState] | None = None) -> None:
        outcome.topic_changes(changes)
        moved = dict(changes.merged)
        for state in {**self._states, **(current or {})}.values():
            topic = changes.topic_of.get(state.id, moved.get(state.topic_id, state.topic_id) if state.topic_id else None)
            related = tuple(changes.related.get(state.id, state.related))
            if (topic, related) != (state.topic_id, state.related):
                state.topic_id, state.related = topic, related
                if state.record is not None:
                    state.record = outcome.stories[state.id] = replace(state.record, topic_id=topic, related=related)

    def _describe(self, state: StoryState) -> Story:
        view = state.view()
        said = self.describe(view) if self.describe is not None else Description(view.items[0].title)
        return Story(
            id=state.id,
            title=said.title,
            first_published_at=view.items[0].published_at,
            last_published_at=view.items[-1].published_at,
            brief=said.brief,
            keywords=said.keywords,
            language=state.language or None,
            topic_id=state.topic_id,
            item_count=len(state.entries),
            sources=count_sources((entry.publisher, _told(entry).copy_of) for entry in state.entries),
            related=state.related,
        )

    # --- small things ---------------------------------------------------------------------------------------------------

    def _size(self, story: int) -> int:
        return self._states[story].alive

    def _shelf(self, language: str) -> Shelf:
        if language not in self._shelves:
            self._shelves[language] = Shelf(self.tables.get(language), self.params.likeness, language)
        return self._shelves[language]

    def _pairs_of(self, language: str) -> StoryPairs:
        if language not in self._pairs:
            threshold, sums = self.params.of_language(language)[1], self._cohesion(language).sums
            self._pairs[language] = StoryPairs(threshold, self._size, sums, self._may_merge, partial(self.params.of_crowd, language))
        return self._pairs[language]

    def _cohesion(self, language: str) -> Cohesion:
        if language not in self._cohesions:
            self._cohesions[language] = Cohesion(self._shelf(language), self.params.split)
        return self._cohesions[language]

    def _feed(self, item: Item) -> int:
        return self._feeds.setdefault(item.feed, len(self._feeds))

    def _take_id(self) -> int:
        self._next_story += 1
        return self._next_story - 1

    def _new_state(self, story: int, entry: Entry) -> StoryState:
        state = self._states[story] = StoryState(story, entry.words.language)
        return state


def _said(entry: Entry) -> Membership:
    assert entry.membership is not None, "every entry is assigned before it is told of"
    return entry.membership


def _told(entry: Entry) -> Membership:
    """As `_said`, but without reasons, which take some time to put together."""
    assert entry.told is not None, "every entry is assigned before it is told of"
    return entry.told
