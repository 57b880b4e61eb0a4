"""Decide when a feed is polled next, and what a poll changes in what is known of the feed. Pure: data in, data out.

A poll is never early. The next one is the latest of: the interval (the person's, else one hour, else slower for slow feeds,
else a day for a server that gives nothing to ask conditionally with), what the server says (Cache-Control), what the feed says
(ttl, sy:updatePeriod, skipHours, skipDays), and after a failure the back-off and Retry-After. Jitter only adds.
Sources: RFC 9110 and 9111, RSS 2.0 (ttl, skipHours, skipDays), RSS 1.0 syndication module, Rachel Kroll's feed reader score.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from aggregator.model import Feed, FeedState, Fetched, ParsedFeed, PollHints
from aggregator.times import spell_seconds

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CRASH_GAP_SECONDS = 3600.0
_RATE_DAYS = 28


@dataclass(frozen=True, slots=True)
class ScheduleLimits:
    """All in seconds. `interval_seconds` is the floor; feed.interval_seconds replaces it for one feed."""

    interval_seconds: float = 3600.0
    slow_seconds: float = 43_200.0
    """How far the interval of a feed that seldom has something new grows; `interval_seconds` or less turns that off."""
    unconditional_seconds: float = 86_400.0
    """For feeds without ETag and Last-Modified, unless server or feed say how often to come."""
    ttl_cap_seconds: float = 7 * 86_400.0
    """ttl and sy:updatePeriod beyond this are taken for mistakes."""
    failure_cap_seconds: float = 86_400.0
    refusal_cap_seconds: float = 7 * 86_400.0
    """The longest pause after 401, 403, 404 and names without an address: what a person has to mend."""
    jitter_share: float = 1 / 60
    """At most this share of the interval is added (one minute to an hour), and at most `jitter_cap_seconds`."""
    jitter_cap_seconds: float = 900.0


# --- may it be polled now? -------------------------------------------------------------------------------------------


def is_due(feed: Feed, state: FeedState, now: datetime) -> bool:
    """Whether the feed's time has come."""
    if not feed.enabled or not may_force(feed, state, now):
        return False
    if feed.url != state.url:
        return True  # the person changed the address: nothing learned about the old one holds
    attempt, poll_at = state.last_attempt_at, state.next_poll_at
    if attempt is None or attempt > now + timedelta(days=1):  # never, or by a clock that has been set back since
        return poll_at is None or poll_at <= now or attempt is not None
    if poll_at is None or poll_at <= attempt:  # an attempt that was claimed and never came to an end: a crash must not poll at once
        return now >= attempt + timedelta(seconds=min(_CRASH_GAP_SECONDS, feed.interval_seconds or _CRASH_GAP_SECONDS))
    return poll_at <= now


def may_force(feed: Feed, state: FeedState, now: datetime) -> bool:
    """Whether a person may have the feed polled before its time: never past a Retry-After, never a feed that is gone."""
    if feed.url != state.url:
        return True
    return not state.gone and (state.retry_after_at is None or state.retry_after_at <= now)


# --- when next? ------------------------------------------------------------------------------------------------------


def next_poll(
    feed: Feed, items_per_day: float | None, fetched: Fetched, hints: PollHints, now: datetime, limits: ScheduleLimits, jitter: float
) -> tuple[datetime, str]:
    """The moment after a success and the reason in a short phrase.

    `hints` are the document's; validators and the server's max-age come from `fetched`. `jitter` in [0, 1).
    """
    # in the order of rank: of equal waits the first gives the reason
    said = [
        (float(fetched.max_age_seconds or 0), "the server calls its answer fresh for {} (Cache-Control)"),
        (min(float(hints.ttl_seconds or 0), limits.ttl_cap_seconds), "the feed asks to be read every {} (ttl)"),
        (min(float(hints.update_period_seconds or 0), limits.ttl_cap_seconds), "the feed says it is updated every {} (sy:updatePeriod)"),
    ]
    usual = _usual(feed, items_per_day, fetched, limits, stated=any(seconds > 0 for seconds, _ in said))
    seconds, reason = max([*said, usual], key=lambda pair: pair[0])
    moment = now + timedelta(seconds=seconds + _added(seconds, limits, jitter))
    allowed = after_skips(moment, hints)
    if allowed > moment:
        return allowed, "the feed rules out the hours before (skipHours, skipDays)"
    return moment, reason.format(spell_seconds(int(seconds)))


def _usual(feed: Feed, items_per_day: float | None, fetched: Fetched, limits: ScheduleLimits, *, stated: bool) -> tuple[float, str]:
    """The interval that holds when neither server nor feed ask for a longer one."""
    if feed.interval_seconds is not None:
        return float(feed.interval_seconds), "every {}, as set for this feed"
    if fetched.validators is None and not stated:
        return max(limits.unconditional_seconds, limits.interval_seconds), "every {}: the server gives nothing to ask for changes with"
    slow = _slow_seconds(items_per_day, limits)
    if slow > limits.interval_seconds:
        return slow, "every {}: it seldom has something new"
    return limits.interval_seconds, "every {}"


def _slow_seconds(items_per_day: float | None, limits: ScheduleLimits) -> float:
    """A quarter of the mean time between two items: a feed of one item a day waits 6 h, so an item is late by 3 h on average."""
    if items_per_day is None:
        return limits.interval_seconds
    if items_per_day <= 0:
        return limits.slow_seconds
    return min(limits.slow_seconds, 86_400.0 / items_per_day / 4)


def _added(seconds: float, limits: ScheduleLimits, jitter: float) -> float:
    return jitter * min(seconds * limits.jitter_share, limits.jitter_cap_seconds)


def after_skips(moment: datetime, hints: PollHints) -> datetime:
    """`moment`, or the first full hour (GMT) after it that skipHours and skipDays leave free; a feed that leaves none is not obeyed."""
    if not hints.skip_hours and not hints.skip_days:
        return moment
    hours = {hour % 24 for hour in hints.skip_hours if 0 <= hour <= 24}  # RSS 0.91 counts to 24
    days = {day.strip().lower() for day in hints.skip_days} & set(_DAYS)
    if len(hours) == 24 or len(days) == 7:
        return moment
    free = moment.astimezone(UTC)
    while free.hour in hours or _DAYS[free.weekday()] in days:
        free = free.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return free


def back_off_seconds(streak: int, status: int | None, limits: ScheduleLimits, interval_seconds: float) -> float:
    """Doubles with each failure in a row, from one interval up to a day; up to a week for what a person has to mend."""
    cap = limits.refusal_cap_seconds if status in (401, 403, 404, 407) else limits.failure_cap_seconds
    return max(interval_seconds, min(cap, interval_seconds * 2.0 ** min(max(streak, 1) - 1, 30)))


# --- what a poll changes ---------------------------------------------------------------------------------------------


def after_poll(
    feed: Feed,
    state: FeedState,
    fetched: Fetched,
    parsed: ParsedFeed | None,
    problem: str | None,
    limits: ScheduleLimits,
    *,
    now: datetime,
    jitter: float,
) -> FeedState:
    """The state after any poll. A body that is no feed (`parsed` None though something came) is a failure; `problem` says why."""
    if fetched.outcome == "same" or (fetched.outcome == "changed" and parsed is not None):
        return after_success(feed, state, fetched, parsed, limits, now=now, jitter=jitter)
    return after_failure(feed, state, fetched, problem or fetched.error, limits, now=now, jitter=jitter)


def after_success(
    feed: Feed, state: FeedState, fetched: Fetched, parsed: ParsedFeed | None, limits: ScheduleLimits, *, now: datetime, jitter: float
) -> FeedState:
    """After a 304, a known body (`parsed` is None) or a new one that parsed: only now validators and a permanent move are believed."""
    document = {} if parsed is None else _of_document(state, parsed, now)
    # the hints kept are the document's and the server's: `feeds status` shows them, and an unchanged document says them again
    hints = parsed.hints if parsed else state.hints
    if hints.max_age_seconds != fetched.max_age_seconds:  # to replace a field takes as long as to parse an answer's head
        hints = replace(hints, max_age_seconds=fetched.max_age_seconds)
    rate = document.get("items_per_day", state.items_per_day)
    poll_at, reason = next_poll(feed, rate, fetched, hints, now, limits, jitter)
    return replace(
        state,
        url=feed.url,
        fetch_url=fetched.permanent_url or (state.fetch_url if state.url == feed.url else feed.url),
        validators=fetched.validators,
        hints=hints,
        body_hash=fetched.body_hash or state.body_hash,
        last_attempt_at=fetched.at,
        last_success_at=now,
        next_poll_at=poll_at,
        reason=reason,
        error=None,
        error_since_at=None,
        streak=0,
        retry_after_at=None,
        gone=False,
        **document,
    )


def _of_document(state: FeedState, parsed: ParsedFeed, now: datetime) -> dict[str, Any]:
    rate = items_per_day(parsed.published or [item.published_at or item.updated_at for item in parsed.items], now)
    return {
        "title": parsed.title or state.title,
        "link": parsed.link or state.link,
        "language": parsed.language or state.language,
        "warning": parsed.error,
        "items_per_day": state.items_per_day if rate is None else rate,
    }


def items_per_day(published: Iterable[datetime | None], now: datetime) -> float | None:
    """How often a document's items came in the last four weeks (or since its oldest); None when none of them is dated."""
    dated = [moment for moment in published if moment is not None and moment <= now]
    if not dated:
        return None
    start = now - timedelta(days=_RATE_DAYS)
    recent = [moment for moment in dated if moment > start]
    span_days = (now - max(min(dated), start)).total_seconds() / 86_400
    return round(len(recent) / max(span_days, 1.0), 3)


def after_failure(
    feed: Feed, state: FeedState, fetched: Fetched, error: str | None, limits: ScheduleLimits, *, now: datetime, jitter: float
) -> FeedState:
    """After anything else. Validators, hash and address stay those of the last answer that was a feed."""
    failed = replace(
        state,
        last_attempt_at=fetched.at,
        error=error or "The feed could not be polled, and nobody said why.",
        error_since_at=state.error_since_at or now,
        retry_after_at=fetched.retry_after_at,
    )
    if fetched.outcome == "gone":
        return replace(failed, streak=state.streak + 1, gone=True, next_poll_at=None, reason="never: the feed is gone (410)")
    if fetched.outcome == "throttled" and fetched.status is None:
        return _held_back(state, fetched, now)
    failed = replace(failed, streak=state.streak + 1)
    interval = float(feed.interval_seconds or limits.interval_seconds)
    seconds = back_off_seconds(failed.streak, fetched.status, limits, interval)
    times = "a failure" if failed.streak == 1 else f"{failed.streak} failures in a row"
    reason = f"{spell_seconds(int(seconds))} after {times}"
    poll_at = now + timedelta(seconds=seconds + _added(seconds, limits, jitter))
    if fetched.retry_after_at is not None and fetched.retry_after_at > poll_at:
        poll_at, reason = fetched.retry_after_at, "the server asked to wait until then (Retry-After)"
    return replace(failed, next_poll_at=poll_at, reason=reason)


def _held_back(state: FeedState, fetched: Fetched, now: datetime) -> FeedState:
    """No request was sent, because the host asked for peace on behalf of another feed or others of it went first: nobody's fault, and
    no attempt."""
    if fetched.retry_after_at is None:
        return replace(
            state, next_poll_at=max(now, state.next_poll_at or now), reason="in the next round: its turn at its host did not come"
        )
    until = fetched.retry_after_at
    return replace(state, next_poll_at=max(until, state.next_poll_at or until), reason="its host asked to wait until then (Retry-After)")
