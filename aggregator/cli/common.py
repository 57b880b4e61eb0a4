"""What the commands share: the session's options, a lazily built App, output conventions. Contains no business logic."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from aggregator.app import App

P = ParamSpec("P")
R = TypeVar("R")

SOME_FEEDS_FAILED = 3
"""Exit code when the work was done but some feeds failed."""


@dataclass
class Session:
    """The options that stand before the command, and the App once a command asked for it."""

    config: str | None = None
    database: str | None = None
    now: str | None = None
    speed: float = 1.0
    quiet: bool = False
    verbose: int = 0
    debug: bool = False
    _app: App | None = field(default=None, repr=False)

    def app(self) -> App:
        """Build the App at the first call: settings are read then, the database is opened when it is first used."""
        if self._app is None:
            from aggregator.app import App

            self._app = App.from_options(config=self.config, database=self.database, now=self.now, speed=self.speed)
        return self._app

    def close(self) -> None:
        if self._app is not None:
            self._app.close()
            self._app = None


def session() -> Session:
    """The running command's Session."""
    found = click.get_current_context().find_object(Session)
    return found if found is not None else Session()


def pass_app(function: Callable[Concatenate[App, P], R]) -> Callable[P, R]:
    """Decorator: call the command with the App as its first argument."""

    @functools.wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(session().app(), *args, **kwargs)

    return command


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON (stable, versioned).")
dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")


def echo_json(value: Any) -> None:
    """One JSON document on stdout, readable on a terminal, compact enough for a pipe."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def note(message: str) -> None:
    """A message for the person, on stderr; silent with -q."""
    if not session().quiet:
        click.echo(message, err=True)


def warn(message: str) -> None:
    """A message that -q does not silence."""
    click.echo(message, err=True)


def stdout_is_terminal() -> bool:
    return sys.stdout.isatty()


def stderr_is_terminal() -> bool:
    return sys.stderr.isatty()


def can_ask() -> bool:
    """A person is there to answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def colour_wanted() -> bool:
    """Colour on stdout: only on a terminal, not with NO_COLOR (no-color.org) nor TERM=dumb."""
    return stdout_is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def print_table(headings: tuple[str, ...], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout: aligned columns on a terminal, tab-separated without headings' rule in a pipe; nothing is cut off."""
    if not stdout_is_terminal():
        for row in (headings, *rows):
            click.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(no_color=not colour_wanted()).print(table)
