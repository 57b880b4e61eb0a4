"""How well and how fast stories are grouped, beside other programs' rules, on the shared labelled days.

    labels | each rule | B-cubed and pairwise F1          stream | one engine for each size of the window | times, memory

Run it as `python bench/stories.py`; bench/README.md says how to read it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import peers
from rich.console import Console
from rich.table import Table
from speed import bare_engine, prepare, slim_items

from aggregator.archive import to_item
from aggregator.stories.evaluate import Evaluation, evaluate
from aggregator.stories.scores import bcubed, pairwise

HERE = Path(__file__).resolve().parent
GOLD, STREAM = "data/gold-2023-12-26.jsonl.gz", "data/stream-2023-12.jsonl.gz"
DOCUMENTED = {"nothing grouped": ".825 / 0", "JARR's rule": ".832 / .041", "NewsBlur's rule": ".875 / .471", "MiniLM": ".913 / .798"}
SIZES = (3_000, 30_000, 100_000, 300_000)
READ_AT = datetime(2024, 1, 1, tzinfo=UTC)
Rows = list[dict[str, Any]]


def read_rows(path: Path) -> Rows:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def grade(rows: Rows, groups: Sequence[int]) -> tuple[float, float]:
    """B-cubed and pairwise F1 of one group number a row."""
    gold = [row["story"] or f"alone {place}" for place, row in enumerate(rows)]
    return bcubed(gold, groups)[2], pairwise(gold, groups)[2]


def ours(stream: Rows, gold: Rows) -> Evaluation:
    """The program's own engine over the stream up to the last label, without descriptions and topics."""
    return evaluate(
        stream,
        gold,
        make_item=lambda row: to_item(row, READ_AT),
        make_engine=lambda history: bare_engine(),
        timer=time.perf_counter,
    )


def best_minilm(gold: Rows) -> tuple[float, float] | str:
    """The scores at the cut that suits these labels best (which flatters it), or what is lacking."""
    try:
        found = peers.minilm(gold)
    except ImportError:
        return "not installed: `pip install sentence-transformers` adds this row"
    except OSError as error:
        return f"the model {peers.MINILM} cannot be loaded: {str(error).splitlines()[0]}"
    return max(grade(gold, groups) for groups in found.values())


def quality_table(gold: Rows, cold: Evaluation, warm: Evaluation) -> Table:
    table = Table(title=f"Stories of {len(gold)} labelled items", title_justify="left")
    for name in ("method", "B-cubed F1", "pairwise F1", "documented"):
        table.add_column(name, justify="left" if name == "method" else "right")
    rules = {"nothing grouped": peers.alone, "JARR's rule": peers.jarr, "NewsBlur's rule": peers.newsblur}
    scores: dict[str, tuple[float, float] | str] = {name: grade(gold, rule(gold)) for name, rule in rules.items()}
    scores["MiniLM"] = best_minilm(gold)
    for name, result in (("ours, cold: the labelled items alone", cold), ("ours, warm: the stream before them too", warm)):
        scores[name] = result.scores["bcubed_f1"], result.scores["pairwise_f1"]
    for name, found in scores.items():
        cells = (found, "") if isinstance(found, str) else tuple(f"{score:.3f}" for score in found)
        table.add_row(name, *cells, DOCUMENTED.get(name, ""))
    return table


def measure(stream: Rows, sizes: Sequence[int], warm: Evaluation) -> Rows:
    """One process a size, one after the other."""
    out = []
    items, stories = slim_items(stream), {number: row.story for number, row in enumerate(warm.assigned, 1)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "items")
        for size in sizes:
            prepare(items, stories, size, path)
            done = subprocess.run([sys.executable, str(HERE / "speed.py"), str(path)], capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"the measurement with {size:,} active items failed: {done.stderr.strip()[-2000:]}")
            out.append(json.loads(done.stdout))
    return out


def speed_table(measured: Rows) -> Table:
    table = Table(title="Speed and memory by the number of active items", title_justify="left")
    names = ("active", "texts/s", "vectors/s", "assign+repair/s", "time an item", "√window", "restart s", "engine MB", "peak MB")
    for name in names:
        table.add_column(name, justify="right")
    first = measured[0]
    for row in measured:
        table.add_row(
            f"{row['size']:,}{' *' if row['repeated'] else ''}",
            f"{1e6 / row['read_microseconds']:,.0f}",
            f"{1e6 / row['weigh_microseconds']:,.0f}",
            f"{1e6 / row['assign_microseconds']:,.0f}",
            f"x {row['assign_microseconds'] / first['assign_microseconds']:.2f}",
            f"x {math.sqrt(row['size'] / first['size']):.2f}",
            f"{row['restore_seconds']:.1f}",
            f"{(row['peak_bytes'] - row['items_bytes']) / 1e6:,.0f}",
            f"{row['peak_bytes'] / 1e6:,.0f}",
        )
    return table


NOTES = """texts/s: raw title and summary to words. vectors/s: words to weighted rows. assign+repair/s: the rest, once there are vectors.
time an item: of assign+repair, against the first row; it must grow less than √window. restart: all active items given back to a
new engine, text included. engine: what restoring and adding took beyond the items themselves; peak: the whole process, items included.
* more than the stream holds: repeated, with the words of fewer than one item in a hundred replaced in each repetition."""


def sizes_of(text: str) -> tuple[int, ...]:
    sizes = tuple(int(part) for part in text.split(",") if part.strip())
    if not sizes or min(sizes) < 1:
        raise argparse.ArgumentTypeError("give numbers of active items like 3000,30000")
    return sizes


def show(console: Console, table: Table) -> None:
    """A boxed table on a terminal, else tab-separated lines."""
    if console.is_terminal:
        console.print(table)
        return
    print(table.title)
    cells = [list(column.cells) for column in table.columns]
    for line in ([column.header for column in table.columns], *zip(*cells, strict=True)):
        print("\t".join(map(str, line)))
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    default = Path(os.environ.get("AGGREGATOR_SHARED", HERE.parent.parent / "shared"))
    parser.add_argument("--shared", type=Path, default=default, help="the folder of the shared data (AGGREGATOR_SHARED)")
    parser.add_argument("--sizes", type=sizes_of, default=SIZES, help="numbers of active items, 3000,30000 for a short run")
    parser.add_argument("--no-speed", action="store_true", help="the scores alone")
    options = parser.parse_args()
    lacking = [name for name in (GOLD, STREAM) if not (options.shared / name).exists()]
    if lacking:
        sys.exit(f"{options.shared} lacks {' and '.join(lacking)}; give the folder of the shared data with --shared")
    console = Console()
    gold, stream = read_rows(options.shared / GOLD), read_rows(options.shared / STREAM)
    cold, warm = ours(gold, gold), ours(stream, gold)
    show(console, quality_table(gold, cold, warm))
    if not options.no_speed:
        show(console, speed_table(measure(stream, options.sizes, warm)))
        print(NOTES)


if __name__ == "__main__":
    main()
