"""EDGE: mends what a check finds, where the store itself says how it should be. Nothing is made up.

items that are lost to a story wait for one again | what refers to nothing goes | counts and the search index are made anew
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, exists, func, insert, select, update
from sqlalchemy.sql.elements import ColumnElement

from aggregator.store import tables as t
from aggregator.store.rows import counter, raise_counter
from aggregator.store.search import index_is_whole, rebuild_index

_NO_STORY = ~exists().where(t.stories.c.id == t.memberships.c.story_id)
_NO_ITEM = ~exists().where(t.items.c.id == t.memberships.c.item_id)


def mend(connection: Connection) -> list[str]:
    """Mend within the caller's transaction. Returns a sentence for each kind of thing that was mended."""
    found = [
        _deleted(connection, delete(t.memberships).where(_NO_ITEM), "{} memberships of items that are not there were removed."),
        _deleted(connection, delete(t.memberships).where(_NO_STORY), "{} memberships in stories that are not there were removed."),
        *(_deleted(connection, delete(table).where(lost), sentence) for table, lost, sentence in _ORPHANS),
        _changed(connection, t.appearances.c.item_id, t.items.c.id, "{} appearances of items that are not there were kept as seen."),
        _changed(connection, t.stories.c.topic_id, t.topics.c.id, "{} stories left topics that are not there."),
        _deleted(connection, delete(t.stories).where(~exists().where(t.memberships.c.story_id == t.stories.c.id)), _EMPTY),
        _requeued(connection),
        _reappeared(connection),
        _recounted(connection),
    ]
    if not index_is_whole(connection):
        rebuild_index(connection)
        found.append("The search index was built anew.")
    connection.execute(delete(t.shown))  # it may know more than the appearances do now
    raise_counter(connection, "revision", counter(connection, "revision") + 1)
    return [sentence for sentence in found if sentence]


_EMPTY = "{} stories without items were removed."


def _gone(column: ColumnElement[Any], target: ColumnElement[Any]) -> ColumnElement[bool]:
    return column.is_not(None) & ~exists().where(target == column)


_ORPHANS = (
    (t.unsorted_items, _gone(t.unsorted_items.c.item_id, t.items.c.id), "{} entries of the queue named items that are not there."),
    (t.item_titles, _gone(t.item_titles.c.item_id, t.items.c.id), "{} earlier titles belonged to items that are not there."),
    (t.story_redirects, _gone(t.story_redirects.c.story_id, t.stories.c.id), "{} redirects led to stories that are not there."),
    (t.topic_redirects, _gone(t.topic_redirects.c.topic_id, t.topics.c.id), "{} redirects led to topics that are not there."),
    (t.correction_items, _gone(t.correction_items.c.item_id, t.items.c.id), "{} corrected items are not there."),
    (t.correction_items, _gone(t.correction_items.c.correction_id, t.corrections.c.id), "{} items of corrections that are not there."),
    (t.deliveries, _gone(t.deliveries.c.digest_id, t.digests.c.id), "{} deliveries of digests that are not there were removed."),
)


def _deleted(connection: Connection, statement: Any, sentence: str) -> str:
    count = connection.execute(statement).rowcount
    return sentence.format(count) if count else ""


def _changed(connection: Connection, column: Any, target: Any, sentence: str) -> str:
    count = connection.execute(update(column.table).where(_gone(column, target)).values({column.name: None})).rowcount
    return sentence.format(count) if count else ""


def _inserted(connection: Connection, statement: Any) -> int:
    # SQLAlchemy keeps it of an INSERT only when asked to, and says -1 on some drivers
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount


def _requeued(connection: Connection) -> str:
    """Items in no story wait for one."""
    lost = select(t.items.c.id).where(
        ~exists().where(t.memberships.c.item_id == t.items.c.id), ~exists().where(t.unsorted_items.c.item_id == t.items.c.id)
    )
    count = _inserted(connection, insert(t.unsorted_items).from_select(["item_id"], lost))
    return f"{count} items wait for a story again." if count else ""


def _reappeared(connection: Connection) -> str:
    """An item that appears nowhere was shown by the feed that had it first, under its own key."""
    i, a = t.items.c, t.appearances.c
    nowhere = ~exists().where(a.item_id == i.id)
    same = (a.feed_id == i.feed_id) & (a.key == i.key)
    unseen = same & ~exists().where(_OTHER.c.item_id == i.id)
    mine = select(i.id).where(same).limit(1).scalar_subquery()
    again = connection.execute(update(t.appearances).where(a.item_id.is_(None), exists().where(unseen)).values(item_id=mine)).rowcount
    lost = select(i.feed_id, i.key, i.id, i.link, i.arrived_at).where(nowhere, ~exists().where(same))
    count = _inserted(connection, insert(t.appearances).from_select(["feed_id", "key", "item_id", "link", "seen_at"], lost))
    count += again
    return f"{count} items appear again in the feed that had them first." if count else ""


_OTHER = t.appearances.alias("other")


def _recounted(connection: Connection) -> str:
    """Stories count their items, topics their stories."""
    s = t.stories.c
    items = select(func.count()).select_from(t.memberships).where(t.memberships.c.story_id == s.id).scalar_subquery()
    wrong = connection.execute(update(t.stories).where(s.item_count != items).values(item_count=items)).rowcount
    stories = select(func.count()).select_from(t.stories).where(s.topic_id == t.topics.c.id).scalar_subquery()
    connection.execute(update(t.topics).where(t.topics.c.story_count != stories).values(story_count=stories))
    return f"{wrong} stories were counted again." if wrong else ""
