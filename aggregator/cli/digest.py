"""`aggregator digest`: what a period brought, grouped."""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aggregator.cli.common import colour_wanted, echo_paged, json_option, note, pass_app, stdout_is_terminal, terminal_width
from aggregator.cli.completing import complete_tags, complete_topics
from aggregator.digest.period import check_zone, day_period, new_period, span_period
from aggregator.digest.render import FORMATS, render
from aggregator.errors import UsageError

if TYPE_CHECKING:
    from aggregator.app import App
    from aggregator.digest.terminal import Look
    from aggregator.model import Digest, Period

DEFAULT_NAME = "digest"


@dataclass(frozen=True)
class Asked:
    """The options of one call."""

    date: str | None
    since: str | None
    until: str | None
    new: bool
    name: str | None
    format: str | None
    output: str | None
    limit: int | None
    topic: int | None
    tag: str | None
    minutes: int | None
    languages: tuple[str, ...]
    match: str | None
    starred: bool
    zone: str | None
    dry_run: bool
    explain: bool
    no_pager: bool
    as_json: bool
    deliver: bool


@click.command()
@click.option("--date", metavar="DAY", help="A local day: 2023-12-27, today or yesterday.")
@click.option("--since", metavar="24h|TIME", help="From a time, or this long back from the end (default 24h).")
@click.option("--until", metavar="TIME", help="To a time (default now).")
@click.option("--new", is_flag=True, help="What arrived since the last delivered digest of that name; the first time, the last 24 hours.")
@click.option("--as", "name", metavar="NAME", help="The digest's name, for --new and --deliver.")
@click.option("--format", type=click.Choice(FORMATS), help="Default: terminal on a terminal, else plain.")
@click.option("--output", "-o", metavar="FILE", help="Write to a file, whole or not at all; - is stdout.")
@click.option("--limit", type=click.IntRange(min=0), help="Number of stories (default 30, setting digest.limit); 0 shows all.")
@click.option("--topic", type=int, metavar="ID", shell_complete=complete_topics, help="Only the stories of one topic.")
@click.option("--tag", metavar="TAG", shell_complete=complete_tags, help="Only stories that feeds with this tag tell.")
@click.option("--minutes", type=click.IntRange(min=0), help="As many stories as can be read in this time (setting digest.minutes; 0: any).")
@click.option("--language", "languages", multiple=True, metavar="CODE", help="Only stories in this language; may be given several times.")
@click.option("--match", metavar="QUERY", help='Only stories with all these words, "phrases" and /expressions/, and no -words.')
@click.option("--starred", is_flag=True, help="Only stories with a starred item.")
@click.option("--zone", metavar="ZONE", help="Time zone of --date, --since and --until and of the output, for example Europe/Warsaw.")
@click.option("--dry-run", is_flag=True, help="Print it, but deliver and mark nothing.")
@click.option("--explain", is_flag=True, help="Say at each story what its rank is made of, and its ids.")
@click.option("--no-pager", is_flag=True, help="Do not hand a long digest to $PAGER on a terminal.")
@click.option("--deliver", is_flag=True, help="Hand what is new to the targets of the settings instead of printing; implies --new.")
@json_option
@pass_app
def digest(app: App, /, **options: object) -> None:
    """Print the stories of a period, grouped into topics, the most important first.

    \b
    Examples:
      aggregator digest                                  the last 24 hours
      aggregator digest --date 2023-12-27 --zone Europe/Warsaw
      aggregator digest --new --as morning               what came since the last one of that name
      aggregator digest --since 7d --format markdown --output week.md
      aggregator digest --tag tech --limit 10 --explain
      aggregator digest --minutes 5                      as much as can be read in that time
      aggregator digest --match 'border -"El Paso"'      what has these words

    --date, --since and --until go by the time of publication, --new by the time of arrival. A complete write to stdout or
    --output with --new counts as delivered for that name, unless --dry-run.
    """
    asked = Asked(**options)  # type: ignore[arg-type]
    _check(asked)
    with app.naming(asked.name or DEFAULT_NAME) if _is_new(asked) else nullcontext():
        made = _make_and_hand_over(app, asked)
    if not made.stories:
        note(app.next_step() or _advice(_is_new(asked)))


def _is_new(asked: Asked) -> bool:
    return asked.new or asked.deliver


def _make_and_hand_over(app: App, asked: Asked) -> Digest:
    format, new = _format(asked), _is_new(asked)
    made = app.digest(
        _period(app, asked),
        by="arrived" if new else "published",
        name=asked.name or DEFAULT_NAME,
        limit=asked.limit,
        topic=asked.topic,
        tag=asked.tag,
        minutes=asked.minutes,
        languages=tuple(code.casefold() for code in asked.languages) or None,
        match=asked.match,
        starred=asked.starred or None,
    )
    if asked.deliver and not asked.dry_run:
        note(f"Delivered to {app.deliver_digest(made, format if asked.format or asked.as_json else None)}.")
        return made
    _put_out(app, asked, made, format)
    if new and not asked.dry_run:
        app.record_digest(made, format)
    return made


def _advice(arrived: bool) -> str:
    """What to do about an empty digest when there are feeds and items."""
    if arrived:
        return "Nothing came since the last digest of that name; `aggregator fetch` polls the feeds that are due."
    return "Try a longer period, for example `aggregator digest --since 7d`, or `aggregator fetch` first."


def _check(asked: Asked) -> None:
    periods = [name for name, given in (("--date", asked.date), ("--since", asked.since or asked.until), ("--new", asked.new)) if given]
    if len(periods) > 1:
        raise UsageError(f"{' and '.join(periods)} are two periods; give one of --date, --since (with --until) and --new")
    if asked.name and not (asked.new or asked.deliver):
        raise UsageError("--as names the digest of --new or --deliver; add one of them")
    if asked.as_json and asked.format not in (None, "json"):
        raise UsageError(f"--json and --format {asked.format} are two formats; give one")
    if asked.deliver and (asked.date or asked.since or asked.until):
        raise UsageError("--deliver hands over what is new for its name; for a period by hand use --output FILE")
    if asked.deliver and asked.output:
        raise UsageError("--deliver and --output are two places; give one")


def _period(app: App, asked: Asked) -> Period:
    zone, now = check_zone(asked.zone or app.zone), app.clock()
    if asked.date is not None:
        return day_period(asked.date, zone, now)
    if asked.new or asked.deliver:
        last = app.last_digest(asked.name or DEFAULT_NAME)
        return new_period(last.to_at if last else None, zone, now)
    return span_period(asked.since, asked.until, zone, now)


def _format(asked: Asked) -> str:
    if asked.as_json:
        return "json"
    if asked.format:
        return asked.format
    to_file = asked.deliver or asked.output not in (None, "-")
    return "plain" if to_file else default_format()


def default_format() -> str:
    """Terminal on a terminal that can do more than plain text, else plain."""
    return "terminal" if stdout_is_terminal() and os.environ.get("TERM") != "dumb" else "plain"


def terminal_look() -> Look:
    """The terminal as it is: width, colour unless NO_COLOR or TERM=dumb, OSC 8 links on terminals alone."""
    from aggregator.digest.terminal import Look

    links = stdout_is_terminal() and os.environ.get("TERM") != "dumb"
    return Look(width=terminal_width(), colour=colour_wanted(), links=links)


def _put_out(app: App, asked: Asked, made: Digest, format: str) -> None:
    """Write or print; comes back only when the write is complete."""
    to_file = asked.output not in (None, "-")
    look = terminal_look() if format == "terminal" and not to_file else None
    text = render(made, format, look=look, explain=asked.explain)
    if to_file:
        app.write_text(text, Path(asked.output or ""))
        note(f"Digest written to {asked.output}.")
        return
    # echo flushes: a reader who went away is noticed here, before the digest counts as delivered
    if format == "terminal" and not asked.no_pager:
        echo_paged(text)
    else:
        click.echo(text, nl=False)
