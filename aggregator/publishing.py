"""The publish pipe: a digest is made once, kept until it was delivered, and delivered as often as it takes.

    what its name was not offered yet | choose | render | digest and outbox in one transaction      make
    outbox | due | courier | note                                                                   deliver

A process that is killed before the transaction has made nothing; after it, the next one delivers. An item is offered once under
each name: a digest ends at an item's id (see model.DigestRecord), never at a time by which something might still be stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aggregator.errors import DeliveryError, LockedError
from aggregator.model import Coverage, Delivery, Digest, DigestPlan, DigestRecord, Item, Period
from aggregator.ports import Courier, DigestStore

TICK = timedelta(microseconds=1)
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=6)
"""Waits after failed deliveries: doubled each time, up to the longest."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What an attempt came to: `error` None means delivered, to `place`."""

    name: str
    target: str
    place: str
    error: str | None = None
    next_try_at: datetime | None = None


def as_offered(coverages: Sequence[Coverage], after_item: int | None, period: Period) -> list[Coverage]:
    """The coverages with arrivals as the reader of one name meets them: items after `after_item` within the period, all others
    before it. What clocks said at storing may differ by as much as two processes can."""

    def met(item: Item) -> Item:
        at = item.arrived_at or period.to_at
        if after_item is None:
            at = min(at, period.to_at)
        elif item.id > after_item:
            at = min(max(at, period.from_at + TICK), period.to_at)
        else:
            at = min(at, period.from_at)
        return item if at == item.arrived_at else replace(item, arrived_at=at)

    return [replace(each, items=tuple(map(met, each.items))) for each in coverages]


def to_record(digest: Digest, now: datetime, format: str) -> DigestRecord:
    """What the store keeps of a digest."""
    period, shown = digest.period, tuple(each.story.id for each in digest.stories)
    return DigestRecord(digest.name, period.from_at, period.to_at, now, format, digest.after_item, digest.up_to_item, shown)


@dataclass(frozen=True)
class Publishing:
    """Makes and delivers digests. `lock(what, wait)` is held by one process at a time; `courier` is None for a target that the
    settings no longer name; `make_key` gives a new idempotency key."""

    digests: DigestStore
    choose: Callable[[DigestPlan, datetime], Digest]
    render: Callable[[Digest, str], str]
    courier: Callable[[str, str], Courier | None]
    lock: Callable[[str, bool], AbstractContextManager[None]]
    make_key: Callable[[], str]

    def make(self, plan: DigestPlan, now: datetime) -> DigestRecord:
        """Make a digest now and put it into the outbox."""
        with self.lock(f"digest-{plan.name}", True):
            return self.record(self.choose(plan, now), plan, now)

    def make_due(self, plan: DigestPlan, now: datetime, is_due: Callable[[datetime], bool]) -> DigestRecord | None:
        """Make the digest if `is_due` says so of the end of the name's last one (of the first one: of when the name was first
        heard of). None when it is not due, and when another process is at it: its digest counts."""
        try:
            with self.lock(f"digest-{plan.name}", False):
                last = self.digests.last(plan.name)
                if not is_due(last.to_at if last else self.digests.known_since(plan.name, now)):
                    return None
                return self.record(self.choose(plan, now), plan, now)
        except LockedError:
            return None

    def record(self, digest: Digest, plan: DigestPlan, now: datetime) -> DigestRecord:
        """Note a digest and what is to be delivered of it in one transaction."""
        record = to_record(digest, now, plan.format)
        couriers = {target: courier for target in plan.targets if (courier := self.courier(plan.name, target)) is not None}
        needed = {target: courier.formats or (plan.format,) for target, courier in couriers.items()}
        rendered = {format: self.render(digest, format) for formats in needed.values() for format in formats}
        deliveries = [
            Delivery(self.make_key(), plan.name, target, digest.period, {format: rendered[format] for format in formats})
            for target, formats in needed.items()
        ]
        self.digests.record(record, deliveries)
        return record

    def deliver(self, now: datetime, *, name: str | None = None) -> list[Sent]:
        """Deliver what waits and is due; with a `name`, all of that name at once. Failures are in the outcomes."""
        with self.lock("outbox", True):
            waiting = self.digests.waiting()
            wanted = [each for each in waiting if (is_due(each, now) if name is None else each.name == name)]
            taken = {each.place for each in waiting if each.place}
            return [sent for each in wanted if (sent := self._deliver(each, taken, now)) is not None]

    def _deliver(self, delivery: Delivery, taken: set[str], now: datetime) -> Sent | None:
        courier = self.courier(delivery.name, delivery.target)
        if courier is None:
            self.digests.drop(delivery.id)
            return None
        if not delivery.place:
            delivery = replace(delivery, place=courier.place(delivery, taken))
            self.digests.note_place(delivery.id, delivery.place)
            taken.add(delivery.place)
        try:
            courier.deliver(delivery)
        except DeliveryError as error:
            next_try_at = now + wait_after(delivery.attempts + 1)
            self.digests.note_failure(delivery.id, str(error), next_try_at)
            return Sent(delivery.name, delivery.target, delivery.place, str(error), next_try_at)
        self.digests.note_delivered(delivery.id, now)
        return Sent(delivery.name, delivery.target, delivery.place)


def wait_after(attempts: int) -> timedelta:
    """How long to wait after that many failed attempts."""
    return min(FIRST_WAIT * (1 << min(attempts - 1, 20)), LONGEST_WAIT)


def is_due(delivery: Delivery, now: datetime) -> bool:
    """Whether to try now. A next try further off than the longest wait was noted before the clock was set back."""
    return delivery.next_try_at is None or delivery.next_try_at <= now or delivery.next_try_at > now + LONGEST_WAIT
