"""A digest as plain text for pipes and files: no colour, no boxes, nothing wrapped or cut off, every link in full. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from aggregator.digest import layout
from aggregator.digest.layout import Told
from aggregator.model import Digest


def to_plain(digest: Digest, *, explain: bool = False) -> str:
    """The digest as lines; each fact stands in a line of its own, whatever its length."""
    return "\n".join(_lines(digest, explain)).rstrip("\n") + "\n"


def _lines(digest: Digest, explain: bool) -> Iterator[str]:
    yield layout.headline(digest.period)
    yield layout.summary(digest)
    yield ""
    if not digest.stories:
        yield layout.nothing(digest)
        yield ""
    for section in layout.sections(digest):
        yield section.title.upper()
        yield ""
        for told in section.stories:
            yield from _story(told, explain)
        if section.also:
            if section.stories:
                yield f"{layout.ALSO}:"
            for told in section.also:
                yield from _line(told, explain)
            yield ""
    yield from _media(digest)
    yield from _failed(digest)


def _story(told: Told, explain: bool) -> Iterator[str]:
    yield f"{told.number}. {told.title}"
    yield f"   {layout.fact_line(told)}"
    if told.news:
        yield f"   New: {told.news}"
    if told.brief:
        yield f"   {told.brief}"
    for link in (told.best, *told.others):
        yield f"   {link.publisher}: {link.url or 'no link'}"
    if told.media:
        yield f"   Media: {told.media}"
    if told.related:
        yield f"   Related: {layout.related_words(told)}"
    if explain:
        yield f"   Why: {layout.explained(told)}"
    yield ""


def _line(told: Told, explain: bool) -> Iterator[str]:
    if layout.is_right_to_left(told.title + told.line):
        yield f"{told.number}. {told.title}"
        yield f"   {told.line}"
    else:
        yield f"{told.number}. {told.title} · {told.line}"
    if told.url:
        yield f"   {told.url}"
    if explain:
        yield f"   Why: {layout.explained(told)}"


def _media(digest: Digest) -> Iterator[str]:
    if not digest.media:
        return
    yield layout.MEDIA.upper()
    yield ""
    for line in layout.media_lines(digest.media):
        yield line.title
        yield f"   {line.facts} · {line.kind}"
        if line.url or line.page:
            yield f"   {line.url or line.page}"
    yield ""


def _failed(digest: Digest) -> Iterator[str]:
    if not digest.failed_feeds:
        return
    yield layout.FAILED.upper()
    yield ""
    for failed in digest.failed_feeds:
        yield layout.failed_line(failed, digest.period)
    yield f"`{layout.STATUS_COMMAND}` says more."
