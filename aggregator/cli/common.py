"""What the commands share: the session's options, a lazily built App, output conventions. Contains no business logic."""

from __future__ import annotations

import functools
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

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
    no_input: bool = False
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


@contextmanager
def counting(label: str) -> Iterator[Callable[[int, int | None], None]]:
    """A count on stderr while it lasts, on a terminal only: call it with how much is done, and of how much."""
    if session().quiet or not stderr_is_terminal():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    with Progress(TextColumn(label), BarColumn(), MofNCompleteColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def can_ask() -> bool:
    """A person is there to answer a question, and did not say that there are to be none."""
    return not session().no_input and sys.stdin.isatty() and sys.stderr.isatty()


def colour_wanted() -> bool:
    """Colour on stdout: only on a terminal, not with NO_COLOR (no-color.org) nor TERM=dumb."""
    return stdout_is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def terminal_width() -> int:
    """Columns of the terminal (COLUMNS goes first), 80 when nobody knows."""
    return max(20, shutil.get_terminal_size().columns)


def print_table(headings: tuple[str, ...], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout: aligned columns on a terminal, tab-separated without headings' rule in a pipe; nothing is cut off.

    Where a terminal is too narrow for columns, each row becomes a block of "HEADING: value" lines.
    """
    if not stdout_is_terminal():
        for row in (headings, *rows):
            click.echo("\t".join(row))
        return
    from rich.console import Console

    console = Console(no_color=not colour_wanted(), width=terminal_width(), highlight=False, legacy_windows=False)
    with console.capture() as drawn:
        if _fits(headings, rows, console.width):
            console.print(_aligned(headings, rows))
        else:
            for row in rows:
                console.print(*_block(headings, row), sep="\n", end="\n\n")
    # without the blanks that fill lines up: they wrap where a terminal draws a character wider than expected
    click.echo("".join(f"{line.rstrip(' ')}\n" for line in drawn.get().splitlines()), nl=False, color=True)


NARROWEST = 24
"""The columns that the longest texts of a table need at least, to be read as text."""


def _fits(headings: tuple[str, ...], rows: Sequence[Sequence[str]], width: int) -> bool:
    from rich.cells import cell_len

    widths = [max(map(cell_len, cells)) for cells in zip(headings, *rows, strict=True)]
    return sum(widths) - max(widths) + min(max(widths), NARROWEST) + 2 * (len(widths) - 1) <= width


def _aligned(headings: tuple[str, ...], rows: Sequence[Sequence[str]]) -> Table:
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    widths = [max(map(cell_len, cells)) for cells in zip(headings, *rows, strict=True)]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for place, heading in enumerate(headings):
        numbers = bool(rows) and all(_is_number(row[place]) for row in rows)
        longest = widths[place] == max(widths)  # it alone is folded; the others keep to a line
        table.add_column(heading, overflow="fold", justify="right" if numbers else "left", no_wrap=not longest)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _block(headings: tuple[str, ...], row: Sequence[str]) -> Iterator[Text]:
    from rich.text import Text

    for heading, cell in zip(headings, row, strict=True):
        if cell:
            yield Text.assemble((f"{heading}: " if heading else "", "bold"), cell, overflow="fold")


def _is_number(text: str) -> bool:
    return text == "" or text.replace(".", "", 1).isdigit()


def echo_paged(text: str) -> None:
    """Text on stdout, through $PAGER when that is set, a person sits there and the text is taller than the terminal.

    Without PAGER nothing is paged: what drives a terminal by script would wait for a key that nobody presses. Raises
    BrokenPipeError as click.echo does when nobody reads any more.
    """
    pager = os.environ.get("PAGER", "")
    tall = text.count("\n") >= shutil.get_terminal_size().lines
    if not (tall and pager.strip() not in ("", "cat") and sys.stdin.isatty() and stdout_is_terminal() and os.environ.get("TERM") != "dumb"):
        click.echo(text, nl=False)
        return
    # F: leave at once when it fits after all; R: let colours and links through; X: leave the text on the screen
    environ = {"LESS": "FRX", "LV": "-c", **os.environ}
    try:
        process = subprocess.Popen(shlex.split(pager), stdin=subprocess.PIPE, env=environ)
    except (OSError, ValueError):
        click.echo(text, nl=False)
        return
    while True:
        try:
            process.communicate(text.encode())
            return
        except KeyboardInterrupt:  # ^C is the pager's while it runs
            continue
