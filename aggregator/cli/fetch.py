"""`aggregator fetch`: poll now, then group."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from aggregator.cli.common import SOME_FEEDS_FAILED, echo_json, json_option, note, pass_app, session, stderr_is_terminal, warn
from aggregator.cli.completing import complete_feeds
from aggregator.times import iso

if TYPE_CHECKING:
    from aggregator.app import App
    from aggregator.fulltext import PagesRead
    from aggregator.model import FeedOutcome


@click.command()
@click.argument("names", nargs=-1, shell_complete=complete_feeds)
@click.option("--force", is_flag=True, help="Poll before the interval is over: always conditional, never past a Retry-After.")
@click.option("--no-organise", is_flag=True, help="Store the items, but do not group them yet.")
@click.option("--ignore-failures", is_flag=True, help="Exit 0 even when some feeds failed.")
@json_option
@pass_app
def fetch(app: App, names: tuple[str, ...], force: bool, no_organise: bool, ignore_failures: bool, as_json: bool) -> int:
    """Poll the due feeds (or the NAMEd ones that are due), store what is new and group it into stories.

    \b
    Examples:
      aggregator fetch
      aggregator fetch bbc-world --force

    \b
    Exit codes: 0 done, 3 done but some feeds failed.
    """
    if lack := app.lack():
        warn(lack)
    read: list[PagesRead] = []
    outcomes = _poll(app, names, force, read.append)
    grouped = 0 if no_organise else app.organise()
    if as_json:
        pages = {"texts": sum(each.texts for each in read), "without": sum(each.without for each in read)}
        echo_json({"version": 1, "feeds": [to_json(outcome) for outcome in outcomes], "pages": pages, "organised": grouped})
    else:
        for each in read:
            if each.asked:
                note(f"{each.asked} pages read, {each.without} without a text.")
        _tell(outcomes, grouped, None if app.subscribed() else app.next_step())
    return SOME_FEEDS_FAILED if any(outcome.error for outcome in outcomes) and not ignore_failures else 0


def _poll(app: App, names: tuple[str, ...], force: bool, pages: Callable[[PagesRead], None]) -> list[FeedOutcome]:
    if session().quiet or not stderr_is_terminal():
        return app.fetch(names, force=force, organise=False, pages=pages)
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("polling"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("polling", total=None)
        return app.fetch(
            names,
            force=force,
            organise=False,
            heard=lambda _: progress.advance(task),
            planned=lambda count: progress.update(task, total=count),
            pages=pages,
        )


def _tell(outcomes: list[FeedOutcome], grouped: int, next_step: str | None) -> None:
    for outcome in outcomes:
        if outcome.error:
            warn(f"{outcome.name}: {outcome.error}")
    if not outcomes:
        organised = f"{grouped} items grouped. " if grouped else ""
        note(f"No feed is due. {organised}" + (next_step or "`aggregator feeds status` says when each is polled next; --force polls now."))
        return
    failed = sum(1 for outcome in outcomes if outcome.error)
    new, edited = sum(outcome.new for outcome in outcomes), sum(outcome.edited for outcome in outcomes)
    held = sum(1 for outcome in outcomes if outcome.outcome == "throttled" and not outcome.error)
    note(f"{len(outcomes) - held} feeds polled, {failed} failed; {new} new items, {edited} edited; {grouped} grouped.")
    if held:
        note(f"{held} feeds were held back, since their host did not answer or asked for a rest; `aggregator feeds status` says when next.")


def to_json(outcome: FeedOutcome) -> dict[str, object]:
    """The outcome of one poll as `fetch --json` prints it."""
    return {
        "name": outcome.name,
        "outcome": outcome.outcome,
        "status": outcome.status,
        "new": outcome.new,
        "edited": outcome.edited,
        "error": outcome.error,
        "next_poll": iso(outcome.next_poll_at) if outcome.next_poll_at else None,
    }
