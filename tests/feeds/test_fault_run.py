"""One fetch of all faults of the replay server beside 100 sound feeds, as a person runs it (bench/faults.py). Needs the shared data."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.shared import ROOT, shared_path


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    shared_path("tools/replay.py")
    shared_path("data/stream-2023-12.jsonl.gz")
    command = [sys.executable, str(ROOT / "bench/faults.py"), "--json", "--no-organise", "--items", "20"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=ROOT)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_no_fault_stops_the_others_or_takes_more_memory_or_goes_without_a_sentence(found: dict[str, Any]) -> None:
    assert found["broken"] == []
    assert found["peak_bytes"] is None or found["peak_bytes"] < 500_000_000
    assert len(found["requests"]) == 27


@pytest.mark.parametrize("kind", ["cut", "short", "reset", "latin1", "xxe", "laughs", "empty", "notxml", "html", "badchunk"])
def test_a_spoilt_document_leaves_an_error_even_where_its_items_were_stored(found: dict[str, Any], kind: str) -> None:
    (feed,) = (feed for feed in found["feeds"] if feed["name"] == f"fault-{kind}")
    assert feed["error"].endswith(".")
    assert feed["reason"]


def test_what_the_person_reads_has_no_traceback(found: dict[str, Any]) -> None:
    assert "Traceback" not in found["said"]
    assert "127 feeds polled, 20 failed" in found["said"]
