"""Makes items of those entries alone that did not stand in the feed's last document word for word. Pure.

ParsedFeed and what was shown | mark each entry | normalise those without a known mark | ReadItems, and what is shown now

Nine tenths of a document that changed are as they were, and to clean their texts is most of the work. What must be known of them is whether
a new one has their key, link or words: then, and whenever two entries of the document have, all are read, and dedupe.identify decides. So
for each entry a mark of everything it says is kept (8 bytes), and check sums of the three, of which a wrong match costs time only.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from zlib import crc32

from aggregator.documents import Item, ParsedFeed, ParsedItem, Reading, ReadItems
from aggregator.feeds.links import canonical_link
from aggregator.feeds.normalise import normalise

_ROW = struct.Struct("<8sIIIB")
_Row = tuple[bytes, int, int, int, int]
"""Mark, key, link (0: none), words, and whether it has both a guid and a link."""
_MARK_BYTES = 8


def sift(parsed: ParsedFeed, reading: Reading) -> ReadItems:
    """The items of a document for dedupe.identify, without those that `reading.shown` tells to be as they were."""
    marks = _marks(parsed, reading)
    known = _unpack(reading.shown)
    fresh = [place for place, mark in enumerate(marks) if mark not in known]
    if len(fresh) < len(marks):
        items = _normalise(parsed, reading, fresh)
        rows = [known[mark] for mark in marks if mark in known]
        holds = any(row[-1] for row in rows)
        rows += map(_row, (marks[place] for place in fresh), items)
        if _stand_apart(rows, items):
            return ReadItems(items, len(marks) - len(fresh), holds, _pack(rows))
    items = _normalise(parsed, reading, None)
    rows = list(map(_row, marks, items))
    return ReadItems(items, shown=_pack(rows) if _stand_apart(rows, items) else b"")


def _normalise(parsed: ParsedFeed, reading: Reading, places: Sequence[int] | None) -> tuple[Item, ...]:
    return normalise(parsed, feed=reading.feed, feed_url=reading.feed_url, now=reading.now, language=reading.language, places=places)


def _marks(parsed: ParsedFeed, reading: Reading) -> list[bytes]:
    """Of all that makes an item what it is: what the entry says, and what all entries of the document share."""
    shared = (canonical_link(parsed.link), parsed.language, reading.feed_url, reading.language)
    start = blake2b(repr(shared).encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return [blake2b(_says(raw), digest_size=_MARK_BYTES, key=start).digest() for raw in parsed.items]


def _says(raw: ParsedItem) -> bytes:
    return (
        f"{raw.guid}\x1f{raw.link}\x1f{raw.title}\x1f{raw.title_is_html}\x1f{raw.summary}\x1f{raw.content}\x1f{raw.published}\x1f{raw.updated}"
        f"\x1f{raw.language}\x1f{raw.base}\x1f{raw.authors}{raw.categories}{raw.media}"
    ).encode("utf-8", "surrogatepass")


def _row(mark: bytes, item: Item) -> _Row:
    link = item.canonical_link
    words = crc32("\x1f".join((item.content_hash, *(medium.url for medium in item.media))).encode())
    has_both = link is not None and item.key.startswith("g:")
    return mark, _sum(item.key), _sum(link) or 1 if link else 0, words, has_both


def _sum(text: str) -> int:
    return crc32(text.encode("utf-8", "surrogatepass"))


def _stand_apart(rows: Sequence[_Row], items: Iterable[Item]) -> bool:
    """Whether no two have a key, a link or words in common, and every key is the last word: then identify has nothing to do."""
    _, keys, links, words, _ = zip(*rows, strict=True) if rows else ((),) * 5
    linked = [link for link in links if link]
    apart = len(set(keys)) == len(keys) and len(set(linked)) == len(linked) and len(set(words)) == len(words)
    return apart and all(item.canonical_link or not item.key.startswith("l:") for item in items)


def _pack(rows: Iterable[_Row]) -> bytes:
    return b"".join(_ROW.pack(*row) for row in rows)


def _unpack(shown: bytes) -> dict[bytes, _Row]:
    return {row[0]: row for row in _ROW.iter_unpack(shown)} if len(shown) % _ROW.size == 0 else {}
