"""What the feed list could gain or lose: a report card for each feed, and suggestions with the command that follows them.

    stories of the span | who told what first | a card for each feed | dead, the same, nothing of its own
    markup of the span  | links to other sites, by host | sites worth a feed

Nothing is fetched and nothing is changed.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from aggregator.model import Coverage, Feed, FeedState, Item

FEW = 5
"""Fewer items than this say nothing about a feed."""
SAME_SHARE = 0.8
FAILING_FOR = timedelta(days=7)
SITES = 10
_LINK = re.compile(r"""href=["'](https?://[^"'\s<>]+)""", re.IGNORECASE)
_PLATFORMS = tuple(
    "twitter.com x.com t.co facebook.com instagram.com tiktok.com linkedin.com whatsapp.com telegram.me t.me pinterest.com threads.net "  # noqa: SIM905
    "google.com goo.gl bit.ly amazon.com amzn.to apple.com youtu.be youtube.com wikipedia.org w3.org gravatar.com feedburner.com "
    "doubleclick.net archive.org paypal.com patreon.com spotify.com".split()
)
"""Sites that pages link to for other reasons than news."""


@dataclass
class Card:
    """What one feed brought in the span. `own` counts the items that nobody told before it: it was first, or alone."""

    name: str
    items: int = 0
    newest_at: datetime | None = None
    stories: int = 0
    shared: int = 0
    """Stories that others told, too."""
    first: int = 0
    """Shared stories that it told before all others."""
    copies: int = 0
    """Items that repeat another publisher's text."""
    elsewhere: int = 0
    """Items that stood in another feed, too."""
    own: int = 0
    delays: list[float] = field(default_factory=list)
    """Hours behind the first teller, for each shared story that it was not the first to tell."""

    @property
    def delay_hours(self) -> float | None:
        return statistics.median(self.delays) if self.delays else None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`kind` is "add", "same", "dead" or "nothing-own"; `command` carries it out, or says more."""

    kind: str
    subject: str
    reason: str
    command: str


def make_cards(
    coverages: Iterable[Coverage], appearances: Sequence[tuple[int, str]], names: Iterable[str], since: datetime
) -> dict[str, Card]:
    """A card for each of `names`, from the stories with an item published since then and from where items stood."""
    cards = {name: Card(name) for name in names}
    feeds_of: dict[int, list[str]] = defaultdict(list)
    for item_id, name in appearances:
        feeds_of[item_id].append(name)
    for coverage in coverages:
        _count_story(coverage, cards, feeds_of, since)
    return cards


def _count_story(coverage: Coverage, cards: Mapping[str, Card], feeds_of: Mapping[int, list[str]], since: datetime) -> None:
    copies = {member.item_id for member in coverage.memberships if member.copy_of is not None}
    first_of: dict[str, Item] = {}
    for item in sorted(coverage.items, key=lambda item: (item.published_at, item.id)):
        for name in dict.fromkeys((item.feed, *feeds_of.get(item.id, ()))):
            first_of.setdefault(name, item)
            if item.published_at > since and name in cards:
                _count_item(cards[name], item, feeds_of, copies)
    order = sorted(first_of, key=lambda name: (first_of[name].published_at, first_of[name].id, name != first_of[name].feed))
    for name in order:
        if name not in cards or first_of[name].published_at <= since:
            continue
        card, leads = cards[name], name == order[0]
        card.stories += 1
        card.own += leads
        if len(order) > 1:
            card.shared += 1
            card.first += leads
            if not leads:
                card.delays.append((first_of[name].published_at - first_of[order[0]].published_at).total_seconds() / 3600)


def _count_item(card: Card, item: Item, feeds_of: Mapping[int, list[str]], copies: set[int]) -> None:
    card.items += 1
    card.newest_at = max(filter(None, (card.newest_at, item.published_at)))
    card.copies += item.id in copies
    card.elsewhere += len(set(feeds_of.get(item.id, ())) - {card.name}) > 0


# --- suggestions -------------------------------------------------------------------------------------------------------


def suggest(
    feeds: Sequence[Feed],
    states: Mapping[str, FeedState],
    cards: Mapping[str, Card],
    appearances: Sequence[tuple[int, str]],
    markup: Iterable[tuple[str, str, str]],
    now: datetime,
    days: int,
) -> list[Suggestion]:
    """In the order of how sure they are: dead feeds, feeds that bring the same, those with nothing of their own, new sites."""
    enabled = [feed for feed in feeds if feed.enabled]
    dead = list(_dead(enabled, states, cards, now, days))
    told = {each.subject for each in dead}
    same = [each for each in _same(enabled, appearances) if each.subject not in told]
    told |= {each.subject for each in same}
    nothing = [each for each in _nothing_own(enabled, cards) if each.subject not in told]
    return [*dead, *same, *nothing, *_sites(feeds, markup)]


def _dead(
    feeds: Iterable[Feed], states: Mapping[str, FeedState], cards: Mapping[str, Card], now: datetime, days: int
) -> Iterator[Suggestion]:
    for feed in feeds:
        state = states.get(feed.name)
        if state is None:
            continue
        since = state.error_since_at
        if state.gone:
            yield Suggestion("dead", feed.name, "its server says that it is gone for good", f"aggregator feeds remove {feed.name}")
        elif since is not None and now - since >= FAILING_FOR:
            reason = f"it has failed for {(now - since).days} days: {state.error}"
            yield Suggestion("dead", feed.name, reason, f"aggregator feeds check {feed.name}")
        elif not cards[feed.name].items and now - state.created_at >= timedelta(days=days) and state.last_success_at is not None:
            yield Suggestion("dead", feed.name, f"it answers, but brought no item in {days} days", f"aggregator feeds disable {feed.name}")


def _same(feeds: Iterable[Feed], appearances: Sequence[tuple[int, str]]) -> Iterator[Suggestion]:
    """Of two feeds the one whose items stand in the other; of two equals the later in the list."""
    items_of: dict[str, set[int]] = {feed.name: set() for feed in feeds}
    for item_id, name in appearances:
        if name in items_of:
            items_of[name].add(item_id)
    together: Counter[tuple[str, str]] = Counter()
    holders: dict[int, list[str]] = defaultdict(list)
    for name, ids in items_of.items():
        for item_id in ids:
            holders[item_id].append(name)
    for names in holders.values():
        together.update((one, other) for one in names for other in names if one != other)
    gone: set[str] = set()
    place = {name: n for n, name in enumerate(items_of)}
    for (one, other), both in sorted(together.items(), key=lambda pair: (-pair[1], -place[pair[0][0]], place[pair[0][1]])):
        mine, theirs = len(items_of[one]), len(items_of[other])
        if mine < FEW or both < SAME_SHARE * mine or mine > theirs or {one, other} & gone:
            continue
        gone.add(one)
        yield Suggestion("same", one, f"{both} of its {mine} items are in {other}, too", f"aggregator feeds remove {one}")


def _nothing_own(feeds: Iterable[Feed], cards: Mapping[str, Card]) -> Iterator[Suggestion]:
    for feed in feeds:
        card = cards[feed.name]
        if card.items >= FEW and not card.own:
            late = f", usually {card.delay_hours:.0f} h before it" if card.delay_hours else ""
            reason = f"others told each of its {card.stories} stories first{late}"
            yield Suggestion("nothing-own", feed.name, reason, f"aggregator feeds set {feed.name} weight=0.5")


def _sites(feeds: Iterable[Feed], markup: Iterable[tuple[str, str, str]]) -> Iterator[Suggestion]:
    """Hosts that several items link to and no feed comes from, those of the most feeds first."""
    known = {site_of(feed.url) for feed in feeds}
    linking: dict[str, set[str]] = defaultdict(set)
    count: Counter[str] = Counter()
    example: dict[str, str] = {}
    for name, title, html in markup:
        for site in {site_of(url) for url in _LINK.findall(html)}:
            if site and not any(_within(site, other) or _within(other, site) for other in known) and not _is_platform(site):
                linking[site].add(name)
                count[site] += 1
                example.setdefault(site, title)
    wanted = [site for site in count if count[site] >= FEW and len(linking[site]) >= 2]
    for site in sorted(wanted, key=lambda site: (-len(linking[site]), -count[site], site))[:SITES]:
        reason = f"{count[site]} items of {len(linking[site])} feeds link to it, such as “{example[site]}”"
        yield Suggestion("add", site, reason, f"aggregator feeds discover {site}")


def site_of(url: str) -> str:
    """The host without what only says how it is served: "https://feeds.bbci.co.uk/x" -> "bbci.co.uk"; "" for no address."""
    try:
        host = (urlsplit(url).hostname or "").casefold()
    except ValueError:
        return ""
    return re.sub(r"^(www\d?|feeds?|rss|m|amp)\.", "", host)


def _within(site: str, other: str) -> bool:
    return site == other or site.endswith("." + other)


def _is_platform(site: str) -> bool:
    return any(_within(site, platform) for platform in _PLATFORMS)
