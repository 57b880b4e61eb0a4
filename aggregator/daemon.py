"""EDGE: the daemon on one machine: APScheduler says when, App does the work.

    every tick      poll the feeds that are due | organise what came        (feeds.toml is read again when it changed)
                    make the digests that are due | deliver what waits      (a missed one is caught up once)
    digest times    the same, to the minute
    prune, backup   by their own times

All jobs run in one worker thread: one writer, and no job can meet itself. Triggers go by the program's clock, so that
`--now … --speed …` replays an archive through the same code. The main thread only watches: signals, changed settings, a clock
that was set, the service manager's watchdog.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger

from aggregator.app import App
from aggregator.errors import AggregatorError
from aggregator.fulltext import PagesRead
from aggregator.heartbeat import ClockWatch, Heartbeat
from aggregator.logs import new_round
from aggregator.memory import give_memory_back, keep_memory_together
from aggregator.metrics import Counters, to_metrics
from aggregator.model import FeedOutcome
from aggregator.publishing import Sent
from aggregator.textfile import replace_text
from aggregator.times import iso
from aggregator.triggers import ProgramTimeTrigger, daily

log = logging.getLogger("aggregator.daemon")

_MIN_REAL_TICK_SECONDS = 0.05
# a replay at a high speed would otherwise tick without pause
LINE_SECONDS = 60.0
"""Of a host with very many feeds only those are polled in one round whose turn comes in this time; the others stay due, and all
other hosts' feeds do not wait for them."""
_WATCH_SECONDS = 1.0
_AT_START = ("daemon.listen", "log.format", "log.level")
"""Settings that are read once: a socket that others rely on stays, and a log does not change its shape under who reads it."""
_TIDY_SECONDS = 3600.0


class StoppedError(AggregatorError):
    """The work under way ends early because the daemon was told to stop; what was written stays."""


class Daemon:
    """Owns the scheduler; `run` returns when it was told to stop. Closes the App that it got by reloading."""

    def __init__(self, app: App, heartbeat: Heartbeat | None = None) -> None:
        self.app = app
        self.stop_asked = threading.Event()
        self.reload_asked = threading.Event()
        self._heartbeat = heartbeat or Heartbeat(os.environ)
        self.counters = Counters()
        self._busy = threading.Event()
        self._scheduler: BackgroundScheduler | None = None

    # --- one round, without a scheduler ---------------------------------------------------------------------------

    def once(self) -> list[FeedOutcome]:
        """One round: poll what is due, organise, make the digests that are due or were missed, deliver what waits."""
        self.app.expect_digests()
        with new_round():
            outcomes = self._poll()
            self._publish()
        return outcomes

    # --- the loop ---------------------------------------------------------------------------------------------------

    def run(self) -> bool:
        """Run until SIGTERM or SIGINT; finish the write under way, give up on network. False when the work under way did not end
        within the shutdown timeout: the caller must then end the process."""
        scheduler = self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )
        keep_memory_together()
        self.app.expect_digests()
        self._add_jobs(scheduler)
        signals = Signals({signal.SIGTERM: self.stop_asked, signal.SIGINT: self.stop_asked, signal.SIGHUP: self.reload_asked})
        with signals, self._listening():
            scheduler.start()
            log.info("started: %s", self.app.describe())
            if lack := self.app.lack():
                log.warning("%s", lack)
            self._heartbeat.ready()
            self._watch(scheduler)
            log.info("stopping")
            self._heartbeat.stopping()
            drained = self._drain(scheduler)
        log.info("stopped")
        return drained

    def _add_jobs(self, scheduler: BackgroundScheduler) -> None:
        settings, clock = self.app.settings, self.app.clock
        tick = max(settings.daemon.tick, _MIN_REAL_TICK_SECONDS * clock.speed)

        def add(name: str, step: Callable[[], Any], trigger: BaseTrigger, **first: Any) -> None:
            scheduler.add_job(self._guarded(name, step), ProgramTimeTrigger(trigger, clock), id=name, name=name, **first)

        every_tick = IntervalTrigger(seconds=tick, start_date=clock(), timezone=UTC)
        add("round", self._round, every_tick, next_run_time=datetime.now(UTC))
        add("tidy", self._tidy, IntervalTrigger(seconds=_TIDY_SECONDS, start_date=clock(), timezone=UTC))
        for plan in self.app.plans():
            add(f"digest {plan.name}", self._publish, daily(plan.time, plan.zone, plan.weekdays))
        if settings.daemon.prune_at:
            add("prune", self._prune, daily(settings.daemon.prune_at, self.app.zone))
        if settings.daemon.backup_at:
            add("backup", self._backup, daily(settings.daemon.backup_at, self.app.zone))

    def _guarded(self, name: str, step: Callable[[], Any]) -> Callable[[], None]:
        """A job that fails is logged with its reason and tried again at its next time; it never ends the daemon."""

        def job() -> None:
            if self.stop_asked.is_set():
                return
            self._heartbeat.progress()
            self._busy.set()
            try:
                with new_round():
                    step()
            except StoppedError:
                log.info("%s ended early", name)
            except AggregatorError as error:
                self.counters.failed_jobs += 1
                log.error("%s failed: %s", name, error)
            except Exception:
                self.counters.failed_jobs += 1
                log.exception("%s failed unexpectedly", name)
            finally:
                self._busy.clear()

        return job

    # --- what others may see --------------------------------------------------------------------------------------------

    def _listening(self) -> AbstractContextManager[Any]:
        address = self.app.settings.daemon.listen
        if not address:
            return nullcontext()
        from aggregator.listener import Listener

        return Listener(address, {"/healthz": self._health, "/metrics": self._metrics})

    def _health(self) -> tuple[int, str, str]:
        well = self._heartbeat.is_alive(busy=self._busy.is_set())
        return (200, "text/plain", "ok\n") if well else (503, "text/plain", "the work under way makes no progress\n")

    def _metrics(self) -> tuple[int, str, str]:
        try:
            return 200, "text/plain; version=0.0.4", to_metrics(self.app.upkeep.status(), self.counters)
        except AggregatorError as error:
            return 500, "text/plain", f"{error}\n"

    def _write_metrics(self) -> None:
        if path := self.app.settings.daemon.metrics_file:
            replace_text(Path(path), to_metrics(self.app.upkeep.status(), self.counters))

    # --- watching, in the main thread ---------------------------------------------------------------------------------

    def _watch(self, scheduler: BackgroundScheduler) -> None:
        clock, settings = ClockWatch(time.time(), time.monotonic()), _signature(self.app.location.path)
        while not self.stop_asked.wait(_WATCH_SECONDS):
            self._heartbeat.feed_watchdog(busy=self._busy.is_set())
            jump = clock.jump_seconds(time.time(), time.monotonic())
            if jump is not None:
                log.warning("the clock was set %+.0f s: all times are worked out anew", jump)
                self._add_jobs_anew(scheduler)
            seen = _signature(self.app.location.path)
            if self.reload_asked.is_set() or seen != settings:
                self.reload_asked.clear()
                settings = seen
                scheduler.add_job(self._guarded("reload", self._reload), id="reload", replace_existing=True)

    def _reload(self) -> None:
        """Go on with the settings as the file has them now; a mistake in it leaves the old ones in force. In the worker thread,
        so no other job is under way."""
        self._heartbeat.reloading()
        try:
            renewed = self.app.renewed()
            renewed.expect_digests()
            before, self.app = self.app, renewed
            before.close()
            if self._scheduler is not None:
                self._add_jobs_anew(self._scheduler)
            log.info("settings read again: %s", self.app.describe())
            if waiting := [key for key in _AT_START if before.settings.value(key) != renewed.settings.value(key)]:
                log.warning("%s changed: that counts when the daemon is started again", ", ".join(waiting))
        finally:
            self._heartbeat.ready()

    def _add_jobs_anew(self, scheduler: BackgroundScheduler) -> None:
        for job in scheduler.get_jobs():
            if job.id != "reload":
                job.remove()
        self._add_jobs(scheduler)

    def _drain(self, scheduler: BackgroundScheduler) -> bool:
        scheduler.pause()
        self.app.interrupt()
        finisher = threading.Thread(target=scheduler.shutdown, kwargs={"wait": True}, daemon=True)
        finisher.start()
        finisher.join(self.app.settings.daemon.shutdown_timeout)
        if finisher.is_alive():
            log.warning(
                "the work under way did not end within %s s; leaving it to the next start", self.app.settings.daemon.shutdown_timeout
            )
            return False
        self.app.close()
        return True

    # --- the jobs ---------------------------------------------------------------------------------------------------

    def _round(self) -> None:
        begun = time.monotonic()
        self._poll()
        self._publish()
        self.counters.rounds += 1
        self.counters.last_round_seconds, self.counters.last_round_at = time.monotonic() - begun, self.app.clock()
        self._write_metrics()

    def _poll(self) -> list[FeedOutcome]:
        outcomes = self.app.fetch(organise=False, heard=self._heard, line_seconds=LINE_SECONDS, pages=log_pages)
        grouped = self.app.organise(self._going_on)
        self.counters.grouped_items += grouped
        if grouped:
            log.info("organised %d items", grouped)
        return outcomes

    def _heard(self, outcome: FeedOutcome) -> None:
        self._heartbeat.progress()
        self.counters.polled(outcome)
        log_outcome(outcome)

    def _going_on(self, done: int, total: int) -> None:
        self._heartbeat.progress()
        if self.stop_asked.is_set() and done < total:
            raise StoppedError("told to stop")

    def _publish(self) -> None:
        for record in self.app.publish():
            log.info("digest %s made: %s to %s, %d stories", record.name, iso(record.from_at), iso(record.to_at), len(record.story_ids))
        for sent in self.app.deliver():
            self.counters.sent(sent)
            log_sent(sent)

    def _prune(self) -> None:
        log.info("pruned %d items", self.app.upkeep.prune())

    def _tidy(self) -> None:
        self.app.store.rest()
        give_memory_back()

    def _backup(self) -> None:
        log.info("backup written to %s", self.app.upkeep.backup())


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


def log_pages(read: PagesRead) -> None:
    """One line when pages were asked for."""
    if read.asked:
        log.info("read %d pages, %d without a text, %d left for the next round", read.asked, read.without, read.left)


def log_sent(sent: Sent) -> None:
    """One line for each attempt to deliver."""
    if sent.error is None:
        log.info("digest %s delivered to %s", sent.name, sent.place)
    else:
        again = iso(sent.next_try_at.replace(microsecond=0)) if sent.next_try_at else "later"
        log.warning("digest %s not delivered to %s: %s; next try %s", sent.name, sent.place, sent.error, again)


def _signature(path: Path | None) -> tuple[int, int, int] | None:
    """Changes when the file does."""
    try:
        found = path.stat() if path is not None else None
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns) if found else None


class Signals:
    """While it lasts, signals set events; outside the main thread (tests) nothing is changed."""

    def __init__(self, events: dict[signal.Signals, threading.Event]) -> None:
        self.events = events
        self.before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number, event in self.events.items():
                self.before[number] = signal.signal(number, lambda *_, event=event: event.set())

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
