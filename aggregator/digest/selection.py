"""What a reader gets for a period: which items count, which stories are shown, under which topics. Pure.

    coverages | cut to the period's end | mute | filter | rank | slots | sections

It looks at nothing but its arguments: no store, no clock. (Not named `select`: no module shadows the standard library.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from aggregator.digest.interests import Filters, Interests
from aggregator.digest.rank import Candidate, DigestParams, Ranked, rank
from aggregator.digest.slots import Slot, fill_slots
from aggregator.digest.telling import Telling, as_of, centrality, latest_headline, tellers, title_words
from aggregator.model import (
    Coverage,
    Digest,
    DigestMedia,
    DigestSearch,
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
from aggregator.patterns import all_of, any_of
from aggregator.text import one_line

PhaseOf = Callable[[Sequence[Item], Mapping[int, Membership], datetime], Phase]
"""Says where a story of these items (memberships by item id) is in its life at that moment."""

DEFAULTS, ALL, NEUTRAL = DigestParams(), Filters(), Interests()


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
    matchers = [_matching(search.query) for search in interests.searches]
    slots = fill_slots(ranked, by_id, filters, params.near_title, matchers)
    shown = [by_id[slot.ranked.key] for slot in slots]
    recent = [item for each in told for item in each.recent]
    return Digest(
        name=name,
        period=period,
        counts={"feeds": len({item.feed for item in recent}), "items": len(recent), "stories": len(told)},
        topics=_sections([each.story for each in shown], topics),
        stories=tuple(choosing.shown(by_id[slot.ranked.key], slot) for slot in slots),
        media=_media(recent),
        failed_feeds=_failed(feeds, states),
        related_titles=_related_titles([each.story for each in shown], coverages, titles or {}),
        searches=tuple(
            DigestSearch(search.name, search.query, tuple(each.story.id for each in shown if matches(each)))
            for search, matches in zip(interests.searches, matchers, strict=True)
        ),
        seconds=sum(slot.seconds for slot in slots),
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

    def moment(self, item: Item) -> datetime:
        return item.arrived_at or item.published_at if self.filters.by == "arrived" else item.published_at

    def in_period(self, item: Item) -> bool:
        return self.period.from_at < self.moment(item) <= self.period.to_at

    def told(self, coverage: Coverage, topics: Mapping[int, Topic]) -> Telling | None:
        """The story at the period's end, or None when nothing of it is wanted."""
        story = coverage.story if coverage.story.topic_id in topics else replace(coverage.story, topic_id=None)
        if not self.wanted(story):
            return None
        items = [self.named(item) for item in coverage.items if self.moment(item) <= self.period.to_at and not self.muted(item)]
        recent = tuple(item for item in items if self.in_period(item))
        if not any(self.asked_for(item, story) for item in recent):
            return None
        members = {member.item_id: member for member in coverage.memberships}
        best = tuple(sorted(items, key=self._merit(story, items, members)))
        told_by = tellers(items, members, self.moment)
        as_told = as_of(story, best, complete=len(best) >= len(coverage.items) and len(best) >= story.item_count)
        new = min(self.moment(item) for item in items) > self.period.from_at
        return Telling(
            story=as_told,
            items=best,
            memberships=members,
            recent=recent,
            tellers=told_by,
            new=new,
            gained=0 if new else sum(1 for at in told_by.values() if at > self.period.from_at),
            latest="" if new else latest_headline(as_told.title, (item for item in items if not self.in_period(item)), recent, members),
        )

    def wanted(self, story: Story) -> bool:
        """Neither muted nor of another topic than the one asked for; a story that is followed outlives its topic's mute."""
        if story.id in self.interests.muted_stories or self.filters.topic not in (None, story.topic_id):
            return False
        return story.topic_id not in self.interests.muted_topics or story.id in self.interests.followed_stories

    def named(self, item: Item) -> Item:
        """The publisher is the title in feeds.toml, else the feed's own."""
        feed, state = self.feeds.get(item.feed), self.states.get(item.feed)
        publisher = (feed and feed.title) or item.publisher or (state and state.title) or item.feed
        return item if publisher == item.publisher else replace(item, publisher=publisher)

    def weight(self, item: Item) -> float:
        feed = self.feeds.get(item.feed)
        return feed.weight if feed else 1.0

    def asked_for(self, item: Item, story: Story) -> bool:
        feed, filters = self.feeds.get(item.feed), self.filters
        wanted = {*filters.tags, *([filters.tag] if filters.tag is not None else [])}
        if wanted and (feed is None or wanted.isdisjoint(feed.tags)):
            return False
        if filters.languages and self.language(item, story) not in filters.languages:
            return False
        if filters.starred and item.id not in self.interests.starred_items:
            return False
        return not filters.match or all_of(filters.match)(_text(item))

    def language(self, item: Item, story: Story) -> str:
        """The code without region: what the feed list says, else what the item or its feed says, else the story's."""
        feed, state = self.feeds.get(item.feed), self.states.get(item.feed)
        found = (feed and feed.language) or item.language or (state and state.language) or story.language or ""
        return found.partition("-")[0].casefold()

    def muted(self, item: Item) -> bool:
        feed = self.feeds.get(item.feed)
        words = (*self.interests.muted_words, *(feed.mute if feed else ()))
        return bool(words) and item.id not in self.interests.starred_items and any_of(words)(_text(item))

    def boosted(self, item: Item) -> bool:
        feed = self.feeds.get(item.feed)
        words = (*self.interests.boosted_words, *(feed.boost if feed else ()))
        return bool(words) and any_of(words)(_text(item))

    def followed(self, story: Story) -> bool:
        return story.topic_id in self.interests.followed_topics or story.id in self.interests.followed_stories

    def _merit(self, story: Story, items: Sequence[Item], members: Mapping[int, Membership]) -> Callable[[Item], tuple[object, ...]]:
        """Sort key: of the period, with a link, the best feed, no copy, the headline itself, the most central, the newest."""
        central = centrality(items, story.keywords)

        def key(item: Item) -> tuple[object, ...]:
            copy = item.id in members and members[item.id].copy_of is not None
            place = (not self.in_period(item), not item.link, -self.weight(item), copy, item.title != story.title)
            return (*place, -central(item), -item.published_at.timestamp(), item.id)

        return key

    def candidate(self, told: Telling) -> Candidate:
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
            followed=self.followed(told.story),
            boosted=any(self.boosted(item) for item in told.recent),
            alone=told.sources == 1,
        )

    def shown(self, told: Telling, slot: Slot) -> DigestStory:
        scores = (told.memberships[item.id].score if item.id in told.memberships else 0.0 for item in told.items)
        ranked: Ranked = slot.ranked
        return DigestStory(
            story=replace(told.story, sources=told.sources),
            items=told.items,
            scores=tuple(scores),
            sources=told.sources,
            new=told.new,
            phase=self.phase_of(told.items, told.memberships, self.period.to_at),
            rank=ranked.rank,
            parts=ranked.parts,
            gained=told.gained,
            latest=told.latest,
            followed=self.followed(told.story),
            starred=any(item.id in self.interests.starred_items for item in told.items),
            as_line=slot.as_line,
        )


def _text(item: Item) -> str:
    return f"{item.title}\n{item.summary}"


def _matching(query: str) -> Callable[[Telling], bool]:
    matches = all_of(query)
    return lambda told: any(matches(_text(item)) for item in told.recent)


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
