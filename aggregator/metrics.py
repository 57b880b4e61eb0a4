"""What there is to count, as Prometheus reads it (text exposition format 0.0.4). Pure.

Source of the names' rules: https://prometheus.io/docs/practices/naming/ (base units, _total for counters, _timestamp_seconds).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from aggregator.model import FeedOutcome
from aggregator.publishing import Sent
from aggregator.status import Status, TeamStatus


@dataclass
class Counters:
    """What this process did since it started."""

    rounds: int = 0
    failed_jobs: int = 0
    polls: dict[str, int] = field(default_factory=dict)
    """By outcome: changed, same, error."""
    new_items: int = 0
    edited_items: int = 0
    grouped_items: int = 0
    deliveries: dict[str, int] = field(default_factory=dict)
    """By outcome: delivered, failed."""
    last_round_seconds: float = 0.0
    last_round_at: datetime | None = None

    def polled(self, outcome: FeedOutcome) -> None:
        word = "error" if outcome.error else outcome.outcome
        self.polls[word] = self.polls.get(word, 0) + 1
        self.new_items += outcome.new
        self.edited_items += outcome.edited

    def sent(self, sent: Sent) -> None:
        word = "failed" if sent.error else "delivered"
        self.deliveries[word] = self.deliveries.get(word, 0) + 1


Sample = tuple[dict[str, str], float]


def to_metrics(status: Status, counters: Counters | None = None) -> str:
    """The exposition, ending in a newline; without the counters where the daemon's are out of reach."""
    feeds = {"enabled": status.enabled, "due": status.due, "failing": len(status.failing)}
    found = [
        _family("feeds", "gauge", "Subscribed feeds by state.", [({"state": name}, count) for name, count in feeds.items()]),
        _family("feed_errors_in_a_row", "gauge", "Failed polls in a row.", [({"feed": each.name}, each.streak) for each in status.failing]),
        _one("poll_lag_seconds", "gauge", "How long the feed that waits longest is overdue.", status.lag_seconds),
        _moment("last_poll", "When a feed was polled last.", status.last_poll_at),
        _one("items", "gauge", "Items in the store.", status.items),
        _one("unsorted_items", "gauge", "Items that are in no story yet.", status.unsorted),
        _one("database_bytes", "gauge", "Size of the database.", status.database_bytes),
        _family(
            "digest_last_timestamp_seconds",
            "gauge",
            "End of the last digest.",
            [({"digest": each.name}, each.last_at.timestamp()) for each in status.digests if each.last_at],
        ),
        _family(
            "digest_next_timestamp_seconds",
            "gauge",
            "When the next digest is made.",
            [({"digest": each.name}, each.next_at.timestamp()) for each in status.digests],
        ),
        _one("deliveries_waiting", "gauge", "Digests that are not delivered yet.", len(status.waiting)),
        *(_of_team(status.team) if status.team else []),
        *(_counted(counters) if counters else []),
    ]
    return "".join(found)


def _of_team(team: TeamStatus) -> list[str]:
    states = {"alive": team.alive, "silent": len(team.workers) - team.alive}
    tasks = [
        ({"queue": queue.name, "state": state}, count)
        for queue in team.queues
        for state, count in (("waiting", queue.waiting), ("taken", queue.unacked), ("dead", queue.dead))
        if count is not None
    ]
    done = [({"worker": worker.name, "what": what}, count) for worker in team.workers for what, count in sorted(worker.done.items())]
    return [
        _one("broker_up", "gauge", "Whether the broker answers.", int(team.error is None)),
        _family("workers", "gauge", "Workers by whether they were heard of lately.", [({"state": name}, n) for name, n in states.items()]),
        _family("queue_tasks", "gauge", "Tasks at the broker.", tasks),
        _family("worker_done_total", "counter", "What each worker did since it started.", done),
    ]


def _counted(counters: Counters) -> list[str]:
    return [
        _one("rounds_total", "counter", "Rounds of polling and grouping.", counters.rounds),
        _one("failed_jobs_total", "counter", "Jobs of the daemon that failed.", counters.failed_jobs),
        _one("round_seconds", "gauge", "How long the last round took.", counters.last_round_seconds),
        _moment("last_round", "When the last round ended.", counters.last_round_at),
        _family("polls_total", "counter", "Polls by outcome.", _by_outcome(counters.polls)),
        _one("new_items_total", "counter", "Items stored.", counters.new_items),
        _one("edited_items_total", "counter", "Items that their publisher changed.", counters.edited_items),
        _one("grouped_items_total", "counter", "Items put into stories.", counters.grouped_items),
        _family("deliveries_total", "counter", "Attempts to deliver a digest.", _by_outcome(counters.deliveries)),
    ]


def _by_outcome(counts: dict[str, int]) -> list[Sample]:
    return [({"outcome": word}, count) for word, count in sorted(counts.items())]


def _one(name: str, kind: str, text: str, value: float) -> str:
    return _family(name, kind, text, [({}, value)])


def _moment(name: str, text: str, at: datetime | None) -> str:
    return _family(f"{name}_timestamp_seconds", "gauge", text, [({}, at.timestamp())] if at else [])


def _family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP aggregator_{name} {text}", f"# TYPE aggregator_{name} {kind}"]
    for labels, value in samples:
        shown = ",".join(f'{label}="{_escaped(word)}"' for label, word in labels.items())
        lines.append(f"aggregator_{name}{{{shown}}} {value!r}" if shown else f"aggregator_{name} {value!r}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
