"""When jobs fire: APScheduler triggers in the reader's zone and by the program's clock. Pure: moments come in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

from aggregator.clock import ProgramClock


class ProgramTimeTrigger(BaseTrigger):  # type: ignore[misc]
    """An APScheduler trigger that goes by the program's clock instead of the machine's."""

    def __init__(self, inner: BaseTrigger, clock: ProgramClock) -> None:
        self.inner, self.clock = inner, clock

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        previous = self.clock.of_real(previous_fire_time) if previous_fire_time else None
        following = self.inner.get_next_fire_time(previous, self.clock.of_real(now))
        return self.clock.to_real(following).astimezone(UTC) if following else None


def daily(time: str, zone: str, weekdays: tuple[str, ...] = ()) -> CronTrigger:
    """At a local time ("07:00") on all or the named weekdays ("mon" …), across clock changes."""
    hour, _, minute = time.partition(":")
    return CronTrigger(hour=int(hour), minute=int(minute), day_of_week=",".join(weekdays) or "*", timezone=ZoneInfo(zone))


def missed_since(trigger: CronTrigger, last: datetime | None, now: datetime) -> bool:
    """Whether the trigger should have fired in (last, now]; never before the first delivery."""
    if last is None:
        return False
    following = trigger.get_next_fire_time(None, last + timedelta(microseconds=1))
    return following is not None and following <= now
