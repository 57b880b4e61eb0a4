"""Decides by what the items of a feed are told apart, and gives each its key. Pure.

An item's key is, in this order of trust (the feed's `identity` says where the feed has arrived):
  "guid"  "g:" + guid; without a guid "l:" + link; without either "h:" + hash of what it says
  "link"  "l:" + canonical link; without one of its own "h:"
  "hash"  "h:" always
A feed only ever goes down this list: what once proved unreliable is not trusted again.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from aggregator.model import Item

IDENTITIES = ("guid", "link", "hash")
_FEWEST_CHANGED = 2
"""Known pieces whose guid must have changed, all of them, before guids are distrusted: one may be a correction by hand."""


def identify(items: Sequence[Item], identity: str, known_links: Mapping[str, str]) -> tuple[str, tuple[Item, ...]]:
    """The feed's identity from now on, and its items with their keys: no key and no piece twice, in the document's order.

    `items` come from normalise, with provisional keys; `identity` is the feed's so far. `known_links` gives for canonical links of this
    document the key that the feed's item had earlier. Degrades "guid" to "link" when one guid stands on different pieces, or when every
    known piece has a new guid (feeds that make guids at random); and from there to "hash" when links do not tell the pieces apart.
    A canonical link that several different pieces share (all point to one page) becomes None, so that it cannot merge them.
    """
    kept = _without_copies(items)
    if identity == "guid" and (_guids_repeat(kept) or _guids_changed(kept, known_links)):
        identity = "link"
    shared = _shared_links(kept, trust_guids=identity == "guid")
    if identity == "link" and _links_useless(kept, shared):
        identity = "hash"
    kept = [replace(item, canonical_link=None) if item.canonical_link in shared else item for item in kept]
    return identity, tuple(_first_of_each(_with_key(item, _key(item, identity)) for item in kept))


def _says(item: Item) -> tuple[str, tuple[str, ...]]:
    """What makes two items the same piece in the same words: episodes may differ in their file alone."""
    return item.content_hash, tuple(medium.url for medium in item.media)


def _without_copies(items: Sequence[Item]) -> list[Item]:
    """Drops exact repetitions, whatever their guids say; the first stays."""
    seen: set[tuple[str, tuple[str, ...]]] = set()
    kept = []
    for item in items:
        if _says(item) not in seen:
            seen.add(_says(item))
            kept.append(item)
    return kept


def _shared_links(items: Sequence[Item], *, trust_guids: bool) -> set[str]:
    """Canonical links under which the document has different pieces. One guid under one link is one piece in two versions."""
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for item in items:
        if item.canonical_link:
            keys[item.canonical_link].add(item.key if trust_guids and item.key.startswith("g:") else item.title)
    return {link for link, found in keys.items() if len(found) > 1}


def _guids_repeat(items: Sequence[Item]) -> bool:
    """Whether one guid stands on pieces that differ in title and, where they have one, in link; else they are versions of one piece."""
    links: defaultdict[str, set[str | None]] = defaultdict(set)
    titles: defaultdict[str, set[str]] = defaultdict(set)
    for item in items:
        if item.key.startswith("g:"):
            links[item.key].add(item.canonical_link)
            titles[item.key].add(item.title)
    return any(len(titles[key]) > 1 and (len(found) > 1 or None in found) for key, found in links.items())


def _guids_changed(items: Sequence[Item], known_links: Mapping[str, str]) -> bool:
    """Whether every piece that the feed has shown before comes under another guid now."""
    pairs = [(item.key, known_links.get(item.canonical_link or "", "")) for item in items]
    compared = [(new, old) for new, old in pairs if new.startswith("g:") and old.startswith("g:")]
    return len(compared) >= _FEWEST_CHANGED and all(new != old for new, old in compared)


def _links_useless(items: Sequence[Item], shared: set[str]) -> bool:
    """Whether most items have no link of their own."""
    count = Counter(bool(item.canonical_link) and item.canonical_link not in shared for item in items)
    return count[False] > count[True]


def _with_key(item: Item, key: str) -> Item:
    return item if item.key == key else replace(item, key=key)  # most have it already, and a copy costs as much as the rest


def _key(item: Item, identity: str) -> str:
    if identity == "guid" and item.key.startswith("g:"):
        return item.key
    if identity != "hash" and item.canonical_link:
        link = item.canonical_link
        return f"l:{link}" if len(link) <= 500 else f"l:sha256:{_digest(link)}"
    return f"h:{_digest(item.content_hash, *(medium.url for medium in item.media))}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def _first_of_each(items: Iterable[Item]) -> list[Item]:
    first: dict[str, Item] = {}
    for item in items:
        first.setdefault(item.key, item)
    return list(first.values())
