"""Which feeds go into one task: those of one host together, so that a host is in one process at a time. Pure.

due feeds | by host | hosts into batches of about one size
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from aggregator.hosts import is_address, is_loopback
from aggregator.model import DueFeed


def batches(due: Iterable[DueFeed], size: int, *, spaced: bool) -> Iterator[list[int]]:
    """Feed ids in batches of `size`, hosts in the order of their first feed. A host's feeds are split only where nobody needs them
    together: at a host of one's own network, unless requests are `spaced` there, too."""
    hosts: dict[str, list[int]] = {}
    for each in due:
        hosts.setdefault(urlsplit(each.state.fetch_url).hostname or "", []).append(each.state.id)
    batch: list[int] = []
    for host, ids in hosts.items():
        apart = not spaced and is_own(host)
        for group in [ids[n : n + size] for n in range(0, len(ids), size)] if apart else [ids]:
            if batch and len(batch) + len(group) > size:
                yield batch
                batch = []
            batch = batch + group
    if batch:
        yield batch


def hosts_to_hold(due: Iterable[DueFeed], *, spaced: bool) -> set[str]:
    """The hosts at which it matters what other processes ask."""
    hosts = {urlsplit(each.state.fetch_url).hostname or "" for each in due}
    return {host for host in hosts if spaced or not is_own(host)}


def is_own(host: str) -> bool:
    """Whether a host is of this machine or network by its very name; what other names stand for is not asked."""
    return is_loopback(host) or (is_address(host) and ip_address(host).is_private)
