"""A digest as one HTML file that needs nothing else: no script, no font, no picture from elsewhere. Pure.

jinja2 escapes everything; links come from layout.safe_link; a Content-Security-Policy in the page forbids what it does not need.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from aggregator.digest import layout
from aggregator.digest.layout import Told
from aggregator.digest.period import written
from aggregator.model import Digest
from aggregator.times import iso

if TYPE_CHECKING:
    from jinja2 import Template

BAR_HEIGHT = 14
BAR_STEP = 5


def to_html(digest: Digest, *, explain: bool = False) -> str:
    """The page; `explain` adds to each story what its rank is made of."""
    return (
        _template().render(
            digest=digest,
            layout=layout,
            headline=layout.headline(digest.period),
            sections=layout.sections(digest),
            media=layout.media_lines(digest.media),
            bars=lambda told: bars(told, digest),
            iso=lambda moment: iso(written(moment)),
            explain=explain,
        )
        + "\n"
    )


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    source = resources.files("aggregator.digest").joinpath("templates/digest.html.jinja").read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined).from_string(source)


def bars(told: Told, digest: Digest) -> list[tuple[int, int, int]]:
    """(x, y, height) in pixels of each bar of the story's volume over the period."""
    slots = layout.volume(told.story.items, digest.period)
    top = max((*slots, layout.BAR_MINIMUM))
    heights = [max(1, round(BAR_HEIGHT * n / top)) for n in slots]
    return [(i * BAR_STEP, BAR_HEIGHT - height, height) for i, height in enumerate(heights)]
