"""Reads JSON Feed 1.0 and 1.1 (https://www.jsonfeed.org/version/1.1/). Forgiving: a value of the wrong type counts as absent."""

from __future__ import annotations

import json
from typing import Any

from aggregator.documents import Media, ParsedFeed, ParsedItem
from aggregator.errors import FeedError
from aggregator.feeds.dates import read_date
from aggregator.feeds.durations import parse_seconds
from aggregator.feeds.limits import LONGEST_SUMMARY, LONGEST_TITLE, MOST_ITEMS, MOST_MEDIA, MOST_NAMES, TEXT_AFTER, too_many_items
from aggregator.feeds.links import clean_link
from aggregator.feeds.markup import LONGEST_HTML, plain_to_html, title_text

_JSON_FEED = "jsonfeed.org/version/"


def parse_json_feed(text: str, url: str) -> ParsedFeed:
    """Raises FeedError when the text is no JSON, or JSON but no feed."""
    try:
        document, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError) as error:
        raise FeedError(f"The answer of {url} starts like JSON but is broken ({_reason(error)}); nothing could be read.", url=url) from None
    if not isinstance(document, dict) or not _is_feed(document):
        raise FeedError(f"The answer of {url} is JSON but not a JSON Feed; correct the address.", url=url)
    entries = _list(document, "items")
    title = title_text(_text(document, "title"), is_html=False) or None
    host = next(iter(_authors(document)), title)
    items = tuple(_item(entry, host) for entry in entries[:MOST_ITEMS] if isinstance(entry, dict))
    return ParsedFeed(
        version="json1" if _text(document, "version").rstrip("/").endswith("/1") else "json11",
        title=title,
        link=clean_link(_text(document, "home_page_url"), url),
        language=_text(document, "language") or None,
        items=items,
        error=too_many_items(len(entries)) or (TEXT_AFTER if text[end:].strip() else None),
    )


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}"
    return "nested too deep" if isinstance(error, RecursionError) else "a number too long"


def _is_feed(document: dict[str, Any]) -> bool:
    if _JSON_FEED in _text(document, "version"):
        return True
    # some feeds forget the version; a title and items with an id are enough
    items = _list(document, "items")
    return isinstance(document.get("title"), str) and bool(items) and all(isinstance(item, dict) and "id" in item for item in items)


def _item(entry: dict[str, Any], feed_host: str | None) -> ParsedItem:
    authors = _authors(entry)
    content = _text(entry, "content_html")[:LONGEST_HTML] or plain_to_html(_text(entry, "content_text")[:LONGEST_SUMMARY])
    title = _text(entry, "title")[:LONGEST_TITLE]
    return ParsedItem(
        guid=_identifier(entry.get("id")),
        link=_text(entry, "url") or _text(entry, "external_url") or None,
        title=title,
        title_is_html=False,
        summary=plain_to_html(_text(entry, "summary")[:LONGEST_SUMMARY]),
        content=content,
        published=_text(entry, "date_published") or None,
        published_at=read_date(_text(entry, "date_published")),
        updated=_text(entry, "date_modified") or None,
        updated_at=read_date(_text(entry, "date_modified")),
        language=_text(entry, "language") or None,
        authors=authors,
        categories=tuple(tag for tag in _list(entry, "tags") if isinstance(tag, str))[:MOST_NAMES],
        media=_media(entry, title, next(iter(authors), feed_host)),
    )


def _media(entry: dict[str, Any], title: str, host: str | None) -> tuple[Media, ...]:
    attachments = [attachment for attachment in _list(entry, "attachments") if isinstance(attachment, dict) and _text(attachment, "url")]
    return tuple(
        Media(
            url=_text(attachment, "url"),
            type=_text(attachment, "mime_type").lower(),
            seconds=parse_seconds(attachment.get("duration_in_seconds")),
            title=_text(attachment, "title")[:LONGEST_TITLE] or title or None,
            host=host,
            size_bytes=_size(attachment.get("size_in_bytes")),
        )
        for attachment in attachments[:MOST_MEDIA]
    )


def _authors(entry: dict[str, Any]) -> tuple[str, ...]:
    """1.1 has a list of authors, 1.0 one author."""
    people = _list(entry, "authors") or [entry.get("author")]
    return tuple(_text(person, "name") for person in people if isinstance(person, dict) and _text(person, "name"))[:MOST_NAMES]


def _identifier(value: object) -> str | None:
    # numbers are wrong but common; True and 1.0 == 1 are not identities
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return (value.strip() or None) if isinstance(value, str) else None


def _size(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e15 else None


def _text(source: dict[str, Any], key: str) -> str:
    value = source.get(key)
    return value.strip() if isinstance(value, str) else ""


def _list(source: dict[str, Any], key: str) -> list[Any]:
    value = source.get(key)
    return value if isinstance(value, list) else []
