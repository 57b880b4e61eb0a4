"""Reads plain, well-formed RSS 2.0 and Atom 1.0 fast: the same entries as feedparser's, or None. Pure.

feedparser needs most of the time of a poll, and nine feeds in ten hold nothing but a dozen well-known elements. This reader knows those
and what feedparser makes of them, and gives up (None) at the first thing it does not know, so that feedparser reads the document instead.
What it accepts must come out equal: tests/feeds/test_plainfeed.py compares the two on every document there is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urljoin
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

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
_XML = "{http://www.w3.org/xml/1998/namespace"

_TEXTS = frozenset(("title", "description", "summary", "content", "content:encoded"))
_DATES = {"pubdate": "published", "published": "published", "updated": "updated", "dc:date": "updated"}
_KEPT = {"feedburner:origlink": "feedburner_origlink", "itunes:duration": "itunes_duration"}
_PEOPLE = frozenset(("author", "dc:creator", "managingeditor", "itunes:author"))
_OTHERS = ("guid", "id", "link", "category", "dc:subject", "enclosure", "media:content", "itunes:summary", "itunes:keywords")
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
_DECLARED = re.compile(r"""xmlns(?::([^\s=]*))?\s*=\s*(["'])(.*?)\2""", re.DOTALL)
_EMPTY_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+\-.]*:///")
_REFERENCE = re.compile(r"&([A-Za-z0-9_]+);")
_PERSON = re.compile(r"([A-Za-z0-9_.+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,4})(?: \(([^()@<>]+)\))?", re.ASCII)
_C1 = re.compile("[\x80-\x9f]")
_NONE: dict[str, str] = {}
_DEEPEST = 6
_MOST_ATTRIBUTES = 32
_LONG = 1_000_000
_MOST_TAGS = 400_000
"""Several times as many as two thousand items have: a tree of more may take hundreds of megabytes before it is looked at."""


class _UnknownError(Exception):
    """Something that only feedparser knows how to read."""


def read_plain(text: str) -> Mapping[str, Any] | None:
    """`text` as sniff made it ready. What feedparser.parse returns, reduced to the keys that records.py reads; None: not plain."""
    if text.startswith("<!DOCTYPE", 39) and "[" not in text[39:140]:
        return None  # a DOCTYPE tells feedparser the version
    if len(text) > _LONG and text.count("<") > _MOST_TAGS:
        return None
    try:
        # the tree is made without Python; to be called by expat for each element takes half as long again
        raw = text.encode("utf-8", "replace")
        root = ElementTree.fromstring(raw)
        reader = _Reader(_DECLARED.findall(text), check_letters=b"\xc2" in raw or b"&#" in raw)
        reader.read(root)
    except (_UnknownError, ElementTree.ParseError):
        return None
    return {"feed": reader.feed, "entries": reader.entries, "version": reader.version}


class _Reader:
    """One document. `feed` and `entries` fill up in `read`; `declared` are all that looks like a namespace: prefix, quote, address.

    `check_letters`: whether there may be letters from U+0080 to U+00BF (in UTF-8 they begin with C2), without which nothing is
    encoded twice.
    """

    def __init__(self, declared: Iterable[tuple[str, str, str]], *, check_letters: bool) -> None:
        self._check_letters = check_letters
        self._prefixes: dict[str, set[str]] = {}
        for prefix, _, uri in declared:
            if not uri or uri.lower() == "http://purl.org/rss/1.0/" or "netscape" in uri or "userland" in uri:
                raise _UnknownError  # these tell feedparser a version of its own
            self._prefixes.setdefault(uri.lower(), set()).add(prefix.lower())
        self.version = ""
        self._rss = True
        self.feed: dict[str, Any] = {}
        self.entries: list[dict[str, Any]] = []
        self._names: dict[str, str] = {}
        self._top = 0  # depth of the channel's children
        self._language: str | None = None
        self._base = ""
        self._item: dict[str, Any] | None = None
        self._leaf = ""
        self._attributes: dict[str, str] = {}
        self._named: dict[str, str] = {}  # what a container of a person said

    # --- elements ----------------------------------------------------------------------------------------------------

    def _name(self, tag: str) -> str:
        """Feedparser's name of an element, in small letters."""
        uri, _, local = tag.lower().rpartition("}")
        uri = uri[1:]
        prefix = _PREFIXES.get(uri)
        if prefix is None:
            # a namespace that feedparser does not know either: its elements are kept under names of their own
            given = self._prefixes.get(uri)
            if not given or _KNOWN_NAMESPACE.search(uri) or given & _KNOWN_PREFIXES or ("" in given and local in _KNOWN_NAMES):
                raise _UnknownError
            prefix = "other:"
        name = prefix + local
        self._names[tag] = name
        return name

    def _plain(self, element: Element, depth: int) -> dict[str, str]:
        """The attributes of an element, by name in small letters."""
        attributes = element.attrib
        if len(attributes) > _MOST_ATTRIBUTES:
            raise _UnknownError
        found = {}
        for raw, value in attributes.items():
            uri, _, local = raw.lower().rpartition("}")
            name = local if not uri else f"xml:{local}" if uri == _XML else f"{uri} {local}"
            if name in ("base", "lang", "xml:base", "xml:lang") and not self._may_have(name, depth):
                raise _UnknownError
            found[name] = value.lower() if name in ("rel", "type") else value
        return found

    def _may_have(self, name: str, depth: int) -> bool:
        """A language is read at the root, an address to start from there and, when the root has one, inside items.

        Without one at the root feedparser does not return from an inner one: what follows starts from it as well.
        """
        return name[:4] == "xml:" and (depth == 1 or (name == "xml:base" and depth > self._top > 0 and bool(self._base)))

    def read(self, root: Element) -> None:
        name, attributes = self._name(root.tag), self._plain(root, 1)
        if name == "rss" and (version := _VERSIONS.get(attributes.get("version", "")[:4])):
            self.version, channels, self._top = version, list(root), 3
        elif name == "feed" and root.tag.startswith("{"):
            self.version, channels, self._top, self._rss = "atom10", [root], 2, False
        else:
            raise _UnknownError
        self._base = attributes.get("xml:base", "")
        if self._base and not self._base.startswith(("http://", "https://")):
            raise _UnknownError
        if language := attributes.get("xml:lang"):
            self._language = self.feed["language"] = language.replace("_", "-")
        if len(channels) > 1:
            raise _UnknownError
        for channel in channels:
            if self._rss and (self._name(channel.tag) != "channel" or channel.keys()):
                raise _UnknownError
            self._channel(channel)

    def _channel(self, channel: Element) -> None:
        names, item = self._names, "item" if self._rss else "entry"
        for element in channel:
            name = names.get(element.tag) or self._name(element.tag)
            if name == item:
                self._read_item(element)
            elif name in _CHANNEL_READ and not (name in ("title", "link") and self.entries):
                self._close_in_channel(name, self._begin(name, element, self._top))
            elif name in _CHANNEL_IGNORED or name in _CONTAINERS or name.startswith(("other:", "feedburner:")):
                self._ignore(name, element, self._top)
            else:
                raise _UnknownError

    def _read_item(self, element: Element) -> None:
        if element.keys():
            raise _UnknownError
        names, depth = self._names, self._top + 1
        item: dict[str, Any] = {}
        self._item = item
        self.entries.append(item)
        ends, begin = _ENDS, self._begin
        for child in element:
            name = names.get(child.tag) or self._name(child.tag)
            if (close := ends.get(name)) is not None:
                close(self, item, begin(name, child, depth))
            elif name in _IGNORED or name.startswith(("other:", "feedburner:")):
                self._ignore(name, child, depth)
                if name == "source" and "title" not in item:
                    raise _UnknownError  # a title may follow, and counts then in another way
            else:
                raise _UnknownError
        self._item = None

    def _begin(self, name: str, element: Element, depth: int) -> str:
        """The text of an element that is read."""
        self._leaf = name
        if element.keys():
            self._attributes = self._plain(element, depth)
            if name in _BARE or ("xml:base" in self._attributes and name not in _TEXTS):
                raise _UnknownError
        else:
            self._attributes = _NONE
        if self._named:
            self._named.clear()
        text = self._inner(name, element, depth) if len(element) else (element.text or "").strip()
        if self._check_letters and not text.isascii():
            _check_letters(text)
        return text

    def _ignore(self, name: str, element: Element, depth: int) -> None:
        if element.keys():
            self._plain(element, depth)
        if len(element):
            self._look_inside(element, "", _CONTAINERS.get(name, frozenset()), depth + 1)

    def _inner(self, name: str, element: Element, depth: int) -> str:
        """What stands beside the elements inside of one that is read; of a person what comes after those that say more."""
        self._look_inside(element, name, _CONTAINERS.get(name, frozenset()), depth + 1)
        if name not in _PEOPLE:
            return "".join(element.itertext()).strip()
        for child in element:
            if len(child):
                raise _UnknownError
            self._named[self._names[child.tag]] = (child.text or "").strip()
        return (element[-1].tail or "").strip()

    def _look_inside(self, element: Element, leaf: str, allowed: frozenset[str], depth: int) -> None:
        for child in element:
            name = self._names.get(child.tag) or self._name(child.tag)
            if depth > _DEEPEST or not (name in allowed or (leaf == "author" and name.startswith("other:"))):
                raise _UnknownError
            if name == "media:title" and not (self._item or {}).get("title"):
                raise _UnknownError  # it would be the item's
            if child.keys():
                self._plain(child, depth)
            self._look_inside(child, leaf, allowed, depth + 1)

    # --- what they say -----------------------------------------------------------------------------------------------

    def _close_in_channel(self, name: str, text: str) -> None:
        if name in _CHANNEL_KEYS:
            self.feed[_CHANNEL_KEYS[name]] = text
        else:
            _ENDS[name](self, self.feed, text)

    def _date(self, item: dict[str, Any], text: str) -> None:
        if text and read_date(text) is None:
            raise _UnknownError
        item[_DATES[self._leaf]] = text

    def _kept(self, item: dict[str, Any], text: str) -> None:
        item[_KEPT[self._leaf]] = text

    def _id(self, item: dict[str, Any], text: str) -> None:
        if self._attributes.get("ispermalink", "true") == "true":
            # a guid is the link too unless it says no, or there is a link already
            text = self._resolved(text) if text else text
            item.setdefault("link", text)
        item["id"] = text

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
        if attributes and "href" in attributes:
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
        if not self._attributes:
            return self._base
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
    "link": _Reader._link,
    "guid": _Reader._id,
    "id": _Reader._id,
    **dict.fromkeys(_KEPT, _Reader._kept),
    **dict.fromkeys(_DATES, _Reader._date),
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
