"""EDGE: upkeep of a store that is meant to last: prune, backup, and what there is to say about how things run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from aggregator.status import DigestStatus, Status, summarise

if TYPE_CHECKING:
    from aggregator.app import App
    from aggregator.model import DigestPlan
    from aggregator.store.moving import Moved


class Upkeep:
    """What `aggregator db`, `aggregator status` and the daemon's nightly jobs do."""

    def __init__(self, app: App) -> None:
        self.app = app

    def prune(self) -> int:
        """Forget items older than the setting retention.items (by arrival; 0 keeps all), and the oldest ones beyond
        retention.size; give the space back. Returns how many items."""
        keep, maintenance = self.app.settings.retention, self.app.store.maintenance
        gone = maintenance.prune(self.app.clock() - timedelta(seconds=keep.items)).items if keep.items else 0
        if keep.size:
            gone += maintenance.prune_to(keep.size).items
        maintenance.shrink()
        return gone

    def repair(self) -> tuple[Path | None, list[str]]:
        """Mend the database, after a copy. Returns the copy and what was mended."""
        store, beside = self.app.store, self._beside()
        if store.path is None and store.in_memory:
            return None, store.maintenance.repair(None)
        if store.path is None:
            beside = beside.parent / "backups" / beside.name
        copy = beside.with_name(f"{beside.name}.before-repair-{self.app.clock():%Y%m%dT%H%M%SZ}")
        return copy, store.maintenance.repair(copy)

    def backup(self) -> Path:
        """Copy the database into the folder `backups` beside it, named as it is and by the day, and keep the newest
        `daemon.backups` copies of it. Copies of a database on a server are in the data folder, under its address."""
        beside, suffix = self._beside(), self.app.store.maintenance.copy_suffix
        folder = beside.parent / "backups"
        path = folder / f"{beside.stem}-{self.app.clock():%Y-%m-%d}{suffix}"
        self.app.store.maintenance.backup(path)
        for old in sorted(folder.glob(f"{escape(beside.stem)}-????-??-??{suffix}"))[: -self.app.settings.daemon.backups]:
            old.unlink()
        return path

    def _beside(self) -> Path:
        """The file of the database; for one on a server a file in the data folder that is named by its address."""
        store = self.app.store
        address = re.sub(r"[^\w.]+", "-", store.name.removeprefix("postgresql://")).strip("-.")
        return store.path or self.app.location.data_folder / f"{address or 'aggregator'}{store.maintenance.copy_suffix}"

    def move_to(self, target: App, progress: Callable[[int, int], None] | None = None) -> Moved:
        """Copy everything into another, empty database. Raises StoreError, and LockedError while the daemon runs on either."""
        with self.app.locks.single_instance(), target.locks.single_instance():
            return self.app.store.move_to(target.store, progress)

    def whole(self) -> Iterator[str]:
        """Everything that the store holds, as lines."""
        from aggregator.archive import without_credentials

        return self.app.store.whole.lines(without_credentials)

    def restore(self, lines: Iterable[str | bytes], name: str) -> int:
        """Fill the empty store with what `whole` gave. Returns how many rows. Raises ArchiveError; then nothing was stored."""
        from aggregator.feeds.links import clean_link
        from aggregator.feeds.markup import safe_html
        from aggregator.store.whole import Cleaning
        from aggregator.text import strip_controls

        return self.app.store.whole.restore(lines, Cleaning(strip_controls, lambda text: safe_html(text, None), clean_link), name=name)

    def status(self) -> Status:
        """What runs, what is next, what fails."""
        app, now = self.app, self.app.clock()
        feeds = app.subscribed()
        summary = summarise(feeds, app.store.feeds.states(), now)
        items, unsorted, file_bytes = app.store.maintenance.sizes()
        return Status(
            feeds=len(feeds),
            enabled=sum(1 for feed in feeds if feed.enabled),
            due=summary.due,
            last_poll_at=summary.last_poll_at,
            next_poll_at=summary.next_poll_at,
            lag_seconds=summary.lag_seconds,
            failing=summary.failing,
            items=items,
            unsorted=unsorted,
            digests=tuple(map(self._digest, app.plans())),
            waiting=tuple(app.store.digests.waiting()),
            daemon_process=app.locks.daemon_process(),
            database=app.store.name,
            database_bytes=file_bytes,
            feed_list=str(app.location.feeds_path),
            team=app.team.status() if app.settings.broker else None,
        )

    def _digest(self, plan: DigestPlan) -> DigestStatus:
        from aggregator.triggers import daily

        last = self.app.last_digest(plan.name)
        coming = daily(plan.time, plan.zone, plan.weekdays).get_next_fire_time(None, self.app.clock())
        return DigestStatus(plan.name, last.to_at if last else None, coming)
