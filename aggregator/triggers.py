"""When jobs fire: APScheduler triggers in the reader's zone and by the program's clock. Pure: moments come in."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger

from aggregator.clock import ProgramClock

_TICK = timedelta(microseconds=1)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class ProgramTimeTrigger(BaseTrigger):  # type: ignore[misc]
    """An APScheduler trigger that goes by the program's clock instead of the machine's."""

    def __init__(self, inner: BaseTrigger, clock: ProgramClock) -> None:
        self.inner, self.clock = inner, clock

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        previous = self.clock.of_real(previous_fire_time) if previous_fire_time else None
        following = self.inner.get_next_fire_time(previous, self.clock.of_real(now))
        return self.clock.to_real(following).astimezone(UTC) if following else None


class DailyTrigger(BaseTrigger):  # type: ignore[misc]
    """Once each local day on some weekdays, whatever clock changes do: a time that a day lacks is moved by the gap, a time that
    comes twice counts the first time (PEP 495, fold 0)."""

    def __init__(self, at: time, zone: ZoneInfo, weekdays: frozenset[int]) -> None:
        self.at, self.zone, self.weekdays = at, zone, weekdays

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The first time from `now` on, or after the previous one where that is earlier (APScheduler asks so)."""
        # in UTC: within one zone Python compares what clocks show
        start = now.astimezone(UTC)
        if previous_fire_time is not None:
            after = previous_fire_time.astimezone(UTC) + _TICK
            start = after if start == after - _TICK else min(start, after)
        day = start.astimezone(self.zone).date() - timedelta(days=1)
        while True:
            fires = datetime.combine(day, self.at, self.zone).astimezone(UTC)
            if day.weekday() in self.weekdays and fires >= start:
                return fires.astimezone(self.zone)
            day += timedelta(days=1)


def daily(at: str, zone: str, weekdays: tuple[str, ...] = ()) -> DailyTrigger:
    """At a local time ("07:00") on all or the named weekdays ("mon" …)."""
    return DailyTrigger(time.fromisoformat(at), ZoneInfo(zone), frozenset(map(_WEEKDAYS.index, weekdays or _WEEKDAYS)))


def missed_since(trigger: DailyTrigger, last: datetime, now: datetime) -> bool:
    """Whether the trigger should have fired in (last, now]."""
    return trigger.get_next_fire_time(None, last + _TICK) <= now
