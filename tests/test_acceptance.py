"""The main job on 296 replayed real feeds: subscribe, poll, group, digest. Needs the shared data."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_main import run
from tests.shared import shared_path

SEED = "http://example.org/blinken-mexico"
DURATIONS = [617, 621, 841, 1183, 4098, 5031]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The replay server at the end of 27 December 2023, on a free port."""
    tool, stream, files = shared_path("tools/replay.py"), shared_path("data/stream-2023-12.jsonl.gz"), shared_path("seed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = [str(stream), "--port", str(port), "--at", "2023-12-27T23:59:59Z", "--files", str(files)]
    process = subprocess.Popen([sys.executable, str(tool), *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert "296 feeds" in process.stdout.readline()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def home(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh home after import, add and the first fetch."""
    home = tmp_path_factory.mktemp("home")
    for arguments in (("feeds", "import", f"{server}/index.opml"), ("feeds", "add", f"{server}/files/feed.xml"), ("fetch",)):
        done = command(home, *arguments)
        assert done.returncode == 0, done.stderr
    return home


def command(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(*arguments, home=home, AGGREGATOR_FETCH__ALLOW_PRIVATE="true", timeout=400)


@pytest.fixture(scope="module")
def digest(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command(home, "digest", "--date", "2023-12-27", "--limit", "0", "--json").stdout)
    return found


@pytest.fixture(scope="module")
def labels() -> dict[str, dict[str, Any]]:
    with gzip.open(shared_path("data/gold-2023-12-26.jsonl.gz"), "rt", encoding="utf-8") as lines:
        return {row["link"]: row for row in map(json.loads, lines)}


def requests(server: str) -> dict[str, dict[str, int]]:
    """What the server was asked since the last call, by path."""
    with urllib.request.urlopen(f"{server}/stats?reset=1") as answer:
        paths: dict[str, dict[str, int]] = json.load(answer)["paths"]
    return {path: counts for path, counts in paths.items() if path != "/stats"}


def links_of(labels: dict[str, dict[str, Any]], story: str) -> set[str]:
    return {link for link, row in labels.items() if row["story"] == story}


def test_the_visit_is_one_story_and_its_saga_one_topic(digest: dict[str, Any], labels: dict[str, dict[str, Any]]) -> None:
    visit = links_of(labels, "blinken-mexico-city-visit") | {SEED}
    by_links = [(story, {item["link"] for item in story["items"]}) for story in digest["stories"]]
    story, links = max(by_links, key=lambda pair: len(pair[1] & visit))
    assert len(links & visit) >= 6
    assert len(links - visit) <= 2
    for other in ("migrant-caravan-southern-mexico", "record-december-border-crossings"):
        wanted = links_of(labels, other)
        found, _ = max((pair for pair in by_links if pair[0]["id"] != story["id"]), key=lambda pair: len(pair[1] & wanted))
        assert found["topic"] == story["topic"] is not None, other
    saga = {link for each, links in by_links if each["topic"] == story["topic"] for link in links}
    assert not [link for link in saga if link in labels and labels[link]["topic"] in ("israel-gaza-war", "russia-ukraine-war")]


def test_the_podcasts_durations_are_exact(digest: dict[str, Any]) -> None:
    assert sorted(medium["seconds"] for medium in digest["media"] if medium["type"].startswith("audio/")) == DURATIONS


def test_a_second_fetch_asks_nobody_and_force_asks_conditionally(home: Path, server: str) -> None:
    requests(server)
    assert command(home, "fetch").returncode == 0
    assert requests(server) == {}
    assert command(home, "fetch", "--force").returncode == 0
    answers = requests(server)
    assert len(answers) == 297
    assert {status for counts in answers.values() for status in counts if status.isdigit()} == {"304"}
