"""How well texts fit a query: words as the index sees them, and BM25. Pure.

The words are those of SQLite's tokenizer (unicode61 remove_diacritics 2, sqlite.org/fts5.html section 4.3.1), so that both kinds of
database find the same: runs of letters and digits, in small letters, Latin ones without accents.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

K1, B = 1.2, 0.75
"""The usual constants of BM25 (Robertson and Zaragoza 2009, section 3.3.2), as in FTS5."""
TITLE_WEIGHT = 3.0
LEAST_IDF = 1e-6
"""A word that most texts hold says next to nothing, but it never counts against one."""

_ACCENTS = frozenset("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u0309\u030a\u030b\u030c\u030f\u0311\u031b")
_ACCENTS |= frozenset("\u0323\u0324\u0325\u0326\u0327\u0328\u032d\u032e\u0330\u0331")
_WORD = re.compile("(?:[^\\W_]|[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd])+")


@dataclass(frozen=True, slots=True)
class Found:
    """An item that holds what was wanted, and how well it fits: the higher the better."""

    id: int
    score: float
    published_at: datetime


class _Folded(dict[int, str]):
    """What becomes of each character, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        base = unicodedata.normalize("NFD", char)
        if char in _ACCENTS:
            folded = ""  # an accent of its own goes, and does not part the word
        elif len(base) > 1 and base[0].isascii() and base[0].isalpha():
            folded = base[0].lower()
        else:
            folded = char.casefold() if len(char.casefold()) == 1 else char.lower()
            folded = folded if len(folded) == 1 else char
        self[code] = folded
        return folded


_FOLDED = _Folded()


def words_of(text: str) -> list[str]:
    """The words of a text in their order."""
    return _WORD.findall(text.lower() if text.isascii() else text.translate(_FOLDED))


def count_phrase(words: Sequence[str], phrase: Sequence[str], *, prefix: bool) -> int:
    """How often the phrase stands in the words; with `prefix` its last word may go on."""
    *before, last = phrase
    width = len(before)
    places = (at for at in range(width, len(words)) if (words[at].startswith(last) if prefix else words[at] == last))
    return sum(1 for at in places if list(words[at - width : at]) == before)


def idf(texts: int, holding: int) -> float:
    """How much a phrase says that `holding` of so many texts hold."""
    odds = (texts - holding + 0.5) / (holding + 0.5)
    return max(math.log(odds) if odds > 0 else 0.0, LEAST_IDF)


def bm25(counts: Sequence[float], idfs: Sequence[float], size: int, mean_size: float) -> float:
    """The score of a text of `size` words that holds each phrase so often."""
    norm = K1 * (1 - B + B * size / mean_size)
    return sum(weight * count * (K1 + 1) / (count + norm) for count, weight in zip(counts, idfs, strict=True))
