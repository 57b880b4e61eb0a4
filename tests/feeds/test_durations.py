"""Playing times as feeds write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.feeds.durations import parse_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1:23:51", 5031),
        ("10:17", 617),
        ("3723", 3723),
        ("00:19:43", 1183),
        ("01:02:03.500", 3723),
        ("222", 222),
        ("222.4", 222),
        (222.4, 222),
        (617, 617),
        (" 14:01 ", 841),
        ("90:00", 5400),
        ("PT1H2M3S", 3723),
        ("1h 23m", 4980),
        ("83 min", 4980),
        ("45s", 45),
    ],
)
def test_a_playing_time_is_read_exactly(text: object, seconds: int) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "00:00:00", "soon", "1:2:3:4", "-5", "P", "99999999", None, True, [], {}, float("nan"), float("inf"), "٣"]
)
def test_what_is_no_playing_time_is_none(text: object) -> None:
    assert parse_seconds(text) is None


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_hours_minutes_and_seconds_add_up(hours: int, minutes: int, seconds: int) -> None:
    total = hours * 3600 + minutes * 60 + seconds
    assert parse_seconds(f"{hours:02d}:{minutes:02d}:{seconds:02d}") == (total or None)


@given(st.text(max_size=60))
def test_any_text_is_either_a_positive_number_or_none(text: str) -> None:
    seconds = parse_seconds(text)
    assert seconds is None or seconds > 0
