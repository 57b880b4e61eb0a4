"""EDGE: what people follow, mute and star."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, select

from aggregator.model import Mark
from aggregator.store import tables as t
from aggregator.store.engine import Database
from aggregator.store.rows import columns_of, upsert

_FIELDS = tuple(t.marks.c[name] for name in Mark.__dataclass_fields__)


class Marks:
    """Implements ports.MarkStore."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def all(self) -> list[Mark]:
        """Newest first."""
        query = select(*_FIELDS).order_by(t.marks.c.made_at.desc(), t.marks.c.kind, t.marks.c.target_id)
        with self._db.reading() as connection:
            return [Mark(*row) for row in connection.execute(query)]

    def save(self, mark: Mark) -> None:
        """A target carries one mark; a second one takes the first one's place."""
        with self._db.writing() as connection:
            upsert(connection, t.marks, [columns_of(mark)])

    def remove(self, kind: str, target_id: int) -> bool:
        """Whether there was one."""
        with self._db.writing() as connection:
            return connection.execute(t.marks.delete().where(_same(kind, target_id))).rowcount > 0


def _same(kind: str, target_id: int) -> ColumnElement[bool]:
    return and_(t.marks.c.kind == kind, t.marks.c.target_id == target_id)
