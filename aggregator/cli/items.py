"""`aggregator items`: bring an archive in, take one out, look at one item."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import click

from aggregator.cli import marking
from aggregator.cli.common import counting, echo_json, json_option, note, pass_app, warn
from aggregator.errors import ArchiveError, NotFoundError
from aggregator.times import iso, spell_seconds

if TYPE_CHECKING:
    from aggregator.app import App
    from aggregator.archive import ImportCounts
    from aggregator.model import Item


@click.group()
def items() -> None:
    """Import, export, show and star items.

    \b
    Examples:
      aggregator items import archive.jsonl.gz
      aggregator items export --output everything.jsonl.gz
      aggregator items show 1234
      aggregator items star 1234              keep it; `aggregator digest --starred` shows its story
    """


# --- import -------------------------------------------------------------------------------------------------------------


@items.command("import")
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--skip-bad", is_flag=True, help="Leave out lines that cannot be read, and count them, instead of stopping at the first.")
@click.option("--no-organise", is_flag=True, help="Store the items, but do not group them yet.")
@json_option
@pass_app
def import_(app: App, file: str, skip_bad: bool, no_organise: bool, as_json: bool) -> None:
    """Store the items of FILE (JSON lines, also gzipped; - is stdin) as if they had been fetched, then group them.

    A line has source (the feed's URL), publisher, language, published, title, summary and link; all but source may be
    missing, other keys are ignored. Each source becomes a feed outside feeds.toml.

    \b
    Examples:
      aggregator items import archive.jsonl.gz
      zcat *.jsonl.gz | aggregator items import - --skip-bad
    """
    from aggregator.archive import import_items

    name = "standard input" if file == "-" else file
    with ExitStack() as stack:
        lines = _opened(file, stack)
        if lines.peek(20)[:20].startswith(b'{"aggregator"'):
            rows = app.upkeep.restore(lines, name)
            echo_json({"version": 1, "rows": rows}) if as_json else note(f"A whole store of {rows} rows was taken in.")
            return
        progress = stack.enter_context(counting("lines read"))
        try:
            counts = import_items(
                lines, store=app.store, now=app.clock(), name=name, skip_bad=skip_bad, progress=lambda done: progress(done, None)
            )
        except (OSError, EOFError) as error:  # gzip: not gzipped, cut short, damaged
            raise ArchiveError(f"{name} cannot be read to its end: {error}; what came before that is stored.") from error
    if not no_organise:
        with counting("items grouped") as progress:
            grouped = app.organise(progress)
    else:
        grouped = 0
    _tell(counts, grouped, as_json)


def _opened(file: str, stack: ExitStack) -> io.BufferedReader:
    try:
        raw = cast(IO[bytes], stack.enter_context(click.open_file(file, "rb")))
    except OSError as error:
        raise ArchiveError(f"{file} cannot be read: {error.strerror}; check the name.") from error
    # by what it begins with, not by its name: stdin has none
    reader = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, raw))
    packed = reader.peek(2)[:2] == b"\x1f\x8b"
    return stack.enter_context(io.BufferedReader(cast(io.RawIOBase, gzip.open(reader)))) if packed else reader


def _tell(counts: ImportCounts, grouped: int, as_json: bool) -> None:
    numbers = {name: getattr(counts, name) for name in ("lines", "new", "edited", "appeared", "known", "skipped")}
    if as_json:
        echo_json({"version": 1, **numbers, "organised": grouped})
        return
    note(
        f"{counts.lines} lines read: {counts.new} new items, {counts.edited} edited, {counts.appeared} known from another feed, "
        f"{counts.known} known already; {grouped} grouped."
    )
    if counts.skipped:
        warn(f"{counts.skipped} lines skipped; the first: {counts.first_skipped}")


# --- export -------------------------------------------------------------------------------------------------------------


@items.command()
@click.option("--output", "-o", metavar="FILE", default="-", help="Write to a file, whole or not at all (.gz: gzipped); - is stdout.")
@click.option("--everything", is_flag=True, help="Also stories, topics, corrections and digests, for an empty database to take in.")
@pass_app
def export(app: App, output: str, everything: bool) -> None:
    """Write every item as a line of JSON that `items import` takes back whole.

    With --everything the lines are those of the whole store: `items import` into an empty database then makes the same store
    again, with every membership, correction and digest.

    \b
    Examples:
      aggregator items export > everything.jsonl
      aggregator items export -o items.jsonl.gz
      aggregator items export --everything -o store.jsonl.gz
      aggregator --database new.db items import store.jsonl.gz
    """
    from aggregator.archive import export_items

    lines = app.upkeep.whole() if everything else export_items(app.store)
    if output == "-":
        for line in lines:
            click.echo(line)
    else:
        note(f"{_write(lines, Path(output))} {'lines' if everything else 'items'} written to {output}.")


def _write(lines: Iterator[str], path: Path) -> int:
    """Lines into a file that gets its name when it is whole. Returns how many."""
    partial, count = path.with_name(path.name + ".partial"), 0
    try:
        with gzip.open(partial, "wt", encoding="utf-8") if path.suffix == ".gz" else partial.open("w", encoding="utf-8") as file:
            for count, line in enumerate(lines, 1):  # noqa: B007 - the last number is what is wanted
                file.write(line + "\n")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return count


# --- show ---------------------------------------------------------------------------------------------------------------


@items.command()
@click.argument("id", type=int)
@json_option
@pass_app
def show(app: App, id: int, as_json: bool) -> None:
    """Show one item: its text, where it appeared, its earlier titles, its story.

    \b
    Example:
      aggregator items show 1234
    """
    found = app.store.items.get([id])
    if not found:
        raise NotFoundError(f"there is no item {id}; `aggregator search` finds items by their words")
    shown = whole_item_json(app, found[0])
    if as_json:
        echo_json({"version": 1, "item": shown})
        return
    for line in _lines(shown):
        click.echo(line)


def item_json(item: Item) -> dict[str, Any]:
    """An item as every command prints it (version 1)."""
    return {
        "id": item.id,
        "title": item.title,
        "link": item.link,
        "feed": item.feed,
        "publisher": item.publisher,
        "published": iso(item.published_at),
        "media": [{"type": each.type, "url": each.url, "seconds": each.seconds} for each in item.media],
    }


def whole_item_json(app: App, item: Item) -> dict[str, Any]:
    """An item with all that is known of it."""
    return item_json(item) | {
        "arrived": iso(item.arrived_at) if item.arrived_at else None,
        "updated": iso(item.updated_at) if item.updated_at else None,
        "date_rule": item.date_rule,
        "language": item.language,
        "authors": list(item.authors),
        "categories": list(item.categories),
        "summary": item.summary,
        "story": app.store.stories.story_ids([item.id]).get(item.id),
        "appearances": [
            {"feed": each.feed, "key": each.key, "link": each.link, "seen": iso(each.seen_at)}
            for each in app.store.items.appearances(item.id)
        ],
        "titles": [{"title": title, "replaced": iso(at)} for title, at in app.store.items.titles(item.id)],
    }


def _lines(shown: dict[str, Any]) -> Iterator[str]:
    yield shown["title"]
    for title in reversed(shown["titles"]):
        yield f"  until {title['replaced']}: {title['title']}"
    yield f"Item {shown['id']}, " + (f"story {shown['story']}" if shown["story"] else "not grouped yet")
    yield f"Publisher: {shown['publisher']}"
    yield f"Published: {shown['published']} ({shown['date_rule']}), arrived {shown['arrived']}"
    if shown["updated"]:
        yield f"Updated: {shown['updated']}"
    for name in ("language", "link"):
        if shown[name]:
            yield f"{name.title()}: {shown[name]}"
    for name in ("authors", "categories"):
        if shown[name]:
            yield f"{name.title()}: {', '.join(shown[name])}"
    for each in shown["appearances"]:
        yield f"In: {each['feed']} since {each['seen']} as {each['key']}"
    for medium in shown["media"]:
        yield f"Media: {medium['url']}" + (f" ({spell_seconds(medium['seconds'])})" if medium["seconds"] else "")
    if shown["summary"]:
        yield ""
        yield shown["summary"]


marking.add_to(items, "item")
