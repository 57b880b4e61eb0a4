"""EDGE: what maintenance asks of each kind of database (sqlite_care.py, postgres_care.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection

from aggregator.store.engine import Database


class Care(Protocol):
    """Damage, sizes, copies and free space, each as this kind of database has them."""

    copies_before_upgrade: bool
    """Whether a copy is made before the schema is changed; else the one transaction has to do."""
    copy_suffix: str
    """Of the files that `copy` writes."""

    def damage(self, connection: Connection) -> list[str]:
        """What the database itself finds wrong with its files, a sentence each."""
        ...

    def strays(self, connection: Connection) -> list[str]:
        """Rows that refer to rows which are not there, a sentence for each pair of tables."""
        ...

    def file_bytes(self, connection: Connection) -> int:
        """What tables and indexes take on the disk."""
        ...

    def used_bytes(self, connection: Connection) -> int:
        """The same without what is free in them."""
        ...

    def copy(self, target: Path, *, damaged: bool = False) -> None:
        """Copy the living database to a file, which gets its name when it is whole. Raises StoreError."""
        ...

    def reindex(self, connection: Connection) -> None: ...

    def settle(self, connection: Connection) -> None:
        """After tables were filled from elsewhere: ids go on behind the highest, and questions are planned for what is there."""
        ...

    def shrink(self) -> None:
        """Give free space back, some at a time so that writers get their turn."""
        ...

    def compact(self) -> None:
        """Give all free space back to the disk; others wait meanwhile."""
        ...


def care_of(database: Database) -> Care:
    if database.engine.dialect.name == "postgresql":
        from aggregator.store.postgres_care import PostgresCare

        return PostgresCare(database)
    from aggregator.store.sqlite_care import SqliteCare

    return SqliteCare(database)
