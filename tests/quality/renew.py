"""Pins the floors of tests/quality anew: `python -m tests.quality.renew [--gold] [--lower "reason"]`.

Measures, raises each floor to what is reached less its margin, and notes the corpus' fingerprint. A floor that would sink stays
where it is; to lower it takes `--lower` and the reason, which is kept beside the floor. `--gold` does the shared labelled days too.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tests.quality.corpus import FLOORS, GOLD, MARGINS, Corpus, group, read_floors, read_gold, read_own, read_warm
from tests.shared import shared_folder

Floors = dict[str, dict[str, Any]]
FIRST = "measured when it was first pinned"
RAISED = "raised to what the engine reaches"


class WouldSinkError(Exception):
    """Scores that fell below their floors; nothing is written then."""


def renewed(known: Mapping[str, Mapping[str, Any]], scores: Mapping[str, float], lower: str | None) -> Floors:
    """The floors after a measurement. Raises WouldSinkError where a score is below its floor and `lower` gives no reason.

    A floor rises when the measurement leaves more room than its margin; `lower` takes down only those that no longer hold.
    """
    out: Floors = {}
    sinking = []
    for name, margin in MARGINS.items():
        measured = scores[name]
        target = round(measured - min(margin, measured / 4), 3)
        old = known.get(name)
        if old is None:
            out[name] = {"floor": target, "measured": measured, "reason": FIRST}
        elif measured < old["floor"]:
            sinking.append(f"{name} is {measured:.4f}, its floor {old['floor']}")
            out[name] = {"floor": target, "measured": measured, "reason": f"lowered from {old['floor']}: {lower}"}
        else:
            rises = target > old["floor"]
            reason = RAISED if rises else old["reason"]
            out[name] = {"floor": max(target, old["floor"]), "measured": measured, "reason": reason}
    if sinking and not (lower or "").strip():
        raise WouldSinkError("; ".join(sinking) + '. Mend the engine, or lower the floor with --lower "the reason".')
    return out


def corpora(gold: bool) -> list[Corpus]:
    """The own set, and with `gold` the shared labelled days. Raises FileNotFoundError where those are not."""
    shared = [*(read_gold(name, shared_folder() / path) for name, path in GOLD.items()), read_warm(shared_folder())] if gold else []
    return [read_own(), *shared]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; 1 when a floor would sink, 2 when the shared data is asked for and absent."""
    parser = argparse.ArgumentParser(prog="python -m tests.quality.renew", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--gold", action="store_true", help="the floors of the shared labelled days, too")
    parser.add_argument("--lower", metavar="REASON", help="why floors that no longer hold may sink")
    options = parser.parse_args(arguments)
    floors = read_floors() if FLOORS.exists() else {}
    try:
        for corpus in corpora(options.gold):
            scores = group(corpus.rows).scores
            known = floors.get(corpus.name, {}).get("floors", {})
            floors[corpus.name] = {"fingerprint": corpus.fingerprint, "floors": renewed(known, scores, options.lower)}
            print(corpus.name, *(f"{name} {scores[name]:.4f} (floor {floors[corpus.name]['floors'][name]['floor']})" for name in MARGINS))
    except FileNotFoundError as error:
        print(f"{error.filename} is not there; set AGGREGATOR_SHARED to the folder of the shared data or leave out --gold", file=sys.stderr)
        return 2
    except WouldSinkError as error:
        print(f"{corpus.name}: {error}", file=sys.stderr)
        return 1
    FLOORS.write_text(json.dumps(floors, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
