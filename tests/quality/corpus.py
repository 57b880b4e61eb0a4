"""The labelled corpora that the engine is held to: read, fingerprinted, grouped by the whole engine, scored.

    files of a corpus | one stream, by time | make_engine | memberships | scores, floors.json

`own` stands beside this module and always runs: items written by hand, one file a theme. The `gold` corpora are the shared
labelled days, grouped without warm-up; a test of theirs skips where the data is absent.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from aggregator.app import make_engine
from aggregator.archive import to_item
from aggregator.model import JsonObject
from aggregator.settings import Settings
from aggregator.stories.evaluate import Evaluation, evaluate
from aggregator.stories.scores import pairwise

FOLDER = Path(__file__).resolve().parent
FLOORS = FOLDER / "floors.json"
OWN = "own"
GOLD = {"gold-2023-12-26": "data/gold-2023-12-26.jsonl.gz", "gold-pl-2023-12-27": "data/gold-pl-2023-12-27.jsonl.gz"}
WARM = "gold-2023-12-26-warm"
STREAM, WARM_GOLD = "data/stream-2023-12.jsonl.gz", "gold-2023-12-26"
MARGINS = {"bcubed_f1": 0.01, "pairwise_f1": 0.03, "related_f1": 0.05}
"""How far below what was measured a floor is set. A pair or a topic more or less in four hundred items is worth more than noise
in a thousand, hence the wider ones."""
READ_AT = datetime(2024, 6, 1, tzinfo=UTC)
"""The clock by which archives are read: later than every item."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """`lines` as they stand in the files, by theme."""

    name: str
    lines: Mapping[str, tuple[str, ...]]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the sorted lines: moving a line between files or places changes nothing, editing one does."""
        every = sorted(line for lines in self.lines.values() for line in lines)
        return hashlib.sha256("\n".join(every).encode()).hexdigest()

    @property
    def themes(self) -> dict[str, list[JsonObject]]:
        return {theme: [json.loads(line) for line in lines] for theme, lines in self.lines.items()}

    @property
    def rows(self) -> list[JsonObject]:
        return [row for rows in self.themes.values() for row in rows]


def read_own() -> Corpus:
    """Our own labelled set, a theme for each file."""
    return Corpus(OWN, {path.stem: _lines(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.jsonl"))})


def read_gold(name: str, path: Path) -> Corpus:
    """A labelled day of the shared data, one theme."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return Corpus(name, {name: _lines(file.read())})


def read_warm(folder: Path) -> Corpus:
    """The labelled English day among the whole stream around it, as a daemon would have met it."""
    streams = (read_gold(WARM, folder / path) for path in (STREAM, GOLD[WARM_GOLD]))
    return Corpus(WARM, {WARM: tuple(line for stream in streams for line in stream.lines[WARM])})


def _lines(text: str) -> tuple[str, ...]:
    # not splitlines: a text may hold the separators of Unicode
    return tuple(line for line in text.split("\n") if line.strip())


def group(rows: Sequence[JsonObject]) -> Evaluation:
    """All rows through the engine that the program itself builds, as one stream that begins with nothing known."""
    return evaluate(
        rows,
        [row for row in rows if "story" in row],
        make_item=lambda row: to_item(row, READ_AT),
        make_engine=lambda history: make_engine(Settings(), history),
        timer=lambda: 0.0,
    )


@cache
def grouped_own() -> Evaluation:
    """The own set grouped once for all tests that only look."""
    return group(read_own().rows)


def shuffled(rows: Sequence[JsonObject], minutes: int, seed: int) -> list[JsonObject]:
    """The rows with their times exchanged among those of the same so many minutes."""
    chance = random.Random(seed)
    buckets: dict[int, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        buckets[int(datetime.fromisoformat(row["published"]).timestamp()) // (60 * minutes)].append(place)
    out = [dict(row) for row in rows]
    for places in buckets.values():
        times = [rows[place]["published"] for place in places]
        chance.shuffle(times)
        for place, time in zip(places, times, strict=True):
            out[place]["published"] = time
    return out


def theme_scores(corpus: Corpus, result: Evaluation) -> dict[str, float]:
    """Pairwise F1 among the items of each theme; 1 for a theme where nothing belongs together and nothing was put together."""
    found = {row.link: row.story for row in result.assigned}
    scores = {}
    for theme, rows in corpus.themes.items():
        gold = [row["story"] or row["link"] for row in rows]
        assigned = [found[row["link"]] for row in rows]
        scores[theme] = 1.0 if len(set(gold)) == len(set(assigned)) == len(rows) else pairwise(gold, assigned)[2]
    return scores


def mistakes(corpus: Corpus, result: Evaluation) -> list[str]:
    """For a person: each found story that holds two events, each event that lies in several stories."""
    rows = {row["link"]: row for row in corpus.rows}
    by_story: dict[int, list[JsonObject]] = defaultdict(list)
    by_label: dict[str, set[int]] = defaultdict(set)
    for assigned in result.assigned:
        row = rows[assigned.link]
        by_story[assigned.story].append(row)
        if row["story"]:
            by_label[row["story"]].add(assigned.story)
    mixed = [members for members in by_story.values() if len({_event(row) for row in members}) > 1]
    wrong = ["together: " + " + ".join(f"{row['story'] or 'alone'} “{row['title']}”" for row in members) for members in mixed]
    return wrong + [f"apart: {label} lies in {len(stories)} stories" for label, stories in by_label.items() if len(stories) > 1]


def _event(row: JsonObject) -> str:
    return str(row["story"] or row["link"])


def languages_together(corpus: Corpus, result: Evaluation) -> list[list[str]]:
    """Titles of each found story whose items are declared in more than one language."""
    rows = {row["link"]: row for row in corpus.rows}
    members: dict[int, list[JsonObject]] = defaultdict(list)
    for assigned in result.assigned:
        members[assigned.story].append(rows[assigned.link])
    return [[row["title"] for row in each] for each in members.values() if len(_languages(each)) > 1]


def _languages(rows: Iterable[JsonObject]) -> set[str]:
    return {str(row["language"]).split("-")[0] for row in rows}


def read_floors() -> dict[str, Any]:
    """{corpus: {"fingerprint", "floors": {score: {"floor", "measured", "reason"}}}}"""
    floors: dict[str, Any] = json.loads(FLOORS.read_text(encoding="utf-8"))
    return floors
