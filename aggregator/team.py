"""EDGE: what the processes of one installation share, wherever they run: locks that are leases in the database, and turns at hosts.

Used where a broker is set; a lone process has locks of its own machine (lock.py) and needs no turns.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

from aggregator.errors import AggregatorError, BrokerError, UsageError
from aggregator.lock import lease_lock
from aggregator.model import DueFeed, QueueState
from aggregator.status import TeamStatus
from aggregator.text import without_password

if TYPE_CHECKING:
    from aggregator.app import App
    from aggregator.ports import LeaseStore

log = logging.getLogger("aggregator.team")

DAEMON = "daemon"
"""The lease of the one process that is the clock."""
_ALONE_SECONDS = 900.0
"""How long a command that polls by itself keeps feeds from the workers; each is let go when its poll ends."""


class Team:
    """One process of an installation, and what it may know of the others."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
        self.lease_seconds = app.settings.workers.lease

    def lock(
        self, what: str, wait: bool, refusal: str = "another process is at it", lost: Callable[[], None] | None = None
    ) -> AbstractContextManager[None]:
        """Held by one process of all. Each time under another holder's name, so that threads keep each other out, too."""
        holder = f"{self.name} {secrets.token_hex(2)}"
        leases = self.app.store.leases
        return lease_lock(leases, what, holder, seconds=self.lease_seconds, wait=wait, refusal=refusal, lost=lost)

    def turns(self) -> LeasedHosts:
        """For one round."""
        return LeasedHosts(self.app.store.leases, f"{self.name} {secrets.token_hex(2)}", self.lease_seconds)

    def claimed(self, due: Sequence[DueFeed]) -> list[DueFeed]:
        """Those of the feeds that no worker has or is about to get, kept from them while they are polled here."""
        claims, seen = self.app.store.claims, {each.state.id: each.state.last_attempt_at for each in due}
        mine = claims.take(claims.claim(seen, _ALONE_SECONDS), self.name, _ALONE_SECONDS, self.app.clock()).states
        fresh = {state.id: state for state in mine}
        return [replace(each, state=fresh[each.state.id]) for each in due if each.state.id in fresh]

    def daemon(self) -> str | None:
        """The name of the process that is the clock now."""
        holder = self.app.store.leases.holder(DAEMON)
        return holder.partition(" ")[0] if holder else None

    def status(self) -> TeamStatus:
        """The workers and the queues. A broker that cannot be asked is no reason to say nothing of the rest."""
        from aggregator.tasks import make_queues

        settings, problem = self.app.settings, None
        queues: tuple[QueueState, ...] = ()
        try:
            with make_queues(settings) as asked:
                queues = asked.states()
        except (BrokerError, UsageError) as error:
            problem = str(error)
        workers = tuple(self.app.store.workers.all())
        return TeamStatus(without_password(settings.broker), workers, queues, problem, self.lease_seconds)


class LeasedHosts:
    """Implements ports.HostTurns. Belongs to one event loop; a task renews the leases."""

    def __init__(self, leases: LeaseStore, holder: str, seconds: float) -> None:
        self._leases, self._holder, self._seconds = leases, holder, seconds
        self._held: set[str] = set()
        self._keeper: asyncio.Task[None] | None = None

    def has(self, host: str) -> bool:
        return host in self._held

    async def take_free(self, hosts: Collection[str]) -> None:
        taken = await asyncio.to_thread(self._leases.take_free, [_lease(host) for host in hosts], self._holder, self._seconds)
        self._hold({host for host in hosts if _lease(host) in taken})

    async def take(self, host: str) -> float:
        left = await asyncio.to_thread(self._leases.take, _lease(host), self._holder, self._seconds)
        if not left:
            self._hold({host})
        return left

    def _hold(self, hosts: set[str]) -> None:
        self._held |= hosts
        if self._held and self._keeper is None:
            self._keeper = asyncio.create_task(self._keep())

    async def leave(self, after_seconds: Mapping[str, float]) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
        mine = {_lease(host): after_seconds.get(host, 0.0) for host in self._held}
        if mine:
            await asyncio.to_thread(self._leases.give_back, self._holder, mine)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._seconds / 3)
            try:
                kept = await asyncio.to_thread(self._leases.renew, self._holder, self._seconds)
            except AggregatorError as error:
                log.warning("the turns at hosts could not be renewed: %s", error)
                continue
            self._held = {host for host in self._held if _lease(host) in kept}  # the others are asked for again


def _lease(host: str) -> str:
    return f"host {host}"
