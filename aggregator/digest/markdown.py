"""A digest as Markdown (CommonMark). Pure. What comes from feeds is escaped, so that it can be no markup."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aggregator.digest import layout
from aggregator.digest.layout import Link, Told
from aggregator.model import Digest

_ACTIVE = re.compile(r"([\\`*_\[\]<>#|~&$^])")  # $ and ^: mathematics and footnotes of common dialects
_LEADING = re.compile(r"^([-+=:!]|\d+(?=[.)]))")
_BARE_URL = re.compile(r"(?i)\b(https?|ftp)://")


def escape(text: str) -> str:
    """Text that renders as itself in CommonMark and the common dialects, wherever it stands in a line."""
    escaped = _BARE_URL.sub(r"\1\\://", _ACTIVE.sub(r"\\\1", text))
    if match := _LEADING.match(escaped):
        head = match.group(1)
        return f"{head}\\{escaped[len(head) :]}" if head.isdigit() else f"\\{escaped}"
    return escaped


def link(text: str, url: str | None) -> str:
    """[text](<url>) in its pointed form, which no bracket of the address can end (layout.safe_link admits no < and >)."""
    return f"[{escape(text)}]({_address(url)})" if url else escape(text)


def _address(url: str) -> str:
    return f"<{url}>" if any(char in url for char in "()[]*_&") else url


def to_markdown(digest: Digest, *, explain: bool = False) -> str:
    """The digest as one document: a heading, a section for each topic, a heading for each story."""
    return "\n".join(_lines(digest, explain)).rstrip("\n") + "\n"


def _lines(digest: Digest, explain: bool) -> Iterator[str]:
    yield f"# {escape(layout.headline(digest.period))}"
    yield ""
    yield escape(layout.summary(digest))
    yield ""
    if not digest.stories:
        yield layout.nothing(digest)
        yield ""
    for section in layout.sections(digest):
        yield f"## {escape(section.title)}"
        yield ""
        for told in section.stories:
            yield from _story(told, explain)
        if section.also:
            if section.stories:
                yield f"**{layout.ALSO}**"
                yield ""
            for told in section.also:
                yield from _line(told, explain)
            yield ""
    yield from _media(digest)
    yield from _failed(digest)


def _story(told: Told, explain: bool) -> Iterator[str]:
    yield f"### {told.number}\\. {link(told.title, told.url)}"
    yield ""
    yield escape(layout.fact_line(told))
    yield ""
    if told.news:
        yield f"**New:** {escape(told.news)}"
        yield ""
    if told.brief:
        yield escape(told.brief)
        yield ""
    yield _publishers(told.best, told.others)
    yield ""
    if told.media:
        yield f"Media: {escape(told.media)}"
        yield ""
    if told.related:
        yield f"Related: {escape(layout.related_words(told))}"
        yield ""
    if explain:
        yield f"Why: {escape(layout.explained(told))}"
        yield ""


def _publishers(best: Link, others: tuple[Link, ...]) -> str:
    also = f" · also {', '.join(link(other.publisher, other.url) for other in others)}" if others else ""
    return f"**{link(best.publisher, best.url)}**{also}"


def _line(told: Told, explain: bool) -> Iterator[str]:
    yield f"- {told.number}\\. {link(told.title, told.url)} · {escape(told.line)}"
    if explain:
        yield f"  Why: {escape(layout.explained(told))}"


def _media(digest: Digest) -> Iterator[str]:
    if not digest.media:
        return
    yield f"## {layout.MEDIA}"
    yield ""
    for line in layout.media_lines(digest.media):
        yield f"- {link(line.title, line.url or line.page)} · {escape(line.facts)} · {line.kind}"
    yield ""


def _failed(digest: Digest) -> Iterator[str]:
    if not digest.failed_feeds:
        return
    yield f"## {layout.FAILED}"
    yield ""
    for failed in digest.failed_feeds:
        yield f"- {escape(layout.failed_line(failed, digest.period))}"
    yield ""
    yield f"`{layout.STATUS_COMMAND}` says more."
