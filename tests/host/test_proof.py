"""What makes a proof full: a replay by the engine in use, and nothing that calls itself one."""

from __future__ import annotations

import logexport
import pytest
from logexport.bundle import Bundle
from logexport.errors import PluginError

from tests.host.exports import Job, hosted, tiny

CHECKS = """
from logexport import hookimpl
from logexport.types import CheckResult
logexport_api = 1
MARK = {mark!r}


@hookimpl
def validate():
    return [{checks}]
"""
ENGINE = """

@hookimpl
def engine_command():
    return ["/bin/true"]
"""


def other(checks: str, mark: str = "", engine: bool = False) -> str:
    """A plugin without a model type, with these checks and, if wanted, an engine of its own."""
    return CHECKS.format(checks=checks, mark=mark) + (ENGINE if engine else "")


def proof(job: Job, *plugins: str) -> tuple[str, list[dict[str, object]]]:
    """The proof of an export beside these plugins, and the checks in validation.json."""
    result = logexport.run(job.request(), host=hosted(job.directory, tiny(), *plugins))
    bundle = Bundle.load(job.bundle)
    assert bundle.proof == result.proof
    return result.proof, list(bundle.validation["tiny"]["checks"])


@pytest.fixture
def job(tmp_path) -> Job:
    return Job.make(tmp_path / "job")


@pytest.mark.torch
@pytest.mark.parametrize("name", ["replay", "engine_tensors", "engine_selftest"])
def test_a_check_that_is_named_like_the_engines_proves_nothing(job: Job, name: str) -> None:
    said, checks = proof(job, other(f"CheckResult({name!r}, 'passed')"))
    assert said == "no_native"
    assert [check["engine"] for check in checks if check["name"] == name] == [None]


@pytest.mark.torch
def test_a_replay_without_an_engine_of_ones_own_does_not_count_and_is_warned_of(job: Job) -> None:
    said, checks = proof(job, other("CheckResult('mine', 'passed', engine='replay')"))
    assert said == "no_native"
    (mine,) = [check for check in checks if check["name"] == "mine"]
    assert mine["engine"] is None
    assert "does not count for the proof" in str(mine["warnings"])


@pytest.mark.torch
def test_a_replay_by_the_plugin_whose_engine_is_in_use_makes_the_proof_full(job: Job) -> None:
    said, checks = proof(job, other("CheckResult('mine', 'passed', engine='replay')", engine=True))
    assert said == "full"
    assert [check["engine"] for check in checks if check["name"] == "mine"] == ["replay"]


@pytest.mark.torch
@pytest.mark.parametrize(("status", "engine"), [("skipped", "replay"), ("passed", "tensors")])
def test_only_a_passed_replay_makes_the_proof_full(job: Job, status: str, engine: str) -> None:
    check = f"CheckResult('mine', {status!r}, message='so', engine={engine!r})"
    assert proof(job, other(check, engine=True))[0] == "no_native"


@pytest.mark.torch
def test_of_two_engines_the_one_that_is_taken_counts(job: Job) -> None:
    passed = "CheckResult('mine', 'passed', engine='replay')"
    skipped = "CheckResult('mine', 'skipped', message='so', engine='replay')"
    first = other(skipped, "first", engine=True)
    second = other(passed, "second", engine=True)
    assert proof(job, first, second)[0] == "no_native"
    assert proof(job, second, first)[0] == "full"


@pytest.mark.torch
def test_plugins_may_give_checks_of_one_name_and_each_is_reported(job: Job) -> None:
    one, two = (
        other("CheckResult('odd', 'passed')", "1"),
        other("CheckResult('odd', 'passed')", "2"),
    )
    _, checks = proof(job, one, two)
    owners = [check["plugin"] for check in checks if check["name"] == "odd"]
    assert len(set(owners)) == 2


@pytest.mark.torch
@pytest.mark.parametrize(
    ("checks", "said"),
    [
        (
            "CheckResult('odd', 'passed'), CheckResult('odd', 'passed')",
            "two of its checks are named",
        ),
        ("CheckResult('odd', 'passed', engine='all of it')", "'all of it'"),
    ],
)
def test_results_that_cannot_be_told_apart_or_understood_are_the_plugins_fault(
    job: Job, checks: str, said: str
) -> None:
    with pytest.raises(PluginError, match=said):
        proof(job, other(checks))
    assert not job.bundle.exists()
