"""The deadline for servers: real while the program is idle, lenient while it is busy itself."""

from __future__ import annotations

import asyncio
import time

import pytest

from aggregator.feeds.patience import TICK_SECONDS, patience


def test_a_server_that_never_answers_runs_out_of_time() -> None:
    async def wait() -> None:
        async with patience(0.15):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(wait(), 60))


def test_the_time_in_which_the_program_was_busy_itself_does_not_count() -> None:
    async def answer_that_came_meanwhile() -> float:
        async with patience(8 * TICK_SECONDS) as waiting:
            for _ in range(3):
                time.sleep(6 * TICK_SECONDS)  # another feed's document is put away
                await asyncio.sleep(0)
            return waiting.left_seconds

    assert asyncio.run(answer_that_came_meanwhile()) > 0


def test_nothing_is_left_of_a_deadline_that_was_over_before() -> None:
    async def wait() -> None:
        async with patience(-1.0):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(wait(), 60))


def test_what_is_left_goes_down_while_it_waits() -> None:
    async def wait() -> float:
        async with patience(60.0) as waiting:
            await asyncio.sleep(3 * TICK_SECONDS)
        return waiting.left_seconds

    assert 50 < asyncio.run(wait()) < 60
