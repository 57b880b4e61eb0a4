"""Dates as feeds write them, and the rule for an item's time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.feeds.dates import choose_date, read_date

NOW = datetime(2023, 12, 27, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("Wed, 27 Dec 2023 14:00:00 +0000", "2023-12-27T14:00:00"),
        ("Wed, 27 Dec 2023 14:00:00 GMT", "2023-12-27T14:00:00"),
        ("Wed, 27 Dec 2023 14:00:00 EST", "2023-12-27T19:00:00"),
        ("Thu, 27 Jul 2023 14:00:00 CEST", "2023-07-27T12:00:00"),
        ("Thu, 27 Jul 2023 14:00:00 +0200 (CEST)", "2023-07-27T12:00:00"),
        ("Wed, 27 Dec 2023 14:00:00 JST", "2023-12-27T05:00:00"),
        ("Wed Dec 27 2023 14:00:00 GMT+0100", "2023-12-27T13:00:00"),
        ("27 Dec 23 14:00 Z", "2023-12-27T14:00:00"),
        ("Mi, 27 Dez 2023 14:00:00 +0100", "2023-12-27T13:00:00"),
        ("2023-12-27T14:00:00Z", "2023-12-27T14:00:00"),
        ("2023-12-27T14:00:00.123456789+01:00", "2023-12-27T13:00:00.123456"),
        ("2023-12-27 14:00:00 +0100", "2023-12-27T13:00:00"),
        ("2023-12-27 14:00:00 EST", "2023-12-27T19:00:00"),
        ("2023-12-27 4:05", "2023-12-27T04:05:00"),
        ("2023-12-27", "2023-12-27T00:00:00"),
        ("20231227", "2023-12-27T00:00:00"),
        ("20231227140000", "2023-12-27T14:00:00"),
        ("2023-12-26T24:00:00Z", "2023-12-27T00:00:00"),
        ("2023-W52-3", "2023-12-27T00:00:00"),
        ("1703685600", "2023-12-27T14:00:00"),
        ("1703685600000", "2023-12-27T14:00:00"),
        ("2023/12/27 14:00", "2023-12-27T14:00:00"),
    ],
)
def test_a_date_is_read_as_utc(text: str, iso: str) -> None:
    assert read_date(text) == datetime.fromisoformat(iso).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text", [None, "", "yesterday", "0000-00-00 00:00:00", "0000-00-00T00:00:00Z", "Wed, 00 Foo 0000", "2023-13-45", "v1.2.3"]
)
def test_what_is_no_date_is_none(text: str | None) -> None:
    assert read_date(text) is None


def test_another_reading_counts_only_when_its_year_stands_in_the_text() -> None:
    found = datetime(2004, 5, 28, tzinfo=UTC)
    assert read_date("2004년 05월 28일", found) == found
    assert read_date("release 1.2", found) is None


@given(st.text(max_size=60) | st.from_regex(r"\d{1,14}([-T:/ ]\d{1,4}){0,5}( [A-Z+-]{0,5}\d{0,4})?", fullmatch=True))
def test_reading_never_raises_and_gives_utc(text: str) -> None:
    moment = read_date(text)
    assert moment is None or moment.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("published", "updated", "at", "rule"),
    [
        (NOW - timedelta(days=2), NOW, NOW - timedelta(days=2), "given"),
        (NOW, None, NOW, "given"),
        (NOW + timedelta(minutes=1), NOW - timedelta(days=1), NOW, "future"),
        (NOW + timedelta(hours=24), None, NOW, "future"),
        (NOW + timedelta(days=10), NOW - timedelta(days=1), NOW - timedelta(days=1), "updated"),
        (NOW + timedelta(days=10), None, NOW, "future"),
        (None, NOW - timedelta(days=1), NOW - timedelta(days=1), "updated"),
        (None, NOW + timedelta(days=1), NOW, "future"),
        (datetime(1970, 1, 1, tzinfo=UTC), NOW - timedelta(days=1), NOW - timedelta(days=1), "updated"),
        (datetime(1970, 1, 1, tzinfo=UTC), None, NOW, "arrival"),
        (datetime(9999, 12, 31, tzinfo=UTC), None, NOW, "future"),
        (None, None, NOW, "arrival"),
    ],
)
def test_the_rule_for_an_items_time(published: datetime | None, updated: datetime | None, at: datetime, rule: str) -> None:
    moment = choose_date(published, updated, NOW)
    assert (moment.at, moment.rule) == (at, rule)


@given(
    st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2099, 12, 31)),
    st.sampled_from(["GMT", "+0000", "-0500", "+0530", "+1400", "-0959", "+1460"]),
    st.sampled_from(["%a, %d %b %Y %H:%M:%S ", "%a, %d %b %Y 24:%M:%S ", "%a, 31 %b %Y %H:%M:%S "]),
)
def test_the_usual_date_is_read_as_the_mail_rules_read_it(moment: datetime, zone: str, form: str) -> None:
    text = moment.strftime(form) + zone
    try:
        expected = parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, OverflowError):
        expected = None
    assert read_date(text) == expected
