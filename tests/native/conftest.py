"""The engine under test: present, or the tests fail."""

from __future__ import annotations

import os

import pytest
from native_engine import engine_path, library_path


@pytest.fixture(scope="session", autouse=True)
def built_engine() -> None:
    """Fails where the engine was not built, unless LOGEXPORT_TEST_NO_ENGINE says that it is meant."""
    missing = [path for path in (engine_path(), library_path()) if not path.exists()]
    if not missing:
        return
    if os.environ.get("LOGEXPORT_TEST_NO_ENGINE"):
        pytest.skip("LOGEXPORT_TEST_NO_ENGINE is set")
    pytest.fail(f"{missing[0]} is missing: run `make -C native` first", pytrace=False)
