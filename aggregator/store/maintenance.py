"""EDGE: care for the database: check, figures, backup, prune, vacuum."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, case, exists, func, select, update

from aggregator.errors import StoreError
from aggregator.model import StoreStats
from aggregator.store import shown
from aggregator.store import tables as t
from aggregator.store.care import care_of
from aggregator.store.engine import Database, Guard
from aggregator.store.repair import mend
from aggregator.store.rows import chunks, counter, delete_by, raise_counter
from aggregator.store.schema import Upgrade
from aggregator.store.search import index_is_whole, rebuild_index, remove_from_index, tidy_index

KEEP_PRUNED_KEYS = timedelta(days=180)
"""How long a pruned item's keys are remembered after its feed last showed it, so that it does not come back as new."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune removed, or would remove."""

    items: int = 0
    stories: int = 0
    topics: int = 0


class Maintenance:
    """What `aggregator db` does. `upgrade` says what opening did to the schema."""

    def __init__(self, database: Database, upgrade: Upgrade) -> None:
        self._db, self._care = database, care_of(database)
        self.upgrade = upgrade
        self.copy_suffix = self._care.copy_suffix

    def check(self) -> list[str]:
        """What is wrong, a sentence each; empty when all is well."""
        with self._db.reading() as connection:
            self._db.kind.unhurry(connection)
            found = self._care.damage(connection)
            if found:  # the rest would stumble over it
                return [*found, "Restore a backup, or save what can be read with `aggregator items export`."]
            found += self._care.strays(connection)
            found += [sentence.format(n) for query, sentence in _COUNTS if (n := connection.scalar(query))]
        with self._db.writing() as connection:  # FTS5 checks itself by an INSERT
            self._db.kind.unhurry(connection)
            if not index_is_whole(connection):
                found.append("The search index does not fit the items; `aggregator db vacuum` builds it anew.")
        return found

    def repair(self, copy: Path | None) -> list[str]:
        """Mend what `check` finds, all in one transaction, after a copy was put at `copy` (None: without). Returns what was mended.

        Raises StoreError for damage to the file itself that new indexes do not mend; then nothing was changed.
        """
        if copy is not None:
            self._care.copy(copy, damaged=True)
        with self._db.writing(Guard.FEEDS, Guard.STORIES, Guard.ITEMS) as connection:
            self._db.kind.unhurry(connection)
            self._care.reindex(connection)
            lines = self._care.damage(connection)
            if lines:
                raise StoreError(
                    f"{self._db.name} is damaged beyond this ({lines[0]}); put a backup in its place, or save what can be read"
                )
            return mend(connection)

    def stats(self) -> StoreStats:
        i = t.items.c
        with self._db.reading() as connection:
            rows = {table.name: connection.scalar(select(func.count()).select_from(table)) or 0 for table in t.metadata.sorted_tables}
            spans = connection.execute(
                select(func.min(i.published_at), func.max(i.published_at), func.min(i.arrived_at), func.max(i.arrived_at))
            ).one()
            size = self._care.file_bytes(connection)
        days = max((spans[3] - spans[2]).total_seconds() / 86_400, 1.0) if spans[2] is not None else 1.0
        unsorted = rows.pop("unsorted_items")
        for name in ("meta", "leases", "shown", "workers"):
            del rows[name]
        return StoreStats(self._db.name, self.upgrade.after, size, rows, unsorted, *spans, items_per_day=rows["items"] / days)

    def sizes(self) -> tuple[int, int, int]:
        """Items, items that are in no story yet, bytes of the file: what can be asked for often."""
        with self._db.reading() as connection:
            items = connection.scalar(select(func.count()).select_from(t.items)) or 0
            unsorted = connection.scalar(select(func.count()).select_from(t.unsorted_items)) or 0
            return items, unsorted, self._care.file_bytes(connection)

    def newest_arrival(self) -> datetime | None:
        with self._db.reading() as connection:
            newest: datetime | None = connection.scalar(select(func.max(t.items.c.arrived_at)))
            return newest

    def backup(self, path: Path) -> None:
        """Copy the living database to a file, check the copy, then put it in place. Raises StoreError."""
        self._care.copy(path)

    def prune(self, before_at: datetime, *, dry_run: bool = False, chunk: int = 2000) -> Pruned:
        """Forget items that arrived before a moment, and the stories and topics that are left with nothing. Starred ones stay.

        In portions, so that other writers get their turn; stopped half-way it has pruned less, and nothing is torn.
        """
        if dry_run:
            return self._would_prune(before_at)
        done = Pruned()
        while True:
            with self._db.writing(Guard.STORIES, Guard.ITEMS) as connection:
                query = select(t.items.c.id).where(t.items.c.arrived_at < before_at, ~_KEPT).order_by(t.items.c.arrived_at).limit(chunk)
                ids = list(connection.scalars(query))
                stories, topics = _forget(connection, ids, before_at)
                if not ids:
                    _forget_keys(connection, before_at)
            done = Pruned(done.items + len(ids), done.stories + stories, done.topics + topics)
            if not ids:
                return done

    def prune_to(self, most_bytes: int, *, chunk: int = 2000) -> Pruned:
        """Forget the items that arrived first until what is stored takes no more than so many bytes, or only kept ones are left."""
        done = Pruned()
        while (used := self._used_bytes()) > most_bytes:
            left = max(chunk, int(self.sizes()[0] * (used - most_bytes) / used))  # measured anew when about so many are gone
            while left > 0:
                gone = self._prune_oldest(min(chunk, left))
                done = Pruned(done.items + gone.items, done.stories + gone.stories, done.topics + gone.topics)
                left -= gone.items
                if not gone.items:
                    return done
        return done

    def _prune_oldest(self, most: int) -> Pruned:
        i = t.items.c
        with self._db.writing(Guard.STORIES, Guard.ITEMS) as connection:
            rows = connection.execute(select(i.id, i.arrived_at).where(~_KEPT).order_by(i.arrived_at, i.id).limit(most)).all()
            stories, topics = _forget(connection, [row.id for row in rows], rows[-1].arrived_at) if rows else (0, 0)
        return Pruned(len(rows), stories, topics)

    def _used_bytes(self) -> int:
        with self._db.reading() as connection:
            return self._care.used_bytes(connection)

    def shrink(self) -> int:
        """Give free space back, some at a time so that writers get their turn. Returns by how many bytes the files are smaller."""
        _, _, before = self.sizes()
        self._care.shrink()
        _, _, after = self.sizes()
        return before - after

    def _would_prune(self, before_at: datetime) -> Pruned:
        i, m = t.items.c, t.memberships.c
        stays_item = (i.arrived_at >= before_at) | _KEPT
        alive = select(m.story_id).join(t.items, i.id == m.item_id).where(stays_item)
        stays = select(t.stories.c.topic_id).where(t.stories.c.id.in_(alive), t.stories.c.topic_id.is_not(None))
        empty = select(t.stories.c.topic_id).where(t.stories.c.topic_id.is_not(None))
        with self._db.reading() as connection:
            return Pruned(
                connection.scalar(select(func.count()).select_from(t.items).where(~stays_item)) or 0,
                connection.scalar(select(func.count()).select_from(t.stories).where(t.stories.c.id.not_in(alive))) or 0,
                connection.scalar(select(func.count()).select_from(t.topics).where(t.topics.c.id.in_(empty), t.topics.c.id.not_in(stays)))
                or 0,
            )

    def vacuum(self) -> tuple[int, int]:
        """Give free space back to the disk and build the search index anew. Returns bytes before and after."""
        before = self.stats().file_bytes
        with self._db.writing(Guard.ITEMS) as connection:
            self._db.kind.unhurry(connection)
            rebuild_index(connection)
            tidy_index(connection)
        self._care.compact()
        return before, self.stats().file_bytes


_FOLLOWED = select(t.marks.c.target_id).where(t.marks.c.kind == "story", t.marks.c.stance == "follow")
_BECAME = select(t.story_redirects.c.story_id).where(t.story_redirects.c.old_id.in_(_FOLLOWED))
_KEPT = t.items.c.id.in_(select(t.marks.c.target_id).where(t.marks.c.kind == "item")) | t.items.c.id.in_(
    select(t.memberships.c.item_id).where(t.memberships.c.story_id.in_(_FOLLOWED) | t.memberships.c.story_id.in_(_BECAME))
)
"""Starred items and the items of followed stories, under whatever id they were followed, are never forgotten."""

_COUNTS = (
    (
        select(func.count()).select_from(t.memberships).where(~exists().where(t.items.c.id == t.memberships.c.item_id)),
        "{} memberships belong to items that are not there.",
    ),
    (
        select(func.count()).select_from(t.stories).where(~exists().where(t.memberships.c.story_id == t.stories.c.id)),
        "{} stories hold no item.",
    ),
    (
        select(func.count())
        .select_from(t.items)
        .where(
            ~exists().where(t.memberships.c.item_id == t.items.c.id),
            ~exists().where(t.unsorted_items.c.item_id == t.items.c.id),
        ),
        "{} items are in no story and do not wait for one either.",
    ),
    (
        select(func.count()).select_from(t.items).where(~exists().where(t.appearances.c.item_id == t.items.c.id)),
        "{} items appear in no feed.",
    ),
)
"""What foreign keys cannot say: a query that counts, and its sentence when it counts any."""


def _forget(connection: Connection, ids: list[int], before_at: datetime) -> tuple[int, int]:
    """Delete items with all that hangs on them. Returns how many stories and topics went with them."""
    if not ids:
        return 0, 0
    touched: set[int] = set()
    for part in chunks(ids):
        touched |= set(connection.scalars(select(t.memberships.c.story_id).where(t.memberships.c.item_id.in_(part))))
    remove_from_index(connection, ids)
    shown.forget(connection, ids)
    for part in chunks(ids):  # the keys stay, item_id becomes NULL with the item
        connection.execute(update(t.appearances).where(t.appearances.c.item_id.in_(part)).values(seen_at=before_at))
    delete_by(connection, t.items.c.id, ids)
    gone = _forget_stories(connection, touched)
    # a running engine holds items that are gone: it must read the store again
    raise_counter(connection, "revision", counter(connection, "revision") + 1)
    return gone


def _forget_stories(connection: Connection, touched: set[int]) -> tuple[int, int]:
    """Delete stories without items and topics without stories; recount the stories that keep some."""
    s, m = t.stories.c, t.memberships.c
    topics: set[int] = set()
    stories = 0
    for part in chunks(touched):
        living = set(connection.scalars(select(m.story_id).where(m.story_id.in_(part)).distinct()))
        empty = set(part) - living
        stories += len(empty)
        topics |= set(connection.scalars(select(s.topic_id).where(s.id.in_(empty), s.topic_id.is_not(None))))
        delete_by(connection, s.id, empty)
        _recount(connection, living)
    used: set[int] = set()
    for part in chunks(topics):
        used |= set(connection.scalars(select(s.topic_id).where(s.topic_id.in_(part)).distinct()))
        count = select(func.count()).select_from(t.stories).where(s.topic_id == t.topics.c.id).scalar_subquery()
        connection.execute(update(t.topics).where(t.topics.c.id.in_(part)).values(story_count=count))
    delete_by(connection, t.topics.c.id, topics - used)
    return stories, len(topics - used)


def _recount(connection: Connection, ids: set[int]) -> None:
    s, m = t.stories.c, t.memberships.c
    members = t.memberships.join(t.items, t.items.c.id == m.item_id)
    count = select(func.count()).select_from(t.memberships).where(m.story_id == s.id).scalar_subquery()
    first = select(func.min(t.items.c.published_at)).select_from(members).where(m.story_id == s.id).scalar_subquery()
    last = select(func.max(t.items.c.published_at)).select_from(members).where(m.story_id == s.id).scalar_subquery()
    # who is independent is the engine's to say; more publishers than items there cannot be
    sources = case((s.sources > count, count), else_=s.sources)
    for part in chunks(ids):
        connection.execute(
            update(t.stories)
            .where(s.id.in_(part))
            .values(item_count=count, sources=sources, first_published_at=first, last_published_at=last)
        )


def _forget_keys(connection: Connection, before_at: datetime) -> None:
    a = t.appearances.c
    connection.execute(t.appearances.delete().where(a.item_id.is_(None), a.seen_at < before_at - KEEP_PRUNED_KEYS))
    empty = ~exists().where(t.correction_items.c.correction_id == t.corrections.c.id)
    connection.execute(t.corrections.delete().where(empty))
    connection.execute(t.hosts.delete().where(t.hosts.c.not_before_at < before_at))
