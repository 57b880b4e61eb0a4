"""The life of a story at a given moment: its phase, who told it first, how late the others were, how much came when. Pure.

    items + memberships | up to `at` | reports (copies out) | phase · first report · publishers' lags · volume

Knows no clock: the caller says what "now" is (the program's clock, the end of a digest's period). Times are the items' own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

from aggregator.model import Item, Membership, Phase
from aggregator.stories.copies import publisher_key


@dataclass(frozen=True, slots=True)
class PhaseParams:
    """`young` and `window` in seconds; `least` independent publishers within a window are news; `fall` is a ratio of windows.

    Measured on 15-31 December 2023, stories of two or more items: of the reports after the first 53 % come within a day of it
    (`young`), and the next day brings a growing story 2.4 more reports, a new one 0.9 and a fading one 0.2. With `least` 1 a
    single late report makes a story grow (then 0.9 instead of 2.4); windows of 24 hours tell growth less well apart (1.5), those
    of 6 hours call 2.6 times as many new stories fading that go on the same day.
    """

    young: float = 24 * 3600
    window: float = 12 * 3600
    least: int = 2
    fall: float = 0.5
    step: float = 3600
    """How finely the past is searched for what a story was before."""


PHASES = PhaseParams()


@dataclass(frozen=True, slots=True)
class PublisherLag:
    """One publisher's part of a story.

    `lag_seconds` runs from the first report to the publisher's own first item; None when none of its items has a sure date.
    `independent`: at least one of its `items` repeats nobody's text.
    """

    publisher: str
    lag_seconds: float | None
    items: int
    independent: bool


@dataclass(frozen=True, slots=True)
class Bucket:
    """What came in [start_at, end_at): items, and independent publishers that had not told the story before."""

    start_at: datetime
    end_at: datetime
    items: int
    publishers: int


# --- the phase -------------------------------------------------------------------------------------------------------


def phase_at(items: Sequence[Item], memberships: Mapping[int, Membership], at: datetime, params: PhaseParams = PHASES) -> Phase:
    """The phase of a story of `items` (`memberships` by item id) at `at`; what was published later is not looked at.

    "new": it began within the last 24 hours, and has not been silent for 12 since a second report. "growing": an older story
    that at least two independent publishers reported on in the last 12 hours, no fewer than in the 12 before; it keeps
    growing until they are half as many. "fading": every other one.
    """
    now = at.timestamp()
    known = sorted((item for item in items if item.published_at <= at), key=_by_time)
    told = [item for item in known if not _copied(item, memberships)] or known  # what was copied may be in another story by now
    if not told:
        return "new"
    silent = told[-1].published_at.timestamp() <= now - params.window
    if told[0].published_at.timestamp() > now - params.young:
        return "fading" if silent and len(told) > 1 else "new"
    return "fading" if silent else _trend([(item.published_at.timestamp(), publisher_key(item)) for item in told], now, params)


def earliest(phase: Phase, at: datetime, params: PhaseParams = PHASES) -> datetime | None:
    """No story without an item since then is in that phase at `at`; None: one of any age may be."""
    seconds = {"new": params.young, "growing": params.window}.get(phase)
    return None if seconds is None else at - timedelta(seconds=seconds)


def _trend(reports: Sequence[tuple[float, str]], now: float, params: PhaseParams) -> Phase:
    """The last clear growth or fall since the story's first day: two thresholds, so that one report does not toggle it."""
    times = [seconds for seconds, _ in reports]

    def publishers(until: float) -> int:
        return len({who for _, who in reports[bisect_right(times, until - params.window) : bisect_right(times, until)]})

    moment = now
    while moment >= times[0] + params.young:
        recent, before = publishers(moment), publishers(moment - params.window)
        if recent < params.least or recent <= params.fall * before:
            return "fading"
        if recent >= before:
            return "growing"
        moment -= params.step
    return "fading"


# --- who told it when ------------------------------------------------------------------------------------------------


def first_report(items: Sequence[Item], memberships: Mapping[int, Membership]) -> Item | None:
    """The earliest item that repeats no earlier one and whose date is sure; None for no items.

    Where no item is both, the earliest that repeats none, else the earliest.
    """
    by_id = {item.id: item for item in items}
    own = [item for item in items if not _repeats_earlier(item, by_id, memberships)]
    for candidates in ([item for item in own if has_sure_date(item)], own, items):
        if candidates:
            return min(candidates, key=_by_time)
    return None


def has_sure_date(item: Item) -> bool:
    """Whether its publisher gave the time of publication: no update, no arrival, and no bare date, which reads as midnight."""
    return item.date_rule == "given" and item.published_at.astimezone(UTC).time() != time(0)


def publisher_lags(items: Sequence[Item], memberships: Mapping[int, Membership]) -> tuple[PublisherLag, ...]:
    """Every publisher of the story once, the quickest first, those without a sure date last."""
    first = first_report(items, memberships)
    if first is None:
        return ()
    by_publisher: dict[str, list[Item]] = {}
    for item in sorted(items, key=_by_time):
        by_publisher.setdefault(publisher_key(item), []).append(item)
    names = Counter(publisher_name(own[0]) for own in by_publisher.values())
    lags = [_lag(own, first, memberships) for own in by_publisher.values()]
    # a feed that carries other people's pieces gives several publishers one name: the site tells them apart
    lags = [
        replace(lag, publisher=f"{lag.publisher} ({site})") if names[lag.publisher] > 1 else lag
        for site, lag in zip(by_publisher, lags, strict=True)
    ]
    return tuple(sorted(lags, key=lambda lag: (lag.lag_seconds is None, lag.lag_seconds or 0.0, lag.publisher.casefold())))


def _lag(own: Sequence[Item], first: Item, memberships: Mapping[int, Membership]) -> PublisherLag:
    sure = [item for item in own if item.id == first.id or has_sure_date(item)]
    return PublisherLag(
        publisher=publisher_name(own[0]),
        lag_seconds=(sure[0].published_at - first.published_at).total_seconds() if sure else None,
        items=len(own),
        independent=any(not _copied(item, memberships) for item in own),
    )


def publisher_name(item: Item) -> str:
    """What to call who published an item."""
    return item.publisher or item.feed


def _copied(item: Item, memberships: Mapping[int, Membership]) -> bool:
    membership = memberships.get(item.id)
    return membership is not None and membership.copy_of is not None


def _repeats_earlier(item: Item, by_id: Mapping[int, Item], memberships: Mapping[int, Membership]) -> bool:
    """Whether the item it is a copy of stands in the story and is surely no later: which of two came in first proves nothing."""
    original = by_id.get(memberships[item.id].copy_of or 0) if item.id in memberships else None
    return original is not None and has_sure_date(original) and original.published_at <= item.published_at


def _by_time(item: Item) -> tuple[datetime, int]:
    return item.published_at, item.id


# --- volume ----------------------------------------------------------------------------------------------------------

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_STEPS = (10 * _MINUTE, 30 * _MINUTE, _HOUR, 2 * _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY, 30 * _DAY)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def volume(items: Sequence[Item], memberships: Mapping[int, Membership], most: int = 48) -> tuple[Bucket, ...]:
    """At most `most` equal buckets (10 minutes to 30 days, longer only for decades) from the first item to the last."""
    if not items:
        return ()
    ordered = sorted(items, key=_by_time)
    start, step = _grid(ordered[0].published_at, ordered[-1].published_at, most)
    counts = [[0, 0] for _ in range((ordered[-1].published_at - start) // step + 1)]
    seen: set[str] = set()
    for item in ordered:
        slot = counts[(item.published_at - start) // step]
        slot[0] += 1
        if not _copied(item, memberships) and publisher_key(item) not in seen:
            seen.add(publisher_key(item))
            slot[1] += 1
    return tuple(Bucket(start + n * step, start + (n + 1) * step, *count) for n, count in enumerate(counts))


def _grid(first: datetime, last: datetime, most: int) -> tuple[datetime, timedelta]:
    """Where the first bucket starts (a whole step of the UTC day) and how long each is."""
    steps = (*_STEPS, *(_STEPS[-1] * 2**doublings for doublings in range(1, 20)))
    for seconds in steps:
        step = timedelta(seconds=seconds)
        start = first - (first - _EPOCH) % min(step, timedelta(days=1))
        if (last - start) // step < most:
            break
    return start, step
