"""pyproject.toml has lower bounds only, and the environment ``lowest`` installs them."""

from __future__ import annotations

import re
from importlib import metadata

import pytest
from logexport.exporters.dynamo import LOWEST_ONNXSCRIPT
from packaging.requirements import Requirement
from packaging.version import Version

from tests.matrix import recording
from tests.matrix.lowest import lowest


def requirements() -> list[Requirement]:
    """Every requirement of the package, extras included, and those of its build."""
    text = (recording.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^requires = \["([^"]+)"\]$', text, re.M)
    assert found is not None, "one requirement of the build, on one line"
    return [Requirement(found[1]), *map(Requirement, metadata.requires("logexport") or ())]


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_a_requirement_has_a_lower_bound_and_no_other(requirement: Requirement) -> None:
    assert [one.operator for one in requirement.specifier] == [">="]
    (bound,) = requirement.specifier
    assert lowest(f"{requirement.name}{bound}") == f"{requirement.name}=={bound.version}"


def test_all_requirements_are_found() -> None:
    names = {requirement.name for requirement in requirements()}
    assert {"scikit-build-core", "torch", "numpy", "onnxscript", "pytest"} <= names


def test_the_lowest_onnxscript_is_what_dynamo_asks_for() -> None:
    bounds = {
        bound.version
        for one in requirements()
        if one.name == "onnxscript"
        for bound in one.specifier
    }
    assert bounds == {str(LOWEST_ONNXSCRIPT)}


@pytest.mark.parametrize(
    ("argument", "installed"),
    [
        ("torch>=1.13", "torch==1.13"),
        ("pytest-xdist>=3.5", "pytest-xdist==3.5"),
        ("logexport[train, test] >= 0.1", "logexport[train, test]==0.1"),
        ("--no-deps", "--no-deps"),
        ("/tmp/logexport-0.1.0-py3-none-any.whl", "/tmp/logexport-0.1.0-py3-none-any.whl"),  # noqa: S108
        ("numpy==1.26.4", "numpy==1.26.4"),
    ],
)
def test_lowest_turns_bounds_into_pins(argument: str, installed: str) -> None:
    assert lowest(argument) == installed


in_lowest = pytest.mark.skipif(
    recording.environment_name() != "lowest", reason="the environment lowest"
)


@in_lowest
@pytest.mark.parametrize("requirement", requirements()[1:], ids=str)
def test_the_environment_lowest_has_the_bounds_themselves(requirement: Requirement) -> None:
    (bound,) = requirement.specifier
    installed = Version(Version(metadata.version(requirement.name)).base_version)
    assert installed == Version(bound.version)


@in_lowest
def test_the_package_in_the_environment_lowest_was_built_by_the_bound_itself() -> None:
    build = requirements()[0]
    (bound,) = build.specifier
    wheel = metadata.distribution("logexport").read_text("WHEEL") or ""
    assert f"Generator: {build.name} {Version(bound.version)}" in wheel
