"""The engine under test: built from this tree, or the tests fail."""

from __future__ import annotations

import os

import pytest

from tests.native.engine import engine_path, library_path, make


@pytest.fixture(scope="session", autouse=True)
def built_engine() -> None:
    """Builds what is missing or out of date, unless another build is named.

    Fails where that fails; LOGEXPORT_TEST_NO_ENGINE says that there is meant to be none.
    """
    if os.environ.get("LOGEXPORT_TEST_NO_ENGINE"):
        pytest.skip("LOGEXPORT_TEST_NO_ENGINE is set")
    if "LOGEXPORT_ENGINE" not in os.environ:
        done = make()
        if done.returncode != 0:
            pytest.fail(f"`make -C native` failed:\n{done.stderr[-2000:]}", pytrace=False)
    for path in (engine_path(), library_path()):
        if not path.exists():
            pytest.fail(f"{path} is missing", pytrace=False)
