"""`aggregator topics follow`, `stories mute`, `items star` and their kin: what the reader marks. Shared by three groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from aggregator.cli.common import echo_json, json_option, note, pass_app, print_table
from aggregator.cli.completing import complete_items, complete_stories, complete_topics
from aggregator.times import iso

if TYPE_CHECKING:
    from aggregator.app import App
    from aggregator.marking import Marked, Marking

_COMPLETE = {"topic": complete_topics, "story": complete_stories, "item": complete_items}
_WHAT = {"topic": "its stories", "story": "it", "item": "it"}


def add_to(group: click.Group, kind: str) -> None:
    """Give a group its verbs: follow, mute, unmark and marked for topics and stories; star, unstar and starred for items."""
    if kind == "item":
        _add(group, kind, "star", lambda marking, id_: marking.star(id_), "Starred", _STAR)
        _add(group, kind, "unstar", lambda marking, id_: marking.take_off("item", id_), "No longer starred", _UNSTAR)
        _add_list(group, kind, "starred")
        return
    _add(group, kind, "follow", lambda marking, id_: marking.follow(kind, id_), "Followed", _FOLLOW[kind])
    _add(group, kind, "mute", lambda marking, id_: marking.mute(kind, id_), "Muted", _MUTE[kind])
    _add(group, kind, "unmark", lambda marking, id_: marking.take_off(kind, id_), "No longer marked", _UNMARK[kind])
    _add_list(group, kind, "marked")


_FOLLOW = {
    "topic": """Follow topics: their stories stand higher in every digest.

    \b
    Examples:
      aggregator topics follow 12
      aggregator topics follow 12 40
    """,
    "story": """Follow stories: they stand higher in every digest, and what is new about them is said.

    \b
    Examples:
      aggregator stories follow 345
    """,
}
_MUTE = {
    "topic": """Mute topics: their stories stay out of digests (but for those that you follow).

    \b
    Examples:
      aggregator topics mute 12
    """,
    "story": """Mute stories: they stay out of digests, whatever comes.

    \b
    Examples:
      aggregator stories mute 345
    """,
}
_UNMARK = {
    "topic": """Neither follow nor mute topics any longer.

    \b
    Examples:
      aggregator topics unmark 12
    """,
    "story": """Neither follow nor mute stories any longer.

    \b
    Examples:
      aggregator stories unmark 345
    """,
}
_STAR = """Star items: they are kept for ever, never muted, and `aggregator digest --starred` shows their stories.

    \b
    Examples:
      aggregator items star 1234
    """
_UNSTAR = """Take the star off items.

    \b
    Examples:
      aggregator items unstar 1234
    """


def _add(group: click.Group, kind: str, verb: str, act: Callable[[Marking, int], Marked], done: str, text: str) -> None:
    @click.argument("ids", metavar="ID...", type=int, nargs=-1, required=True, shell_complete=_COMPLETE[kind])
    @json_option
    @pass_app
    def command(app: App, ids: tuple[int, ...], as_json: bool) -> None:
        found = [act(app.marking, id_) for id_ in dict.fromkeys(ids)]
        if as_json:
            echo_json({"version": 1, "verb": verb, "marks": [_to_json(each) for each in found]})
            return
        for each in found:
            note(f"{done}: {each.title}  ({kind} {each.mark.target_id})")

    command.__doc__ = text
    group.command(verb)(command)


def _add_list(group: click.Group, kind: str, name: str) -> None:
    plural = {"topic": "topics", "story": "stories", "item": "items"}[kind]

    @json_option
    @pass_app
    def command(app: App, as_json: bool) -> None:
        found = app.marking.list(kind)
        if as_json:
            echo_json({"version": 1, "marks": [_to_json(each) for each in found]})
            return
        if not found:
            verb = "star" if kind == "item" else "follow"
            note(f"No {kind} is {name}; `aggregator {plural} {verb} ID` marks one.")
            return
        rows = [(str(each.mark.target_id), each.mark.stance, each.title, iso(each.mark.made_at)) for each in found]
        print_table(("ID", "MARK", "TITLE", "SINCE"), rows)

    which = "that carry a star" if kind == "item" else "that you follow or mute"
    command.__doc__ = f"List the {plural} {which}, newest mark first.\n\n    \b\n    Examples:\n      aggregator {plural} {name}\n    "
    group.command(name)(command)


def _to_json(found: Marked) -> dict[str, Any]:
    mark = found.mark
    return {"kind": mark.kind, "id": mark.target_id, "stance": mark.stance, "title": found.title, "since": iso(mark.made_at)}
