"""Turns what a document says into items as the program keeps them: clean text, safe HTML, canonical links, times in UTC.

ParsedFeed | normalise | Items (then dedupe.identify). Pure; it never raises for what a feed holds.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from aggregator.documents import Item, Media, ParsedFeed, ParsedItem
from aggregator.feeds.dates import EARLIEST, choose_date
from aggregator.feeds.links import canonical_link, clean_and_canonical, clean_link
from aggregator.feeds.markup import safe_html, text_and_html, title_text
from aggregator.text import one_line, shorten

LONGEST_SUMMARY = 2_000
_SUMMARY_SOURCE = 20_000
"""Characters of markup that are turned into the text of a summary: full articles have 25 kB and more, and only their start is wanted."""
LONGEST_TITLE = 500
TITLE_FROM_SUMMARY = 100
MOST_AUTHORS = 10
MOST_CATEGORIES = 20
MOST_MEDIA = 20
_SAMPLE = 600
"""Characters by which a language is known; more only take time."""
_DETECTABLE = 40
"""Bytes of text below which a detected language is a guess."""

_CODE = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9_-]*)?", re.ASCII)
_LONG_CODES = {
    "eng": "en", "pol": "pl", "deu": "de", "ger": "de", "fra": "fr", "fre": "fr", "spa": "es", "ita": "it", "por": "pt", "nld": "nl",
    "dut": "nl", "rus": "ru", "ukr": "uk", "ces": "cs", "cze": "cs", "swe": "sv", "jpn": "ja", "zho": "zh", "chi": "zh", "kor": "ko",
    "iw": "he", "in": "id",
}  # fmt: skip
_NO_LANGUAGE = frozenset(("und", "mul", "zxx", "mis", "un", "xx"))
_FEED_EMAIL = re.compile(r"^\S+@\S+\s*\((.+)\)$")


def normalise(
    parsed: ParsedFeed, *, feed: str, feed_url: str, now: datetime, language: str | None = None, places: Sequence[int] | None = None
) -> tuple[Item, ...]:
    """The document's items in its order, with provisional keys (guid, else link, else hash) for dedupe.identify.

    `feed` is the feed's name, `feed_url` the last resort for relative links, `now` the time of the poll, `language` what the person says
    about the feed. Times follow dates.choose_date; items that get the poll's time lie a microsecond apart, so that the document's order
    (newest first, as a rule) stays. Language: the item's own, the person's, the feed's, else detected when that is reliable.
    `content_hash` is over title, summary and link, never over `now`: re-reading an unchanged document gives equal hashes.
    `places` are the items that are wanted, counted from 0; None: all.
    """
    front = canonical_link(parsed.link)
    known = language_code(language) or language_code(parsed.language)
    source = _Source(feed, parsed.title or feed, clean_link(feed_url), front, known)
    wanted = range(len(parsed.items)) if places is None else places
    return tuple(_item(parsed.items[place], source, now, place) for place in wanted)


@dataclass(frozen=True, slots=True)
class _Source:
    """What all items of a document share; `front` is the canonical form of the site's own page."""

    feed: str
    publisher: str
    url: str | None
    front: str | None
    language: str | None


def _item(raw: ParsedItem, source: _Source, now: datetime, place: int) -> Item:
    base = _base(raw.base, source.url)
    link, canonical = clean_and_canonical(raw.link, base)
    summary, summary_html, content_html = _bodies(raw, link or base)
    media = _media(raw.media, base)
    title = _title(raw, summary, link, media)
    moment = choose_date(raw.published_at, raw.updated_at, now)
    content_hash = _digest(title, summary, canonical or link or "")
    return Item(
        key=_provisional_key(raw.guid, canonical or link, content_hash, media),
        title=title,
        link=link,
        # an item that only points to the site's front page shares its address with everything
        canonical_link=None if canonical == source.front else canonical,
        summary=summary,
        published_at=moment.at - timedelta(microseconds=place) if moment.at == now else moment.at,
        content_hash=content_hash,
        feed=source.feed,
        publisher=source.publisher,
        arrived_at=now,
        date_rule=moment.rule,
        updated_at=raw.updated_at if raw.updated_at and EARLIEST <= raw.updated_at <= now else None,
        summary_html=summary_html,
        content_html=content_html,
        language=(raw.language and language_code(raw.language)) or source.language or detect_language(f"{title}\n{summary}"),
        authors=_names(map(_person, raw.authors), MOST_AUTHORS) if raw.authors else (),
        categories=_names(map(_subject, raw.categories), MOST_CATEGORIES) if raw.categories else (),
        media=media,
    )


@lru_cache(maxsize=64)
def _base(base: str | None, url: str | None) -> str | None:
    """What the relative addresses of an item count from; as a rule the same for all items of a document."""
    return clean_link(base, url) or url


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def _provisional_key(guid: str | None, link: str | None, content_hash: str, media: tuple[Media, ...]) -> str:
    """ "g:" and the guid (a digest of it when it is long), else "l:" and the link, else "h:" and a hash over all that tells items apart."""
    clean = one_line(guid or "")
    if clean:
        return f"g:{clean}" if len(clean) <= 200 else f"g:sha256:{_digest(clean)}"
    if link:
        return f"l:{link}" if len(link) <= 500 else f"l:sha256:{_digest(link)}"
    return f"h:{_digest(content_hash, *(medium.url for medium in media))}"


# --- text -------------------------------------------------------------------------------------------------------------


def _title(raw: ParsedItem, summary: str, link: str | None, media: tuple[Media, ...]) -> str:
    """Never empty: an untitled item (a status, a link) is called by its first words, else by its medium or the words of its address."""
    title = shorten(title_text(raw.title, raw.title_is_html), LONGEST_TITLE)
    if title:
        return title
    if first := one_line(summary.partition("\n")[0]) or one_line(summary):
        return shorten(first, TITLE_FROM_SUMMARY)
    address = link or next((medium.url for medium in media), "")
    return _words_of(address) or "Untitled"


def _words_of(address: str) -> str:
    """ "https://example.org/2023/12/caravan-heads-north.html" -> "caravan heads north"."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    last = next((part for part in reversed(parts.path.split("/")) if part), "")
    words = one_line(re.sub(r"[-_+]+", " ", re.sub(r"\.[a-zA-Z0-9]{1,5}$", "", unquote(last))))
    return shorten(words or parts.netloc, TITLE_FROM_SUMMARY)


def _bodies(raw: ParsedItem, base: str | None) -> tuple[str, str, str]:
    """Summary as text (at most LONGEST_SUMMARY characters) and as HTML, and the content's HTML when it says more than the summary."""
    text, summary_html = text_and_html(raw.summary, base, _SUMMARY_SOURCE)
    if not raw.content or raw.content == raw.summary:
        return shorten(text, LONGEST_SUMMARY), summary_html, ""
    if text and len(raw.content) >= _SUMMARY_SOURCE:
        return shorten(text, LONGEST_SUMMARY), summary_html, safe_html(raw.content, base)
    content_text, content_html = text_and_html(raw.content, base, _SUMMARY_SOURCE)
    if content_html and text and content_text == text:
        # podcasts repeat the description as itunes:summary; the one with markup is the richer
        summary_html, content_html = max((summary_html, content_html), key=lambda markup: markup.count("<")), ""
    return shorten(text or content_text, LONGEST_SUMMARY), summary_html, content_html


# --- language ---------------------------------------------------------------------------------------------------------


def language_code(declared: str | None) -> str | None:
    """ "en-US" -> "en", "pl_PL" -> "pl", "eng" -> "en"; None for what is no language code."""
    match = _CODE.fullmatch((declared or "").strip()[:40])
    if match is None:
        return None
    code = match[1].lower()
    return None if code in _NO_LANGUAGE else _LONG_CODES.get(code, code)


def detect_language(text: str) -> str | None:
    """A short code when the detector calls its finding reliable, else None. About 20 µs."""
    import pycld2

    encoded = text[:_SAMPLE].encode("utf-8", "ignore")
    if len(encoded) < _DETECTABLE:
        return None
    try:
        reliable, _, found = pycld2.detect(encoded)
    except pycld2.error:
        return None
    return language_code(found[0][1]) if reliable and found else None


# --- people, subjects, media ------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _person(name: str) -> str:
    """ "desk@example.org (Jo Bloggs)" -> "Jo Bloggs"."""
    clean = title_text(name, is_html=True)
    match = _FEED_EMAIL.match(clean)
    return match[1].strip() if match else clean


@lru_cache(maxsize=1024)
def _subject(category: str) -> str:
    return title_text(category, is_html=True)


def _names(names: Iterable[str], most: int) -> tuple[str, ...]:
    """Without empty ones and repetitions (in any case), shortened, at most `most`."""
    seen: dict[str, str] = {}
    for name in names:
        if name:
            seen.setdefault(name.casefold(), shorten(name, 100))
    return tuple(seen.values())[:most]


def _media(media: tuple[Media, ...], base: str | None) -> tuple[Media, ...]:
    """With absolute http(s) addresses, one for each address, clean words."""
    if not media:
        return ()
    found: dict[str, Media] = {}
    for medium in media:
        url = clean_link(medium.url, base)
        if url is not None:
            title = shorten(title_text(medium.title or "", is_html=True), LONGEST_TITLE) or None
            host = shorten(_person(medium.host or ""), 100) or None
            found.setdefault(url, Media(url, one_line(medium.type), medium.seconds, title, host, medium.size_bytes))
    return tuple(found.values())[:MOST_MEDIA]
