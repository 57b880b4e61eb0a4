"""Finds the words that name things: a story's headline and keywords, a topic's label. Pure; writes nothing of its own.

Everything shown is spelled as the items spell it. Works on any language: what it needs to know of one is which words are function
words, and an unknown language merely has none.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from aggregator.stories.text import ItemWords
from aggregator.stories.view import StoryView

Rarity = Callable[[str], float]
"""Stem -> how rare it is among all items, in nats (0 = in every item)."""

LABEL_PARTS = 3
_PREFIX = re.compile(
    r"^\s*(?:watch(?: live)?|live(?: updates)?|video|photos?|in pictures|podcast|listen|opinion|analysis|exclusive|breaking"
    r"|nagranie|wideo|zdjęcia|na żywo)\s*[:|–—-]",
    re.IGNORECASE,
)
_BAIT = re.compile(
    r"\?\s*$|^(?:\d+|here(?:['’]s| are| is)|this is|these|why|how|what|meet|the real reason|you)\b|\byou (?:need|won['’]t|should)\b"
    r"|\b(?:shocking|jaw-?dropping|insane|unbelievable|goes viral|szok\w*|nie uwierzysz)\b|!\s*$",
    re.IGNORECASE,
)
_QUOTES = re.compile(r"[\"“”„«»]")


# --- a story's headline ----------------------------------------------------------------------------------------------


def headline(view: StoryView) -> str:
    """The headline of the member that stands most in the middle of the story, among those that say plainly what happened.

    Never empty as long as a member has words. "WATCH:", questions, lists, capitals and very long or very short headlines cost some
    centrality: they win only where no other member is near.
    """
    titles = [words.title for words in view.words]
    if not any(titles):
        return next((item.title for item in view.items if item.title), "")
    total: Counter[str] = Counter()
    for words in view.words:
        total.update(dict.fromkeys(words.counts, 1))
    lengths = sorted(len(title) for title in titles if title)
    middle = lengths[len(lengths) // 2]
    scored = [
        (_centrality(words, total, len(titles)) * _plainness(words.title, middle), -place)
        for place, words in enumerate(view.words)
        if words.title
    ]
    return titles[-max(scored)[1]]


def _centrality(words: ItemWords, total: Mapping[str, int], members: int) -> float:
    """How much of the story's shared words the title holds, for its length (0-1); a single member is its own centre."""
    stems = {stem for stem in words.title_stems if stem}
    if members == 1 or not stems:
        return 1.0 if members == 1 else 0.01
    shared = math.sqrt(sum((n - 1) ** 2 for n in total.values())) or 1.0
    return 0.01 + sum(total[stem] - 1 for stem in stems) / (shared * math.sqrt(len(stems)))


def _plainness(title: str, middle: int) -> float:
    """A factor up to 1: less for come-ons, prefixes, capitals, quotations without a frame, and lengths far off the usual."""
    factor = 1.0
    letters = [char for char in title if char.isalpha()]
    if letters and sum(char.isupper() for char in letters) > 0.6 * len(letters):
        factor *= 0.5
    if _PREFIX.search(title):
        factor *= 0.7
    if _BAIT.search(title):
        factor *= 0.75
    if len(_QUOTES.findall(title)) > 2 or title[:1] in "\"“„‘'":
        factor *= 0.9
    if len(title) < 25 or len(title.split()) < 4:
        factor *= 0.8
    if len(title) > 110:
        factor *= 0.7
    elif len(title) > 1.3 * middle:
        factor *= 0.9
    return factor


# --- a story's keywords ----------------------------------------------------------------------------------------------


def keywords(view: StoryView, rarity: Rarity | None = None, most: int = 7) -> tuple[str, ...]:
    """Five to eight words or names of the story in the spelling of its items, most telling first (class-based TF-IDF).

    A word counts once for each member that holds it, more in a title; `rarity` weighs it. Without one, capitalised words count more.
    """
    weights: dict[str, float] = {}
    for words in view.words:
        for stem, count in words.counts.items():
            weights[stem] = weights.get(stem, 0) + 1 + 0.5 * (count > 1)
        for pair in _name_pairs(words):
            weights[pair] = weights.get(pair, 0) + 1.6
    forms = surface_forms(weights, view.words)
    _prefer_names(weights)
    least = 2 if len(view.words) > 3 else 1
    scored = {unit: _telling(n, unit, forms.get(unit, unit), rarity) for unit, n in weights.items() if n >= least and not unit.isdigit()}
    return tuple(forms.get(unit, unit) for unit in _without_repeats(sorted(scored, key=lambda unit: (-scored[unit], unit)), most))


def _prefer_names(weights: dict[str, float]) -> None:
    """A pair that is nearly as common as its rarer part is the name that people use: it takes the stronger part's weight."""
    for pair in [unit for unit in weights if " " in unit]:
        parts = [weights.get(part, 0.0) for part in pair.split(" ")]
        if weights[pair] >= 0.8 * min(parts):
            weights[pair] = max(weights[pair], 1.01 * max(parts))


def _telling(count: float, unit: str, form: str, rarity: Rarity | None) -> float:
    rare = sum(map(rarity, unit.split(" "))) / (1 + unit.count(" ")) if rarity else 1.0
    return math.log1p(count) * rare * (1.25 if form[:1].isupper() else 1.0) * (0.5 if len(unit) < 3 and not form.isupper() else 1.0)


def _name_pairs(words: ItemWords) -> set[str]:
    found = set()
    for spelled, stems in ((words.title_words, words.title_stems), (words.summary_words, words.summary_stems)):
        for i in range(len(spelled) - 1):
            if stems[i] and stems[i + 1] and spelled[i][0].isupper() and spelled[i + 1][0].isupper():
                found.add(f"{stems[i]} {stems[i + 1]}")
    return found


def _without_repeats(units: Iterable[str], most: int) -> list[str]:
    """The first `most` units that share no stem with one before them."""
    kept: list[str] = []
    seen: set[str] = set()
    for unit in units:
        parts = set(unit.split(" "))
        if not parts & seen:
            kept.append(unit)
            seen |= parts
        if len(kept) == most:
            break
    return kept


# --- spelling --------------------------------------------------------------------------------------------------------


def surface_forms(units: Iterable[str], texts: Sequence[ItemWords]) -> dict[str, str]:
    """Unit -> its commonest spelling in the texts; summaries decide about capitals, for titles are often in title case."""
    wanted = set(units)
    counts: dict[str, Counter[str]] = {}
    for text in texts:
        for spelled, stems, weight in ((text.title_words, text.title_stems, 1), (text.summary_words, text.summary_stems, 3)):
            for i, stem in enumerate(stems):
                if stem in wanted:
                    counts.setdefault(stem, Counter())[spelled[i]] += weight
                if i and stem and stems[i - 1] and (pair := f"{stems[i - 1]} {stem}") in wanted:
                    counts.setdefault(pair, Counter())[f"{spelled[i - 1]} {spelled[i]}"] += weight
    return {unit: min(found.items(), key=lambda form: (-form[1], form[0].isupper(), form[0]))[0] for unit, found in counts.items()}


# --- a topic's label -------------------------------------------------------------------------------------------------


def topic_label(profile: Mapping[str, float], forms: Mapping[str, str], most: int = 7) -> tuple[str, tuple[str, ...]]:
    """A short name ("Migrants, border, Mexico") and keywords for a profile (unit -> weight 0-1), in the forms given.

    A name of two words stands for its parts when it weighs about as much as the stronger of them ("Supreme Court", "Donald Trump");
    units without a form and bare numbers are passed over.
    """
    strongest = sorted(profile, key=lambda unit: (-_name_weight(unit, profile), unit))
    usable = [
        unit for unit in strongest if unit in forms and not unit.replace(" ", "").isdigit() and (len(unit) > 2 or forms[unit].isupper())
    ]
    words = tuple(forms[unit] for unit in _without_repeats(usable, most))
    label = ", ".join(words[:LABEL_PARTS])
    return label[:1].upper() + label[1:], words


def _name_weight(unit: str, profile: Mapping[str, float]) -> float:
    if " " not in unit:
        return profile[unit]
    strongest = max((profile.get(part, 0.0) for part in unit.split(" ")), default=0.0)
    # a bigram cannot be commoner than its parts: near enough to them it is the name that people use
    return profile[unit] * (1.8 if profile[unit] >= 0.55 * strongest else 1.0)
