"""`aggregator run`: the daemon."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import click

from aggregator.cli.common import SOME_FEEDS_FAILED, pass_app, session

if TYPE_CHECKING:
    from aggregator.app import App
    from aggregator.daemon import Daemon


@click.command()
@click.option("--once", is_flag=True, help="One round (poll what is due, group, write a due digest), then exit.")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="Log lines as text or JSON (default: the setting).")
@click.option("--ignore-failures", is_flag=True, help="With --once: exit 0 even when some feeds failed.")
@pass_app
def run(app: App, once: bool, log_format: str | None, ignore_failures: bool) -> int:
    """Run the scheduler daemon in the foreground; SIGTERM or Ctrl-C stops it cleanly, SIGHUP reads the settings again.

    A changed aggregator.toml or feeds.toml is noticed without a signal, too. With the setting broker it only sends tasks, and
    `aggregator worker` processes do them; a second daemon then stands by until the first has ended.

    \b
    Examples:
      aggregator run
      aggregator run --once
      aggregator --now 2023-12-15T00:00Z --speed 3600 run      replay an archive as if live
    """
    from aggregator.daemon import Daemon
    from aggregator.logs import set_up_logging

    options = session()
    level = "debug" if options.verbose else "warning" if options.quiet else app.settings.log.level
    set_up_logging(log_format or app.settings.log.format, level)
    if app.settings.broker and not once:
        return _run(_sending(app))
    with app.locks.single_instance():
        if not once:
            return _run(Daemon(app))
        failed = [outcome for outcome in Daemon(app).once() if outcome.error]
    return SOME_FEEDS_FAILED if failed and not ignore_failures else 0


def _run(daemon: Daemon) -> int:
    if not daemon.run():
        leave()
    return 0


def _sending(app: App) -> Daemon:
    from aggregator.sending import SendingDaemon
    from aggregator.tasks import check_installed

    check_installed()
    return SendingDaemon(app)


def leave() -> None:
    """End at once, whatever threads are at: the store is as safe as in a crash, and the service manager waits no longer."""
    logging.shutdown()
    os._exit(0)
