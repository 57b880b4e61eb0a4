"""EDGE: a deadline for servers that does not count the time in which this program was busy itself.

While hundreds of documents are put away the event loop may come round only every few hundred milliseconds; by the clock, answers that lie
in the socket already would then be late. So the deadline counts ticks of the loop: one that comes late still counts as one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

TICK_SECONDS = 0.1


class Patience:
    """What is left of a deadline."""

    def __init__(self, seconds: float, timeout: asyncio.Timeout) -> None:
        self.left_seconds = max(0.0, seconds)
        self._timeout, self._loop = timeout, asyncio.get_running_loop()
        self._wait()

    def _wait(self) -> None:
        step = min(TICK_SECONDS, self.left_seconds)
        self._next = self._loop.call_later(step, self._tick, step)

    def _tick(self, step: float) -> None:
        self.left_seconds -= step
        if self.left_seconds > 1e-9:
            self._wait()
        else:
            self._timeout.reschedule(self._loop.time())

    def stop(self) -> None:
        self._next.cancel()


@asynccontextmanager
async def patience(seconds: float) -> AsyncIterator[Patience]:
    """Raises TimeoutError once the body has waited `seconds`, counted in ticks; on an idle loop that is real time."""
    async with asyncio.timeout(None) as timeout:
        waiting = Patience(seconds, timeout)
        try:
            yield waiting
        finally:
            waiting.stop()
