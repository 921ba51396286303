"""The gate, .ci/run: what it runs, and that no test of C is left out of it.

The script itself runs here, with programs that only note how they were called; and so do
native/Makefile and native/fuzz/run.sh.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.native import slow

ROOT = Path(__file__).resolve().parents[1]
NATIVE = ROOT / "native"

PROGRAM = r"""#!/bin/bash
call="${0##*/} $*"
echo "$call" >>"$CALLS"
if [ "${0##*/} $1 $2" = "python3 -m venv" ]; then
  mkdir -p "$3/bin"
  for name in pip python tox; do cp "$0" "$3/bin/$name"; done
fi
if [[ $call =~ pytest|-m\ torch ]]; then echo "$CLOSING"; fi
[[ ! $call =~ ${SLOW:-^$} ]] || sleep 60
[[ ! $call =~ ${FAILING:-^$} ]] || { echo "$call does not work"; exit 3; }
"""
CLOSING = "======= 3 passed, 1 skipped in 1.23s (0:00:01) ======="


class Gate:
    """A run of .ci/run in a directory that has nothing but it and the README."""

    def __init__(self, place: Path, **environment: str) -> None:
        programs = place / "programs"
        programs.mkdir()
        (place / ".ci").mkdir()
        shutil.copy(ROOT / ".ci/run", place / ".ci/run")
        shutil.copy(ROOT / "README.md", place)
        for name in ("apt-get", "python3"):
            (programs / name).write_text(PROGRAM)
            (programs / name).chmod(0o755)
        calls = place / "calls"
        done = subprocess.run(
            ["bash", ".ci/run"],
            cwd=place,
            env={
                "PATH": f"{programs}:{os.environ['PATH']}",
                "CI": "true",
                "CALLS": str(calls),
                "CLOSING": CLOSING,
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=50,
        )
        self.status = done.returncode
        self.said = done.stdout
        self.calls = calls.read_text().splitlines()
        _, _, table = self.said.partition("\nMinutes by step:\n")
        self.steps = dict(re.findall(r"^ *\d+\.\d  ([\w ]+): (.+)$", table, re.MULTILINE))

    def environments(self) -> set[str]:
        """What tox was told to run, not only to install."""
        runs = [call for call in self.calls if re.match("tox run", call)]
        ran = [re.search(r" -e (\S+)", call) for call in runs if "--notest" not in call]
        return {name for found in ran if found for name in found[1].split(",")}


def test_the_gate_runs_the_readmes_tests_and_every_environment(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    assert gate.status == 0, gate.said
    assert "python -m pytest -n auto" in gate.calls
    assert gate.environments() == {
        "lint", "types", "native", "package", "py311-torch113", "py311-torch215"
    }  # fmt: skip


def test_the_gate_ends_with_minutes_by_step_and_the_closing_lines_of_pytest(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    assert {"tests", "native", "checks", "torch113", "torch215"} <= set(gate.steps)
    assert set(gate.steps.values()) == {"passed"}
    assert re.search(r"^ *\d+\.\d  in all$", gate.said, re.MULTILINE)
    assert gate.said.splitlines()[-3:] == [CLOSING] * 3


@pytest.mark.parametrize(
    ("call", "step"),
    [("pytest", "tests"), ("tox run -e native", "native"), ("types", "environments")],
)
def test_a_step_that_fails_fails_the_gate_and_is_named(
    tmp_path: Path, call: str, step: str
) -> None:
    gate = Gate(tmp_path, FAILING=call)
    assert gate.status == 3
    assert gate.steps[step] == "failed with status 3"
    assert [name for name in gate.steps if gate.steps[name].startswith("failed")] == [step]
    assert re.search(rf"{call}.* does not work", gate.said)
    assert "torch113" not in gate.steps


def test_what_runs_beside_a_step_that_fails_is_ended_and_said_to_be(tmp_path: Path) -> None:
    gate = Gate(tmp_path, FAILING="run-parallel", SLOW="tox run -e native")
    assert gate.status == 3
    assert gate.steps["native"] == "stopped"


# --- what `tox -e native` runs --------------------------------------------------------------------


def commands(environment: str) -> list[str]:
    parser = ConfigParser(interpolation=None)
    parser.read(ROOT / "tox.ini", encoding="utf-8")
    section = parser[f"testenv:{environment}"]
    assert section["skip_install"] == "true"
    return section["commands"].strip().splitlines()


def dry_run(command: str) -> str:
    """What make would do."""
    done = subprocess.run(
        [*command.split(), "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_the_native_environment_runs_every_c_test_plain_and_sanitized() -> None:
    runs = [dry_run(command) for command in commands("native")]
    tested = [run for run in runs if "ctest" in run]
    assert len(tested) == 3
    flags = ("", "-DLOGEXPORT_SANITIZE=address,undefined ", "-DLOGEXPORT_SANITIZE=thread ")
    for run, flag in zip(tested, flags, strict=True):
        assert flag in run
        assert "-DLOGEXPORT_WERROR=ON" in run
        (line,) = re.findall(r"ctest .*", run)
        options = re.findall(r" (-\S+)", line)
        assert options == ["--output-on-failure", "--timeout", "--test-dir"], "none is left out"


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_the_native_environment_runs_every_fuzz_target_and_formats_every_c_file() -> None:
    runs = "\n".join(dry_run(command) for command in commands("native"))
    (fuzzed,) = re.findall(r"printf '%s\\n' (.*) \| xargs .*fuzz/run.sh TARGET 20$", runs, re.M)
    assert sorted(fuzzed.split()) == sorted(path.stem for path in fuzz_targets())
    (formatted,) = re.findall(r"clang-format --dry-run -Werror (.*)", runs)
    files = {path.relative_to(NATIVE) for path in NATIVE.rglob("*.[ch]")}
    expected = sorted(str(path) for path in files if path.parts[0] != "build")
    assert sorted(name.removeprefix("./") for name in formatted.split()) == expected


# --- what CMake builds ----------------------------------------------------------------------------


def fuzz_targets() -> list[Path]:
    return sorted((NATIVE / "fuzz").glob("fuzz_*.c"))


def built(place: str, function: str) -> list[str]:
    text = (NATIVE / place / "CMakeLists.txt").read_text(encoding="utf-8")
    return sorted(re.findall(rf"^{function}\((\w+)", text, re.MULTILINE))


def test_cmake_builds_every_file_of_c_tests() -> None:
    """tests/native/test_c_tests.py sees them run."""
    files = sorted((NATIVE / "tests").glob("test_*.c"))
    assert built("tests", "logexport_test") == [path.stem.removeprefix("test_") for path in files]


def test_cmake_builds_every_fuzz_target_and_each_has_kept_inputs() -> None:
    assert built("fuzz", "logexport_fuzz") == [
        path.stem.removeprefix("fuzz_") for path in fuzz_targets()
    ]
    kept = [path for path in (NATIVE / "fuzz/seeds").rglob("*") if path.is_file()]
    assert {path.parent.name for path in kept} == {path.stem for path in fuzz_targets()}
    assert sum(path.stat().st_size for path in kept) < 400_000
    assert all(path.stat().st_size <= 4096 for path in kept), "fuzzing reads no more of an input"


# --- what make and the fuzz targets say -----------------------------------------------------------

CMAKE = """#!/bin/bash
[ "$1" = --build ] && exit
[ ! -e "$4/CMakeCache.txt" ] || echo "with what was there" >>"$CALLS"
echo "${*:5}" >>"$CALLS"
touch "$4/CMakeCache.txt"
"""
TARGET = """#!/bin/bash
for word; do case $word in -artifact_prefix=*) found=${word#*=}crash-1 ;; esac; done
printf '#1\\tDONE   cov: 12 ft: 1\\nDone 34 runs in 5 second(s)\\n'
if [ "${0##*/}" = fuzz_broken ]; then
  echo "ERROR: AddressSanitizer: heap-use-after-free"
  printf 'the\\0input' >"$found"
  echo "Test unit written to $found"
  exit 77
fi
"""


@pytest.fixture
def native(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the Makefile, two fuzz targets, and a CMake that notes its calls."""
    for name in ("Makefile", "fuzz/run.sh"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(NATIVE / name, tmp_path / name)
    programs = {"programs/cmake": CMAKE, "programs/ctest": "#!/bin/sh\n"}
    for name in ("fuzz_broken", "fuzz_sound"):
        (tmp_path / "fuzz" / f"{name}.c").touch()
        seeds = tmp_path / "fuzz/seeds" / name
        seeds.mkdir(parents=True)
        (seeds / "some").write_text("seed")
        programs[f"build/fuzz/fuzz/{name}"] = TARGET
    for name, text in programs.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'programs'}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path


def make(native: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *words], cwd=native, capture_output=True, text=True)


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_make_configures_a_tree_anew_where_its_flags_have_changed_and_only_there(
    native: Path,
) -> None:
    quoted = "CMAKE_FLAGS=-DA='x y' -DB=1,2"
    for words in ([], [], [quoted], [quoted], ["CMAKE_FLAGS="], ["CC=other"]):
        assert make(native, "test", *words).returncode == 0
    assert (native / "calls").read_text().splitlines() == ["", "-DA=x y -DB=1,2", "", ""]


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_a_fuzz_target_that_fails_shows_its_report_and_its_input_and_stops_no_other(
    native: Path,
) -> None:
    done = make(native, "fuzz", "JOBS=1")
    assert done.returncode != 0
    assert "ERROR: AddressSanitizer: heap-use-after-free" in done.stdout
    found = native / "build/fuzz/found/fuzz_broken-crash-1"
    assert f"fuzz_broken fails on {found}" in done.stdout
    assert base64.b64encode(found.read_bytes()).decode() in done.stdout
    assert "fuzz_sound: 34 runs in 5 s, 12 edges covered, nothing found" in done.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
@pytest.mark.parametrize("lost", ["fuzz/seeds/fuzz_sound/some", "build/fuzz/fuzz/fuzz_sound"])
def test_a_fuzz_target_without_inputs_or_that_is_not_built_fails(native: Path, lost: str) -> None:
    (native / "fuzz/fuzz_broken.c").unlink()
    assert make(native, "fuzz").returncode == 0
    (native / lost).unlink()
    assert make(native, "fuzz").returncode != 0


# --- what is too slow for the gate ----------------------------------------------------------------


def test_every_slow_step_has_a_result_on_record_and_it_passed() -> None:
    record = json.loads(slow.RECORD.read_text(encoding="utf-8"))
    assert set(record) == set(slow.steps(fuzz_seconds=1, cases=1))
    for name, result in record.items():
        assert result["result"] == "passed", name
        assert re.fullmatch("[0-9a-f]{12}", result["commit"]), name
        assert result["figures"], name
    assert set(record["fuzz"]["figures"]) == {path.stem for path in fuzz_targets()}
    assert record["valgrind"]["figures"]["c_tests"] == len(list(NATIVE.glob("tests/test_*.c")))
