"""What runs, what is next, what fails: put together from plain data. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aggregator.feeds.schedule import is_due
from aggregator.model import Delivery, Feed, FeedState, QueueState, WorkerState


@dataclass(frozen=True, slots=True)
class DigestStatus:
    """A digest that the daemon makes: the end of its last one, and when the next is made."""

    name: str
    last_at: datetime | None
    next_at: datetime


@dataclass(frozen=True, slots=True)
class FailingFeed:
    """An enabled feed whose last `streak` polls failed."""

    name: str
    error: str
    since_at: datetime | None
    streak: int


@dataclass(frozen=True, slots=True)
class TeamStatus:
    """The workers and what waits for them; `error` is what is wrong with the broker, whose queues are then unknown."""

    broker: str
    workers: tuple[WorkerState, ...]
    queues: tuple[QueueState, ...]
    error: str | None
    lease_seconds: float

    def is_alive(self, worker: WorkerState) -> bool:
        """Whether it was heard of lately: it says something three times in each lease."""
        return worker.silent_seconds < self.lease_seconds

    @property
    def alive(self) -> int:
        return sum(map(self.is_alive, self.workers))


@dataclass(frozen=True, slots=True)
class Status:
    """What runs, what is next, what fails. `lag_seconds`: by how much the feed that has waited longest is overdue.
    `waiting` is what could not be delivered yet; `team` is None where the daemon works alone."""

    feeds: int
    enabled: int
    due: int
    last_poll_at: datetime | None
    next_poll_at: datetime | None
    lag_seconds: float
    failing: tuple[FailingFeed, ...]
    items: int
    unsorted: int
    digests: tuple[DigestStatus, ...]
    waiting: tuple[Delivery, ...]
    daemon_process: int | None
    database: str
    database_bytes: int
    feed_list: str
    team: TeamStatus | None = None


@dataclass(frozen=True, slots=True)
class FeedsSummary:
    """What the feeds' states add up to."""

    due: int
    last_poll_at: datetime | None
    next_poll_at: datetime | None
    lag_seconds: float
    failing: tuple[FailingFeed, ...]


def summarise(feeds: Sequence[Feed], states: Mapping[str, FeedState], now: datetime) -> FeedsSummary:
    """Add up the enabled feeds; a feed that is due counts as next polled now."""
    pairs = [(feed, states[feed.name]) for feed in feeds if feed.enabled and feed.name in states]
    due = [state for feed, state in pairs if is_due(feed, state, now)]
    coming = [state.next_poll_at for _, state in pairs if state.next_poll_at is not None and not state.gone]
    attempts = [state.last_attempt_at for _, state in pairs if state.last_attempt_at is not None]
    return FeedsSummary(
        due=len(due),
        last_poll_at=max(attempts, default=None),
        next_poll_at=now if due else min(coming, default=None),
        lag_seconds=max(((now - state.next_poll_at).total_seconds() for state in due if state.next_poll_at), default=0.0),
        failing=tuple(FailingFeed(feed.name, state.error, state.error_since_at, state.streak) for feed, state in pairs if state.error),
    )
