"""The words by which people say which texts they mean, in settings, feeds.toml and searches. Pure. Contains no business logic.

border              the word, whatever its case
"Mexico City"       the words in this order (in a list of patterns the quotes are not needed)
/migrant|caravan/   a regular expression, case ignored
-sport              in a search: texts without it
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import lru_cache

Matcher = Callable[[str], bool]
_TERM = re.compile(r'(-?)(?:"([^"]+)"|(/(?:\\.|[^/\\])+/)(?=\s|$)|(\S+))')


def problem_of(pattern: str) -> str | None:
    """What is wrong with a word, phrase or /regular expression/, as the rest of a sentence; None when nothing is."""
    words = pattern.strip()
    if not words:
        return "is empty"
    if not _is_expression(words):
        return None
    try:
        re.compile(words[1:-1])
    except re.error as error:
        return f"is no regular expression ({error})"
    return None


@lru_cache(maxsize=1_000)
def any_of(patterns: Collection[str]) -> Matcher:
    """True for a text with any of the patterns. A broken expression is taken as plain words."""
    compiled = [_compile(pattern) for pattern in patterns if pattern.strip()]
    return lambda text: any(each.search(text) for each in compiled)


@lru_cache(maxsize=1_000)
def all_of(query: str) -> Matcher:
    """True for a text with every term of a search and none of its -terms; an empty search matches nothing."""
    terms = [(bool(minus), _compile(phrase or expression or word)) for minus, phrase, expression, word in _TERM.findall(query)]
    if not any(not minus for minus, _ in terms):
        return lambda text: False
    return lambda text: all(bool(each.search(text)) != minus for minus, each in terms)


def _is_expression(words: str) -> bool:
    return len(words) > 2 and words.startswith("/") and words.endswith("/")


def _compile(text: str) -> re.Pattern[str]:
    words = text.strip()
    if _is_expression(words):
        try:
            return re.compile(words[1:-1], re.IGNORECASE)
        except re.error:
            words = words[1:-1]
    return re.compile(rf"(?<!\w){re.escape(words)}(?!\w)", re.IGNORECASE)
