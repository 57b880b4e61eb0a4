"""When a feed is polled next, and what a poll changes in what is known of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.feeds.schedule import ScheduleLimits, after_poll, after_skips, is_due, items_per_day, may_force
from aggregator.model import Feed, FeedState, Fetched, ParsedFeed, ParsedItem, PollHints, Validators

NOW = datetime(2023, 12, 27, 12, 0, tzinfo=UTC)  # a Wednesday
URL = "https://news.example/feed"
FEED = Feed("news", URL)
OLD = Validators('"old"', None, NOW - timedelta(days=2))
NEW = Validators('"new"', None, NOW)
STATE = FeedState(1, "news", URL, URL, NOW - timedelta(days=9), validators=OLD, body_hash="old")
LIMITS = ScheduleLimits()
SILENT = PollHints()
HOUR = 3600.0
DAY = 86_400.0


def answer(outcome: str = "same", **more: Any) -> Fetched:
    usual: dict[str, Any] = {"validators": NEW, "body_hash": "new"} if outcome in ("same", "changed") else {}
    return Fetched(outcome=outcome, url=URL, at=NOW, final_url=URL, **(usual | more))


def document(*, hints: PollHints = SILENT, ages_hours: tuple[float, ...] = (), **more: Any) -> ParsedFeed:
    items = tuple(ParsedItem(published_at=NOW - timedelta(hours=age)) for age in ages_hours)
    return ParsedFeed("rss20", hints=hints, items=items, **more)


def after(
    fetched: Fetched,
    parsed: ParsedFeed | None = None,
    problem: str | None = None,
    *,
    feed: Feed = FEED,
    state: FeedState = STATE,
    limits: ScheduleLimits = LIMITS,
    jitter: float = 0.0,
) -> FeedState:
    return after_poll(feed, state, fetched, parsed, problem, limits, now=NOW, jitter=jitter)


def wait_seconds(state: FeedState) -> float:
    assert state.next_poll_at is not None
    return (state.next_poll_at - NOW).total_seconds()


# --- after a success ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("why", "max_age", "hints", "feed", "seconds", "reason"),
    [
        ("nothing is said", None, {}, {}, HOUR, "every 1 h"),
        ("a short max-age does not shorten the hour", 300, {}, {}, HOUR, "every 1 h"),
        ("max-age means not before", 7200, {}, {}, 7200, "Cache-Control"),
        ("ttl is a lower bound", 0, {"ttl_seconds": 10_800}, {}, 10_800, "ttl"),
        ("sy:updatePeriod is a lower bound", None, {"update_period_seconds": 86_400}, {}, DAY, "sy:updatePeriod"),
        ("of equal bounds the server names the reason", 7200, {"ttl_seconds": 7200}, {}, 7200, "Cache-Control"),
        ("of equal bounds ttl comes before sy", None, {"ttl_seconds": 7200, "update_period_seconds": 7200}, {}, 7200, "ttl"),
        ("a ttl of a year is a mistake", None, {"ttl_seconds": 31_536_000}, {}, 7 * DAY, "ttl"),
        ("the person's interval", None, {}, {"interval_seconds": 900}, 900, "every 15 min, as set for this feed"),
        ("the person's interval does not beat the server", 7200, {}, {"interval_seconds": 900}, 7200, "Cache-Control"),
    ],
)
def test_the_next_poll_is_the_latest_of_all_that_was_asked(
    why: str, max_age: int | None, hints: dict[str, Any], feed: dict[str, Any], seconds: float, reason: str
) -> None:
    state = after(answer("changed", max_age_seconds=max_age), document(hints=PollHints(**hints)), feed=replace(FEED, **feed))
    assert wait_seconds(state) == seconds, why
    assert reason in state.reason


def test_hints_of_the_document_hold_on_after_a_304() -> None:
    first = after(answer("changed"), document(hints=PollHints(ttl_seconds=7200)))
    again = after(answer("same", max_age_seconds=60), state=first)
    assert wait_seconds(again) == 7200
    assert again.hints == PollHints(ttl_seconds=7200, max_age_seconds=60)


def test_a_server_without_validators_is_asked_once_a_day_unless_somebody_says_how_often() -> None:
    bare = answer("changed", validators=None)
    assert wait_seconds(after(bare, document())) == DAY
    assert wait_seconds(after(bare, document(hints=PollHints(ttl_seconds=1800)))) == HOUR
    assert wait_seconds(after(replace(bare, max_age_seconds=600), document())) == HOUR
    assert wait_seconds(after(bare, document(), feed=replace(FEED, interval_seconds=1800))) == 1800


def test_a_busy_feed_is_polled_hourly_and_a_slow_one_less_often() -> None:
    busy = after(answer("changed"), document(ages_hours=tuple(range(1, 100))))
    daily = after(answer("changed"), document(ages_hours=tuple(range(1, 27 * 24, 24))))
    weekly = after(answer("changed"), document(ages_hours=(24, 192, 360, 528)))
    assert wait_seconds(busy) == HOUR
    assert 5 * HOUR < wait_seconds(daily) < 7 * HOUR
    assert wait_seconds(weekly) == LIMITS.slow_seconds
    assert "seldom" in weekly.reason
    assert wait_seconds(after(answer("same"), state=weekly)) == LIMITS.slow_seconds
    assert wait_seconds(after(answer("same"), state=weekly, limits=replace(LIMITS, slow_seconds=0))) == HOUR


def test_items_a_day_are_those_of_four_weeks_or_since_the_oldest() -> None:
    hours = [NOW - timedelta(hours=h) for h in (0, 12, 24, 36, 48)]
    assert items_per_day(hours, NOW) == 2.5
    assert items_per_day([NOW], NOW) == 1.0
    assert items_per_day([*hours, NOW - timedelta(days=4000)], NOW) == round(5 / 28, 3)
    assert items_per_day([NOW - timedelta(days=60)], NOW) == 0.0
    assert items_per_day([None, NOW + timedelta(days=1)], NOW) is None


@pytest.mark.parametrize(
    ("hints", "moment", "expected"),
    [
        ({"skip_hours": (13, 14)}, "2023-12-27T13:20", "2023-12-27T15:00"),
        ({"skip_hours": (13,)}, "2023-12-27T12:59", "2023-12-27T12:59"),
        ({"skip_hours": (24, 1)}, "2023-12-27T00:30", "2023-12-27T02:00"),
        ({"skip_days": ("Saturday", "sunday ")}, "2023-12-30T10:30", "2024-01-01T00:00"),
        ({"skip_days": ("Saturday",), "skip_hours": (0, 1)}, "2023-12-30T10:30", "2023-12-31T02:00"),
        ({"skip_hours": tuple(range(24))}, "2023-12-27T13:20", "2023-12-27T13:20"),
        ({"skip_days": ("Caturday",)}, "2023-12-30T10:30", "2023-12-30T10:30"),
    ],
)
def test_hours_and_days_that_the_feed_rules_out_are_passed_over(hints: dict[str, Any], moment: str, expected: str) -> None:
    found = after_skips(datetime.fromisoformat(moment).replace(tzinfo=UTC), PollHints(**hints))
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_a_success_clears_the_errors_and_believes_what_came_with_it() -> None:
    ill = replace(STATE, error="it failed", error_since_at=NOW, streak=3, retry_after_at=NOW, gone=True)
    fetched = answer("changed", permanent_url="https://new.example/feed")
    state = after(fetched, document(title="News", link="https://news.example/", language="en"), "an odd date", state=ill)
    assert (state.error, state.error_since_at, state.streak, state.retry_after_at, state.gone) == (None, None, 0, None, False)
    assert (state.validators, state.body_hash, state.fetch_url, state.url) == (NEW, "new", "https://new.example/feed", URL)
    assert (state.title, state.link, state.language) == ("News", "https://news.example/", "en")
    assert (state.last_attempt_at, state.last_success_at) == (NOW, NOW)


def test_what_was_wrong_with_a_document_that_still_gave_items_is_a_warning() -> None:
    state = after(answer("changed"), document(error="not well-formed"), "not well-formed")
    assert (state.warning, state.error, state.streak) == ("not well-formed", None, 0)


@given(
    max_age=st.none() | st.integers(0, 10**9),
    ttl=st.none() | st.integers(-5, 10**9),
    period=st.none() | st.integers(0, 10**9),
    hours=st.lists(st.integers(-2, 26)),
    days=st.lists(st.sampled_from(["Monday", "Wednesday", "Thursday", "x"])),
    rate=st.none() | st.floats(0, 1000),
    validators=st.sampled_from([None, NEW]),
    jitter=st.floats(0, 1, exclude_max=True),
    streak=st.integers(0, 10**4),
    outcome=st.sampled_from(["same", "failed", "throttled"]),
    status=st.sampled_from([200, 403, 404, 429, 500]),
)
def test_no_poll_is_ever_early(
    max_age: int | None,
    ttl: int | None,
    period: int | None,
    hours: list[int],
    days: list[str],
    rate: float | None,
    validators: Validators | None,
    jitter: float,
    streak: int,
    outcome: str,
    status: int,
) -> None:
    hints = PollHints(None, ttl, period, tuple(hours), tuple(days))
    state = replace(STATE, hints=hints, items_per_day=rate, streak=streak)
    fetched = answer(outcome, validators=validators, max_age_seconds=max_age, status=status)
    following = after(fetched, state=state, jitter=jitter)
    assert wait_seconds(following) >= HOUR
    assert not is_due(FEED, following, NOW + timedelta(minutes=59))
    if outcome == "same" and max_age:
        assert wait_seconds(following) >= min(max_age, 10**9)


def test_jitter_adds_a_minute_to_the_hour_at_most() -> None:
    assert HOUR < wait_seconds(after(answer(), jitter=0.999)) < HOUR + 60


# --- after a failure ---------------------------------------------------------------------------------------------------


def fail(times: int, fetched: Fetched, **more: Any) -> list[float]:
    state, waits = STATE, []
    for _ in range(times):
        state = after(fetched, state=state, **more)
        waits.append(wait_seconds(state) / HOUR)
    return waits


def test_failures_in_a_row_double_the_pause_up_to_a_day() -> None:
    assert fail(7, answer("failed", status=500, error="500")) == [1, 2, 4, 8, 16, 24, 24]


def test_a_failing_feed_is_not_polled_more_often_than_a_sound_one() -> None:
    assert fail(3, answer("failed", error="no"), feed=replace(FEED, interval_seconds=172_800)) == [48, 48, 48]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_a_person_must_mend_is_asked_for_less_and_less_up_to_a_week(status: int) -> None:
    assert fail(10, answer("failed", status=status, error="no"))[-4:] == [64, 128, 168, 168]


def test_a_body_that_did_not_parse_is_a_failure_that_keeps_the_old_validators() -> None:
    state = after(answer("changed", permanent_url="https://new.example/"), None, "This is an HTML page.")
    assert (state.error, state.streak, state.error_since_at) == ("This is an HTML page.", 1, NOW)
    assert (state.validators, state.body_hash, state.fetch_url, state.last_success_at) == (OLD, "old", URL, None)


def test_items_saved_from_a_cut_body_do_not_make_it_a_success() -> None:
    state = after(answer("failed", body=b"<rss", error="it broke off"), document(), "it broke off")
    assert (state.error, state.streak, state.validators) == ("it broke off", 1, OLD)


def test_an_error_is_dated_from_its_first_day() -> None:
    first = NOW - timedelta(days=3)
    state = after(answer("failed", error="still"), state=replace(STATE, error="then", error_since_at=first, streak=4))
    assert (state.error, state.error_since_at, state.streak) == ("still", first, 5)


def test_retry_after_lengthens_the_pause_and_never_shortens_it() -> None:
    def throttled(seconds: int) -> FeedState:
        return after(answer("throttled", status=429, error="429", retry_after_at=NOW + timedelta(seconds=seconds)))

    assert wait_seconds(throttled(120)) == HOUR
    late = throttled(7200)
    assert (wait_seconds(late), late.retry_after_at) == (7200, NOW + timedelta(seconds=7200))
    assert "Retry-After" in late.reason
    assert fail(3, answer("throttled", status=503, error="503")) == [1, 2, 4]


def test_a_feed_held_back_for_its_host_is_no_failure() -> None:
    until = NOW + timedelta(hours=3)
    state = after(answer("throttled", error="not asked", retry_after_at=until), state=replace(STATE, last_attempt_at=OLD.stored_at))
    assert (state.streak, state.error, state.next_poll_at, state.last_attempt_at) == (0, None, until, OLD.stored_at)


def test_a_feed_whose_turn_did_not_come_stays_due_and_has_made_no_attempt() -> None:
    before = replace(STATE, last_attempt_at=OLD.stored_at, next_poll_at=NOW - timedelta(minutes=5))
    state = after(answer("throttled", error="not asked"), state=before)
    assert (state.streak, state.error, state.next_poll_at, state.last_attempt_at) == (0, None, NOW, OLD.stored_at)
    assert is_due(FEED, state, NOW)
    assert "turn" in state.reason


def test_a_feed_that_is_gone_is_never_polled_again_unless_its_url_changes() -> None:
    state = after(answer("gone", status=410, error="410 Gone"))
    assert (state.gone, state.next_poll_at, state.error) == (True, None, "410 Gone")
    later = NOW + timedelta(days=1000)
    assert not is_due(FEED, state, later)
    assert not may_force(FEED, state, later)
    moved = replace(FEED, url="https://new.example/feed")
    assert is_due(moved, state, later)


# --- is it due? --------------------------------------------------------------------------------------------------------


def test_right_after_a_poll_nothing_is_due_and_force_lifts_the_interval_only() -> None:
    state = after(answer("same"))
    assert not is_due(FEED, state, NOW)
    assert may_force(FEED, state, NOW)
    assert is_due(FEED, state, NOW + timedelta(hours=1))
    waiting = after(answer("throttled", status=503, error="503", retry_after_at=NOW + timedelta(hours=5)))
    assert not may_force(FEED, waiting, NOW + timedelta(hours=4))
    assert not is_due(FEED, waiting, NOW + timedelta(hours=4))
    assert is_due(FEED, waiting, NOW + timedelta(hours=5))


@pytest.mark.parametrize(
    ("why", "state", "feed", "due"),
    [
        ("never polled", {}, {}, True),
        ("disabled", {}, {"enabled": False}, False),
        ("claimed a minute ago by a process that died", {"last_attempt_at": NOW - timedelta(minutes=1)}, {}, False),
        ("claimed an hour ago by a process that died", {"last_attempt_at": NOW - timedelta(hours=1)}, {}, True),
        (
            "claimed again when its time had come, and died",
            {"last_attempt_at": NOW - timedelta(minutes=1), "next_poll_at": NOW - timedelta(minutes=2)},
            {},
            False,
        ),
        ("claimed, died, short interval", {"last_attempt_at": NOW - timedelta(minutes=6)}, {"interval_seconds": 300}, True),
        ("its time has come", {"last_attempt_at": NOW - timedelta(hours=2), "next_poll_at": NOW}, {}, True),
        ("its time has not come", {"last_attempt_at": NOW - timedelta(hours=2), "next_poll_at": NOW + timedelta(seconds=1)}, {}, False),
        (
            "polled by a clock three years ahead",
            {"last_attempt_at": NOW + timedelta(days=999), "next_poll_at": NOW + timedelta(days=1000)},
            {},
            True,
        ),
    ],
)
def test_a_feed_is_due_when_its_time_has_come(why: str, state: dict[str, Any], feed: dict[str, Any], due: bool) -> None:
    assert is_due(replace(FEED, **feed), replace(STATE, **state), NOW) is due, why
