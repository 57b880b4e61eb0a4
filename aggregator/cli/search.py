"""`aggregator search`: items by their words, and the stories they are in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from aggregator.cli.common import echo_json, json_option, note, pass_app, print_table
from aggregator.cli.items import item_json
from aggregator.errors import UsageError

if TYPE_CHECKING:
    from aggregator.app import App
    from aggregator.model import Item

# -hamas is an unwanted word here, so there are no short options, not even -h
_SETTINGS = {"ignore_unknown_options": True, "help_option_names": ["--help"]}


@click.command(context_settings=_SETTINGS)
@click.argument("query", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Number of items.")
@click.option("--stories", is_flag=True, help="List the stories that the items are in instead of the items.")
@json_option
@pass_app
def search(app: App, query: tuple[str, ...], limit: int, stories: bool, as_json: bool) -> None:
    """Find items by the words of their title and summary, best first, and the stories they are in.

    All words must be there, in any case and with or without accents. "two words" in quotes stand together, -word must not
    be there, and pre* is the beginning of a word.

    \b
    Examples:
      aggregator search mexico caravan
      aggregator search '"mexico city" -football migra*'
      aggregator search blinken --stories --json
    """
    mistaken = [word for word in query if word.startswith("--") and len(word) > 2]
    if mistaken:
        raise UsageError(f"there is no option {mistaken[0]}; `aggregator search --help` shows them")
    words = " ".join(query)
    found = app.store.items.search(words, limit)
    story_of = app.store.stories.story_ids([item.id for item in found])
    if as_json:
        echo_json({"version": 1, "query": words, "items": items_to_json(found, story_of), "stories": stories_to_json(app, found, story_of)})
    elif not found:
        note(f"Nothing holds all of: {words}. Fewer words, or the beginning of one as in migra*, find more.")
    elif stories:
        rows: list[tuple[str, ...]] = [
            (str(each["id"]), str(each["found"]), each["title"]) for each in stories_to_json(app, found, story_of)
        ]
        print_table(("STORY", "FOUND", "TITLE"), rows)
    else:
        print_table(("PUBLISHED", "ITEM", "STORY", "PUBLISHER", "TITLE", "LINK"), [_row(item, story_of, app.zone) for item in found])


def items_to_json(found: list[Item], story_of: dict[int, int]) -> list[dict[str, Any]]:
    return [item_json(item) | {"story": story_of.get(item.id)} for item in found]


def stories_to_json(app: App, found: list[Item], story_of: dict[int, int]) -> list[dict[str, Any]]:
    """The stories of the items, the one with the best item first; `found` counts the items that were found."""
    counts: dict[int, int] = {}
    for item in found:
        if item.id in story_of:
            counts[story_of[item.id]] = counts.get(story_of[item.id], 0) + 1
    titles = app.store.stories.titles(list(counts))
    return [{"id": id_, "title": titles.get(id_, ""), "found": count} for id_, count in counts.items()]


def _row(item: Item, story_of: dict[int, int], zone: str) -> tuple[str, ...]:
    published = item.published_at.astimezone(ZoneInfo(zone))
    return (
        f"{published:%Y-%m-%d %H:%M}",
        str(item.id),
        str(story_of.get(item.id, "")),
        item.publisher,
        item.title,
        item.link or "",
    )
