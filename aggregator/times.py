"""Helpers for durations and moments: read what people write, print what people read. Contains no business logic."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)", re.ASCII)


def parse_duration(text: str) -> float:
    """Seconds in "30m", "24h", "7d", "1h 30m". Raises ValueError with a sentence."""
    folded = text.strip().lower()
    parts = _DURATION.findall(folded)
    if not parts or _DURATION.sub("", folded).strip():
        raise ValueError(f"“{text}” is not a duration; write for example 30m, 24h or 7d")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def format_duration(seconds: float) -> str:
    """The shortest way to write a duration in a settings file: 3600 -> "1h", 5400 -> "90m"."""
    whole = int(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if whole and whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def spell_seconds(seconds: int) -> str:
    """Exact playing time for people: 5031 -> "1 h 23 min 51 s", 38 -> "38 s"."""
    hours, rest = divmod(int(seconds), 3600)
    minutes, left = divmod(rest, 60)
    parts = [f"{n} {unit}" for n, unit in ((hours, "h"), (minutes, "min"), (left, "s")) if n]
    return " ".join(parts) or "0 s"


def spell_delay(seconds: float) -> str:
    """A delay for people, to the minute, from a day on to the hour: 7800 -> "2 h 10 min", 183600 -> "2 d 3 h", 20 -> "0 min"."""
    minutes = int(seconds // 60)
    days, hours, left = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = ((days, "d"), (hours, "h")) if days else ((hours, "h"), (left, "min"))
    return " ".join(f"{n} {unit}" for n, unit in parts if n) or "0 min"


def parse_moment(text: str, zone: str = "UTC") -> datetime:
    """An aware UTC datetime from ISO 8601; a moment without offset is in `zone`. Raises ValueError with a sentence."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"“{text}” is not a time; write for example 2023-12-27T18:00 or 2023-12-27T18:00:00Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    return moment.astimezone(UTC)


def day_bounds(day: date, zone: str) -> tuple[datetime, datetime]:
    """First moment of a local day and of the next one, in UTC (a day with a clock change has 23 or 25 hours)."""
    tz = ZoneInfo(zone)
    start = datetime(day.year, day.month, day.day, tzinfo=tz)
    after = day + timedelta(days=1)
    return start.astimezone(UTC), datetime(after.year, after.month, after.day, tzinfo=tz).astimezone(UTC)


def ago(moment: datetime, now: datetime) -> str:
    """How long ago, in words: "just now", "12 min ago", "3 h ago", "2 d ago"; "in 5 min" for the future."""
    seconds = (now - moment).total_seconds()
    span = _span(abs(seconds))
    if span is None:
        return "just now"
    return f"{span} ago" if seconds >= 0 else f"in {span}"


def _span(seconds: float) -> str | None:
    if seconds < 60:
        return None
    if seconds < 3600:
        return f"{int(seconds // 60)} min"
    if seconds < 172_800:
        return f"{int(seconds // 3600)} h"
    return f"{int(seconds // 86_400)} d"


def iso(moment: datetime) -> str:
    """2023-12-27T18:00:00Z; fractions only when there are some."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
