"""The command that runs the matrix: resumes, discards, reports; with a tox that only pretends."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.matrix import compatibility, recording, run

HERE = Path(__file__).resolve().parent

TOX = """\
import json, os, pathlib, sys, time
name = sys.argv[sys.argv.index("-e") + 1]
work = pathlib.Path(sys.argv[sys.argv.index("--workdir") + 1])
(work / name).mkdir(exist_ok=True)
with (work / "calls").open("a") as calls:
    calls.write(name + "\\n")
record = pathlib.Path(os.environ["LOGEXPORT_MATRIX_RECORDS"]) / (name + ".json")
record.parent.mkdir(exist_ok=True)
if name not in (work / "silent").read_text():
    record.write_text(json.dumps({"exports": {}}))
if name in (work / "slow").read_text():
    (work / "pid").write_text(str(os.getpid()))
    time.sleep(60)
if name in (work / "broken").read_text():
    print("FAILED tests/test_it.py::test_it - it is broken")
    print("==== 1 failed, 3 passed in 1.00s ====")
    sys.exit(1)
print("==== 3 passed, 2 skipped in 1.00s ====")
"""


class Matrix:
    """The runner with directories of its own."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.module = run
        self.work = directory / "tox"
        self.work.mkdir()
        self.kept = directory / "records"
        self.monkeypatch = monkeypatch
        (directory / "tox.py").write_text(TOX)
        self.page: list[int] = []
        self.named = "one source"
        for name, value in {
            "WORK": self.work,
            "STATE": self.work / "matrix",
            "RECORDS": self.work / "matrix" / "records",
            "KEPT": self.kept,
            "tox": lambda: [sys.executable, str(directory / "tox.py")],
            "source": lambda: self.named,
            "LEAST_FREE": 0,
        }.items():
            monkeypatch.setattr(self.module, name, value)
        monkeypatch.setattr(compatibility, "write", lambda: self.page.append(1))
        for how in ("broken", "silent", "slow"):
            self.let_be(how)

    def let_be(self, how: str, *names: str) -> None:
        """Rows that are ``broken`` (fail), ``silent`` (leave no record) or ``slow``."""
        (self.work / how).write_text(" ".join(names))

    def run(self, *arguments: str) -> int:
        self.monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
        return int(self.module.main())

    @property
    def calls(self) -> list[str]:
        path = self.work / "calls"
        return path.read_text().split() if path.exists() else []


@pytest.fixture
def matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Matrix:
    return Matrix(tmp_path, monkeypatch)


TWO = ("py311-torch20", "py311-torch25")


def test_everything_is_run_once_and_the_record_kept(
    matrix: Matrix, capsys: pytest.CaptureFixture[str]
) -> None:
    assert matrix.run() == 0
    rows = list(recording.rows())
    assert matrix.calls == rows
    kept = json.loads((matrix.kept / "py311-torch25.json").read_text())
    assert kept == {"exports": {}, "tests": "3 passed, 2 skipped"}
    assert f"{len(rows)} passed, 0 not" in capsys.readouterr().out
    assert len(matrix.page) == len(rows)


def test_what_has_passed_for_the_source_is_skipped_and_what_failed_is_not(
    matrix: Matrix, capsys: pytest.CaptureFixture[str]
) -> None:
    matrix.let_be("broken", TWO[1])
    assert matrix.run(*TWO) == 1
    said = capsys.readouterr().out
    assert "1 passed, 1 not" in said
    assert "test_it - it is broken" in said
    assert not (matrix.kept / f"{TWO[1]}.json").exists()
    matrix.let_be("broken")
    assert matrix.run(*TWO) == 0
    assert matrix.calls == [*TWO, TWO[1]]
    assert "passed before" in capsys.readouterr().out
    matrix.named = "another source"
    assert matrix.run(*TWO) == 0
    assert matrix.calls == [*TWO, TWO[1], *TWO]
    assert matrix.run("--again", TWO[0]) == 0
    assert matrix.calls[-1] == TWO[0]


def test_a_row_that_fails_takes_its_kept_record_along(matrix: Matrix) -> None:
    assert matrix.run(*TWO) == 0
    matrix.let_be("broken", TWO[0])
    assert matrix.run("--again", *TWO) == 1
    assert [path.stem for path in matrix.kept.iterdir()] == [TWO[1]]


def test_a_kept_record_that_was_lost_is_kept_again(matrix: Matrix) -> None:
    assert matrix.run(*TWO) == 0
    for path in matrix.kept.iterdir():
        path.unlink()
    assert matrix.run(*TWO) == 0
    assert sorted(path.stem for path in matrix.kept.iterdir()) == sorted(TWO)
    assert matrix.calls == list(TWO)


def test_a_row_without_a_record_has_not_passed(matrix: Matrix) -> None:
    matrix.let_be("silent", TWO[0])
    assert matrix.run(*TWO) == 1
    matrix.let_be("silent")
    assert matrix.run(*TWO) == 0
    assert matrix.calls == [*TWO, TWO[0]]


def test_a_change_of_the_source_ends_the_run_and_costs_no_record(
    matrix: Matrix, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert matrix.run(*TWO) == 0
    matrix.named = "another source"
    kept = sorted(path.read_bytes() for path in matrix.kept.iterdir())
    calls = iter(["before", "before", *["after"] * 9])
    monkeypatch.setattr(matrix.module, "source", lambda: next(calls))
    assert matrix.run(*TWO) == 1
    said = capsys.readouterr().out
    assert f"{TWO[0]}: outdated, 3 passed" in said
    assert "the source has changed" in said
    assert "0 passed, 2 not" in said
    assert matrix.calls == [*TWO, TWO[0]]
    assert sorted(path.read_bytes() for path in matrix.kept.iterdir()) == kept


def test_a_run_that_is_ended_ends_its_row_and_is_resumed(matrix: Matrix) -> None:
    matrix.let_be("slow", TWO[0])
    began = matrix.work / "pid"

    def end() -> None:
        while not (began.exists() and began.read_text()):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP)
    ending = threading.Thread(target=end)
    ending.start()
    try:
        with pytest.raises(SystemExit) as ended:
            matrix.run("--discard", *TWO)
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGHUP, before[1])
        ending.join()
    assert ended.value.code == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int(began.read_text()), 0)
    assert not (matrix.work / TWO[0]).exists()
    matrix.let_be("slow")
    assert matrix.run(*TWO) == 0
    assert matrix.calls == [TWO[0], *TWO]


def test_two_runs_at_once_are_an_error(matrix: Matrix, capsys: pytest.CaptureFixture[str]) -> None:
    assert matrix.run(TWO[0]) == 0
    with (matrix.module.STATE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(SystemExit):
            matrix.run(TWO[0])
    assert "another run of the matrix is at work" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("said", "will_do"), [("4.21.2 from /x", True), ("3.28.0 imported from /x", False), ("", False)]
)
def test_a_tox_that_is_too_old_or_does_not_start_is_not_taken(
    said: str, will_do: bool, tmp_path: Path
) -> None:
    program = tmp_path / "tox"
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    assert run._does(program) == will_do
    assert not run._does(tmp_path / "none")


def test_discard_removes_each_environment(matrix: Matrix) -> None:
    assert matrix.run(*TWO) == 0
    assert (matrix.work / TWO[0]).exists()
    assert matrix.run("--again", "--discard", *TWO) == 0
    assert not (matrix.work / TWO[0]).exists()
    assert matrix.module.environment(discard=True)["PIP_NO_CACHE_DIR"] == "1"


def test_a_full_disk_begins_nothing(
    matrix: Matrix, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(matrix.module, "LEAST_FREE", 1 << 60)
    assert matrix.run(TWO[0]) == 1
    assert matrix.calls == []
    assert "not run: less than" in capsys.readouterr().out


def test_an_unknown_environment_is_an_error(
    matrix: Matrix, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        matrix.run("py311-torch0")
    assert "no such environment: py311-torch0; there are" in capsys.readouterr().err


def test_the_runner_needs_the_standard_library_alone() -> None:
    """It starts in whatever Python there is; tox is installed by it."""
    done = subprocess.run([sys.executable, "-S", HERE / "run.py", "--help"], capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"--discard" in done.stdout


def test_rows_that_do_not_mean_the_same_fail_the_run(
    matrix: Matrix, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = {key: [key] for key in recording.ONE_MEANING}
    matrix.kept.mkdir()
    for name, verdicts in zip(TWO, ("these", "those"), strict=True):
        exports = {"deeplog-logdeep torchscript": {**facts, "verdicts": verdicts}}
        (matrix.kept / f"{name}.json").write_text(json.dumps({"exports": exports}))
    assert matrix.run("py311-torch21") == 1
    said = capsys.readouterr().out
    assert "1 passed, 0 not" in said
    assert f"not one meaning: verdicts: {TWO[1]} deeplog-logdeep torchscript is not as" in said


def test_documents_records_and_what_calls_the_tests_are_no_part_of_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*arguments: str) -> str:
        return recording.git(tmp_path, *arguments)

    monkeypatch.setattr(run, "ROOT", tmp_path)
    git("init", "-q")
    (tmp_path / "code.py").write_text("a = 1\n")
    before = run.source()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "compatibility.md").write_text("new")
    (tmp_path / "tests" / "matrix" / "records").mkdir(parents=True)
    (tmp_path / "tests" / "matrix" / "records" / "py311-torch20.json").write_text("{}")
    (tmp_path / "README.md").write_text("new")
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "run").write_text("tox run")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=b", "commit", "-q", "-m", "all of it")
    assert run.source() == before
    clean = recording.commit(tmp_path)
    assert clean == git("rev-parse", "HEAD")[:12]
    (tmp_path / "README.md").write_text("newer")
    (tmp_path / "tests" / "matrix" / "records" / "py311-torch20.json").write_text("[]")
    assert run.source() == before
    assert recording.commit(tmp_path) == clean
    (tmp_path / "docs" / "plugin-guide.md").write_text("its commands are run")
    assert run.source() != before
    (tmp_path / "docs" / "plugin-guide.md").unlink()
    (tmp_path / "code.py").write_text("a = 2\n")
    assert run.source() != before
    assert recording.commit(tmp_path) == f"{clean}+changes"
    (tmp_path / "code.py").write_text("a = 1\n")
    assert recording.commit(tmp_path) == clean
    (tmp_path / "beside.py").write_text("b = 1\n")
    assert run.source() != before
    assert recording.commit(tmp_path) == f"{clean}+changes"
