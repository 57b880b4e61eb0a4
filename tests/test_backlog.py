"""Fetching waits while too many documents are not parsed yet."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from aggregator.pipeline import _MOST_UNREAD, Backlog


def test_there_is_room_until_too_much_lies_unread_and_again_when_some_was_parsed() -> None:
    async def work() -> None:
        backlog, unread = Backlog(), ExitStack()
        for _ in range(_MOST_UNREAD - 1):
            unread.enter_context(backlog.one_more())
        await asyncio.wait_for(backlog.room(), 5)
        with backlog.one_more():
            waiting = asyncio.create_task(backlog.room())
            await asyncio.sleep(0)
            assert not waiting.done()
        await asyncio.wait_for(waiting, 5)
        unread.close()

    asyncio.run(work())
