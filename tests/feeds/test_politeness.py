"""How many requests a host gets at once, how far apart, and not before when."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from aggregator.feeds.politeness import (
    MOST_SILENCES,
    HostGate,
    HostRule,
    PolitenessLimits,
    TurnPassedError,
    host_rule,
    spacing_seconds,
)

NOW = datetime(2023, 12, 27, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("limits", "private", "rule"),
    [
        (PolitenessLimits(), False, HostRule(1, 1.0)),
        (PolitenessLimits(), True, HostRule(16, 0.0)),
        (PolitenessLimits(host_delay_seconds=3), False, HostRule(1, 3.0)),
        (PolitenessLimits(host_delay_seconds=3), True, HostRule(16, 3.0)),
        (PolitenessLimits(host_connections=2), True, HostRule(2, 0.0)),
        (PolitenessLimits(host_connections=2, host_delay_seconds=0), False, HostRule(2, 0.0)),
    ],
)
def test_public_hosts_are_spared_and_settings_hold_for_every_host(limits: PolitenessLimits, private: bool, rule: HostRule) -> None:
    assert host_rule(limits, private=private) == rule


def test_jitter_only_adds_to_the_spacing() -> None:
    assert spacing_seconds(HostRule(1, 1.0), 0.0) == 1.0
    assert spacing_seconds(HostRule(1, 1.0), 0.5) == 1.5


class Time:
    """A clock that sleeping moves on."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.seconds += seconds


def visits(
    limits: PolitenessLimits, hosts: Sequence[str], *, private: bool = False, request_seconds: float = 0.0
) -> tuple[list[tuple[str, float]], int]:
    """When each of the visits began (host, second), and how many went on at once at most."""
    time = Time()
    begun: list[tuple[str, float]] = []
    at_once = [0, 0]

    async def run() -> None:
        gate = HostGate(limits, jitter=lambda: 0.5, monotonic=time.now, sleep=time.sleep)

        async def visit(host: str) -> None:
            async with gate.slot(host, private=private):
                at_once[0] += 1
                at_once[1] = max(at_once)
                begun.append((host, time.now()))
                time.seconds += request_seconds
                for _ in range(5):
                    await asyncio.sleep(0)
                at_once[0] -= 1

        await asyncio.gather(*map(visit, hosts))

    asyncio.run(run())
    return begun, at_once[1]


def test_a_public_host_is_visited_one_at_a_time_and_a_pause_lies_between_end_and_start() -> None:
    begun, at_once = visits(PolitenessLimits(), ["a"] * 4, request_seconds=10)
    assert at_once == 1
    assert [second for _, second in begun] == [0, 11.5, 23, 34.5]


def test_a_private_host_is_visited_sixteen_at_a_time_without_pause() -> None:
    begun, at_once = visits(PolitenessLimits(), ["a"] * 40, private=True)
    assert at_once == 16
    assert {second for _, second in begun} == {0}


def test_whoever_waits_for_a_slow_host_does_not_hold_up_another_host() -> None:
    begun, _ = visits(PolitenessLimits(connections=2), ["slow"] * 50 + ["other"])
    assert [host for host, _ in begun].index("other") <= 2


def test_no_more_requests_go_on_at_once_than_the_settings_say() -> None:
    _, at_once = visits(PolitenessLimits(connections=3), [str(n) for n in range(20)])
    assert at_once == 3


def test_a_back_off_holds_until_its_moment_survives_a_restart_and_is_never_shortened() -> None:
    told: list[tuple[str, datetime]] = []
    gate = HostGate(not_before={"old.example": NOW + timedelta(hours=1)}, on_back_off=lambda host, until: told.append((host, until)))
    assert gate.blocked_until("old.example", NOW) == NOW + timedelta(hours=1)
    assert gate.blocked_until("old.example", NOW + timedelta(hours=1)) is None
    gate.back_off("news.example", NOW + timedelta(hours=2))
    gate.back_off("news.example", NOW + timedelta(hours=1))
    assert told == [("news.example", NOW + timedelta(hours=2))]
    assert gate.blocked_until("news.example", NOW) == NOW + timedelta(hours=2)
    assert gate.blocked_until("other.example", NOW) is None


def test_a_turn_that_does_not_come_in_time_passes_and_leaves_the_line_in_order() -> None:
    async def run() -> tuple[list[str], int]:
        gate = HostGate(line_seconds=0.05)
        said: list[str] = []
        async with gate.slot("slow.example", private=False):
            for _ in range(3):
                with pytest.raises(TurnPassedError) as caught:
                    async with gate.slot("slow.example", private=False):
                        pass
                said.append(str(caught.value))
            async with gate.slot("other.example", private=False):
                pass
        inside = 0
        async with HostGate(PolitenessLimits(host_delay_seconds=0.0), line_seconds=60.0).slot("slow.example", private=False):
            inside += 1
        return said, inside

    said, inside = asyncio.run(asyncio.wait_for(run(), 60))
    assert said == ["Others of slow.example were asked first, and this feed's turn did not come in this round."] * 3
    assert inside == 1


@pytest.mark.parametrize(("private", "asked"), [(False, MOST_SILENCES), (True, 10)])
def test_a_public_host_that_leaves_several_in_a_row_without_an_answer_is_left_alone(private: bool, asked: int) -> None:
    async def run() -> int:
        gate, done = HostGate(PolitenessLimits(host_delay_seconds=0.0)), 0
        for _ in range(10):
            with contextlib.suppress(TurnPassedError):
                async with gate.slot("slow.example", private=private):
                    done += 1
                    gate.heard("slow.example", private=private, answered=False)
        return done

    assert asyncio.run(run()) == asked


def test_one_answer_makes_up_for_the_silences_before_it() -> None:
    async def run() -> int:
        gate, done = HostGate(PolitenessLimits(host_delay_seconds=0.0)), 0
        for number in range(12):
            async with gate.slot("slow.example", private=False):
                done += 1
                gate.heard("slow.example", private=False, answered=number % MOST_SILENCES == MOST_SILENCES - 1)
        return done

    assert asyncio.run(run()) == 12
