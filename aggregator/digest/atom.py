"""A digest as an Atom feed (RFC 4287): each story is an entry whose id stays and whose `updated` moves when items come. Pure."""

from __future__ import annotations

from html import escape
from xml.etree import ElementTree

from aggregator.digest import layout
from aggregator.digest.layout import Link, Told
from aggregator.digest.period import written
from aggregator.model import Digest
from aggregator.text import one_line
from aggregator.times import iso

NAMESPACE = "http://www.w3.org/2005/Atom"
TAG = "tag:aggregator.localhost,2026:"
"""Start of every id (RFC 4151). Story ids are those of one database, so they tell stories apart within its feeds."""


def to_atom(digest: Digest, *, explain: bool = False) -> str:
    """The feed document. An entry is in it once, in reading order; media of its items are enclosures."""
    ElementTree.register_namespace("", NAMESPACE)
    feed = ElementTree.Element(_name("feed"))
    _add(feed, "title", f"Digest “{one_line(digest.name)}”: {layout.headline(digest.period)}")
    _add(feed, "subtitle", layout.summary(digest))
    _add(feed, "id", f"{TAG}digest/{_plain(digest.name)}")
    _add(feed, "updated", iso(written(digest.period.to_at)))
    _add(_add(feed, "author"), "name", "aggregator")
    _add(feed, "generator", "aggregator")
    for section in layout.sections(digest):
        for told in (*section.stories, *section.also):
            _entry(feed, told, section.title if told.story.story.topic_id is not None and not told.topic else told.topic, explain)
    ElementTree.indent(feed)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(feed, encoding="unicode") + "\n"


def _entry(feed: ElementTree.Element, told: Told, topic: str, explain: bool) -> None:
    story = told.story.story
    entry = _add(feed, "entry")
    _add(entry, "title", told.title)
    _add(entry, "id", f"{TAG}story/{story.id}")
    _add(entry, "published", iso(story.first_published_at))
    _add(entry, "updated", iso(story.last_published_at))
    for link in (told.best, *told.others):
        _add(_add(entry, "author"), "name", link.publisher)
    if told.url:
        _add(entry, "link", rel="alternate", href=told.url)
    for media in (media for item in told.story.items for media in item.media if media.kind in ("audio", "video")):
        if url := layout.safe_link(media.url):
            _add(entry, "link", rel="enclosure", href=url, type=one_line(media.type))
    if topic:
        _add(entry, "category", term=topic)
    if told.brief:
        _add(entry, "summary", told.brief)
    _add(entry, "content", _content(told, explain), type="html")


def _content(told: Told, explain: bool) -> str:
    # no "3 h ago" here: an entry is read long after it was made
    lines = [" · ".join(filter(None, (told.facts[0], told.bar))), f"New: {told.news}" if told.news else "", told.brief]
    links = ", ".join(_anchor(link) for link in (told.best, *told.others))
    after = [f"Media: {told.media}" if told.media else "", f"Related: {layout.related_words(told, numbers=False)}" if told.related else ""]
    after.append(layout.explained(told) if explain else "")
    shown = [*(escape(line) for line in lines if line), links, *(escape(line) for line in after if line)]
    return "".join(f"<p>{line}</p>" for line in shown)


def _anchor(link: Link) -> str:
    return f'<a href="{escape(link.url)}">{escape(link.publisher)}</a>' if link.url else escape(link.publisher)


def _add(parent: ElementTree.Element, name: str, text: str | None = None, **attributes: str) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, _name(name), attributes)
    child.text = text
    return child


def _name(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _plain(name: str) -> str:
    """A name as it may stand in a tag: URI."""
    return "".join(char if char.isascii() and (char.isalnum() or char in "-_.") else "-" for char in name) or "digest"
