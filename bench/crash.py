"""Kills the program at random moments of everything it does, and compares the store with that of a run that nothing interrupted.

    feeds with a moving clock | fetch | organise | digest by mail | prune      each killed -9 again and again, then let finish
    an old database | upgrade                                                  likewise

Run it as `python bench/crash.py [--kills 120] [--shared DIR]`; bench/README.md says how to read it. The children are forked from a
process that has imported everything, so that kills hit the work and not the start of Python.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from replayed import feeds_of, free_port, process, replay, set_clock

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

ADDRESSES = ("ann@a.example", "bob@b.example")
HOUR = timedelta(hours=1)


# --- the program under test -------------------------------------------------------------------------------------------


@dataclass
class Program:
    """One installation: a folder with settings, feed list, database and a log of everything it said."""

    folder: Path
    mail_port: int
    killed: dict[str, int] = field(default_factory=dict)
    """Kills by the step that they hit."""
    finished_first: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        return sum(self.killed.values())

    @property
    def database(self) -> Path:
        return self.folder / "aggregator.db"

    def set_up(self, feeds: Sequence[tuple[str, str]]) -> None:
        self.folder.mkdir()
        mail = f'[mail]\nhost = "127.0.0.1"\nport = {self.mail_port}\nsecurity = "none"\nsender = "news@home.example"\n'
        named = "".join(
            f'[digests.{name}]\ntime = "{at}"\nlimit = 0\ntargets = ["folder", "mail"]\nto = {list(ADDRESSES)}\nfolder = "{name}"\n'
            for name, at in (("morning", "07:00"), ("evening", "19:00"))
        )
        (self.folder / "aggregator.toml").write_text(
            f'database = "aggregator.db"\nzone = "UTC"\n[fetch]\nallow_private = true\n[digest]\nenabled = false\n{named}{mail}'
        )
        (self.folder / "feeds.toml").write_text("".join(f'[[feed]]\nname = "{name}"\nurl = "{url}"\n\n' for name, url in feeds))

    def start(self, at: datetime, *arguments: str) -> int:
        """Fork a child that runs the command; returns its process id."""
        from aggregator.cli.main import main

        child = os.fork()
        if child:
            return child
        try:
            with (self.folder / "log").open("a") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            print(f"--- {at.isoformat()} {' '.join(arguments)}", flush=True)
            config = ["--config", str(self.folder / "aggregator.toml"), "--now", at.isoformat()]
            main([*config, *arguments])
            os._exit(0)
        except SystemExit as leaving:
            sys.stdout.flush()
            os._exit(leaving.code if isinstance(leaving.code, int) else 1)
        finally:
            os._exit(70)

    def finish(self, at: datetime, *arguments: str) -> float:
        """Run the command to its end. Returns the seconds it took."""
        begun = time.monotonic()
        _, status = os.waitpid(self.start(at, *arguments), 0)
        if status:
            self.failures.append(f"{at.isoformat()} {' '.join(arguments)}: exit status {os.waitstatus_to_exitcode(status)}")
        return time.monotonic() - begun

    def kill(self, step: str, at: datetime, after_seconds: float, *arguments: str) -> None:
        """Run the command and kill it after so long, unless it has finished before."""
        child = self.start(at, *arguments)
        time.sleep(after_seconds)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            self.killed[step] = self.killed.get(step, 0) + 1
        else:
            self.finished_first += 1
            if status:
                self.failures.append(f"{at.isoformat()} {' '.join(arguments)}: exit status {os.waitstatus_to_exitcode(status)}")


# --- the world around it ------------------------------------------------------------------------------------------------


@contextmanager
def mail_server(folder: Path) -> Iterator[int]:
    """Keeps each mail it accepts as a file in the folder."""
    folder.mkdir()
    port = free_port()
    with process("-m", "tests.smtp_sink", str(port), str(folder)):
        yield port


# --- the two runs -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """A command of the schedule; `again` is what is repeated while it is being killed, and once more to finish it."""

    name: str
    arguments: tuple[str, ...]
    again: tuple[str, ...]


def steps_at(at: datetime, number: int, prune_every: int) -> list[Step]:
    # a claimed feed is not polled again for an hour: after a kill its poll is asked for, as conditional as any
    fetch = Step("fetch", ("fetch", "--no-organise"), ("fetch", "--no-organise", "--force"))
    found = [fetch, Step("organise", ("fetch",), ("fetch",)), Step("digest", ("run", "--once"), ("run", "--once"))]
    if number % prune_every == prune_every - 1:
        prune = ("db", "prune", "--before", (at - 30 * HOUR).isoformat(), "--yes")
        found.append(Step("prune", prune, prune))
    return found


def undisturbed(program: Program, base: str, times: Sequence[datetime], prune_every: int) -> dict[str, float]:
    """The run to compare with. Returns the longest time of each step in seconds, the first round aside."""
    took: dict[str, float] = {}
    for number, at in enumerate(times):
        set_clock(base, at)
        for step in steps_at(at, number, prune_every):
            seconds = program.finish(at, *step.arguments)
            took[step.name] = max(took.get(step.name, 0.0), seconds) if number else 0.0
    return took


def disturbed(
    program: Program, base: str, times: Sequence[datetime], prune_every: int, took: dict[str, float], kills: int, draw: random.Random
) -> None:
    """The same, but each step is killed some times before it may finish."""
    total = sum(len(steps_at(at, number, prune_every)) for number, at in enumerate(times))
    done = 0
    for number, at in enumerate(times):
        set_clock(base, at)
        for step in steps_at(at, number, prune_every):
            done += 1
            arguments = step.arguments
            tries = 0
            while program.kills < kills * done / total and tries < 12:
                tries += 1
                program.kill(step.name, at, draw.uniform(0, took[step.name]), *arguments)
                arguments = step.again
            program.finish(at, *arguments)


# --- what must be equal ---------------------------------------------------------------------------------------------------


def contents(path: Path) -> dict[str, Any]:
    """The store by what it means: ids and arrival times differ between any two runs."""
    with closing(sqlite3.connect(path)) as raw:

        def rows(query: str) -> list[Any]:
            return raw.execute(query).fetchall()

        stories: dict[int, set[str]] = {}
        for story, key in rows("SELECT story_id, key FROM memberships JOIN items ON items.id = item_id"):
            stories.setdefault(story, set()).add(key)
        digests: dict[str, list[set[str]]] = {}
        for name, after, up_to in rows("SELECT name, after_item, up_to_item FROM digests ORDER BY id"):
            query = f"SELECT key FROM items WHERE id > {after or 0} AND id <= {up_to}"
            digests.setdefault(name, []).append({key for (key,) in rows(query)})
        columns = "feeds.name, key, items.title, summary, published_at, content_hash, canonical_link"
        return {
            "items": set(rows(f"SELECT {columns} FROM items JOIN feeds ON feeds.id = feed_id")),
            "appearances": set(rows("SELECT feeds.name, key FROM appearances JOIN feeds ON feeds.id = feed_id")),
            "earlier titles": sorted(rows("SELECT items.key, item_titles.title FROM item_titles JOIN items ON items.id = item_id")),
            "stories": {frozenset(keys) for keys in stories.values()},
            "waiting": rows("SELECT item_id FROM unsorted_items"),
            "digests": digests,
            "undelivered": rows("SELECT target, error FROM deliveries WHERE delivered_at IS NULL"),
        }


def mails(folder: Path) -> dict[str, Any]:
    """By address: the subjects in order, one for each Message-ID; and how many came twice."""
    found = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in sorted(folder.iterdir())]
    by_key = {str(mail["Message-ID"]): (str(mail["To"]), str(mail["Subject"])) for mail in found}
    addressed: dict[str, list[str]] = {}
    for address, subject in by_key.values():
        addressed.setdefault(address, []).append(subject)
    return {"mails": addressed, "again": len(found) - len(by_key)}


def files(folder: Path) -> list[str]:
    return sorted(f"{path.parent.name}/{path.name}" for name in ("morning", "evening") for path in (folder / name).glob("digest-*"))


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    found = []
    for name in one:
        if one[name] != other[name]:
            detail = (
                f": {len(one[name] - other[name])} missing, {len(other[name] - one[name])} too many" if isinstance(one[name], set) else ""
            )
            found.append(f"{name} differ{detail}")
    return found


def run(base: str, folder: Path, *, feeds: int, times: Sequence[datetime], kills: int, seed: int, prune_every: int) -> dict[str, Any]:
    """Both runs and what came of them: "differences" is empty when the killed one ended like the other."""
    import aggregator.app
    import aggregator.daemon
    import aggregator.stories.engine  # noqa: F401 - children are forked with everything imported

    made: dict[str, Program] = {}
    found: dict[str, Any] = {}
    with mail_server(folder / "calm-mail") as calm_port, mail_server(folder / "killed-mail") as killed_port:
        for name, port in (("calm", calm_port), ("killed", killed_port)):
            made[name] = Program(folder / name, port)
            made[name].set_up([(f"f{number}", url) for number, url in enumerate(feeds_of(base)[:feeds])])
        took = undisturbed(made["calm"], base, times, prune_every)
        disturbed(made["killed"], base, times, prune_every, took, kills, random.Random(seed))
        for name, program in made.items():
            program.finish(times[-1], "db", "check")
            found[name] = contents(program.database) | mails(folder / f"{name}-mail") | {"files": files(program.folder)}
    again = {name: found[name].pop("again") for name in found}
    left = [path.name for path in made["killed"].folder.rglob("*") if path.name.endswith(".partial")]
    return {
        "kills": made["killed"].kills,
        "kills_by_step": made["killed"].killed,
        "finished_first": made["killed"].finished_first,
        "seconds": took,
        "items": len(found["calm"]["items"]),
        "stories": len(found["calm"]["stories"]),
        "digests": sum(map(len, found["calm"]["digests"].values())),
        "mails": sum(map(len, found["calm"]["mails"].values())),
        "mails_again": again["killed"],
        "failures": made["calm"].failures + made["killed"].failures,
        "differences": differences(found["calm"], found["killed"]) + [f"{name} was left behind" for name in left],
    }


# --- upgrades -----------------------------------------------------------------------------------------------------------


def old_database(path: Path, items: int) -> None:
    """A database of the first revision with that many items more."""
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript((HERE.parent / "tests" / "store" / "first_revision.sql").read_text(encoding="utf-8"))
        raw.execute(f"WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < {items + 9}) {_COPIES}")
        raw.execute("INSERT INTO appearances SELECT feed_id, key, id, link, arrived_at FROM items WHERE id >= 10")
        raw.execute("INSERT INTO unsorted_items SELECT id FROM items WHERE id >= 10")
        raw.execute("INSERT INTO digests SELECT NULL, 'd' || i, 0, 1703678400000000, 0, 'html' FROM (SELECT id AS i FROM items LIMIT 400)")
        raw.execute("UPDATE meta SET value = (SELECT max(id) + 1 FROM items) WHERE key = 'next_item'")
        raw.execute("INSERT INTO items_fts (items_fts) VALUES ('rebuild')")
        raw.commit()


_COPIES = """INSERT INTO items SELECT i, feed_id, 'k' || i, content_hash, published_at, arrived_at, updated_at, date_rule, language,
    title || ' ' || i, NULL, NULL, summary || hex(randomblob(300)), authors, categories, media, summary_html, content_html
    FROM n JOIN items ON items.id = 1"""


def upgrades(folder: Path, *, kills: int, items: int, seed: int) -> dict[str, Any]:
    """Old databases whose upgrade is killed, then finished."""
    draw, at = random.Random(seed), datetime(2024, 3, 1, tzinfo=UTC)
    done, problems, took = 0, [], 0.0
    programs: list[Program] = []
    while done < kills or not programs:
        program = Program(folder / f"old-{len(programs)}", 1)
        program.set_up([])
        old_database(program.database, items)
        for _ in range(min(4, kills - done) if programs else 0):
            program.kill("upgrade", at, draw.uniform(0, took), "db", "upgrade")
        took = max(took, program.finish(at, "db", "upgrade"))
        program.finish(at, "db", "check")
        done += program.kills
        programs.append(program)

        with closing(sqlite3.connect(program.database)) as raw:
            state = raw.execute("SELECT count(*), min(up_to_item), (SELECT count(*) FROM items) FROM digests").fetchone()
        problems += program.failures
        if len(programs) == 1:
            expected = state
        elif state != expected:
            problems.append(f"{program.folder.name} holds {state}, the one without kills {expected}")
    return {"kills": done, "seconds": took, "failures": problems}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=120, help="kills of fetch, organise, digest and prune (default 120)")
    parser.add_argument("--upgrade-kills", type=int, default=20)
    parser.add_argument("--feeds", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=16, help="rounds, six hours apart")
    parser.add_argument("--prune-every", type=int, default=4, help="rounds from one prune to the next")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shared", type=Path, default=Path(os.environ.get("AGGREGATOR_SHARED", HERE.parent.parent / "shared")))
    parser.add_argument("--generated", action="store_true", help="generated feeds instead of the shared stream")
    asked = parser.parse_args()
    generated = asked.generated or not (asked.shared / "tools" / "replay.py").exists()
    start = datetime(2024, 3, 1, 12, tzinfo=UTC) if generated else datetime(2023, 12, 20, tzinfo=UTC)
    times = [start + 6 * HOUR * number + timedelta(minutes=number) for number in range(asked.rounds)]
    with tempfile.TemporaryDirectory() as held, ExitStack() as servers:
        if generated:
            port = free_port()
            servers.enter_context(process("-m", "tests.newsserver", str(port), str(asked.feeds), str(asked.seed)))
            base = f"http://127.0.0.1:{port}"
        else:
            options = ("--at", start.isoformat(), "--items", "30", "--sources", str(asked.feeds))
            base = servers.enter_context(replay(*options, shared=asked.shared)).url
        size = {"feeds": asked.feeds, "kills": asked.kills, "seed": asked.seed, "prune_every": asked.prune_every}
        found = run(base, Path(held), times=times, **size)
        found["upgrade"] = upgrades(Path(held), kills=asked.upgrade_kills, items=20_000, seed=asked.seed)
    for name, value in found.items():
        print(f"{name:15} {value}")
    return 1 if found["differences"] or found["failures"] or found["upgrade"]["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
