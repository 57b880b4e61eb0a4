"""Leases, claims and workers: what processes keep from one another."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from aggregator.errors import LockedError
from aggregator.lock import lease_lock
from aggregator.model import Feed, StoryChanges
from aggregator.store.claims import QUEUE
from aggregator.store.opening import Store, open_store
from aggregator.store.stories import WRITER
from tests.store.make import NOW, group, item, keep, poll, seen

LONG, SHORT = 600.0, 0.05


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_lease_is_one_holders_until_it_runs_out(store: Store) -> None:
    assert store.leases.take("it", "ann", LONG) == 0
    assert 0 < store.leases.take("it", "bob", LONG) <= LONG
    assert store.leases.holder("it") == "ann"
    assert store.leases.take("it", "ann", SHORT) == 0
    until(lambda: store.leases.take("it", "bob", LONG) == 0)
    assert store.leases.renew("ann", LONG) == set()
    assert store.leases.renew("bob", LONG) == {"it"}


def test_what_is_given_back_may_be_asked_for_after_its_seconds(store: Store) -> None:
    store.leases.take("host a.example", "ann", LONG)
    store.leases.give_back("ann", {"host a.example": 500.0})
    assert store.leases.holder("host a.example") is None
    assert 400 < store.leases.take("host a.example", "bob", LONG) <= 500
    assert 400 < store.leases.take("host a.example", "ann", LONG) <= 500
    store.leases.take("it", "ann", LONG)
    store.leases.give_back("bob", {"it": 0.0})  # not bob's
    assert store.leases.take("it", "bob", LONG) > 0


def test_a_writer_without_the_lease_is_refused_while_another_has_it(database_url: str) -> None:
    with open_store(database_url, now=NOW) as mine, open_store(database_url, now=NOW) as theirs:
        poll(mine, "alpha", [item("one")])
        theirs.leases.take(WRITER, "them", LONG)
        with pytest.raises(LockedError, match="them"):
            group(mine, [1])
        assert mine.stories.stories(limit=5) == []
        group(theirs, [1])


def test_a_writer_that_slept_while_another_took_over_is_refused_for_ever(database_url: str) -> None:
    with open_store(database_url, now=NOW) as mine, open_store(database_url, now=NOW) as theirs:
        poll(mine, "alpha", [item("one")])
        mine.leases.take(WRITER, "me", SHORT)
        until(lambda: theirs.leases.take(WRITER, "them", LONG) == 0)
        with pytest.raises(LockedError):
            mine.stories.replace(StoryChanges())
        group(theirs, [1])
        theirs.leases.give_back("them", {WRITER: 0.0})
        with pytest.raises(LockedError):  # what it worked out was worked out from stories of before
            group(mine, [1])
        mine.leases.give_back("me", {WRITER: 0.0})
        group(mine, [1])


def test_a_lease_that_ran_out_and_was_taken_by_nobody_still_writes(lasting_store: Store) -> None:
    poll(lasting_store, "alpha", [item("one")])
    lasting_store.leases.take(WRITER, "me", SHORT)
    until(lambda: lasting_store.leases.holder(WRITER) is None)
    assert lasting_store.stories.story_ids([1]) == {}
    group(lasting_store, [1])
    assert set(lasting_store.stories.story_ids([1])) == {1}


def test_the_lock_is_renewed_and_says_when_it_is_lost(lasting_store: Store) -> None:
    lost: list[bool] = []
    leases = lasting_store.leases
    with lease_lock(leases, "it", "me", seconds=0.5, wait=True, lost=lambda: lost.append(True)):
        time.sleep(1.0)  # twice the lease: without the renewals it would be another's by now
        with pytest.raises(LockedError, match="me"), lease_lock(leases, "it", "other", seconds=LONG, wait=False):
            pass
        leases.give_back("me", {"it": 0.0})
        leases.take("it", "other", LONG)
        until(lambda: bool(lost))
    assert leases.holder("it") == "other"


# --- claims -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def three(store: Store) -> Store:
    store.feeds.sync([Feed(name, f"https://{name}.example/feed") for name in ("alpha", "beta", "gamma")], NOW)
    return store


def names(store: Store, ids: list[int], holder: str, seconds: float = LONG) -> list[str]:
    return [state.name for state in store.claims.take(ids, holder, seconds, NOW).states]


def test_a_feed_is_claimed_once_and_taken_once(three: Store) -> None:
    assert three.claims.claim(seen(three, [1, 2]), LONG) == [1, 2]
    assert three.claims.claim(seen(three, [3, 2, 1]), LONG) == [3]
    assert names(three, [2, 1], "ann") == ["beta", "alpha"]
    taken = three.claims.take([1, 2, 3], "bob", LONG, NOW)
    assert [state.name for state in taken.states] == ["gamma"]
    assert 0 < taken.wait_seconds <= LONG
    assert three.feeds.state("alpha").last_attempt_at == NOW


def test_a_feed_that_was_polled_since_it_was_seen_to_be_due_is_not_claimed_again(three: Store) -> None:
    before = seen(three, [1, 2])
    three.claims.claim(before, LONG)
    names(three, [1], "ann")
    keep(three, three.feeds.state("alpha"))
    assert three.claims.claim(before, LONG) == []
    assert three.claims.claim(seen(three, [1, 2]), LONG) == [1]


def test_what_nobody_claimed_is_not_taken(three: Store) -> None:
    assert names(three, [1, 2, 3], "ann") == []


def test_a_poll_that_ended_has_no_claim(three: Store) -> None:
    three.claims.claim(seen(three, [1, 2]), LONG)
    names(three, [1, 2], "ann")
    poll(three, "alpha", [item("one")])
    assert names(three, [1, 2], "ann") == ["beta"]  # the same batch once more, after a crash
    assert three.claims.claim(seen(three, [1, 2]), LONG) == [1]


def test_what_a_dead_worker_had_goes_to_another_when_its_claim_has_run_out(three: Store) -> None:
    three.claims.claim(seen(three, [1]), LONG)
    names(three, [1], "ann", SHORT)
    until(lambda: names(three, [1], "bob") == ["alpha"])
    assert three.claims.renew("ann", LONG) == 0
    assert three.claims.renew("bob", LONG) == 1


def test_what_a_worker_gives_back_is_taken_at_once(three: Store) -> None:
    three.claims.claim(seen(three, [1, 2]), LONG)
    names(three, [1, 2], "ann")
    three.claims.release([1], "ann", LONG)
    three.claims.release([2], "bob")  # not bob's
    assert names(three, [1, 2], "bob") == ["alpha"]
    three.claims.release([2], "ann")
    assert three.claims.claim(seen(three, [1, 2]), LONG) == [2]


def test_the_queues_claims_run_out_unless_renewed(three: Store) -> None:
    three.claims.claim(seen(three, [1]), SHORT)
    until(lambda: three.claims.claim(seen(three, [1]), LONG) == [1])
    assert three.claims.renew(QUEUE, LONG) == 1


# --- workers ----------------------------------------------------------------------------------------------------------


def test_a_worker_is_seen_until_it_says_goodbye(store: Store) -> None:
    store.workers.beat("ann", ("fetch",), "", {})
    store.workers.beat("ann", ("fetch",), "organise", {"tasks": 3})
    (seen,) = store.workers.all()
    assert (seen.name, seen.queues, seen.doing, seen.done) == ("ann", ("fetch",), "organise", {"tasks": 3})
    assert seen.started_at <= seen.seen_at
    assert seen.silent_seconds < 60
    store.workers.gone("ann")
    assert store.workers.all() == []
