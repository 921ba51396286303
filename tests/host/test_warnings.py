"""Warnings that count: how many a bundle has, and who says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import logexport
import pytest
from logexport.bundle import Bundle, proof_text
from logexport.checks.counted import COUNTED
from logexport.cli import main
from logexport.cli.results import check_table
from logexport.detect import open_model
from logexport.errors import BundleError, CheckFailedError
from logexport.host import Host
from logexport.publishing.reports import counted_warnings, is_warned
from logexport.types import CheckResult, RunResult
from logexport.verdicts.options import DetectOptions

from tests.host.exports import Job, hosted, tiny
from tests.host.test_proof import other

pytestmark = pytest.mark.torch

KNOWN = [f"event {name} happened" for name in "abcd"]
REPLAY = "CheckResult('mine', 'passed', engine='replay')"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job.make(tmp_path / "job")


def full_host(job: Job) -> Host:
    """A host whose exports are proven in full: by a plugin that says so of an engine of its own."""
    return hosted(job.directory, tiny(), other(REPLAY, engine=True))


def log_of(job: Job, known: int, unknown: int) -> Path:
    path = job.directory / "replay.log"
    lines = [KNOWN[number % 4] for number in range(known)] + ["nobody knows"] * unknown
    path.write_text("\n\n".join(lines), encoding="utf-8")
    return path


def run_on(job: Job, host: Host, known: int, unknown: int) -> RunResult:
    return logexport.run(job.request(replay=log_of(job, known, unknown)), host=host)


def named(checks: Sequence[CheckResult], name: str) -> CheckResult:
    (check,) = [check for check in checks if check.name == name]
    return check


def set_templates(job: Job, *templates: str) -> None:
    job.vocab.write_text(json.dumps({text: index for index, text in enumerate(templates)}))


def manifest(job: Job) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((job.bundle / "manifest.json").read_text())
    return document


def test_a_vocabulary_that_knows_no_line_of_the_log_is_not_published_with_any_proof(
    job: Job,
) -> None:
    host = full_host(job)
    assert run_on(job, host, 40, 0).proof == "full"
    before = manifest(job)
    with pytest.raises(CheckFailedError) as caught:
        run_on(job, host, 0, 40)
    check = named(caught.value.checks, "known_lines")
    assert check.status == "failed"
    assert check.figures["records"] == 40
    assert check.figures["known"] == 0
    assert "--preprocess" in check.message
    assert [one.name for one in caught.value.checks if one.status == "failed"] == ["known_lines"]
    assert manifest(job) == before


def test_few_known_lines_are_a_warning_beside_the_proof_and_in_the_manifest(job: Job) -> None:
    result = run_on(job, full_host(job), 10, 5)
    check = named(result.models[0].checks, "known_lines")
    assert check.status == "passed"
    assert is_warned(check)
    assert (result.proof, result.warnings) == ("full", 1)
    bundle = Bundle.load(job.bundle)
    assert bundle.warnings == bundle.model("tiny").warnings == 1
    assert bundle.manifest["schema_version"] == 2
    # The bundle may go where the log may not.
    assert "nobody knows" not in (job.bundle / "validation.json").read_text()


# --- which warnings count -------------------------------------------------------------------------


def test_a_plugins_own_check_may_warn_and_is_shown_but_not_counted(job: Job) -> None:
    names = [*sorted(COUNTED), "own_check"]
    checks = ", ".join(f"CheckResult({name!r}, 'passed', warnings=({name!r},))" for name in names)
    host = hosted(job.directory, tiny(), other(f"{REPLAY}, {checks}", engine=True))
    result = logexport.run(job.request(), host=host)
    assert (result.proof, result.warnings) == ("full", 0)
    assert set(names) <= set(result.models[0].warnings)
    assert "warned" not in check_table(result.models[0].checks)


def test_of_the_hosts_checks_only_those_of_the_list_that_passed_count() -> None:
    def check(name: str, status: Any = "passed", plugin: str = "logexport") -> CheckResult:
        return CheckResult(name, status, message="m", warnings=("w", "v"), plugin=plugin)

    for name in COUNTED:
        assert counted_warnings([check(name)]) == [f"{name}: w", f"{name}: v"]
        assert counted_warnings([check(name, "failed"), check(name, "skipped")]) == []
        assert counted_warnings([check(name, plugin="tiny")]) == []
    assert counted_warnings([check("batch_independence"), check("parity_log")]) == []


def test_a_proof_is_said_with_the_number_of_its_warnings() -> None:
    assert [proof_text("full", number) for number in (None, 0, 1, 2)] == [
        "full", "full", "full, 1 warning", "full, 2 warnings",
    ]  # fmt: skip


# --- who says so ----------------------------------------------------------------------------------


@pytest.fixture
def warned(job: Job, capsys: pytest.CaptureFixture[str]) -> Job:
    """A bundle of proof full with two warnings: unknown lines, and a template that says nothing."""
    set_templates(job, "<*> <*>", *KNOWN[:3])
    log = job.directory / "replay.log"
    log.write_text("\n".join(["event a happened", "is it", "four words are unknown"] * 40))
    result = logexport.run(job.request(replay=log), host=full_host(job))
    assert (result.proof, result.warnings) == ("full", 2)
    capsys.readouterr()
    return job


def test_run_ends_with_the_warnings_that_count_and_their_remedies(
    job: Job, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    host = full_host(job)
    monkeypatch.setattr("logexport.host.default_host", lambda: host)
    words = [
        "run", "--model", "tiny", "--checkpoint", job.checkpoint, "--vocab", job.vocab,
        "--replay", log_of(job, 20, 20), "--output-dir", job.bundle,
    ]  # fmt: skip
    assert main(list(map(str, words))) == 0
    out, err = capsys.readouterr()
    assert "known_lines" in out
    assert "warned" in out
    assert "proof: full, 1 warning" in out.splitlines()[-1]
    assert "--preprocess" not in out
    last = err.splitlines()[-1]
    assert "known_lines" in last
    assert "--preprocess" in last

    assert main([*map(str, words), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["proof"], document["warnings"]) == ("full", 1)
    (model,) = document["models"]
    assert len(model["counted_warnings"]) == 1
    assert {check["status"] for check in model["checks"]} <= {"passed", "skipped"}

    words[words.index("--replay") + 1] = log_of(job, 0, 40)
    assert main(list(map(str, words))) == 1
    out, err = capsys.readouterr()
    assert "known_lines" in err
    assert "--preprocess" in out


def test_inspect_and_verify_say_proof_and_number_and_keep_the_status(
    warned: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("inspect", "verify"):
        assert main([command, str(warned.bundle)]) == 0
        out, err = capsys.readouterr()
        assert "proof full, 2 warnings" in out
        assert out.count(" warned ") == (2 if command == "inspect" else 1)
        assert "logexport templates" in out + err
        assert main([command, str(warned.bundle), "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert (document["proof"], document["warnings"]) == ("full", 2)
        assert '"warned"' not in json.dumps(document)
    assert main(["inspect", str(warned.bundle), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"]["tiny"]["warnings"] == 2


def test_who_requires_the_proof_refuses_warnings_or_allows_them(warned: Job) -> None:
    required = DetectOptions(require_proof=True)
    with pytest.raises(BundleError, match="proof full, 2 warnings") as caught:
        open_model(warned.bundle, required)
    assert "--allow-warnings" in caught.value.remedy
    allowed = DetectOptions(require_proof=True, allow_warnings=True)
    assert open_model(warned.bundle, allowed).warnings == 2


# --- the manifest of version 1 --------------------------------------------------------------------


def as_version_1(bundle: Path) -> None:
    """Make the manifest what it would be if an earlier release had written it."""
    path = bundle / "manifest.json"
    document = json.loads(path.read_text())
    document["schema_version"] = 1
    for holder in (document, *document["models"].values()):
        del holder["warnings"]
    path.write_text(json.dumps(document))


def test_a_manifest_of_version_1_is_taken_by_its_proof_alone(
    warned: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    as_version_1(warned.bundle)
    bundle = Bundle.load(warned.bundle)
    assert bundle.warnings is None
    model = open_model(warned.bundle, DetectOptions(require_proof=True))
    assert model.warnings is None
    assert model.is_fully_proven
    for command in ("inspect", "verify"):
        assert main([command, str(warned.bundle)]) == 0
        assert "proof full\n" in capsys.readouterr().out
        assert main([command, str(warned.bundle), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["warnings"] is None


def test_nobody_counted_the_warnings_of_a_model_that_is_kept_from_version_1(job: Job) -> None:
    host = hosted(job.directory, tiny(), tiny("other"), other(REPLAY, engine=True))
    logexport.run(job.request(["other"], replay=log_of(job, 1, 1)), host=host)
    counted = Path(shutil.copytree(job.bundle, job.directory / "counted"))
    as_version_1(job.bundle)
    result = logexport.run(job.request(replay=log_of(job, 1, 1)), host=host)
    models = manifest(job)["models"]
    assert (models["other"]["warnings"], models["tiny"]["warnings"]) == (None, 1)
    assert (result.warnings, Bundle.load(job.bundle).warnings) == (1, 1)
    required = DetectOptions(model="other", require_proof=True)
    assert open_model(job.bundle, required).warnings is None

    shutil.rmtree(job.bundle)
    counted.rename(job.bundle)
    assert logexport.run(job.request(replay=log_of(job, 1, 1)), host=host).warnings == 2
    assert manifest(job)["models"]["other"]["warnings"] == 1
