"""Where a page's feed may be: what the page itself names, what known sites have, and where feeds usually lie. Pure.

    page | Link header, <link rel=alternate>, links that look like feeds | candidates, likeliest first
    address | patterns of known sites, common paths | addresses to try

It fetches nothing and promises nothing: a candidate is a feed only once it was parsed as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urljoin, urlsplit, urlunsplit

from aggregator.feeds.names import problem_of_url, same_address
from aggregator.text import one_line

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_TYPES = {
    "application/rss+xml": "rss",
    "application/atom+xml": "atom",
    "application/feed+json": "json",
    "application/rdf+xml": "rss",
    "application/x-rss+xml": "rss",
    "text/rss+xml": "rss",
    "text/atom+xml": "atom",
}
# these say only "XML" or "JSON": believed in a <link rel=alternate> when the address looks like a feed
_VAGUE_TYPES = {"application/json": "json", "application/xml": "rss", "text/xml": "rss", "": "rss"}
_LOOKS_LIKE_FEED = re.compile(r"(?i)(?:^|[/._?=&-])(?:rss2?|atom|feeds?|rdf|jsonfeed|index\.xml)(?:$|[/._?=&-])|\.(?:rss|atom|rdf)(?:$|\?)")
_NO_FEED = re.compile(r"(?i)feedback|/comments?/|/wp-json/|/oembed|\.(?:png|jpe?g|svg|gif|css|js|pdf|mp3|mp4)(?:$|\?)")
_COMMENTS = re.compile(r"(?i)\bcomments?\b|commentaires|kommentare|/comments/")
_LINK_HEADER = re.compile(r"<([^>]*)>((?:\s*;\s*[\w*]+\s*=\s*(?:\"[^\"]*\"|[^\s;,\"]+))*)")
_HEADER_PARAMETER = re.compile(r";\s*([\w*]+)\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]+))")
_MOST_WEAK_LINKS = 10
_PATHS = ("feed", "rss", "rss.xml", "feed.xml", "atom.xml", "index.xml", "feed.json", "feeds", "feed.rss", "rss/index.xml")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An address that may be a feed. `type` is "rss", "atom" or "json" as the page says; `title` may be empty.

    `source` is "link" (the page declares it), "anchor" (a link that looks like one), "site" (a known site's pattern) or "path".
    """

    url: str
    title: str = ""
    type: str = "rss"
    source: str = "link"


def feed_links(html: bytes, base_url: str, headers: Mapping[str, str] | None = None) -> tuple[Candidate, ...]:
    """Feeds that a page names, likeliest first: declared ones in the page's order, comment feeds after them, then mere links.

    `headers` are the response's, names in small letters. Declared feeds keep the page's order because sites put the main one first.
    """
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(html)
    base = _base(tree.css_first("base[href]"), base_url)
    declared = [*_from_header((headers or {}).get("link", ""), base_url), *_from_links(tree.css("link[href]"), base)]
    declared.sort(key=lambda found: bool(_COMMENTS.search(f"{found.title} {found.url}")))
    weak = list(_from_anchors(tree.css("a[href]"), base))[:_MOST_WEAK_LINKS]
    return _once([*declared, *weak], base_url)


def guessed_feeds(url: str) -> tuple[Candidate, ...]:
    """Addresses to try for a page that names no feed: patterns of known sites, then the common paths."""
    site = (Candidate(found, source="site") for found in site_feeds(url))
    return _once([*site, *(Candidate(found, source="path") for found in common_paths(url))], None)


def common_paths(url: str) -> tuple[str, ...]:
    """/feed, /rss.xml and the like, below the page's own path first and then at the top of the host."""
    parts = urlsplit(url)
    folder = parts.path if parts.path.endswith("/") else parts.path.rpartition("/")[0] + "/"
    if parts.path and not parts.path.endswith("/") and "." not in parts.path.rpartition("/")[2]:
        folder = parts.path + "/"  # /blog without an extension is most likely a folder
    folders = dict.fromkeys((folder or "/", "/"))
    paths = [f"{each}{path}" for each in folders for path in (_PATHS if each == "/" else _PATHS[:3])]
    return tuple(urlunsplit((parts.scheme, parts.netloc, path, "", "")) for path in paths)


def site_feeds(url: str) -> tuple[str, ...]:
    """Feeds that some large sites have at known addresses without always declaring them."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.").removeprefix("m.")
    path = [part for part in parts.path.split("/") if part]
    match host, path:
        case "youtube.com", ["channel", channel, *_]:
            return (f"https://www.youtube.com/feeds/videos.xml?channel_id={channel}",)
        case "youtube.com", ["playlist", *_] if "list" in parse_qs(parts.query):
            return (f"https://www.youtube.com/feeds/videos.xml?playlist_id={parse_qs(parts.query)['list'][0]}",)
        case (("reddit.com" | "old.reddit.com"), [("r" | "user") as kind, name, *_]):
            return (f"https://www.reddit.com/{kind}/{name}/.rss",)
        case "github.com", [owner, repository, *_]:
            return (f"https://github.com/{owner}/{repository}/releases.atom", f"https://github.com/{owner}/{repository}/tags.atom")
        case "gitlab.com", [owner, repository, *_]:
            return (f"https://gitlab.com/{owner}/{repository}/-/tags?format=atom",)
        case "medium.com", [author, *_]:
            return (f"https://medium.com/feed/{author}",)
        case "news.ycombinator.com", _:
            return ("https://news.ycombinator.com/rss",)
    return ()


def _base(node: LexborNode | None, page_url: str) -> str:
    href = _attribute(node, "href") if node is not None else ""
    return _joined(page_url, href) or page_url


def _from_links(nodes: Iterable[LexborNode], base: str) -> Iterator[Candidate]:
    for node in nodes:
        if not {"alternate", "feed"} & set(_attribute(node, "rel").lower().split()):
            continue
        kind = _kind(_attribute(node, "type"), _attribute(node, "href"))
        url = _joined(base, _attribute(node, "href"))
        if kind and url:
            yield Candidate(url, one_line(_attribute(node, "title")), kind)


def _from_anchors(nodes: Iterable[LexborNode], base: str) -> Iterator[Candidate]:
    for node in nodes:
        href = _attribute(node, "href")
        kind = _TYPES.get(_attribute(node, "type").lower(), "")
        url = _joined(base, href)
        if url and (kind or (_LOOKS_LIKE_FEED.search(href) and not _NO_FEED.search(href))):
            text = one_line(node.text())
            yield Candidate(url, text or one_line(_attribute(node, "title")), kind or _kind_of_address(href), "anchor")


def _from_header(value: str, base: str) -> Iterator[Candidate]:
    """Link: <https://…/feed>; rel="alternate"; type="application/rss+xml" (RFC 8288)."""
    for match in _LINK_HEADER.finditer(value[:8192]):
        parameters = {name.lower(): quoted or bare for name, quoted, bare in _HEADER_PARAMETER.findall(match[2])}
        if "alternate" in parameters.get("rel", "").lower().split():
            kind, url = _TYPES.get(parameters.get("type", "").lower()), _joined(base, match[1])
            if kind and url:
                yield Candidate(url, one_line(parameters.get("title", "")), kind)


def _kind(mime: str, href: str) -> str | None:
    mime = mime.partition(";")[0].strip().lower()
    if mime in _TYPES:
        return _TYPES[mime]
    if mime in _VAGUE_TYPES and _LOOKS_LIKE_FEED.search(href) and not _NO_FEED.search(href):
        return _VAGUE_TYPES[mime]
    return None


def _kind_of_address(href: str) -> str:
    return "json" if ".json" in href or "jsonfeed" in href else "atom" if "atom" in href.lower() else "rss"


def _attribute(node: LexborNode, name: str) -> str:
    return (node.attributes.get(name) or "").strip()


def _joined(base: str, href: str) -> str | None:
    """The absolute address, feed: schemes resolved; None when it is no web address."""
    href = re.sub(r"^feed:(?://)?(?=https?:)", "", href)
    href = re.sub(r"^feed://", "https://", href)
    try:
        url = urljoin(base, href)
    except ValueError:
        return None
    url = url.partition("#")[0].replace(" ", "%20")
    return url if url and problem_of_url(url) is None else None


def _once(found: Iterable[Candidate], page_url: str | None) -> tuple[Candidate, ...]:
    """Each address once; the page itself is no candidate."""
    by_key: dict[str, Candidate] = {}
    for each in found:
        by_key.setdefault(same_address(each.url), each)
    if page_url is not None:
        by_key.pop(same_address(page_url), None)
    return tuple(by_key.values())
