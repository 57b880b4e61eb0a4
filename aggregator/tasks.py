"""EDGE: the steps as distributed tasks, by Dramatiq on Redis or RabbitMQ. A task carries ids at most, and what it did is in the store.

    fetch_batch(ids)    take what is still in the queue | poll | store       queue fetch
    organise()          what is in no story yet | group                      queue organise, one writer at a time
    publish()           digests whose time has come | make | deliver         queue publish
    prune(), backup()                                                        queue upkeep

A task is acknowledged when it is done, so one whose process died comes again to another: Redis sees that from a heartbeat that
stays out, RabbitMQ from the connection that breaks. Each can come twice, and half done; it then does what is left. One that
fails is tried again with growing pauses, and at last put aside as dead, where `status` counts it for a week.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aggregator.errors import BrokerError, UsageError
from aggregator.model import QueueState

if TYPE_CHECKING:
    from dramatiq import Broker

    from aggregator.settings import Settings

log = logging.getLogger("aggregator.tasks")

_MINUTE = 60_000


@dataclass(frozen=True, slots=True)
class Task:
    """`limit` is how long it may run, in milliseconds: below RabbitMQ's half hour for a task that is not acknowledged."""

    queue: str
    limit: int


TASKS = {
    "fetch_batch": Task("fetch", 15 * _MINUTE),
    "organise": Task("organise", 25 * _MINUTE),
    "publish": Task("publish", 10 * _MINUTE),
    "prune": Task("upkeep", 25 * _MINUTE),
    "backup": Task("upkeep", 25 * _MINUTE),
}
QUEUES = tuple(dict.fromkeys(task.queue for task in TASKS.values()))
RETRIES = 6
_FIRST_PAUSE, _LONGEST_PAUSE = 2_000, 5 * _MINUTE
_SWEEP_CHANCE = 1_000_000
"""Of a million commands to Redis, those that also look for the tasks of dead workers. With Dramatiq's own 1,000 they lay for a quarter
of an hour, at the few commands a second that idle workers send; looking costs one range query."""


class Queues:
    """The queues of one installation at its broker. `steps` by task's name: what a worker does; a sender has none."""

    def __init__(self, settings: Settings, steps: Mapping[str, Callable[..., None]] | None = None) -> None:
        self.address = settings.broker
        self._prefix = settings.workers.prefix
        self.broker = _make_broker(settings)
        for queue in QUEUES:
            self.broker.declare_queue(self.full_name(queue))
        for name, step in (steps or {}).items():
            self._declare(name, step)

    def full_name(self, queue: str) -> str:
        return f"{self._prefix}.{queue}"

    def _declare(self, name: str, step: Callable[..., None]) -> None:
        import dramatiq

        task = TASKS[name]
        options: dict[str, Any] = {
            "time_limit": task.limit,
            "max_retries": RETRIES,
            "min_backoff": _FIRST_PAUSE,
            "max_backoff": _LONGEST_PAUSE,
        }
        dramatiq.actor(broker=self.broker, actor_name=name, queue_name=self.full_name(task.queue), **options)(step)

    def send(self, name: str, *arguments: Any) -> None:
        """Raises BrokerError."""
        import dramatiq

        message: Any = dramatiq.Message(
            queue_name=self.full_name(TASKS[name].queue), actor_name=name, args=arguments, kwargs={}, options={}
        )
        with explained(self.address):
            self.broker.enqueue(message)

    def states(self) -> tuple[QueueState, ...]:
        """Raises BrokerError."""
        count = _count_redis if _is_redis(self.address) else _count_rabbitmq
        with explained(self.address):
            return tuple(QueueState(queue, *count(self.broker, self.full_name(queue))) for queue in QUEUES)

    def close(self) -> None:
        self.broker.close()


@contextmanager
def make_queues(settings: Settings) -> Iterator[Queues]:
    """To send, or to look."""
    queues = Queues(settings)
    try:
        yield queues
    finally:
        queues.close()


def check_installed() -> None:
    """Raises UsageError without the extra."""
    if missing := [name for name in ("dramatiq", "redis", "pika") if find_spec(name) is None]:
        raise UsageError(f"a broker needs {missing[0]}, which is not installed; run pip install 'aggregator[workers]'")


@contextmanager
def explained(address: str) -> Iterator[None]:
    """What a broker or the way to it says becomes a BrokerError, without the password."""
    import dramatiq.errors
    import pika.exceptions
    import redis

    try:
        yield
    except (dramatiq.errors.DramatiqError, pika.exceptions.AMQPError, redis.RedisError, OSError) as error:
        split = urlsplit(address)
        place = f"{split.scheme}://{split.hostname}" + (f":{split.port}" if split.port else "")
        why = str(error) or type(error).__name__
        raise BrokerError(f"the broker {place} cannot be used ({why}); see that it runs, or correct the setting broker") from error


def _is_redis(address: str) -> bool:
    return address.startswith("redis")


def _make_broker(settings: Settings) -> Broker:
    check_installed()
    from dramatiq.middleware import Retries, TimeLimit

    middleware = [TimeLimit(), Retries()]
    if not _is_redis(settings.broker):
        from dramatiq.brokers.rabbitmq import RabbitmqBroker

        return RabbitmqBroker(url=settings.broker, middleware=middleware, confirm_delivery=True)
    import redis
    from dramatiq.brokers.redis import RedisBroker

    return RedisBroker(  # type: ignore[no-untyped-call]
        client=redis.Redis.from_url(settings.broker, socket_connect_timeout=5, socket_timeout=30, health_check_interval=30),
        middleware=middleware,
        namespace=settings.workers.prefix,
        heartbeat_timeout=int(settings.workers.lease * 1000),
        maintenance_chance=_SWEEP_CHANCE,
    )


def _count_redis(broker: Any, queue: str) -> tuple[int, int | None, int]:
    """Waiting, taken and dead: the lists and hashes are Dramatiq's (dramatiq/brokers/redis/dispatch.lua)."""
    client, name = broker.client, f"{broker.namespace}:{queue}"
    here, later, known, dead = client.llen(name), client.hlen(f"{name}.DQ.msgs"), client.hlen(f"{name}.msgs"), client.zcard(f"{name}.XQ")
    return here + later, max(known - here, 0), dead


def _count_rabbitmq(broker: Any, queue: str) -> tuple[int, int | None, int]:
    """Waiting, taken and dead: AMQP does not tell the second."""
    here, later, dead = broker.get_queue_message_counts(queue)
    return here + later, None, dead
