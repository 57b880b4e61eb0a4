"""How long a digest takes to read. Pure.

Silent reading runs at 238 words a minute (Brysbaert, Journal of Memory and Language 109, 2019, for English); scripts without
spaces are counted by characters, five to two words (same source: 260 Chinese words of about 1.5 characters a minute, and
punctuation). A line of facts and links is looked at, not read.
"""

from __future__ import annotations

import re

WORDS_PER_SECOND = 238 / 60
GLANCE_SECONDS = 2.0
"""For the facts, the bar and the links of a story."""
_WORD = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]|\w+")


def reading_seconds(*texts: str, glances: int = 0) -> float:
    """Seconds that the texts take, and so many glances."""
    words = 0.0
    for text in texts:
        for word in _WORD.findall(text):
            words += 0.4 if word[0] >= "\u2e80" else 1
    return words / WORDS_PER_SECOND + glances * GLANCE_SECONDS


def spell_minutes(seconds: float) -> str:
    """ "4 min", never less than one."""
    return f"{max(1, round(seconds / 60))} min"
