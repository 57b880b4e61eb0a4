"""What a reader gets for a period: which items count, which stories are shown, under which topics. Pure.

    coverages | cut to the period's end | mute | filter | rank | no story twice | limit | sections

It looks at nothing but its arguments: no store, no clock. (Not named `select`: no module shadows the standard library.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache

from aggregator.digest.rank import Candidate, DigestParams, Ranked, jaccard, rank
from aggregator.model import (
    Coverage,
    Digest,
    DigestMedia,
    DigestStory,
    DigestTopic,
    FailedFeed,
    Feed,
    FeedState,
    Item,
    Membership,
    Period,
    Phase,
    Story,
    Topic,
)
from aggregator.text import one_line, shorten

PhaseOf = Callable[[Sequence[Item], Mapping[int, Membership], datetime], Phase]
"""Says where a story of these items (memberships by item id) is in its life at that moment."""

BRIEF_LENGTH = 280
_WORD = re.compile(r"\w+")
_STOP = frozenset(
    _WORD.findall(
        "the and for with from that this are was were has have had but not you his her its their they who what when where why how "
        "after before over under into out off about amid than then will would could can may say says said new more most as at by in "
        "is it of on or to an be"
    )
)


@dataclass(frozen=True)
class Interests:
    """What the reader wants less or more of. `muted_words` are words, phrases, or /regular expressions/ between slashes."""

    muted_topics: frozenset[int] = frozenset()
    followed_topics: frozenset[int] = frozenset()
    muted_words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Filters:
    """Which part of the news is asked for: `limit` stories (0 = all), one topic, the feeds with a tag, or with one of several; by
    published or arrived."""

    limit: int = 30
    topic: int | None = None
    tag: str | None = None
    by: str = "published"
    tags: tuple[str, ...] = ()


DEFAULTS, ALL, NEUTRAL = DigestParams(), Filters(), Interests()


@dataclass(frozen=True)
class _Told:
    """A story as far as it had been told at the period's end."""

    story: Story
    items: tuple[Item, ...]
    """Best first."""
    memberships: Mapping[int, Membership]
    recent: tuple[Item, ...]
    """Those of the period."""
    tellers: Mapping[object, datetime]
    """When each independent publisher first told it."""
    new: bool

    @property
    def sources(self) -> int:
        return len(self.tellers)


def select(
    coverages: Sequence[Coverage],
    topics: Mapping[int, Topic],
    feeds: Mapping[str, Feed],
    states: Mapping[str, FeedState],
    period: Period,
    *,
    phase_of: PhaseOf,
    name: str = "digest",
    params: DigestParams = DEFAULTS,
    filters: Filters = ALL,
    interests: Interests = NEUTRAL,
    titles: Mapping[int, str] | None = None,
) -> Digest:
    """The digest of `period`.

    `coverages` are the stories with an item in the period, `feeds` the subscriptions by name, `states` all known feeds by
    name; `titles` names related stories that are not among `coverages`; `phase_of` is asked for
    the period's end. Counts are taken before the limit, after muting.
    """
    choosing = _Choosing(feeds, states, period, filters, interests, phase_of)
    told = [story for coverage in coverages if (story := choosing.told(coverage, topics)) is not None]
    ranked = rank([choosing.candidate(each) for each in told], period.from_at, period.to_at, params)
    by_id = {each.story.id: each for each in told}
    shown = _first_slots(ranked, by_id, filters.limit, params.near_title)
    recent = [item for each in told for item in each.recent]
    return Digest(
        name=name,
        period=period,
        counts={"feeds": len({item.feed for item in recent}), "items": len(recent), "stories": len(told)},
        topics=_sections([by_id[each.key].story for each in shown], topics),
        stories=tuple(choosing.shown(by_id[each.key], each) for each in shown),
        media=_media(recent),
        failed_feeds=_failed(feeds, states),
        related_titles=_related_titles([by_id[each.key].story for each in shown], coverages, titles or {}),
    )


@dataclass
class _Choosing:
    """The choices that depend on who asks and for when."""

    feeds: Mapping[str, Feed]
    states: Mapping[str, FeedState]
    period: Period
    filters: Filters
    interests: Interests
    phase_of: PhaseOf
    _muted: dict[str, Callable[[str], bool]] = field(default_factory=dict)

    def moment(self, item: Item) -> datetime:
        return item.arrived_at or item.published_at if self.filters.by == "arrived" else item.published_at

    def in_period(self, item: Item) -> bool:
        return self.period.from_at < self.moment(item) <= self.period.to_at

    def told(self, coverage: Coverage, topics: Mapping[int, Topic]) -> _Told | None:
        """The story at the period's end, or None when nothing of it is wanted."""
        story = coverage.story if coverage.story.topic_id in topics else replace(coverage.story, topic_id=None)
        if story.topic_id in self.interests.muted_topics or self.filters.topic not in (None, story.topic_id):
            return None
        items = [self.named(item) for item in coverage.items if self.moment(item) <= self.period.to_at and not self.muted(item)]
        recent = tuple(item for item in items if self.in_period(item))
        if not any(self.asked_for(item) for item in recent):
            return None
        members = {member.item_id: member for member in coverage.memberships}
        best = tuple(sorted(items, key=self._merit(story, items, members)))
        return _Told(
            story=_as_of(story, best, complete=len(best) >= len(coverage.items) and len(best) >= story.item_count),
            items=best,
            memberships=members,
            recent=recent,
            tellers=_tellers(items, members, self.moment),
            new=min(self.moment(item) for item in items) > self.period.from_at,
        )

    def named(self, item: Item) -> Item:
        """The publisher is the title in feeds.toml, else the feed's own."""
        feed, state = self.feeds.get(item.feed), self.states.get(item.feed)
        publisher = (feed and feed.title) or item.publisher or (state and state.title) or item.feed
        return item if publisher == item.publisher else replace(item, publisher=publisher)

    def weight(self, item: Item) -> float:
        feed = self.feeds.get(item.feed)
        return feed.weight if feed else 1.0

    def asked_for(self, item: Item) -> bool:
        wanted = {*self.filters.tags, *([self.filters.tag] if self.filters.tag is not None else [])}
        if not wanted:
            return True
        feed = self.feeds.get(item.feed)
        return feed is not None and not wanted.isdisjoint(feed.tags)

    def muted(self, item: Item) -> bool:
        if item.feed not in self._muted:
            feed = self.feeds.get(item.feed)
            self._muted[item.feed] = _matcher((*self.interests.muted_words, *(feed.mute if feed else ())))
        return self._muted[item.feed](f"{item.title}\n{item.summary}")

    def _merit(self, story: Story, items: Sequence[Item], members: Mapping[int, Membership]) -> Callable[[Item], tuple[object, ...]]:
        """Sort key: of the period, with a link, the best feed, no copy, the headline itself, the most central, the newest."""
        words = {item.id: title_words(item.title) for item in items}
        keywords = frozenset(word for keyword in story.keywords for word in title_words(keyword))

        def central(item: Item) -> float:
            if len(items) > 200:  # comparing all with all is quadratic; the keywords speak for a story of that size
                return jaccard(words[item.id], keywords)
            others = [jaccard(words[item.id], words[other.id]) for other in items if other.id != item.id]
            return jaccard(words[item.id], keywords) + (sum(others) / len(others) if others else 0.0)

        def key(item: Item) -> tuple[object, ...]:
            copy = item.id in members and members[item.id].copy_of is not None
            place = (not self.in_period(item), not item.link, -self.weight(item), copy, item.title != story.title)
            return (*place, -central(item), -item.published_at.timestamp(), item.id)

        return key

    def candidate(self, told: _Told) -> Candidate:
        start = self.period.from_at
        words = {word for keyword in told.story.keywords for word in title_words(keyword)} or title_words(told.story.title)
        return Candidate(
            key=told.story.id,
            arrivals=tuple(at for at in told.tellers.values() if at > start) or (max(self.moment(item) for item in told.recent),),
            earlier=sum(1 for at in told.tellers.values() if at <= start),
            last_at=max(self.moment(item) for item in told.recent),
            weight=max(self.weight(item) for item in told.recent),
            publisher=told.items[0].publisher,
            words=frozenset(words),
            topic=told.story.topic_id,
            followed=told.story.topic_id in self.interests.followed_topics,
            alone=told.sources == 1,
        )

    def shown(self, told: _Told, ranked: Ranked) -> DigestStory:
        scores = (told.memberships[item.id].score if item.id in told.memberships else 0.0 for item in told.items)
        return DigestStory(
            story=replace(told.story, sources=told.sources),
            items=told.items,
            scores=tuple(scores),
            sources=told.sources,
            new=told.new,
            phase=self.phase_of(told.items, told.memberships, self.period.to_at),
            rank=ranked.rank,
            parts=ranked.parts,
        )


@lru_cache(maxsize=20_000)
def title_words(title: str) -> frozenset[str]:
    """The words of a title that say something: folded, without the commonest English ones. CJK runs count by their characters."""
    found: set[str] = set()
    for word in _WORD.findall(title.casefold()):
        if word[0] >= "\u2e80":
            found.update(word)
        elif (len(word) > 1 or word.isdigit()) and word not in _STOP:
            found.add(word)
    return frozenset(found)


def _tellers(items: Iterable[Item], members: Mapping[int, Membership], moment: Callable[[Item], datetime]) -> dict[object, datetime]:
    """When each independent publisher first told the story: a copy counts for whom it was copied from."""
    by_id = {item.id: item for item in items}
    first: dict[object, datetime] = {}
    for item in by_id.values():
        teller = _teller(item, by_id, members)
        first[teller] = min(first.get(teller, moment(item)), moment(item))
    return first


def _teller(item: Item, by_id: Mapping[int, Item], members: Mapping[int, Membership]) -> object:
    seen = {item.id}
    while (member := members.get(item.id)) is not None and member.copy_of is not None and member.copy_of not in seen:
        if member.copy_of not in by_id:
            return member.copy_of
        seen.add(member.copy_of)
        item = by_id[member.copy_of]
    return item.publisher.casefold()


def _as_of(story: Story, items: Sequence[Item], *, complete: bool) -> Story:
    """The story as it stood: dates and counts of `items`; title and brief not from items that came later."""
    title, brief = one_line(story.title), one_line(story.brief)
    if not complete and title not in {one_line(item.title) for item in items}:
        title = one_line(items[0].title) or title
    if not brief or (not complete and not any(brief[:60] in one_line(item.summary) for item in items)):
        brief = shorten(next((line for item in items if (line := one_line(item.summary))), ""), BRIEF_LENGTH)
    return replace(
        story,
        title=title or "(untitled)",
        brief="" if brief.casefold() == title.casefold() else brief,
        first_published_at=min(item.published_at for item in items),
        last_published_at=max(item.published_at for item in items),
        item_count=len(items),
    )


def _first_slots(ranked: Sequence[Ranked], told: Mapping[int, _Told], limit: int, near: float) -> list[Ranked]:
    """The best `limit` stories, no two of them nearly the same; with no limit everything, so that no item is lost."""
    if limit <= 0:
        return list(ranked)
    taken: list[Ranked] = []
    for each in ranked:
        if len(taken) == limit:
            break
        if not any(_same_to_a_reader(told[each.key].story, told[other.key].story, near) for other in taken):
            taken.append(each)
    return taken


def _same_to_a_reader(a: Story, b: Story, near: float) -> bool:
    one, other = title_words(a.title), title_words(b.title)
    if one == other and len(one) >= 3:
        return True
    kin = a.id in b.related or b.id in a.related or (a.topic_id is not None and a.topic_id == b.topic_id)
    return kin and jaccard(one, other) >= near


def _sections(stories: Sequence[Story], topics: Mapping[int, Topic]) -> tuple[DigestTopic, ...]:
    """Topics in the order of their best story."""
    under: dict[int, list[int]] = {}
    for story in stories:
        if story.topic_id is not None:
            under.setdefault(story.topic_id, []).append(story.id)
    return tuple(DigestTopic(topic, one_line(topics[topic].label), tuple(ids)) for topic, ids in under.items())


def _media(recent: Iterable[Item]) -> tuple[DigestMedia, ...]:
    """Every audio and video of the period once, newest item first, in the item's own order."""
    found: dict[str, DigestMedia] = {}
    for item in sorted(recent, key=lambda item: (-item.published_at.timestamp(), item.id)):
        for media in item.media:
            if media.kind in ("audio", "video"):
                found.setdefault(media.url, DigestMedia(media, item))
    return tuple(found.values())


def _failed(feeds: Mapping[str, Feed], states: Mapping[str, FeedState]) -> tuple[FailedFeed, ...]:
    """Enabled subscriptions that fail now, by name."""
    failing = (states[name] for name, feed in feeds.items() if feed.enabled and name in states)
    return tuple(
        FailedFeed(state.name, one_line(state.error), state.error_since_at)
        for state in sorted(failing, key=lambda state: state.name)
        if state.error and state.subscribed
    )


def _related_titles(shown: Iterable[Story], coverages: Iterable[Coverage], titles: Mapping[int, str]) -> dict[int, str]:
    wanted = {other for story in shown for other in story.related}
    known = {coverage.story.id: coverage.story.title for coverage in coverages if coverage.story.id in wanted}
    return {other: one_line(title) for other, title in {**titles, **known}.items() if other in wanted}


def _matcher(patterns: Collection[str]) -> Callable[[str], bool]:
    """True for a text with any of the words, phrases or /regular expressions/. A broken expression is taken as plain words."""
    if not patterns:
        return lambda text: False
    compiled = [_pattern(pattern) for pattern in patterns if pattern.strip()]
    return lambda text: any(each.search(text) for each in compiled)


def _pattern(text: str) -> re.Pattern[str]:
    words = text.strip()
    if len(words) > 2 and words.startswith("/") and words.endswith("/"):
        try:
            return re.compile(words[1:-1], re.IGNORECASE)
        except re.error:
            words = words[1:-1]
    return re.compile(rf"(?<!\w){re.escape(words)}(?!\w)", re.IGNORECASE)
