"""EDGE: which digests were made, under which name and of which items, and the outbox of what is still to be delivered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update

from aggregator.model import Delivery, DigestRecord, Period
from aggregator.store import tables as t
from aggregator.store.engine import Database
from aggregator.store.rows import columns_of, insert_missing
from aggregator.store.types import Moment

_FIELDS = tuple(t.digests.c[name] for name in DigestRecord.__dataclass_fields__)
_WAITING = (
    select(t.deliveries, t.digests.c.name, t.digests.c.from_at, t.digests.c.to_at)
    .select_from(t.deliveries.join(t.digests))
    .where(t.deliveries.c.delivered_at.is_(None))
    .order_by(t.deliveries.c.id)
)
_MOMENT = Moment()


class Digests:
    """Implements ports.DigestStore."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def last(self, name: str) -> DigestRecord | None:
        """The one that was made last."""
        # not the one whose period ends last: a clock that was set back must not offer its items again
        query = select(*_FIELDS).where(t.digests.c.name == name).order_by(t.digests.c.id.desc()).limit(1)
        with self._db.reading() as connection:
            row = connection.execute(query).first()
        return DigestRecord(*row) if row is not None else None

    def record(self, record: DigestRecord, deliveries: Sequence[Delivery] = ()) -> None:
        """See ports.DigestStore."""
        with self._db.writing() as connection:
            id_ = connection.scalars(t.digests.insert().returning(t.digests.c.id), columns_of(record)).one()
            if deliveries:
                connection.execute(t.deliveries.insert(), [_row(each, id_) for each in deliveries])

    def known_since(self, name: str, now: datetime) -> datetime:
        """When a digest of that name was first heard of; that is now if it never was."""
        key = f"digest since:{name}"
        with self._db.writing() as connection:
            insert_missing(connection, t.meta, [{"key": key, "value": _MOMENT.process_bind_param(now, connection.dialect)}])
            value = connection.scalar(select(t.meta.c.value).where(t.meta.c.key == key))
            since = _MOMENT.process_result_value(value, connection.dialect)
        assert since is not None
        return since

    def waiting(self) -> list[Delivery]:
        """What is still to be delivered, oldest first."""
        with self._db.reading() as connection:
            return [_delivery_of(row) for row in connection.execute(_WAITING)]

    def note_place(self, id_: int, place: str) -> None:
        self._set(id_, place=place)

    def note_delivered(self, id_: int, at: datetime) -> None:
        self._set(id_, delivered_at=at, next_try_at=None, error=None, parts={})

    def note_failure(self, id_: int, error: str, next_try_at: datetime) -> None:
        self._set(id_, attempts=t.deliveries.c.attempts + 1, error=error, next_try_at=next_try_at)

    def drop(self, id_: int) -> None:
        with self._db.writing() as connection:
            connection.execute(t.deliveries.delete().where(t.deliveries.c.id == id_))

    def _set(self, id_: int, **values: Any) -> None:
        with self._db.writing() as connection:
            connection.execute(update(t.deliveries).where(t.deliveries.c.id == id_).values(values))


def _row(delivery: Delivery, digest_id: int) -> dict[str, Any]:
    kept = ("key", "target", "place", "attempts", "next_try_at", "error")
    row = {name: getattr(delivery, name) for name in kept}
    return row | {"digest_id": digest_id, "zone": delivery.period.zone, "parts": dict(delivery.parts)}


def _delivery_of(row: Row[Any]) -> Delivery:
    found = row._mapping
    same = ("id", "key", "name", "target", "parts", "attempts", "next_try_at", "error", "place")
    return Delivery(period=Period(found["from_at"], found["to_at"], found["zone"]), **{name: found[name] for name in same})
