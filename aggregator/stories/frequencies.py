"""How many items hold a stem: a background table from an archive, and what the running window adds. Pure.

A stem's weight blends both: ln((N0 + n + 1) / (N0 * df_background / n_background + df_window + 0.5)), so that the first item
after an installation is already read with a year's experience, and a saga's words lose weight while the saga lasts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aggregator.stories.text import stem_words


@dataclass(frozen=True, slots=True)
class FrequencyTable:
    """Of `documents` items, `counts[stem]` hold the stem (an upper bound where several words share a stem)."""

    documents: int
    counts: Mapping[str, int]

    def share(self, stem: str) -> float:
        """Part of the items that hold the stem, 0 to 1."""
        return min(1.0, self.counts.get(stem, 0) / self.documents) if self.documents else 0.0


def make_table(lines: Iterable[str], language: str, *, at_least: int = 2) -> FrequencyTable:
    """Stem a table of words ("# documents TAB n" first, then word TAB number of items). Rarer stems than `at_least` are left out.

    Case-folded sources cannot tell US from us; the country takes the count of both, which is an upper bound too.
    Raises ValueError when the first line does not hold the number of documents.
    """
    rows = iter(lines)
    head = next(rows, "").rstrip("\n").split("\t")
    if len(head) != 2 or not head[0].startswith("#") or not head[1].isdigit():
        raise ValueError("a frequency table begins with a line “# documents TAB number”")
    counts: dict[str, int] = {}
    for row in rows:
        word, _, count = row.rstrip("\n").partition("\t")
        for stem in _spellings(word, language):
            counts[stem] = counts.get(stem, 0) + int(count)
    documents = int(head[1])
    return FrequencyTable(documents, {stem: min(n, documents) for stem, n in counts.items() if n >= at_least})


def _spellings(word: str, language: str) -> set[str]:
    # the words kept in capitals (US, UN …) stand in the source in small letters
    found = {stem for form in (word, word.upper()) for stem in stem_words(form, language)[1][:1] if stem}
    return {stem for stem in found if stem.islower() or not stem.isalpha() or stem == word.upper()}


def read_table(lines: Iterable[str]) -> FrequencyTable:
    """A table as `write_table` wrote it: stems, not words."""
    rows = iter(lines)
    documents = int(next(rows).split("\t")[1])
    return FrequencyTable(documents, {stem: int(count) for stem, _, count in (row.rstrip("\n").partition("\t") for row in rows)})


def write_table(table: FrequencyTable) -> str:
    """Most frequent first, then by stem: the same table gives the same text."""
    rows = sorted(table.counts.items(), key=lambda row: (-row[1], row[0]))
    return f"# documents\t{table.documents}\n" + "".join(f"{stem}\t{count}\n" for stem, count in rows)
