"""`aggregator doctor`: what is wrong with this installation, and what to do about it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from aggregator.cli.common import echo_json, json_option, pass_app

if TYPE_CHECKING:
    from aggregator.app import App


@click.command()
@click.option("--offline", is_flag=True, help="Ask nothing of the network.")
@json_option
@pass_app
def doctor(app: App, offline: bool, as_json: bool) -> int:
    """Check settings, feed list, database, disk, clock, secrets, network, broker, daemon and feeds, and say what to do.

    \b
    Examples:
      aggregator doctor
      aggregator doctor --offline --json

    \b
    Exit codes: 0 nothing is broken, 1 something is (warnings alone are no fault).
    """
    from aggregator.doctor import Doctor

    findings = []
    for finding in Doctor(app, os.environ, network=not offline).examine():
        findings.append(finding)
        if not as_json:
            click.echo(f"{finding.state:8} {finding.check}: {finding.says}" + (f". To do: {finding.cure}" if finding.cure else ""))
    if as_json:
        checks = [{"check": each.check, "state": each.state, "says": each.says, "cure": each.cure or None} for each in findings]
        echo_json({"version": 1, "checks": checks})
    return 1 if any(each.state == "fault" for each in findings) else 0
