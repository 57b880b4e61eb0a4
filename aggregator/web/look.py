"""Turns a Page into HTML: one environment that escapes everything, the words for times and numbers, and the frame around a page. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from aggregator import __version__
from aggregator.digest import layout
from aggregator.text import one_line
from aggregator.times import ago, iso, spell_delay

if TYPE_CHECKING:
    from aggregator.app import App
    from aggregator.web.asked import Asked, Page

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
SECTIONS = (
    ("/", "Digest"),
    ("/stories", "Stories"),
    ("/topics", "Topics"),
    ("/search", "Search"),
    ("/feeds", "Feeds"),
    ("/corrections", "Corrections"),
    ("/status", "Status"),
)
DONE = {
    "split": "The items are a story of their own now.",
    "merge": "The stories are one now.",
    "move": "The items are in the other story now.",
    "undo": "Taken back.",
    "follow": "Followed: it stands higher in every digest.",
    "mute": "Muted: it stays out of digests.",
    "unmark": "No longer followed or muted.",
    "star": "Starred: the item is kept for ever.",
    "unstar": "The star is off.",
    "added": "Subscribed. Its items are grouped with the next round of polling.",
    "enabled": "The feed is polled again.",
    "disabled": "The feed is no longer polled; it stays in the list.",
    "saved": "Saved in feeds.toml.",
}


class Look:
    """How the pages of one App look."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._rules = Environment(
            autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined, loader=PackageLoader("aggregator.web")
        )
        self._rules.filters |= {
            "line": one_line,
            "when": lambda moment: when(moment, app.zone),
            "iso": iso,
            "ago": lambda moment: ago(moment, app.clock()) if moment else "never",
            "delay": spell_delay,
            "counted": layout.count,
            "web": layout.safe_link,
            "language": language,
        }

    def page(self, page: Page, asked: Asked) -> str:
        """The whole document."""
        path = asked.address.partition("?")[0]
        here = next((place for place, _ in reversed(SECTIONS) if path == place or (place != "/" and path.startswith(place))), "")
        values = {
            "title": page.title,
            "asked": asked,
            "here": here,
            "menu": SECTIONS,
            "done": DONE.get(asked.done, ""),
            "version": __version__,
        }
        return self._rules.get_template(f"{page.template}.html.jinja").render(values, layout=layout, **page.values)


def when(moment: datetime | None, zone: str) -> str:
    """A moment in the reader's zone; a dash when it is not known."""
    return moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M") if moment else "–"


def language(code: str | None) -> str:
    """A language as HTML names it; "" when it is unknown or the page's own."""
    return code if code and _LANGUAGE.fullmatch(code) and not code.startswith("en") else ""
