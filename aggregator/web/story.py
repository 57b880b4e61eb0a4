"""One story: what it is, who told it when, why it is one story, and what can be put right about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aggregator.stories.explain import explain_story, mentioned
from aggregator.stories.timeline import first_report, has_sure_date, phase_at, publisher_lags, publisher_name
from aggregator.text import one_line
from aggregator.web.asked import Answer, Asked, Goto, Page
from aggregator.web.plots import story_plot

if TYPE_CHECKING:
    from aggregator.app import App
    from aggregator.model import Correction, Coverage


def story(app: App, asked: Asked) -> Answer:
    resolved = app.store.stories.resolve(asked["id"])
    if resolved != asked["id"]:
        return Goto(f"/stories/{resolved}")
    coverage = app.store.stories.story(resolved)
    values = _facts(app, coverage) | _reasons(app, coverage) | _marks(app, coverage)
    return Page("story", one_line(coverage.story.title), values)


def _facts(app: App, coverage: Coverage) -> dict[str, Any]:
    members = {member.item_id: member for member in coverage.memberships}
    first = first_report(coverage.items, members)
    topic_id = coverage.story.topic_id
    titles = app.store.stories.titles(coverage.story.related)
    return {
        "story": coverage.story,
        "items": coverage.items,
        "members": members,
        "publishers": {item.id: publisher_name(item) for item in coverage.items},
        "phase": phase_at(coverage.items, members, app.clock()),
        "first": first,
        "first_by": publisher_name(first) if first else "",
        "first_sure": first is not None and has_sure_date(first),
        "lags": publisher_lags(coverage.items, members),
        "plot": story_plot(coverage, app.zone),
        "topic": app.store.stories.topic(topic_id)[0] if topic_id is not None else None,
        "related": [(id_, titles[id_]) for id_ in coverage.story.related if id_ in titles],
    }


def _reasons(app: App, coverage: Coverage) -> dict[str, Any]:
    others = {item.id: item for item in app.store.items.get(mentioned(coverage.memberships))}
    return {"reasons": {each.item_id: each for each in explain_story(coverage, others)}}


def _marks(app: App, coverage: Coverage) -> dict[str, Any]:
    stances = {app.store.stories.resolve(each.mark.target_id): each.mark.stance for each in reversed(app.marking.list("story"))}
    return {
        "stance": stances.get(coverage.story.id),
        "starred": {each.mark.target_id for each in app.marking.list("item")},
        "corrections": _corrections(app, coverage),
    }


def _corrections(app: App, coverage: Coverage) -> list[Correction]:
    """Those that named the story, and those that placed one of its items; the newest first."""
    items = {item.id for item in coverage.items}
    found = reversed(app.store.corrections.all())
    return [each for each in found if coverage.story.id in each.story_ids or not items.isdisjoint(each.placed)]
