"""Reads playing times of podcasts and videos as whole seconds. Contains no business logic."""

from __future__ import annotations

import re

_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,5}):(\d{1,3})(?:[.,]\d+)?", re.ASCII)
_NUMBER = re.compile(r"(\d{1,8})(?:[.,]\d+)?\s*(?:s|sec|seconds)?", re.ASCII | re.IGNORECASE)
_ISO = re.compile(r"P(?:(\d{1,3})D)?T?(?:(\d{1,4})H)?(?:(\d{1,5})M)?(?:(\d{1,7})(?:[.,]\d+)?S)?", re.ASCII | re.IGNORECASE)
_WORDS = re.compile(
    r"(?:(\d{1,3})\s*h[a-z]*\.?)?[\s,]*(?:(\d{1,4})\s*m[a-z]*\.?)?[\s,]*(?:(\d{1,5})\s*s[a-z]*\.?)?", re.ASCII | re.IGNORECASE
)
_LONGEST = 100 * 86_400
"""Nothing plays for a hundred days: larger numbers are milliseconds, bytes or mistakes."""


def parse_seconds(text: object) -> int | None:
    """Whole seconds of a playing time, None when it is missing, zero or not one.

    "1:23:51" -> 5031, "10:17" -> 617, "3723" -> 3723, "01:02:03.500" -> 3723, "222.4" -> 222, "PT1H2M" -> 3720,
    "1h 23m" -> 4980, 617 -> 617. Fractions are dropped: a player counts the same way.
    """
    if isinstance(text, bool) or not isinstance(text, int | float | str):
        return None
    seconds = _read_text(text.strip()[:40]) if isinstance(text, str) else _read_number(text)
    return seconds if seconds is not None and 0 < seconds < _LONGEST else None


def _read_number(number: float) -> int | None:
    # NaN and infinities are not below the bound either
    return int(number) if 0 < number < _LONGEST else None


def _read_text(text: str) -> int | None:
    if match := _CLOCK.fullmatch(text):
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return hours * 3600 + minutes * 60 + seconds
    if match := _NUMBER.fullmatch(text):
        return int(match[1])
    if match := _ISO.fullmatch(text):
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if match := _WORDS.fullmatch(text):
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return hours * 3600 + minutes * 60 + seconds
    return None
