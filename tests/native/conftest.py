"""The engine under test: built from this tree, or the tests fail."""

from __future__ import annotations

import fcntl
import os
import subprocess

import pytest

from tests.native.engine import NATIVE, engine_path, library_path


@pytest.fixture(scope="session", autouse=True)
def built_engine() -> None:
    """Builds what is missing or out of date, unless another build is named.

    Fails where that fails; LOGEXPORT_TEST_NO_ENGINE says that there is meant to be none.
    """
    if os.environ.get("LOGEXPORT_TEST_NO_ENGINE"):
        pytest.skip("LOGEXPORT_TEST_NO_ENGINE is set")
    if "LOGEXPORT_ENGINE" not in os.environ:
        with (NATIVE / ".lock").open("w") as lock:  # test processes run side by side
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = subprocess.run(
                ["make", "-C", str(NATIVE)], capture_output=True, text=True, check=False
            )
        if done.returncode != 0:
            pytest.fail(f"`make -C native` failed:\n{done.stderr[-2000:]}", pytrace=False)
    for path in (engine_path(), library_path()):
        if not path.exists():
            pytest.fail(f"{path} is missing", pytrace=False)
