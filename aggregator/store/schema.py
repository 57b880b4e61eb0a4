"""EDGE: is the database's schema this program's? Makes a new one, upgrades an older one, refuses a newer one.

    revision | none: make | ours: go on | older: copy aside, then migrate | unknown: refuse

One SELECT answers in the usual case. Alembic (628 ms to import) is loaded only for a migration.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from aggregator.errors import SchemaError, StoreError
from aggregator.store.care import care_of
from aggregator.store.engine import Database, Guard
from aggregator.store.tables import COUNTERS, meta, metadata

# as Alembic makes it
_VERSION_TABLE = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
MIGRATIONS = Path(__file__).with_name("migrations")


@dataclass(frozen=True)
class Upgrade:
    """What opening did to the schema. `before` is None for a new database; `copy` is where the old one was kept."""

    before: str | None
    after: str
    copy: Path | None = None

    @property
    def changed(self) -> bool:
        return self.before != self.after


def revisions(folder: Path = MIGRATIONS) -> list[str]:
    """All revisions this program knows, oldest first: the files of versions/ are called REVISION_what.py."""
    return sorted(path.name.partition("_")[0] for path in (folder / "versions").glob("[0-9]*_*.py"))


def ensure_schema(database: Database, *, now: datetime, copy_aside: bool, folder: Path = MIGRATIONS) -> Upgrade:
    """Bring the database to the newest revision. Raises SchemaError when it is newer than this program."""
    known = revisions(folder)
    with database.reading() as connection:
        before = current_revision(connection, database)
    if before is None:
        before = _make(database, known[-1])
    if before is None or before == known[-1]:
        return Upgrade(before, known[-1])
    if before not in known:
        raise SchemaError(
            f"{database.name} was written by a newer version of this program (its revision is {before}, this one knows up to {known[-1]}); "
            "update the program, or name another database with --database."
        )
    copy = _copy_aside(database, before, now) if copy_aside else None
    _migrate(database, folder)
    return Upgrade(before, known[-1], copy)


def current_revision(connection: Connection, database: Database) -> str | None:
    """The revision noted in the database; None when it is empty. Raises StoreError for somebody else's tables."""
    tables = database.kind.tables(connection)
    if not tables:
        return None
    if "alembic_version" not in tables or not {"feeds", "items"} <= tables:
        another = "file" if database.path else "one, or a schema of its own,"
        raise StoreError(f"{database.name} is a database of another program; name another {another} with --database.")
    return str(connection.scalar(text("SELECT version_num FROM alembic_version")))


def _make(database: Database, revision: str) -> str | None:
    """Make all tables in one transaction; returns what another process had made in the meantime, if one had."""
    with database.writing(Guard.SCHEMA) as connection:
        found = current_revision(connection, database)
        if found is None:
            metadata.create_all(connection, checkfirst=False)
            connection.execute(text(_VERSION_TABLE))
            connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})
            connection.execute(meta.insert(), [{"key": key, "value": value} for key, value in COUNTERS.items()])
        return found


def _copy_aside(database: Database, revision: str, now: datetime) -> Path | None:
    care = care_of(database)
    if database.path is None or not care.copies_before_upgrade:
        return None
    target = database.path.with_name(f"{database.path.name}.before-upgrade-{revision}-{now:%Y%m%dT%H%M%SZ}")
    care.copy(target)
    return target


def _migrate(database: Database, folder: Path) -> None:
    """Run the migrations that are missing, all in one transaction: a failure leaves the old schema.

    What another process has done in the meantime is not done again: Alembic looks at the revision behind the guard.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    with database.writing(Guard.SCHEMA) as connection:
        database.kind.unhurry(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def describe_schema(connection: Connection) -> dict[str, object]:
    """Tables, columns, keys and indexes as the database reports them; equal for a new and a migrated one."""
    seen = inspect(connection)
    return {
        table: {
            "columns": [(c["name"], str(c["type"]), c["nullable"]) for c in seen.get_columns(table)],
            "primary": seen.get_pk_constraint(table)["constrained_columns"],
            "foreign": sorted(
                (k["constrained_columns"], k["referred_table"], sorted(k["options"].items())) for k in seen.get_foreign_keys(table)
            ),
            "indexes": sorted((str(i["name"]), i["column_names"], bool(i["unique"])) for i in seen.get_indexes(table)),
            "unique": sorted(u["column_names"] for u in seen.get_unique_constraints(table)),
        }
        for table in sorted(seen.get_table_names())
        if not table.startswith("sqlite_")
    }
