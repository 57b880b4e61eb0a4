"""`aggregator status`: what runs, what is next, what fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aggregator.cli.common import echo_json, json_option, pass_app
from aggregator.times import ago, iso

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.app import App
    from aggregator.status import Status, TeamStatus


@click.command()
@click.option("--check", is_flag=True, help="Print nothing; exit 0 when the daemon runs, 1 when it does not.")
@json_option
@pass_app
def status(app: App, check: bool, as_json: bool) -> int:
    """Say whether the daemon runs, when the next poll and digest are, which feeds fail, and how the workers are where there are any.

    \b
    Examples:
      aggregator status
      aggregator status --json
    """
    if check:
        return 0 if app.locks.daemon_process() is not None else 1
    found = app.upkeep.status()
    if as_json:
        echo_json(to_json(found))
        return 0
    for line in to_lines(found, app.clock()):
        click.echo(line)
    return 0


def to_json(found: Status) -> dict[str, object]:
    """The status as `status --json` prints it."""

    def time(moment: datetime | None) -> str | None:
        return iso(moment) if moment else None

    digests = [{"name": each.name, "last": time(each.last_at), "next": time(each.next_at)} for each in found.digests]
    return {
        "version": 1,
        "daemon": {"running": found.daemon_process is not None, "process": found.daemon_process},
        "feeds": {"total": found.feeds, "enabled": found.enabled, "due": found.due, "failing": len(found.failing)},
        "next_poll": time(found.next_poll_at),
        "last_poll": time(found.last_poll_at),
        "items": {"total": found.items, "unsorted": found.unsorted},
        "lag_seconds": round(found.lag_seconds),
        "digest": digests[0] if digests else None,
        "digests": digests,
        "waiting": [
            {"digest": each.name, "target": each.target, "attempts": each.attempts, "error": each.error, "next_try": time(each.next_try_at)}
            for each in found.waiting
        ],
        "failing": [
            {"name": each.name, "error": each.error, "since": time(each.since_at), "streak": each.streak} for each in found.failing
        ],
        "database": found.database,
        "database_bytes": found.database_bytes,
        "feed_list": found.feed_list,
        "team": _team_json(found.team) if found.team else None,
    }


def _team_json(team: TeamStatus) -> dict[str, object]:
    return {
        "broker": team.broker,
        "error": team.error,
        "workers": [
            {
                "name": each.name,
                "alive": team.is_alive(each),
                "queues": each.queues,
                "since": iso(each.started_at),
                "seen": iso(each.seen_at),
                "silent_seconds": round(each.silent_seconds, 1),
                "doing": each.doing or None,
                "done": each.done,
            }
            for each in team.workers
        ],
        "queues": [{"name": each.name, "waiting": each.waiting, "unacked": each.unacked, "dead": each.dead} for each in team.queues],
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
        *(f"Digest      “{each.name}”: last {when(each.last_at, 'never')}, next {when(each.next_at, 'never')}" for each in found.digests),
        f"Database    {found.database}, {found.database_bytes / 1e6:.1f} MB",
    ]
    if found.team is not None:
        lines += _team_lines(found.team)
    if not found.digests:
        lines.insert(5, "Digest      none; the setting digest.enabled switches one on")
    if found.waiting:
        lines.append("Undelivered the daemon tries these again")
        lines += [
            f"  {each.name} to {each.target}: {each.error or 'not tried yet'}; next try {when(each.next_try_at, 'now')}"
            for each in found.waiting
        ]
    if found.failing:
        lines.append("Failing     `aggregator feeds status` says more")
        lines += [f"  {each.name}: {each.error}{f' ({each.streak} times in a row)' if each.streak > 1 else ''}" for each in found.failing]
    return lines


def _team_lines(team: TeamStatus) -> list[str]:
    lines = [f"Broker      {team.broker}" + (f": {team.error}" if team.error else "")]
    for each in team.queues:
        taken = "" if each.unacked is None else f", {each.unacked} taken"
        lines.append(f"Queue       {each.name}: {each.waiting} waiting{taken}" + (f", {each.dead} given up" if each.dead else ""))
    for worker in team.workers:
        done = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in worker.done.items()) or "nothing done yet"
        state = worker.doing or "waits" if team.is_alive(worker) else "silent"
        heard = f"heard of {worker.silent_seconds:.0f} s ago"
        lines.append(f"Worker      {worker.name}: {state}, {heard}, since {iso(worker.started_at.replace(microsecond=0))}; {done}")
    return lines if team.workers else [*lines, "Worker      none; `aggregator worker` starts one"]
