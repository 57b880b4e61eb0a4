"""A story as far as it had been told at a moment: who told it first, its best pieces, its words of then. Pure."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from aggregator.digest.rank import jaccard
from aggregator.model import Item, Membership, Story
from aggregator.text import one_line, shorten

BRIEF_LENGTH = 280
MANY = 200
"""Comparing all items with all is quadratic; from here on the keywords speak for the story."""
NEWS_SHARE = 0.2
"""A word is news when this share of the period's items has it in the title, and two of them."""
ROOT_LENGTH = 5
_WORD = re.compile(r"\w+")
_STOP = frozenset(
    _WORD.findall(
        "the and for with from that this are was were has have had but not you his her its their they who what when where why how "
        "after before over under into out off about amid than then will would could can may say says said new more most as at by in "
        "is it of on or to an be"
    )
)


@dataclass(frozen=True)
class Telling:
    """A story at the period's end."""

    story: Story
    items: tuple[Item, ...]
    """Best first."""
    memberships: Mapping[int, Membership]
    recent: tuple[Item, ...]
    """Those of the period."""
    tellers: Mapping[object, datetime]
    """When each independent publisher first told it."""
    new: bool
    gained: int = 0
    latest: str = ""

    @property
    def sources(self) -> int:
        return len(self.tellers)


@lru_cache(maxsize=1_000)
def title_words(title: str) -> frozenset[str]:
    """The words of a title that say something: folded, without the commonest English ones. CJK runs count by their characters.

    Remembered: what is shown is compared with one story after the other. Not more of them: each takes a kilobyte, and keywords
    come here, too, so that twenty times as many cost a daemon 15 MB within a week.
    """
    found: set[str] = set()
    for word in _WORD.findall(title.casefold()):
        if word[0] >= "\u2e80":
            found.update(word)
        elif (len(word) > 1 or word.isdigit()) and word not in _STOP:
            found.add(word)
    return frozenset(found)


def tellers(items: Iterable[Item], members: Mapping[int, Membership], moment: Callable[[Item], datetime]) -> dict[object, datetime]:
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


def centrality(items: Sequence[Item], keywords: Iterable[str] = ()) -> Callable[[Item], float]:
    """How much the title of one of `items` has in common with the keywords and with the other titles."""
    words = {item.id: title_words(item.title) for item in items}
    sought = frozenset(word for keyword in keywords for word in title_words(keyword))

    def central(item: Item) -> float:
        if len(items) > MANY:
            return jaccard(words[item.id], sought)
        others = [jaccard(words[item.id], words[other.id]) for other in items if other.id != item.id]
        return jaccard(words[item.id], sought) + (sum(others) / len(others) if others else 0.0)

    return central


def latest_headline(title: str, earlier: Iterable[Item], recent: Sequence[Item], members: Mapping[int, Membership]) -> str:
    """The headline that says best what the period brought: the one with the most words that several of its items have and
    nothing before had; "" when there are none (of a single item two such words are asked for)."""
    own = [item for item in recent if item.id not in members or members[item.id].copy_of is None] or list(recent)
    known = _roots(title).union(*(_roots(item.title) for item in earlier))
    fresh = {item.id: _roots(item.title) - known for item in own}
    support = Counter(root for roots in fresh.values() for root in roots)
    least = 1 if len(own) == 1 else max(2, math.ceil(len(own) * NEWS_SHARE))
    scores = {item.id: sum(n for root in fresh[item.id] if (n := support[root]) >= least) for item in own}
    best = max(own, key=lambda item: (scores[item.id], item.published_at, -item.id))
    return one_line(best.title) if scores[best.id] >= 2 else ""


def _roots(title: str) -> frozenset[str]:
    """The words of a title without what inflection does to their ends, roughly: "pauses" and "paused" are one."""
    return frozenset(word[:ROOT_LENGTH] for word in title_words(title) if len(word) > 2 and not word.isdigit())


def as_of(story: Story, items: Sequence[Item], *, complete: bool) -> Story:
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
