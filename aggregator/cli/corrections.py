"""`aggregator stories merge, split, move, corrections …`: what people put right. Registered onto the group in cli/stories.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aggregator.cli.common import dry_run_option, echo_json, json_option, note, pass_app, print_table
from aggregator.errors import UsageError
from aggregator.times import iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.app import App
    from aggregator.correcting import Corrected
    from aggregator.model import Correction


def add_to(group: click.Group) -> None:
    """Add the commands of this module to `aggregator stories`."""
    for command in (merge, split, move, corrections, rebuild):
        group.add_command(command)


_undo_option = click.option("--undo", is_flag=True, help="Take back the latest correction of this kind that names these ids.")


@click.command()
@click.argument("stories", metavar="ID…", type=int, nargs=-1, required=True)
@_undo_option
@dry_run_option
@json_option
@pass_app
def merge(app: App, stories: tuple[int, ...], undo: bool, dry_run: bool, as_json: bool) -> None:
    """Make one story of several: the first keeps its id, the others lead to it.

    \b
    Examples:
      aggregator stories merge 42 57             57 becomes part of 42
      aggregator stories merge 42 57 61 --dry-run
      aggregator stories merge 42 57 --undo      57 is a story again

    The grouping keeps to it from then on, also after `stories rebuild`.
    """
    correcting = app.correcting(dry_run=dry_run)
    if undo:
        _tell(correcting.undo("merge", stories), as_json)
        return
    if len(stories) < 2:
        raise UsageError(f"a merge needs two stories; name another one beside {stories[0]}")
    _tell(correcting.merge(stories), as_json)


@click.command()
@click.argument("story", metavar="ID", type=int)
@click.argument("items", metavar="ITEM…", type=int, nargs=-1)
@_undo_option
@dry_run_option
@json_option
@pass_app
def split(app: App, story: int, items: tuple[int, ...], undo: bool, dry_run: bool, as_json: bool) -> None:
    """Take items out of a story into a new one together; the larger part keeps the id.

    \b
    Examples:
      aggregator stories split 42 1007 1009      these two are another event
      aggregator stories split 42 1007 --dry-run
      aggregator stories split 42 --undo         they are in story 42 again

    `aggregator stories show ID` lists the items. The grouping keeps the two parts apart from then on.
    """
    correcting = app.correcting(dry_run=dry_run)
    if undo:
        _tell(correcting.undo("split", [story], items), as_json)
        return
    if not items:
        raise UsageError(f"a split needs items; `aggregator stories show {story}` lists those of the story")
    _tell(correcting.split(story, items), as_json)


@click.command()
@click.argument("items", metavar="ITEM…", type=int, nargs=-1, required=True)
@click.option("--to", "story", type=int, metavar="STORY", help="The story where they belong.")
@_undo_option
@dry_run_option
@json_option
@pass_app
def move(app: App, items: tuple[int, ...], story: int | None, undo: bool, dry_run: bool, as_json: bool) -> None:
    """Put items into another story; they stay out of the one they leave.

    \b
    Examples:
      aggregator stories move 1007 --to 57
      aggregator stories move 1007 1009 --to 57 --dry-run
      aggregator stories move 1007 --undo        it is back where it was
    """
    correcting = app.correcting(dry_run=dry_run)
    if undo:
        _tell(correcting.undo("move", [story] if story is not None else [], items), as_json)
        return
    if story is None:
        raise UsageError("a move needs --to STORY: the story where the items belong")
    _tell(correcting.move(items, story), as_json)


@click.command()
@click.option("--export", "output", metavar="FILE", type=click.Path(dir_okay=False), help="Write them as labelled pairs, JSON lines.")
@json_option
@pass_app
def corrections(app: App, output: str | None, as_json: bool) -> None:
    """List what people put right and did not take back, newest first; or write it as labelled data.

    \b
    Examples:
      aggregator stories corrections
      aggregator stories corrections --json
      aggregator stories corrections --export labels.jsonl

    A line of the export has link, other (a link), label (same or different), made, verb and the ids of both items.
    """
    if output is not None:
        _export(app, output)
        return
    found = app.store.corrections.all()[::-1]
    if as_json:
        echo_json({"version": 1, "corrections": [correction_to_json(each) for each in found]})
        return
    if not found:
        note("Nothing was put right yet: `aggregator stories merge`, `split` and `move` do.")
        return
    rows = [(str(each.id), each.verb, _numbers(each.story_ids), _numbers(each.placed), iso(each.made_at)) for each in found]
    print_table(("ID", "VERB", "STORIES", "ITEMS", "MADE"), rows)


@click.command()
@click.option("--since", metavar="TIME", help="Only what was published since then: 30d, or 2023-12-01. Without it: everything.")
@dry_run_option
@json_option
@pass_app
def rebuild(app: App, since: str | None, dry_run: bool, as_json: bool) -> None:
    """Group the stored items anew, with the settings of today.

    \b
    Examples:
      aggregator stories rebuild
      aggregator stories rebuild --since 30d
      aggregator stories rebuild --dry-run       how much would change

    What people put right holds. A story that goes on keeps its id; an id that is no story any more leads to the one that holds most
    of its items. All is written at once: stopped half-way, nothing has changed.
    """
    from dataclasses import asdict

    from aggregator.cli.stories import _moment

    done = app.rebuild_stories(_moment(app, since) if since else None, dry_run=dry_run)
    if as_json:
        redirects = [{"story": old, "to": new} for old, new in done.redirects]
        echo_json({"version": 1, **asdict(done), "redirects": redirects})
        return
    if dry_run:
        note("Nothing is changed (--dry-run); it would be:")
    click.echo(
        f"{done.items} items grouped anew: {done.after} stories, {done.before} before; {done.kept} keep their id, "
        f"{len(done.redirects)} ids lead to another story, {done.moved} items are in a story of another id."
    )


def _export(app: App, output: str) -> None:
    import json
    from pathlib import Path

    from aggregator.textfile import replace_text

    lines = [json.dumps(pair, ensure_ascii=False) for pair in app.correcting().labelled()]
    replace_text(Path(output), "".join(f"{line}\n" for line in lines))
    note(f"{len(lines)} labelled pairs written to {output}.")


def correction_to_json(correction: Correction) -> dict[str, Any]:
    """Stable keys, version 1."""
    return {
        "id": correction.id,
        "verb": correction.verb,
        "made": iso(correction.made_at),
        "stories": list(correction.story_ids),
        "placed": list(correction.placed),
        "beside": list(correction.beside),
        "against": list(correction.against),
    }


def _tell(done: Corrected, as_json: bool) -> None:
    dry = done.correction is None
    if as_json:
        echo_json(corrected_to_json(done))
        return
    if dry:
        note("Nothing is changed (--dry-run); it would be:")
    for line in _lines(done):
        click.echo(line)


def corrected_to_json(done: Corrected) -> dict[str, Any]:
    """What a correction changed: stable keys, version 1."""
    return {
        "version": 1,
        "verb": done.verb,
        "undone": done.undone,
        "dry_run": done.correction is None,
        "correction": done.correction,
        "moved": [{"item": item, "from": before, "to": after} for item, before, after in done.moved],
        "stories": [{"id": story.id, "title": story.title, "items": story.item_count} for story in done.stories],
        "redirects": [{"story": old, "to": new} for old, new in done.redirects],
    }


def _lines(done: Corrected) -> list[str]:
    ways: dict[tuple[int, int], list[int]] = {}
    for item, before, after in done.moved:
        ways.setdefault((before, after), []).append(item)
    lines = [
        f"{'item' if len(items) == 1 else 'items'} {_numbers(items)}: from story {before} to story {after}"
        for (before, after), items in ways.items()
    ]
    lines += [f"story {story.id}: {story.title}  ({story.item_count} {_items(story.item_count)})" for story in done.stories]
    lines += [f"story {old} leads to story {new} now" for old, new in done.redirects]
    return lines or ["No item changed its story."]


def _items(count: int) -> str:
    return "item" if count == 1 else "items"


def _numbers(ids: Sequence[int], most: int = 8) -> str:
    shown = ", ".join(map(str, ids[:most]))
    return shown if len(ids) <= most else f"{shown} and {len(ids) - most} more"
