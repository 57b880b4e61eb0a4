"""What a digest says, in words, for every form: sections, numbers, lines of facts. Pure; it knows no colour, markup or width.

All strings are clean (no control characters, one line) and links are http(s) or None: the renderers only place and escape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from aggregator.digest.period import TICK, written
from aggregator.model import Digest, DigestMedia, DigestStory, FailedFeed, Item, Media, Period, Phase
from aggregator.text import bars, one_line
from aggregator.times import ago, spell_seconds

MORE = "More stories"
TOP = "Top stories"
ALSO = "Also"
MEDIA = "Listen and watch"
FAILED = "Feeds that fail"
STATUS_COMMAND = "aggregator feeds status"
OTHERS = 3
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_BAR_SLOTS = 12
BAR_MINIMUM = 4
_UNSAFE = re.compile(r'[ "<>\\`{}|^]')


@dataclass(frozen=True)
class Link:
    """A publisher and where its piece is; `url` is None when the piece has no usable link."""

    publisher: str
    url: str | None


@dataclass(frozen=True)
class Told:
    """A story ready to be placed: `number` counts from 1 in reading order; `compact` asks for a line instead of a paragraph."""

    id: int
    number: int
    title: str
    url: str | None
    facts: tuple[str, ...]
    bar: str
    topic: str
    """Its topic, unless it stands in that topic's section."""
    brief: str
    best: Link
    others: tuple[Link, ...]
    related: tuple[tuple[int | None, str], ...]
    """(number in this digest or None, title)."""
    media: str
    parts: tuple[tuple[str, float], ...]
    rank: float
    compact: bool
    phase: Phase
    story: DigestStory


@dataclass(frozen=True)
class Section:
    title: str
    stories: tuple[Told, ...]
    also: tuple[Told, ...]


@dataclass(frozen=True)
class MediaLine:
    """`facts` such as "1 h 23 min 51 s · Zippity Zap"."""

    title: str
    facts: str
    kind: str
    url: str | None
    page: str | None


def safe_link(url: str | None) -> str | None:
    """The link if it is http(s), else None; characters that could end a link in some form are percent-encoded."""
    if not url or one_line(url) != url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or not parts.netloc:
        return None
    return _UNSAFE.sub(lambda match: f"%{ord(match.group()):02X}", url)


def shown_link(item: Item) -> str | None:
    """The item's link without tracking parameters: its own scheme and path, the canonical form's query."""
    if not item.link or not item.canonical_link:
        return item.link
    own, canonical = urlsplit(item.link), urlsplit(item.canonical_link)
    same = own.netloc == canonical.netloc and own.path.rstrip("/") == canonical.path.rstrip("/")
    return urlunsplit(own._replace(query=canonical.query)) if same else item.link


# --- the head ----------------------------------------------------------------------------------------------------------


def day_name(moment: datetime) -> str:
    """Wednesday 27 December 2023"""
    return f"{_DAYS[moment.weekday()]} {moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


def headline(period: Period) -> str:
    """The period in the reader's zone: a whole day by its name, anything else from moment to moment."""
    zone = ZoneInfo(period.zone)
    start, end = written(period.from_at).astimezone(zone), written(period.to_at).astimezone(zone)
    last = (written(period.to_at) - TICK).astimezone(zone)
    if _midnight(start) and _midnight(end):
        return day_name(start) if start.date() == last.date() else f"{day_name(start)} – {day_name(last)}"
    if start.date() == end.date():
        return f"{day_name(end)}, {start:%H:%M} – {end:%H:%M}"
    return f"{day_name(start)}, {start:%H:%M} – {day_name(end)}, {end:%H:%M}"


def _midnight(moment: datetime) -> bool:
    return (moment.hour, moment.minute, moment.second) == (0, 0, 0)


def count(number: int, noun: str) -> str:
    """1 feed, 2 feeds, 1,204 stories"""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"


def summary(digest: Digest) -> str:
    """Zone and counts: "UTC · 1,204 items from 212 feeds · 812 stories, 30 shown"."""
    items, feeds, stories = (digest.counts.get(key, 0) for key in ("items", "feeds", "stories"))
    shown = f", {len(digest.stories):,} shown" if len(digest.stories) < stories else ""
    return f"{digest.period.zone} · {count(items, 'item')} from {count(feeds, 'feed')} · {count(stories, 'story')}{shown}"


def nothing(digest: Digest) -> str:
    """What an empty digest says."""
    return "Nothing new in this period." if not digest.counts.get("items") else "None of the stories is shown; raise the limit."


# --- sections ----------------------------------------------------------------------------------------------------------


def sections(digest: Digest) -> tuple[Section, ...]:
    """Topics with two stories or more, in the order of their best story; around them the stories of no topic.

    Stories without a section that stand above every topic come first; the rest comes last, lone items in a line each.
    """
    whole = len(digest.topics) == 1 and len(digest.topics[0].story_ids) == len(digest.stories)
    sagas = {topic.id: topic for topic in digest.topics if len(topic.story_ids) > 1 or whole}
    grouped = [(topic.label, [s for s in digest.stories if s.story.topic_id == topic.id]) for topic in sagas.values()]
    loose = [s for s in digest.stories if s.story.topic_id not in sagas]
    lead = _leading(digest.stories, loose) if grouped else []
    ordered = [(TOP, lead), *grouped, (MORE, loose[len(lead) :])]
    return _numbered(digest, [(title, stories) for title, stories in ordered if stories], set(sagas))


def _leading(stories: Sequence[DigestStory], loose: Sequence[DigestStory]) -> list[DigestStory]:
    """The loose stories that stand before any other."""
    lead: list[DigestStory] = []
    for story, free in zip(stories, loose, strict=False):
        if story is not free:
            break
        lead.append(story)
    return lead


def _numbered(digest: Digest, groups: Sequence[tuple[str, Sequence[DigestStory]]], sagas: set[int]) -> tuple[Section, ...]:
    split = [(title, [s for s in group if not is_compact(s)], [s for s in group if is_compact(s)]) for title, group in groups]
    numbers: dict[int, int] = {}
    for _, full, also in split:
        for shown in (*full, *also):
            numbers[shown.story.id] = len(numbers) + 1
    # a topic that has no section of its own is named at its story
    labels = {topic.id: topic.label for topic in digest.topics if topic.id not in sagas}

    def told(group: Sequence[DigestStory]) -> tuple[Told, ...]:
        return tuple(_told(shown, digest, numbers, labels.get(shown.story.topic_id or 0, "")) for shown in group)

    return tuple(Section(one_line(title) or MORE, told(full), told(also)) for title, full, also in split)


def is_compact(story: DigestStory) -> bool:
    """A lone item that nobody asked to see large."""
    return len(story.items) == 1 and not story.parts.get("important")


def _told(shown: DigestStory, digest: Digest, numbers: Mapping[int, int], topic: str) -> Told:
    links = publisher_links(shown.items)
    related = (
        (numbers.get(other), one_line(digest.related_titles.get(other, ""))) for other in shown.story.related if other != shown.story.id
    )
    return Told(
        id=shown.story.id,
        number=numbers[shown.story.id],
        title=one_line(shown.story.title),
        url=links[0].url,
        facts=facts(shown, written(digest.period.to_at)),
        topic=one_line(topic),
        bar=volume_bar(shown.items, digest.period),
        brief=one_line(shown.story.brief),
        best=links[0],
        others=links[1 : 1 + OTHERS],
        related=tuple(pair for pair in related if pair[1]),
        media=_story_media(shown.items),
        parts=tuple(shown.parts.items()),
        rank=shown.rank,
        compact=is_compact(shown),
        phase=shown.phase,
        story=shown,
    )


def publisher_links(items: Sequence[Item]) -> tuple[Link, ...]:
    """Each publisher once, with the link of its first (best) piece; the first is the best link of the story."""
    found: dict[str, Link] = {}
    for item in items:
        name = one_line(item.publisher) or item.feed
        found.setdefault(name.casefold(), Link(name, safe_link(shown_link(item))))
    return tuple(found.values())


def facts(shown: DigestStory, now: datetime) -> tuple[str, ...]:
    """ "7 publishers", "first 14 h ago", "last 2 h ago", and the phase when it says something."""
    publishers = len(publisher_links(shown.items))
    who = count(shown.sources, "publisher")
    if publishers > shown.sources:
        who += f" ({publishers} with copies)"
    if shown.sources == 1 and publishers == 1 and len(shown.items) > 1:
        who += f", {len(shown.items)} items"
    first, last = ago(shown.story.first_published_at, now), ago(shown.story.last_published_at, now)
    when = (first,) if first == last else (f"first {first}", f"last {last}")
    phase = (shown.phase,) if shown.phase in ("growing", "fading") and len(shown.items) > 1 else ()
    return (who, *when, *phase)


def volume(items: Iterable[Item], period: Period) -> tuple[int, ...]:
    """The number of the story's items in each of twelve slots of the period; empty for fewer than four, they draw no shape."""
    length = (period.to_at - period.from_at) / _BAR_SLOTS
    slots = [0] * _BAR_SLOTS
    for item in items:
        if period.from_at < item.published_at <= period.to_at and length:
            slots[min(int((item.published_at - period.from_at) / length), _BAR_SLOTS - 1)] += 1
    return tuple(slots) if sum(slots) >= BAR_MINIMUM else ()


def volume_bar(items: Iterable[Item], period: Period) -> str:
    """The same as bars: "▂▁▁▁▁▁█▄▁▁▁▁"."""
    return bars(volume(items, period), least_top=BAR_MINIMUM)  # one item in a slot is a low bar, not a full one


def fact_line(told: Told) -> str:
    """All facts in one line: "7 publishers · first 14 h ago · last 2 h ago · ▁▁▂▅█▃▁▁▁▂▁▁ · Its topic"."""
    return " · ".join(filter(None, (*told.facts, told.bar, told.topic)))


# --- media, failures, explanations -------------------------------------------------------------------------------------


def _story_media(items: Sequence[Item]) -> str:
    """ "3 videos: 38 s, 3 min 42 s, 27 s" for what the story's items carry."""
    found: dict[str, dict[str, Media]] = {}
    for item in items:
        for media in item.media:
            if media.kind in ("audio", "video"):
                found.setdefault(media.kind, {}).setdefault(media.url, media)
    return "; ".join(_kind_line(kind, list(of_kind.values())) for kind, of_kind in found.items())


def _kind_line(kind: str, media: Sequence[Media]) -> str:
    lengths = [spell_seconds(one.seconds) for one in media if one.seconds]
    noun = f"{len(media)} {kind}s" if kind == "video" and len(media) > 1 else f"{len(media)} audio pieces" if len(media) > 1 else kind
    return f"{noun}: {', '.join(lengths[:4])}{' …' if len(lengths) > 4 else ''}" if lengths else noun


def media_line(one: DigestMedia) -> MediaLine:
    """Title, "1 h 23 min 51 s · Zippity Zap", kind, and where it plays."""
    host = one_line(one.media.host or "") or one_line(one.item.publisher) or one.item.feed
    parts = [spell_seconds(one.media.seconds)] if one.media.seconds else []
    return MediaLine(
        title=one_line(one.media.title or "") or one_line(one.item.title) or "(untitled)",
        facts=" · ".join([*parts, host]),
        kind=one.media.kind,
        url=safe_link(one.media.url),
        page=safe_link(shown_link(one.item)),
    )


def failed_line(failed: FailedFeed, period: Period) -> str:
    """ "feed-name: what is wrong (since Tuesday 26 December 2023, 14:05)"."""
    since = ""
    if failed.since_at is not None:
        local = failed.since_at.astimezone(ZoneInfo(period.zone))
        since = f" (since {day_name(local)}, {local:%H:%M})"
    return f"{one_line(failed.name)}: {one_line(failed.error)}{since}"


def explained(told: Told) -> str:
    """ "rank 3.42 = publishers 3.00 + freshness 0.52 − like others 0.10"."""
    terms = [f"{'−' if value < 0 else '+'} {name} {abs(value):.2f}" for name, value in told.parts]
    return f"rank {told.rank:.2f} = " + " ".join(terms).removeprefix("+ ")


def related_words(told: Told, *, numbers: bool = True) -> str:
    """ "Caravan of thousands sets out (2); Freight trains stand still"."""
    return "; ".join(f"{title} ({number})" if number and numbers else title for number, title in told.related)
