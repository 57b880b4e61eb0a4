"""EDGE: what a service manager is told (sd_notify), and whether the program still gets on.

The protocol is a datagram to the socket that NOTIFY_SOCKET names: systemd's sd_notify(3). Without that variable nothing is sent.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

STALLED_SECONDS = 900.0
"""Work that shows no progress for so long hangs: the watchdog is no longer fed and the service manager starts the program anew."""


class Heartbeat:
    """Tells the service manager how it stands. `monotonic` gives seconds that no clock change touches."""

    def __init__(self, environ: Mapping[str, str], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        watchdog = environ.get("WATCHDOG_USEC", "")
        self._interval = int(watchdog) / 1e6 / 2 if watchdog.isdigit() else None
        self._monotonic = monotonic
        self._fed = self._progress = monotonic()

    def ready(self) -> None:
        self._send("READY=1")

    def reloading(self) -> None:
        """Must be followed by `ready`."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def progress(self) -> None:
        """Something was done."""
        self._progress = self._monotonic()

    def is_alive(self, *, busy: bool) -> bool:
        """Whether no work is under way, or some that gets on."""
        return not busy or self._monotonic() - self._progress < STALLED_SECONDS

    def feed_watchdog(self, *, busy: bool) -> None:
        """Called often; feeds the watchdog when it is time and the program is alive."""
        now = self._monotonic()
        if self._interval is not None and now - self._fed >= self._interval and self.is_alive(busy=busy):
            self._fed = now
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.sendto(message.encode(), address)


class ClockWatch:
    """Notices that the machine's clock was set: it and the monotonic one then move apart. Pure; both are given."""

    def __init__(self, wall: float, monotonic: float, tolerance_seconds: float = 5.0) -> None:
        self._apart = wall - monotonic
        self._tolerance = tolerance_seconds

    def jump_seconds(self, wall: float, monotonic: float) -> float | None:
        """By how much the clock was set since the last call (or the machine slept), None when it was not."""
        jump = wall - monotonic - self._apart
        if abs(jump) <= self._tolerance:
            return None
        self._apart += jump
        return jump
