"""`aggregator worker`: one of several processes that do the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aggregator.cli.common import pass_app, session
from aggregator.cli.run import leave
from aggregator.errors import UsageError

if TYPE_CHECKING:
    from aggregator.app import App


@click.command()
@click.option("--queues", metavar="NAMES", help="Take tasks from these alone: fetch,organise,publish,upkeep (default: all).")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="Log lines as text or JSON (default: the setting).")
@pass_app
def worker(app: App, queues: str | None, log_format: str | None) -> int:
    """Take tasks that `aggregator run` sends, and do them one at a time; SIGTERM or Ctrl-C stops it cleanly.

    It needs the setting broker, the same settings and feed list as the daemon, and the same database. Start as many as there are
    cores, on as many machines as you like.

    \b
    Examples:
      aggregator worker
      aggregator worker --queues fetch                 polls only
      aggregator worker --queues organise,publish,upkeep
      aggregator --now 2023-12-15T00:00Z worker        by the same clock as a daemon with this --now
    """
    from aggregator.logs import set_up_logging
    from aggregator.tasks import QUEUES, check_installed
    from aggregator.worker import WorkerProcess

    asked = tuple(name.strip() for name in queues.split(",")) if queues else QUEUES
    if unknown := [name for name in asked if name not in QUEUES]:
        raise UsageError(f"--queues: there is no queue “{unknown[0]}”; they are {', '.join(QUEUES)}")
    if not app.settings.broker:
        raise UsageError('a worker needs a broker; set broker = "redis://…" or "amqp://…" in the settings, or AGGREGATOR_BROKER')
    check_installed()
    options = session()
    level = "debug" if options.verbose else "warning" if options.quiet else app.settings.log.level
    set_up_logging(log_format or app.settings.log.format, level)
    if not WorkerProcess(app, asked).run():
        leave()
    return 0
