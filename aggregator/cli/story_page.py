"""How one story is shown: what it is, its life so far, who told it when, its items; as text and as JSON. Prints, decides nothing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from aggregator.cli.common import print_table
from aggregator.cli.items import item_json
from aggregator.text import ASCII_BLOCKS, BLOCKS, bars
from aggregator.times import iso, spell_delay

if TYPE_CHECKING:
    from aggregator.app import App
    from aggregator.model import Coverage, Item, Membership
    from aggregator.stories.timeline import PublisherLag

_BARS = 48
_INDENT = len("Volume: ")


def print_story(app: App, coverage: Coverage) -> None:
    """The whole page on stdout: facts, volume, a table of the publishers, a table of the items (oldest first)."""
    for line in (*_facts(app, coverage), *_life(app, coverage)):
        click.echo(line)
    click.echo()
    _print_publishers(coverage)
    members, items = _by_item(coverage), {item.id: item for item in coverage.items}
    rows = [
        (
            str(item.id),
            when(app, item.published_at),
            item.publisher or item.feed,
            item.title,
            _mark(members.get(item.id), items),
            item.link or "–",
        )
        for item in coverage.items
    ]
    print_table(("ITEM", "PUBLISHED", "PUBLISHER", "TITLE", "SCORE", "LINK"), rows)


def life_to_json(coverage: Coverage, at: datetime) -> dict[str, Any]:
    """phase, first_reported, publishers and timeline of a story as it stands at `at`."""
    from aggregator.stories.timeline import first_report, phase_at, publisher_lags, publisher_name, volume

    items, members = coverage.items, _by_item(coverage)
    first = first_report(items, members)
    return {
        "phase": phase_at(items, members, at),
        "first_reported": first and {"item": first.id, "publisher": publisher_name(first), "published": iso(first.published_at)},
        "publishers": [
            {"publisher": lag.publisher, "lag_seconds": lag.lag_seconds, "items": lag.items, "independent": lag.independent}
            for lag in publisher_lags(items, members)
        ],
        "timeline": [
            {"start": iso(bucket.start_at), "end": iso(bucket.end_at), "items": bucket.items, "new_publishers": bucket.publishers}
            for bucket in volume(items, members, _BARS)
        ],
    }


def items_to_json(coverage: Coverage) -> list[dict[str, Any]]:
    """The story's items, oldest first, each with how it came in."""
    found = _by_item(coverage)
    return [
        item_json(item)
        | {
            "score": found[item.id].score if item.id in found else None,
            "rule": found[item.id].rule if item.id in found else None,
            "copy_of": found[item.id].copy_of if item.id in found else None,
        }
        for item in coverage.items
    ]


def when(app: App, moment: datetime) -> str:
    """A moment in the reader's zone."""
    return moment.astimezone(ZoneInfo(app.zone)).strftime("%Y-%m-%d %H:%M")


def _by_item(coverage: Coverage) -> dict[int, Membership]:
    return {membership.item_id: membership for membership in coverage.memberships}


def _facts(app: App, coverage: Coverage) -> Iterator[str]:
    story = coverage.story
    titles = app.store.stories.titles(story.related)
    yield f"{story.title}  (story {story.id})"
    if story.brief:
        yield story.brief
    if story.keywords:
        yield "Keywords: " + ", ".join(story.keywords)
    publishers = "1 independent publisher" if story.sources == 1 else f"{story.sources} independent publishers"
    yield f"{publishers}, {when(app, story.first_published_at)} to {when(app, story.last_published_at)}"
    if story.topic_id is not None:
        topic, _ = app.store.stories.topic(story.topic_id)
        yield f"Topic: {topic.label}  (topic {topic.id})"
    for other in story.related:
        if other in titles:
            yield f"Related: {titles[other]}  (story {other})"


def _life(app: App, coverage: Coverage) -> Iterator[str]:
    from aggregator.stories.timeline import first_report, has_sure_date, phase_at, publisher_name

    items, members = coverage.items, _by_item(coverage)
    yield f"Phase: {phase_at(items, members, app.clock())}"
    first = first_report(items, members)
    if first is not None:
        unsure = "" if has_sure_date(first) else ", date unsure"
        yield f"First reported by: {publisher_name(first)}, {when(app, first.published_at)} (item {first.id}{unsure})"
    if len(items) > 1:
        yield from _volume(coverage, members)


def _volume(coverage: Coverage, members: Mapping[int, Membership]) -> Iterator[str]:
    """Bars and what one of them stands for: no line wider than the terminal from 40 columns on."""
    from aggregator.stories.timeline import volume

    room = shutil.get_terminal_size().columns - _INDENT
    buckets = volume(coverage.items, members, max(8, min(_BARS, room)))
    most = max(bucket.items for bucket in buckets)
    step = spell_delay((buckets[0].end_at - buckets[0].start_at).total_seconds())
    yield "Volume: " + bars([bucket.items for bucket in buckets], levels=_levels())
    yield " " * _INDENT + f"1 bar = {step}, highest = {most} item{'s' if most > 1 else ''}"


def _levels() -> str:
    """Blocks where stdout's encoding has them, else ASCII."""
    try:
        BLOCKS.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII_BLOCKS
    return BLOCKS


def _print_publishers(coverage: Coverage) -> None:
    """A table where there are several to compare."""
    from aggregator.stories.timeline import publisher_lags

    lags = publisher_lags(coverage.items, _by_item(coverage))
    if len(lags) > 1:
        rows = [(lag.publisher, _late(lag), str(lag.items), "own" if lag.independent else "copied") for lag in lags]
        print_table(("PUBLISHER", "LAG", "ITEMS", "TEXT"), rows)
        click.echo()


def _late(lag: PublisherLag) -> str:
    """ "first", "+2 h 10 min", or that no date of this publisher can be relied on."""
    if lag.lag_seconds is None:
        return "date unsure"
    return f"+{spell_delay(lag.lag_seconds)}" if lag.lag_seconds else "first"


def _mark(membership: Membership | None, items: Mapping[int, Item]) -> str:
    """How an item came in: whose text it repeats, its score, or the word for what is no score."""
    if membership is None:
        return "–"
    if membership.copy_of is not None:
        original = items.get(membership.copy_of)
        return f"copy of {membership.copy_of}" + (f" ({original.publisher or original.feed})" if original else "")
    words = {"new": "first", "round-up": "alone"}
    return words.get(membership.rule) or f"{membership.score:.2f} {membership.rule}"
