"""What runs, what is next, what fails: put together from plain data. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aggregator.feeds.schedule import is_due
from aggregator.model import Feed, FeedState


@dataclass(frozen=True, slots=True)
class Status:
    """`failing` holds (name, error, since when) of the enabled feeds whose last poll failed."""

    feeds: int
    enabled: int
    due: int
    last_poll_at: datetime | None
    next_poll_at: datetime | None
    failing: tuple[tuple[str, str, datetime | None], ...]
    items: int
    unsorted: int
    digest_name: str
    last_digest_at: datetime | None
    next_digest_at: datetime | None
    daemon_process: int | None
    database: str
    feed_list: str


@dataclass(frozen=True, slots=True)
class FeedsSummary:
    """What the feeds' states add up to."""

    due: int
    last_poll_at: datetime | None
    next_poll_at: datetime | None
    failing: tuple[tuple[str, str, datetime | None], ...]


def summarise(feeds: Sequence[Feed], states: Mapping[str, FeedState], now: datetime) -> FeedsSummary:
    """Add up the enabled feeds; a feed that is due counts as next polled now."""
    pairs = [(feed, states[feed.name]) for feed in feeds if feed.enabled and feed.name in states]
    due = [feed for feed, state in pairs if is_due(feed, state, now)]
    coming = [state.next_poll_at for _, state in pairs if state.next_poll_at is not None and not state.gone]
    attempts = [state.last_attempt_at for _, state in pairs if state.last_attempt_at is not None]
    return FeedsSummary(
        due=len(due),
        last_poll_at=max(attempts, default=None),
        next_poll_at=now if due else min(coming, default=None),
        failing=tuple((feed.name, state.error, state.error_since_at) for feed, state in pairs if state.error),
    )
