"""`aggregator feeds suggest` and `feeds report`: what the feed list could gain or lose, and what each feed is worth."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from aggregator.cli.common import echo_json, json_option, note, pass_app, print_table
from aggregator.cli.completing import complete_feeds
from aggregator.errors import NotFoundError
from aggregator.times import ago, iso

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.app import App
    from aggregator.suggesting import Card, Suggestion

HEADINGS = {
    "dead": "Dead feeds",
    "same": "Feeds that bring the same",
    "nothing-own": "Feeds that add nothing of their own",
    "add": "Sites that your feeds link to",
}
days_option = click.option("--days", type=click.IntRange(1, 365), default=30, show_default=True, help="How many days back.")


@click.command(short_help="Say what the feed list could gain or lose.")
@days_option
@json_option
@pass_app
def suggest(app: App, days: int, as_json: bool) -> None:
    """Say what the feed list could gain or lose: dead feeds, feeds that bring the same, feeds that add nothing of their own, and
    sites that your feeds link to. Nothing is fetched, nothing is changed; each line ends with the command that would.

    \b
    Examples:
      aggregator feeds suggest
      aggregator feeds suggest --days 90
      aggregator feeds suggest --json
    """
    found = suggestions_of(app, days)
    if as_json:
        echo_json({"version": 1, "days": days, "suggestions": [suggestion_json(each) for each in found]})
        return
    if not found:
        note(f"Nothing to suggest after {days} days of {len(app.subscribed())} feeds; `aggregator feeds report` shows a card for each.")
    for kind, heading in HEADINGS.items():
        lines = [each for each in found if each.kind == kind]
        if lines:
            click.echo(f"{heading}:")
            for each in lines:
                click.echo(f"  {each.subject}: {each.reason}\n    {each.command}")


@click.command(short_help="Show what each feed is worth.")
@click.argument("names", nargs=-1, shell_complete=complete_feeds)
@days_option
@json_option
@pass_app
def report(app: App, names: tuple[str, ...], days: int, as_json: bool) -> None:
    """Show a report card for each feed (or the NAMEd ones): how much it brought, how much of that others told too, how often it
    was first, how late it usually is, and how many stories nobody told before it. Those with the most of their own come first.

    \b
    Examples:
      aggregator feeds report
      aggregator feeds report bbc-world npr-news --days 90
      aggregator feeds report --json
    """
    cards = cards_of(app, days)
    unknown = [name for name in names if name not in cards]
    if unknown:
        from aggregator.feeds.feedlist import unknown_feed

        raise NotFoundError(unknown_feed(unknown[0], cards))
    chosen = sorted((cards[name] for name in (names or cards)), key=lambda card: (-card.own, -card.items, card.name))
    if as_json:
        echo_json({"version": 1, "days": days, "feeds": [card_json(card) for card in chosen]})
        return
    if not chosen:
        note(f"There are no feeds in {app.feed_list.path}; `aggregator feeds add URL` subscribes to one.")
        return
    headings = ("NAME", "ITEMS", "LAST", "STORIES", "SHARED", "FIRST", "HOURS LATE", "COPIES", "ELSEWHERE", "OWN")
    print_table(headings, [_row(card, app.clock()) for card in chosen])


def suggestions_of(app: App, days: int, cards: Mapping[str, Card] | None = None) -> list[Suggestion]:
    """What the last `days` days suggest; `cards` of them where they were made already."""
    from aggregator.suggesting import suggest as find

    now = app.clock()
    since = now - timedelta(days=days)
    feeds, states, figures = app.subscribed(), app.store.feeds.states(), app.store.figures
    cards = cards_of(app, days) if cards is None else cards
    return list(find(feeds, states, cards, figures.appearances(since, now), figures.markup(since, now), now, days))


def cards_of(app: App, days: int) -> dict[str, Card]:
    """By feed, of the last `days` days."""
    from aggregator.suggesting import make_cards

    now = app.clock()
    since = now - timedelta(days=days)
    names = [feed.name for feed in app.subscribed()]
    return make_cards(app.store.stories.coverage(since, now), app.store.figures.appearances(since, now), names, since)


def _row(card: Card, now: datetime) -> Sequence[str]:
    late = "" if card.delay_hours is None else f"{card.delay_hours:.1f}"
    last = ago(card.newest_at, now) if card.newest_at else "never"
    return (
        card.name,
        str(card.items),
        last,
        *map(str, (card.stories, card.shared, card.first)),
        late,
        str(card.copies),
        str(card.elsewhere),
        str(card.own),
    )


def card_json(card: Card) -> dict[str, Any]:
    keys = ("name", "items", "stories", "shared", "first", "copies", "elsewhere", "own")
    delay = None if card.delay_hours is None else round(card.delay_hours, 2)
    return {key: getattr(card, key) for key in keys} | {"newest": iso(card.newest_at) if card.newest_at else None, "hours_late": delay}


def suggestion_json(each: Suggestion) -> dict[str, Any]:
    return {"kind": each.kind, "subject": each.subject, "reason": each.reason, "command": each.command}


def add_to(group: click.Group) -> None:
    group.add_command(suggest)
    group.add_command(report)
