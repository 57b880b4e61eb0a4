"""OPML in and out: a list of feeds from any document that was once meant as OPML, and OPML 2.0 from feeds. Pure.

    bytes | decode | expat, or the lenient reader when that fails | outlines | feeds with tags

Two thirds of the most popular collection on GitHub are no well-formed XML (bare ampersands, quotes inside quotes); what
the lenient reader repaired is reported line by line. A DOCTYPE is skipped and never expanded. Nothing here raises for bad
input: a document without feeds gives no feeds.
"""

from __future__ import annotations

import codecs
import html
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import format_datetime
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from aggregator.feeds.names import problem_of_url, same_address
from aggregator.model import Feed
from aggregator.text import one_line

_LONGEST_TAG, _DEEPEST = 64, 16


@dataclass(frozen=True, slots=True)
class OpmlFeed:
    """One outline with an xmlUrl. `tags` are its folders, outermost first, and its categories, in small letters."""

    title: str
    url: str
    tags: tuple[str, ...] = ()
    html_url: str | None = None


@dataclass(frozen=True, slots=True)
class OpmlResult:
    """`recovered` are sentences about what was repaired or left out, each with its line where that is known."""

    feeds: tuple[OpmlFeed, ...] = ()
    recovered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Outline:
    """An outline that begins (`attributes`, names in small letters) or ends (None)."""

    line: int
    attributes: Mapping[str, str] | None = None
    lenient: bool = False


@dataclass
class _Notes:
    """What was repaired: each kind once a line."""

    found: dict[tuple[int, str], None] = field(default_factory=dict)

    def __call__(self, line: int, message: str) -> None:
        self.found.setdefault((line, message))

    def sentences(self) -> tuple[str, ...]:
        return tuple(f"line {line}: {message}" if line else message for line, message in sorted(self.found))


def read_opml(data: bytes) -> OpmlResult:
    """Feeds from OPML, broken OPML, or a plain list with one address a line. A feed in two folders comes once, with both tags."""
    notes = _Notes()
    text = _decode(data, notes)
    if not text.strip():
        return OpmlResult(recovered=("the document is empty",))
    if not text.lstrip().startswith("<") and not re.search(r"<(opml|outline)\b", text, re.IGNORECASE):
        return OpmlResult(_once(_from_list(text, notes)), notes.sentences())
    try:
        outlines = _read_strictly(text)
    except (expat.ExpatError, ValueError):
        outlines = list(_Reader(text, notes).outlines())
    return OpmlResult(_once(_feeds(outlines, notes)), notes.sentences())


# --- bytes to text ----------------------------------------------------------------------------------------------------

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"))
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
# Python knows "encodings" that unpack escapes or run other code paths; a document may ask for real character sets only
_NO_CHARSETS = {"utf-7", "unicode_escape", "raw_unicode_escape", "punycode", "idna", "undefined", "mbcs", "oem"}


def _decode(data: bytes, notes: _Notes) -> str:
    for mark, encoding in (*_MARKS, (codecs.BOM_UTF16_BE, "utf-16")):
        if data.startswith(mark):
            return data.decode(encoding, errors="replace").lstrip("\ufeff")
    for start, encoding in ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be")):
        if data.startswith(start):
            return data.decode(encoding, errors="replace")
    declared = _DECLARED.search(data[:1024])
    name = _known_charset(declared[1].decode("ascii"), notes) if declared else "utf-8"
    try:
        return data.decode(name).replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        notes(line, f"not in the encoding {name}, read as Windows-1252")
        return data.decode("cp1252", errors="replace").replace("\r\n", "\n").replace("\r", "\n")


def _known_charset(name: str, notes: _Notes) -> str:
    try:
        info = codecs.lookup(name)
        usable = info.name not in _NO_CHARSETS and isinstance(b"".decode(name), str)  # hex, zip and the like give no text
        if usable and not info.name.startswith(("utf-16", "utf-32")):  # it was readable as ASCII up to here
            return info.name
    except (LookupError, TypeError, ValueError):
        pass
    notes(1, f"the encoding “{name}” cannot be right, read as UTF-8")
    return "utf-8"


# --- strict reading -----------------------------------------------------------------------------------------------------


def _read_strictly(text: str) -> list[_Outline]:
    """Outlines of well-formed XML without a DOCTYPE. Raises ExpatError, ValueError."""
    parser = expat.ParserCreate("utf-8")
    found: list[_Outline] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if _local(name) == "outline":
            found.append(_Outline(parser.CurrentLineNumber, _lowered(attributes.items())))

    def end(name: str) -> None:
        if _local(name) == "outline":
            found.append(_Outline(parser.CurrentLineNumber))

    def refuse(*_: object) -> None:
        raise ValueError("DOCTYPE")

    parser.StartElementHandler, parser.EndElementHandler, parser.StartDoctypeDeclHandler = start, end, refuse
    parser.Parse(text.encode("utf-8", errors="replace"), True)
    return found


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()


def _lowered(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Attributes by their names in small letters; of several, the first that says something."""
    found: dict[str, str] = {}
    for name, value in pairs:
        key = _local(name)
        if not found.get(key, "").strip():
            found[key] = value
    return found


# --- lenient reading ------------------------------------------------------------------------------------------------------

_TAG = re.compile(
    r"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z)|<!DOCTYPE|<(/?)(?:\w+:)?outline(?=[\s/>]|\Z)", re.DOTALL | re.IGNORECASE
)
_DOCTYPE_END = re.compile(r"""(?:[^\[\]>"']|"[^"]*"|'[^']*')*(?:\[(?:[^\]"']|"[^"]*"|'[^']*')*\]\s*)?>""")
_KNOWN = "text|title|type|xmlurl|htmlurl|description|category|version|language|url|created|iscomment|isbreakpoint"
_ATTRIBUTE = re.compile(r"""([A-Za-z_:][\w:.-]*)\s*=\s*""")
_SPACES = re.compile(r"\s*")
_TAG_END = re.compile(r"/?>(?=\s*(?:<|\Z))")
_VALUE_ENDS = {
    quote: re.compile(
        quote + r"(?=\s+[A-Za-z_:][\w:.-]*\s*=\s*[\"']|\s*/?>\s*(?:<|\Z)|\s*</?outline\b|(?:" + _KNOWN + r")\s*=\s*[\"'])", re.IGNORECASE
    )
    for quote in "\"'"
}
_BARE_VALUE = re.compile(r"[^\s>\"']*[^\s>\"'/]|")
_LOST_QUOTE = re.compile(r"\s(?:" + _KNOWN + r")\s*=\s*[\"']|<(?=/?outline\b)", re.IGNORECASE)
_LOST_QUOTE_IN_PROSE = re.compile(r"\s(?:xmlurl|htmlurl)\s*=\s*[\"']|<(?=/?outline\b)", re.IGNORECASE)
_ENTITY = re.compile(r"&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});|&")
_XML_ENTITIES = {"amp", "lt", "gt", "quot", "apos"}
_NEXT_TAG = re.compile(r"<(?=/?(?:outline|body|opml)\b|!--)", re.IGNORECASE)


class _Reader:
    """Finds outlines in a text that is no XML. One pass; a value ends at the quote after which the tag goes on or ends."""

    def __init__(self, text: str, notes: _Notes) -> None:
        self.text, self.notes = text, notes
        self._line_ends = [match.start() for match in re.finditer("\n", text)]
        self._found_ends: dict[str, tuple[int, re.Match[str] | None]] = {}

    def line(self, position: int) -> int:
        return bisect_right(self._line_ends, position - 1) + 1

    def outlines(self) -> Iterator[_Outline]:
        self._look_around()
        position, depth = 0, 0
        while tag := _TAG.search(self.text, position):
            position = tag.end()
            mark = tag[0].lower()
            if mark == "<!doctype":
                position = self._after_doctype(tag)
            elif mark.startswith("</"):
                depth -= 1
                yield _Outline(self.line(tag.start()), lenient=True)
            elif mark.startswith("<") and mark.endswith("outline"):
                attributes, position, closed = self._attributes(tag.start(), position)
                yield _Outline(self.line(tag.start()), attributes, lenient=True)
                depth += 0 if closed else 1
                if closed:
                    yield _Outline(self.line(tag.start()), lenient=True)
        if depth > 0:
            self.notes(self.line(len(self.text)), f"{depth} outlines are never closed, closed at the end")
        elif depth < 0:
            self.notes(self.line(len(self.text)), f"{-depth} closing tags too many, ignored")

    def _look_around(self) -> None:
        """Damage outside the outlines."""
        declaration = self.text.find("<?xml")
        if declaration > 0:
            self.notes(self.line(declaration), "the XML declaration is not at the beginning, ignored")
        ends, starts = len(re.findall(r"</opml\s*>", self.text)), len(re.findall(r"<opml\b", self.text))
        if starts > 1:
            self.notes(1, f"{starts} documents in one file, all read")
        elif ends < starts:
            self.notes(self.line(len(self.text)), "the document is not closed (</opml> is missing), read to its end")

    def _after_doctype(self, tag: re.Match[str]) -> int:
        self.notes(self.line(tag.start()), "a DOCTYPE, skipped")
        end = _DOCTYPE_END.match(self.text, tag.end())
        return end.end() if end else tag.end()

    def _attributes(self, start: int, position: int) -> tuple[dict[str, str], int, bool]:
        """Attributes of the tag that begins at `start`, where it ends, and whether it closes itself."""
        pairs: list[tuple[str, str]] = []
        while True:
            position = self._after_spaces(position)
            end = _TAG_END.match(self.text, position)
            if end:
                return self._joined(pairs, start), end.end(), "/" in end[0]
            name = _ATTRIBUTE.match(self.text, position)
            if name:
                value, position = self._value(name[1].lower(), name.end())
                pairs.append((name[1], value))
                continue
            following = self.text[position : position + 1]
            if not following or (following == "<" and _NEXT_TAG.match(self.text, position)):
                self.notes(self.line(start), "a tag without its end (>), ended before the next one")
                return self._joined(pairs, start), position, False
            self.notes(self.line(position), "stray text between attributes, skipped")
            position += 1

    def _after_spaces(self, position: int) -> int:
        spaces = _SPACES.match(self.text, position)
        return spaces.end() if spaces else position

    def _joined(self, pairs: list[tuple[str, str]], start: int) -> dict[str, str]:
        for name in (name for name, times in Counter(_local(name) for name, _ in pairs).items() if times > 1):
            self.notes(self.line(start), f"the attribute {name} twice, the first taken")
        return _lowered(pairs)

    def _value(self, name: str, position: int) -> tuple[str, int]:
        quote = self.text[position : position + 1]
        if quote not in ('"', "'"):
            bare = _BARE_VALUE.match(self.text, position)
            raw, after = (bare[0], bare.end()) if bare else ("", position)
            self.notes(self.line(position), f"the value of {name} without quotes, read to the next space")
        else:
            raw, after = self._quoted(name, quote, position + 1)
        return self._unescaped(raw, position), after

    def _quoted(self, name: str, quote: str, start: int) -> tuple[str, int]:
        end = self._end_of_value(quote, start)
        stop, after = (end.start(), end.end()) if end else self._to_line_end(start)
        lost = (_LOST_QUOTE_IN_PROSE if name == "description" else _LOST_QUOTE).search(self.text, start, stop)
        if lost or not end:
            self.notes(self.line(start), f"the closing quote of {name} is missing, repaired")
            stop = after = lost.start() if lost else stop
        raw = self.text[start:stop]
        if quote in raw:
            self.notes(self.line(start), f"quotes inside the value of {name}, kept as text")
        return raw, after

    def _end_of_value(self, quote: str, start: int) -> re.Match[str] | None:
        # the last answer still holds when it lies ahead (or when there was none): without this, a file of unclosed quotes is quadratic
        asked, found = self._found_ends.get(quote, (len(self.text) + 1, None))
        if asked > start or (found is not None and found.start() < start):
            found = _VALUE_ENDS[quote].search(self.text, start)
            self._found_ends[quote] = (start, found)
        return found

    def _to_line_end(self, start: int) -> tuple[int, int]:
        end = self.text.find("\n", start)
        stop = len(self.text) if end < 0 else end
        return stop, stop

    def _unescaped(self, raw: str, position: int) -> str:
        def one(match: re.Match[str]) -> str:
            if match[1] is None:
                self.notes(self.line(position), "unescaped & in an attribute, repaired")
                return "&"
            char = html.unescape(match[0])
            if match[1] not in _XML_ENTITIES and not match[1].startswith("#"):
                what = "an unknown entity, kept as text" if char == match[0] else "an HTML entity that XML does not know, read as HTML"
                self.notes(self.line(position), f"&{match[1]}; is {what}")
            return char

        if "<" in raw:
            self.notes(self.line(position), "unescaped < in an attribute, kept as text")
        return _ENTITY.sub(one, raw)


# --- outlines to feeds ------------------------------------------------------------------------------------------------------


def _feeds(outlines: Iterable[_Outline], notes: _Notes) -> Iterator[OpmlFeed]:
    folders: list[str | None] = []  # None: an outline that is itself a feed
    just_opened = False
    for outline in outlines:
        attributes = outline.attributes
        if attributes is None:
            # an end tag right after a feed is the feed's own; later it is its folder's, and the feed was never closed
            while outline.lenient and not just_opened and len(folders) > 1 and folders[-1] is None:
                folders.pop()
            del folders[-1:]
            just_opened = False
            continue
        while outline.lenient and folders and folders[-1] is None:
            folders.pop()
        feed = _feed(attributes, [name for name in folders[:_DEEPEST] if name], outline.line, notes)
        is_feed = bool(attributes.get("xmlurl", "").strip())
        folders.append(None if is_feed else _label(attributes))
        just_opened = is_feed
        if feed is not None:
            yield feed


def _label(attributes: Mapping[str, str]) -> str:
    return one_line(attributes.get("text", "")) or one_line(attributes.get("title", ""))


def _feed(attributes: Mapping[str, str], folders: list[str], line: int, notes: _Notes) -> OpmlFeed | None:
    written = attributes.get("xmlurl", "").strip()
    if not written:
        if attributes.get("type", "").strip().lower() == "include":
            notes(line, f"another list ({one_line(attributes.get('url', ''))}) is mentioned but not followed")
        return None
    url = _address(written)
    problem = problem_of_url(url)
    if problem:
        notes(line, f"“{one_line(written)}” {problem}, left out")
        return None
    if url != written:
        notes(line, f"the address “{one_line(written)}” read as {url}")
    site = attributes.get("htmlurl", "").strip()
    names = [*folders, *re.split(r"[,/]", attributes.get("category", ""))]
    tags = tuple(dict.fromkeys(tag for tag in map(to_tag, names) if tag))
    return OpmlFeed(_label(attributes), url, tags, site if site and not problem_of_url(site) else None)


def _address(text: str) -> str:
    """feed:// and feed:https:// as https, //host as https, spaces as %20."""
    text = re.sub(r"(?i)^feed:(?=https?:)", "", text)
    text = re.sub(r"(?i)^feed:(?://)?", "https://", text)
    text = "https:" + text if text.startswith("//") else text
    return re.sub(r"\s", "%20", text)


def to_tag(name: str) -> str:
    """A folder's name as a tag: small letters, words joined by hyphens: "Business & Economy" -> "business-economy"."""
    return re.sub(r"[^\w.+#]+", "-", one_line(name).lower()).strip("-")[:_LONGEST_TAG].strip("-")


def _once(feeds: Iterable[OpmlFeed]) -> tuple[OpmlFeed, ...]:
    found: dict[str, OpmlFeed] = {}
    for feed in feeds:
        key = same_address(feed.url)
        first = found.get(key)
        found[key] = replace(first, tags=tuple(dict.fromkeys((*first.tags, *feed.tags)))) if first else feed
    return tuple(found.values())


_QUOTED = re.compile(r'"([^"]*)"|(\S+)')


def _from_list(text: str, notes: _Notes) -> Iterator[OpmlFeed]:
    """One address a line, words after it are tags and "~Title" a title (as newsboat has them); # begins a comment."""
    skipped = 0
    for line in text.splitlines():
        first, _, rest = line.strip().partition(" ")
        if not first or first.startswith("#"):
            continue
        url = _address(first)
        if problem_of_url(url):
            skipped += 1
            continue
        words = [quoted or bare for quoted, bare in _QUOTED.findall(rest)]
        title = next((one_line(word[1:]) for word in words if word.startswith("~")), "")
        tags = tuple(dict.fromkeys(tag for tag in (to_tag(word) for word in words if not word.startswith(("~", "!"))) if tag))
        yield OpmlFeed(title, url, tags)
    if skipped:
        notes(0, f"{skipped} lines hold no address, left out")


# --- writing ---------------------------------------------------------------------------------------------------------------


def write_opml(feeds: Iterable[Feed], title: str, created_at: datetime) -> str:
    """OPML 2.0 (opml.org/spec2.opml): feeds in folders by their first tag, all tags as categories."""
    folders: dict[str, list[Feed]] = {}
    for feed in feeds:
        folders.setdefault(feed.tags[0] if feed.tags else "", []).append(feed)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<opml version="2.0">', "  <head>"]
    lines += [
        f"    <title>{html.escape(one_line(title), quote=False)}</title>",
        f"    <dateCreated>{format_datetime(created_at)}</dateCreated>",
    ]
    lines += ["  </head>", "  <body>", *(f"    {_outline(feed)}" for feed in folders.pop("", []))]
    for tag, members in folders.items():
        lines += [
            f"    <outline text={_quoted(tag)} title={_quoted(tag)}>",
            *(f"      {_outline(feed)}" for feed in members),
            "    </outline>",
        ]
    return "\n".join([*lines, "  </body>", "</opml>", ""])


def _outline(feed: Feed) -> str:
    label = _quoted(feed.title or feed.name)
    categories = ",".join(tag.replace(",", " ").replace("/", " ") for tag in feed.tags)
    category = f" category={_quoted(categories)}" if categories else ""
    return f'<outline type="rss" text={label} title={label} xmlUrl={_quoted(feed.url)}{category}/>'


def _quoted(text: str) -> str:
    return quoteattr(one_line(text))
