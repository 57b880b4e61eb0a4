"""EDGE: what people put right about stories, and how it was before."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select, update

from aggregator.errors import NotFoundError
from aggregator.model import Correction, Membership, StoriesBefore, Story, StoryChanges
from aggregator.store import tables as t
from aggregator.store.engine import Database, Guard
from aggregator.store.leases import Leases
from aggregator.store.rows import MEMBERSHIP_FIELDS, STORY_FIELDS, chunks, delete_by, membership_of, story_of
from aggregator.store.stories import WRITER, apply_changes, count_stories

_ROLES = ("placed", "beside", "against")


class Corrections:
    """Implements ports.CorrectionStore."""

    def __init__(self, database: Database, leases: Leases) -> None:
        self._db, self._leases = database, leases

    def all(self) -> list[Correction]:
        """See ports.CorrectionStore. The items of each in the order of their ids."""
        c, i = t.corrections.c, t.correction_items.c
        items: dict[int, dict[str, list[int]]] = {}
        with self._db.reading() as connection:
            rows = connection.execute(select(c.id, c.verb, c.made_at, c.story_ids).order_by(c.made_at, c.id)).all()
            query = select(i.correction_id, i.role, i.item_id).order_by(i.correction_id, i.item_id)
            for correction, role, item in connection.execute(query) if rows else ():
                items.setdefault(correction, {}).setdefault(role, []).append(item)
        return [
            Correction(verb, made_at, story_ids=stories, id=id_, **{role: tuple(items.get(id_, {}).get(role, ())) for role in _ROLES})
            for id_, verb, made_at, stories in rows
        ]

    def before(self, correction_id: int) -> StoriesBefore:
        c = t.corrections.c
        with self._db.reading() as connection:
            row = connection.execute(select(c.memberships, c.stories, c.redirects).where(c.id == correction_id)).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no correction {correction_id}; `aggregator stories corrections` lists them")
        return StoriesBefore(*row)

    def record(self, correction: Correction, changes: StoryChanges) -> int:
        with self._db.writing(Guard.STORIES) as connection:
            self._leases.check(connection, WRITER)
            before = _before(connection, changes)
            row = {"verb": correction.verb, "made_at": correction.made_at, "story_ids": correction.story_ids}
            row |= {name: getattr(before, name) for name in ("memberships", "stories", "redirects")}
            made = connection.execute(t.corrections.insert().values(row)).inserted_primary_key
            assert made is not None
            items = [{"correction_id": made[0], "item_id": item, "role": role} for role in _ROLES for item in getattr(correction, role)]
            connection.execute(t.correction_items.insert(), items)
            _apply(connection, changes)
        return int(made[0])

    def take_back(self, correction_id: int, changes: StoryChanges, revived: Sequence[int]) -> None:
        redirects = dict(self.before(correction_id).redirects)
        r = t.story_redirects.c
        with self._db.writing(Guard.STORIES) as connection:
            self._leases.check(connection, WRITER)
            delete_by(connection, r.old_id, revived)
            _apply(connection, changes)
            for old, story in redirects.items():
                if story in revived:
                    connection.execute(update(t.story_redirects).where(r.old_id == old).values(story_id=story))
            delete_by(connection, t.corrections.c.id, [correction_id])


def _before(connection: Connection, changes: StoryChanges) -> StoriesBefore:
    """What `changes` are about to overwrite."""
    m, s, r = t.memberships.c, t.stories.c, t.story_redirects.c
    members: list[Membership] = []
    for part in chunks(member.item_id for member in changes.memberships):
        query = select(*MEMBERSHIP_FIELDS).where(m.item_id.in_(part)).order_by(m.position)
        members += [membership_of(row) for row in connection.execute(query)]
    gone = [old for old, _ in changes.merged]
    stories: list[Story] = []
    for part in chunks({*gone, *(story.id for story in changes.stories)}):
        stories += [story_of(row) for row in connection.execute(select(*STORY_FIELDS).where(s.id.in_(part)).order_by(s.id))]
    redirects = [tuple(row) for row in connection.execute(select(r.old_id, r.story_id).where(r.story_id.in_(gone)))]
    return StoriesBefore(tuple(members), tuple(stories), tuple(redirects))


def _apply(connection: Connection, changes: StoryChanges) -> None:
    topics = _topics_of(connection, changes)
    apply_changes(connection, changes)
    count_stories(connection, topics | _topics_of(connection, changes))


def _topics_of(connection: Connection, changes: StoryChanges) -> set[int]:
    s = t.stories.c
    found: set[int] = set()
    for part in chunks({*(old for old, _ in changes.merged), *(story.id for story in changes.stories)}):
        found |= set(connection.scalars(select(s.topic_id).where(s.id.in_(part), s.topic_id.is_not(None))))
    return found
