"""Reads plain, well-formed RSS 2.0 and Atom 1.0 fast: the same entries as feedparser's, or None. Pure.

feedparser needs most of the time of a poll, and nine feeds in ten hold nothing but a dozen well-known elements. This reader knows those
and what feedparser makes of them, and gives up (None) at the first thing it does not know, so that feedparser reads the document instead.
What it accepts must come out equal: tests/feeds/test_plainfeed.py compares the two on every document there is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urljoin
from xml.parsers import expat

from aggregator.feeds.dates import read_date

_ATOM = "http://www.w3.org/2005/atom"
# feedparser's prefixes for the namespaces that are read here; the first group has no prefix for it
_PREFIXES = {
    "": "",
    _ATOM: "",
    "http://purl.org/dc/elements/1.1/": "dc:",
    "http://purl.org/rss/1.0/modules/content/": "content:",
    "http://purl.org/rss/1.0/modules/syndication/": "sy:",
    "http://purl.org/rss/1.0/modules/slash/": "slash:",
    "http://purl.org/syndication/thread/1.0": "thr:",
    "http://wellformedweb.org/commentapi/": "wfw:",
    "http://rssnamespace.org/feedburner/ext/1.0": "feedburner:",
    "http://search.yahoo.com/mrss/": "media:",
    "http://www.itunes.com/dtds/podcast-1.0.dtd": "itunes:",
    "http://www.georss.org/georss": "georss:",
}
_XML = "http://www.w3.org/XML/1998/namespace"

_TEXTS = frozenset(("title", "description", "summary", "content", "content:encoded"))
_DATES = {"pubdate": "published", "published": "published", "updated": "updated", "dc:date": "updated"}
_KEPT = {"guid": "id", "id": "id", "feedburner:origlink": "feedburner_origlink", "itunes:duration": "itunes_duration"}
_PEOPLE = frozenset(("author", "dc:creator", "managingeditor", "itunes:author"))
_OTHERS = ("link", "category", "dc:subject", "enclosure", "media:content", "itunes:summary", "itunes:keywords")
_READ = _TEXTS | _PEOPLE | frozenset((*_DATES, *_KEPT, *_OTHERS))
_BARE = frozenset(("feedburner:origlink", "itunes:duration", "itunes:keywords", "ttl", "sy:updateperiod", "sy:updatefrequency"))
"""Elements that feedparser has no rule for: with attributes it keeps those instead of the text."""
_IGNORED = frozenset((
    "comments", "slash:comments", "slash:section", "slash:department", "slash:hit_parade", "wfw:comment", "wfw:commentrss", "thr:total",
    "media:thumbnail", "media:rating", "media:copyright", "dc:rights", "dc:publisher", "dc:identifier", "dc:type", "dc:format", "source",
    "rights", "media:credit", "itunes:image", "itunes:explicit", "itunes:episode", "itunes:season", "itunes:episodetype", "itunes:block",
    "itunes:title", "itunes:subtitle", "itunes:order", "georss:point", "georss:elev", "georss:featurename",
))  # fmt: skip
"""Elements of an item that change nothing that is kept, as long as nothing stands inside them."""
_CHANNEL_KEYS = {
    "language": "language", "dc:language": "language", "ttl": "ttl", "sy:updateperiod": "sy_updateperiod",
    "sy:updatefrequency": "sy_updatefrequency",
}  # fmt: skip
_CHANNEL_READ = _PEOPLE | frozenset(("title", "link", "id", *_CHANNEL_KEYS))
_CHANNEL_IGNORED = frozenset((
    "description", "subtitle", "generator", "docs", "copyright", "rights", "lastbuilddate", "pubdate", "updated", "webmaster", "logo",
    "icon", "category", "cloud", "rating", "published", "sy:updatebase", "itunes:explicit", "itunes:image", "dc:date", "dc:rights",
    "dc:publisher", "itunes:type", "itunes:new-feed-url", "itunes:block", "itunes:complete", "itunes:title", "itunes:subtitle",
    "itunes:summary", "itunes:keywords",
))  # fmt: skip
_CONTAINERS = {
    "image": frozenset(("title", "link", "url", "width", "height", "description")),
    "skiphours": frozenset(("hour",)),
    "skipdays": frozenset(("day",)),
    "author": frozenset(("name", "email", "uri")),
    "itunes:owner": frozenset(("itunes:name", "itunes:email")),
    "itunes:category": frozenset(("itunes:category",)),
    "media:content": frozenset(("media:thumbnail", "media:credit", "media:rating", "media:copyright", "media:title")),
}
_VERSIONS = {"0.91": "rss091u", "0.92": "rss092", "2.0": "rss20"}
_MEANT_TO_BE_HTML = {"html": "text/html", "text/html": "text/html", "text": "text/plain", "text/plain": "text/plain"}
# what feedparser knows under other names: namespaces, their usual prefixes, elements without a prefix
_KNOWN_NAMESPACE = re.compile(
    r"purl\.org|xhtml|mrss|podcast|georss|opengis|w3\.org/\d|creativecommons|web\.resource|userland|podlove|necho|newformat"
)
_KNOWN_PREFIXES = frozenset((
    "dc", "dcterms", "content", "media", "itunes", "georss", "geo", "gml", "cc", "creativecommons", "psc", "xhtml", "rdf", "rdfs",
    "feedburner", "sy", "slash", "thr", "wfw", "atom", "xml", "rss", "admin", "ag", "audio", "co", "ev", "image", "prism", "taxo", "szf",
))  # fmt: skip
_KNOWN_NAMES = frozenset(
    name.rpartition(":")[2] for name in (*_READ, *_CHANNEL_READ, *_CONTAINERS, *_CHANNEL_IGNORED, *_IGNORED)
) | frozenset((
    "abstract", "body", "fullitem", "issued", "modified", "created", "tagline", "info", "keywords", "tags", "homepage", "url", "name",
    "email", "uri", "contributor", "subject", "creator", "date", "item", "entry", "channel", "feed", "rss", "rdf", "textinput", "svg",
    "math", "div", "expirationdate", "newlocation", "links", "authors", "title_detail", "summary_detail", "group",
))  # fmt: skip
_EMPTY_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+\-.]*:///")
_REFERENCE = re.compile(r"&([A-Za-z0-9_]+);")
_PERSON = re.compile(r"([A-Za-z0-9_.+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,4})(?: \(([^()@<>]+)\))?", re.ASCII)
_C1 = re.compile("[\x80-\x9f]")
_DEEPEST = 6
_MOST_ATTRIBUTES = 32


class _UnknownError(Exception):
    """Something that only feedparser knows how to read."""


def read_plain(text: str) -> Mapping[str, Any] | None:
    """`text` as sniff made it ready. What feedparser.parse returns, reduced to the keys that records.py reads; None: not plain."""
    if text.startswith("<!DOCTYPE", 39) and "[" not in text[39:140]:
        return None  # a DOCTYPE tells feedparser the version
    reader = _Reader()
    try:
        reader.parser.Parse(text.encode("utf-8", "replace"), True)
    except (_UnknownError, expat.ExpatError):
        return None
    finally:
        del reader.parser  # it holds the reader's methods, and would keep the whole document until the next collection
    return {"feed": reader.feed, "entries": reader.entries, "version": reader.version}


class _Reader:
    """One document. `feed` and `entries` fill up while expat runs."""

    def __init__(self) -> None:
        self.parser = parser = expat.ParserCreate(namespace_separator=" ")
        parser.namespace_prefixes = True
        parser.buffer_text = True
        parser.buffer_size = 65_536
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartNamespaceDeclHandler = self._namespace
        self.version = ""
        self._rss = True
        self.feed: dict[str, Any] = {}
        self.entries: list[dict[str, Any]] = []
        self._names: dict[str, str] = {}
        self._depth = 0
        self._top = 0  # depth of the channel's children
        self._language: str | None = None
        self._base = ""
        self._item: dict[str, Any] | None = None
        self._inside: frozenset[str] | None = None  # what may stand in the present leaf
        self._leaf = ""
        self._attributes: dict[str, str] = {}
        self._pieces: list[str] = []
        self._named: dict[str, str] = {}  # what a container of a person said

    # --- elements ----------------------------------------------------------------------------------------------------

    def _namespace(self, prefix: str | None, uri: str | None) -> None:
        if uri is None or uri.lower() == "http://purl.org/rss/1.0/" or "netscape" in uri or "userland" in uri:
            raise _UnknownError  # these tell feedparser a version of its own

    def _name(self, raw: str) -> str:
        """Feedparser's name of an element, in small letters."""
        uri, local, given = (*raw.lower().split(" "), "", "")[:3] if " " in raw else ("", raw.lower(), "")
        prefix = _PREFIXES.get(uri)
        if prefix is None:
            # a namespace that feedparser does not know either: its elements are kept under names of their own
            if _KNOWN_NAMESPACE.search(uri) or given in _KNOWN_PREFIXES or (not given and local in _KNOWN_NAMES):
                raise _UnknownError
            prefix = "other:"
        name = prefix + local
        self._names[raw] = name
        return name

    def _start(self, raw: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        name = self._names.get(raw) or self._name(raw)
        if attributes:
            attributes = self._plain(attributes)
        if self._inside is not None:
            self._start_inner(name)
        elif self._item is not None:
            self._start_in_item(name, attributes)
        elif self._top and self._depth == self._top:
            self._start_in_channel(name, attributes)
        elif not self._top:
            self._start_frame(name, attributes)
        else:
            raise _UnknownError

    def _plain(self, attributes: dict[str, str]) -> dict[str, str]:
        if len(attributes) > _MOST_ATTRIBUTES:
            raise _UnknownError
        found = {}
        for raw, value in attributes.items():
            uri, _, local = raw.partition(" ")
            name = (local or uri).lower()
            if local:
                name = f"xml:{name[:4]}" if uri == _XML else f"{uri} {name}"
            if name in ("base", "lang", "xml:base", "xml:lang") and not self._may_have(name):
                raise _UnknownError
            found[name] = value.lower() if name in ("rel", "type") else value
        return found

    def _may_have(self, name: str) -> bool:
        """A language is read at the root, an address to start from there and, when the root has one, inside items.

        Without one at the root feedparser does not return from an inner one: what follows starts from it as well.
        """
        return name[:4] == "xml:" and (self._depth == 1 or (name == "xml:base" and self._depth > self._top > 0 and bool(self._base)))

    def _start_frame(self, name: str, attributes: dict[str, str]) -> None:
        if self._depth == 1 and name == "rss" and (version := _VERSIONS.get(attributes.get("version", "")[:4])):
            self.version = version
        elif self._depth == 1 and name == "feed" and " " in next(iter(self._names)):
            self.version, self._top, self._rss = "atom10", 2, False
        elif self._depth == 2 and name == "channel" and self.version and not attributes:
            self._top = 3
            return
        else:
            raise _UnknownError
        self._base = attributes.get("xml:base", "")
        if self._base and not self._base.startswith(("http://", "https://")):
            raise _UnknownError
        if language := attributes.get("xml:lang"):
            self._language = self.feed["language"] = language.replace("_", "-")

    def _start_in_channel(self, name: str, attributes: dict[str, str]) -> None:
        if name == ("entry" if self._top == 2 else "item"):
            if attributes:
                raise _UnknownError
            self._item = {}
            self.entries.append(self._item)
            return
        if name in _CHANNEL_READ and not (name in ("title", "link") and self.entries):
            self._begin(name, attributes)
        elif name in _CHANNEL_IGNORED or name in _CONTAINERS or name.startswith(("other:", "feedburner:")):
            self._ignore(name)
        else:
            raise _UnknownError

    def _start_in_item(self, name: str, attributes: dict[str, str]) -> None:
        if name in _READ:
            self._begin(name, attributes)
        elif name in _IGNORED or name.startswith(("other:", "feedburner:")):
            self._ignore(name)
            if name == "source" and "title" not in (self._item or {}):
                raise _UnknownError  # a title may follow, and counts then in another way
        else:
            raise _UnknownError

    def _start_inner(self, name: str) -> None:
        allowed = name in (self._inside or ()) or (self._leaf == "author" and name.startswith("other:"))
        if not allowed or self._depth > _DEEPEST:
            raise _UnknownError
        if name == "media:title" and not (self._item or {}).get("title"):
            raise _UnknownError  # it would be the item's
        if self._leaf in _PEOPLE:
            self._pieces.clear()

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        if attributes and (name in _BARE or ("xml:base" in attributes and name not in _TEXTS)):
            raise _UnknownError
        self._leaf, self._attributes, self._inside = name, attributes, _CONTAINERS.get(name, frozenset())
        self._pieces.clear()
        self._named.clear()
        self.parser.CharacterDataHandler = self._pieces.append

    def _ignore(self, name: str) -> None:
        self._leaf, self._inside = "", _CONTAINERS.get(name, frozenset())

    def _end(self, raw: str) -> None:
        depth, self._depth = self._depth, self._depth - 1
        if self._inside is not None:
            if depth > self._top + (self._item is not None):
                if self._leaf in _PEOPLE:
                    self._named[self._names[raw]] = "".join(self._pieces).strip()
                    self._pieces.clear()
                return
            self._inside = None
            if self._leaf:
                self.parser.CharacterDataHandler = None
                self._close(self._leaf, "".join(self._pieces).strip())
        elif self._item is not None:
            self._item = None

    # --- what they say -----------------------------------------------------------------------------------------------

    def _close(self, name: str, text: str) -> None:
        if not text.isascii():
            _check_letters(text)
        if self._item is None:
            self._close_in_channel(name, text)
            return
        if name in _DATES:
            self._date(self._item, _DATES[name], text)
        elif name == "link":
            self._link(self._item, text)
        elif name in _KEPT:
            self._keep(self._item, _KEPT[name], text)
        else:
            _ENDS[name](self, self._item, text)

    def _close_in_channel(self, name: str, text: str) -> None:
        if name == "title":
            self._title(self.feed, text)
        elif name == "link":
            self._link(self.feed, text)
        elif name in _PEOPLE:
            self._person(self.feed, text)
        elif name == "id":
            self._keep(self.feed, "id", text)
        else:
            self.feed[_CHANNEL_KEYS[name]] = text

    def _date(self, item: dict[str, Any], key: str, text: str) -> None:
        if text and read_date(text) is None:
            raise _UnknownError
        item[key] = text

    def _keep(self, item: dict[str, Any], key: str, text: str) -> None:
        if key == "id" and self._attributes.get("ispermalink", "true") == "true":
            # a guid is the link too unless it says no, or there is a link already
            text = self._resolved(text) if text else text
            item.setdefault("link", text)
        item[key] = text

    def _resolved(self, address: str) -> str:
        if _EMPTY_AUTHORITY.match(address):
            raise _UnknownError
        try:
            return urljoin(self._base, address) if self._base else address
        except ValueError:
            return ""

    def _link(self, context: dict[str, Any], text: str) -> None:
        attributes = self._attributes
        links = context.setdefault("links", [])
        if "href" in attributes:
            if text or "url" in attributes or "uri" in attributes:
                raise _UnknownError
            link = {"rel": "alternate", "type": "application/atom+xml" if attributes.get("rel") == "self" else "text/html", **attributes}
            link["href"] = self._resolved(link["href"])
            links.append(link)
            if link["rel"] == "alternate" and link["type"] in ("text/html", "html", "xhtml", "application/xhtml+xml"):
                context["link"] = link["href"]
            return
        if attributes or not self._rss:
            raise _UnknownError
        text = self._resolved(text) if text else text
        if "&" in text:
            text = _REFERENCE.sub(r"&\1", text.replace("&amp;", "&") if context is self._item else text)
        links.append({"rel": "alternate", "type": "text/html", "href": text} if text else {"rel": "alternate", "type": "text/html"})
        context["link"] = text

    def _kind(self, default: str) -> str:
        """The media type of a text."""
        attributes = self._attributes
        if not attributes:
            return default
        kind = _MEANT_TO_BE_HTML.get(attributes.get("type", default))
        if self._rss or kind is None or len(attributes) > ("type" in attributes) + ("xml:base" in attributes):
            raise _UnknownError
        return kind

    def _title(self, context: dict[str, Any], text: str) -> None:
        kind = self._kind("text/plain")
        if context.get("title"):
            raise _UnknownError
        context["title"] = text
        context["title_detail"] = {"type": kind, "language": self._language, "base": self._text_base()}

    def _summary(self, item: dict[str, Any], text: str) -> None:
        rss = self._leaf == "description"
        if "summary_detail" in item or ("summary" in item and "content" not in item) or rss != (self._rss):
            raise _UnknownError
        item["summary"] = text
        item["summary_detail"] = {"type": self._kind("text/html" if rss else "text/plain"), "base": self._text_base()}

    def _content(self, item: dict[str, Any], text: str) -> None:
        encoded = self._leaf == "content:encoded"
        if encoded != (self._rss):
            raise _UnknownError
        kind = self._kind("text/html" if encoded else "text/plain")
        item.setdefault("content", []).append({"type": kind, "value": text, "base": self._text_base()})
        item.setdefault("summary", text)

    def _episode_summary(self, item: dict[str, Any], text: str) -> None:
        if self._attributes or "<" in text or "&" in text or not self._rss:
            raise _UnknownError  # whether it is HTML is for feedparser to guess
        if "summary" in item and "content" not in item:
            item["content"] = [{"type": "text/plain", "value": text, "base": self._base}]
        else:
            item["summary"] = text
            item["summary_detail"] = {"type": "text/plain", "base": self._base}

    def _keywords(self, item: dict[str, Any], text: str) -> None:
        tags = item.setdefault("tags", []) if text.strip(", ") else []
        for term in text.split(","):
            if term.strip():
                _add_tag(tags, term.strip(), "http://www.itunes.com/", None)

    def _text_base(self) -> str:
        base = self._attributes.get("xml:base", "")
        if base and not base.startswith(("http://", "https://")):
            raise _UnknownError
        return base or self._base

    def _category(self, item: dict[str, Any], text: str) -> None:
        term, scheme, label = (self._attributes.get(key) for key in ("term", "scheme", "label"))
        scheme = scheme if scheme is not None else self._attributes.get("domain")
        tags = item.setdefault("tags", [])
        _add_tag(tags, term, scheme, label)
        if not text:
            return
        if tags and not tags[-1]["term"]:
            tags[-1]["term"] = text
        else:
            _add_tag(tags, text, None, None)

    def _person(self, context: dict[str, Any], text: str) -> None:
        people = context.setdefault("authors", [])
        if self._named:
            person = {key: value for key, value in self._named.items() if key in ("name", "email")}
            if text or not person.get("name"):
                raise _UnknownError
        elif "@" in text:
            match = _PERSON.fullmatch(text)
            if match is None:
                raise _UnknownError
            person = {"name": match[2].strip(), "email": match[1]} if match[2] else {"email": match[1]}
        else:
            person = {"name": text} if text else {}
        people.append(person)

    def _enclosure(self, item: dict[str, Any], text: str) -> None:
        attributes = dict(self._attributes)
        if (href := attributes.pop("url", None)) and "uri" not in attributes:
            attributes["href"] = href
            item.setdefault("links", []).append({**attributes, "rel": "enclosure"})
        else:
            raise _UnknownError

    def _media_content(self, item: dict[str, Any], text: str) -> None:
        item.setdefault("media_content", []).append(self._attributes)


_ENDS: dict[str, Callable[[_Reader, dict[str, Any], str], None]] = {
    "title": _Reader._title,
    "description": _Reader._summary,
    "summary": _Reader._summary,
    "content": _Reader._content,
    "content:encoded": _Reader._content,
    "category": _Reader._category,
    "dc:subject": _Reader._category,
    "itunes:summary": _Reader._episode_summary,
    "itunes:keywords": _Reader._keywords,
    "enclosure": _Reader._enclosure,
    "media:content": _Reader._media_content,
    **dict.fromkeys(_PEOPLE, _Reader._person),
}


def _add_tag(tags: list[dict[str, Any]], term: str | None, scheme: str | None, label: str | None) -> None:
    tag = {"term": term, "scheme": scheme, "label": label}
    if (term or scheme or label) and tag not in tags:
        tags.append(tag)


def _check_letters(text: str) -> None:
    """Feedparser mends text that was encoded twice and letters of Windows-1252: that is left to it."""
    try:
        text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        if _C1.search(text) is None:
            return
    raise _UnknownError
