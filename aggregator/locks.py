"""EDGE: locks between the processes of an installation: leases where there is a broker, the database's own on PostgreSQL, else files."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from aggregator.lock import file_lock, lock_holder
from aggregator.team import DAEMON

if TYPE_CHECKING:
    from aggregator.app import App

_REFUSAL = "the daemon is already running on this database"


class Locks:
    """The locks of one App's database."""

    def __init__(self, app: App) -> None:
        self.app = app

    def hold(self, what: str, wait: bool) -> AbstractContextManager[None]:
        """Held by one process of all. Raises LockedError without `wait`."""
        if self.app.settings.broker:
            return self.app.team.lock(what, wait)
        if self._on_server:
            return self.app.store.lock(what, wait=wait)
        safe = what if re.fullmatch(r"[\w-]{1,80}", what, re.ASCII) else sha256(what.encode()).hexdigest()[:16]
        return file_lock(self._beside_database(f"{safe}.lock"), wait=wait)

    def single_instance(self) -> AbstractContextManager[None]:
        """Held by the daemon: one for each database. Raises LockedError."""
        if self.app.settings.broker:
            return self.app.team.lock(DAEMON, False, _REFUSAL)
        if self._on_server:
            return self.app.store.lock("run", wait=False, refusal=_REFUSAL)
        return file_lock(self._beside_database("run.lock"), wait=False, refusal=_REFUSAL)

    def daemon_process(self) -> int | None:
        """The process of the daemon that runs on this database."""
        if self.app.settings.broker and (name := self.app.team.daemon()):
            return int(name.split("-")[-2])
        if self._on_server:
            found = re.search(r"process (\d+)", self.app.store.lock_holder("run") or "")
            return int(found[1]) if found else None
        return lock_holder(self._beside_database("run.lock"))

    @property
    def _on_server(self) -> bool:
        """Whether the database is one that several machines share: then it holds the locks, too."""
        return re.match(r"postgres(ql)?(\+\w+)?://", self.app.settings.database) is not None

    def _beside_database(self, suffix: str) -> Path:
        database = self.app.settings.database
        if "://" in database and not database.startswith("sqlite:///"):
            return self.app.location.data_folder / f"{sha256(database.encode()).hexdigest()[:12]}.{suffix}"
        path = Path(database.removeprefix("sqlite:///"))
        return path.with_name(f"{path.name}.{suffix}")
