"""The command: which period and format its options mean, and when a digest counts as delivered. The App is a fake, the rest is real."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from aggregator.cli.common import Session
from aggregator.cli.digest import digest as command
from aggregator.digest.deliver import write_digest
from aggregator.digest.interests import Filters
from aggregator.digest.period import written
from aggregator.errors import AggregatorError, DeliveryError, UsageError
from aggregator.model import Digest, DigestRecord, Period
from aggregator.textfile import replace_text
from aggregator.times import iso
from tests.digest.sample import FEEDS, STATES, TOPICS, day, select
from tests.shared import ROOT

NOW = datetime(2023, 12, 28, 0, 0, tzinfo=UTC)


@dataclass
class FakeApp:
    """Chooses from the sample day for real; remembers what it was asked and what was recorded."""

    zone: str = "UTC"
    last: DigestRecord | None = None
    coverages: Any = field(default_factory=day)
    asked: list[tuple[Period, dict[str, Any]]] = field(default_factory=list)
    recorded: list[tuple[Digest, str]] = field(default_factory=list)
    delivered: list[str | None] = field(default_factory=list)

    def clock(self) -> datetime:
        return NOW

    def naming(self, name: str) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def digest(self, period: Period, *, name: str, **asked: Any) -> Digest:
        given = {key: value for key, value in asked.items() if value is not None}
        self.asked.append((period, {"name": name, **given}))
        return select(self.coverages, TOPICS, FEEDS, STATES, period, name=name, filters=Filters(**given))

    def last_digest(self, name: str) -> DigestRecord | None:
        return self.last if self.last and self.last.name == name else None

    def record_digest(self, digest: Digest, format: str) -> None:
        self.recorded.append((digest, format))

    def deliver_digest(self, digest: Digest, format: str | None) -> str:
        self.delivered.append(format)
        self.record_digest(digest, format or "markdown")
        return "digests/digest-daily-2023-12-27.md"

    def write_text(self, text: str, path: Path) -> None:
        write_digest(text, path, replace_text)

    def next_step(self) -> str | None:
        return "No feed is subscribed yet; run `aggregator feeds add URL`." if not self.coverages else None

    def close(self) -> None: ...


def run(*arguments: str, app: FakeApp | None = None) -> tuple[Result, FakeApp]:
    app = app or FakeApp()
    session = Session()
    session._app = app  # type: ignore[assignment]
    return CliRunner().invoke(command, list(arguments), obj=session), app


def period_of(*arguments: str, app: FakeApp | None = None) -> tuple[str, str, str, str]:
    result, app = run(*arguments, app=app)
    assert result.exit_code == 0, result.output
    period, rest = app.asked[0]
    return iso(written(period.from_at)), iso(written(period.to_at)), period.zone, rest["by"]


def test_without_a_period_the_last_24_hours_by_publication() -> None:
    assert period_of() == ("2023-12-27T00:00:00Z", "2023-12-28T00:00:00Z", "UTC", "published")


def test_a_date_is_the_local_day_of_the_zone_asked_for_else_of_the_settings() -> None:
    warsaw = ("2023-12-26T23:00:00Z", "2023-12-27T23:00:00Z", "Europe/Warsaw", "published")
    assert period_of("--date", "2023-12-27", "--zone", "Europe/Warsaw") == warsaw
    assert period_of("--date", "2023-12-27", app=FakeApp(zone="Europe/Warsaw")) == warsaw


def test_since_and_until_make_a_period() -> None:
    found = period_of("--since", "2023-12-27T01:00", "--until", "2023-12-27T02:00Z", "--zone", "Europe/Warsaw")
    assert found[:2] == ("2023-12-27T00:00:00Z", "2023-12-27T02:00:00Z")


def test_off_a_terminal_the_digest_is_plain_text_of_the_sample_day() -> None:
    result, _ = run("--date", "2023-12-27")
    assert result.stdout == (Path(__file__).parent / "golden" / "day.txt").read_text(encoding="utf-8")


def test_json_by_either_option() -> None:
    one, other = run("--json")[0].stdout, run("--format", "json")[0].stdout
    assert json.loads(one) == json.loads(other)


def test_limit_topic_tag_and_name_reach_the_app() -> None:
    _, app = run("--limit", "0", "--topic", "7", "--tag", "tech", "--new", "--as", "morning")
    assert app.asked[0][1] == {"by": "arrived", "name": "morning", "limit": 0, "topic": 7, "tag": "tech"}
    assert "limit" not in run()[1].asked[0][1], "without a limit the App takes that of the settings"


def test_new_starts_at_the_last_delivered_digest_of_that_name_and_is_recorded() -> None:
    last = DigestRecord("morning", NOW, datetime(2023, 12, 27, 15, tzinfo=UTC), NOW)
    app = FakeApp(last=last)
    assert period_of("--new", "--as", "morning", app=app) == ("2023-12-27T15:00:00Z", "2023-12-28T00:00:00Z", "UTC", "arrived")
    assert [(made.period.to_at, made.name, format) for made, format in app.recorded] == [(NOW, "morning", "plain")]
    assert period_of("--new", app=FakeApp(last=last))[0] == "2023-12-27T00:00:00Z", "another name has a past of its own"


def test_a_dry_run_and_a_period_by_hand_are_not_recorded() -> None:
    assert run("--new", "--dry-run")[1].recorded == []
    assert run("--date", "2023-12-27")[1].recorded == []


def test_a_reader_who_goes_away_has_not_been_served(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    app, session = FakeApp(), Session()
    session._app = app  # type: ignore[assignment]
    monkeypatch.setattr(sys, "stdout", Broken())
    with pytest.raises(BrokenPipeError):
        command.main(["--new"], obj=session, standalone_mode=False)
    assert app.asked
    assert app.recorded == []


def test_output_writes_the_file_and_says_so_on_stderr_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "day.md"
    result, app = run("--new", "--format", "markdown", "--output", str(path))
    assert path.read_text(encoding="utf-8").startswith("# Wednesday 27 December 2023")
    assert result.stdout == ""
    assert str(path) in result.stderr
    assert len(app.recorded) == 1


def test_an_output_that_fails_is_not_recorded(tmp_path: Path) -> None:
    (tmp_path / "day.md").mkdir()
    result, app = run("--new", "--output", str(tmp_path / "day.md"))
    assert isinstance(result.exception, DeliveryError)
    assert app.recorded == []


def test_output_to_a_dash_is_stdout() -> None:
    assert run("--output", "-")[0].stdout == run()[0].stdout


def test_deliver_hands_it_to_the_targets_of_the_settings_and_prints_nothing() -> None:
    result, app = run("--as", "daily", "--deliver")
    assert (result.stdout, app.delivered, len(app.recorded)) == ("", [None], 1)
    assert app.asked[0][1]["by"] == "arrived"
    assert run("--deliver", "--format", "html")[1].delivered == ["html"]
    assert "digest-daily-2023-12-27.md" in result.stderr
    result, app = run("--deliver", "--dry-run")
    assert (app.delivered, app.recorded) == ([], [])
    assert "Blinken" in result.stdout


def test_an_empty_store_says_what_to_run_next() -> None:
    result, _ = run(app=FakeApp(coverages=[]))
    assert result.exit_code == 0
    assert "Nothing new in this period." in result.stdout
    assert "aggregator feeds add" in result.stderr


def test_an_empty_period_of_a_filled_store_says_what_to_try() -> None:
    assert "--since 7d" in run("--date", "2020-01-01")[0].stderr
    assert "since the last digest" in run("--new", app=FakeApp(last=DigestRecord("digest", NOW, NOW, NOW)))[0].stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--date", "2023-12-27", "--since", "24h"], "two periods"),
        (["--new", "--until", "2023-12-27"], "two periods"),
        (["--date", "2023-12-27", "--new"], "two periods"),
        (["--date", "27.12.2023"], "not a day"),
        (["--since", "soon"], "24h"),
        (["--until", "soon"], "--until"),
        (["--zone", "Mars/Olympus"], "no time zone"),
        (["--as", "morning"], "--new"),
        (["--json", "--format", "plain"], "two formats"),
        (["--deliver", "--output", "x"], "two places"),
        (["--deliver", "--date", "2023-12-27"], "what is new"),
    ],
)
def test_wrong_usage_is_a_sentence_and_exit_code_2(arguments: list[str], words: str) -> None:
    result, app = run(*arguments)
    assert isinstance(result.exception, UsageError)
    assert result.exception.exit_code == 2
    assert words in str(result.exception)
    assert not app.asked


@pytest.mark.parametrize("arguments", [["--format", "papyrus"], ["--limit", "-1"], ["--topic", "x"], ["extra"]])
def test_click_refuses_what_it_cannot_read(arguments: list[str]) -> None:
    assert run(*arguments)[0].exit_code == 2


def test_examples_come_first_in_the_help() -> None:
    shown = run("--help")[0].stdout
    assert shown.index("Examples") < shown.index("Options")


def test_errors_of_the_app_come_through(monkeypatch: pytest.MonkeyPatch) -> None:
    app = FakeApp()

    def fail(*_: object, **__: object) -> Digest:
        raise AggregatorError("the database is locked")

    monkeypatch.setattr(app, "digest", fail)
    result, _ = run("--new", app=app)
    assert str(result.exception) == "the database is locked"
    assert app.recorded == []


def test_the_digest_that_was_made_is_the_one_recorded_even_if_the_app_shortened_its_period() -> None:
    class Careful(FakeApp):
        def digest(self, period: Period, **given: Any) -> Digest:
            return super().digest(replace(period, to_at=datetime(2023, 12, 27, 20, tzinfo=UTC)), **given)

    _, app = run("--new", app=Careful())
    assert app.recorded[0][0].period.to_at == datetime(2023, 12, 27, 20, tzinfo=UTC)


# --- a real terminal ---------------------------------------------------------------------------------------------------


def on_a_terminal(columns: int, **environment: str) -> str:
    """What the command writes to a pseudo-terminal of that width."""
    main, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    code = "from tests.digest.test_command import command, FakeApp, Session; s = Session(); s._app = FakeApp(); command.main([], obj=s)"
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=end, stdout=end, cwd=ROOT, env={**kept, "TERM": "xterm-256color", "PAGER": "", **environment}
    )
    os.close(end)
    heard = b""
    with contextlib.suppress(OSError):  # reading after the child closed its end fails on Linux
        while chunk := os.read(main, 65536):
            heard += chunk
    os.close(main)
    assert child.wait() == 0
    return heard.decode().replace("\r\n", "\n")


def test_on_a_terminal_it_is_coloured_linked_and_as_wide_as_the_terminal() -> None:
    from rich.cells import cell_len

    shown = on_a_terminal(46)
    assert "\x1b]8;" in shown
    assert "\x1b[1;36m" in shown
    bare = re.sub(r"\x1b\[[0-9;]*m|\x1b\]8;[^\x1b]*\x1b\\", "", shown)
    assert "\x1b" not in bare
    assert 40 < max(map(cell_len, bare.split("\n"))) <= 46


def test_no_color_takes_the_colour_and_a_dumb_terminal_everything() -> None:
    assert "36m" not in on_a_terminal(80, NO_COLOR="1")
    assert on_a_terminal(80, TERM="dumb") == (Path(__file__).parent / "golden" / "day.txt").read_text(encoding="utf-8")
