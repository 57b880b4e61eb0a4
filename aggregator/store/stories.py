"""EDGE: stories and topics as the engine left them: who is in which, why, and where merged ids went."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, Table, func, select, union, update

from aggregator.errors import NotFoundError
from aggregator.model import Coverage, Item, Membership, Story, StoryChanges, Topic
from aggregator.store import tables as t
from aggregator.store.engine import Database, Guard
from aggregator.store.leases import Leases
from aggregator.store.rows import (
    HTML_FIELDS,
    ITEM_FIELDS,
    ITEMS_WITH_FEEDS,
    MEMBERSHIP_FIELDS,
    OUTLINE_FIELDS,
    STORY_FIELDS,
    TOPIC_FIELDS,
    TOPIC_NAMES,
    chunks,
    columns_of,
    counter,
    delete_by,
    item_of,
    item_with_html,
    membership_of,
    outline_of,
    pairs,
    raise_counter,
    story_of,
    topic_named,
    topic_of,
    upsert,
)

WRITER = "organise"
"""The lease of the one process that writes stories."""

_MEMBERS = ITEMS_WITH_FEEDS.join(t.memberships, t.memberships.c.item_id == t.items.c.id)

_TOPIC_MEMORY = timedelta(days=7)
"""How long before the active stories a topic's last one may lie: older ones are never taken up again (stories/topics.py, keep_days),
and after a year there are tens of thousands of them, with a profile each."""


class Stories:
    """Implements ports.StoryStore. Who holds the lease WRITER writes alone."""

    def __init__(self, database: Database, leases: Leases) -> None:
        self._db, self._leases = database, leases

    # --- for the engine -------------------------------------------------------------------------------------------

    def active(self, since: datetime) -> tuple[Iterator[tuple[Item, Membership]], list[Story], list[Topic]]:
        """See ports.StoryStore. The items come without summary_html and content_html."""
        m = t.memberships.c
        recent = select(t.stories.c.id).where(t.stories.c.last_published_at >= since)
        with self._db.reading() as connection:
            members = list(connection.scalars(select(m.item_id).where(m.story_id.in_(recent)).order_by(m.position, m.item_id)))
            stories = _read_stories(connection, select(*STORY_FIELDS).where(t.stories.c.id.in_(recent)).order_by(t.stories.c.id))
            last, earliest = t.topics.c.last_published_at, datetime.min.replace(tzinfo=UTC)
            living = last.is_(None) | (last >= max(since, earliest + _TOPIC_MEMORY) - _TOPIC_MEMORY)
            topics = [topic_of(row) for row in connection.execute(select(*TOPIC_FIELDS).where(living).order_by(t.topics.c.id))]
        return self._grouped(members), stories, topics

    def _grouped(self, ids: list[int]) -> Iterator[tuple[Item, Membership]]:
        """Items and memberships in the order of `ids`, read some at a time: as a list they take more than the engine makes of them,
        and leave it in holes."""
        width, query = len(ITEM_FIELDS), select(*ITEM_FIELDS, *MEMBERSHIP_FIELDS).select_from(_MEMBERS)
        for part in chunks(ids):
            with self._db.reading() as connection:
                found = {row[0]: row for row in connection.execute(query.where(t.memberships.c.item_id.in_(part)))}
            for row in (found[id_] for id_ in part if id_ in found):
                yield item_of(row), membership_of(row[width:])

    def next_ids(self) -> tuple[int, int]:
        with self._db.reading() as connection:
            return counter(connection, "next_story"), counter(connection, "next_topic")

    def revision(self) -> int:
        with self._db.reading() as connection:
            return counter(connection, "revision")

    def apply(self, changes: StoryChanges, now: datetime) -> None:
        """See ports.StoryStore. A membership, story or topic that is given under a merged id is kept under the id it became."""
        with self._db.writing(Guard.STORIES) as connection:
            self._leases.check(connection, WRITER)
            apply_changes(connection, changes)

    def replace(self, changes: StoryChanges) -> None:
        """See ports.StoryStore."""
        with self._db.writing(Guard.STORIES) as connection:
            self._leases.check(connection, WRITER)
            apply_changes(connection, changes)
            count_stories(connection, set(connection.scalars(select(t.topics.c.id))))

    # --- redirects ------------------------------------------------------------------------------------------------

    def resolve(self, story_id: int) -> int:
        with self._db.reading() as connection:
            return _resolve(connection, t.stories, t.story_redirects.c.story_id, story_id, "story")

    def resolve_topic(self, topic_id: int) -> int:
        with self._db.reading() as connection:
            return _resolve(connection, t.topics, t.topic_redirects.c.topic_id, topic_id, "topic")

    # --- for readers ----------------------------------------------------------------------------------------------

    def coverage(self, from_at: datetime, to_at: datetime, *, by: str = "published") -> list[Coverage]:
        """See ports.StoryStore; in the order of the stories' ids. Two queries, however many stories."""
        moment = {"published": t.items.c.published_at, "arrived": t.items.c.arrived_at}[by]
        touched = (
            select(t.memberships.c.story_id)
            .select_from(t.items.join(t.memberships, t.memberships.c.item_id == t.items.c.id))
            .where(moment > from_at, moment <= to_at)
        )
        with self._db.reading() as connection:
            return _outlines(connection, touched, moment <= to_at)

    def coverage_of_new(self, after_item: int | None, from_at: datetime) -> tuple[int, list[Coverage]]:
        """See ports.StoryStore. All from one view of the database."""
        i = t.items.c
        with self._db.reading() as connection:
            waiting = connection.scalar(select(func.min(t.unsorted_items.c.item_id)))
            up_to = (waiting or counter(connection, "next_item")) - 1
            begins = i.arrived_at > from_at if after_item is None else i.id > after_item
            touched = (
                select(t.memberships.c.story_id)
                .select_from(t.items.join(t.memberships, t.memberships.c.item_id == i.id))
                .where(begins, i.id <= up_to)
            )
            return up_to, _outlines(connection, touched, i.id <= up_to)

    def story(self, story_id: int) -> Coverage:
        with self._db.reading() as connection:
            found = _resolve(connection, t.stories, t.story_redirects.c.story_id, story_id, "story")
            wanted = select(t.stories.c.id).where(t.stories.c.id == found)
            rows = connection.execute(_members_of(wanted, *ITEM_FIELDS, *HTML_FIELDS, *MEMBERSHIP_FIELDS))
            width = len(ITEM_FIELDS) + len(HTML_FIELDS)
            covered = _coverages(connection, wanted, ((item_with_html(row), membership_of(row[width:])) for row in rows))
        if not covered:
            raise NotFoundError(f"story {story_id} holds no item; `aggregator db check` looks for damage")
        return covered[0]

    def stories(self, *, limit: int, topic_id: int | None = None, since: datetime | None = None) -> list[Story]:
        query = select(*STORY_FIELDS).order_by(t.stories.c.last_published_at.desc(), t.stories.c.id.desc()).limit(limit)
        if since is not None:
            query = query.where(t.stories.c.last_published_at >= since)
        with self._db.reading() as connection:
            if topic_id is not None:
                found = _resolve(connection, t.topics, t.topic_redirects.c.topic_id, topic_id, "topic")
                query = query.where(t.stories.c.topic_id == found)
            return _read_stories(connection, query)

    def titles(self, ids: Sequence[int]) -> dict[int, str]:
        """Titles by the ids that were asked for, also those that were merged; unknown ids are left out."""
        s, r = t.stories.c, t.story_redirects.c
        found: dict[int, str] = {}
        with self._db.reading() as connection:
            for part in chunks(set(ids)):
                moved = select(r.old_id, s.title).select_from(t.story_redirects.join(t.stories)).where(r.old_id.in_(part))
                found |= pairs(connection, moved)
                found |= pairs(connection, select(s.id, s.title).where(s.id.in_(part)))
        return found

    def story_ids(self, item_ids: Sequence[int]) -> dict[int, int]:
        """The story of each item that is in one."""
        m = t.memberships.c
        found: dict[int, int] = {}
        with self._db.reading() as connection:
            for part in chunks(set(item_ids)):
                found |= pairs(connection, select(m.item_id, m.story_id).where(m.item_id.in_(part)))
        return found

    def members(self, story_ids: Sequence[int]) -> dict[int, tuple[list[Item], dict[int, Membership]]]:
        """Items, oldest first, and memberships by item id of each story; without summary_html and content_html."""
        m, width = t.memberships.c, len(ITEM_FIELDS)
        query = select(*ITEM_FIELDS, *MEMBERSHIP_FIELDS).select_from(_MEMBERS).order_by(t.items.c.published_at, t.items.c.id)
        found: dict[int, tuple[list[Item], dict[int, Membership]]] = {}
        with self._db.reading() as connection:
            for part in chunks(set(story_ids)):
                for row in connection.execute(query.where(m.story_id.in_(part))):
                    membership = membership_of(row[width:])
                    items, memberships = found.setdefault(membership.story_id, ([], {}))
                    items.append(item_of(row))
                    memberships[membership.item_id] = membership
        return found

    def topics(self, *, limit: int | None = None) -> list[Topic]:
        query = select(*TOPIC_FIELDS).order_by(t.topics.c.last_published_at.desc().nulls_last(), t.topics.c.id.desc()).limit(limit)
        with self._db.reading() as connection:
            return [topic_of(row) for row in connection.execute(query)]

    def topics_named(self, ids: Collection[int]) -> dict[int, Topic]:
        """See ports.StoryStore. A day needs some dozens of the thousands that years bring."""
        found: dict[int, Topic] = {}
        with self._db.reading() as connection:
            for part in chunks(ids):
                rows = connection.execute(select(*TOPIC_NAMES).where(t.topics.c.id.in_(part)))
                found |= {row[0]: topic_named(row) for row in rows}
        return found

    def topic(self, topic_id: int) -> tuple[Topic, list[Story]]:
        """The topic, and its stories with the latest first; follows redirects. Raises NotFoundError."""
        with self._db.reading() as connection:
            found = _resolve(connection, t.topics, t.topic_redirects.c.topic_id, topic_id, "topic")
            topic = topic_of(connection.execute(select(*TOPIC_FIELDS).where(t.topics.c.id == found)).one())
            query = select(*STORY_FIELDS).where(t.stories.c.topic_id == found)
            return topic, _read_stories(connection, query.order_by(t.stories.c.last_published_at.desc(), t.stories.c.id.desc()))


# --- writing ------------------------------------------------------------------------------------------------------


def apply_changes(connection: Connection, changes: StoryChanges) -> None:
    """Topics, stories, memberships, then merges: each refers to what was written before it."""
    story_now, topic_now = _followed(changes.merged), _followed(changes.merged_topics)
    topics = {topic.id: topic for topic in changes.topics if topic.id not in topic_now}
    stories = {story.id: story for story in changes.stories if story.id not in story_now}
    members = {member.item_id: member for member in changes.memberships}
    upsert(connection, t.topics, [columns_of(topic) | {"profile": dict(topic.profile)} for topic in topics.values()])
    upsert(
        connection,
        t.stories,
        [columns_of(story) | {"topic_id": topic_now.get(story.topic_id or 0, story.topic_id)} for story in stories.values()],
    )
    _assign(connection, [replace(m, story_id=story_now.get(m.story_id, m.story_id)) for m in members.values()])
    _merge(connection, story_now, t.stories, t.story_redirects.c.story_id, t.memberships.c.story_id)
    _merge(connection, topic_now, t.topics, t.topic_redirects.c.topic_id, t.stories.c.topic_id)
    # an id that was given once is never given again, even when all its stories are gone
    raise_counter(connection, "next_story", max([*stories, *story_now], default=0) + 1)
    raise_counter(connection, "next_topic", max([*topics, *topic_now], default=0) + 1)
    raise_counter(connection, "revision", counter(connection, "revision") + 1)


def count_stories(connection: Connection, topics: set[int]) -> None:
    """Count the stories of these topics again."""
    s = t.stories.c
    count = select(func.count()).select_from(t.stories).where(s.topic_id == t.topics.c.id).scalar_subquery()
    for part in chunks(topics):
        connection.execute(update(t.topics).where(t.topics.c.id.in_(part)).values(story_count=count))


def _followed(merged: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Each merged id and where it leads in the end, in whatever order the merges are told."""
    steps = {old: new for old, new in merged if old != new}
    ends: dict[int, int] = {}
    for old in steps:
        end, passed = steps[old], {old}
        while end in steps and end not in passed:
            passed.add(end)
            end = steps[end]
        if end not in passed:
            ends[old] = end
    return ends


def _assign(connection: Connection, members: list[Membership]) -> None:
    first = counter(connection, "next_position")
    rows = [columns_of(member) | {"position": first + number} for number, member in enumerate(members)]
    upsert(connection, t.memberships, rows, keep=("position",))
    raise_counter(connection, "next_position", first + len(rows))
    delete_by(connection, t.unsorted_items.c.item_id, [member.item_id for member in members])


def _merge(connection: Connection, ends: dict[int, int], table: Table, redirect: Column[Any], user: Column[Any]) -> None:
    """What used the old ids uses the new ones, older redirects too; the old rows go."""
    for old, new in ends.items():
        for column in (user, redirect):
            connection.execute(update(column.table).where(column == old).values({column.name: new}))
    upsert(connection, redirect.table, [{"old_id": old, redirect.name: new} for old, new in ends.items()])
    delete_by(connection, table.c.id, ends)


# --- reading ------------------------------------------------------------------------------------------------------


def _resolve(connection: Connection, table: Table, redirect: Column[Any], id_: int, noun: str) -> int:
    query = union(
        select(table.c.id).where(table.c.id == id_),
        select(redirect).where(redirect.table.c.old_id == id_),
    )
    found = connection.scalar(query)
    if found is None:
        plural = {"story": "stories"}.get(noun, f"{noun}s")
        raise NotFoundError(f"there is no {noun} {id_}; `aggregator {plural} list` shows the newest")
    return int(found)


def _read_stories(connection: Connection, query: Select[Any]) -> list[Story]:
    """Stories whose `related` names living stories only."""
    found = [story_of(row) for row in connection.execute(query)]
    now = _living(connection, {id_ for story in found for id_ in story.related})
    return [replace(story, related=_follow(story, now)) if story.related else story for story in found]


def _follow(story: Story, now: dict[int, int]) -> tuple[int, ...]:
    ids = dict.fromkeys(now[id_] for id_ in story.related if id_ in now)
    ids.pop(story.id, None)
    return tuple(ids)


def _living(connection: Connection, ids: Iterable[int]) -> dict[int, int]:
    """What each id is called now; pruned ones are left out."""
    now: dict[int, int] = {}
    for part in chunks(ids):
        now |= {id_: id_ for id_ in connection.scalars(select(t.stories.c.id).where(t.stories.c.id.in_(part)))}
        moved = select(t.story_redirects.c.old_id, t.story_redirects.c.story_id).where(t.story_redirects.c.old_id.in_(part))
        now |= pairs(connection, moved)
    return now


def _members_of(stories: Select[Any], *fields: ColumnElement[Any]) -> Select[Any]:
    query = select(*fields).select_from(_MEMBERS).where(t.memberships.c.story_id.in_(stories))
    return query.order_by(t.items.c.published_at, t.items.c.id)


def _outlines(connection: Connection, wanted: Select[Any], bound: ColumnElement[bool]) -> list[Coverage]:
    """The stories whose ids `wanted` selects, with those of their items that `bound` lets through; without markup and without
    reasons, which nobody asks of many stories at once: with them a day takes twice the memory."""
    width = len(ITEM_FIELDS)
    rows = connection.execute(_members_of(wanted, *ITEM_FIELDS, *OUTLINE_FIELDS).where(bound))
    return _coverages(connection, wanted, ((item_of(row), outline_of(row[width:])) for row in rows))


def _coverages(connection: Connection, wanted: Select[Any], members: Iterable[tuple[Item, Membership]]) -> list[Coverage]:
    """The stories whose ids `wanted` selects, with their `members`."""
    by_story: dict[int, list[tuple[Item, Membership]]] = {}
    for item, membership in members:
        by_story.setdefault(membership.story_id, []).append((item, membership))
    stories = _read_stories(connection, select(*STORY_FIELDS).where(t.stories.c.id.in_(wanted)).order_by(t.stories.c.id))
    return [_coverage(story, by_story[story.id]) for story in stories if story.id in by_story]


def _coverage(story: Story, members: list[tuple[Item, Membership]]) -> Coverage:
    return Coverage(story, tuple(item for item, _ in members), tuple(membership for _, membership in members))
