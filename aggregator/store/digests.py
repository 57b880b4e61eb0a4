"""EDGE: which digests were delivered, under which name and for which period."""

from __future__ import annotations

from sqlalchemy import select

from aggregator.model import DigestRecord
from aggregator.store import tables as t
from aggregator.store.engine import Database
from aggregator.store.rows import columns_of

_FIELDS = tuple(t.digests.c[name] for name in DigestRecord.__dataclass_fields__)


class Digests:
    """Implements ports.DigestStore."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def last(self, name: str) -> DigestRecord | None:
        """The one whose period ends last."""
        query = select(*_FIELDS).where(t.digests.c.name == name).order_by(t.digests.c.to_at.desc(), t.digests.c.id.desc()).limit(1)
        with self._db.reading() as connection:
            row = connection.execute(query).first()
        return DigestRecord(*row) if row is not None else None

    def record(self, record: DigestRecord) -> None:
        with self._db.writing() as connection:
            connection.execute(t.digests.insert(), columns_of(record))
