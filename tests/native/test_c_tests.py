"""The C tests, which CTest runs: `make -C native test`; and the names of the C files."""

from __future__ import annotations

import re
from pathlib import Path

import logexport
import pytest

from tests.native.engine import NATIVE, make

#: The files of native/src that do what Python has from its library, or does not need.
OWN = {
    *("buffer", "hash", "in_flight", "json", "json_cursor", "json_text", "loaded", "memo"),
    *("ort", "ort_api", "ort_check", "pool", "sha256", "stream", "utf8"),
}


def test_every_c_test_passes() -> None:
    done = make("test")
    if done.returncode != 0:
        said = list(dict.fromkeys((done.stdout + done.stderr).splitlines()))  # a loop's once
        pytest.fail("`make -C native test` failed:\n" + "\n".join(said[-60:]), pytrace=False)
    passed = re.findall(r"Test +#\d+: (\w+) \.+ +Passed", done.stdout)
    files = [path.stem.removeprefix("test_") for path in (NATIVE / "tests").glob("test_*.c")]
    assert sorted(passed) == sorted(files), "native/tests/CMakeLists.txt leaves one out"


def test_a_c_file_has_the_name_of_its_python_twin() -> None:
    assert logexport.__file__ is not None
    python = {path.stem for path in Path(logexport.__file__).parent.rglob("*.py")}
    files = {path.stem for path in (NATIVE / "src").glob("*.[ch]")}
    assert files - python == OWN
