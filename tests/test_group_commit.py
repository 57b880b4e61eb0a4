"""Polls that end together are stored together, and fail apart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from aggregator.errors import NotFoundError, StoreError
from aggregator.model import Ingested, Polled
from aggregator.pipeline import GroupCommit
from aggregator.store.items import Items
from aggregator.store.opening import Store, open_store
from tests.store.make import NOW, item, subscribe


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(str(tmp_path / "a.db"), now=NOW)
    yield opened
    opened.close()


class Counting:
    """The real item store, which notes how many polls each transaction held."""

    def __init__(self, items: Items) -> None:
        self.items, self.sizes = items, list[int]()

    def ingest(self, polls: Sequence[Polled], now: datetime) -> list[Ingested]:
        self.sizes.append(len(polls))
        return self.items.ingest(polls, now)


def put_all(items: Counting, polls: Sequence[Polled]) -> list[Ingested | BaseException]:
    async def run() -> list[Ingested | BaseException]:
        commits = GroupCommit(items)  # type: ignore[arg-type]  # of the store only this method is used
        return await asyncio.gather(*(commits.put(poll, NOW) for poll in polls), return_exceptions=True)

    return asyncio.run(run())


def test_polls_that_end_together_share_a_transaction_and_each_learns_what_was_its_own(store: Store) -> None:
    states = subscribe(store, "a", "b", "c")
    shared = "https://news.example/shared"
    items = Counting(store.items)
    polls = [
        Polled(states["a"], "A", (item("one"), item("two", link=shared))),
        Polled(states["b"], "B", (item("theirs", link=shared),)),
        Polled(replace(states["c"], streak=3, error="down"), "C"),
    ]
    first, second, third = put_all(items, polls)
    assert (first, third) == (Ingested(new=(1, 2)), Ingested())
    assert second == Ingested(appeared=(2,))
    assert items.sizes == [3]
    assert store.feeds.state("c").streak == 3


def test_a_poll_that_cannot_be_stored_fails_alone(store: Store) -> None:
    states = subscribe(store, "a", "b")
    ghost = Polled(replace(states["a"], id=99, name="ghost"), "G", (item("lost"),))
    good = [Polled(states["a"], "A", (item("one"),)), Polled(states["b"], "B", (item("two"),))]
    first, lost, second = put_all(Counting(store.items), [good[0], ghost, good[1]])
    assert isinstance(lost, NotFoundError)
    assert [first, second] == [Ingested(new=(1,)), Ingested(new=(2,))]
    assert [each.title for each in store.items.get([1, 2])] == ["Title of one", "Title of two"]


def test_a_store_that_takes_nothing_is_asked_once(store: Store) -> None:
    class Full(Counting):
        def ingest(self, polls: Sequence[Polled], now: datetime) -> list[Ingested]:
            super().ingest([], now)
            raise StoreError("the disk is full")

    states = subscribe(store, "a", "b")
    items = Full(store.items)
    found = put_all(items, [Polled(states[name], name, (item(name),)) for name in ("a", "b")])
    assert all(isinstance(each, StoreError) for each in found)
    assert len(items.sizes) == 1
    assert store.items.get([1]) == []


def test_it_lingers_while_polls_are_under_way_and_the_last_one_is_not_kept_waiting(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aggregator.pipeline._LINGER_SECONDS", 3_600.0)
    states = subscribe(store, "a", "b")
    items = Counting(store.items)

    async def run() -> None:
        commits = GroupCommit(items)  # type: ignore[arg-type]
        first_waits = asyncio.Event()

        async def poll(name: str, seconds: float) -> Ingested:
            with commits.one_more():
                if seconds:
                    await first_waits.wait()
                    await asyncio.sleep(seconds)
            first_waits.set()
            return await commits.put(Polled(states[name], name, (item(name),)), NOW)

        await asyncio.gather(poll("a", 0), poll("b", 0.05))

    asyncio.run(asyncio.wait_for(run(), 60))
    assert items.sizes == [2]
