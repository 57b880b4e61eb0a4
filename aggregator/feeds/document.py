"""Parses one document: bytes and headers in, ParsedFeed out. Pure, but it may take long: parse.py runs it where it can be killed."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping
from typing import Any

from aggregator.documents import ParsedFeed
from aggregator.errors import FeedError
from aggregator.feeds.jsonfeed import parse_json_feed
from aggregator.feeds.limits import too_many_items
from aggregator.feeds.plainfeed import read_plain
from aggregator.feeds.records import to_parsed_feed
from aggregator.feeds.sniff import sniff

_DRIVER = "aggregator.feeds.expat_driver"
_END = re.compile(r"</(?:rss|feed|rdf:rdf|channel)\s{0,20}>", re.IGNORECASE)
_ITEM_END = re.compile(r"</(?:[\w.-]{1,20}:)?(?:item|entry)\s{0,20}>", re.IGNORECASE)
_ROOT = re.compile(r"<([A-Za-z_][\w:.-]{0,60})")
_NUMERIC = re.compile(r"&#([xX]?)([0-9A-Fa-f]{1,200});?")


def parse_document(body: bytes, headers: Mapping[str, str], url: str) -> ParsedFeed:
    """Reads RSS 0.9x, 1.0, 2.0, Atom, CDF (feedparser, or its short cut for plain documents) and JSON Feed.

    `headers` are the response's (content-type counts); `url` is the base for relative addresses and the subject of errors.
    Raises FeedError with a sentence when the body is no feed. A feed without items is a success. A document that is broken but
    yields items is one too: its `error` says what is wrong.
    """
    found = sniff(body, headers, url)
    if found.kind == "json":
        feed = parse_json_feed(found.text, url)
        return _with_note(feed, found.note)
    result = read_plain(found.text) or _run_feedparser(found.text, url)
    entries = result.get("entries") or []
    if not result.get("version") and not entries:
        raise FeedError(_no_feed(found.text, url), url=url)
    trouble = _trouble(result, found.text)
    if trouble and not _END.search(found.text[-65_536:]) and len(entries) > len(_ITEM_END.findall(found.text)):
        # cut off inside an item: half an item has half an identity, and would stand beside the whole one for ever
        entries = entries[:-1]
        result = {**result, "entries": entries}
    if trouble and not entries:
        raise FeedError(f"The document of {url} is broken and yields no item. {trouble}", url=url)
    notes = [note for note in (found.note, trouble, too_many_items(len(entries))) if note]
    return to_parsed_feed(result, found.text, url, " ".join(notes) or None)


def _with_note(feed: ParsedFeed, note: str | None) -> ParsedFeed:
    if note is None:
        return feed
    error = f"{note} {feed.error}" if feed.error else note
    return ParsedFeed(feed.version, feed.title, feed.link, feed.language, feed.hints, feed.items, error)


def _run_feedparser(text: str, url: str) -> Mapping[str, Any]:
    # here, since it loads xml.sax, and with that half of what a parser process would need to start; most documents are plain
    from aggregator.feeds.expat_driver import HostileDocumentError

    try:
        return _feedparser(text)
    except HostileDocumentError as error:
        raise FeedError(f"The document of {url} was refused: {error}.", url=url) from None
    except MemoryError:
        raise
    except Exception:
        # feedparser lets errors of single characters through (&#xD800; and &#x110000; are not ones): mend those and try once more
        mended = _NUMERIC.sub(_mend_reference, text)
    try:
        return _feedparser(mended)
    except MemoryError:
        raise
    except Exception as error:
        raise FeedError(f"The document of {url} is broken in a way that cannot be read ({type(error).__name__}).", url=url) from None


def _mend_reference(match: re.Match[str]) -> str:
    base = 16 if match[1] else 10
    try:
        number = int(match[2], base)
    except ValueError:
        return "\ufffd"
    legal = number in (9, 10, 13) or 0x20 <= number < 0xD800 or 0xE000 <= number < 0xFFFE or 0x10000 <= number < 0x110000
    return match[0] if legal else "\ufffd"


def _feedparser(text: str) -> Mapping[str, Any]:
    import feedparser

    feedparser.api.PREFERRED_XML_PARSERS[:] = [_DRIVER]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result: Mapping[str, Any] = feedparser.parse(
            # a stream, never a str: that could be taken for an address or a path and opened. No content-location: feedparser would resolve
            # guids against it, and every item would change its identity when the feed moves; records.py resolves what is an address.
            io.BytesIO(text.encode("utf-8", "replace")),
            response_headers={"content-type": "application/xml; charset=utf-8"},
            resolve_relative_uris=False,
            sanitize_html=False,
        )
    return result


def _no_feed(text: str, url: str) -> str:
    root = _ROOT.search(text)
    name = root[1].lower() if root else ""
    if name == "opml":
        return f"The answer of {url} is an OPML list of feeds, not a feed; try `aggregator feeds import {url}`."
    if name in ("urlset", "sitemapindex"):
        return f"The answer of {url} is a sitemap, not a feed; try `aggregator feeds discover` with the address of the site."
    if name in ("html", "head", "body", "div", "p", "script", "meta", "title", "h1", "br", "b", "center", "a", "table", "form", "span"):
        return f"The answer of {url} is an HTML page, not a feed; try `aggregator feeds discover {url}`."
    if name:
        return f"The answer of {url} is XML but not a feed (its outermost element is <{root[1] if root else ''}>); correct the address."
    return f"The answer of {url} is plain text, not a feed; correct the address."


def _trouble(result: Mapping[str, Any], text: str) -> str | None:
    """A sentence about what is broken, None for what does no harm (undeclared prefixes, content types, encodings that were found out)."""
    problem = result.get("bozo_exception")
    if not result.get("bozo") or problem is None or not hasattr(problem, "getLineNumber"):
        return None
    message = str(problem.getMessage())
    if message == "unbound prefix":
        return None
    if not _END.search(text[-65_536:]):
        return f"The document is cut off: its end is missing after {len(text):,} characters."
    return f"The document is not well-formed XML (line {problem.getLineNumber()}: {message}); it was read leniently."
