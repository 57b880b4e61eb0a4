"""The JSON that other programs read and send. Keys are those of the command line's --json (version 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aggregator.cli.corrections import corrected_to_json, correction_to_json
from aggregator.cli.feeds import added_json, status_json
from aggregator.cli.items import whole_item_json
from aggregator.cli.marking import mark_to_json
from aggregator.cli.search import items_to_json, stories_to_json
from aggregator.cli.status import to_json as status_to_json
from aggregator.cli.stories import story_to_json
from aggregator.cli.story_page import items_to_json as story_items_to_json
from aggregator.cli.story_page import life_to_json
from aggregator.cli.suggestions import card_json, cards_of, suggestion_json, suggestions_of
from aggregator.cli.topics import newest_first, topic_to_json
from aggregator.digest.period import day_period, span_period
from aggregator.digest.to_json import to_object
from aggregator.errors import NotFoundError, UsageError
from aggregator.stories.explain import explain_story, mentioned
from aggregator.stories.explain import to_json as reason_to_json
from aggregator.web import changes, reading
from aggregator.web.asked import Answer, Asked, Json

if TYPE_CHECKING:
    from aggregator.app import App


def _json(**values: Any) -> Json:
    return Json({"version": 1, **values})


# --- reading -----------------------------------------------------------------------------------------------------------


def digest(app: App, asked: Asked) -> Answer:
    if asked["day"]:
        period = day_period(asked["day"], app.zone, app.clock())
    else:
        period = span_period(asked["since"], asked["until"] or None, app.zone, app.clock())
    return Json(to_object(reading.make_digest(app, asked, period)))


def stories(app: App, asked: Asked) -> Answer:
    since = reading.since_moment(app, asked["since"]) if asked["since"] else None
    found = app.stories(limit=asked["limit"], topic=asked["topic"], since=since, phase=asked["phase"])
    return _json(stories=[story_to_json(story) | {"phase": phase} for story, phase in found])


def story(app: App, asked: Asked) -> Answer:
    coverage = app.store.stories.story(asked["id"])
    life = life_to_json(coverage, app.clock())
    return _json(story=story_to_json(coverage.story) | {"phase": life["phase"]}, items=story_items_to_json(coverage), **life)


def explain(app: App, asked: Asked) -> Answer:
    coverage = app.store.stories.story(asked["id"])
    others = {item.id: item for item in app.store.items.get(mentioned(coverage.memberships))}
    return _json(story=coverage.story.id, items=[reason_to_json(each) for each in explain_story(coverage, others)])


def topics(app: App, asked: Asked) -> Answer:
    return _json(topics=[topic_to_json(topic) for topic in app.store.stories.topics(limit=asked["limit"] or None)])


def topic(app: App, asked: Asked) -> Answer:
    found, its_stories = app.store.stories.topic(app.store.stories.resolve_topic(asked["id"]))
    return _json(topic=topic_to_json(found), stories=[story_to_json(story) for story in newest_first(its_stories)])


def item(app: App, asked: Asked) -> Answer:
    found = app.store.items.get([asked["id"]])
    if not found:
        raise NotFoundError(f"there is no item {asked['id']}")
    return _json(item=whole_item_json(app, found[0]))


def search(app: App, asked: Asked) -> Answer:
    if not asked["q"]:
        raise UsageError("q is missing: the words to search for")
    found = reading.find(app, asked)[: asked["limit"]]
    story_of = app.store.stories.story_ids([item.id for item in found])
    return _json(query=asked["q"], items=items_to_json(found, story_of), stories=stories_to_json(app, found, story_of))


def feeds(app: App, asked: Asked) -> Answer:
    return _json(feeds=[status_json(each) for each in app.feed_status()])


def feed(app: App, asked: Asked) -> Answer:
    (found,) = app.feed_status([asked["name"]])
    return _json(feed=status_json(found))


def report(app: App, asked: Asked) -> Answer:
    return _json(days=asked["days"], feeds=[card_json(card) for card in cards_of(app, asked["days"]).values()])


def suggest(app: App, asked: Asked) -> Answer:
    return _json(days=asked["days"], suggestions=[suggestion_json(each) for each in suggestions_of(app, asked["days"])])


def status(app: App, asked: Asked) -> Answer:
    return Json(status_to_json(app.upkeep.status()))


def corrections(app: App, asked: Asked) -> Answer:
    return _json(corrections=[correction_to_json(each) for each in app.store.corrections.all()[::-1]])


def marks(app: App, asked: Asked) -> Answer:
    return _json(marks=[mark_to_json(each) for kind in ("topic", "story", "item") for each in app.marking.list(kind)])


# --- changing ----------------------------------------------------------------------------------------------------------


def merge(app: App, asked: Asked) -> Answer:
    return Json(corrected_to_json(app.correcting(dry_run=bool(asked["dry_run"])).merge(asked["stories"])))


def split(app: App, asked: Asked) -> Answer:
    return Json(corrected_to_json(app.correcting(dry_run=bool(asked["dry_run"])).split(asked["id"], asked["items"])))


def move(app: App, asked: Asked) -> Answer:
    return Json(corrected_to_json(app.correcting(dry_run=bool(asked["dry_run"])).move(asked["items"], asked["to"])))


def undo(app: App, asked: Asked) -> Answer:
    correcting = app.correcting(dry_run=bool(asked["dry_run"]))
    return Json(corrected_to_json(correcting.undo(asked["verb"], asked["stories"], asked["items"])))


def mark(app: App, asked: Asked) -> Answer:
    changes.put_mark(app.marking, asked["kind"], asked["id"], asked["stance"])
    return marks(app, asked)


def add_feed(app: App, asked: Asked) -> Answer:
    dry_run = bool(asked["dry_run"])
    return Json(added_json(app.add_feed(changes.draft(asked), dry_run=dry_run), dry_run))


def switch_feed(app: App, asked: Asked) -> Answer:
    changes.switch(app, asked)
    return feed(app, asked)
