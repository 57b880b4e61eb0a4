"""Where marks stand on a time axis: a story by publisher, a topic by story. Pure.

Places are percentages of the width, so that a drawing fits a phone and a wide screen without scaling its marks. Lanes of a drawing
share one axis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from aggregator.model import Coverage, Item, Membership, Story
from aggregator.stories.copies import publisher_key
from aggregator.stories.timeline import has_sure_date, publisher_name, volume

_HOUR, _DAY = 3600, 86_400
_STEPS = (
    600,
    1800,
    _HOUR,
    2 * _HOUR,
    3 * _HOUR,
    6 * _HOUR,
    12 * _HOUR,
    _DAY,
    2 * _DAY,
    3 * _DAY,
    7 * _DAY,
    14 * _DAY,
    28 * _DAY,
    91 * _DAY,
    365 * _DAY,
)
_TICKS = 5
_EDGE = 2.0
"""Percent left free at both ends, so that a mark at the very end is whole."""
BAR_HEIGHT = 40
_BARS = 24
LANES = 40


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Dot:
    """One item. `copied`: it repeats another publisher's text."""

    x: float
    label: str
    copied: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """One publisher, or one story (then `id`) from `start` to `end`."""

    name: str
    note: str
    dots: tuple[Dot, ...] = ()
    start: float = 0.0
    end: float = 0.0
    id: int = 0
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    width: float
    height: int
    label: str


@dataclass(frozen=True, slots=True)
class Plot:
    """`left_out`: how many lanes there are beyond those drawn."""

    ticks: tuple[Tick, ...]
    lanes: tuple[Lane, ...]
    bars: tuple[Bar, ...] = ()
    left_out: int = 0


class _Axis:
    def __init__(self, start: datetime, end: datetime, zone: str) -> None:
        self.zone = ZoneInfo(zone)
        self.start, self.end = start, max(end, start + timedelta(minutes=10))

    def x(self, moment: datetime) -> float:
        share = (moment - self.start) / (self.end - self.start)
        return round(_EDGE + (100 - 2 * _EDGE) * min(max(share, 0.0), 1.0), 2)

    def label(self, moment: datetime) -> str:
        return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M}"

    def ticks(self) -> tuple[Tick, ...]:
        """At whole steps of the local day, at most five."""
        length = (self.end - self.start).total_seconds()
        step = next((step for step in _STEPS if length / step <= _TICKS), _STEPS[-1] * (1 + int(length / _STEPS[-1] / _TICKS)))
        local = self.start.astimezone(self.zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        moment = midnight + timedelta(seconds=step) * -(-int((local - midnight).total_seconds()) // step)
        found = []
        while moment <= self.end:
            days = step >= _DAY or (moment.hour, moment.minute) == (0, 0)
            text = f"{moment.day} {moment:%b}" if days else f"{moment:%H:%M}"
            found.append(Tick(self.x(moment), text))
            moment += timedelta(seconds=step)
        return tuple(tick for tick in found if tick.x < 96)


def story_plot(coverage: Coverage, zone: str) -> Plot:
    """A lane for each publisher, the quickest first, and bars of how much came when.

    What one feed carries of several sites is one lane: two of one name, far apart, look like a mistake.
    """
    members: Mapping[int, Membership] = {each.item_id: each for each in coverage.memberships}
    items = coverage.items
    times = [item.published_at for item in items]
    axis = _Axis(min(times), max(times), zone)
    names: dict[str, str] = {}
    by_name: dict[str, list[Item]] = {}
    for item in items:
        name = names.setdefault(publisher_key(item), publisher_name(item))
        by_name.setdefault(name, []).append(item)
    lanes = [_publisher_lane(name, own, members, axis) for name, own in by_name.items()]
    unsure = {name for name, own in by_name.items() if not any(map(has_sure_date, own))}
    lanes.sort(key=lambda lane: (lane.name in unsure, lane.start, lane.name.casefold()))
    return Plot(axis.ticks(), tuple(lanes[:LANES]), _bars(coverage, members, axis), max(0, len(lanes) - LANES))


def _publisher_lane(name: str, own: Sequence[Item], members: Mapping[int, Membership], axis: _Axis) -> Lane:
    dots = tuple(
        Dot(
            axis.x(item.published_at),
            f"{axis.label(item.published_at)} {item.title}",
            (member := members.get(item.id)) is not None and member.copy_of is not None,
        )
        for item in own
    )
    first = min(item.published_at for item in own)
    note = f"{len(own)} item{'s' if len(own) > 1 else ''}, first {axis.label(first)}"
    return Lane(name, note, dots, min(dot.x for dot in dots), max(dot.x for dot in dots))


def _bars(coverage: Coverage, members: Mapping[int, Membership], axis: _Axis) -> tuple[Bar, ...]:
    buckets = volume(coverage.items, members, _BARS)
    most = max((bucket.items for bucket in buckets), default=0)
    return tuple(
        Bar(
            left := axis.x(bucket.start_at),
            round(max(axis.x(bucket.end_at) - left - 0.2, 0.6), 2),
            max(2, round(BAR_HEIGHT * bucket.items / most)),
            f"{bucket.items} from {axis.label(bucket.start_at)} to {axis.label(bucket.end_at)}",
        )
        for bucket in buckets
        if bucket.items
    )


def topic_plot(stories: Sequence[Story], zone: str) -> Plot:
    """A lane for each story, the newest first: from its first item to its last, as thick as it has publishers.

    Of very many those that most publishers told are drawn.
    """
    if not stories:
        return Plot((), ())
    axis = _Axis(min(each.first_published_at for each in stories), max(each.last_published_at for each in stories), zone)
    largest = sorted(stories, key=lambda story: (story.sources, story.item_count, story.last_published_at), reverse=True)[:LANES]
    newest = sorted(largest, key=lambda story: (story.last_published_at, story.id), reverse=True)
    return Plot(axis.ticks(), tuple(_story_lane(story, axis) for story in newest), left_out=len(stories) - len(newest))


def _story_lane(story: Story, axis: _Axis) -> Lane:
    span = f"{axis.label(story.first_published_at)} to {axis.label(story.last_published_at)}"
    note = f"{story.sources} publisher{'s' if story.sources != 1 else ''}, {span}"
    start, end = axis.x(story.first_published_at), axis.x(story.last_published_at)
    return Lane(story.title, note, start=start, end=end, id=story.id, weight=min(18, 6 + 2 * (story.sources - 1)))
