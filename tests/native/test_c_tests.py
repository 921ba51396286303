"""The C tests, which CTest runs: `make -C native test`."""

from __future__ import annotations

import re

import pytest

from tests.native.engine import NATIVE, make


def test_every_c_test_passes() -> None:
    done = make("test")
    if done.returncode != 0:
        said = list(dict.fromkeys((done.stdout + done.stderr).splitlines()))  # a loop's once
        pytest.fail("`make -C native test` failed:\n" + "\n".join(said[-60:]), pytrace=False)
    passed = re.findall(r"Test +#\d+: (\w+) \.+ +Passed", done.stdout)
    files = [path.stem.removeprefix("test_") for path in (NATIVE / "tests").glob("test_*.c")]
    assert sorted(passed) == sorted(files), "native/tests/CMakeLists.txt leaves one out"
