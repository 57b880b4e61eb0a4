"""One digest, many forms: which renderer makes which format. Pure; renderers are imported when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.errors import UsageError
from aggregator.model import Digest

if TYPE_CHECKING:
    from aggregator.digest.terminal import Look

FORMATS = ("terminal", "plain", "markdown", "html", "json", "atom")


def render(digest: Digest, format: str, *, look: Look | None = None, explain: bool = False) -> str:
    """The digest as text ending in a newline; besides FORMATS there is "mail", the HTML body of one.

    `look` is for the terminal alone (default: 80 columns, no colour, no links).
    """
    if format == "terminal":
        from aggregator.digest.terminal import Look, to_terminal

        return to_terminal(digest, look or Look(), explain=explain)
    if format == "plain":
        from aggregator.digest.plain import to_plain

        return to_plain(digest, explain=explain)
    if format == "markdown":
        from aggregator.digest.markdown import to_markdown

        return to_markdown(digest, explain=explain)
    if format == "html":
        from aggregator.digest.to_html import to_html

        return to_html(digest, explain=explain)
    if format == "json":
        from aggregator.digest.to_json import to_json

        return to_json(digest, explain=explain)
    if format == "mail":
        from aggregator.digest.mail_body import mail_parts

        return mail_parts(digest)[0]
    if format == "atom":
        from aggregator.digest.atom import to_atom

        return to_atom(digest, explain=explain)
    raise UsageError(f"“{format}” is no format; choose one of {', '.join(FORMATS)}")
