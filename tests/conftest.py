"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Test processes run side by side: PyTorch's threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The public logs and checkpoints that are not committed; skips where they are absent."""
    place = Path(os.environ.get("LOGEXPORT_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (place / "loghub").is_dir():
        pytest.skip(f"no test data at {place} (set LOGEXPORT_TEST_DATA)")
    return place
