"""`aggregator demo`: the whole flow on bundled feeds, offline, in a throw-away folder."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aggregator.cli.common import note, warn

if TYPE_CHECKING:
    from aggregator.app import App

NOW = "2023-12-27T18:30:00Z"
FORMATS = ("terminal", "plain", "markdown", "html", "json", "atom")
NEXT = """
That was the demo: bundled feeds, a throw-away database, nothing of yours touched. To go on with your own:
  aggregator feeds add https://www.theguardian.com/world     a feed or any web page
  aggregator fetch && aggregator digest"""


@click.command()
@click.option("--format", "style", type=click.Choice(FORMATS), help="As `digest --format` (default: terminal on a terminal, else plain).")
@click.option("--limit", type=click.IntRange(min=0), default=30, help="At most this many stories (0 = all).")
def demo(style: str | None, limit: int) -> None:
    """Poll 23 bundled feeds over loopback, group their items, and print the digest. Needs no network and no configuration.

    \b
    Examples:
      aggregator demo
      aggregator demo --format json
    """
    from aggregator.demo.server import bundled_feeds, serve

    with tempfile.TemporaryDirectory(prefix="aggregator-demo-") as folder, serve(bundled_feeds()) as urls:
        app = _demo_app(Path(folder), urls)
        try:
            _fill(app)
            _show(app, style, limit)
        finally:
            app.close()
    if style in (None, "terminal", "plain"):
        note(NEXT)


def _show(app: App, style: str | None, limit: int) -> None:
    from aggregator.cli.digest import default_format, terminal_look
    from aggregator.digest.period import span_period
    from aggregator.digest.render import render

    style = style or default_format()
    made = app.digest(span_period("24h", None, app.zone, app.clock()), limit=limit)
    click.echo(render(made, style, look=terminal_look() if style == "terminal" else None), nl=False)


def _demo_app(folder: Path, urls: dict[str, str]) -> App:
    """An App of its own: settings, feed list, database and clock in `folder`, nothing from the environment."""
    from aggregator.app import App
    from aggregator.demo.server import bundled_feeds

    tags = {feed.name: feed.tags for feed in bundled_feeds()}
    lines = []
    for name, url in urls.items():
        words = ", ".join(f'"{tag}"' for tag in tags.get(name, ()))
        lines.append(f'[[feed]]\nname = "{name}"\nurl = "{url}"\ntags = [{words}]\n')
    (folder / "feeds.toml").write_text("\n".join(lines), encoding="utf-8")
    settings = f'database = "{folder / "demo.db"}"\nzone = "UTC"\n\n[fetch]\nallow_private = true\nuser_agent = "aggregator-demo"\n'
    (folder / "aggregator.toml").write_text(settings, encoding="utf-8")
    return App.from_options(config=str(folder / "aggregator.toml"), now=NOW, environ={})


def _fill(app: App) -> None:
    outcomes = app.fetch(organise=False)
    new = sum(outcome.new for outcome in outcomes)
    grouped = app.organise()
    note(f"Polled {len(outcomes)} bundled feeds over loopback: {new} items, {grouped} grouped.\n")
    if not new:
        warn("No demo feed could be read; the digest below is empty.")
