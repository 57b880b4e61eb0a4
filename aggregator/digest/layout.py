"""What a digest says, in words, for every form: sections, numbers, lines of facts. Pure; it knows no colour, markup or width.

All strings are clean (no control characters, one line) and links are http(s) or None: the renderers only place and escape.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from aggregator.digest.period import TICK, written
from aggregator.digest.reading import spell_minutes
from aggregator.digest.telling import title_words
from aggregator.model import Digest, DigestMedia, DigestStory, FailedFeed, Item, Media, Period, Phase
from aggregator.text import bars, one_line
from aggregator.times import ago, spell_seconds

MORE = "More stories"
TOP = "Top stories"
OTHER_TOP = "Other top stories"
ALSO = "Also"
MEDIA = "Listen and watch"
FAILED = "Feeds that fail"
STATUS_COMMAND = "aggregator feeds status"
OTHERS = 3
FAILED_SHOWN = 10
"""So many failing feeds are told where room is dear; the command shows all."""
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_BAR_SLOTS = 12
BAR_MINIMUM = 4
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
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
    line: str
    """The facts of a story that is told in a line: "The Guardian · 2 h ago", "The Guardian and 4 more · last 2 h ago"."""
    news: str
    """What came in the period to a story told before: "+4 publishers, now: Court pauses the ban"."""
    bar: str
    topic: str
    """Its topic, unless it stands in that topic's section: also what the Atom entry is filed under."""
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
    language: str
    """Of its words, as HTML names languages; "" when unknown or English, the page's own."""
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


def is_right_to_left(text: str) -> bool:
    """Whether a line with this text in it would run, or show parts, from right to left: then it gets a line of its own."""
    return any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for char in text)


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


def month_name(moment: datetime) -> str:
    """December 2023"""
    return f"{_MONTHS[moment.month - 1]} {moment.year}"


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
    time = f" · {spell_minutes(digest.seconds)} to read" if digest.stories else ""
    return f"{digest.period.zone} · {count(items, 'item')} from {count(feeds, 'feed')} · {count(stories, 'story')}{shown}{time}"


def nothing(digest: Digest) -> str:
    """What an empty digest says."""
    return "Nothing new in this period." if not digest.counts.get("items") else "None of the stories is shown; raise the limit."


# --- sections ----------------------------------------------------------------------------------------------------------


def sections(digest: Digest) -> tuple[Section, ...]:
    """Saved searches, then topics with two stories or more in the order of their best story, and the stories of neither.

    Of those, what stands in the first third of the digest comes before the topics (but for the topic of the very first story),
    the rest after them, lone items in a line each. A story stands in the first section that may have it.
    """
    searched, taken = _filled(digest, ((search.name, frozenset(search.story_ids)) for search in digest.searches), set())
    topics, taken = _filled(digest, _sagas(digest, taken), taken)
    loose = [shown for shown in digest.stories if shown.story.id not in taken]
    lead = _leading(digest.stories, loose) if searched or topics else []
    first = 1 if lead and topics and _place(digest, topics[0][1]) < _place(digest, lead) else 0
    lead = lead if len(lead) > first else []  # one story is no section of its own between two topics
    rest = [shown for shown in loose if shown not in lead]
    ordered = [*searched, *topics[:first], (OTHER_TOP if first else TOP, lead), *topics[first:], (MORE, rest)]
    return _numbered(digest, [(title, stories) for title, stories in ordered if stories])


def _filled(
    digest: Digest, groups: Iterable[tuple[str, frozenset[int]]], taken: set[int]
) -> tuple[list[tuple[str, list[DigestStory]]], set[int]]:
    """Each group with its stories that are in no group before it, and what is taken then."""
    filled, taken = [], set(taken)
    for title, ids in groups:
        members = [shown for shown in digest.stories if shown.story.id in ids and shown.story.id not in taken]
        if members:
            filled.append((title, members))
            taken |= {shown.story.id for shown in members}
    return filled, taken


def _place(digest: Digest, stories: Sequence[DigestStory]) -> int:
    """How high the best of the stories stands."""
    return digest.stories.index(stories[0])


def _sagas(digest: Digest, searched: set[int]) -> Iterator[tuple[str, frozenset[int]]]:
    """Label and story ids of each topic that is worth a section."""
    whole = len(digest.topics) == 1 and len(digest.topics[0].story_ids) == len(digest.stories)
    for topic in digest.topics:
        left = frozenset(topic.story_ids) - searched
        if len(left) > 1 or (left and whole):
            yield topic.label, left


def _leading(stories: Sequence[DigestStory], loose: Sequence[DigestStory]) -> list[DigestStory]:
    """The loose stories, told in full, of the first third."""
    top = {shown.story.id for shown in stories[: math.ceil(len(stories) / 3)]}
    return [shown for shown in loose if shown.story.id in top and not is_compact(shown)]


def _numbered(digest: Digest, groups: Sequence[tuple[str, Sequence[DigestStory]]]) -> tuple[Section, ...]:
    split = [(title, [s for s in group if not is_compact(s)], [s for s in group if is_compact(s)]) for title, group in groups]
    numbers: dict[int, int] = {}
    for _, full, also in split:
        for shown in (*full, *also):
            numbers[shown.story.id] = len(numbers) + 1

    def told(group: Sequence[DigestStory], title: str) -> tuple[Told, ...]:
        return tuple(_told(shown, digest, numbers, title) for shown in group)

    return tuple(Section(one_line(title) or MORE, told(full, title), told(also, title)) for title, full, also in split)


def is_compact(story: DigestStory) -> bool:
    """A lone item that nobody asked to see large, or a story that completes a section."""
    return story.as_line or (len(story.items) == 1 and not story.parts.get("important"))


def _told(shown: DigestStory, digest: Digest, numbers: Mapping[int, int], section: str) -> Told:
    links = publisher_links(shown.items)
    label = next((one_line(topic.label) for topic in digest.topics if topic.id == shown.story.topic_id), "")
    now = written(digest.period.to_at)
    return Told(
        id=shown.story.id,
        number=numbers[shown.story.id],
        title=one_line(shown.story.title),
        url=links[0].url,
        facts=facts(shown, now),
        line=line_facts(shown, links[0], now),
        news=news(shown),
        bar=volume_bar(shown.items, digest.period),
        topic="" if label == one_line(section) else label,
        brief=one_line(shown.story.brief),
        best=links[0],
        others=_of_other_sites(links)[:OTHERS],
        related=_related(shown, digest, numbers),
        media=_story_media(shown.items),
        parts=tuple(shown.parts.items()),
        rank=shown.rank,
        compact=is_compact(shown),
        phase=shown.phase,
        language=_language(shown),
        story=shown,
    )


def _language(shown: DigestStory) -> str:
    code = shown.story.language or shown.items[0].language or ""
    return code if _LANGUAGE.fullmatch(code) and not code.startswith("en") else ""


def _related(shown: DigestStory, digest: Digest, numbers: Mapping[int, int]) -> tuple[tuple[int | None, str], ...]:
    """The related stories that a reader takes for related: of the same topic in this digest, or two words in common."""
    topics = {other.story.id: other.story.topic_id for other in digest.stories}
    own = title_words(" ".join((shown.story.title, *shown.story.keywords)))
    found = []
    for other in shown.story.related:
        title = one_line(digest.related_titles.get(other, ""))
        same_topic = shown.story.topic_id is not None and topics.get(other) == shown.story.topic_id
        shared = sum(1 for word in own & title_words(title) if len(word) > 3)
        if title and other != shown.story.id and (same_topic or shared >= 2):
            found.append((numbers.get(other), title))
    return tuple(found)


def _of_other_sites(links: Sequence[Link]) -> tuple[Link, ...]:
    """The links behind the first, none of a site that stands there already: two desks of one paper say the same."""
    seen, kept = {_site(links[0])}, []
    for link in links[1:]:
        if _site(link) not in seen:
            seen.add(_site(link))
            kept.append(link)
    return tuple(kept)


def _site(link: Link) -> str:
    return (urlsplit(link.url).hostname or "").removeprefix("www.") if link.url else link.publisher


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
    marks = (*(("followed",) if shown.followed else ()), *(("starred",) if shown.starred else ()))
    return (who, *when, *phase, *marks)


def line_facts(shown: DigestStory, best: Link, now: datetime) -> str:
    """Who tells it and when it was told last, for a story that is told in a line."""
    more = f" and {shown.sources - 1} more" if shown.sources > 1 else ""
    when = ago(shown.story.last_published_at, now)
    return " · ".join(filter(None, (f"{best.publisher}{more}", when if not more else f"last {when}", _story_media(shown.items))))


def news(shown: DigestStory) -> str:
    """What is new about a story that was told before the period; "" when it is new as a whole, or nothing is."""
    came = f"+{count(shown.gained, 'publisher')}" if shown.gained else ""
    return ", ".join(filter(None, (came, f"now: {one_line(shown.latest)}" if shown.latest else "")))


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
    """All facts in one line: "7 publishers · first 14 h ago · last 2 h ago · ▁▁▂▅█▃▁▁▁▂▁▁"."""
    return " · ".join(filter(None, (*told.facts, told.bar)))


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


def media_lines(media: Sequence[DigestMedia]) -> list[MediaLine]:
    """A line for each; several of one item with one title are told apart as "(1 of 3)"."""
    lines = [media_line(one) for one in media]
    together = Counter((one.item.id, line.title) for one, line in zip(media, lines, strict=True))
    seen: Counter[tuple[int, str]] = Counter()
    for place, (one, line) in enumerate(zip(media, lines, strict=True)):
        key = one.item.id, line.title
        if together[key] > 1:
            seen[key] += 1
            lines[place] = replace(line, title=f"{line.title} ({seen[key]} of {together[key]})")
    return lines


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
    """ "story 345 of topic 12, rank 3.42 = publishers 3.00 + freshness 0.52 − like others 0.10": with the ids to follow or mute."""
    terms = [f"{'−' if value < 0 else '+'} {name} {abs(value):.2f}" for name, value in told.parts]
    topic = told.story.story.topic_id
    which = f"story {told.id}" + (f" of topic {topic}" if topic is not None else "")
    return f"{which}, rank {told.rank:.2f} = " + " ".join(terms).removeprefix("+ ")


def related_words(told: Told, *, numbers: bool = True) -> str:
    """ "Caravan of thousands sets out (2); Freight trains stand still"."""
    return "; ".join(f"{title} ({number})" if number and numbers else title for number, title in told.related)
