"""What the reader wants less or more of, and which part of the news is asked for. Pure data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Search:
    """A saved search: a section of the digest under its name. `query` as patterns.all_of reads it."""

    name: str
    query: str


@dataclass(frozen=True)
class Interests:
    """Ids of topics, stories and items that carry a mark, and words, phrases or /regular expressions/ (patterns.any_of)."""

    muted_topics: frozenset[int] = frozenset()
    followed_topics: frozenset[int] = frozenset()
    muted_stories: frozenset[int] = frozenset()
    followed_stories: frozenset[int] = frozenset()
    starred_items: frozenset[int] = frozenset()
    muted_words: tuple[str, ...] = ()
    boosted_words: tuple[str, ...] = ()
    searches: tuple[Search, ...] = ()


@dataclass(frozen=True)
class Filters:
    """Which part of the news is asked for.

    `limit` stories (0 = all) that take at most `minutes` to read (0 = any time); one topic; the feeds with a tag, or with one of several
    `tags`; what is in one
    of the `languages` (codes such as "en"); what a search matches; the starred alone. A story belongs when one of its items of
    the period does. Items are of the period when they were published in it, or `by` "arrived".
    """

    limit: int = 30
    topic: int | None = None
    tag: str | None = None
    by: str = "published"
    minutes: float = 0
    languages: tuple[str, ...] = ()
    match: str = ""
    starred: bool = False
    tags: tuple[str, ...] = ()


def to_search(text: str) -> Search:
    """ "Border: migrants border" -> Search("Border", "migrants border"); without a name the query is its own."""
    name, colon, query = text.partition(": ")
    return Search(name.strip(), query.strip()) if colon and name.strip() and query.strip() else Search(text.strip(), text.strip())
