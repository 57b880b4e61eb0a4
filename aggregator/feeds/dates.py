"""Reads the dates that feeds write, and decides what an item's time is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""Older than the Web: such a date is a default of a program (1970, 1899, 0001), not a time of publication."""
FUTURE = timedelta(hours=24)
"""What wrong time zones and clocks explain."""

# "Tue, 26 Dec 2023 10:00:00 GMT", as nine feeds in ten write it
_USUAL = re.compile(
    r"[A-Z][a-z]{2}, (\d\d) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ((?:19|20)\d\d) (\d\d):(\d\d):([0-5]\d) "
    r"(?:GMT|([+-])(0\d|1[0-4])([0-5]\d))",
    re.ASCII,
)
_MONTH_NUMBERS = {
    "Jan": 1, "Feb": 2, "Mar": 3, "Apr": 4, "May": 5, "Jun": 6, "Jul": 7, "Aug": 8, "Sep": 9, "Oct": 10, "Nov": 11, "Dec": 12,
}  # fmt: skip
_DAYS = frozenset(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"))
_OFFSETS = {" GMT": timedelta()} | {
    f" {sign}{hours:02}{minutes:02}": factor * timedelta(hours=hours, minutes=minutes)
    for sign, factor in (("+", 1), ("-", -1))
    for hours in range(15)
    for minutes in (0, 30, 45)
}
_EPOCH = re.compile(r"-?\d{9,10}(?:\.\d+)?|\d{13}", re.ASCII)
_COMPACT = re.compile(r"\d{14}|\d{12}", re.ASCII)
_ZERO = re.compile(r"0000[-/]|(?<!\d)00[-/]00(?!\d)", re.ASCII)
_LOOSE_ISO = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T ]+(\d{1,2}:\d{2}(?::\d{2})?)(?:[.,](\d+))?)?\s*(.*)", re.ASCII)
_WEEK = re.compile(r"\d{4}-?W\d{2}", re.ASCII)
_OFFSET = re.compile(r"(?:GMT|UTC|UT)?\s*([+-])(\d{1,2}):?(\d{2})?", re.ASCII)
_ZONE_NAME = re.compile(r"\(?\b([A-Za-z]{1,5})\)?\s*$", re.ASCII)
_GMT_OFFSET = re.compile(r"\b(?:GMT|UTC|UT)\s*([+-])(\d{1,2}):?(\d{2})?\s*$", re.ASCII)
_COMMENT = re.compile(r"\s*\([^()]*\)\s*$")
_MONTHS = {
    "ene": "jan", "janv": "jan", "gen": "jan", "sty": "jan", "févr": "feb", "fév": "feb", "lut": "feb", "mär": "mar", "mrz": "mar",
    "mars": "mar", "abr": "apr", "avr": "apr", "kwi": "apr", "mai": "may", "mag": "may", "maj": "may", "juin": "jun", "giu": "jun",
    "cze": "jun", "juil": "jul", "lug": "jul", "lip": "jul", "août": "aug", "ago": "aug", "sie": "aug", "sept": "sep", "set": "sep",
    "wrz": "sep", "okt": "oct", "ott": "oct", "paź": "oct", "out": "oct", "lis": "nov", "dez": "dec", "déc": "dec", "dic": "dec",
    "gru": "dec",
}  # fmt: skip
"""Months that some feeds write in their own language instead of English."""
_MONTH_WORD = re.compile(r"\b(" + "|".join(_MONTHS) + r")\w*\.?(?=\s)", re.IGNORECASE)
# Names in use, those of RFC 822 and others. Ambiguous ones (IST, BST) have the meaning of the larger publishers.
_ZONES = {
    "EST": "-0500", "EDT": "-0400", "CST": "-0600", "CDT": "-0500", "MST": "-0700", "MDT": "-0600", "PST": "-0800", "PDT": "-0700",
    "CET": "+0100", "CEST": "+0200", "MEZ": "+0100", "MESZ": "+0200", "BST": "+0100", "WET": "+0000", "WEST": "+0100", "EET": "+0200",
    "EEST": "+0300", "MSK": "+0300", "IST": "+0530", "JST": "+0900", "KST": "+0900", "SGT": "+0800", "HKT": "+0800", "PHT": "+0800",
    "AWST": "+0800", "ACST": "+0930", "AEST": "+1000", "AEDT": "+1100", "NZST": "+1200", "NZDT": "+1300", "SAST": "+0200", "EAT": "+0300",
    "WAT": "+0100", "PKT": "+0500", "WIB": "+0700", "ICT": "+0700", "AST": "-0400", "ADT": "-0300", "NST": "-0330", "NDT": "-0230",
    "BRT": "-0300", "ART": "-0300", "AKST": "-0900", "AKDT": "-0800", "HST": "-1000", "ET": "-0500", "CT": "-0600", "MT": "-0700",
    "PT": "-0800",
}  # fmt: skip


def read_date(text: str | None, guess: datetime | None = None) -> datetime | None:
    """An aware UTC datetime from what a feed wrote, None when it cannot be known. A time without zone is UTC.

    Reads RFC 822 dates (also with the zone names and month names of other countries), ISO 8601 with its usual misspellings, week dates and
    Unix seconds or milliseconds. `guess` is another parser's reading; it counts only when the year it found stands in the text, because
    feedparser makes dates of epoch numbers, zeros and version strings.
    """
    found = _read_text((text or "")[:100])
    if found is not None or guess is None:
        return found
    raw = " ".join((text or "")[:100].split())
    if not raw or _ZERO.search(raw):
        return None
    return guess if str(guess.year) in raw or re.match(rf"{guess.year % 100:02d}-\d\d-\d\d", raw) else None


@lru_cache(maxsize=4096)
def _read_text(text: str) -> datetime | None:
    """Kept, because each date is asked for twice or more, and items often have one time for both of their dates."""
    return _read(" ".join(text.split()))


def _read(raw: str) -> datetime | None:
    """Of one line."""
    if (usual := _read_usual(raw)) is not None:
        return usual
    if match := _USUAL.fullmatch(raw):
        return _usual(match)
    if not raw or _ZERO.search(raw):
        return None
    for reader in (_read_number, _read_iso, _read_mail):
        try:
            found = reader(raw)
            if found is not None:
                return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError, IndexError, TypeError):
            continue
    return None


def _read_usual(raw: str) -> datetime | None:
    """The two forms that most dates have, by their places: in half the time of the patterns. None: let those look."""
    try:
        if raw[3:5] == ", ":
            if raw[:3] not in _DAYS or raw[12:14] not in ("19", "20") or raw[25:] not in _OFFSETS:
                return None
            if not raw[7] == raw[11] == raw[16] == " " or not raw[19] == raw[22] == ":":
                return None
            moment = datetime.fromisoformat(f"{raw[12:16]}-{_MONTH_NUMBERS[raw[8:11]]:02}-{raw[5:7]}T{raw[17:25]}+00:00")
            return moment - _OFFSETS[raw[25:]]
        if raw[10:11] == "T" and raw[19:] in ("Z", "+00:00") and raw[4] == raw[7] == "-" and raw[13] == raw[16] == ":":
            return datetime.fromisoformat(raw)
    except (ValueError, LookupError, OverflowError):
        pass
    return None


def _usual(match: re.Match[str]) -> datetime | None:
    day, month, year, hour, minute, second, sign, ahead_hours, ahead_minutes = match.groups()
    try:
        moment = datetime(int(year), _MONTH_NUMBERS[month], int(day), int(hour), int(minute), int(second), tzinfo=UTC)
        if sign is None:
            return moment
        span = timedelta(hours=int(ahead_hours), minutes=int(ahead_minutes))
        return moment + span if sign == "-" else moment - span
    except (ValueError, OverflowError):
        return None


def _read_number(raw: str) -> datetime | None:
    if _EPOCH.fullmatch(raw):
        number = float(raw)
        return datetime.fromtimestamp(number / 1000 if len(raw) == 13 else number, tz=UTC)
    if _COMPACT.fullmatch(raw):
        return datetime.strptime(raw, "%Y%m%d%H%M%S" if len(raw) == 14 else "%Y%m%d%H%M")
    return None


def _read_iso(raw: str) -> datetime | None:
    if not raw[:4].isdigit():
        return None
    if _WEEK.match(raw) or (len(raw) in (8, 10) and raw.replace("-", "").isdigit()):
        return datetime.fromisoformat(raw)
    match = _LOOSE_ISO.fullmatch(raw)
    if match is None:
        return datetime.fromisoformat(raw)
    year, month, day, clock, fraction, zone = match.groups()
    hours = clock or "00:00"
    if len(hours.partition(":")[0]) == 1:
        hours = "0" + hours
    whole_day = hours.startswith("24:00")
    moment = datetime.fromisoformat(f"{year}-{int(month):02d}-{int(day):02d}T{'00:00' if whole_day else hours}")
    if fraction:
        moment = moment.replace(microsecond=int(fraction[:6].ljust(6, "0")))
    return moment + timedelta(days=whole_day) - _offset(zone)


def _offset(zone: str) -> timedelta:
    """How far a zone is ahead of UTC; unknown names count as UTC."""
    name = zone.strip().upper()
    if match := _OFFSET.fullmatch(_ZONES.get(name, name)):
        span = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        return -span if match[1] == "-" else span
    return timedelta()


def _read_mail(raw: str) -> datetime | None:
    from email.utils import parsedate_to_datetime  # 8 ms that most dates do not need

    # "… +0200 (CEST)" says the zone twice; "GMT+0100" is what JavaScript prints
    text = _COMMENT.sub("", raw) if "(" in raw else raw
    text = _GMT_OFFSET.sub(lambda match: f"{match[1]}{int(match[2]):02d}{match[3] or '00'}", text)
    if match := _ZONE_NAME.search(text):
        zone = _ZONES.get(match[1].upper())
        text = text[: match.start()] + zone if zone else text
    if not text.isascii() or _MONTH_WORD.search(text):
        text = _MONTH_WORD.sub(lambda match: _MONTHS[match[1].lower()], text)
    return parsedate_to_datetime(text)


@dataclass(frozen=True, slots=True)
class Moment:
    """An item's time and the rule that gave it: "given", "updated", "arrival" or "future"."""

    at: datetime
    rule: str


def choose_date(published: datetime | None, updated: datetime | None, arrival: datetime) -> Moment:
    """The time by which an item counts. `arrival` is the time of the poll.

    1. "given": it says when it was published, between 1990 and its arrival.
    2. "future": it says it will be published within the next 24 hours (a wrong clock or zone, or an embargo): its arrival.
    3. "updated": the date of publication is missing, absurd (before 1990) or farther away; that of the update is between 1990 and arrival.
    4. "future": as 3, but there is no such update: its arrival.
    5. "arrival": no date, or only dates before 1990.
    """
    if published is not None and EARLIEST <= published <= arrival:
        return Moment(published, "given")
    if published is not None and arrival < published <= arrival + FUTURE:
        return Moment(arrival, "future")
    if updated is not None and EARLIEST <= updated <= arrival:
        return Moment(updated, "updated")
    ahead = any(moment is not None and moment > arrival for moment in (published, updated))
    return Moment(arrival, "future" if ahead else "arrival")
