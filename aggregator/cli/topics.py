"""`aggregator topics`: the sagas that tie stories together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aggregator.cli import marking
from aggregator.cli.common import echo_json, json_option, note, pass_app, print_table
from aggregator.cli.completing import complete_topics
from aggregator.times import iso

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from aggregator.app import App
    from aggregator.model import Story, Topic


@click.group()
def topics() -> None:
    """List, show, follow and mute topics: sagas of several stories.

    \b
    Examples:
      aggregator topics list             the topics with the newest stories
      aggregator topics show 12          the stories of topic 12, newest first
      aggregator topics follow 12        its stories stand higher in digests; mute keeps them out
      aggregator topics list --json      for scripts
    """


@topics.command("list")
@click.option("--limit", type=click.IntRange(min=0), default=50, show_default=True, help="Number of topics; 0 shows all.")
@json_option
@pass_app
def list_topics(app: App, limit: int, as_json: bool) -> None:
    """List topics, those with the newest stories first.

    \b
    Examples:
      aggregator topics list
      aggregator topics list --limit 0 --json
    """
    found = app.store.stories.topics(limit=limit or None)
    if as_json:
        echo_json({"version": 1, "topics": [topic_to_json(topic) for topic in found]})
        return
    if not found:
        note("No topics yet; they come with the stories of `aggregator fetch`.")
        return
    marks = {marked.mark.target_id: marked.mark.stance for marked in app.marking.list("topic")}
    rows = [(*_row(app, topic), marks.get(topic.id, "")) for topic in found]
    print_table(("ID", "TOPIC", "STORIES", "FIRST SEEN", "LAST SEEN", "MARK"), rows)


def _row(app: App, topic: Topic) -> tuple[str, ...]:
    first, last = _when(app, topic.first_published_at), _when(app, topic.last_published_at)
    return str(topic.id), topic.label, str(topic.story_count), first, last


@topics.command("show")
@click.argument("topic_id", metavar="ID", type=int, shell_complete=complete_topics)
@json_option
@pass_app
def show_topic(app: App, topic_id: int, as_json: bool) -> None:
    """Show a topic and its stories, newest first. The id of a merged topic leads to the one it became part of.

    \b
    Examples:
      aggregator topics show 12
      aggregator topics show 12 --json
    """
    topic, stories = app.store.stories.topic(app.store.stories.resolve_topic(topic_id))
    if as_json:
        echo_json({"version": 1, "topic": topic_to_json(topic), "stories": [_story_to_json(story) for story in _newest_first(stories)]})
        return
    click.echo(f"{topic.label}  (topic {topic.id})")
    if topic.keywords:
        click.echo("Keywords: " + ", ".join(topic.keywords))
    click.echo(f"{_when(app, topic.first_published_at)} to {_when(app, topic.last_published_at)}")
    rows = [(str(story.id), story.title, str(story.sources), _when(app, story.last_published_at)) for story in _newest_first(stories)]
    if rows:
        click.echo()
        print_table(("STORY", "TITLE", "PUBLISHERS", "LAST SEEN"), rows)


marking.add_to(topics, "topic")


def topic_to_json(topic: Topic) -> dict[str, Any]:
    """Stable keys, version 1."""
    return {
        "id": topic.id,
        "label": topic.label,
        "keywords": list(topic.keywords),
        "stories": topic.story_count,
        "first_published": iso(topic.first_published_at) if topic.first_published_at else None,
        "last_published": iso(topic.last_published_at) if topic.last_published_at else None,
    }


def _story_to_json(story: Story) -> dict[str, Any]:
    return {
        "id": story.id,
        "title": story.title,
        "brief": story.brief,
        "keywords": list(story.keywords),
        "items": story.item_count,
        "sources": story.sources,
        "first_published": iso(story.first_published_at),
        "last_published": iso(story.last_published_at),
    }


def _newest_first(stories: Sequence[Story]) -> list[Story]:
    return sorted(stories, key=lambda story: (story.last_published_at, story.id), reverse=True)


def _when(app: App, moment: datetime | None) -> str:
    """A moment in the reader's zone; a dash when it is not known."""
    from zoneinfo import ZoneInfo

    return moment.astimezone(ZoneInfo(app.zone)).strftime("%Y-%m-%d %H:%M") if moment else "–"
