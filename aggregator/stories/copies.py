"""Recognises one wire text under several mastheads, and counts independent publishers. Pure.

    4-word shingles of the lead | containment in the other's | copy_of        publishers of the items that are no copies | sources

Cutting a report short is the commonest edit, so containment of the shorter in the longer decides, not Jaccard likeness
(Broder 1997 defines both).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from aggregator.model import Item
from aggregator.stories.text import ItemWords


@dataclass(frozen=True, slots=True)
class CopyParams:
    """`contained`: part of the shorter lead's shingles that the longer must hold. `least`: shingles a lead needs to be judged
    at all (11 words). `title_words`: how long a headline must be for the same one to be no accident."""

    contained: float = 0.7
    least: int = 8
    shingle: int = 4
    title_words: int = 7


@lru_cache(maxsize=512)
def shingles(letters: str, length: int) -> frozenset[str]:
    """Runs of so many words of a folded text. Remembered: a story's members are compared again and again.

    Not more of them: eight times as many saved a thousandth of an archive's time, and cost a daemon 40 MB within two weeks, most
    of it in blocks that a few long-lived strings keep from being given back.
    """
    words = letters.split()
    return frozenset(" ".join(words[i : i + length]) for i in range(len(words) - length + 1))


def is_copy(one: ItemWords, other: ItemWords, params: CopyParams) -> bool:
    """Whether two items carry the same text: one lead nearly holds the other, or both have the same long headline."""
    if len(one.title_letters.split()) >= params.title_words and one.title_letters == other.title_letters:
        return True
    if not _may_repeat(one, other, params):
        return False
    short, long = sorted((shingles(item.summary_letters, params.shingle) for item in (one, other)), key=len)
    return len(short) >= params.least and len(short & long) >= params.contained * len(short)


def _may_repeat(one: ItemWords, other: ItemWords, params: CopyParams) -> bool:
    """False where too few of the one's shingles are in the other's lead for any lead that is judged: nearly always, and without
    making the other's shingles, which takes three times as long."""
    lead = f" {' '.join(other.summary_letters.split())} "
    held = sum(f" {shingle} " in lead for shingle in shingles(one.summary_letters, params.shingle))
    return held >= params.contained * params.least


def find_copied(words: ItemWords, candidates: Sequence[tuple[int, ItemWords]], params: CopyParams) -> int | None:
    """The first of the candidates (id and words, nearest first) whose text this one repeats."""
    return next((number for number, other in candidates if is_copy(words, other, params)), None)


# --- publishers ------------------------------------------------------------------------------------------------------

_TWO_PART = re.compile(r"(?:ac|co|com|edu|gov|net|org|ne|or|go|gob|nom)\.[a-z]{2}$")
_CARRIERS = frozenset(
    {"google.com", "feedburner.com", "feedproxy.com", "reddit.com", "redd.it", "ycombinator.com", "yahoo.com", "msn.com", "t.co", "bit.ly"}
)
"""Hosts that carry other people's texts: their links say nothing about who wrote."""


def publisher_key(item: Item) -> str:
    """Who published an item, so that several feeds of one house count once: the site its link leads to ("bbc.co.uk" for the
    world and the UK feed alike), else the publisher's name, else the feed's."""
    site = site_of(_host(item.canonical_link or item.link or ""))
    if site and site not in _CARRIERS:
        return site
    return (item.publisher or item.feed or site).casefold()


def _host(link: str) -> str:
    try:
        return urlsplit(link).hostname or ""
    except ValueError:  # a link such as http://[broken/
        return ""


def site_of(host: str) -> str:
    """The registrable part of a host name, by rule of thumb: two labels, three under co.uk and its like; numbers stay whole."""
    labels = host.lower().strip(".").split(".")
    if len(labels) <= 2 or labels[-1].isdigit() or ":" in host:
        return host.lower()
    wanted = 3 if _TWO_PART.search(".".join(labels[-2:])) else 2
    return ".".join(labels[-wanted:])


def count_sources(members: Iterable[tuple[str, int | None]]) -> int:
    """Independent publishers among (publisher key, copy_of): who only repeats others' wire text does not count.

    At least 1 for a story with items.
    """
    told = list(members)
    own = {publisher for publisher, copy_of in told if copy_of is None}
    return max(len(own), 1 if told else 0)
