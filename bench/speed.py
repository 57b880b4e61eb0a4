"""Times one engine with so many active items and prints JSON; `bench/stories.py` starts it once a size, so that memory is its own.

stream | items, newest last | restore the active ones | add 2,000 more, 250 at a time | seconds, bytes

With --cpu the seconds are the process' own (user and system), for a machine that others use, too.
"""

from __future__ import annotations

import json
import pickle
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from aggregator.app import make_engine
from aggregator.archive import to_item
from aggregator.model import Item, Membership
from aggregator.settings import Settings
from aggregator.stories.engine import StoryEngine
from aggregator.stories.shelf import Shelf
from aggregator.stories.state import to_entry
from aggregator.stories.text import read_item

ADDED, CHUNK = 2000, 250
END = datetime(2024, 1, 1, tzinfo=UTC)
COMMON = 0.01
"""Words of at least this part of the items are kept in a repeated stream; the others become words of that repetition. Keeping rarer
ones would make an item and its repetitions one story, which no larger window does."""
_WORD = re.compile(r"[^\W\d_]+")


def bare_engine(settings: Settings | None = None) -> StoryEngine:
    """The engine as the program builds it, without descriptions and topics."""
    made = make_engine(settings or Settings(), lambda from_at, to_at: ())
    return StoryEngine(made.params, made.tables)


def slim_items(rows: list[dict[str, Any]]) -> list[Item]:
    """An archive's items by time, numbered by line, without their HTML (the engine reads none)."""
    items = [replace(to_item(row, END), id=number, summary_html="", content_html="") for number, row in enumerate(rows, 1)]
    return sorted(items, key=lambda item: (item.published_at, item.link or ""))


def active_items(stream: list[Item], size: int, step: int) -> list[Item]:
    """So many items as the stream's last ones, and before them repetitions with other rare words, their ids a `step` apart."""
    out = list(stream)
    seen = Counter(word for item in stream for word in {*_WORD.findall(item.title), *_WORD.findall(item.summary)})
    turn = 0
    while len(out) < size:
        turn += 1
        out = [_repeated(item, turn, turn * step, seen, len(stream)) for item in stream] + out
    return out[len(out) - size :]


def _repeated(item: Item, turn: int, offset: int, seen: Counter[str], length: int) -> Item:
    least = COMMON * length
    mark = chr(ord("a") + turn % 26) * 2

    def shifted(text: str) -> str:
        return _WORD.sub(lambda found: found[0] if seen[found[0]] >= least else found[0] + mark, text)

    return replace(item, id=item.id + offset, title=shifted(item.title), summary=shifted(item.summary))


def spread(items: list[Item], from_at: datetime, to_at: datetime) -> list[Item]:
    """The same items, published evenly between two moments."""
    step = (to_at - from_at) / len(items)
    return [replace(item, published_at=from_at + place * step) for place, item in enumerate(items)]


def prepare(stream: list[Item], stories: dict[int, int], size: int, path: Path) -> None:
    """Write so many active members, newest last, spread over the window, and the items that come in its last two hours."""
    window = timedelta(seconds=Settings().stories.window)
    added, known = stream[-ADDED:], stream[:-ADDED]
    newest = END - timedelta(hours=2)
    kept = spread(active_items(known, size, len(stream)), newest - window + timedelta(hours=4), newest)
    last = max(stories.values(), default=0) + 1
    members = [(item, Membership(item.id, _story(item.id, stories, len(stream), last), 0.0, 0.0, "join")) for item in kept]
    coming = [replace(item, id=10**9 + place) for place, item in enumerate(spread(added, newest, END))]
    with path.open("wb") as file:
        pickle.dump((members, coming, size > len(known)), file)


def run(path: Path, clock: Callable[[], float] = time.perf_counter) -> dict[str, Any]:
    """Seconds to restore, median microseconds an item to read, weigh and assign, and this process' size with the items and at most."""
    with path.open("rb") as file:
        members, coming, repeated = pickle.load(file)
    engine = bare_engine()
    before = _peak()
    restoring = clock()
    engine.restore(members, [], [], 1 + max(member.story_id for _, member in members), 1)
    restored = clock() - restoring
    reading, weighing, adding = [], [], []
    other = Shelf(engine.tables.get("en"), engine.params.likeness)
    for start in range(0, len(coming), CHUNK):
        part = coming[start : start + CHUNK]
        began = clock()
        for item in part:
            read_item(item)
        read = clock()
        entries = [to_entry(item) for item in part]
        made = clock()
        for first in range(0, len(part), engine.params.batch):
            batch = entries[first : first + engine.params.batch]
            other.add(batch, [0] * len(batch))
        between = clock()
        engine.add(part)
        reading.append((read - began) / len(part))
        weighing.append((between - made) / len(part))
        adding.append((clock() - between) / len(part) - reading[-1] - weighing[-1])
    return {
        "size": len(members),
        "repeated": repeated,
        "restore_seconds": restored,
        "read_microseconds": 1e6 * median(reading),
        "weigh_microseconds": 1e6 * median(weighing),
        "assign_microseconds": 1e6 * median(adding),
        "items_bytes": before,
        "peak_bytes": _peak(),
    }


def _story(number: int, stories: dict[int, int], length: int, last: int) -> int:
    """The story of an item's original, apart for each repetition; an item that was not grouped has one of its own."""
    turn, original = divmod(number - 1, length)
    story = stories.get(original + 1, last + original)
    return story + turn * (last + length)


def _peak() -> int:
    """The largest resident size so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss of a started process begins with that of the process which started it (Linux)
        return 1024 * next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), time.process_time if "--cpu" in sys.argv else time.perf_counter)))
