"""EDGE: the daemon on one machine: APScheduler says when, App does the work.

    every tick      poll the feeds that are due | organise what came        (feeds.toml is read again when it changed)
    digest time     the digest of (last delivered, now] | write | record    (a missed one is caught up once)
    prune, backup   by their own times

All jobs run in one worker thread: one writer, and no job can meet itself. Triggers go by the program's clock, so that
`--now … --speed …` replays an archive through the same code.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from aggregator.app import App
from aggregator.errors import AggregatorError
from aggregator.model import FeedOutcome
from aggregator.times import iso
from aggregator.triggers import ProgramTimeTrigger, daily, missed_since

log = logging.getLogger("aggregator.daemon")

_MIN_REAL_TICK_SECONDS = 0.05
# a replay at a high speed would otherwise tick without pause
_LINE_SECONDS = 60.0
"""Of a host with very many feeds only those are polled in one round whose turn comes in this time; the others stay due, and all
other hosts' feeds do not wait for them."""


class Daemon:
    """Owns the scheduler; `run` returns when it was told to stop."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.stop_asked = threading.Event()
        self._failed = False

    # --- one round, without a scheduler ---------------------------------------------------------------------------

    def once(self) -> list[FeedOutcome]:
        """One round: poll what is due, organise, write a digest that is due or was missed."""
        outcomes = self._poll()
        self._catch_up()
        return outcomes

    # --- the loop ---------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Run until SIGTERM or SIGINT; finish the write under way, give up on network within the shutdown timeout."""
        scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )
        self._add_jobs(scheduler)
        with _Signals(self._ask_to_stop):
            scheduler.start()
            log.info("started: %s", self.app.describe())
            self.stop_asked.wait()
            log.info("stopping")
            self._drain(scheduler)
        log.info("stopped")

    def _add_jobs(self, scheduler: BackgroundScheduler) -> None:
        settings, clock = self.app.settings, self.app.clock
        tick = max(settings.daemon.tick, _MIN_REAL_TICK_SECONDS * clock.speed)
        soon = datetime.now(UTC)

        def add(name: str, step: Callable[[], Any], trigger: BaseTrigger, **first: Any) -> None:
            scheduler.add_job(self._guarded(name, step), ProgramTimeTrigger(trigger, clock), id=name, name=name, **first)

        add("poll", self._poll, IntervalTrigger(seconds=tick, start_date=clock(), timezone=UTC), next_run_time=soon)
        if settings.digest.enabled:
            scheduler.add_job(self._guarded("catch up", self._catch_up), id="catch-up", next_run_time=soon)
            add("digest", self._digest, self._digest_trigger())
        if settings.daemon.prune_at:
            add("prune", self._prune, daily(settings.daemon.prune_at, self.app.zone))
        if settings.daemon.backup_at:
            add("backup", self._backup, daily(settings.daemon.backup_at, self.app.zone))

    def _guarded(self, name: str, step: Callable[[], Any]) -> Callable[[], None]:
        """A job that fails is logged with its reason and tried again at its next time; it never ends the daemon."""

        def job() -> None:
            if self.stop_asked.is_set():
                return
            try:
                step()
            except AggregatorError as error:
                log.error("%s failed: %s", name, error)
            except Exception:
                log.exception("%s failed unexpectedly", name)

        return job

    def _drain(self, scheduler: BackgroundScheduler) -> None:
        scheduler.pause()
        self.app.interrupt()
        finisher = threading.Thread(target=scheduler.shutdown, kwargs={"wait": True}, daemon=True)
        finisher.start()
        finisher.join(self.app.settings.daemon.shutdown_timeout)
        if finisher.is_alive():
            log.warning(
                "the work under way did not end within %s s; leaving it to the next start", self.app.settings.daemon.shutdown_timeout
            )

    def _ask_to_stop(self) -> None:
        self.stop_asked.set()

    # --- the jobs ---------------------------------------------------------------------------------------------------

    def _poll(self) -> list[FeedOutcome]:
        outcomes = self.app.fetch(organise=False, heard=log_outcome, line_seconds=_LINE_SECONDS)
        grouped = self.app.organise()
        if grouped:
            log.info("organised %d items", grouped)
        return outcomes

    def _digest_trigger(self) -> CronTrigger:
        digest = self.app.settings.digest
        return daily(digest.time, self.app.zone, digest.weekdays)

    def _catch_up(self) -> None:
        if not self.app.settings.digest.enabled:
            return
        last = self.app.last_digest(self.app.settings.digest.name)
        if missed_since(self._digest_trigger(), last.to_at if last else None, self.app.clock()):
            log.info("a digest was missed while the daemon was not running: catching up")
            self._digest()

    def _digest(self) -> None:
        path = self.app.write_digest()
        log.info("digest written to %s", path)

    def _prune(self) -> None:
        log.info("pruned %d items", self.app.prune())

    def _backup(self) -> None:
        path = self.app.backup()
        if path is not None:
            log.info("backup written to %s", path)


def log_outcome(outcome: FeedOutcome) -> None:
    """One line for each poll."""
    following = f", next poll {iso(outcome.next_poll_at.replace(microsecond=0))}" if outcome.next_poll_at else ""
    status = f" ({outcome.status})" if outcome.status else ""
    if outcome.error:
        log.warning("polled %s%s: %s%s", outcome.name, status, outcome.error, following)
    elif outcome.outcome == "throttled":
        log.info("held back %s: its host needs a rest, or its turn did not come%s", outcome.name, following)
    else:
        log.info("polled %s%s: %d new, %d edited%s", outcome.name, status, outcome.new, outcome.edited, following)


class _Signals:
    """While it lasts, SIGTERM and SIGINT call `stop`; outside the main thread (tests) nothing is changed."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self.stop = stop
        self.before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self.before[number] = signal.signal(number, lambda *_: self.stop())

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
