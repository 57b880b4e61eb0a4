"""Read what a server's answer says beside the body: validators, freshness, Retry-After, and status codes in plain words. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from aggregator.model import Validators

RETRY_AFTER_CAP_SECONDS = 172_800
MAX_AGE_CAP_SECONDS = 86_400

_WHOLE = re.compile(r"\d{1,18}", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 '\-]{0,40}", re.ASCII)


def retry_after(value: str | None, now: datetime) -> datetime | None:
    """The moment a Retry-After header names (RFC 9110 section 10.2.3: seconds or a date), at most 172,800 s from `now`.

    None for garbage and for dates that have passed.
    """
    if value is None:
        return None
    text = value.strip()
    if _WHOLE.fullmatch(text):
        return now + timedelta(seconds=min(int(text), RETRY_AFTER_CAP_SECONDS)) if int(text) else None
    moment = http_date(text)
    if moment is None or moment <= now:
        return None
    return min(moment, now + timedelta(seconds=RETRY_AFTER_CAP_SECONDS))


def http_date(value: str | None) -> datetime | None:
    """An aware UTC datetime from an HTTP date, None for garbage."""
    if value is None:
        return None
    try:
        moment = parsedate_to_datetime(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def fresh_seconds(headers: Mapping[str, str], now: datetime) -> int | None:
    """How long the answer stays fresh: Cache-Control max-age less Age, else Expires less Date (RFC 9111 section 4.2); at most 24 h.

    None when the server said nothing, or that the answer must not be reused unasked. `headers` have lower-case names.
    """
    directives = _directives(headers.get("cache-control", ""))
    if "no-cache" in directives or "no-store" in directives:
        return None
    if "max-age" in directives:
        if not _WHOLE.fullmatch(directives["max-age"]):
            return None
        age = headers.get("age", "").strip()
        return _bounded(int(directives["max-age"]) - (int(age) if _WHOLE.fullmatch(age) else 0))
    expires = http_date(headers.get("expires"))
    if expires is None:
        return None
    return _bounded(int((expires - (http_date(headers.get("date")) or now)).total_seconds()))


def _bounded(seconds: int) -> int:
    return max(0, min(seconds, MAX_AGE_CAP_SECONDS))


def _directives(value: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in value.split(","):
        name, _, argument = part.partition("=")
        found.setdefault(name.strip().lower(), argument.strip().strip('"'))
    return found


def fresh_validators(headers: Mapping[str, str], now: datetime) -> Validators | None:
    """The validators of a whole answer (200), byte for byte; None when it has none and every poll must be unconditional."""
    etag, last_modified = headers.get("etag") or None, headers.get("last-modified") or None
    return Validators(etag, last_modified, now) if etag or last_modified else None


def renewed_validators(headers: Mapping[str, str], old: Validators) -> Validators:
    """The validators after a 304: those it names replace the old ones.

    `stored_at` stays the moment of the last whole answer, so that a server that answers 304 for ever is found out.
    """
    return Validators(headers.get("etag") or old.etag, headers.get("last-modified") or old.last_modified, old.stored_at)


def status_phrase(status: int, reason: str = "") -> str:
    """ "404 Not Found", in the registered words where there are some."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} {reason}".strip() if _TOKEN.fullmatch(reason) else str(status)


def status_sentence(status: int, reason: str, url: str) -> str:
    """What a status that brings no feed means for the person, and what to do. `url` must hold no credentials."""
    said = f"The server answered {status_phrase(status, reason)}"
    if status == 410:
        return f"{said}: the feed was removed for good and is not polled any more; remove it, or give it a new url."
    if status == 404:
        return f"{said}; the feed may have moved: try `aggregator feeds discover {site_of(url)}`."
    if status in (401, 407):
        return f"{said}: it wants a login; set auth for this feed (env:NAME or file:PATH), or check the one that is set."
    if status == 403:
        return f"{said}: it refuses this program; see whether {url} opens in a browser, or set user_agent or auth for this feed."
    if status == 429:
        return f"{said}: it was asked too often; it is left in peace for a while and then polled again."
    if status == 503:
        return f"{said}: it is overloaded or being repaired; it is left in peace for a while and then polled again."
    if status >= 500:
        return f"{said}: the trouble is on its side; it is polled again later, less often."
    if 300 <= status < 400:
        return f"{said} without saying where the feed went; open {url} in a browser and correct the url of this feed."
    return f"{said}, which brings no feed; check that {url} is the address of a feed."


def site_of(url: str) -> str:
    """Scheme and host of `url`: where to look for a feed that moved."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{re.split('[/?#]', rest, maxsplit=1)[0]}/"
