"""EDGE: a deadline for servers that does not count the time in which this program was busy itself.

While hundreds of documents are put away the event loop may come round only every few hundred milliseconds; by the clock, answers that lie
in the socket already would then be late. So the deadline counts ticks of the loop: one that comes late counts as two at most.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

TICK_SECONDS = 0.1


class Patience:
    """What is left of a deadline. A context manager by hand: as a generator it took half as long again, for each request."""

    def __init__(self, seconds: float) -> None:
        self.left_seconds = max(0.0, seconds)

    async def __aenter__(self) -> Patience:
        self._timeout, self._loop = asyncio.timeout(None), asyncio.get_running_loop()
        await self._timeout.__aenter__()
        self._wait()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._next.cancel()
        self._count()
        await self._timeout.__aexit__(kind, error, traceback)

    def _wait(self) -> None:
        self._since = self._loop.time()
        self._next = self._loop.call_later(min(TICK_SECONDS, self.left_seconds), self._tick)

    def _tick(self) -> None:
        self._count()
        if self.left_seconds > 0:
            self._wait()
        else:
            self._timeout.reschedule(self._loop.time())

    def _count(self) -> None:
        self.left_seconds -= min(self._loop.time() - self._since, 2 * TICK_SECONDS)


def patience(seconds: float) -> Patience:
    """Raises TimeoutError once the body has waited `seconds`; on an idle loop that is real time, on a busy one it may be longer."""
    return Patience(seconds)
