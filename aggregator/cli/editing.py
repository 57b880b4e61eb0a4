"""Edit a text in the person's editor until it is valid. Shared by `feeds edit` and `config edit`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from aggregator.cli.common import can_ask, warn
from aggregator.errors import AggregatorError


def edit_until_valid(text: str, check: Callable[[str], None]) -> str | None:
    """The edited text once `check` accepts it; None when nothing was changed. The editor is $VISUAL, else $EDITOR.

    A person is offered another round after an error; without one there (or after a no) the draft is kept and the error raised.
    """
    draft = text
    while True:
        edited = click.edit(draft, extension=".toml")
        if edited is None or edited == text:
            return None
        try:
            check(edited)
        except AggregatorError as error:
            if can_ask():
                warn(f"Error: {error}")
                if click.confirm("Edit again?", default=True, err=True):
                    draft = edited
                    continue
            warn(f"Nothing was changed; the draft is kept in {keep_draft(edited)}")
            raise
        return edited


def keep_draft(text: str) -> Path:
    """Write a draft where the person finds it again."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="aggregator-draft-", suffix=".toml", delete=False) as file:
        file.write(text)
    return Path(file.name)
