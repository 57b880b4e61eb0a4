"""`aggregator stories`: what was grouped, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aggregator.cli import corrections, explaining, marking, story_page
from aggregator.cli.common import echo_json, json_option, note, pass_app, print_table
from aggregator.cli.completing import complete_stories, complete_topics
from aggregator.times import iso

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.app import App
    from aggregator.model import Item, Phase, Story


@click.group()
def stories() -> None:
    """List, show and explain stories: the items about one event.

    \b
    Examples:
      aggregator stories list                 the stories with the newest items
      aggregator stories list --topic 12      only those of topic 12
      aggregator stories list --phase growing what more and more publishers report on
      aggregator stories show 345             its phase, who told it first, its items and related stories
      aggregator stories explain 345          why each item is in it
      aggregator stories merge 345 350        these are one event; split, move, --undo
      aggregator stories follow 345           it stands higher in digests; mute keeps it out
      aggregator stories rebuild              group anew, with the settings of today
      aggregator stories list --json          for scripts
    """


@stories.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Number of stories.")
@click.option("--topic", type=int, metavar="ID", shell_complete=complete_topics, help="Only the stories of this topic.")
@click.option("--since", metavar="TIME", help="Only stories with an item since then: 24h, 7d, or 2023-12-27T18:00.")
@click.option("--phase", type=click.Choice(["new", "growing", "fading"]), help="Only stories that are in this phase now.")
@json_option
@pass_app
def list_stories(app: App, limit: int, topic: int | None, since: str | None, phase: Phase | None, as_json: bool) -> None:
    """List stories, those with the newest items first.

    A story is new for a day, unless it falls silent for 12 hours. After that it is growing while two or more independent
    publishers report on it in 12 hours, no fewer than in the 12 before; it is fading when they are half as many, or fewer than two.

    \b
    Examples:
      aggregator stories list --since 24h
      aggregator stories list --phase growing --limit 10
      aggregator stories list --topic 12 --json
    """
    found = app.stories(limit=limit, topic=topic, since=_moment(app, since) if since else None, phase=phase)
    if as_json:
        echo_json({"version": 1, "stories": [story_to_json(story) | {"phase": now} for story, now in found]})
        return
    if not found:
        note(app.next_step() or "No story matches; `aggregator stories list` without options shows the newest.")
        return
    rows = [
        (str(story.id), story.title, str(story.sources), str(story.item_count), now, story_page.when(app, story.last_published_at))
        for story, now in found
    ]
    print_table(("ID", "TITLE", "PUBLISHERS", "ITEMS", "PHASE", "LAST SEEN"), rows)


@stories.command("show")
@click.argument("story_id", metavar="ID", type=int, shell_complete=complete_stories)
@json_option
@pass_app
def show_story(app: App, story_id: int, as_json: bool) -> None:
    """Show a story: its phase, who reported it first, how late the others were, and its items, oldest first.

    The id of a merged story leads to the one it became part of.

    \b
    Examples:
      aggregator stories show 345
      aggregator stories show 345 --json
    """
    coverage = app.store.stories.story(story_id)
    if not as_json:
        story_page.print_story(app, coverage)
        return
    life = story_page.life_to_json(coverage, app.clock())
    story = story_to_json(coverage.story) | {"phase": life["phase"]}
    echo_json({"version": 1, "story": story, "items": story_page.items_to_json(coverage), **life})


@stories.command("explain")
@click.argument("story_id", metavar="ID", type=int, shell_complete=complete_stories)
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
marking.add_to(stories, "story")


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
