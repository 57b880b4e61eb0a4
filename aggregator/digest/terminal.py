"""A digest for a terminal of 40 to 200 columns, laid out by rich (imported when it is called). Pure: size and colour come in.

Calm on purpose: white space instead of boxes, one accent colour, bold for headlines, dim for facts. Text never runs wider
than 100 columns, because longer lines are hard to read. Links are OSC 8 where the terminal can show them, else written out.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aggregator.digest import layout
from aggregator.digest.layout import Link, Told
from aggregator.model import Digest

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.style import Style
    from rich.text import Text

    Piece = tuple[str, str | Style]

MEASURE = 100
_TRAILING = re.compile(r" +((?:\x1b\[[0-9;]*m|\x1b\]8;[^\x1b]*\x1b\\)*)$")
"""Blanks at a line's end, also before the escapes that close it."""
MEDIA_SHOWN = 20
_ACCENT = "bold cyan"
_PHASES = {"growing": "green", "fading": "dim"}


@dataclass(frozen=True)
class Look:
    """What the terminal is like: columns, whether it shows colour, whether it shows OSC 8 links."""

    width: int = 80
    colour: bool = False
    links: bool = False


def to_terminal(digest: Digest, look: Look = Look(), *, explain: bool = False) -> str:
    """The digest as text with the escape sequences that `look` allows; no line is wider than the terminal."""
    from rich.console import Console, Group

    out = io.StringIO()
    styled = look.colour or look.links
    console = Console(
        file=out,
        width=max(20, min(look.width, MEASURE)),
        force_terminal=styled,
        color_system="standard" if styled else None,
        no_color=not look.colour,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
        _environ={},
    )
    console.print(Group(*_Page(digest, look, explain).parts()))
    return "\n".join(_TRAILING.sub(r"\1", line) for line in out.getvalue().split("\n"))


@dataclass(frozen=True)
class _Page:
    digest: Digest
    look: Look
    explain: bool

    def parts(self) -> Iterator[RenderableType]:
        digest = self.digest
        yield self.text((layout.headline(digest.period), "bold"))
        yield self.text((layout.summary(digest), "dim"))
        if not digest.stories:
            yield ""
            yield layout.nothing(digest)
        for section in layout.sections(digest):
            yield self.heading(section.title)
            for told in section.stories:
                yield ""
                yield self.indented(f"{told.number}", list(self.story(told)))
            if section.also:
                yield ""
                if section.stories:
                    yield self.indented("", [self.text((layout.ALSO, "italic"))])
                for told in section.also:
                    yield self.indented(f"{told.number}", list(self.line(told)))
        yield from self.media()
        yield from self.failed()

    # --- pieces ---------------------------------------------------------------------------------------------------------

    def heading(self, title: str) -> Text:
        return self.text(("\n" + title, _ACCENT))

    def indented(self, number: str, lines: list[Text]) -> RenderableType:
        """The number in a narrow column of its own, the lines beside it, so that titles align whatever the number."""
        from rich.table import Table

        table = Table.grid(padding=(0, 1))
        table.add_column(justify="right", width=3, style="dim")
        table.add_column(overflow="fold")
        for i, line in enumerate(lines):
            table.add_row(number if i == 0 else "", line)
        return table

    def text(self, *pieces: Piece) -> Text:
        from rich.text import Text

        return Text.assemble(*(piece for piece in pieces if piece[0]), overflow="fold")

    def linked(self, text: str, url: str | None, style: str = "") -> Piece:
        """A piece of text that links where the terminal can."""
        from rich.style import Style

        return text, Style.parse(style) + Style(link=url) if url and self.look.links else style

    # --- stories --------------------------------------------------------------------------------------------------------

    def story(self, told: Told) -> Iterator[Text]:
        yield self.text(self.linked(told.title, told.url, "bold"))
        yield self.facts(told)
        if told.news:
            yield self.text(("New: ", "bold green"), (told.news, "green"))
        if told.brief:
            yield self.text((told.brief, ""))
        yield from self.publishers(told)
        if told.media:
            yield self.text((f"▶ {told.media}", "dim"))
        if told.related:
            yield self.text(("Related: ", "dim italic"), (layout.related_words(told), "dim"))
        if self.explain:
            yield self.text((layout.explained(told), "yellow"))

    def facts(self, told: Told) -> Text:
        pieces: list[Piece] = []
        for fact in told.facts:
            pieces += [(" · ", "dim"), (fact, _PHASES.get(fact, "dim"))]
        if told.bar and self.look.width >= 60:
            pieces += [("  ", ""), (told.bar, "cyan")]
        return self.text(*pieces[1:])

    def publishers(self, told: Told) -> Iterator[Text]:
        """The best link first; without OSC 8 the addresses stand in full below each other."""
        links = (told.best, *told.others)
        if not self.look.links:
            yield from (self.address(link) for link in links)
            return
        pieces = [self.linked(told.best.publisher, told.best.url, "cyan")]
        for i, link in enumerate(told.others):
            pieces += [(", " if i else " · also ", "dim"), self.linked(link.publisher, link.url)]
        yield self.text(*pieces)

    def address(self, link: Link) -> Text:
        return self.text((f"{link.publisher}: ", ""), (link.url or "no link", "dim"))

    def line(self, told: Told) -> Iterator[Text]:
        if layout.is_right_to_left(told.title + told.line):
            yield self.text(self.linked(told.title, told.url))
            yield self.text((told.line, "dim"))
        else:
            yield self.text(self.linked(told.title, told.url), (f"  {told.line}", "dim"))
        if told.url and not self.look.links:
            yield self.text((told.url, "dim"))
        if self.explain:
            yield self.text((layout.explained(told), "yellow"))

    # --- the end --------------------------------------------------------------------------------------------------------

    def media(self) -> Iterator[RenderableType]:
        if not self.digest.media:
            return
        yield self.heading(layout.MEDIA)
        yield ""
        for line in layout.media_lines(self.digest.media)[:MEDIA_SHOWN]:
            url = line.url or line.page
            rows = [self.text(self.linked(line.title, url)), self.text((f"{line.facts} · {line.kind}", "dim"))]
            if url and not self.look.links:
                rows.append(self.text((url, "dim")))
            yield self.indented("▶", rows)
        if (more := len(self.digest.media) - MEDIA_SHOWN) > 0:
            yield self.indented("", [self.text((f"and {more:,} more; --format plain lists all", "dim"))])

    def failed(self) -> Iterator[RenderableType]:
        if not self.digest.failed_feeds:
            return
        yield self.heading(layout.FAILED)
        yield ""
        for failed in self.digest.failed_feeds[: layout.FAILED_SHOWN]:
            yield self.indented("!", [self.text((layout.failed_line(failed, self.digest.period), "dim"))])
        more = len(self.digest.failed_feeds) - layout.FAILED_SHOWN
        others = f"and {more:,} more; " if more > 0 else ""
        yield self.indented("", [self.text((others, "dim"), (f"{layout.STATUS_COMMAND}", "bold"), (" says more.", "dim"))])
