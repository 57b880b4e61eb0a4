"""The entry point: fast help, honest errors, the promised exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from aggregator.cli.main import COMMANDS, cli

HEAVY = ["sklearn", "scipy", "numpy", "sqlalchemy", "feedparser", "alembic", "rich", "httpx2", "apscheduler", "msgspec", "asyncio"]


def run(*arguments: str, home: Path, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own, with a fresh home."""
    return subprocess.run(
        [sys.executable, "-m", "aggregator", *arguments],
        capture_output=True,
        text=True,
        cwd=home,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), "TZ": "UTC", "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
        timeout=timeout,
    )


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = f"""
import sys
from aggregator.cli.main import main
try:
    main(["--help"])
except SystemExit as end:
    assert not end.code
loaded = [name for name in {HEAVY!r} if name in sys.modules]
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert "Examples:" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(name: str) -> None:
    import click

    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert "Examples" in (command.help or "")
    text = COMMANDS[name][1]
    assert text.endswith(".")


def test_an_unknown_command_names_the_nearest_and_exits_2(tmp_path: Path) -> None:
    done = run("digset", home=tmp_path)
    assert done.returncode == 2
    assert "digest" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_is_one_sentence_and_debug_shows_the_traceback(tmp_path: Path) -> None:
    plain = run("--database", str(tmp_path), "status", home=tmp_path)
    assert plain.returncode == 1
    assert plain.stderr.startswith("Error: ")
    assert "Traceback" not in plain.stderr
    assert "Traceback" in run("--debug", "--database", str(tmp_path), "status", home=tmp_path).stderr


def test_speed_without_now_is_refused(tmp_path: Path) -> None:
    done = run("--speed", "60", "status", home=tmp_path)
    assert done.returncode == 2
    assert "--now" in done.stderr


def test_an_empty_store_says_what_to_run_next(tmp_path: Path) -> None:
    done = run("digest", home=tmp_path)
    assert done.returncode == 0
    assert "aggregator feeds add" in done.stdout + done.stderr


def test_without_configuration_only_the_data_folder_is_touched(tmp_path: Path) -> None:
    assert run("status", home=tmp_path).returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {".local"}


def test_status_as_json_is_versioned(tmp_path: Path) -> None:
    done = run("status", "--json", home=tmp_path)
    found = json.loads(done.stdout)
    assert found["version"] == 1
    assert found["daemon"] == {"running": False, "process": None}
    assert found["feeds"]["total"] == 0


def test_a_reader_who_goes_away_is_no_error(tmp_path: Path) -> None:
    program = f"{sys.executable} -m aggregator --help | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0
    assert done.stderr == ""
