"""The period that a person's words mean. Pure: `now` and the zone come in. Raises UsageError with a sentence.

A Period is open at its start and closed at its end. A moment that a person writes as the start counts as inside, so the
period starts one microsecond earlier; a day ends one microsecond before the next one begins.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aggregator.errors import UsageError
from aggregator.model import Period
from aggregator.times import day_bounds, parse_duration, parse_moment

TICK = timedelta(microseconds=1)
DEFAULT_SECONDS = 86_400.0
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def check_zone(name: str) -> str:
    """The IANA name itself, if there is such a zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"“{name}” is no time zone; write an IANA name, for example Europe/Warsaw or UTC") from None
    return name


def day_period(text: str, zone: str, now: datetime) -> Period:
    """A local day: "2023-12-27", "today" or "yesterday"."""
    today = now.astimezone(ZoneInfo(zone)).date()
    days = {"today": today, "yesterday": today - timedelta(days=1)}
    day = days.get(text.strip().lower()) or _day(text)
    try:
        start, end = day_bounds(day, zone)
        return Period(start - TICK, end - TICK, zone)
    except OverflowError:
        raise UsageError(f"--date {text}: that day lies outside the calendar") from None


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"--date {text}: not a day; write for example 2023-12-27, today or yesterday") from None


def span_period(since: str | None, until: str | None, zone: str, now: datetime) -> Period:
    """From `since` (a moment, or a duration back from the end; default 24h) to `until` (a moment; default now)."""
    end = _until(until, zone) if until is not None else now
    start = _since(since, zone, end)
    if start >= end:
        raise UsageError("the period ends before it begins; --since has to lie before --until (or before now)")
    return Period(start, end, zone)


def _until(text: str, zone: str) -> datetime:
    try:
        moment = parse_moment(text, zone)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--until: {error}") from None
    # a bare day means its midnight, and what is dated to that midnight belongs to the day itself
    return moment - TICK if _DAY.fullmatch(text.strip()) else moment


def _since(text: str | None, zone: str, end: datetime) -> datetime:
    try:
        return end - timedelta(seconds=DEFAULT_SECONDS if text is None else parse_duration(text))
    except OverflowError:
        raise UsageError(f"--since {text}: that is longer than the calendar") from None
    except ValueError:
        pass
    try:
        return parse_moment(text or "", zone) - TICK
    except (ValueError, OverflowError):
        raise UsageError(f"--since {text}: neither a duration (24h, 7d) nor a time (2023-12-27T18:00)") from None


def new_period(last_to_at: datetime | None, zone: str, now: datetime) -> Period:
    """(last delivered, now]; the first time the last 24 hours."""
    start = last_to_at if last_to_at is not None else now - timedelta(seconds=DEFAULT_SECONDS)
    return Period(min(start, now), now, zone)


def written(moment: datetime) -> datetime:
    """The moment as people write it: the last microsecond before a whole second is that second."""
    return moment + TICK if moment.microsecond == 999_999 else moment
