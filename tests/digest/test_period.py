"""What people's words for a period mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aggregator.digest.period import check_zone, day_period, new_period, span_period, written
from aggregator.errors import UsageError
from aggregator.times import iso

NOW = datetime(2023, 12, 28, 9, 30, tzinfo=UTC)


def shown(moment: datetime) -> str:
    return iso(written(moment))


@pytest.mark.parametrize(
    ("day", "zone", "start", "end"),
    [
        ("2023-12-27", "UTC", "2023-12-27T00:00:00Z", "2023-12-28T00:00:00Z"),
        ("2023-12-27", "Europe/Warsaw", "2023-12-26T23:00:00Z", "2023-12-27T23:00:00Z"),
        ("2023-03-26", "Europe/Warsaw", "2023-03-25T23:00:00Z", "2023-03-26T22:00:00Z"),
        ("2023-10-29", "Europe/Warsaw", "2023-10-28T22:00:00Z", "2023-10-29T23:00:00Z"),
        ("today", "Asia/Tokyo", "2023-12-27T15:00:00Z", "2023-12-28T15:00:00Z"),
        ("yesterday", "UTC", "2023-12-27T00:00:00Z", "2023-12-28T00:00:00Z"),
    ],
)
def test_a_day_is_the_local_day_in_the_zone(day: str, zone: str, start: str, end: str) -> None:
    period = day_period(day, zone, NOW)
    assert (shown(period.from_at), shown(period.to_at), period.zone) == (start, end, zone)


def test_days_follow_each_other_without_gap_or_overlap() -> None:
    assert day_period("2023-12-27", "UTC", NOW).to_at == day_period("2023-12-28", "UTC", NOW).from_at


def test_midnight_belongs_to_the_day_that_begins() -> None:
    period = day_period("2023-12-27", "UTC", NOW)
    assert period.from_at < datetime(2023, 12, 27, tzinfo=UTC)
    assert period.to_at < datetime(2023, 12, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "start", "end"),
    [
        (None, None, "2023-12-27T09:30:00Z", "2023-12-28T09:30:00Z"),
        ("7d", None, "2023-12-21T09:30:00Z", "2023-12-28T09:30:00Z"),
        ("24h", "2023-12-27T23:59:59Z", "2023-12-26T23:59:59Z", "2023-12-27T23:59:59Z"),
        (None, "2023-12-27T12:00Z", "2023-12-26T12:00:00Z", "2023-12-27T12:00:00Z"),
        ("2023-12-27", "2023-12-28", "2023-12-27T00:00:00Z", "2023-12-28T00:00:00Z"),
        ("2023-12-27T01:00+01:00", None, "2023-12-27T00:00:00Z", "2023-12-28T09:30:00Z"),
    ],
)
def test_a_span_goes_from_a_moment_or_back_from_its_end(since: str | None, until: str | None, start: str, end: str) -> None:
    period = span_period(since, until, "UTC", NOW)
    assert (shown(period.from_at), shown(period.to_at)) == (start, end)


def test_a_written_moment_without_offset_is_in_the_zone() -> None:
    assert shown(span_period("2023-12-27T01:00", None, "Europe/Warsaw", NOW).from_at) == "2023-12-27T00:00:00Z"


def test_what_is_published_at_the_very_start_of_a_span_is_inside() -> None:
    assert span_period("2023-12-27", None, "UTC", NOW).from_at < datetime(2023, 12, 27, tzinfo=UTC)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: day_period("27.12.2023", "UTC", NOW), "2023-12-27"),
        (lambda: day_period("2023-02-30", "UTC", NOW), "not a day"),
        (lambda: day_period("9999-12-31", "UTC", NOW), "calendar"),
        (lambda: day_period("0001-01-01", "Asia/Tokyo", NOW), "calendar"),
        (lambda: span_period("soon", None, "UTC", NOW), "24h"),
        (lambda: span_period(None, "soon", "UTC", NOW), "--until"),
        (lambda: span_period("2024-01-01", None, "UTC", NOW), "before it begins"),
        (lambda: span_period("0h", None, "UTC", NOW), "before it begins"),
        (lambda: span_period("999999999d", None, "UTC", NOW), "calendar"),
        (lambda: span_period("0001-01-01", None, "Asia/Tokyo", NOW), "neither"),
        (lambda: check_zone("Europe/Warschau"), "IANA"),
        (lambda: check_zone("../etc/passwd"), "IANA"),
        (lambda: check_zone(""), "IANA"),
    ],
)
def test_a_mistake_is_a_usage_error_with_a_sentence(call: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        call()  # type: ignore[operator]


def test_new_starts_where_the_last_one_ended_and_covers_a_gap_once() -> None:
    last = NOW - timedelta(days=2)
    assert new_period(last, "UTC", NOW).from_at == last
    assert new_period(None, "UTC", NOW).from_at == NOW - timedelta(hours=24)
    assert new_period(NOW + timedelta(hours=1), "UTC", NOW).from_at == NOW, "a clock that went back gives an empty period"
