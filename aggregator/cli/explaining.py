"""`aggregator stories what-if`, and the parts of `explain` that look beyond one story. Registered onto the group in cli/stories.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aggregator.cli.common import echo_json, json_option, note, pass_app
from aggregator.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.app import App
    from aggregator.comparing import Change, Part
    from aggregator.model import Coverage
    from aggregator.stories.compare import Fit, Pair

_NAMES = ("threshold", "join", "merge")


def add_to(group: click.Group) -> None:
    """Add the commands of this module to `aggregator stories`."""
    group.add_command(what_if)


@click.command("what-if")
@click.argument("thresholds", metavar="NAME=VALUE…", nargs=-1, required=True)
@click.option("--since", metavar="TIME", default="3d", show_default=True, help="Stories with an item since then: 3d, or 2023-12-27.")
@json_option
@pass_app
def what_if(app: App, thresholds: tuple[str, ...], since: str, as_json: bool) -> None:
    """Show which stories would merge or split at another threshold; nothing is changed.

    \b
    Examples:
      aggregator stories what-if threshold=0.30
      aggregator stories what-if join=0.25 merge=0.28 --since 7d
      aggregator stories what-if threshold=0.20 --json

    join is the score at which an item joins a story, merge that at which two stories become one (keys of [stories] in the
    settings); threshold moves both: it is the new join, and merge stays as far from it as it is.
    """
    from aggregator.cli.stories import _moment

    _tell_changes(app.comparing.what_if(_read(app, thresholds), _moment(app, since)), as_json)


def elsewhere(app: App, coverage: Coverage, items: Sequence[int], thresholds: Sequence[str], as_json: bool) -> bool:
    """Answer an `explain` that asks about other thresholds, two items, or an item outside the story. False: it does not."""
    story = coverage.story.id
    if len(items) > 2:
        raise UsageError("explain takes a story and at most two items; name two to see how alike they are")
    if thresholds:
        _tell_changes(app.comparing.what_if_story(_read(app, thresholds), story), as_json)
    elif len(items) == 2:
        _tell_pair(app, app.comparing.pair(*items), as_json)
    elif items and items[0] not in {item.id for item in coverage.items}:
        _tell_fit(app, coverage, *app.comparing.fit(items[0], story), as_json)
    else:
        return False
    return True


def _read(app: App, thresholds: Sequence[str]) -> dict[str, float]:
    """ "join=0.30" -> {"join": 0.3}; "threshold" moves both thresholds, as far from each other as they are."""
    found: dict[str, float] = {}
    for text in thresholds:
        name, _, value = text.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if name not in _NAMES or not 0 <= number <= 1:
            raise UsageError(f"“{text}” is no threshold; write threshold=0.30 (or join=, merge=) with a number from 0 to 1")
        found[name] = number
    both = found.pop("threshold", None)
    if both is None:
        return found
    stories = app.settings.stories
    return {"join": both, "merge": round(min(1.0, max(0.0, both + stories.merge - stories.join)), 4)} | found


# --- what if ------------------------------------------------------------------------------------------------------------


def _tell_changes(changes: Sequence[Change], as_json: bool) -> None:
    if as_json:
        told = [
            {
                "kind": each.kind,
                "before": [_part_to_json(part) for part in each.before],
                "after": [_part_to_json(part) for part in each.after],
            }
            for each in changes
        ]
        echo_json({"version": 1, "changes": told})
        return
    if not changes:
        note("Nothing: the same items would be together.")
    words = {"merge": "would be one story", "split": "would be {} stories", "mixed": "would be {} stories, drawn otherwise"}
    for each in changes:
        for part in each.before:
            click.echo(_part(part))
        click.echo(f"  {words[each.kind].format(len(each.after))}:")
        for part in each.after:
            click.echo(f"  - {_part(part)}")


def _part(part: Part) -> str:
    return f"{part.title}  ({len(part.items)} {'item' if len(part.items) == 1 else 'items'})"


def _part_to_json(part: Part) -> dict[str, Any]:
    return {"title": part.title, "items": list(part.items)}


# --- why not, and how alike -----------------------------------------------------------------------------------------------


def _tell_fit(app: App, coverage: Coverage, fit: Fit, own: Fit | None, as_json: bool) -> None:
    """Why an item is not in the story."""
    if as_json:
        echo_json({"version": 1, "item": fit.item_id, "in_story": False, "against": _fit_to_json(fit), "own": _fit_to_json(own)})
        return
    titles = _titles(app, [fit.item_id, *(item for item, _ in fit.nearest)])
    click.echo(f"{fit.item_id}  {titles[fit.item_id]}")
    click.echo(f"    It is not in story {fit.story_id}, {coverage.story.title}.")
    if fit.members:
        side = "below" if fit.score < fit.threshold else "at or above"
        click.echo(
            f"    It scores {fit.score:.3f}, {side} {fit.threshold:g}: half the best likeness ({fit.best:.2f}), half the mean "
            f"({fit.mean:.2f}) to {fit.members} of its items."
        )
    for sentence in fit.obstacles:
        click.echo(f"    {sentence}")
    if own is not None:
        click.echo(f"    In story {own.story_id}, where it is, it scores {own.score:.3f}.")
    elif fit.score >= fit.threshold and not fit.obstacles:
        click.echo("    When it came, the story held other items and words weighed otherwise.")
    _say_terms(fit.terms)
    if fit.nearest:
        click.echo("    Nearest items:")
        for item, likeness in fit.nearest:
            click.echo(f"      {likeness:.2f}  {titles[item]}  [{item}]")


def _tell_pair(app: App, pair: Pair, as_json: bool) -> None:
    """How alike two items are."""
    if as_json:
        told = {
            "items": list(pair.items),
            "likeness": pair.likeness,
            "words": pair.words,
            "characters": pair.characters,
            "factor": pair.factor,
            "terms": _terms_to_json(pair.terms),
            "obstacles": list(pair.obstacles),
        }
        echo_json({"version": 1, "pair": told})
        return
    titles = _titles(app, pair.items)
    for item in pair.items:
        click.echo(f"{item}  {titles[item]}")
    click.echo(f"    Likeness {pair.likeness:.2f}: words {pair.words:.2f}, characters {pair.characters:.2f}, times {pair.factor:.2f}.")
    for sentence in pair.obstacles:
        click.echo(f"    {sentence}")
    _say_terms(pair.terms)


def _say_terms(terms: Sequence[tuple[str, float]]) -> None:
    if terms:
        click.echo("    Shared words: " + ", ".join(f"{word} {share:.0%}" for word, share in terms))


def _titles(app: App, ids: Sequence[int]) -> dict[int, str]:
    return {item.id: item.title + (f" ({item.publisher})" if item.publisher else "") for item in app.store.items.get(ids)}


def _fit_to_json(fit: Fit | None) -> dict[str, Any] | None:
    if fit is None:
        return None
    return {
        "story": fit.story_id,
        "score": fit.score,
        "threshold": fit.threshold,
        "best": fit.best,
        "mean": fit.mean,
        "members": fit.members,
        "nearest": [{"item": item, "similarity": likeness} for item, likeness in fit.nearest],
        "terms": _terms_to_json(fit.terms),
        "obstacles": list(fit.obstacles),
    }


def _terms_to_json(terms: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"word": word, "share": share} for word, share in terms]
