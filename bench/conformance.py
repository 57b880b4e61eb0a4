"""Reads feedparser's own suite through our door and with feedparser itself, and writes what came of it as docs/conformance.md.

    document | our parser, normalise | values by field   } compared where both define one | classes of differences | table
             | feedparser, as it comes | values by field }

`--write` writes the table, `--show CLASS` prints the cases of one class (`--show ?`: those without one).
"""

from __future__ import annotations

import argparse
import calendar
import html
import io
import json
import os
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import feedparser

from aggregator.errors import FeedError
from aggregator.feeds.document import parse_document
from aggregator.feeds.markup import html_text, looks_like_html, title_text
from aggregator.feeds.normalise import normalise
from aggregator.model import Item, ParsedFeed, ParsedItem
from aggregator.text import one_line

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs/conformance.md"
URL = "https://example.org/feed"
NOW = datetime(2040, 1, 1, tzinfo=UTC)
"""After every date of the suite, so that none counts as future."""

Values = dict[str, Any]
"""By field; None or empty: not defined."""


def documents(folder: Path) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """(name, body, response headers) of each document of the suite."""
    for path in sorted(each for each in folder.rglob("*") if each.suffix in (".xml", ".json")):
        body = path.read_bytes()
        match = re.search(rb"Header:\s*Content-type:\s*([^\r\n]+)", body[:3000], re.IGNORECASE)
        yield str(path.relative_to(folder)), body, {"content-type": match[1].decode("ascii", "ignore").strip()} if match else {}


# --- the same fields from both ---------------------------------------------------------------------------------------


def ours(body: bytes, headers: dict[str, str]) -> list[Values] | None:
    """First the feed's values, then each item's; None when our door says that it is no feed."""
    try:
        feed = parse_document(body, headers, URL)
    except FeedError:
        return None
    items = normalise(feed, feed="suite", feed_url=URL, now=NOW)
    return [_our_feed(feed), *(_our_item(raw, item) for raw, item in zip(feed.items, items, strict=True))]


def _our_feed(feed: ParsedFeed) -> Values:
    return {"feed title": feed.title, "feed link": feed.link, "feed language": feed.language, "ttl": feed.hints.ttl_seconds}


def _our_item(raw: ParsedItem, item: Item) -> Values:
    return {
        "guid": raw.guid,
        "link": item.link,
        "title": item.title if raw.title else None,
        "summary": one_line(html_text(raw.summary)),
        "content": one_line(html_text(raw.content)),
        "published": raw.published_at,
        "updated": raw.updated_at,
        "authors": list(item.authors),
        "categories": list(item.categories),
        "enclosures": sorted(medium.url for medium in item.media),
    }


def theirs(body: bytes, headers: dict[str, str]) -> list[Values] | None:
    """The same from feedparser with its own settings; None when it lets an error out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = feedparser.parse(io.BytesIO(body), response_headers={**headers, "content-location": URL})
        except Exception:
            return None
    version = found.get("version") or ""
    return [_their_feed(found.feed, version), *(_their_item(entry, version) for entry in found.entries)]


def _their_feed(feed: Any, version: str) -> Values:
    return {
        "feed title": _title(feed, version),
        "feed link": feed.get("link"),
        "feed language": feed.get("language"),
        "ttl": int(feed["ttl"]) * 60 if str(feed.get("ttl", "")).isdigit() else None,
    }


def _their_item(entry: Any, version: str) -> Values:
    texts = [part for part in entry.get("content", []) if part.get("type") in ("text/html", "application/xhtml+xml", "text/plain")]
    content = texts[0] if texts else {}
    summary = {"value": entry.get("summary", ""), "type": entry.get("summary_detail", {}).get("type")}
    people = [one_line(person.get("name") or person.get("email") or "") for person in entry.get("authors", [])]
    subjects = [title_text(tag.get("label") or tag.get("term") or "", True) for tag in entry.get("tags", [])]
    return {
        "guid": entry.get("id"),
        "link": entry.get("link"),
        "title": _title(entry, version),
        "summary": "" if summary["value"] == content.get("value") else _text(summary),
        "content": _text(content),
        "published": _moment(dict.get(entry, "published_parsed")),
        "updated": _moment(dict.get(entry, "updated_parsed")),
        "authors": [name for name in people if name],
        "categories": [name for name in subjects if name],
        "enclosures": sorted(link["href"] for link in entry.get("links", []) if link.get("rel") == "enclosure" and link.get("href")),
    }


def _title(source: Any, version: str) -> str:
    """As text: only Atom can say that its title is plain and "<b>" no tag."""
    plain = version.startswith("atom") and source.get("title_detail", {}).get("type") == "text/plain"
    return title_text(source.get("title", ""), not plain)


def _text(part: Any) -> str:
    value = part.get("value", "")
    return one_line(value if part.get("type") == "text/plain" and not looks_like_html(value) else html_text(value))


def _moment(parsed: Any) -> datetime | None:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=calendar.timegm(parsed)) if parsed else None


# --- differences, and why they are meant ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    document: str
    body: str
    field: str
    ours: Any
    theirs: Any
    all_ours: Values


def _is_lower_host(d: Difference) -> bool:
    return d.field.endswith("link") and bool(d.ours) and d.ours.lower() == d.theirs.lower()


def _is_late_date(d: Difference) -> bool:
    return d.field == "updated" and d.ours is None and abs(d.all_ours["published"] - d.theirs) < timedelta(seconds=1)


def _is_active(d: Difference) -> bool:
    """Whether what we leave out stood in a script, frame or object; these are not closed in some documents, and swallow the rest."""
    words = d.ours.split() if isinstance(d.ours, str) else []
    return re.search(r"(<|&lt;)(script|iframe|object|html)", d.body, re.IGNORECASE) is not None and all(word in d.theirs for word in words)


CLASSES: tuple[tuple[str, str, Callable[[Difference], bool]], ...] = (
    ("host in lower case", "Hosts do not tell case apart; one spelling lets copies of a piece meet.", _is_lower_host),
    (
        "blank escaped",
        "A blank inside an address is written %20, as browsers do.",
        lambda d: d.field.endswith("link") and bool(d.ours) and d.theirs.replace(" ", "%20") == d.ours,
    ),
    (
        "guid as written",
        "A guid is a name, not an address. feedparser resolves it against the feed's address: every item would be new when the feed moves.",
        lambda d: d.field == "guid" and d.theirs.endswith("/" + d.ours.lstrip("/")),
    ),
    (
        "relative id is no link",
        "feedparser makes a link of an id that is no address.",
        lambda d: d.field == "link" and d.ours is None and d.theirs == urljoin(URL, d.all_ours["guid"] or ""),
    ),
    (
        "date of an RSS item",
        "RSS has no date of update: dc:date, dcterms:modified and lastmod are the item's date, which we call published.",
        _is_late_date,
    ),
    (
        "fractions of a second",
        "feedparser cuts them off.",
        lambda d: d.field in ("published", "updated") and d.ours is not None and abs(d.ours - d.theirs) < timedelta(seconds=1),
    ),
    (
        "angle brackets of HTML 5",
        "&lang; and &rang; are U+27E8 and U+27E9 since HTML 5; feedparser has those of HTML 4.",
        lambda d: isinstance(d.ours, str) and d.ours.translate({0x27E8: 0x2329, 0x27E9: 0x232A}) == d.theirs,
    ),
    (
        "doubly escaped",
        "“&amp;amp;nbsp;” is a mistake of the publisher's software; nobody means to show “&amp;nbsp;”.",
        lambda d: isinstance(d.ours, str) and d.ours == one_line(html.unescape(d.theirs)),
    ),
    (
        "encoding unknown",
        "The bytes are in no encoding that is declared; neither reading is right, and ours says so in the feed's health.",
        lambda d: isinstance(d.ours, str) and "\ufffd" in d.ours,
    ),
    (
        "scripts and embeds go with their text",
        "What stands in script, iframe or object goes, also where it is never closed; feedparser shows it as text.",
        _is_active,
    ),
    (
        "unfinished markup",
        "A lone “<!” opens what HTML calls a bogus comment, and a “]]>” left over is text; feedparser has it the other way round.",
        lambda d: d.field in ("summary", "content") and re.search(r"<!|\]\]>", d.theirs) is not None,
    ),
    (
        "comments in titles stay as text",
        "“<” in a title is markup only before the name of a tag, so that “List<String>” and “a <- b” survive; it is escaped in HTML.",
        lambda d: d.field.endswith("title") and "<!" in d.ours,
    ),
)


def class_of(difference: Difference) -> str | None:
    return next((name for name, _, holds in CLASSES if holds(difference)), None)


# --- counting -----------------------------------------------------------------------------------------------------------


@dataclass
class Count:
    documents: int = 0
    no_feed: int = 0
    """Where both find nothing."""
    lost: list[str] = field(default_factory=list)
    """Where feedparser finds items and we find no feed, or another number of items."""
    json: int = 0
    both: Counter[str] = field(default_factory=Counter)
    same: Counter[str] = field(default_factory=Counter)
    only_ours: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)


def compare(folder: Path) -> Count:
    count = Count()
    for name, body, headers in documents(folder):
        count.documents += 1
        mine, other = ours(body, headers), theirs(body, headers)
        if name.endswith(".json"):
            count.json += 1
        elif mine is None:
            count.no_feed += other is None or len(other) == 1
            count.lost += [name] if other is not None and len(other) > 1 else []
        elif other is None or len(mine) != len(other):
            count.lost.append(name)
        else:
            for one, two in zip(mine, other, strict=True):
                _compare(count, name, body.decode("utf-8", "replace"), one, two)
    return count


def _compare(count: Count, name: str, body: str, one: Values, two: Values) -> None:
    for key in one:
        if two[key] and one[key] == two[key]:
            count.both[key] += 1
            count.same[key] += 1
        elif two[key]:
            count.both[key] += 1
            count.differences.append(Difference(name, body, key, one[key], two[key], one))
        elif one[key]:
            count.only_ours[key] += 1


def durations(folder: Path) -> tuple[int, int]:
    """(equal, compared) playing times of podcastparser's suite; it leaves out items that are no episodes."""
    equal = compared = 0
    for path in sorted(folder.glob("*.json")):
        document, expected = path.with_suffix(".rss"), json.loads(path.read_text(encoding="utf-8"))
        if not document.exists() or not isinstance(expected, dict) or not expected.get("episodes"):
            continue
        right = sorted(episode["total_time"] for episode in expected["episodes"])
        found = sorted(item.seconds or 0 for item in parse_document(document.read_bytes(), {}, URL).items)[-len(right) :]
        equal += sum(one == two for one, two in zip(found, right, strict=True))
        compared += len(right)
    return equal, compared


# --- the table ------------------------------------------------------------------------------------------------------------


def to_markdown(count: Count, podcasts: tuple[int, int]) -> str:
    found = Counter(class_of(each) or "?" for each in count.differences)
    both, same = sum(count.both.values()), sum(count.same.values())
    lines = [
        "# Conformance",
        "",
        "Written by `python bench/conformance.py --write`; a test compares it. feedparser's own suite, read through our door (parser,",
        f"then normalise) and by feedparser {feedparser.__version__} with its own settings.",
        "",
        f"- {count.documents:,} documents. {count.no_feed} hold no feed for either; {count.json} is a JSON Feed, which only we read.",
        f"- {len(count.lost)} document gives another number of items: {', '.join(count.lost)}",
        "  ends inside its item, and half an item is not read.",
        f"- {both:,} values that feedparser defines: {same:,} are equal, {both - same} differ, {found['?']} of them unexplained.",
        f"- podcastparser's suite: {podcasts[0]} of {podcasts[1]} playing times are equal.",
        "",
        "| field | feedparser defines | equal | differ | only ours |",
        "|---|---:|---:|---:|---:|",
    ]
    for key in dict.fromkeys([*count.both, *count.only_ours]):
        lines.append(f"| {key} | {count.both[key]} | {count.same[key]} | {count.both[key] - count.same[key]} | {count.only_ours[key]} |")
    lines += [
        "",
        "Texts are compared as text, without markup. The differences are meant:",
        "",
        "| class | values | why |",
        "|---|---:|---|",
    ]
    lines += [f"| {name} | {found[name]} | {why} |" for name, why, _ in CLASSES if found[name]]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.relative_to(ROOT)}")
    parser.add_argument("--show", metavar="CLASS", help="print the cases of a class of differences")
    options = parser.parse_args()
    suites = Path(os.environ.get("AGGREGATOR_SHARED", ROOT.parent / "shared")) / "data/conformance"
    count = compare(suites / "feedparser")
    table = to_markdown(count, durations(suites / "podcastparser/tests/data"))
    if options.show:
        for each in count.differences:
            if (class_of(each) or "?") == options.show:
                print(f"{each.document}: {each.field}: {each.ours!r:.200} | {each.theirs!r:.200}")
    elif options.write:
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(table, encoding="utf-8")
    else:
        print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
