"""`aggregator feeds`: the feed list and how the feeds are."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aggregator.cli import suggestions
from aggregator.cli.common import (
    SOME_FEEDS_FAILED,
    dry_run_option,
    echo_json,
    json_option,
    note,
    pass_app,
    print_table,
    warn,
)
from aggregator.cli.completing import complete_feeds, complete_tags
from aggregator.errors import FeedError, NotFoundError, UsageError
from aggregator.times import ago, iso

if TYPE_CHECKING:
    from aggregator.app import App
    from aggregator.feeds.discover import Candidate
    from aggregator.feeds.feedlist import Change
    from aggregator.model import Feed
    from aggregator.subscribing import AddedFeed, CheckedFeed, FeedStatus, ImportResult


@click.group()
def feeds() -> None:
    """List, add, edit, check, import and export feeds.

    \b
    Examples:
      aggregator feeds add https://www.theguardian.com      a web page: its feed is found
      aggregator feeds import subscriptions.opml            from another reader
      aggregator feeds list --tag world
      aggregator feeds set bbc-world tags=world,uk interval=2h
      aggregator feeds status                               which feeds fail, when each is polled next
      aggregator feeds suggest                              what the list could gain or lose
    """


tag_option = click.option("--tag", "tags", multiple=True, shell_complete=complete_tags, help="Tag; may be given several times.")


# --- the list -----------------------------------------------------------------------------------------------------


@feeds.command("list")
@tag_option
@json_option
@pass_app
def list_feeds(app: App, tags: tuple[str, ...], as_json: bool) -> None:
    """List the subscriptions, in the order of feeds.toml.

    \b
    Examples:
      aggregator feeds list
      aggregator feeds list --tag world --json
    """
    found = [feed for feed in app.feed_list.load() if set(tags) <= set(feed.tags)]
    _tell_notices(app)
    if as_json:
        echo_json({"version": 1, "feeds": [_feed_json(feed) for feed in found]})
        return
    if not found:
        _tell_empty(app, tags)
        return
    rows: list[tuple[str, ...]] = [(feed.name, feed.url, ", ".join(feed.tags), "" if feed.enabled else "disabled") for feed in found]
    print_table(("NAME", "URL", "TAGS", ""), rows)


def _tell_notices(app: App) -> None:
    for notice in app.feed_list.notices():
        note(notice)


def _tell_empty(app: App, tags: tuple[str, ...] = ()) -> None:
    if tags and app.feed_list.load():
        note(f"No feed has the tag {' and '.join(tags)}.")
    else:
        note(f"There are no feeds in {app.feed_list.path}; `aggregator feeds add URL` subscribes to one.")


def _feed_json(feed: Feed) -> dict[str, Any]:
    from aggregator.feeds.feedlist import feed_values

    written = feed_values(feed)
    return {**written, "title": feed.title, "tags": list(feed.tags), "enabled": feed.enabled}


# --- add and discover ----------------------------------------------------------------------------------------------


@feeds.command(short_help="Subscribe to a feed or a web page.")
@click.argument("url")
@click.option("--name", default="", help="Short unique name (default: made from the title).")
@click.option("--title", help="Shown as the publisher instead of the feed's own title.")
@tag_option
@click.option("--interval", help="The shortest time between two polls, such as 2h.")
@click.option("--language", help="Language code, when the feed says nothing or something wrong.")
@click.option("--auth", help="Where the login stands: env:NAME or file:PATH.")
@click.option("--allow-private", is_flag=True, help="The feed may lie in your own network.")
@dry_run_option
@json_option
@pass_app
def add(app: App, /, url: str, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Subscribe to the feed at URL, or to the feed of the web page at URL.

    The address is fetched once: that is the feed's first poll, its items are grouped by the next `aggregator fetch`.

    \b
    Examples:
      aggregator feeds add https://feeds.bbci.co.uk/news/world/rss.xml --tag world
      aggregator feeds add theguardian.com --name guardian
      aggregator feeds add http://127.0.0.1:8080/feed.xml --allow-private
    """
    added = app.add_feed(_draft(url, **options), dry_run=dry_run)
    if as_json:
        echo_json(_added_json(added, dry_run))
    else:
        _tell_added(app, added, dry_run)


def _draft(
    url: str,
    name: str,
    title: str | None,
    tags: tuple[str, ...],
    interval: str | None,
    language: str | None,
    auth: str | None,
    allow_private: bool,
) -> Feed:
    from aggregator.feeds.feedlist import checked_feed
    from aggregator.subscribing import with_scheme

    values: dict[str, Any] = {"name": name, "title": title, "tags": list(tags), "interval": interval, "language": language, "auth": auth}
    values["allow_private"] = allow_private
    return checked_feed({"url": with_scheme(url), **{key: value for key, value in values.items() if value}})


def _tell_added(app: App, added: AddedFeed, dry_run: bool) -> None:
    if added.page:
        note(f"{added.page} is a web page; its feed is {added.feed.url}")
    for other in added.others:
        note(f"It names another feed: {other.url}" + (f" ({other.title})" if other.title else ""))
    if added.warning:
        warn(f"Its document is faulty, but its items came out: {added.warning}")
    if dry_run:
        click.echo(added.change.diff)
        return
    click.echo(f"Added {added.feed.name}: {added.title}")
    click.echo(f"  {added.feed.url}")
    for item in added.newest:
        click.echo(f"  {ago(item.published_at, app.clock())}: {item.title}")
    if not added.items:
        click.echo("  no items yet")
    note(f"{added.items} items stored; `aggregator fetch` groups them. The list is {app.feed_list.path}")


def _added_json(added: AddedFeed, dry_run: bool) -> dict[str, Any]:
    return {
        "version": 1,
        "dry_run": dry_run,
        "feed": _feed_json(added.feed),
        "title": added.title,
        "page": added.page,
        "items": added.items,
        "newest": [{"title": item.title, "link": item.link, "published": iso(item.published_at)} for item in added.newest],
        "others": [_candidate_json(other) for other in added.others],
        "warning": added.warning,
    }


@feeds.command(short_help="Show which feeds a web page has.")
@click.argument("url")
@click.option("--allow-private", is_flag=True, help="The address may lie in your own network.")
@json_option
@pass_app
def discover(app: App, url: str, allow_private: bool, as_json: bool) -> None:
    """Show which feeds a web page has, without subscribing.

    \b
    Examples:
      aggregator feeds discover https://www.theguardian.com
      aggregator feeds discover https://github.com/python/cpython --json
    """
    from aggregator.model import Feed

    found = app.discover(Feed("", url, allow_private=allow_private or None))
    if as_json:
        echo_json({"version": 1, "feeds": [_candidate_json(candidate) for candidate in found]})
    else:
        print_table(("URL", "TITLE", "TYPE"), [(candidate.url, candidate.title, candidate.type) for candidate in found])


def _candidate_json(candidate: Candidate) -> dict[str, Any]:
    return {"url": candidate.url, "title": candidate.title, "type": candidate.type, "source": candidate.source}


# --- changes ---------------------------------------------------------------------------------------------------------


@feeds.command()
@click.argument("names", nargs=-1, required=True, shell_complete=complete_feeds)
@dry_run_option
@json_option
@pass_app
def remove(app: App, names: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Unsubscribe from feeds. Their items stay.

    \b
    Examples:
      aggregator feeds remove bbc-world
      aggregator feeds remove bbc-world wired --dry-run
    """
    _each(app, names, lambda name: app.feed_list.remove(name, dry_run=dry_run), "Removed {}; its items stay.", dry_run, as_json)


@feeds.command()
@click.argument("names", nargs=-1, required=True, shell_complete=complete_feeds)
@dry_run_option
@json_option
@pass_app
def enable(app: App, names: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Poll disabled feeds again.

    \b
    Examples:
      aggregator feeds enable bbc-world
    """
    _each(app, names, lambda name: app.feed_list.enable(name, dry_run=dry_run), "Enabled {}.", dry_run, as_json)


@feeds.command()
@click.argument("names", nargs=-1, required=True, shell_complete=complete_feeds)
@dry_run_option
@json_option
@pass_app
def disable(app: App, names: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Stop polling feeds, but keep them in the list.

    \b
    Examples:
      aggregator feeds disable bbc-world
    """
    _each(app, names, lambda name: app.feed_list.disable(name, dry_run=dry_run), "Disabled {}.", dry_run, as_json)


def _each(app: App, names: tuple[str, ...], change: Callable[[str], Change], done: str, dry_run: bool, as_json: bool) -> None:
    """Do one change for each name, or none at all when one of the names is unknown."""
    from aggregator.feeds.feedlist import unknown_feed

    known = {feed.name for feed in app.feed_list.load()}
    for name in names:
        if name not in known:
            raise NotFoundError(unknown_feed(name, known))
    changes = {name: change(name) for name in dict.fromkeys(names)}
    if as_json:
        changed = [{"name": name, "changed": bool(made.diff)} for name, made in changes.items()]
        echo_json({"version": 1, "dry_run": dry_run, "feeds": changed})
        return
    for name, made in changes.items():
        _tell_change(made, done.format(name), dry_run)


def _tell_change(change: Change, done: str, dry_run: bool) -> None:
    if not change.diff:
        note("Nothing to change.")
    elif dry_run:
        click.echo(change.diff)
    else:
        note(done)


@feeds.command("set")
@click.argument("name", shell_complete=complete_feeds)
@click.argument("assignments", nargs=-1, required=True, metavar="KEY=VALUE...")
@dry_run_option
@json_option
@pass_app
def set_keys(app: App, name: str, assignments: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Change keys of a feed. KEY= without a value takes the key out.

    \b
    Keys: name url title tags enabled interval language user_agent auth proxy allow_private full_text weight mute boost
    Examples:
      aggregator feeds set bbc-world tags=world,uk interval=2h
      aggregator feeds set bbc-world title="BBC World" weight=1.5
      aggregator feeds set bbc-world interval=
    """
    from aggregator.feeds.feedlist import value_from_text

    changes: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise UsageError(f"“{assignment}” is no KEY=VALUE; write for example interval=2h")
        changes[key.strip()] = value_from_text(key.strip(), text)
    change = app.feed_list.set(name, changes, dry_run=dry_run)
    if as_json:
        echo_json({"version": 1, "dry_run": dry_run, "feeds": [{"name": changes.get("name", name), "changed": bool(change.diff)}]})
    else:
        _tell_change(change, f"Changed {name}.", dry_run)


@feeds.command(short_help="Edit feeds.toml, checked before it counts.")
@dry_run_option
@pass_app
def edit(app: App, dry_run: bool) -> None:
    """Open feeds.toml in the editor ($VISUAL, $EDITOR); it is checked before it replaces the old one.

    \b
    Examples:
      aggregator feeds edit
      aggregator feeds edit --dry-run              try an edit: see what it would change
      EDITOR=nano aggregator feeds edit
    """
    from aggregator.cli.editing import edit_until_valid, keep_draft
    from aggregator.feeds.feedlist import HEADER, read_feed_list

    before = app.feed_list.text()
    path = str(app.feed_list.path)
    edited = edit_until_valid(before or HEADER, lambda text: _ignore(read_feed_list(text, path)))
    if edited is None:
        note("Nothing was changed.")
        return
    if app.feed_list.text() != before:
        raise UsageError(f"{path} was changed by someone else meanwhile; your draft is kept in {keep_draft(edited)}")
    change = app.feed_list.replace_text(edited, dry_run=dry_run)
    if dry_run:
        click.echo(change.diff)
        return
    _tell_notices(app)
    note(f"{path} holds {len(app.feed_list.load())} feeds now.")


def _ignore(_: object) -> None:
    return None


# --- health -----------------------------------------------------------------------------------------------------------


@feeds.command(short_help="Ask feeds now and say how each is.")
@click.argument("names", nargs=-1, shell_complete=complete_feeds)
@click.option("--ignore-failures", is_flag=True, help="Exit 0 even when some feeds failed.")
@json_option
@pass_app
def check(app: App, names: tuple[str, ...], ignore_failures: bool, as_json: bool) -> int:
    """Ask each feed (or the NAMEd ones) now and say in a sentence how it is.

    \b
    Examples:
      aggregator feeds check
      aggregator feeds check bbc-world wired

    \b
    Exit codes: 0 all fine, 3 some feeds failed.
    """
    checked = app.check_feeds(names)
    if as_json:
        echo_json({"version": 1, "feeds": [_checked_json(each) for each in checked]})
    elif not checked:
        _tell_empty(app)
    else:
        for each in checked:
            click.echo(f"{each.name}: {each.says}")
    return SOME_FEEDS_FAILED if not ignore_failures and not all(each.ok for each in checked) else 0


def _checked_json(checked: CheckedFeed) -> dict[str, Any]:
    outcome = checked.outcome
    asked = (
        {"outcome": outcome.outcome, "status": outcome.status, "new": outcome.new}
        if outcome
        else {"outcome": None, "status": None, "new": 0}
    )
    return {"name": checked.name, "url": checked.url, "ok": checked.ok, "message": checked.says, **asked}


@feeds.command(short_help="Show the health of each feed.")
@click.argument("names", nargs=-1, shell_complete=complete_feeds)
@json_option
@pass_app
def status(app: App, names: tuple[str, ...], as_json: bool) -> None:
    """Show how each feed is: last success, next poll, failures in a row, items a day. Nothing is fetched.

    \b
    Examples:
      aggregator feeds status
      aggregator feeds status bbc-world --json
    """
    found = app.feed_status(names)
    if as_json:
        echo_json({"version": 1, "feeds": [status_json(each) for each in found]})
        return
    if not found:
        _tell_empty(app)
        return
    print_table(
        ("NAME", "STATE", "LAST SUCCESS", "NEXT POLL", "FAILURES", "ITEMS A DAY"), [_status_row(each, app.clock()) for each in found]
    )
    for each in found:
        if each.error:
            click.echo(f"{each.name}: {each.error}")


def status_json(found: FeedStatus) -> dict[str, Any]:
    """One feed as `feeds status --json` prints it (version 1)."""
    return {
        "name": found.name,
        "url": found.url,
        "fetch_url": found.fetch_url,
        "state": found.state,
        "error": found.error,
        "since": _iso(found.since_at),
        "last_success": _iso(found.last_success_at),
        "last_attempt": _iso(found.last_attempt_at),
        "next_poll": _iso(found.next_poll_at),
        "reason": found.reason,
        "streak": found.streak,
        "items_per_day": found.items_per_day,
    }


def _iso(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None


def _status_row(found: FeedStatus, now: datetime) -> tuple[str, ...]:
    per_day = "" if found.items_per_day is None else f"{found.items_per_day:.1f}"
    last = ago(found.last_success_at, now) if found.last_success_at else "never"
    return (found.name, found.state, last, _next(found, now), str(found.streak or ""), per_day)


def _next(found: FeedStatus, now: datetime) -> str:
    if found.next_poll_at is None:
        return "now" if found.state == "new" else "never"
    return ago(found.next_poll_at, now) if found.next_poll_at > now else "now"


# --- import and export ----------------------------------------------------------------------------------------------------


@feeds.command("import", short_help="Subscribe to the feeds of an OPML list.")
@click.argument("source")
@tag_option
@dry_run_option
@json_option
@pass_app
def import_list(app: App, source: str, tags: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Subscribe to the feeds of an OPML document: a file, a URL, or - for stdin. Nothing is polled yet.

    Folders become tags, repeated names are numbered, known addresses are skipped; broken documents are repaired as far
    as possible. A plain list with one address a line will do, too.

    \b
    Examples:
      aggregator feeds import subscriptions.opml
      aggregator feeds import https://example.org/feeds.opml --tag friends
      curl -s https://example.org/feeds.opml | aggregator feeds import -
    """
    data = _read_source(app, source)
    result = app.import_feeds(data, source="the input" if source == "-" else source, tags=tags, dry_run=dry_run)
    if as_json:
        echo_json(_import_json(result, dry_run))
    else:
        _tell_import(app, result, dry_run)


def _read_source(app: App, source: str) -> bytes:
    if source == "-":
        return sys.stdin.buffer.read()
    if source.startswith(("http://", "https://")):
        return app.document(source)
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise FeedError(f"{source} cannot be read ({error.strerror}); give a file, a URL or - for stdin.", url=source) from None


def _tell_import(app: App, result: ImportResult, dry_run: bool) -> None:
    for sentence in result.recovered:
        warn(sentence[:1].upper() + sentence[1:])
    for url, name in result.skipped:
        note(f"Skipped {url}: subscribed already, as {name}.")
    if dry_run and result.change.diff:
        click.echo(result.change.diff)
    verb = "would be added" if dry_run else "added"
    note(f"{len(result.added)} feeds {verb}, {len(result.skipped)} skipped; the list is {app.feed_list.path}")
    if result.added and not dry_run:
        note("`aggregator fetch` polls them.")


def _import_json(result: ImportResult, dry_run: bool) -> dict[str, Any]:
    return {
        "version": 1,
        "dry_run": dry_run,
        "added": [_feed_json(feed) for feed in result.added],
        "skipped": [{"url": url, "name": name} for url, name in result.skipped],
        "recovered": list(result.recovered),
    }


@feeds.command()
@tag_option
@click.option("--output", "-o", metavar="FILE", default="-", help="Where to write (default: stdout).")
@pass_app
def export(app: App, tags: tuple[str, ...], output: str) -> None:
    """Write the subscriptions as OPML 2.0.

    \b
    Examples:
      aggregator feeds export > feeds.opml
      aggregator feeds export --tag tech --output tech.opml
    """
    from aggregator.feeds.opml import write_opml

    chosen = [feed for feed in app.feed_list.load() if set(tags) <= set(feed.tags)]
    text = write_opml(chosen, "Feeds of aggregator", app.clock())
    if output == "-":
        click.echo(text, nl=False)
        return
    from aggregator.textfile import replace_text

    replace_text(Path(output), text)
    note(f"{len(chosen)} feeds written to {output}")


suggestions.add_to(feeds)
