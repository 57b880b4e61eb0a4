"""Looks at a body before it is parsed: what it is, in which encoding, and which dangers must be taken out of it first."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html.entities import html5

from aggregator.errors import FeedError
from aggregator.feeds.limits import TEXT_AFTER

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
)
# "<" and the next character without a byte order mark (XML 1.0, appendix F), and "<?xm" in EBCDIC
_MARKERS = (
    (b"\x00\x00\x00<", "utf-32-be"),
    (b"<\x00\x00\x00", "utf-32-le"),
    (b"\x00<\x00", "utf-16-be"),
    (b"<\x00", "utf-16-le"),
    (b"\x4c\x6f\xa7\x94", "cp037"),
)
_NOT_TEXT = frozenset(("unicode-escape", "raw-unicode-escape", "utf-7", "punycode", "idna", "undefined", "mbcs", "oem"))
"""Codecs that Python calls text encodings but that turn harmless ASCII into markup or control characters, or crash."""
_CODEC_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._:-]{1,30}", re.ASCII)
_DECLARED = re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([^\"'>]{0,60})[\"']")
_FILES = (
    (b"\x1f\x8b", "a gzip file"),
    (b"PK\x03\x04", "a ZIP file"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"ID3", "a sound file"),
)
_PROLOG_PART = re.compile(r"\s*(?:<\?.*?\?>|<!--.*?-->)", re.DOTALL)
_HTML = re.compile(r"<!doctype\s+html|<html[\s>]|<head[\s>]|<body[\s>]", re.IGNORECASE)
_FEED_START = re.compile(r"<\?xml\s|<rss[\s>]|<feed[\s>]|<rdf:rdf[\s>]|<channel[\s>]", re.IGNORECASE)
_FEED_END = re.compile(r"</(?:rss|feed|rdf:rdf)\s{0,20}>", re.IGNORECASE)
_ELEMENT = re.compile(r"<[A-Za-z_]")
_ENTITY = re.compile(r"<!ENTITY\s+(%\s+)?(\S{1,100})\s+(SYSTEM\b|PUBLIC\b|\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_SAFE_VALUE = re.compile(r"[\"'](?:&#x?[0-9A-Fa-f]{1,6};|[^&<%\"']{0,100})[\"']")
_REFERENCE = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31});")
_XML_NAMES = frozenset(("lt", "gt", "amp", "quot", "apos"))
# XML 1.0, production 2: characters that may not stand in a document, not even escaped
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ILLEGAL_BYTES = bytes((*range(9), 11, 12, *range(14, 32)))
"""The first of them in UTF-8; the others begin with ED or EF, as few letters do."""
_MOST_ENTITIES = 300


@dataclass(frozen=True, slots=True)
class Sniffed:
    """A body made ready: `kind` is "xml" or "json"; `text` is decoded; `note` says what had to be mended, for the feed's owner."""

    kind: str
    text: str
    note: str | None = None


def sniff(body: bytes, headers: Mapping[str, str], url: str) -> Sniffed:
    """Decodes a body and recognises it. Raises FeedError for what is empty, an HTML page or plain text. Header names in any case."""
    if kind := next((kind for magic, kind in _FILES if body.startswith(magic)), None):
        raise FeedError(f"The answer of {url} is {kind}, not a feed; correct the address.", url=url)
    mime, charset = _content_type(headers)
    text, note = _decode(body, charset)
    text = text.lstrip(" \t\r\n\x00\x0b\x0c\ufeff")
    if not text:
        raise FeedError(f"The answer of {url} is empty: there is no feed in it; try again later or correct the address.", url=url)
    if text[0] in "{[" or ("json" in mime and text[0] != "<"):
        return Sniffed("json", text, note)
    if _HTML.match(text, _prolog_end(text)):
        raise FeedError(f"The answer of {url} is an HTML page, not a feed; try `aggregator feeds discover {url}`.", url=url)
    text, before = _cut_junk_before(text, url)
    text, after = _cut_junk_after(text)
    text, refused = _tame_prolog(_without_illegal(text))
    notes = [sentence for sentence in (note, before, after, refused) if sentence]
    return Sniffed("xml", text, " ".join(notes) or None)


def _without_illegal(text: str) -> str:
    # to see in the bytes that there is none, as in most documents, takes a third of the time of looking for them in the text
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw.translate(None, _ILLEGAL_BYTES)) == len(raw) and b"\xed" not in raw and b"\xef" not in raw:
        return text
    return _ILLEGAL.sub("", text)


def _content_type(headers: Mapping[str, str]) -> tuple[str, str | None]:
    value = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    mime, _, rest = value.partition(";")
    match = re.search(r"charset\s*=\s*[\"']?([^\"';\s]{1,60})", rest, re.IGNORECASE)
    return mime.strip().lower(), match[1] if match else None


def text_codec(name: str | None) -> str | None:
    """The codec for a declared encoding if it is one of text that a feed may be written in, else None."""
    if not name or not _CODEC_NAME.fullmatch(name):
        return None
    wanted = {"gb2312": "gb18030", "gbk": "gb18030", "x-sjis": "cp932", "shift_jis": "cp932"}.get(name.lower(), name)
    try:
        info = codecs.lookup(wanted)
        b"a".decode(wanted)  # raises LookupError for hex, rot13, zlib and their like
    except (LookupError, ValueError, UnicodeError):
        return None
    return None if info.name.lower().replace("_", "-") in _NOT_TEXT else info.name


def _decode(body: bytes, charset: str | None) -> tuple[str, str | None]:
    """Text, and a sentence when the declared encoding was wrong. Order: byte order mark, header (RFC 7303), declaration, UTF-8."""
    for mark, codec in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(codec, "replace"), None
    for marker, codec in _MARKERS:
        if body.startswith(marker):
            return body.decode(codec, "replace"), None
    match = _DECLARED.match(body)
    named = match[1].decode("ascii", "replace") if match else None
    declared = [codec for codec in (text_codec(charset), text_codec(named)) if codec]
    if any(_is_single_byte(codec) for codec in declared[:1]) and not body.isascii():
        # UTF-8 under a Western label is the commonest mistake, and such a text is never valid UTF-8 by chance
        declared.insert(0, "utf-8")
    for codec in [*declared, "utf-8"]:
        try:
            return body.decode(codec), None
        except (UnicodeDecodeError, LookupError):
            continue
    return _repair(body, named or charset or "utf-8")


def _is_single_byte(codec: str) -> bool:
    return codec.startswith(("iso8859", "cp125", "ascii"))


def _repair(body: bytes, declared: str) -> tuple[str, str]:
    """Reads bytes that fit no declared encoding: as UTF-8 with holes when most of it is UTF-8, else as Windows-1252."""
    text = body.decode("utf-8", "replace")
    holes = text.count("\ufffd")
    letters = len(body) - len(body.translate(None, bytes(range(0xC2, 0xF5))))
    if holes * 2 <= letters:
        return text, f"The document says it is {declared} but holds {holes} broken characters; they were replaced."
    return body.decode("cp1252", "replace"), f"The document says it is {declared} but is not; it was read as Windows-1252 (Latin-1)."


def _prolog_end(text: str, position: int = 0) -> int:
    """Where the XML declaration, comments and processing instructions from `position` on end."""
    while match := _PROLOG_PART.match(text, position):
        position = match.end()
    return position + len(text[position : position + 1000]) - len(text[position : position + 1000].lstrip())


def _cut_junk_before(text: str, url: str) -> tuple[str, str | None]:
    """Drops what stands before the feed (a warning of the server's program, a banner)."""
    if text[0] == "<" and not text[:4].lower().startswith(("<br", "<b>", "<div")):
        return text, None
    start = _FEED_START.search(text, 0, 65_536)
    if start is None:
        if "<" not in text:
            raise FeedError(f"The answer of {url} is plain text, not a feed; correct the address.", url=url)
        return text, None
    return text[start.start() :], "Other text stands before the feed in the document; it was skipped."


def _cut_junk_after(text: str) -> tuple[str, str | None]:
    """Drops what stands behind the feed: Cloudflare appends a <script>, which makes the whole document malformed."""
    if text.endswith(("</rss>", "</rss>\n", "</feed>", "</feed>\n")):
        return text, None
    ends = list(_FEED_END.finditer(text, max(0, len(text) - 65_536)))
    if not ends or not text[_prolog_end(text, ends[-1].end()) :].strip():
        return text, None
    return text[: ends[-1].end()], TEXT_AFTER


def _tame_prolog(text: str) -> tuple[str, str | None]:
    """Replaces everything before the first element: only harmless entities survive, so that nothing can be read or blown up.

    Named entities of HTML that the document uses without declaring them are declared here: 6 % of real feeds have &nbsp; or the like, and
    would otherwise go through the lenient parser, which is three times slower.
    """
    start = _first_element(text)
    prolog, rest = text[:start], text[start:]
    if "<rss:channel" in rest and "xmlns:rss" not in rest:
        rest = rest.replace("<rss:", "<").replace("</rss:", "</")  # a prefix nobody declared, on everything
    entities, refused = _entities(prolog)
    for name in set(_REFERENCE.findall(rest)) - _XML_NAMES - set(entities):
        if (value := html5.get(name + ";")) and len(entities) < _MOST_ENTITIES:
            entities[name] = '"' + "".join(f"&#{ord(char)};" for char in value) + '"'
    version = ' PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "rss-0.91.dtd"' if "netscape" in prolog.lower() else ""
    declarations = "".join(f"\n<!ENTITY {name} {value}>" for name, value in entities.items())
    doctype = f"<!DOCTYPE feed{version} [{declarations}\n]>\n" if declarations else f"<!DOCTYPE feed{version}>\n" if version else ""
    return f"<?xml version='1.0' encoding='utf-8'?>\n{doctype}{rest}", refused


def _first_element(text: str) -> int:
    """Where the outermost element starts: behind comments (which may hold tags), instructions and the DOCTYPE."""
    position = _prolog_end(text)
    if text[position : position + 9].upper() == "<!DOCTYPE":
        bracket, end = text.find("[", position), text.find(">", position)
        if 0 <= bracket < end:
            end = text.find(">", max(text.find("]>", bracket), text.find("]\n>", bracket), bracket))
        position = _prolog_end(text, end + 1 if end >= 0 else position)
    first = _ELEMENT.search(text, position)
    return first.start() if first else len(text)


def _entities(prolog: str) -> tuple[dict[str, str], str | None]:
    """The harmless declarations of a DOCTYPE by name, and a sentence about those that were refused."""
    if "<!ENTITY" not in prolog.upper():
        return {}, None
    safe: dict[str, str] = {}
    external = nested = 0
    for parameter, name, value in _ENTITY.findall(prolog[:200_000]):
        if value[:6].upper() in ("SYSTEM", "PUBLIC"):
            external += 1
        elif parameter or not _SAFE_VALUE.fullmatch(value) or not name.isidentifier() or len(safe) >= _MOST_ENTITIES:
            nested += 1
        else:
            safe[name] = value
    words = [f"{count} {kind}" for count, kind in ((external, "external"), (nested, "nested or oversized")) if count]
    if not words:
        return safe, None
    return safe, f"The document declares entities that were refused ({' and '.join(words)}); nothing was read or expanded."
