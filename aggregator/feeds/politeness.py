"""EDGE: one gate for each host: how many requests at once, how far apart, and not before when. Keeps state and sleeps.

What the rules are is decided by `host_rule` and `spacing_seconds`, which touch nothing; `HostGate` acts on them.
Spacing is real time (it spares the server); `not_before` is the program's time, as Retry-After is.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType

from aggregator.ports import HostTurns

MOST_SILENCES = 3
"""Requests in a row without an answer after which a public host is left alone for the round."""
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class PolitenessLimits:
    """`host_delay_seconds` and `host_connections` are None unless the person set them: then they hold for every host."""

    connections: int = 32
    """Requests at once, over all hosts."""
    host_delay_seconds: float | None = None
    host_connections: int | None = None
    public_delay_seconds: float = 1.0
    public_connections: int = 1
    private_connections: int = 16


@dataclass(frozen=True, slots=True)
class HostRule:
    connections: int
    delay_seconds: float

    @property
    def careful(self) -> bool:
        """Whether it matters what other processes ask of the host."""
        return self.connections == 1 or self.delay_seconds > 0


def host_rule(limits: PolitenessLimits, *, private: bool) -> HostRule:
    """A public host gets one request at a time, spaced; a person's own machine sixteen, unspaced. Settings override both."""
    usual = HostRule(limits.private_connections, 0.0) if private else HostRule(limits.public_connections, limits.public_delay_seconds)
    return HostRule(
        usual.connections if limits.host_connections is None else max(1, limits.host_connections),
        usual.delay_seconds if limits.host_delay_seconds is None else max(0.0, limits.host_delay_seconds),
    )


def spacing_seconds(rule: HostRule, jitter: float) -> float:
    """Between one and two delays; `jitter` in [0, 1). Never less than the delay."""
    return rule.delay_seconds * (1.0 + jitter)


class TurnPassedError(Exception):
    """A feed's turn at its host did not come in this round; the message is a sentence."""


@dataclass(slots=True)
class _Place:
    rule: HostRule
    slots: asyncio.Semaphore
    next_at: float = 0.0
    silences: int = 0
    """Requests in a row that nobody answered."""
    taking: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class HostGate:
    """Lets requests through. Belongs to one event loop; `not_before` survives in the store.

    `not_before` is what FeedStore.host_not_before() gave; `on_back_off(host, until)` is told each new one
    (FeedStore.save_host_not_before). `jitter`, `monotonic` and `sleep` are the world; tests bring their own.
    """

    limits: PolitenessLimits = PolitenessLimits()
    line_seconds: float | None = None
    """How long a feed stands in line for its host before its turn passes (real time); None: as long as it takes."""
    not_before: Mapping[str, datetime] = field(default_factory=dict)
    on_back_off: Callable[[str, datetime], None] | None = None
    turns: HostTurns | None = None
    """Where several processes poll: who may ask which host. None: this is the only one."""
    room: Callable[[], Awaitable[None]] | None = None
    """Waited for before each request: that what came already is put away."""
    jitter: Callable[[], float] = random.random
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def __post_init__(self) -> None:
        self._until = dict(self.not_before)
        self._places: dict[tuple[str, bool], _Place] = {}
        self._overall = asyncio.Semaphore(max(1, self.limits.connections))

    def blocked_until(self, host: str, now: datetime) -> datetime | None:
        """The moment before which `host` asked not to be disturbed, None when it may be asked now."""
        until = self._until.get(host)
        return until if until is not None and until > now else None

    def back_off(self, host: str, until: datetime) -> None:
        """Leave the whole host in peace. The caller sees to it that the host is public."""
        if until > self._until.get(host, until.min.replace(tzinfo=until.tzinfo)):
            self._until[host] = until
            if self.on_back_off is not None:
                self.on_back_off(host, until)

    def slot(self, host: str, *, private: bool) -> Slot:
        """Wait for the host's turn, then for a place among all requests: whoever waits for a slow host holds up nobody else.

        Raises TurnPassedError after `line_seconds`, and at once where a public host left several in a row without an answer: a
        thousand feeds of a host that is slow or down must not make a round last for hours.
        """
        return Slot(self, self._place(host, private), host, private=private)

    async def enter(self, place: _Place, host: str, *, private: bool) -> None:
        """See `slot`."""
        await self._stand_in_line(place, host)
        try:
            if place.silences >= MOST_SILENCES and not private:
                raise TurnPassedError(
                    f"{host} left {place.silences} requests in a row without an answer, so it was not asked for this feed."
                )
            await self._take(place, host)
            await self._turn(place)
            if self.room is not None:
                await self.room()
            await self._overall.acquire()
        except BaseException:
            place.slots.release()
            raise

    def exit(self, place: _Place) -> None:
        """The request that `enter` let through is over."""
        if place.rule.connections == 1:  # apart means from the end of one to the start of the next
            place.next_at = max(place.next_at, self.monotonic() + spacing_seconds(place.rule, self.jitter()))
        self._overall.release()
        place.slots.release()

    def heard(self, host: str, *, private: bool, answered: bool) -> None:
        """Note whether a request to the host had any answer."""
        place = self._place(host, private)
        place.silences = 0 if answered else place.silences + 1

    async def _stand_in_line(self, place: _Place, host: str) -> None:
        if self.line_seconds is None:
            await place.slots.acquire()
            return
        try:
            async with asyncio.timeout(self.line_seconds):
                await place.slots.acquire()
        except TimeoutError:
            raise TurnPassedError(f"Others of {host} were asked first, and this feed's turn did not come in this round.") from None

    async def _take(self, place: _Place, host: str) -> None:
        """Have the host for this process, until `leave`."""
        if self.turns is None or not place.rule.careful:
            return
        begun = self.monotonic()
        async with place.taking:
            while not self.turns.has(host) and (seconds := await self.turns.take(host)):
                if self.line_seconds is not None and self.monotonic() - begun > self.line_seconds:
                    raise TurnPassedError(f"Another worker asks {host}, and this feed's turn did not come in this round.")
                await self.sleep(min(seconds, _LOOK_SECONDS))

    async def expect(self, hosts: Collection[str]) -> None:
        """Be told which hosts will be asked."""
        if self.turns is not None:
            await self.turns.take_free(hosts)

    async def leave(self) -> None:
        """Let other processes ask the hosts; the pause after the last request is theirs to keep, too."""
        if self.turns is None:
            return
        now = self.monotonic()
        after: dict[str, float] = {}
        for (host, _), place in self._places.items():
            if self.turns.has(host):
                after[host] = max(after.get(host, 0.0), place.next_at - now)
        await self.turns.leave(after)

    async def _turn(self, place: _Place) -> None:
        if not place.rule.delay_seconds:
            return
        now = self.monotonic()
        start = max(now, place.next_at)
        place.next_at = start + spacing_seconds(place.rule, self.jitter())
        if start > now:
            await self.sleep(start - now)

    def _place(self, host: str, private: bool) -> _Place:
        key = (host, private)
        if key not in self._places:
            rule = host_rule(self.limits, private=private)
            self._places[key] = _Place(rule, asyncio.Semaphore(rule.connections))
        return self._places[key]


@dataclass(slots=True)
class Slot:
    """A request's turn. A context manager by hand: as a generator it took twice the time."""

    gate: HostGate
    place: _Place
    host: str
    private: bool

    async def __aenter__(self) -> None:
        await self.gate.enter(self.place, self.host, private=self.private)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.gate.exit(self.place)
