"""EDGE: opens a store: the one way in. The rest of the program sees a Store through ports."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType

from aggregator.store.claims import Claims
from aggregator.store.corrections import Corrections
from aggregator.store.digests import Digests
from aggregator.store.engine import Database, Options
from aggregator.store.feeds import Feeds
from aggregator.store.figures import Figures
from aggregator.store.items import Items
from aggregator.store.leases import Leases
from aggregator.store.maintenance import Maintenance
from aggregator.store.marks import Marks
from aggregator.store.moving import Moved, Progress, move_all
from aggregator.store.schema import Upgrade, ensure_schema
from aggregator.store.stories import Stories
from aggregator.store.whole import Whole
from aggregator.store.workers import Workers


class Store:
    """One open database, by noun. Threads may share it. Close it, or use it in a `with`."""

    def __init__(self, database: Database, upgrade: Upgrade, opened_at: datetime) -> None:
        self._database = database
        self.name, self.path = database.name, database.path
        self.in_memory = database.kind.one_connection
        self.feeds = Feeds(database, opened_at)
        self.items = Items(database)
        self.leases = Leases(database)
        self.claims = Claims(database)
        self.workers = Workers(database)
        self.stories = Stories(database, self.leases)
        self.corrections = Corrections(database, self.leases)
        self.digests = Digests(database)
        self.marks = Marks(database)
        self.figures = Figures(database)
        self.maintenance = Maintenance(database, upgrade)
        self.whole = Whole(database, upgrade.after)

    def lock(self, name: str, *, wait: bool, refusal: str = "another process holds the lock") -> AbstractContextManager[None]:
        """A lock between processes on any machine, on a store that has one to give (PostgreSQL). Raises LockedError."""
        lock = self._database.lock(name, wait=wait, refusal=refusal)
        assert lock is not None, "a store on this machine is locked by its files"
        return lock

    def lock_holder(self, name: str) -> str | None:
        """Who holds it now, in words such as "aggregator on HOST, process N"."""
        return self._database.holder(name)

    def move_to(self, target: Store, progress: Progress | None = None) -> Moved:
        """Copy everything into another store, which must be empty. Raises StoreError; then nothing was copied."""
        return move_all(self._database, target._database, progress)

    def rest(self) -> None:
        """Give back what is only kept to be quick; for a program that runs for weeks, now and then."""
        self._database.rest()

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def open_store(url: str, *, now: datetime, options: Options | None = None, backup_before_upgrade: bool = True) -> Store:
    """Open the database at `url` (a file name, "sqlite:///FILE" or "sqlite://"), making or upgrading it when needed.

    `now` dates the copy that is made before an upgrade. Raises StoreError with a sentence that names the file, and
    SchemaError when a newer version of the program wrote it.
    """
    database = Database(url, options)
    try:
        upgrade = ensure_schema(database, now=now, copy_aside=backup_before_upgrade)
    except BaseException:
        database.close()
        raise
    return Store(database, upgrade, now)
