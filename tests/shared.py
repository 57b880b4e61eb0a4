"""The only place that knows where the shared data folder lies (AGGREGATOR_SHARED, default ../shared beside the checkout)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def shared_folder() -> Path:
    return Path(os.environ.get("AGGREGATOR_SHARED", ROOT.parent / "shared"))


def shared_path(name: str) -> Path:
    """A file or folder of the shared data. Skips the test that asks when it is absent; fails instead where CI demands it."""
    path = shared_folder() / name
    if not path.exists():
        lacking = f"needs {name} of the shared data; set AGGREGATOR_SHARED to the folder that holds it"
        if os.environ.get("AGGREGATOR_TEST_NO_SKIP"):
            pytest.fail(lacking)
        pytest.skip(lacking)
    return path
