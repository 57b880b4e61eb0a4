"""What the engine shows the parts that describe stories and tie them into topics. Plain data, and the two rules that all who
handle stories share: the order of items, and where a merged id leads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from aggregator.model import Item, Topic
from aggregator.stories.text import ItemWords


@dataclass(frozen=True, slots=True)
class StoryView:
    """A story with its items, oldest first; `words[i]` are the words of `items[i]`."""

    id: int
    items: tuple[Item, ...]
    words: tuple[ItemWords, ...] = ()


@dataclass(frozen=True, slots=True)
class TopicChanges:
    """What linking stories into topics changed.

    `topics`: new topics and those whose label, profile or counts changed. `merged`: (old topic id, id it redirects to).
    `topic_of`: story id -> topic id or None, for every story that was judged. `related`: story id -> up to three other
    story ids, best first, for every story that was judged.
    """

    topics: tuple[Topic, ...] = ()
    merged: tuple[tuple[int, int], ...] = ()
    topic_of: Mapping[int, int | None] = field(default_factory=dict)
    related: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


def by_time(item: Item) -> tuple[datetime, str, int]:
    """The order in which items are grouped and shown: by published_at, then link, then id."""
    return item.published_at, item.link or "", item.id


def follow(moved: Mapping[int, int], number: int) -> int:
    """The id that a merged story or topic leads to in the end; the same where it was not merged."""
    while number in moved:
        number = moved[number]
    return number
