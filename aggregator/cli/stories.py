"""`aggregator stories`: what was grouped, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aggregator.cli import corrections, explaining
from aggregator.cli.common import echo_json, json_option, note, pass_app, print_table
from aggregator.times import iso

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.app import App
    from aggregator.model import Coverage, Item, Membership, Story


@click.group()
def stories() -> None:
    """List, show and explain stories: the items about one event.

    \b
    Examples:
      aggregator stories list                 the stories with the newest items
      aggregator stories list --topic 12      only those of topic 12
      aggregator stories show 345             its items, publishers and related stories
      aggregator stories explain 345          why each item is in it
      aggregator stories merge 345 350        these are one event; split, move, --undo
      aggregator stories rebuild              group anew, with the settings of today
      aggregator stories list --json          for scripts
    """


@stories.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Number of stories.")
@click.option("--topic", type=int, metavar="ID", help="Only the stories of this topic.")
@click.option("--since", metavar="TIME", help="Only stories with an item since then: 24h, 7d, or 2023-12-27T18:00.")
@json_option
@pass_app
def list_stories(app: App, limit: int, topic: int | None, since: str | None, as_json: bool) -> None:
    """List stories, those with the newest items first."""
    found = app.store.stories.stories(limit=limit, topic_id=topic, since=_moment(app, since) if since else None)
    if as_json:
        echo_json({"version": 1, "stories": [story_to_json(story) for story in found]})
        return
    if not found:
        note(app.next_step() or "No story matches; `aggregator stories list` without options shows the newest.")
        return
    rows = [(str(story.id), story.title, str(story.sources), str(story.item_count), _when(app, story.last_published_at)) for story in found]
    print_table(("ID", "TITLE", "PUBLISHERS", "ITEMS", "LAST SEEN"), rows)


@stories.command("show")
@click.argument("story_id", metavar="ID", type=int)
@json_option
@pass_app
def show_story(app: App, story_id: int, as_json: bool) -> None:
    """Show a story and its items, oldest first. The id of a merged story leads to the one it became part of."""
    coverage = app.store.stories.story(story_id)
    titles = app.store.stories.titles(coverage.story.related)
    if as_json:
        echo_json({"version": 1, "story": story_to_json(coverage.story), "items": _items_to_json(coverage)})
        return
    _print_story(app, coverage.story, titles)
    click.echo()
    scores = {membership.item_id: membership for membership in coverage.memberships}
    rows = [
        (str(item.id), _when(app, item.published_at), item.publisher or item.feed, item.title, _mark(scores.get(item.id)), item.link or "–")
        for item in coverage.items
    ]
    print_table(("ITEM", "PUBLISHED", "PUBLISHER", "TITLE", "SCORE", "LINK"), rows)


@stories.command("explain")
@click.argument("story_id", metavar="ID", type=int)
@click.argument("items", metavar="[ITEM [ITEM]]", type=int, nargs=-1)
@click.option("--item", "item_id", type=int, metavar="ID", help="Only this item (the same as ITEM).")
@click.option("--what-if", "thresholds", metavar="NAME=VALUE", multiple=True, help="What the story would be at threshold=, merge=.")
@json_option
@pass_app
def explain_story(app: App, story_id: int, items: tuple[int, ...], item_id: int | None, thresholds: tuple[str, ...], as_json: bool) -> None:
    """Say why each item is in the story: the rule, the figures, the shared words and the nearest items.

    \b
    Examples:
      aggregator stories explain 42                            why each item is in it
      aggregator stories explain 42 1007                       why this one is, or is not
      aggregator stories explain 42 1007 1009                  how alike these two are
      aggregator stories explain 42 --what-if threshold=0.30   what it would be at another threshold
    """
    from aggregator.stories import explain

    coverage = app.store.stories.story(story_id)
    items = (*items, *([item_id] if item_id is not None else []))
    if explaining.elsewhere(app, coverage, items, thresholds, as_json):
        return
    others: dict[int, Item] = {item.id: item for item in app.store.items.get(explain.mentioned(coverage.memberships))}
    found = explain.explain_story(coverage, others, *items)
    if as_json:
        echo_json({"version": 1, "story": coverage.story.id, "items": [explain.to_json(each) for each in found]})
        return
    click.echo(f"{coverage.story.title}  (story {coverage.story.id})")
    for each in found:
        click.echo()
        for line in explain.to_lines(each):
            click.echo(line)


corrections.add_to(stories)
explaining.add_to(stories)


def story_to_json(story: Story) -> dict[str, Any]:
    """Stable keys, version 1."""
    return {
        "id": story.id,
        "title": story.title,
        "brief": story.brief,
        "keywords": list(story.keywords),
        "language": story.language,
        "topic": story.topic_id,
        "items": story.item_count,
        "sources": story.sources,
        "related": list(story.related),
        "first_published": iso(story.first_published_at),
        "last_published": iso(story.last_published_at),
    }


def _items_to_json(coverage: Coverage) -> list[dict[str, Any]]:
    found = {membership.item_id: membership for membership in coverage.memberships}
    return [
        {
            "id": item.id,
            "title": item.title,
            "link": item.link,
            "feed": item.feed,
            "publisher": item.publisher,
            "published": iso(item.published_at),
            "score": found[item.id].score if item.id in found else None,
            "rule": found[item.id].rule if item.id in found else None,
            "copy_of": found[item.id].copy_of if item.id in found else None,
        }
        for item in coverage.items
    ]


def _print_story(app: App, story: Story, titles: dict[int, str]) -> None:
    click.echo(f"{story.title}  (story {story.id})")
    if story.brief:
        click.echo(story.brief)
    if story.keywords:
        click.echo("Keywords: " + ", ".join(story.keywords))
    publishers = "1 independent publisher" if story.sources == 1 else f"{story.sources} independent publishers"
    click.echo(f"{publishers}, {_when(app, story.first_published_at)} to {_when(app, story.last_published_at)}")
    if story.topic_id is not None:
        topic, _ = app.store.stories.topic(story.topic_id)
        click.echo(f"Topic: {topic.label}  (topic {topic.id})")
    for other in story.related:
        if other in titles:
            click.echo(f"Related: {titles[other]}  (story {other})")


def _mark(membership: Membership | None) -> str:
    """How an item came in: its score, or the word for what is no score."""
    if membership is None:
        return "–"
    words = {"new": "first", "round-up": "alone"}
    return words.get(membership.rule) or f"{membership.score:.2f} {membership.rule}"


def _moment(app: App, text: str) -> datetime:
    """An ISO time, or a duration before now."""
    from datetime import timedelta

    from aggregator.times import parse_duration, parse_moment

    try:
        return app.clock() - timedelta(seconds=parse_duration(text))
    except ValueError:
        try:
            return parse_moment(text, app.zone)
        except ValueError as error:
            raise click.BadParameter(f"{error}, or a duration such as 24h or 7d", param_hint="--since") from None


def _when(app: App, moment: datetime) -> str:
    """A moment in the reader's zone."""
    from zoneinfo import ZoneInfo

    return moment.astimezone(ZoneInfo(app.zone)).strftime("%Y-%m-%d %H:%M")
