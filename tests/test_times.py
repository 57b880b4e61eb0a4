"""Durations and moments as people write and read them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from aggregator.times import ago, day_bounds, format_duration, iso, parse_duration, parse_moment, spell_delay, spell_seconds


@pytest.mark.parametrize(
    ("text", "seconds"), [("30m", 1800), ("24h", 86400), ("7d", 604800), ("1h 30m", 5400), ("90s", 90), ("1.5h", 5400), ("2w", 1209600)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "10", "ten minutes", "5 parsecs", "-1h", "1h later"])
def test_other_words_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="30m, 24h or 7d"):
        parse_duration(text)


@pytest.mark.parametrize(("seconds", "text"), [(3600, "1h"), (5400, "90m"), (86400, "1d"), (45, "45s"), (0, "0s")])
def test_durations_are_written_short(seconds: int, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(5031, "1 h 23 min 51 s"), (38, "38 s"), (617, "10 min 17 s"), (3600, "1 h"), (0, "0 s")])
def test_playing_times_are_exact(seconds: int, text: str) -> None:
    assert spell_seconds(seconds) == text


def test_a_moment_without_offset_is_in_the_readers_zone() -> None:
    assert parse_moment("2023-12-27T18:00", "America/New_York") == datetime(2023, 12, 27, 23, tzinfo=UTC)
    assert parse_moment("2023-12-27T18:00:00Z", "America/New_York") == datetime(2023, 12, 27, 18, tzinfo=UTC)


def test_days_with_a_clock_change_have_23_or_25_hours() -> None:
    start, end = day_bounds(date(2023, 3, 26), "Europe/Berlin")
    assert end - start == timedelta(hours=23)
    start, end = day_bounds(date(2023, 10, 29), "Europe/Berlin")
    assert end - start == timedelta(hours=25)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(20, "just now"), (720, "12 min ago"), (3 * 3600, "3 h ago"), (30 * 3600, "30 h ago"), (72 * 3600, "3 d ago"), (-300, "in 5 min")],
)
def test_ago_in_words(seconds: int, text: str) -> None:
    now = datetime(2023, 12, 27, 18, tzinfo=UTC)
    assert ago(now - timedelta(seconds=seconds), now) == text


def test_iso_is_utc_with_z() -> None:
    assert iso(datetime(2023, 12, 27, 18, tzinfo=UTC)) == "2023-12-27T18:00:00Z"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 min"), (59, "0 min"), (600, "10 min"), (7800, "2 h 10 min"), (7200, "2 h"), (86_400, "1 d"), (183_660, "2 d 3 h")],
)
def test_delays_are_spelled_for_people(seconds: float, text: str) -> None:
    assert spell_delay(seconds) == text
