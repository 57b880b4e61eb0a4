"""The pages that one reads: the digest by day, stories, topics, search."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from aggregator.digest import layout
from aggregator.digest.period import day_period, span_period
from aggregator.digest.to_html import bars
from aggregator.errors import UsageError
from aggregator.text import one_line
from aggregator.web.asked import Answer, Asked, Goto, Page
from aggregator.web.plots import topic_plot

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.app import App
    from aggregator.model import Digest, Item, Period

FOUND = 500


# --- the digest --------------------------------------------------------------------------------------------------------


def latest(app: App, asked: Asked) -> Answer:
    """The last 24 hours."""
    return _digest_page(app, asked, span_period(None, None, app.zone, app.clock()), None)


def of_day(app: App, asked: Asked) -> Answer:
    """One local day."""
    period = day_period(asked["day"], app.zone, app.clock())
    return _digest_page(app, asked, period, (period.to_at - timedelta(hours=1)).astimezone(ZoneInfo(app.zone)).date())


def make_digest(app: App, asked: Asked, period: Period) -> Digest:
    """The digest of the period, with what the request asks to be left out; within a minute it is made once, if nothing has changed."""
    wanted: dict[str, Any] = {name: asked.values.get(name) or None for name in ("topic", "tag", "minutes", "match")}
    state = app.store.stories.revision(), tuple(app.store.marks.all()), app.subscribed(), _minute(app.clock())
    key = (_minute(period.from_at), _minute(period.to_at), asked["limit"], tuple(wanted.items()), hash(repr(state)))
    made: Digest = asked.remember(key, lambda: app.digest(period, limit=asked["limit"], **wanted))
    return made


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _digest_page(app: App, asked: Asked, period: Period, day: date | None) -> Answer:
    made = make_digest(app, asked, period)
    period = made.period
    today = app.clock().astimezone(ZoneInfo(app.zone)).date()
    values = {
        "digest": made,
        "headline": layout.headline(period),
        "sections": layout.sections(made),
        "media": layout.media_lines(made.media),
        "bars": lambda told: bars(told, made),
        "related_ids": {one_line(title): id_ for id_, title in made.related_titles.items()},
        "topic_ids": {one_line(topic.label): topic.id for topic in made.topics},
        "before": (day or today) - timedelta(days=1) if (day or today) > date(1, 1, 2) else None,
        "after": day + timedelta(days=1) if day and day < today else None,
        "today": today,
        "day": day,
        "shown_all": asked["limit"] == 0,
        "tags": sorted({tag for feed in app.subscribed() for tag in feed.tags}),
        "advice": app.next_step() if not made.stories else None,
    }
    return Page("digest", layout.headline(period) if day else "The last 24 hours", values)


# --- stories and topics ------------------------------------------------------------------------------------------------


def stories(app: App, asked: Asked) -> Answer:
    since = since_moment(app, asked["since"]) if asked["since"] else None
    found = app.stories(limit=asked["limit"], since=since, phase=asked["phase"])
    return Page("stories", "Stories", {"stories": found, "phase": asked["phase"], "since": asked["since"], "limit": asked["limit"]})


def since_moment(app: App, text: str) -> datetime:
    """A duration before now, or a time."""
    return span_period(text, None, app.zone, app.clock()).from_at


def topics(app: App, asked: Asked) -> Answer:
    return Page("topics", "Topics", {"topics": app.store.stories.topics(limit=asked["limit"] or None), "stances": topic_stances(app)})


def topic_stances(app: App) -> dict[int, str]:
    """The marks on topics by what their ids lead to now."""
    return {app.store.stories.resolve_topic(each.mark.target_id): each.mark.stance for each in reversed(app.marking.list("topic"))}


def topic(app: App, asked: Asked) -> Answer:
    resolved = app.store.stories.resolve_topic(asked["id"])
    if resolved != asked["id"]:
        return Goto(f"/topics/{resolved}")
    found, its_stories = app.store.stories.topic(resolved)
    newest = sorted(its_stories, key=lambda story: (story.last_published_at, story.id), reverse=True)
    plot = topic_plot(newest, app.zone)
    drawn = {lane.id for lane in plot.lanes}
    others = [each for each in newest if each.id not in drawn]
    values = {"topic": found, "stories": newest, "others": others, "plot": plot, "stance": topic_stances(app).get(resolved)}
    return Page("topic", one_line(found.label), values)


# --- search ------------------------------------------------------------------------------------------------------------


def search(app: App, asked: Asked) -> Answer:
    found = find(app, asked) if asked["q"] else []
    story_of = app.store.stories.story_ids([item.id for item in found])
    values = {
        "items": found[: asked["limit"]],
        "more": len(found) > asked["limit"],
        "story_of": story_of,
        "titles": app.store.stories.titles(sorted(set(story_of.values()))),
        "feeds": [feed.name for feed in app.subscribed()],
    }
    return Page("search", f"Search: {asked['q']}" if asked["q"] else "Search", values)


def find(app: App, asked: Asked) -> list[Item]:
    """The items that a search finds, best first, of those that its filters let through: the filters see the best 500."""
    since = since_moment(app, asked["since"]) if asked["since"] else None
    until = span_period("1s", asked["until"], app.zone, app.clock()).to_at if asked["until"] else None
    wanted: dict[str, Any] = {"feed": asked["feed"], "language": asked["language"]}

    def passes(item: Item) -> bool:
        in_time = (since is None or item.published_at > since) and (until is None or item.published_at <= until)
        return in_time and all(not value or getattr(item, name) == value for name, value in wanted.items())

    return [item for item in app.store.items.search(asked["q"], FOUND) if passes(item)]


def item(app: App, asked: Asked) -> Answer:
    """An item's page is its place in its story."""
    home = app.store.stories.story_ids([asked["id"]]).get(asked["id"])
    if home is None:
        raise UsageError(f"item {asked['id']} is in no story (yet)")
    return Goto(f"/stories/{home}#item-{asked['id']}")
