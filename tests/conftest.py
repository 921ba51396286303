"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

# Test processes run side by side: PyTorch's threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Before anything imports ONNX Runtime, and for every process that a test starts.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# A shell that runs the tests in the background lets its children ignore Ctrl-C; a handler of ours
# makes theirs the default again.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LONG = bool(os.environ.get("LOGEXPORT_LONG"))
"""Whether tests run that take a minute or more: in tox's rows of PyTorch releases, in ``slow``."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what takes minutes where nobody asked for it."""
    skip = pytest.mark.skip(reason="takes a minute or more: LOGEXPORT_LONG=1, as tox sets it")
    for item in items:
        if item.get_closest_marker("long") and not LONG:
            item.add_marker(skip)


ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The public logs and checkpoints that are not committed; skips where they are absent."""
    place = Path(os.environ.get("LOGEXPORT_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (place / "loghub").is_dir():
        pytest.skip(f"no test data at {place} (set LOGEXPORT_TEST_DATA)")
    return place
