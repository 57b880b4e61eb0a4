"""Reduces feedparser's result to plain records. Everything in it may be missing or of an odd type; nothing here raises for that."""

from __future__ import annotations

import calendar
import mimetypes
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin

from aggregator.documents import Media, ParsedFeed, ParsedItem, PollHints
from aggregator.feeds.dates import read_date
from aggregator.feeds.durations import parse_seconds
from aggregator.feeds.limits import LONGEST_GUID, LONGEST_SUMMARY, LONGEST_TITLE, MOST_ITEMS, MOST_MEDIA, MOST_NAMES
from aggregator.feeds.links import clean_link
from aggregator.feeds.markup import LONGEST_HTML, looks_like_html, plain_to_html, title_text

_PERIODS = {"hourly": 3600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}
_SKIP = re.compile(r"<skip(hours|days)>(.{0,2000}?)</skip\1>", re.IGNORECASE | re.DOTALL)
_HOUR = re.compile(r"<hour>\s*(\d{1,2})\s*</hour>", re.IGNORECASE)
_DAY = re.compile(r"<day>\s*(monday|tuesday|wednesday|thursday|friday|saturday|sunday)\s*</day>", re.IGNORECASE)
_HTML_TYPES = ("text/html", "application/xhtml+xml")
_PLAYABLE = ("audio", "video")


def to_parsed_feed(result: Mapping[str, Any], text: str, url: str, error: str | None) -> ParsedFeed:
    """`result` is what feedparser.parse returned, `text` the document (for what feedparser drops), `url` its base address."""
    channel = _dict(result.get("feed"))
    version = _text(result, "version") or "unknown"
    title = title_text(_text(channel, "title")[:LONGEST_TITLE], _is_html(channel, "title", version)) or None
    language = _text(channel, "language") or None
    host = _author(channel) or title
    entries = [entry for entry in _list(result, "entries")[:MOST_ITEMS] if isinstance(entry, dict)]
    return ParsedFeed(
        version=version,
        title=title,
        link=clean_link(_text(channel, "link"), url),
        language=language,
        hints=_hints(channel, text),
        items=tuple(_item(entry, version, url, language, host) for entry in entries),
        error=error,
    )


def _item(entry: Mapping[str, Any], version: str, url: str, feed_language: str | None, feed_host: str | None) -> ParsedItem:
    summary, content = _bodies(entry)
    published, updated = _dates(entry, version)
    detail = _dict(entry.get("title_detail"))
    language = _text(entry, "language") or _text(detail, "language")
    guid = _text(entry, "id")
    return ParsedItem(
        guid=guid[:LONGEST_GUID] or None,
        link=_link(entry, guid),
        title=_text(entry, "title")[:LONGEST_TITLE],
        title_is_html=not (version.startswith("atom") and _text(detail, "type") == "text/plain"),
        summary=summary,
        content=content,
        published=published[0],
        published_at=published[1],
        updated=updated[0],
        updated_at=updated[1],
        # an item inherits the feed's language; only one of its own is worth more than what the person says about the feed
        language=language if language and language != feed_language else None,
        base=_base(entry, url),
        authors=_authors(entry),
        categories=_categories(entry),
        media=_media(entry, feed_host),
        seconds=parse_seconds(entry["itunes_duration"]) if "itunes_duration" in entry else None,
    )


# --- text -------------------------------------------------------------------------------------------------------------


def _is_html(source: Mapping[str, Any], key: str, version: str) -> bool:
    """RSS never says what a title is, and most hold entities; Atom does say."""
    kind = _text(_dict(source.get(f"{key}_detail")), "type")
    return not (version.startswith("atom") and kind == "text/plain")


def _bodies(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Summary and content, both as HTML. feedparser copies the content into a missing summary: that copy is dropped."""
    value = _text(entry, "summary")
    summary = _as_html(value, _text(_dict(entry.get("summary_detail")), "type"))
    full = _content(entry)
    if full is None:
        return summary, ""
    raw, content = full
    return ("" if raw.strip() == value else summary), content


def _content(entry: Mapping[str, Any]) -> tuple[str, str] | None:
    """The richest of the contents, as it stands and as HTML. Ones of other types (images, links to elsewhere) are passed over."""
    best: tuple[int, str, str] | None = None
    if "content" not in entry:
        return None
    for content in _list(entry, "content"):
        kind, value = _text(_dict(content), "type"), _text(_dict(content), "value")
        rank = 2 if kind in _HTML_TYPES else 1 if kind in ("text/plain", "") else 0
        if value and rank and (best is None or rank > best[0]):
            best = rank, value, kind
    return (best[1], _as_html(best[1], best[2])) if best else None


def _as_html(value: str, kind: str) -> str:
    if kind == "text/plain" and not looks_like_html(value[:LONGEST_HTML]):
        return plain_to_html(value[:LONGEST_SUMMARY])
    return value[:LONGEST_HTML]


# --- addresses and dates ----------------------------------------------------------------------------------------------


def _link(entry: Mapping[str, Any], guid: str) -> str | None:
    """The page of the item. The publisher's own address is preferred to that of a feed proxy; a guid counts when it is an address."""
    if clean_link(original := _text(entry, "feedburner_origlink")):
        return original
    link = _text(entry, "link")
    if link and (link != guid or clean_link(guid)):
        return link
    pages = [_text(_dict(each), "href") for each in _list(entry, "links") if _text(_dict(each), "rel") in ("alternate", "")]
    return next((page for page in pages if page), None)


def _base(entry: Mapping[str, Any], url: str) -> str:
    """xml:base of the content, else of the summary or title, else the document's address."""
    for detail in (*_list(entry, "content"), entry.get("summary_detail"), entry.get("title_detail")):
        if base := _text(_dict(detail), "base"):
            try:
                return urljoin(url, base)
            except ValueError:
                return url
    return url


_Date = tuple[str | None, datetime | None]


def _dates(entry: Mapping[str, Any], version: str) -> tuple[_Date, _Date]:
    published, updated = _date(entry, "published"), _date(entry, "updated")
    if published[0] is None:
        published = _date(entry, "created")
    if published[0] is None and not version.startswith("atom"):
        # RSS has no update times: dc:date and lastmod of its items are dates of publication
        published, updated = updated, (None, None)
    return published, updated


def _date(entry: Mapping[str, Any], key: str) -> _Date:
    # dict.get, because feedparser's own answers "updated" with "published"
    raw = dict.get(entry, key) if isinstance(entry, dict) else None
    if not isinstance(raw, str) or not raw.strip():
        return None, None
    return raw.strip()[:100], read_date(raw, _moment(dict.get(entry, f"{key}_parsed") if isinstance(entry, dict) else None))


def _moment(parsed: object) -> datetime | None:
    if not isinstance(parsed, time.struct_time):
        return None
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=calendar.timegm(parsed))
    except (ValueError, OverflowError):
        return None


# --- people and subjects ----------------------------------------------------------------------------------------------


def _authors(entry: Mapping[str, Any]) -> tuple[str, ...]:
    if "author" not in entry and "authors" not in entry:
        return ()
    people = (_dict(person) for person in _list(entry, "authors"))
    names = [_text(person, "name") or _text(person, "email") for person in people]
    return tuple(name[:200] for name in [*names, "" if any(names) else _text(entry, "author")] if name)[:MOST_NAMES]


def _author(source: Mapping[str, Any]) -> str | None:
    """The last named person: itunes:author stands after dc:creator where both are given, and is meant for listeners."""
    return next(iter(_authors(source)[::-1]), None)


def _categories(entry: Mapping[str, Any]) -> tuple[str, ...]:
    if not (found := _list(entry, "tags")):
        return ()
    tags = map(_dict, found)
    return tuple(name[:200] for name in (_text(tag, "label") or _text(tag, "term") for tag in tags) if name)[:MOST_NAMES]


# --- media ------------------------------------------------------------------------------------------------------------


def _media(entry: Mapping[str, Any], feed_host: str | None) -> tuple[Media, ...]:
    """Enclosures, then Media RSS. One address is one medium; what either says about it counts. Thumbnails are left out."""
    enclosures = [link for link in _dicts(_list(entry, "links")) if _text(link, "rel") == "enclosure"]
    if not enclosures and "media_content" not in entry:
        return ()
    seconds = parse_seconds(entry.get("itunes_duration"))
    title = title_text(_text(entry, "title")[:LONGEST_TITLE], is_html=True) or None
    host = _author(entry)
    found: dict[str, Media] = {}
    for link in enclosures:
        medium = _medium(link, "href", "length", title)
        if medium.kind in _PLAYABLE:
            who = host or (feed_host if medium.kind == "audio" else None)
            medium = _with(medium, seconds=seconds, host=who)
        _collect(found, medium)
    if found:
        seconds = None  # the episode's time belongs to its enclosure; only without one to what Media RSS names
    for content in _dicts(_list(entry, "media_content")):
        medium = _medium(content, "url", "filesize", title)
        own = parse_seconds(_text(content, "duration"))
        _collect(found, _with(medium, seconds=own or (seconds if medium.kind in _PLAYABLE else None), host=host))
    return tuple(found.values())[:MOST_MEDIA]


def _medium(source: Mapping[str, Any], url_key: str, size_key: str, title: str | None) -> Media:
    url = _text(source, url_key)
    return Media(
        url=url[: LONGEST_GUID * 2],
        type=_media_type(url, _text(source, "type").lower()[:100], _text(source, "medium").lower()),
        title=_text(source, "title")[:LONGEST_TITLE] or title,
        size_bytes=_number(source, size_key, digits=15) or None,
    )


def _media_type(url: str, declared: str, medium: str) -> str:
    """A MIME type whose first half tells the kind: what is declared, else guessed from the name of the file, else only the kind."""
    if declared.partition("/")[0] in ("audio", "video", "image"):
        return declared
    guess = mimetypes.guess_type(url.partition("?")[0], strict=False)[0] or ""
    if not declared.strip() or declared == "application/octet-stream":
        declared = guess or declared
    if medium in ("audio", "video", "image") and not declared.startswith(medium):
        return guess if guess.startswith(medium) else f"{medium}/*"
    return declared


def _with(medium: Media, *, seconds: int | None, host: str | None) -> Media:
    return Media(medium.url, medium.type, seconds, medium.title, host, medium.size_bytes)


def _collect(found: dict[str, Media], new: Media) -> None:
    if not new.url:
        return
    old = found.get(new.url)
    if old is not None:
        seconds, size = old.seconds or new.seconds, old.size_bytes or new.size_bytes
        new = Media(old.url, old.type or new.type, seconds, old.title or new.title, old.host or new.host, size)
    found[new.url] = new


# --- how often to come back -------------------------------------------------------------------------------------------


def _hints(channel: Mapping[str, Any], text: str) -> PollHints:
    """feedparser keeps only the last hour and day to skip, so these are read from the document's head."""
    hours: list[int] = []
    days: list[str] = []
    for kind, inner in _SKIP.findall(text[:65_536]):
        if kind.lower() == "hours":
            hours += [int(hour) % 24 for hour in _HOUR.findall(inner) if int(hour) <= 24]
        else:
            days += [day.capitalize() for day in _DAY.findall(inner)]
    ttl = _number(channel, "ttl")
    return PollHints(
        ttl_seconds=ttl * 60 if ttl else None,
        update_period_seconds=_update_period(channel),
        skip_hours=tuple(sorted(set(hours))),
        skip_days=tuple(dict.fromkeys(days)),
    )


def _update_period(channel: Mapping[str, Any]) -> int | None:
    """RSS 1.0 syndication module: "daily" and 1 are the defaults of what is not said."""
    period, frequency = _text(channel, "sy_updateperiod").lower(), _number(channel, "sy_updatefrequency")
    if not period and not frequency:
        return None
    length = _PERIODS.get(period or "daily")
    return max(60, length // (frequency or 1)) if length else None


def _number(source: Mapping[str, Any], key: str, digits: int = 7) -> int | None:
    text = _text(source, key)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None


# --- odd types --------------------------------------------------------------------------------------------------------


def _text(source: Mapping[str, Any], key: str) -> str:
    value = source.get(key)
    return value.strip() if isinstance(value, str) else ""


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(source: Mapping[str, Any], key: str) -> list[Any]:
    value = source.get(key)
    return value if isinstance(value, list) else []


def _dicts(values: list[Any]) -> list[Mapping[str, Any]]:
    return [value for value in values if isinstance(value, dict)]
