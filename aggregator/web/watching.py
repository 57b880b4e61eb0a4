"""How things run: the status page, /healthz, /metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.errors import AggregatorError
from aggregator.metrics import to_metrics
from aggregator.web.asked import Answer, Asked, Document, Page

if TYPE_CHECKING:
    from aggregator.app import App


def status(app: App, asked: Asked) -> Answer:
    return Page("status", "Status", {"status": app.upkeep.status(), "advice": app.next_step()})


def healthz(app: App, asked: Asked) -> Answer:
    """Whether the store answers; no login is needed, and nothing else is said."""
    try:
        app.store.stories.revision()
    except AggregatorError:
        return Document("text/plain", "the store does not answer\n", 503)
    return Document("text/plain", "ok\n")


def metrics(app: App, asked: Asked) -> Answer:
    """What the store and the feed list hold; what the daemon counts is at its own address (setting daemon.listen)."""
    return Document("text/plain; version=0.0.4", to_metrics(app.upkeep.status()))
