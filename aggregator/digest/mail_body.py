"""A digest as the two bodies of a mail, and the names by which mail readers thread and sort it. Pure; it sends nothing.

Mail readers know little CSS: no variables, often no style sheet, no SVG. So a template of its own, whose styles css-inline
writes into the elements (what stands in @media stays in a style sheet, for the readers that know it).
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from aggregator.digest import layout
from aggregator.digest.period import TICK
from aggregator.digest.plain import to_plain
from aggregator.model import Digest, Period

if TYPE_CHECKING:
    from jinja2 import Template

MEDIA_SHOWN = 20
THREAD_DAYS = 7
"""So many earlier days are named in References: a reader who lost some of them still threads."""


def mail_parts(digest: Digest) -> tuple[str, str]:
    """(the HTML with its styles inlined, the plain text), both ending in a newline. No remote image, no script."""
    import css_inline

    page = _template().render(
        digest=digest,
        layout=layout,
        headline=layout.headline(digest.period),
        sections=layout.sections(digest),
        media=layout.media_lines(digest.media),
        most_media=MEDIA_SHOWN,
    )
    inliner = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
    return inliner.inline(page).rstrip("\n") + "\n", to_plain(digest)


def thread_id(name: str, period: Period, host: str, *, days_before: int = 0) -> str:
    """The id that all digests of a name and local day refer to; no message needs to have it."""
    return f"<{_atom(name)}.{_day(period) - timedelta(days=days_before):%Y%m%d}@{_atom(host)}>"


def references(name: str, period: Period, host: str) -> tuple[str, ...]:
    """What References holds, oldest first: the threads of the days before and of this one, so that days thread."""
    return tuple(thread_id(name, period, host, days_before=days) for days in range(THREAD_DAYS, -1, -1))


def list_id(name: str, host: str) -> str:
    """What List-Id holds (RFC 2919): a phrase and a name that rules can sort by."""
    return f"Digest {_atom(name)} <{_atom(name)}.digest.{_atom(host)}>"


def _day(period: Period) -> date:
    return (period.to_at - TICK).astimezone(ZoneInfo(period.zone)).date()


def _atom(text: str) -> str:
    """A text as it may stand in a message id: letters, digits, dots and dashes."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip("-.") or "aggregator"


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    source = resources.files("aggregator.digest").joinpath("templates/mail.html.jinja").read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined).from_string(source)
