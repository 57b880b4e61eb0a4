"""The life of a story: phase, first report, lags, volume, each at a moment that the test says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from aggregator.model import Item, Membership
from aggregator.stories.copies import count_sources, publisher_key
from aggregator.stories.timeline import earliest, first_report, phase_at, publisher_lags, volume
from tests.stories.make import START, item

AT = START + timedelta(minutes=1)
"""A moment at which no clock strikes."""


def told(*hours: float, feeds: Sequence[str] = ()) -> list[Item]:
    """Items so many hours after AT, each from a publisher of its own unless `feeds` says whose."""
    names = feeds or [f"feed-{number}" for number in range(1, len(hours) + 1)]
    return [
        item(number, f"Report {number}", minutes=hour * 60 + 1, feed=name)
        for number, (hour, name) in enumerate(zip(hours, names, strict=True), 1)
    ]


def copies(**copied: int) -> dict[int, Membership]:
    """Memberships by item id: i3=1 says that item 3 repeats item 1."""
    return {int(name[1:]): Membership(int(name[1:]), 1, copy_of=original) for name, original in copied.items()}


@pytest.mark.parametrize(
    ("why", "hours", "at", "phase"),
    [
        ("a lone item of today is new", [0], 20, "new"),
        ("it is new however many tell it on the first day", [0, 1, 2, 3, 4], 5, "new"),
        ("one that was told twice and then fell silent fades before its day is over", [0, 1], 14, "fading"),
        ("a lone item of yesterday fades", [0], 25, "fading"),
        ("it grows when more publishers tell it than before", [0, 20, 26, 27], 28, "growing"),
        ("one late report is no growth", [0, 1, 2, 27], 28, "fading"),
        ("half as many publishers are a fall", [0, 13, 14, 15, 16, 26, 27], 28.5, "fading"),
        ("silence for twelve hours is a fall", [0, 20, 21, 26, 27, 28], 40.5, "fading"),
        ("an old story that comes back grows", [0, 1, 100, 101], 102, "growing"),
        ("what comes later is not known yet", [0, 30, 31], 20, "new"),
    ],
)
def test_the_phase(why: str, hours: list[float], at: float, phase: str) -> None:
    assert phase_at(told(*hours), {}, AT + timedelta(hours=at)) == phase, why


def test_a_growing_story_keeps_growing_until_a_clear_fall() -> None:
    # publishers in the last 12 hours against the 12 before: 5 against 0, then 3 against 4, then 2 against 4
    items = told(0, 25, 26, 27, 28, 33, 38, 39)
    phases = {hour: phase_at(items, {}, AT + timedelta(hours=hour)) for hour in (36, 40.5, 45.5)}
    assert phases == {36: "growing", 40.5: "growing", 45.5: "fading"}
    never = told(0, 9, 10, 11, 12, 22, 23, 24)
    assert phase_at(never, {}, AT + timedelta(hours=24.5)) == "fading", "the same 3 against 4, but it never grew"


def test_copies_and_one_busy_publisher_make_no_growth() -> None:
    hours, at = (0, 26, 27, 28), AT + timedelta(hours=29)
    assert phase_at(told(*hours), {}, at) == "growing"
    assert phase_at(told(*hours), copies(i3=2, i4=2), at) == "fading"
    assert phase_at(told(*hours, feeds=("a", "b", "b", "b")), {}, at) == "fading"


def test_a_story_of_copies_alone_still_ages() -> None:
    assert phase_at(told(0, 1), copies(i1=77, i2=77), AT + timedelta(hours=40)) == "fading"


def test_no_story_is_in_a_phase_without_an_item_since_the_earliest() -> None:
    now = AT + timedelta(hours=60)
    for hours in ([0], [0, 20], [0, 30, 47.9], [0, 47.5, 48.1], [0, 49, 50], [36.5], [35.9]):
        items = told(*hours)
        since = earliest(phase_at(items, {}, now), now)
        assert since is None or items[-1].published_at >= since
    assert earliest("fading", now) is None


def test_the_first_report_is_the_earliest_with_a_sure_date() -> None:
    items = told(3, 1, 2)
    assert first_report(items, {}) == items[1]
    for rule in ("updated", "arrival", "future"):
        unsure = [items[0], replace(items[1], date_rule=rule), items[2]]
        assert first_report(unsure, {}) == items[2]
        assert first_report(unsure[1:2], {}) == unsure[1], "without a sure date the earliest there is"
    assert first_report([], {}) is None


def test_a_bare_date_reads_as_midnight_and_proves_nothing() -> None:
    items = told(1, 2)
    midnight = START.replace(hour=0)
    assert first_report([replace(items[0], published_at=midnight), items[1]], {}) == items[1]


def test_a_copy_that_bears_the_earlier_date_was_the_first() -> None:
    items = told(1, 2)
    assert first_report(items, copies(i2=1)) == items[0]
    assert first_report(items, copies(i1=2)) == items[0], "it came in later, but was published before what it is like"


def test_lags_are_counted_from_the_first_report_to_each_publishers_first_item() -> None:
    items = told(1, 2, 3, 3.5, 4, feeds=("a", "b", "a", "c", "d"))
    items[4] = replace(items[4], date_rule="arrival")
    lags = publisher_lags(items, copies(i4=1))
    found = [(lag.publisher, lag.lag_seconds, lag.items, lag.independent) for lag in lags]
    assert found == [("A", 0.0, 2, True), ("B", 3600.0, 1, True), ("C", 9000.0, 1, False), ("D", None, 1, True)]
    members = copies(i4=1)
    keys = [(publisher_key(one), members[one.id].copy_of if one.id in members else None) for one in items]
    assert sum(lag.independent for lag in lags) == count_sources(keys)


def test_publishers_of_one_name_are_told_apart_by_their_sites() -> None:
    items = [replace(one, publisher="Link list") for one in told(1, 2)]
    assert [lag.publisher for lag in publisher_lags(items, {})] == ["Link list (feed-1.example)", "Link list (feed-2.example)"]


@pytest.mark.parametrize("hours", [[0], [0, 0.2, 0.9], [0, 3, 30], [0, 100, 800], [0, 24 * 365 * 40]])
@pytest.mark.parametrize("most", [1, 8, 48])
def test_volume_holds_every_item_once_in_equal_buckets(hours: list[float], most: int) -> None:
    items = told(*hours)
    buckets = volume(items, {}, most)
    assert len(buckets) <= most
    assert sum(bucket.items for bucket in buckets) == sum(bucket.publishers for bucket in buckets) == len(items)
    assert all(one.end_at == after.start_at for one, after in pairwise(buckets))
    assert len({bucket.end_at - bucket.start_at for bucket in buckets}) == 1
    assert buckets[0].start_at <= items[0].published_at
    assert items[-1].published_at < buckets[-1].end_at
    assert buckets[0].items
    assert buckets[-1].items


def test_volume_counts_a_publisher_when_it_first_tells_the_story_itself() -> None:
    items = told(0, 0, 2, 2, 2, feeds=("a", "b", "a", "b", "c"))
    found = [(bucket.items, bucket.publishers) for bucket in volume(items, copies(i2=1), 3)]
    assert found == [(2, 1), (0, 0), (3, 2)]
    assert volume([], {}) == ()
