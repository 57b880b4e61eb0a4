"""Extracts two or three sentences that tell a story: from different publishers, none saying what another said. Pure.

    summaries | sentences | drop what is no news | rank by shared words | pick against repetition (MMR)  -> brief

Nothing is written anew and nothing is cut inside a sentence, except where a feed itself cut it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aggregator.stories.label import headline
from aggregator.stories.text import stem_words
from aggregator.stories.view import StoryView


@dataclass(frozen=True, slots=True)
class BriefParams:
    """Lengths are characters."""

    length: int = 400
    sentences: int = 3
    shortest: int = 40
    longest: int = 280
    repetition: float = 0.45
    """A sentence that shares this much (cosine of stems) with the headline or a chosen one is left out."""
    variety: float = 0.7
    """Weight of relevance against novelty in the choice (maximal marginal relevance, Carbonell and Goldstein 1998)."""


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    stems: frozenset[str]
    publisher: str
    place: int
    """Order of the item in the story x 100 + order in its summary."""
    first: bool


# a full stop ends a sentence when a capital, digit or quote follows and no title or initial stands before it
_END = re.compile(r"(?<=[.!?…。！？])[\"”’»)]*\s+(?=[\"“„‘«(]?[^\W\d_a-zà-öø-ÿ]|[\"“„‘«(]?\d)|(?<=[。！？])")
_NO_END = re.compile(
    r"(?:^|[\s(])(?:[A-Z]|Mr|Mrs|Ms|Dr|St|Gov|Sen|Rep|Gen|Lt|Col|Sgt|Prof|Rev|Jr|Sr|No|vs|Jan|Feb|Aug|Sept?|Oct|Nov|Dec|Inc|Co|Corp|Ltd"
    r"|U\.S|U\.K|U\.N|a\.m|p\.m|ul|im|św|prof|dr|r|tys|mln|mld|godz|np|tzw|z\.B|bzw|Mme|Sra)\.$"
)
_DULL = re.compile(
    r"\b(?:click|subscribe|sign up|newsletter|read more|cookies?|advertis\w+|copyright|all rights reserved|follow (?:us|live)"
    r"|photo(?:graph)? by|getty|shutterstock|watch (?:the|this) video|listen to|in this article|affiliate|czytaj|zapisz się|zobacz też)\b"
    r"|^(?:by|photo|image|video|updated?|published|file)\b[:\s]",
    re.IGNORECASE,
)
_CUT = re.compile(r"(?:…|\.\.\.|\[\W*\])\s*$")


def brief(view: StoryView, params: BriefParams | None = None) -> str:
    """At most `length` characters: for a lone item the first sentences of its summary, else the two or three that say most.

    Empty when no summary holds a sentence that says more than the headline.
    """
    params = params or BriefParams()
    title = headline(view)
    sentences = list(_sentences(view, params))
    known = frozenset(stem for stem in stem_words(title, _language(view))[1] if stem)
    sentences = [one for one in sentences if likeness(one.stems, known) < 0.75]
    if len(view.items) == 1:
        return _join(_leading(sentences, params))
    return _join(_telling(sentences, known, params))


def _language(view: StoryView) -> str:
    return Counter(words.language for words in view.words).most_common(1)[0][0] if view.words else ""


def split_sentences(text: str) -> list[str]:
    """The sentences of a text in any language that ends them with . ! ? … or 。"""
    parts: list[str] = []
    for piece in _END.split(text):
        if parts and _NO_END.search(parts[-1]):
            parts[-1] = f"{parts[-1]} {piece}"
        elif piece.strip():
            parts.append(piece.strip())
    return parts


def _sentences(view: StoryView, params: BriefParams) -> Iterable[_Sentence]:
    for number, (item, words) in enumerate(zip(view.items, view.words, strict=True)):
        found = split_sentences(words.summary)
        # text.py cuts a summary at 500 characters: its last sentence is whole only when it ends like one
        whole = [text for text in found if text[-1] in '.!?…。！？"”’»)' and not _CUT.search(text)]
        for place, text in enumerate(whole or ([text for text in found[:1] if len(view.items) == 1 and not _CUT.search(text)])):
            if params.shortest <= len(text) <= params.longest and not _DULL.search(text):
                stems = frozenset(stem for stem in stem_words(text, words.language)[1] if stem)
                if len(stems) >= 3 or not text.isascii():
                    yield _Sentence(text, stems, item.publisher or item.feed, 100 * number + place, place == 0)


def _leading(sentences: list[_Sentence], params: BriefParams) -> list[_Sentence]:
    kept: list[_Sentence] = []
    for one in sentences[: params.sentences]:
        if _length(kept) + len(one.text) > params.length:
            break
        kept.append(one)
    return kept


def _telling(sentences: list[_Sentence], title: frozenset[str], params: BriefParams) -> list[_Sentence]:
    """Maximal marginal relevance over the sentences, one a publisher; told in the order of the first item that leads."""
    held = Counter(stem for one in sentences for stem in one.stems)
    relevance = {one: _relevance(one, held, title) for one in sentences}
    chosen: list[_Sentence] = []
    left = sorted(sentences, key=lambda one: (-relevance[one], one.place))[:60]
    while left and len(chosen) < params.sentences:
        best = max(
            left, key=lambda one: (params.variety * relevance[one] - (1 - params.variety) * _repeats(one, chosen, title), -one.place)
        )
        left.remove(best)
        if _repeats(best, chosen, frozenset()) > params.repetition or _length(chosen) + len(best.text) > params.length:
            continue
        chosen.append(best)
        left = [one for one in left if one.publisher != best.publisher]
    # the most telling sentence leads, the rest follow in time
    return chosen[:1] + sorted(chosen[1:], key=lambda one: one.place)


def _relevance(one: _Sentence, held: Mapping[str, int], title: frozenset[str]) -> float:
    """Average spread of its words over the other sentences, with a bonus for a lead sentence and for words of the headline."""
    shared = sum(math.log(held[stem]) for stem in one.stems) / math.sqrt(len(one.stems) + 4)
    return shared / (1 + math.log(1 + len(held)) / 3) + 0.25 * one.first + 0.2 * likeness(one.stems, title)


def _repeats(one: _Sentence, chosen: list[_Sentence], title: frozenset[str]) -> float:
    return max([likeness(one.stems, other.stems) for other in chosen] + [likeness(one.stems, title) if title else 0.0])


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """Cosine of two sets of stems, 0 to 1."""
    return len(one & other) / math.sqrt(len(one) * len(other)) if one and other else 0.0


def _length(sentences: list[_Sentence]) -> int:
    return sum(len(one.text) + 1 for one in sentences)


def _join(sentences: list[_Sentence]) -> str:
    return " ".join(one.text for one in sentences)
