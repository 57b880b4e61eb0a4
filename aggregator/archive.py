"""Archives of items as JSON lines: imported as if they had just been fetched, exported so that they import back whole.

    import:  lines | read | normalise | identify | store, a portion in one transaction        (then the caller organises)
    export:  items | with appearances and earlier titles | lines

A plain line has source (the feed's URL), publisher, language, published (ISO 8601), title, summary (text or HTML) and link;
all but source may be missing, other keys are ignored. A line of our own export says more (key, content_hash …): then keys,
dates and texts are taken as they stand, and only its markup and addresses are made safe again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from aggregator.errors import ArchiveError, UsageError
from aggregator.feeds.dedupe import identify
from aggregator.feeds.names import make_name
from aggregator.feeds.normalise import normalise
from aggregator.model import Appearance, ArchivedItem, FeedState, Ingested, Item, JsonObject, Media, ParsedFeed, ParsedItem
from aggregator.text import one_line, paragraphs, strip_controls
from aggregator.times import iso

PORTION = 2000
"""Lines stored in one transaction."""


class ArchiveFeeds(Protocol):
    """The part of the store that knows feeds."""

    def ensure_source(self, name: str, url: str, *, title: str | None, language: str | None, now: datetime) -> FeedState: ...

    def states(self) -> dict[str, FeedState]: ...


class ArchiveItems(Protocol):
    """The part of the store that knows items."""

    def take_archive(self, batch: Sequence[ArchivedItem], now: datetime) -> Ingested: ...

    def export(self) -> Iterable[Item]: ...

    def appearances_of(self, ids: Sequence[int]) -> dict[int, list[Appearance]]: ...

    def titles_of(self, ids: Sequence[int]) -> dict[int, list[tuple[str, datetime]]]: ...


class ArchiveStore(Protocol):
    @property
    def feeds(self) -> ArchiveFeeds: ...

    @property
    def items(self) -> ArchiveItems: ...


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """What an import did. `known` items were there already or came twice in the archive; `skipped` lines could not be read."""

    lines: int = 0
    new: int = 0
    edited: int = 0
    appeared: int = 0
    known: int = 0
    skipped: int = 0
    first_skipped: str | None = None
    """Why the first skipped line was skipped."""


@dataclass(frozen=True, slots=True)
class _Shown:
    source: str
    key: str
    seen: datetime
    feed: str = ""
    link: str | None = None


@dataclass(frozen=True, slots=True)
class _Titled:
    title: str
    replaced: datetime


@dataclass(frozen=True, slots=True)
class _Line:
    """The keys of a line that mean something here; those after `link` are our own export's."""

    source: str
    publisher: str | None = None
    language: str | None = None
    published: datetime | None = None
    title: str | None = None
    summary: str | None = None
    link: str | None = None
    feed: str | None = None
    key: str | None = None
    content_hash: str | None = None
    canonical_link: str | None = None
    date_rule: str = "given"
    arrived: datetime | None = None
    updated: datetime | None = None
    summary_html: str = ""
    content_html: str = ""
    full_text: str = ""
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    media: tuple[Media, ...] = ()
    appearances: tuple[_Shown, ...] = ()
    titles: tuple[_Titled, ...] = ()

    @property
    def exported(self) -> bool:
        return bool(self.key and self.content_hash and self.published)


@dataclass
class _Sources:
    """The feed row of each source, asked for once."""

    feeds: ArchiveFeeds
    now: datetime
    known: dict[str, FeedState] = field(default_factory=dict)

    def __call__(self, url: str, name: str | None = None, publisher: str | None = None, language: str | None = None) -> FeedState:
        title = one_line(publisher or "") or None
        known = self.known.get(url)
        # an appearance may name a source before a line says what it is called
        if known is None or (known.title is None and title and not known.subscribed):
            name = make_name(name or title, url, ())
            self.known[url] = self.feeds.ensure_source(name, url, title=title, language=language, now=self.now)
        return self.known[url]


# --- import -------------------------------------------------------------------------------------------------------------


def import_items(
    lines: Iterable[str | bytes],
    *,
    store: ArchiveStore,
    now: datetime,
    name: str = "the archive",
    skip_bad: bool = False,
    progress: Callable[[int], None] | None = None,
) -> ImportCounts:
    """Store the items of JSON lines; each `source` becomes a feed row outside feeds.toml.

    `name` is what errors call the file; `progress` is told the lines done so far. Raises ArchiveError at the first line
    that cannot be read: what stood before it is stored, nothing from there on. With `skip_bad` such lines are counted.
    """
    # an export holds no credentials: its source is still that feed
    secret = {bare: state for state in store.feeds.states().values() if (bare := without_credentials(state.url)) != state.url}
    sources, counts = _Sources(store.feeds, now, secret), ImportCounts()
    portion: list[_Line] = []
    for number, line in enumerate(lines, 1):
        try:
            read = _read(line)
        except ValueError as error:
            reason = f"{name}, line {number}: {error}"
            if not skip_bad:
                counts = _store(portion, counts, store, sources, now)
                raise ArchiveError(
                    f"{reason}. The {counts.lines} lines before it are stored; mend the line and import again (what is stored "
                    "is recognised), or use --skip-bad."
                ) from error
            counts = replace(counts, skipped=counts.skipped + 1, first_skipped=counts.first_skipped or reason)
            continue
        if read is not None:
            portion.append(read)
        if len(portion) >= PORTION:
            counts, portion = _store(portion, counts, store, sources, now), []
            if progress is not None:
                progress(number)
    return _store(portion, counts, store, sources, now)


@cache
def _decoder() -> Any:
    import msgspec

    return msgspec.json.Decoder(_Line)


def _read(line: str | bytes) -> _Line | None:
    """The line's record; None for an empty line. Raises ValueError with what is wrong with it."""
    import msgspec

    if not line.strip():
        return None
    try:
        read: _Line = _decoder().decode(line)
    except msgspec.ValidationError as error:
        raise ValueError(f"it does not fit the form of an item ({str(error).replace('$.', '')})") from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ValueError(f"it is no JSON object ({error})") from None
    if not read.source.strip():
        raise ValueError("its source is empty; it must be the feed's URL")
    if not (read.title or read.summary or read.link):
        raise ValueError("it has neither title nor summary nor link")
    return read


def _store(portion: list[_Line], counts: ImportCounts, store: ArchiveStore, sources: _Sources, now: datetime) -> ImportCounts:
    """Normalise and store a portion: plain lines feed by feed, as a poll brings them; exported ones in their order."""
    by_source: dict[str, list[_Line]] = {}
    batch: list[ArchivedItem] = []
    for line in portion:
        if line.exported:
            batch.append(_restored(line, _source_of(line, sources), sources, now))
        else:
            by_source.setdefault(line.source, []).append(line)
    for group in by_source.values():
        batch += _as_fetched(group, _source_of(group[0], sources), now)
    done = store.items.take_archive(batch, now)
    stored = len(done.new) + len(done.edited) + len(done.appeared)
    return replace(
        counts,
        lines=counts.lines + len(portion),
        new=counts.new + len(done.new),
        edited=counts.edited + len(done.edited),
        appeared=counts.appeared + len(done.appeared),
        known=counts.known + len(portion) - stored,
    )


def _source_of(line: _Line, sources: _Sources) -> FeedState:
    return sources(line.source, line.feed, line.publisher, line.language)


def _as_fetched(lines: list[_Line], state: FeedState, now: datetime) -> list[ArchivedItem]:
    """One source's plain lines through the same steps as a polled document."""
    entries = tuple(
        ParsedItem(
            link=line.link,
            title=line.title or "",
            summary=line.summary or "",
            published_at=_utc(line.published),
            language=line.language,
            authors=line.authors,
            categories=line.categories,
            media=line.media,
        )
        for line in lines
    )
    parsed = ParsedFeed("archive", title=state.title, language=state.language, items=entries)
    _, items = identify(normalise(parsed, feed=state.name, feed_url=state.url, now=now), state.identity, {})
    return [ArchivedItem(state.id, item) for item in items]


def to_item(row: JsonObject, now: datetime) -> Item:
    """One plain line of an archive as the item that a poll of its source would bring. Raises UsageError naming what is wrong."""
    import json

    try:
        line = _read(json.dumps(row))
    except ValueError as error:
        raise UsageError(f"the line with link {row.get('link')!r} cannot be read: {error}") from None
    assert line is not None
    state = FeedState(0, line.source, line.source, line.source, now, title=line.publisher, language=line.language)
    item = _as_fetched([line], state, now)[0].item
    return replace(item, feed=line.source, publisher=line.publisher or line.source)


def _restored(line: _Line, state: FeedState, sources: _Sources, now: datetime) -> ArchivedItem:
    """An exported line as the item it was."""
    more = tuple(
        (sources(shown.source, shown.feed or None).id, one_line(shown.key), shown.link, shown.seen.astimezone(UTC))
        for shown in line.appearances
        if (shown.source, shown.key) != (line.source, line.key)
    )
    titles = tuple((one_line(each.title), each.replaced.astimezone(UTC)) for each in line.titles)
    return ArchivedItem(state.id, _restored_item(line, state, now), more, titles)


def _restored_item(line: _Line, state: FeedState, now: datetime) -> Item:
    """Texts, key and dates as exported; markup and addresses through the normaliser, since a file can be written by anybody."""
    entries = (
        ParsedItem(link=line.link, title=line.title or "", title_is_html=False, summary=line.summary_html, media=line.media),
        ParsedItem(link=line.canonical_link, title=line.title or "", title_is_html=False, summary=line.content_html),
    )
    clean, other = normalise(ParsedFeed("archive", items=entries), feed=state.name, feed_url=state.url, now=now)
    allowed = {medium.url for medium in clean.media}
    assert line.published is not None
    return replace(
        clean,
        key=one_line(line.key or clean.key),
        title=one_line(line.title or "") or clean.title,
        summary=strip_controls(line.summary or ""),
        canonical_link=other.link,
        content_hash=one_line(line.content_hash or clean.content_hash),
        published_at=line.published.astimezone(UTC),
        date_rule=one_line(line.date_rule),
        arrived_at=min(_utc(line.arrived) or now, now),
        updated_at=_utc(line.updated),
        content_html=other.summary_html,
        full_text=paragraphs(line.full_text),
        language=one_line(line.language) if line.language else None,
        authors=tuple(map(one_line, line.authors)),
        categories=tuple(map(one_line, line.categories)),
        media=tuple(_clean_medium(medium) for medium in line.media if medium.url in allowed),
    )


def _clean_medium(medium: Media) -> Media:
    words = {"type": one_line(medium.type), "title": medium.title and one_line(medium.title), "host": medium.host and one_line(medium.host)}
    return replace(medium, **words)  # type: ignore[arg-type]


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def without_credentials(url: str) -> str:
    """The URL without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else url


# --- export -------------------------------------------------------------------------------------------------------------


def export_items(store: ArchiveStore) -> Iterator[str]:
    """Every item as one line of JSON (without the line's end), in the order of storing. Reads a portion at a time."""
    urls = {state.name: without_credentials(state.url) for state in store.feeds.states().values()}
    portion: list[Item] = []
    for item in store.items.export():
        portion.append(item)
        if len(portion) >= PORTION:
            yield from _lines(portion, store, urls)
            portion = []
    yield from _lines(portion, store, urls)


def _lines(portion: list[Item], store: ArchiveStore, urls: dict[str, str]) -> Iterator[str]:
    ids = [item.id for item in portion]
    appearances, titles = store.items.appearances_of(ids), store.items.titles_of(ids)
    for item in portion:
        shown = [_shown(each, urls) for each in appearances.get(item.id, [])]
        earlier = [{"title": title, "replaced": iso(at)} for title, at in titles.get(item.id, [])]
        yield json.dumps(_to_json(item, urls[item.feed]) | {"appearances": shown, "titles": earlier}, ensure_ascii=False)


def _shown(each: Appearance, urls: dict[str, str]) -> dict[str, Any]:
    return {"source": urls[each.feed], "feed": each.feed, "key": each.key, "link": each.link, "seen": iso(each.seen_at)}


def _to_json(item: Item, url: str) -> dict[str, Any]:
    return {
        "source": url,
        "publisher": item.publisher,
        "language": item.language,
        "published": iso(item.published_at),
        "title": item.title,
        "summary": item.summary,
        "link": item.link,
        "feed": item.feed,
        "key": item.key,
        "content_hash": item.content_hash,
        "canonical_link": item.canonical_link,
        "date_rule": item.date_rule,
        "arrived": iso(item.arrived_at) if item.arrived_at else None,
        "updated": iso(item.updated_at) if item.updated_at else None,
        "summary_html": item.summary_html,
        "content_html": item.content_html,
        "full_text": item.full_text,
        "authors": item.authors,
        "categories": item.categories,
        "media": [{name: getattr(medium, name) for name in medium.__dataclass_fields__} for medium in item.media],
    }
