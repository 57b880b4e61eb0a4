"""`aggregator db`: care for the database."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aggregator.cli.common import (
    can_ask,
    counting,
    dry_run_option,
    echo_json,
    json_option,
    note,
    pass_app,
    print_table,
    session,
    yes_option,
)
from aggregator.errors import UsageError
from aggregator.times import iso, parse_duration, parse_moment

if TYPE_CHECKING:
    from aggregator.app import App
    from aggregator.model import StoreStats


@click.group()
def db() -> None:
    """Check, back up, prune, upgrade and move the database.

    \b
    Examples:
      aggregator db stats
      aggregator db backup ~/aggregator-copy.db
      aggregator db prune --older-than 90d --dry-run
    """


@db.command()
@json_option
@pass_app
def upgrade(app: App, as_json: bool) -> None:
    """Bring the database to this program's schema. Every command does so by itself; this one says what was done.

    \b
    Example:
      aggregator db upgrade
    """
    done = app.store.maintenance.upgrade
    if as_json:
        echo_json({"version": 1, "before": done.before, "after": done.after, "copy": str(done.copy) if done.copy else None})
    elif done.changed:
        kept = f"; the database as it was is kept as {done.copy}" if done.copy else ""
        click.echo(f"Upgraded from revision {done.before} to {done.after}{kept}.")
    else:
        click.echo(f"Nothing to do: the database is at revision {done.after}.")


@db.command()
@click.option("--repair", is_flag=True, help="Mend what is found, after a copy of the database as it was.")
@json_option
@pass_app
def check(app: App, repair: bool, as_json: bool) -> int:
    """Look for damage: pages, references, memberships, stories without items, the search index.

    \b
    Examples:
      aggregator db check
      aggregator db check --repair

    \b
    Exit codes: 0 all is well (now), 1 something is wrong.
    """
    copy: Path | None = None
    mended: list[str] = []
    problems = app.store.maintenance.check()
    if problems and repair:
        copy, mended = app.upkeep.repair()
        problems = app.store.maintenance.check()
    if as_json:
        echo_json({"version": 1, "problems": problems, "mended": mended, "copy": str(copy) if copy else None})
        return 1 if problems else 0
    for sentence in (*mended, *problems):
        click.echo(sentence)
    if copy:
        note(f"The database as it was is kept as {copy}.")
    if not problems:
        note("The database is in order.")
    elif not repair:
        note("`aggregator db check --repair` mends what can be mended.")
    return 1 if problems else 0


@db.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@json_option
def move(source: str, target: str, as_json: bool) -> None:
    """Copy everything from one database into another, new one, of whatever kind: FROM and TO are files or database URLs.

    Every row keeps its id, so that links to stories and items go on working. All of it is read back and compared before the one
    transaction ends; whatever goes wrong, TO stays empty. FROM is left as it is. The daemon must not run meanwhile.

    \b
    Examples:
      aggregator db move aggregator.db postgresql+psycopg://news@db.example/news
      aggregator db move postgresql+psycopg://news@db.example/news copy.db
    """
    from aggregator.app import App

    def opened(database: str) -> App:
        given = session()
        return App.from_options(config=given.config, database=database, now=given.now, speed=given.speed)

    with opened(source) as before, opened(target) as after, counting("rows copied") as progress:
        done = before.upkeep.move_to(after, progress)
        names = before.store.name, after.store.name
    if done.replaced:
        note(f"{done.replaced} texts held the character NUL, which PostgreSQL cannot hold; it became U+FFFD.")
    if as_json:
        echo_json({"version": 1, "from": names[0], "to": names[1], "tables": done.tables, "rows": done.rows, "replaced": done.replaced})
    else:
        click.echo(f"{done.rows} rows of {done.tables} tables were copied from {names[0]} to {names[1]} and compared.")
    note("Now name the new database in the settings (database = …).")


@db.command()
@json_option
@pass_app
def stats(app: App, as_json: bool) -> None:
    """Show how many rows there are, the file's size, items a day, the oldest and the newest.

    \b
    Example:
      aggregator db stats --json
    """
    found = app.store.maintenance.stats()
    if as_json:
        echo_json(stats_json(found))
        return
    rows: list[tuple[str, ...]] = [(name.replace("_", " "), f"{count}") for name, count in found.rows.items()]
    rows += [("items waiting for a story", f"{found.unsorted}"), ("items a day", f"{found.items_per_day:.1f}")]
    rows += [("size", f"{found.file_bytes / 1e6:.1f} MB"), ("revision", found.revision), ("database", found.name)]
    rows += [("published", _span(found.oldest_published_at, found.newest_published_at))]
    rows += [("arrived", _span(found.oldest_arrived_at, found.newest_arrived_at))]
    print_table(("WHAT", "HOW MUCH"), rows)


def stats_json(found: StoreStats) -> dict[str, object]:
    """The figures as `db stats --json` prints them (version 1)."""
    moments = ("oldest_published_at", "newest_published_at", "oldest_arrived_at", "newest_arrived_at")
    return {
        "version": 1,
        "database": found.name,
        "revision": found.revision,
        "bytes": found.file_bytes,
        "rows": dict(found.rows),
        "unsorted": found.unsorted,
        "items_per_day": round(found.items_per_day, 2),
        **{name.removesuffix("_at"): iso(moment) if (moment := getattr(found, name)) else None for name in moments},
    }


def _span(first: datetime | None, last: datetime | None) -> str:
    return f"{iso(first)} to {iso(last)}" if first and last else "never"


@db.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@pass_app
def backup(app: App, file: Path | None) -> None:
    """Copy the database to FILE while it is in use, check the copy, then put it in place.

    Without FILE: in the folder “backups” beside the database, named by the day; the newest are kept (setting daemon.backups).

    \b
    Examples:
      aggregator db backup
      aggregator db backup /mnt/disk/aggregator.db
    """
    if file is None:
        file = app.upkeep.backup()
    else:
        app.store.maintenance.backup(file)
    click.echo(str(file))


@db.command()
@click.option("--older-than", metavar="DURATION", help="Items that arrived longer ago than this, for example 90d.")
@click.option("--before", metavar="TIME", help="Items that arrived before this time, for example 2023-10-01.")
@dry_run_option
@yes_option
@json_option
@pass_app
def prune(app: App, older_than: str | None, before: str | None, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Forget old items, by arrival, and the stories and topics that are left empty. Default: the setting retention.items.

    \b
    Examples:
      aggregator db prune --dry-run
      aggregator db prune --older-than 90d --yes
    """
    before_at = _before(app, older_than, before)
    would = app.store.maintenance.prune(before_at, dry_run=True)
    if session().no_input and not dry_run and not yes and would.items:
        raise UsageError(f"{would.items} items would be forgotten and nobody may be asked; add --yes")
    if not dry_run and not yes and would.items and can_ask():
        click.confirm(f"Forget {would.items} items that arrived before {iso(before_at)}?", abort=True, err=True)
    done = would if dry_run else app.store.maintenance.prune(before_at)
    if as_json:
        counts = {"items": done.items, "stories": done.stories, "topics": done.topics}
        echo_json({"version": 1, "before": iso(before_at), "dry_run": dry_run, **counts})
    else:
        verb = "Would forget" if dry_run else "Forgot"
        click.echo(f"{verb} {done.items} items, {done.stories} stories and {done.topics} topics from before {iso(before_at)}.")


def _before(app: App, older_than: str | None, before: str | None) -> datetime:
    if older_than and before:
        raise UsageError("--older-than and --before say the same thing; give one of them")
    try:
        if before:
            return parse_moment(before, app.zone)
        seconds = parse_duration(older_than) if older_than else float(app.settings.retention.items)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not seconds:
        raise UsageError("the setting retention.items keeps everything; say what to forget with --older-than, for example 90d")
    return app.clock() - timedelta(seconds=seconds)


@db.command()
@pass_app
def vacuum(app: App) -> None:
    """Give all free space back to the disk and build the search index anew. Takes as much free space as the database is large.

    The daemon gives back what a prune frees by itself.

    \b
    Example:
      aggregator db vacuum
    """
    before, after = app.store.maintenance.vacuum()
    click.echo(f"{before / 1e6:.1f} MB before, {after / 1e6:.1f} MB after.")
