"""EDGE: the document frequencies that ship with the program, read from the package.

The tables hold counts only: of the English (297,958) and Polish (62,635) items that a few hundred public feeds published from
January to May 2023, how many had a stem in the title or in the first 500 characters of the summary.
"""

from __future__ import annotations

import gzip
from importlib.resources import files

from aggregator.stories.frequencies import FrequencyTable, read_table

LANGUAGES = ("en", "pl")


def load_tables() -> dict[str, FrequencyTable]:
    """Language code -> table. About 60 ms."""
    return {language: load_table(language) for language in LANGUAGES}


def load_table(language: str) -> FrequencyTable:
    """One shipped table. Raises FileNotFoundError for a language that has none."""
    packed = files(__package__).joinpath(f"{language}.tsv.gz").read_bytes()
    return read_table(gzip.decompress(packed).decode("utf-8").splitlines())
