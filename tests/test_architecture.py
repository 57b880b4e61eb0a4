"""The floors of the house, checked on the source with ast: who may import whom, and where side effects may live."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.shared import ROOT

PACKAGE = ROOT / "aggregator"
FLOORS: list[tuple[int, tuple[str, ...]]] = [
    (6, ("cli", "web", "__main__")),
    (
        5,
        (
            "app",
            "rounds",
            "couriers",
            "upkeep",
            "heartbeat",
            "listener",
            "doctor",
            "daemon",
            "tasks",
            "worker",
            "sending",
            "team",
            "demo",
            "logs",
            "lock",
            "locks",
            "memory",
            "clock",
            "textfile",
            "triggers",
        ),
    ),
    (
        4,
        (
            "pipeline",
            "batching",
            "publishing",
            "subscribing",
            "archive",
            "status",
            "metrics",
            "correcting",
            "regrouping",
            "comparing",
            "digesting",
            "fulltext",
            "marking",
            "suggesting",
        ),
    ),
    (3, ("feeds", "stories", "digest", "store")),
    (2, ("settings", "kinds", "ports")),
    (1, ("model", "documents", "errors", "text", "times", "tomlfile", "patterns", "hosts", "")),
]
ACTS = {"feeds", "stories", "digest", "store"}
MODULES = sorted(PACKAGE.rglob("*.py"))
CODE_LINES = 500
FUNCTION_LINES = 50


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str:
    """The first part below the package: aggregator.feeds.fetch -> feeds."""
    return [*module.split("."), ""][1]


def floor(module: str) -> int:
    found = [number for number, rooms in FLOORS if room(module) in rooms]
    assert found, f"{module} stands on no floor: give it one in FLOORS"
    return found[0]


def imports(path: Path) -> set[str]:
    """Modules of this package that a file imports, type-only imports included."""
    known = {name_of(other) for other in MODULES}
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: imports are absolute"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (names & known) or {node.module}
    return {module for module in found if module.split(".")[0] == "aggregator"}


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


EDGES = {name_of(path) for path in MODULES if docstring(path).startswith("EDGE:")}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_down_the_floors_only(path: Path) -> None:
    mine = name_of(path)
    for other in imports(path):
        assert floor(other) <= floor(mine), f"{mine} (floor {floor(mine)}) imports {other} (floor {floor(other)})"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_acts_do_not_import_each_other(path: Path) -> None:
    mine = name_of(path)
    if room(mine) in ACTS:
        foreign = {other for other in imports(path) if room(other) in ACTS - {room(mine)}}
        assert not foreign, f"{mine} imports another act: {sorted(foreign)}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_side_effects_and_settings_are_reached_through_app_alone(path: Path) -> None:
    mine = name_of(path)
    if floor(mine) == 5:
        return
    for other in imports(path):
        if other == "aggregator.settings":
            assert room(mine) in ("settings", "cli"), f"{mine} imports settings"
        if other in EDGES and room(other) != room(mine):
            faces = floor(other) == 5 or other == "aggregator.web.serving"
            allowed = faces if room(mine) == "cli" else (other, room(mine)) == ("aggregator.app", "web")
            assert allowed, f"{mine} imports the EDGE {other}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert docstring(path).strip(), f"{name_of(path)} has no docstring"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_that_touch_the_world_say_edge(path: Path) -> None:
    """Clock, network, processes and disk are touched only where the docstring begins with EDGE: (the command line aside)."""
    mine = name_of(path)
    if room(mine) in ("cli", "app", "__main__"):
        return
    banned = {
        "socket",
        "subprocess",
        "http.server",
        "urllib.request",
        "smtplib",
        "fcntl",
        "multiprocessing",
        "httpx2",
        "sqlalchemy",
        "sqlite3",
        "signal",
    }
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    used |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    touched = {name for name in used if name in banned or name.split(".")[0] in banned}
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    touched |= calls & {"datetime.now", "datetime.utcnow", "time.time", "time.sleep", "open", "os.replace", "os.open"}
    assert not touched or mine in EDGES, f"{mine} uses {sorted(touched)} but its docstring does not begin with EDGE:"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_grows_out_of_hand(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    code = [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    assert len(code) <= CODE_LINES, f"{name_of(path)} has {len(code)} code lines; split it by noun"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert length <= FUNCTION_LINES, f"{name_of(path)}.{node.name} has {length} lines; a function does one step"
