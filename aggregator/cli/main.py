"""Entry point: a static table of commands, imported only when called, so that `--help` stays fast."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click

from aggregator import __version__
from aggregator.cli.common import Session
from aggregator.errors import AggregatorError

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("aggregator.cli.demo:demo", "Show the whole flow on bundled feeds, offline."),
    "run": ("aggregator.cli.run:run", "Run the daemon: poll, group, write digests, on schedule."),
    "worker": ("aggregator.cli.worker:worker", "Do the tasks that the daemon sends, where a broker is set."),
    "serve": ("aggregator.cli.serve:serve", "Serve pages to read, look and correct, and an API."),
    "fetch": ("aggregator.cli.fetch:fetch", "Poll the feeds that are due now, then group what came."),
    "status": ("aggregator.cli.status:status", "What runs, what is next, what fails."),
    "digest": ("aggregator.cli.digest:digest", "Print the digest of a period."),
    "feeds": ("aggregator.cli.feeds:feeds", "List, add, edit, check, import and export feeds."),
    "stories": ("aggregator.cli.stories:stories", "List, show and explain stories."),
    "topics": ("aggregator.cli.topics:topics", "List and show topics."),
    "search": ("aggregator.cli.search:search", "Full-text search over items and stories."),
    "items": ("aggregator.cli.items:items", "Import, export and show items."),
    "evaluate": ("aggregator.cli.evaluate:evaluate", "Score the grouping against a labelled archive."),
    "db": ("aggregator.cli.db:db", "Check, back up, prune, upgrade and move the database."),
    "doctor": ("aggregator.cli.doctor:doctor", "Find out what is wrong, and what to do about it."),
    "completion": ("aggregator.cli.completion:completion", "Teach the shell to complete names and ids."),
    "config": ("aggregator.cli.config:config", "Show, check and edit the settings."),
}


class ReaderGoneError(Exception):
    """Nobody reads our stdout any more (head, less)."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called; the help page needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click would exit with 1
            raise ReaderGoneError from None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(_unknown_command(args[0]))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _unknown_command(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, COMMANDS, n=1)
    return f"No such command “{name}”." + (f" Did you mean “{near[0]}”?" if near else "")


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", metavar="FILE", help="Settings file (default: ./config/aggregator.toml, else the user's).")
@click.option("--database", metavar="URL", help="Database URL or SQLite file, instead of the configured one.")
@click.option("--now", metavar="TIME", help="Set the program's clock, to replay an archive as if live.")
@click.option("--speed", type=click.FloatRange(min=0, min_open=True), default=1.0, help="How fast the clock of --now runs (default 1).")
@click.option("-q", "--quiet", is_flag=True, help="No messages but errors.")
@click.option("-v", "--verbose", count=True, help="More messages; twice for all.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option("--no-input", is_flag=True, help="Never ask; what needs a yes then needs --yes.")
@click.version_option(__version__, "--version", prog_name="aggregator", message="%(prog)s %(version)s")
@click.pass_context
def cli(
    ctx: click.Context,
    config: str | None,
    database: str | None,
    now: str | None,
    speed: float,
    quiet: bool,
    verbose: int,
    debug: bool,
    no_input: bool,
) -> None:
    """Group the news of your feeds into stories, and stories into topics.

    \b
    Examples:
      aggregator demo                                    see what it does, offline
      aggregator feeds add https://www.theguardian.com   subscribe to a feed or a web page
      aggregator fetch                                   poll the feeds that are due
      aggregator digest                                  the last 24 hours, grouped
      aggregator run                                     leave it running

    \b
    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but some feeds failed, 130 interrupted.
    """
    ctx.obj = Session(config, database, now, speed, quiet, verbose, debug, no_input)
    ctx.call_on_close(ctx.obj.close)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; errors become one sentence on stderr and an exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        status = cli.main(args=arguments, prog_name="aggregator", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (ReaderGoneError, BrokenPipeError):
        _silence_stdout()
        sys.exit(0)
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except Exception as error:  # the last door: a person sees a sentence, --debug shows where
        sys.exit(_report(error, debug=_asks_for_traceback(arguments)))
    sys.exit(status if isinstance(status, int) else 0)


def _asks_for_traceback(arguments: list[str]) -> bool:
    return "--debug" in arguments


def _report(error: Exception, *, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    if isinstance(error, AggregatorError):
        click.echo(f"Error: {error}", err=True)
        return error.exit_code
    if isinstance(error, OSError):
        place = f" ({error.filename})" if error.filename else ""
        click.echo(f"Error: {error.strerror or error}{place}; nothing more was done.", err=True)
        return 1
    click.echo(f"Error: unexpected {type(error).__name__}: {error}. Run again with --debug to see where, and report it.", err=True)
    return 1


def _silence_stdout() -> None:
    # the reader of the pipe went away (head, less): say nothing, also not at interpreter exit
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
