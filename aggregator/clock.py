"""EDGE: the program's clock. Only app.py makes one; everything below takes `now` as an argument."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class ProgramClock:
    """Now, as an aware UTC datetime; calling it reads it.

    With `start` the clock begins there and runs on `speed` times as fast as real time, so that an archive can be replayed
    as if live. Without `start` it is the machine's clock.
    """

    def __init__(self, start: datetime | None = None, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError("the clock's speed must be above 0")
        self.speed = speed if start is not None else 1.0
        self._began_real = datetime.now(UTC)
        self._began = start.astimezone(UTC) if start is not None else self._began_real
        self._differs = start is not None

    def __call__(self) -> datetime:
        now = datetime.now(UTC)
        return self.of_real(now) if self._differs else now

    def of_real(self, moment: datetime) -> datetime:
        """Program time at a moment of the machine's clock."""
        return self._began + (moment - self._began_real) * self.speed

    def to_real(self, moment: datetime) -> datetime:
        """When, by the machine's clock, the program's clock will show `moment`."""
        return self._began_real + timedelta(seconds=(moment - self._began).total_seconds() / self.speed)
