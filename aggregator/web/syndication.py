"""Atom feeds for other readers: the digest, a topic, a search. They log in with HTTP Basic, the token as password."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from aggregator.digest.atom import to_atom
from aggregator.digest.period import span_period
from aggregator.errors import UsageError
from aggregator.web import reading
from aggregator.web.asked import Answer, Asked, Document

if TYPE_CHECKING:
    from aggregator.app import App

_KIND = "application/atom+xml"


def digest(app: App, asked: Asked) -> Answer:
    made = reading.make_digest(app, asked, span_period(asked["since"], None, app.zone, app.clock()))
    return Document(_KIND, to_atom(made, title="Digest"))


def topic(app: App, asked: Asked) -> Answer:
    """The stories of one topic with an item in the period."""
    found, _ = app.store.stories.topic(app.store.stories.resolve_topic(asked["id"]))
    period = span_period(asked["since"], None, app.zone, app.clock())
    made = app.digest(period, limit=asked["limit"], topic=found.id, name=f"topic-{found.id}")
    return Document(_KIND, to_atom(made, title=found.label))


def search(app: App, asked: Asked) -> Answer:
    """The stories of the period that match the words, "phrases" and -words."""
    if not asked["q"]:
        raise UsageError("q is missing: the words to search for")
    period = span_period(asked["since"], None, app.zone, app.clock())
    name = f"search-{sha256(asked['q'].encode()).hexdigest()[:12]}"
    made = app.digest(period, limit=asked["limit"], match=asked["q"], name=name)
    return Document(_KIND, to_atom(made, title=f"Search: {asked['q']}"))
