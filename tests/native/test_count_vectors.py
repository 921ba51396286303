"""Event count vectors in the C engine: the sample, and logs whose sessions go wrong."""

from __future__ import annotations

import json
import random
from collections import Counter
from importlib.resources import files
from pathlib import Path

import logexport
import pytest
from logexport.types import ExportRequest

from tests.native.engine import engine, reference

pytestmark = pytest.mark.torch

SAMPLE = (files("logexport_ecvc") / "sample" / "sample.log").read_bytes()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> logexport.RunResult:
    bundle = tmp_path_factory.mktemp("ecvc") / "bundle"
    return logexport.run(ExportRequest(["ecvc"], output_dir=bundle, options={"native": "require"}))


def test_the_sample_is_proven_in_full_without_a_warning(exported: logexport.RunResult) -> None:
    assert exported.proof == "full"
    assert exported.warnings == 0
    checks = {check.name: check for check in exported.models[0].checks}
    assert [check.warnings for check in checks.values() if check.warnings] == []
    figures = checks["replay"].figures
    assert (figures["log"], figures["differ"]) == ("sample.log", 0)
    assert figures["verdicts"] == figures["scored"] == 493
    assert figures["anomalies"] == 13


def change(lines: list[bytes], seed: int) -> bytes:
    """Lines dropped, doubled, moved, and unseen ones in sessions."""
    chance = random.Random(seed)
    changed: list[bytes] = []
    for line in lines:
        drawn = chance.random()
        if drawn < 0.90:
            changed.append(line)
        if 0.88 < drawn < 0.92:
            changed.append(line)
        if drawn > 0.97:
            changed.append(line.replace(b" with ", b" without ").replace(b" for ", b" against "))
        if drawn > 0.99 and len(changed) > 30:
            changed.insert(-30, changed.pop())
    return b"".join(changed)


@pytest.mark.parametrize(
    ("seed", "options"), [(0, []), (1, ["--at-end", "leave"]), (2, ["--threads", "3"])]
)
def test_both_engines_say_the_same_of_sessions_that_go_wrong(
    exported: logexport.RunResult, tmp_path: Path, seed: int, options: list[str]
) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(change(SAMPLE.splitlines(keepends=True), seed))
    done = engine("detect", exported.bundle, log, "--session-summary", *options)
    assert done.returncode == 0, done.stderr
    at_end = "leave" if "leave" in options else "close"
    theirs = reference(exported.bundle, log.read_bytes(), session_summary=True, at_end=at_end)
    assert done.stdout == theirs
    records = [json.loads(line) for line in theirs.splitlines()]
    scored = [record for record in records if "score" in record]
    verdicts = Counter(record["verdict"] for record in scored)
    assert min(verdicts["normal"], verdicts["anomaly"]) > 50
    assert any(record["top"][0]["template"] is None for record in scored if record["top"])
