"""EDGE: one process of `aggregator worker`: takes tasks from the broker, does them one at a time, and says that it lives.

    broker | Dramatiq's worker, one thread | Steps | App        beside it a thread that renews what the process holds

One task at a time: Python computes with one thread anyway, and a poll asks dozens of servers at once. More cores are used by
more processes. A process that is told to stop gives back what it has not done.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from aggregator.app import App
from aggregator.daemon import LINE_SECONDS, Signals, StoppedError, log_outcome, log_pages, log_sent
from aggregator.errors import AggregatorError, LockedError
from aggregator.heartbeat import Heartbeat
from aggregator.logs import new_round
from aggregator.model import DueFeed, FeedOutcome
from aggregator.store.claims import Taken
from aggregator.store.stories import WRITER
from aggregator.tasks import TASKS, Queues
from aggregator.times import iso

log = logging.getLogger("aggregator.worker")

_WATCH_SECONDS = 1.0


class Steps:
    """What the tasks do. `doing` and `done` are what `status` shows."""

    def __init__(self, app: App, heartbeat: Heartbeat) -> None:
        self.app = app
        self.stop_asked = threading.Event()
        self._heartbeat = heartbeat
        self.doing = ""
        self.done: dict[str, int] = {}

    def by_name(self) -> dict[str, Callable[..., None]]:
        return {name: self._guarded(name, getattr(self, name)) for name in TASKS}

    def _guarded(self, name: str, step: Callable[..., str]) -> Callable[..., None]:
        """A step under a round's id; why it failed is logged as a sentence, and Dramatiq brings it again."""

        from dramatiq.errors import Retry

        def task(*arguments: Sequence[int]) -> None:
            self._heartbeat.progress()
            self.doing = f"{name} ({len(arguments[0])} feeds)" if arguments else name
            try:
                with new_round():
                    step(*arguments)
                self._count("tasks", 1)
            except LockedError as error:
                log.info("%s is left to another process: %s", name, error)
            except AggregatorError as error:
                self._count("failed", 1)
                log.error("%s failed: %s", name, error)
                raise
            except Retry as again:
                log.info("%s comes again: %s", name, again)
                raise
            except Exception:
                self._count("failed", 1)
                log.exception("%s failed unexpectedly", name)
                raise
            finally:
                self.doing = ""

        return task

    def _count(self, what: str, number: int) -> None:
        self.done[what] = self.done.get(what, 0) + number

    # --- the steps ----------------------------------------------------------------------------------------------------

    def fetch_batch(self, ids: Sequence[int]) -> None:
        """Poll those of the feeds that are still to be polled. Comes again later when a process that may be dead has some of them."""
        from dramatiq.errors import Retry

        claims, me, seconds = self.app.store.claims, self.app.team.name, self.app.settings.workers.lease
        ids = [int(id_) for id_ in ids]  # the broker may have been written to by others
        taken = claims.take(ids, me, seconds, self.app.clock())
        try:
            left = self._poll(taken)
        except BaseException:
            with suppress(AggregatorError):
                claims.release(ids, me, seconds)
            raise
        claims.release(left, me, seconds)
        claims.release(ids, me)  # what is not to be polled after all
        if left:
            raise Retry("it was told to stop" if self.stop_asked.is_set() else "some were in other hands", delay=0)
        if taken.wait_seconds > 0:
            raise Retry("another process has some of them, or had", delay=int((taken.wait_seconds + 1) * 1000))

    def _poll(self, taken: Taken) -> list[int]:
        """Returns what was not polled."""
        from aggregator.feeds.schedule import may_force

        feeds = {feed.name: feed for feed in self.app.feed_list.load()}
        pairs = [DueFeed(feeds[state.name], state) for state in taken.states if state.name in feeds]
        if len(pairs) < len(taken.states):
            log.warning("%d feeds are not in this process's %s", len(taken.states) - len(pairs), self.app.location.feeds_path)
        now = self.app.clock()
        due = [pair for pair in pairs if pair.feed.enabled and may_force(pair.feed, pair.state, now)]
        wanting = [pair.feed for pair in due if pair.feed.full_text]
        outcomes = self.app.poll(due, wanting, heard=self._heard, line_seconds=LINE_SECONDS, pages=log_pages)
        done = {outcome.name for outcome in outcomes}
        return [pair.state.id for pair in due if pair.feed.name not in done]

    def _heard(self, outcome: FeedOutcome) -> None:
        self._heartbeat.progress()
        self._count("polls", 1)
        self._count("new_items", outcome.new)
        if outcome.error:
            self._count("errors", 1)
        log_outcome(outcome)

    def organise(self) -> None:
        """Group what waits, unless another process is at it."""
        if self.app.store.leases.holder(WRITER) is not None:
            log.debug("another process organises")
            return
        grouped = self.app.organise(self._going_on)
        self._count("grouped_items", grouped)
        if grouped:
            log.info("organised %d items", grouped)

    def _going_on(self, done: int, total: int) -> None:
        self._heartbeat.progress()
        if self.stop_asked.is_set() and done < total:
            raise StoppedError("told to stop")

    def publish(self) -> None:
        """Make the digests that are due, deliver what waits."""
        for record in self.app.publish():
            log.info("digest %s made: %s to %s, %d stories", record.name, iso(record.from_at), iso(record.to_at), len(record.story_ids))
        for sent in self.app.deliver():
            log_sent(sent)

    def prune(self) -> None:
        with self.app.team.lock(WRITER, True):
            log.info("pruned %d items", self.app.upkeep.prune())

    def backup(self) -> None:
        log.info("backup written to %s", self.app.upkeep.backup())


class WorkerProcess:
    """Runs until SIGTERM or SIGINT. `queues` are those it takes tasks from."""

    def __init__(self, app: App, queues: Sequence[str], heartbeat: Heartbeat | None = None) -> None:
        self.app, self.queues = app, tuple(queues)
        self._heartbeat = heartbeat or Heartbeat(os.environ)
        self.steps = Steps(app, self._heartbeat)

    @property
    def stop_asked(self) -> threading.Event:
        return self.steps.stop_asked

    def run(self) -> bool:
        """False when the work under way did not end within the shutdown timeout: the caller must then end the process."""
        from dramatiq import Worker

        logging.getLogger("dramatiq.worker.WorkerThread").setLevel(logging.CRITICAL)  # Steps tells what failed, in a sentence
        queues = Queues(self.app.settings, self.steps.by_name())
        worker = Worker(queues.broker, queues={queues.full_name(name) for name in self.queues}, worker_threads=1)
        worker.queue_prefetch = 1  # what this process cannot begin yet is for others
        self._beat()
        with Signals({signal.SIGTERM: self.stop_asked, signal.SIGINT: self.stop_asked}):
            queues.broker.emit_after("process_boot")
            worker.start()
            log.info("worker %s started: %s, database %s", self.app.team.name, ", ".join(self.queues), self.app.store.name)
            beating = threading.Thread(target=self._keep_beating, daemon=True)
            beating.start()
            self._heartbeat.ready()
            while not self.stop_asked.wait(_WATCH_SECONDS):
                self._heartbeat.feed_watchdog(busy=bool(self.steps.doing))
            log.info("stopping")
            self._heartbeat.stopping()
            self.app.interrupt()
            worker.stop(timeout=int(self.app.settings.daemon.shutdown_timeout * 1000))
        drained = not any(thread.is_alive() for thread in worker.workers)
        if drained:
            self.app.store.workers.gone(self.app.team.name)
            queues.close()
            log.info("stopped")
        return drained

    def _keep_beating(self) -> None:
        while not self.stop_asked.wait(self.app.settings.workers.lease / 3):
            try:
                self._beat()
            except AggregatorError as error:  # it is told again soon
                log.warning("this worker's sign of life could not be written: %s", error)

    def _beat(self) -> None:
        team, store = self.app.team, self.app.store
        store.claims.renew(team.name, team.lease_seconds)
        store.workers.beat(team.name, self.queues, self.steps.doing, self.steps.done)
