"""EDGE: locks between processes: on one machine held by the operating system, over several by a lease in the database.

A killed process leaves no lock of the first kind behind; one of the second runs out by itself.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aggregator.errors import AggregatorError, LockedError
from aggregator.ports import LeaseStore

log = logging.getLogger("aggregator.lock")

_LOOK_SECONDS = 1.0


@contextmanager
def file_lock(path: Path, *, wait: bool, refusal: str = "another process holds the lock") -> Iterator[None]:
    """Hold an exclusive lock on a file. Without `wait`, raises LockedError naming the holder's process id."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise LockedError(f"{refusal}{f' (process {holder})' if holder else ''}") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def lock_holder(path: Path) -> int | None:
    """The process that holds the lock now, None when it is free."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(descriptor)
    return None


@contextmanager
def lease_lock(
    leases: LeaseStore,
    name: str,
    holder: str,
    *,
    seconds: float,
    wait: bool,
    refusal: str = "another process holds the lease",
    lost: Callable[[], None] | None = None,
) -> Iterator[None]:
    """Hold a lease, renewed by a thread. Without `wait`, raises LockedError naming the holder. `lost` is called when another process
    has taken it, which happens only to one that slept for `seconds`."""
    while left := leases.take(name, holder, seconds):
        if not wait:
            raise LockedError(f"{refusal} ({leases.holder(name) or 'ending'})")
        time.sleep(min(left, seconds / 3, _LOOK_SECONDS))
    done = threading.Event()
    keeper = threading.Thread(target=_keep, args=(leases, name, holder, seconds, done, lost), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join()
        leases.give_back(holder, {name: 0.0})


def _keep(leases: LeaseStore, name: str, holder: str, seconds: float, done: threading.Event, lost: Callable[[], None] | None) -> None:
    while not done.wait(seconds / 3):
        try:
            if name in leases.renew(holder, seconds):
                continue
        except AggregatorError as error:  # the database may be back before the lease has run out
            log.warning("the lease “%s” could not be renewed: %s", name, error)
            continue
        log.error("another process has taken the lease “%s”; this one slept for too long", name)
        if lost is not None:
            lost()
        return
