"""`aggregator evaluate`: how well the grouping does on a labelled archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from aggregator.cli.common import echo_json, json_option, note, pass_app, print_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.app import App

_FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, path_type=Path)
_EXPLAINED = {
    "bcubed": "stories, B-cubed",
    "pairwise": "stories, pairs of items",
    "related": "topics, pairs of items in different stories",
}


@click.command()
@click.argument("streams", metavar="STREAM...", nargs=-1, required=True, type=_FILE)
@click.option("--gold", "golds", metavar="FILE", multiple=True, required=True, type=_FILE, help="Labelled items; may be given again.")
@click.option("--no-warm-up", is_flag=True, help="Let the engine see the labelled items alone.")
@click.option("--no-tables", is_flag=True, help="Without the document frequencies that ship with the program.")
@click.option("--assigned", metavar="FILE", type=_NEW_FILE, help="Write link, story and topic of every line as TSV.")
@json_option
@pass_app
def evaluate(
    app: App, streams: tuple[Path, ...], golds: tuple[Path, ...], no_warm_up: bool, no_tables: bool, assigned: Path | None, as_json: bool
) -> None:
    """Run the stories engine over an archive in memory and score it against labels. Nothing is stored.

    STREAM and gold are JSON lines (also .gz) with source, publisher, language, published, title, summary and link; the gold
    lines have story and topic as well (null = alone, none). The engine sees everything up to the last labelled item.

    \b
    Examples:
      aggregator evaluate stream.jsonl.gz --gold labels.jsonl.gz
      aggregator evaluate stream.jsonl.gz --gold labels.jsonl.gz --no-warm-up --json
      aggregator evaluate a.jsonl b.jsonl --gold labels.jsonl --assigned assigned.tsv
    """
    result = app.evaluate(streams, golds, warm_up=not no_warm_up, tables=not no_tables)
    if assigned is not None:
        app.write_text(result.to_tsv(), assigned)
        note(f"{len(result.assigned)} lines written to {assigned}")
    if as_json:
        echo_json({"version": 1, **result.scores})
    else:
        _print_scores(result.scores)


def _print_scores(scores: Mapping[str, float]) -> None:
    rows = [
        (meaning, *(f"{scores[f'{name}_{rate}']:.4f}" for rate in ("precision", "recall", "f1"))) for name, meaning in _EXPLAINED.items()
    ]
    print_table(("", "PRECISION", "RECALL", "F1"), rows)
    click.echo()
    click.echo(f"{scores['items']:.0f} labelled items, {scores['missing']:.0f} of them not in the stream")
    click.echo(f"{scores['gold_stories']:.0f} stories in the labels, {scores['assigned_stories']:.0f} found")
    click.echo(f"Nothing grouped at all would have a B-cubed F1 of {scores['singletons_bcubed_f1']:.4f}")
    click.echo(f"Topics without the two largest: F1 {scores['related_f1_small']:.4f}")
    click.echo(f"First related story of the same topic: {scores['first_related_accuracy']:.4f}")
    click.echo(f"{scores['items_per_second']:.0f} items a second")
