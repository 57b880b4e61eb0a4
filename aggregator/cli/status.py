"""`aggregator status`: what runs, what is next, what fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aggregator.cli.common import echo_json, json_option, pass_app
from aggregator.times import ago, iso

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.app import App
    from aggregator.status import Status


@click.command()
@json_option
@pass_app
def status(app: App, as_json: bool) -> None:
    """Say whether the daemon runs, when the next poll and digest are, and which feeds fail.

    \b
    Examples:
      aggregator status
      aggregator status --json
    """
    found = app.status()
    if as_json:
        echo_json(to_json(found))
        return
    for line in to_lines(found, app.clock()):
        click.echo(line)


def to_json(found: Status) -> dict[str, object]:
    """The status as `status --json` prints it."""

    def time(moment: datetime | None) -> str | None:
        return iso(moment) if moment else None

    return {
        "version": 1,
        "daemon": {"running": found.daemon_process is not None, "process": found.daemon_process},
        "feeds": {"total": found.feeds, "enabled": found.enabled, "due": found.due, "failing": len(found.failing)},
        "next_poll": time(found.next_poll_at),
        "last_poll": time(found.last_poll_at),
        "items": {"total": found.items, "unsorted": found.unsorted},
        "digest": {"name": found.digest_name, "last": time(found.last_digest_at), "next": time(found.next_digest_at)},
        "failing": [{"name": name, "error": error, "since": time(since)} for name, error, since in found.failing],
        "database": found.database,
        "feed_list": found.feed_list,
    }


def to_lines(found: Status, now: datetime) -> list[str]:
    """The status for people, one fact a line."""

    def when(moment: datetime | None, never: str) -> str:
        return f"{iso(moment.replace(microsecond=0))} ({ago(moment, now)})" if moment else never

    running = f"running (process {found.daemon_process})" if found.daemon_process else "not running; `aggregator run` starts it"
    lines = [
        f"Daemon      {running}",
        f"Feeds       {found.feeds} in {found.feed_list}; {found.enabled} enabled, {found.due} due now, {len(found.failing)} failing",
        f"Last poll   {when(found.last_poll_at, 'never')}",
        f"Next poll   {when(found.next_poll_at, 'none')}",
        f"Items       {found.items}, {found.unsorted} not yet grouped",
        f"Digest      “{found.digest_name}”: last {when(found.last_digest_at, 'never')}, next {when(found.next_digest_at, 'switched off')}",
        f"Database    {found.database}",
    ]
    if found.failing:
        lines.append("Failing     `aggregator feeds status` says more")
        lines += [f"  {name}: {error}" for name, error, _ in found.failing]
    return lines
