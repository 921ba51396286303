"""The engine's plugin: what it proves after an export, and that no fault of it is a pass."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import logexport
import pytest
from logexport.bundle import Bundle
from logexport.checks.counted import COUNTED
from logexport.errors import CheckFailedError
from logexport.types import CheckResult, ExportRequest

pytestmark = pytest.mark.torch

NAMES = ("engine_tensors", "replay", "engine_selftest")


def run(output: Path, native: str = "auto", **more: Any) -> logexport.RunResult:
    return logexport.run(
        ExportRequest(["deeplog"], output_dir=output, options={"native": native}, **more)
    )


def engine_checks(checks: tuple[CheckResult, ...]) -> dict[str, CheckResult]:
    return {check.name: check for check in checks if check.name in NAMES}


def pretend(monkeypatch: pytest.MonkeyPatch, directory: Path, script: str) -> None:
    """Let a program of the test's be the engine."""
    program = directory / "engine"
    program.write_text(f"#!{sys.executable}\n{script}")
    program.chmod(0o755)
    monkeypatch.setenv("LOGEXPORT_ENGINE", str(program))


def test_the_sample_is_proven_in_full_without_a_warning(tmp_path: Path) -> None:
    result = run(tmp_path / "bundle", "require")
    assert result.proof == "full"
    assert [check.warnings for check in result.models[0].checks if check.warnings] == []
    of_log = {check.name: check for check in result.models[0].checks if check.name in COUNTED}
    passed = {name for name, check in of_log.items() if check.status == "passed"}
    assert passed == COUNTED - {"training_events"}  # no training log ships with it
    checks = engine_checks(result.models[0].checks)
    assert {check.status for check in checks.values()} == {"passed"}
    assert {check.plugin for check in checks.values()} == {"native"}
    figures = checks["replay"].figures
    assert figures["log"] == "sample.log"
    assert figures["differ"] == 0
    assert figures["lines"] == figures["matched"] + figures["unseen"] > 1000  # type: ignore[operator]
    assert figures["scored"] > 1000  # type: ignore[operator]
    assert checks["engine_tensors"].figures["values"] > 1000  # type: ignore[operator]
    found = faults_found(tmp_path / "bundle")
    assert len(found) == 19
    assert sum(found.values()) >= 17


def faults_found(bundle: Path) -> dict[int, bool]:
    """For each planted fault of the sample's log whether a line of it is flagged."""
    sample = files("logexport_deeplog") / "sample"
    lines = command("detect", bundle, sample / "sample.log", "--engine", "native").splitlines()
    flagged = {
        record["line"] for record in map(json.loads, lines) if record["verdict"] == "anomaly"
    }
    found: dict[int, bool] = {}
    for entry in map(json.loads, (sample / "sample.faults.jsonl").read_text().splitlines()):
        occurrence = entry["occurrence"]
        found[occurrence] = found.get(occurrence, False) or entry["line"] in flagged
    return found


def test_off_skips_the_engine_and_the_proof_says_so(tmp_path: Path) -> None:
    result = run(tmp_path / "bundle", "off")
    assert result.proof == "no_native"
    assert Bundle.load(tmp_path / "bundle").proof == "no_native"
    for check in engine_checks(result.models[0].checks).values():
        assert check.status == "skipped"
        assert "--native off" in check.message


def test_without_an_engine_auto_skips_with_how_to_get_it_and_require_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logexport_native.checks.find_engine", lambda: None)
    result = run(tmp_path / "bundle", "auto")
    assert result.proof == "no_native"
    assert all(
        check.status == "skipped" and "libpcre2-dev" in check.message
        for check in engine_checks(result.models[0].checks).values()
    )
    with pytest.raises(CheckFailedError):
        run(tmp_path / "other", "require")
    assert not (tmp_path / "other").exists()


def test_an_engine_that_is_named_but_is_no_program_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGEXPORT_ENGINE", str(tmp_path / "nothing"))
    with pytest.raises(CheckFailedError) as caught:
        run(tmp_path / "bundle")
    assert "LOGEXPORT_ENGINE" in engine_checks(caught.value.checks)["replay"].message


CRASH = "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"
HANG = "import time\ntime.sleep(600)\n"
# The real engine, but its verdicts' ranks are one off: what a wrong window would look like.
WRONG = """
import re, subprocess, sys
done = subprocess.run([{real!r}, *sys.argv[1:]], capture_output=True)
out = done.stdout
if sys.argv[1] == "detect":
    out = re.sub(rb'"rank": 0', b'"rank": 1', out)
sys.stdout.buffer.write(out)
sys.stderr.buffer.write(done.stderr)
sys.exit(done.returncode)
"""
# The real engine, but it stops one verdict short.
SHORT = WRONG.replace(
    """out = re.sub(rb'"rank": 0', b'"rank": 1', out)""",
    "out = b'\\n'.join(out.split(b'\\n')[:-2]) + b'\\n'",
)


@pytest.mark.parametrize("fault", ["crash", "hang", "wrong", "short"])
def test_a_fault_of_the_engine_is_a_failed_check_and_publishes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    from logexport_native.program import find_engine

    real = find_engine()
    assert real is not None, "the engine is not built: make -C native"
    scripts = {"crash": CRASH, "hang": HANG, "wrong": WRONG, "short": SHORT}
    pretend(monkeypatch, tmp_path, scripts[fault].format(real=real[0]))
    if fault == "hang":
        monkeypatch.setattr("logexport.engine.PROBE_SECONDS", 1)
        monkeypatch.setattr("logexport_native.checks.START_SECONDS", 1)
        monkeypatch.setattr("logexport_native.checks.SECONDS_A_BYTE", 0)
    with pytest.raises(CheckFailedError) as caught:
        run(tmp_path / "bundle")
    replay = engine_checks(caught.value.checks)["replay"]
    assert replay.status == "failed"
    assert {
        "crash": "ended by signal 11",
        "hang": "did not end within 1 s",
        "wrong": "verdicts differ",
        "short": "1 of ",
    }[fault] in replay.message
    assert not (tmp_path / "bundle").exists()
    if fault == "wrong":
        first = replay.figures["first"]
        assert isinstance(first, list)
        assert len(first) == 3
        assert isinstance(first[0], dict)
        assert '"rank": 0' in str(first[0]["reference"])
        assert '"rank": 1' in str(first[0]["engine"])


def test_too_few_scored_lines_are_skipped_never_passed(tmp_path: Path) -> None:
    log = tmp_path / "short.log"
    sample = files("logexport_deeplog") / "sample" / "sample.log"
    log.write_bytes(b"".join(sample.read_bytes().splitlines(keepends=True)[:40]))
    result = run(tmp_path / "bundle", replay=log)
    replay = engine_checks(result.models[0].checks)["replay"]
    assert replay.status == "skipped"
    assert "fewer than the 100" in replay.message
    assert result.proof == "no_native"


def copy_sample(directory: Path) -> dict[str, Path]:
    sample = files("logexport_deeplog") / "sample"
    for name in ("deeplog.pth", "vocab.json", "preprocess.json"):
        (directory / name).write_bytes((sample / name).read_bytes())
    return {"checkpoint": directory / "deeplog.pth", "vocab": directory / "vocab.json"}


def test_without_any_log_one_is_made_from_the_vocabulary(tmp_path: Path) -> None:
    result = run(tmp_path / "bundle", **copy_sample(tmp_path))
    replay = engine_checks(result.models[0].checks)["replay"]
    assert replay.status == "passed"
    assert "made from" in str(replay.figures["log"])
    assert replay.figures["unseen"] > 0  # type: ignore[operator]
    assert result.proof == "full"


def command(*words: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "logexport", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_training_log_is_replayed_where_logexport_parsed_it(tmp_path: Path) -> None:
    lines = (files("logexport_deeplog") / "sample" / "sample.log").read_bytes().splitlines(True)
    log = tmp_path / "train.log"
    log.write_bytes(b"".join(lines[:300]) + b"\n\r\n" + b"".join(lines[300:400]))
    directory = tmp_path / "job"
    command("parse", log, "-o", directory)
    command("deeplog", "build", "--parsed", directory / "parsed.parquet", "-o", directory)
    command(
        "deeplog", "train", "--sequences", directory / "sequences.parquet",
        "--vocab", directory / "vocab.json", "-o", directory / "deeplog.pth",
        "--epochs", 1, "--seq-len", 5, "--embed-dim", 4, "--hidden-dim", 8,
    )  # fmt: skip
    result = run(tmp_path / "bundle", checkpoint=directory / "deeplog.pth")
    checks = {check.name: check for check in result.models[0].checks}
    assert checks["training_events"].figures["differ"] == 0
    assert checks["replay"].figures["log"] == "parsed.parquet"
    assert checks["replay"].figures["lines"] == 402
    assert checks["replay"].status == "passed"


def test_verify_and_doctor_use_the_engine(tmp_path: Path) -> None:
    run(tmp_path / "bundle")

    checks = json.loads(command("verify", tmp_path / "bundle", "--json"))["models"]["deeplog"]
    assert {"engine_selftest": "passed"}.items() <= {c["name"]: c["status"] for c in checks}.items()
    engine = json.loads(command("doctor", "--json"))["engine"]
    assert engine["state"] == "ok"
    assert Path(engine["program"]).is_file()
