"""The pages about feeds: how each is, what it is worth, and the list as OPML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.cli.suggestions import cards_of, suggestions_of
from aggregator.feeds.feedlist import feed_values
from aggregator.feeds.opml import write_opml
from aggregator.web.asked import Answer, Asked, Document, Page

if TYPE_CHECKING:
    from aggregator.app import App
    from aggregator.suggesting import Card, Suggestion


def feeds(app: App, asked: Asked) -> Answer:
    """Those that need a person first."""
    order = {"failing": 0, "gone": 0, "warning": 1, "new": 2, "ok": 3, "disabled": 4}
    found = sorted(app.feed_status(), key=lambda each: order.get(each.state, 3))
    shown = {feed.name: feed for feed in app.subscribed()}
    chosen = [each for each in found if not asked["state"] or each.state == asked["state"]]
    states = sorted({each.state for each in found})
    return Page("feeds", "Feeds", {"feeds": chosen, "shown": shown, "states": states, "state": asked["state"], "path": app.feed_list.path})


def feed(app: App, asked: Asked) -> Answer:
    (status,) = app.feed_status([asked["name"]])
    found = next(each for each in app.subscribed() if each.name == asked["name"])
    values = {"feed": found, "status": status, "interval": feed_values(found).get("interval", "")}
    return Page("feed", found.title or found.name, values)


def report(app: App, asked: Asked) -> Answer:
    """Worked out once an hour: it looks at every item of the days, on a year of news for many seconds."""
    hour = app.clock().replace(minute=0, second=0, microsecond=0)
    key = "report", asked["days"], hour, tuple(feed.name for feed in app.subscribed())
    cards, suggestions = asked.remember(key, lambda: _report(app, asked["days"]))
    return Page("report", "What each feed is worth", {"cards": cards, "suggestions": suggestions, "days": asked["days"]})


def _report(app: App, days: int) -> tuple[list[Card], list[Suggestion]]:
    cards = cards_of(app, days)
    return sorted(cards.values(), key=lambda card: (-card.own, -card.items, card.name)), suggestions_of(app, days, cards)


def opml(app: App, asked: Asked) -> Answer:
    return Document("text/x-opml", write_opml(app.subscribed(), "Feeds of aggregator", app.clock()), name="feeds.opml")
