"""`aggregator config`: show, check and edit the settings. Works with a broken settings file, too: it builds no App."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aggregator.cli.common import echo_json, json_option, note, session
from aggregator.errors import UsageError

if TYPE_CHECKING:
    from aggregator.settings import ConfigLocation, Settings


@click.group()
def config() -> None:
    """Show, check and edit the settings.

    \b
    Examples:
      aggregator config show      what is in force, and where each value comes from
      aggregator config check     look for mistakes in aggregator.toml and feeds.toml
      aggregator config edit      open aggregator.toml in the editor
      aggregator config path      which files are read
    """


def _location() -> ConfigLocation:
    from aggregator.settings import find_config

    return find_config(session().config, os.environ, Path.cwd())


def _settings(location: ConfigLocation) -> Settings:
    from aggregator.settings import load_settings

    database = session().database
    return load_settings(location.path, os.environ, {"database": database} if database else None)


@config.command(short_help="Print the settings in force and their origin.")
@json_option
def show(as_json: bool) -> None:
    """Print the settings in force as a settings file, each with its origin: default, file, environment or flag.

    \b
    Examples:
      aggregator config show
      aggregator config show --json
    """
    location = _location()
    settings = _settings(location)
    if as_json:
        values = {key: {"value": value, "origin": origin} for key, value, origin in settings.shown()}
        echo_json({"version": 1, **_paths(location), "settings": values})
        return
    click.echo(f"# {location.path or 'no settings file'} ({location.reason})")
    click.echo(settings.to_toml(), nl=False)


@config.command(short_help="Look for mistakes in settings and feed list.")
@json_option
def check(as_json: bool) -> None:
    """Read aggregator.toml, the environment and feeds.toml, and say what is wrong with them.

    \b
    Examples:
      aggregator config check
    """
    from aggregator.feeds.feedlist import read_feed_list
    from aggregator.settings import read_settings_text

    location = _location()
    _settings(location)
    text = read_settings_text(location.feeds_path) if location.feeds_path.exists() else ""
    found = read_feed_list(text, str(location.feeds_path))
    if as_json:
        echo_json({"version": 1, **_paths(location), "feeds": len(found.feeds), "notices": list(found.notices)})
        return
    for notice in found.notices:
        note(notice)
    click.echo(f"{location.path or 'The defaults'}: fine. {location.feeds_path}: {len(found.feeds)} feeds, fine.")


@config.command(short_help="Say which files and folders are used.")
@json_option
def path(as_json: bool) -> None:
    """Print which settings file, feed list and data folder are used.

    \b
    Examples:
      aggregator config path
    """
    location = _location()
    if as_json:
        echo_json({"version": 1, **_paths(location)})
        return
    settings = f"{location.path} ({location.reason})" if location.path else f"none; {location.new_path} would be read"
    click.echo(f"settings  {settings}\nfeeds     {location.feeds_path}\ndata      {location.data_folder}")


def _paths(location: ConfigLocation) -> dict[str, str | None]:
    return {
        "config": str(location.path) if location.path else None,
        "reason": location.reason,
        "feed_list": str(location.feeds_path),
        "data": str(location.data_folder),
    }


@config.command(short_help="Edit the settings, checked before they count.")
def edit() -> None:
    """Open aggregator.toml in the editor ($VISUAL, $EDITOR); it is checked before it replaces the old one.

    \b
    Examples:
      aggregator config edit
      EDITOR=nano aggregator config edit
    """
    from aggregator.cli.editing import edit_until_valid, keep_draft
    from aggregator.settings import check_settings_text, read_settings_text
    from aggregator.textfile import replace_text

    location = _location()
    file = location.path or location.new_path
    before = read_settings_text(file) if file.exists() else ""
    edited = edit_until_valid(
        before or "# Settings of aggregator; `aggregator config show` lists the keys.\n", lambda text: check_settings_text(text, file)
    )
    if edited is None:
        note("Nothing was changed.")
        return
    if file.exists() and read_settings_text(file) != before:
        raise UsageError(f"{file} was changed by someone else meanwhile; your draft is kept in {keep_draft(edited)}")
    replace_text(file, edited)
    note(f"{file} is changed; a running daemon notices.")
