"""What a person typed into the search, as terms: words, "phrases", -unwanted, prefix*. Pure; never refuses a text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from aggregator.text import strip_controls

_TERM = re.compile(r'(-?)(?:"([^"]*)"?|([^\s"]+))(\*?)')
MAX_TERMS = 32
"""More than anybody types; a pasted page would otherwise make one query of thousands of terms."""


@dataclass(frozen=True, slots=True)
class Term:
    """A word, or several that must stand together; with `prefix` the last one may go on."""

    text: str
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    wanted: tuple[Term, ...] = ()
    unwanted: tuple[Term, ...] = ()


def parse_query(text: str) -> Query:
    """Terms in the order typed. What holds no letter or digit is left out, so "–", "***" or ")(" are no terms."""
    wanted: list[Term] = []
    unwanted: list[Term] = []
    for minus, phrase, word, star in _TERM.findall(strip_controls(text)):
        bare = phrase or word.rstrip("*")
        if any(_is_searchable(char) for char in bare):
            term = Term(bare, prefix=bool(star) or word.endswith("*"))
            (unwanted if minus else wanted).append(term)
    return Query(tuple(wanted[:MAX_TERMS]), tuple(unwanted[:MAX_TERMS]))


def to_fts5(query: Query) -> str | None:
    """The query in the language of FTS5 (sqlite.org/fts5.html section 3); None when nothing is wanted.

    Every term is quoted, so that no character of it means anything to FTS5.
    """
    if not query.wanted:
        return None
    wanted = " AND ".join(map(_quoted, query.wanted))
    if not query.unwanted:
        return wanted
    return f"({wanted}) NOT ({' OR '.join(map(_quoted, query.unwanted))})"


def _quoted(term: Term) -> str:
    text = term.text.replace('"', '""')
    return f'"{text}"*' if term.prefix else f'"{text}"'


def _is_searchable(char: str) -> bool:
    # the characters that unicode61 makes words of: letters, numbers and private use
    category = unicodedata.category(char)
    return category[0] in "LN" or category == "Co"
