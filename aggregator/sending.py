"""EDGE: the daemon where a broker is set: still the clock, but others do the work.

    every tick   the feeds that are due | claim for the queue | batches by host | send        items that wait: send organise
                 digests that are due, deliveries that wait: send publish
    prune, backup by their own times

The database says what is to be done, and the queue only who does it: what a broker has lost is sent again once its claim has run
out. One daemon is the clock; a second one waits for its lease, and takes over when it ends.
"""

from __future__ import annotations

import logging
from functools import cached_property

from aggregator.batching import batches
from aggregator.daemon import Daemon
from aggregator.model import DueFeed, FeedOutcome, QueueState
from aggregator.pipeline import due_feeds
from aggregator.publishing import is_due
from aggregator.store.claims import QUEUE
from aggregator.store.stories import WRITER
from aggregator.tasks import Queues
from aggregator.team import DAEMON
from aggregator.triggers import daily, missed_since

log = logging.getLogger("aggregator.daemon")

_CLAIM_LEASES = 2


class SendingDaemon(Daemon):
    """Sends; polls and groups nothing itself."""

    @cached_property
    def queues(self) -> Queues:
        return Queues(self.app.settings)

    def run(self) -> bool:
        if self.app.team.daemon():
            log.info("another daemon (%s) is the clock; this one waits", self.app.team.daemon())
        with self.app.team.lock(DAEMON, True, lost=self.stop_asked.set):
            return super().run()

    def _poll(self) -> list[FeedOutcome]:
        waiting = {state.name: state for state in self.queues.states()}
        self._keep_claims(waiting["fetch"])
        self._send_due()
        if not waiting["organise"].waiting and self._has_to_organise():
            self.queues.send("organise")
        return []

    def _has_to_organise(self) -> bool:
        """Whether items wait, and nobody is at it."""
        return self.app.store.maintenance.sizes()[1] > 0 and self.app.store.leases.holder(WRITER) is None

    def _keep_claims(self, fetch: QueueState) -> None:
        """What is still in the queue stays claimed; when the broker has nothing any more, claims run out."""
        if fetch.waiting or fetch.unacked:
            self.app.store.claims.renew(QUEUE, self._claim_seconds())

    def _claim_seconds(self) -> float:
        real_tick = self.app.settings.daemon.tick / self.app.clock.speed
        return max(_CLAIM_LEASES * self.app.settings.workers.lease, 3 * real_tick)

    def _send_due(self) -> None:
        app, fetch = self.app, self.app.settings.fetch
        due = due_feeds(app.subscribed(), app.store.feeds.states(), app.clock())
        claimed = set(app.store.claims.claim({each.state.id: each.state.last_attempt_at for each in due}, self._claim_seconds()))
        spaced = fetch.host_delay is not None or fetch.host_connections is not None
        mine: list[DueFeed] = [each for each in due if each.state.id in claimed]
        unsent = set(claimed)
        try:
            for batch in batches(mine, app.settings.workers.batch, spaced=spaced):
                self.queues.send("fetch_batch", batch)
                unsent -= set(batch)
        finally:
            app.store.claims.release(sorted(unsent), QUEUE)
        if claimed:
            log.info("sent %d feeds to be polled", len(claimed))

    def _publish(self) -> None:
        waits = next(state.waiting for state in self.queues.states() if state.name == "publish")
        if not waits and self._has_to_publish():
            self.queues.send("publish")

    def _has_to_publish(self) -> bool:
        digests, now = self.app.store.digests, self.app.clock()
        for plan in self.app.plans():
            last = digests.last(plan.name)
            since = last.to_at if last else digests.known_since(plan.name, now)
            if missed_since(daily(plan.time, plan.zone, plan.weekdays), since, now):
                return True
        return any(is_due(each, now) for each in digests.waiting())

    def _prune(self) -> None:
        self.queues.send("prune")

    def _backup(self) -> None:
        self.queues.send("backup")
