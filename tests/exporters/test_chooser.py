"""Which strategy is taken under which torch, and what is said where none can be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from logexport.errors import PluginError, StrategyUnavailableError
from logexport.exporters import (
    BUILTIN_STRATEGIES,
    Availability,
    ExportLog,
    ExportStrategy,
    TorchEnvironment,
    choose,
    explain,
    known_rows,
)
from logexport.exporters.table import (
    ANY,
    CONVOLUTIONAL,
    NEWEST,
    RECURRENT,
    RELEASES,
    ROWS,
)
from packaging.version import Version

from tests.exporters.cases import COMMON_KEYWORDS, simulated

BEFORE_DYNAMO = ["1.13.1", "2.0.1", "2.1.2", "2.2.2", "2.3.1"]
DYNAMO_NOT_RIGHT_YET = [
    *("2.4.1", "2.5.1", "2.6.0", "2.7.1", "2.8.0", "2.9.1", "2.10.0", "2.11.0", "2.12.1")
]
BOTH = ["2.13.0", "2.14.1", "2.15.0"]
NEWER = f"{NEWEST[0]}.{NEWEST[1] + 1}.0"


def taken(env: TorchEnvironment, **request: Any) -> list[tuple[str, int]]:
    return [(c.strategy.name, c.opset) for c in choose(env, BUILTIN_STRATEGIES, **request)]


def test_what_is_taken_is_stated_for_every_release_of_the_table() -> None:
    assert [release.version for release in RELEASES.values()] == [
        *BEFORE_DYNAMO,
        *DYNAMO_NOT_RIGHT_YET,
        *BOTH,
    ]


@pytest.mark.parametrize("version", BEFORE_DYNAMO + DYNAMO_NOT_RIGHT_YET)
def test_auto_takes_torchscript_alone_where_dynamo_is_absent_or_wrong(version: str) -> None:
    assert taken(simulated(version)) == [("torchscript", 17)]


@pytest.mark.parametrize("version", BOTH)
def test_auto_prefers_torchscript_and_falls_to_dynamo_where_both_are(version: str) -> None:
    assert taken(simulated(version)) == [("torchscript", 17), ("dynamo", 18)]


@pytest.mark.parametrize("version", BEFORE_DYNAMO + DYNAMO_NOT_RIGHT_YET)
def test_dynamo_by_name_is_refused_with_the_reason_and_the_way_out(version: str) -> None:
    with pytest.raises(StrategyUnavailableError, match=r"'dynamo' is not usable here: .*torch"):
        taken(simulated(version), exporter="dynamo")
    with pytest.raises(StrategyUnavailableError) as raised:
        taken(simulated(version), exporter="dynamo", opset=18)
    assert "--exporter torchscript" in raised.value.remedy


def test_2_5_is_refused_for_what_was_seen_not_for_a_keyword() -> None:
    env = simulated("2.5.1")
    assert {"dynamo", "dynamic_shapes"} <= env.keywords
    (_, dynamo) = explain(env, BUILTIN_STRATEGIES)
    assert not dynamo.usable
    assert dynamo.tested
    assert "recurrent" in dynamo.reason
    assert "bound to the traced length" in dynamo.reason


def test_a_strategy_by_name_is_the_only_choice() -> None:
    assert taken(simulated("2.13.0"), exporter="dynamo") == [("dynamo", 18)]
    assert taken(simulated("2.13.0"), exporter="torchscript", opset=11) == [("torchscript", 11)]


@pytest.mark.parametrize(
    ("version", "opset", "expected"),
    [
        ("1.13.1", 11, ["torchscript"]),
        ("2.0.1", 17, ["torchscript"]),
        ("2.4.1", 20, ["torchscript"]),
        ("2.13.0", 11, ["torchscript"]),
        ("2.13.0", 17, ["torchscript"]),
        ("2.13.0", 18, ["torchscript", "dynamo"]),
        ("2.13.0", 20, ["torchscript", "dynamo"]),
    ],
)
def test_an_opset_leaves_the_strategies_that_offer_it(
    version: str, opset: int, expected: list[str]
) -> None:
    assert taken(simulated(version), opset=opset) == [(name, opset) for name in expected]


@pytest.mark.parametrize(
    ("version", "exporter", "opset", "offered"),
    [
        ("1.13.1", "auto", 18, "torchscript offers opset 11 to 17"),
        ("2.0.1", "auto", 18, "torchscript offers opset 11 to 17"),
        ("2.3.1", "auto", 18, "torchscript offers opset 11 to 17"),
        ("2.13.0", "auto", 21, "torchscript offers opset 11 to 20; dynamo offers opset 18 to 20"),
        ("2.13.0", "auto", 10, "torchscript offers opset 11 to 20; dynamo offers opset 18 to 20"),
        ("2.13.0", "dynamo", 17, "dynamo does not offer opset 17: dynamo offers opset 18 to 20"),
    ],
)
def test_an_opset_that_nothing_offers_is_an_error_saying_which_are(
    version: str, exporter: str, opset: int, offered: str
) -> None:
    with pytest.raises(StrategyUnavailableError) as raised:
        taken(simulated(version), exporter=exporter, opset=opset)
    assert offered in str(raised.value)
    assert f"opset {opset}" in str(raised.value)


def test_an_opset_of_another_strategy_is_pointed_out() -> None:
    with pytest.raises(StrategyUnavailableError) as raised:
        taken(simulated("2.13.0"), exporter="dynamo", opset=17)
    assert "--exporter torchscript" in raised.value.remedy


def test_an_unknown_strategy_lists_the_names() -> None:
    with pytest.raises(StrategyUnavailableError) as raised:
        taken(simulated("2.13.0"), exporter="onnxscript")
    assert raised.value.remedy == "Choose one of: auto, torchscript, dynamo."


def test_auto_falls_to_dynamo_where_torchscript_is_gone() -> None:
    env = simulated(NEWER, torchscript=False)
    (choice,) = choose(env, BUILTIN_STRATEGIES)
    assert (choice.strategy.name, choice.opset) == ("dynamo", 18)
    assert f"torchscript is not usable: torch {NEWER} has no TorchScript exporter" in choice.reason
    assert "untested" in choice.reason
    with pytest.raises(StrategyUnavailableError, match="no TorchScript exporter any more"):
        taken(env, exporter="torchscript")


def test_a_torch_newer_than_the_table_is_judged_by_its_signature_and_called_untested() -> None:
    env = simulated("3.0.0")
    assert env.release > NEWEST
    reports = explain(env, BUILTIN_STRATEGIES)
    assert [(r.name, r.usable, r.tested) for r in reports] == [
        ("torchscript", True, False),
        ("dynamo", True, False),
    ]
    assert all("untested: torch 3.0.0 is newer" in report.reason for report in reports)
    assert known_rows(env) == ()


def test_a_newer_torch_that_nothing_can_be_done_with_is_called_untested_too() -> None:
    for env in (
        simulated(NEWER, required=frozenset({"quantum"})),
        simulated(NEWER, keywords=frozenset({"model", "args", "f"})),
    ):
        for report in explain(env, BUILTIN_STRATEGIES):
            assert (report.usable, report.tested) == (False, False)
            assert report.reason.endswith(f"; torch {NEWER} is newer than logexport knows")


@pytest.mark.parametrize(
    ("version", "why"),
    [
        (f"{NEWER}.dev20270101+cpu", "is newer than logexport knows"),
        ("2.13.0rc1+cu128", "is a pre-release"),
        ("2.15.0a0+git1234567", "is a pre-release"),
        ("1.14.0a0+44dac51", "is no release that logexport knows"),
    ],
)
def test_a_torch_that_nobody_tested_is_called_untested(version: str, why: str) -> None:
    for report in explain(simulated(version), BUILTIN_STRATEGIES):
        assert not report.tested
        assert f"torch {version} {why}" in report.reason


def test_a_build_or_a_patch_of_a_known_release_is_that_release() -> None:
    for version in ("2.13.0+cu128", "2.13.1"):
        assert all(report.tested for report in explain(simulated(version), BUILTIN_STRATEGIES))
        assert known_rows(simulated(version))


def test_a_torch_between_two_releases_has_the_opsets_of_the_older() -> None:
    with pytest.raises(StrategyUnavailableError, match="torchscript offers opset 11 to 17"):
        taken(simulated("1.14.0a0+44dac51"), opset=18)


def test_a_numpy_that_torch_cannot_use_is_a_sentence_that_says_what_to_install() -> None:
    with pytest.raises(StrategyUnavailableError, match=r"cannot use the installed numpy: pip.*'"):
        taken(simulated("2.2.2", arrays=False))


def test_a_newer_torch_without_the_keyword_dynamo_has_dynamo_only() -> None:
    env = simulated(NEWER)
    env = replace(env, keywords=env.keywords - {"dynamo"}, dynamo_default=None)
    (choice,) = choose(env, BUILTIN_STRATEGIES)
    assert choice.strategy.name == "dynamo"
    assert "no keyword dynamo to ask for TorchScript with" in choice.reason


def test_an_unknown_optional_keyword_changes_nothing() -> None:
    env = simulated(NEWER)
    assert taken(replace(env, keywords=env.keywords | {"quantum"})) == taken(env)


def test_an_unknown_required_argument_is_a_sentence_that_names_it() -> None:
    env = simulated(NEWER, required=frozenset({"quantum"}))
    with pytest.raises(StrategyUnavailableError) as raised:
        taken(env)
    assert "requires an argument that this strategy does not know: quantum" in str(raised.value)
    assert f"torch {NEWER}" in str(raised.value)


def test_an_argument_without_a_default_hinders_only_who_does_not_give_it() -> None:
    both = simulated(NEWER, required=frozenset({"input_names", "opset_version", "dynamo"}))
    assert taken(both) == [("torchscript", 17), ("dynamo", 18)]
    one = simulated(NEWER, required=frozenset({"dynamic_shapes"}))
    assert taken(one) == [("dynamo", 18)]
    other = simulated(NEWER, required=frozenset({"dynamic_axes"}))
    assert taken(other) == [("torchscript", 17)]


def test_a_signature_with_neither_way_is_a_sentence() -> None:
    env = simulated(NEWER, keywords=frozenset({"model", "args", "f", "opset_version"}))
    with pytest.raises(StrategyUnavailableError, match="no export strategy is usable here"):
        taken(env)


def test_a_torch_older_than_1_13_is_refused() -> None:
    env = TorchEnvironment(torch=Version("1.12.1"), keywords=COMMON_KEYWORDS)
    with pytest.raises(StrategyUnavailableError, match=r"torch 1\.12\.1 is older than 1\.13"):
        taken(env)


def test_dynamo_without_onnxscript_says_what_to_install() -> None:
    env = simulated("2.13.0", onnxscript=None)
    assert taken(env) == [("torchscript", 17)]
    with pytest.raises(StrategyUnavailableError, match=r"needs the package onnxscript.*pip"):
        taken(env, exporter="dynamo")


def test_dynamo_with_an_onnxscript_that_is_too_old_says_what_to_install() -> None:
    env = simulated("2.14.1", onnxscript=Version("0.6.1"))
    assert taken(env) == [("torchscript", 17)]
    with pytest.raises(
        StrategyUnavailableError, match=r"needs onnxscript 0\.6\.2 or later and 0\.6\.1 is .*pip"
    ):
        taken(env, exporter="dynamo")


def test_every_choice_has_a_reason_and_explain_agrees_with_choose() -> None:
    env = simulated("2.13.0")
    choices = choose(env, BUILTIN_STRATEGIES)
    assert choices[0].reason.startswith("auto takes it first; torch 2.13.0 has it")
    assert choices[1].reason.startswith("if torchscript should fail")
    by_place = sorted(
        (r for r in explain(env, BUILTIN_STRATEGIES) if r.auto is not None),
        key=lambda report: report.auto or 0,
    )
    assert [r.name for r in by_place] == [choice.strategy.name for choice in choices]


def test_known_rows_are_those_of_this_torch() -> None:
    notes = {row.construct for row in known_rows(simulated("2.13.0"))}
    assert "LSTM with batch_first=False" in notes
    assert "Tensor.unflatten" not in notes
    assert "Tensor.unflatten" in {row.construct for row in known_rows(simulated("1.13.1"))}


@pytest.mark.parametrize("construct", [RECURRENT, CONVOLUTIONAL])
@pytest.mark.parametrize("strategy", ["torchscript", "dynamo"])
@pytest.mark.parametrize("release", RELEASES.values(), ids=lambda release: release.version)
def test_every_release_has_one_verdict_on_each_strategy_for_each_kind_of_model(
    release: Any, strategy: str, construct: str
) -> None:
    verdicts = {
        row.verdict
        for row in known_rows(simulated(release.version))
        if row.strategy == strategy and row.construct in (ANY, construct)
    }
    assert len(verdicts) == 1


def test_every_row_says_how_it_was_checked() -> None:
    assert {row.checked for row in ROWS} == {"matrix", "run"}
    assert all(row.note for row in ROWS)


# --- strategies of plugins ------------------------------------------------------------------------


@dataclass(frozen=True)
class Foreign:
    """A strategy as a plugin would write it."""

    name: str = "foreign"
    offered: tuple[int, ...] = (21, 22)
    default: int = 21
    broken: bool = False

    def availability(self, env: TorchEnvironment) -> Availability:
        if self.broken:
            raise RuntimeError("the plugin is broken")
        return Availability(True, "always there")

    def opsets(self, env: TorchEnvironment) -> tuple[int, ...]:
        return self.offered

    def default_opset(self, env: TorchEnvironment) -> int:
        return self.default

    def export(self, module: Any, dummy: Any, opset: int, path: Path) -> ExportLog:
        raise NotImplementedError


def test_strategies_of_plugins_come_last_in_auto_and_can_be_named() -> None:
    env = simulated("2.13.0")
    strategies = (*BUILTIN_STRATEGIES, Foreign())
    assert isinstance(strategies[-1], ExportStrategy)
    assert [c.strategy.name for c in choose(env, strategies)] == [
        "torchscript",
        "dynamo",
        "foreign",
    ]
    (choice,) = choose(env, strategies, "foreign")
    assert choice.opset == 21
    assert [c.strategy.name for c in choose(env, strategies, opset=22)] == ["foreign"]


def test_a_broken_strategy_of_a_plugin_is_left_out_and_named() -> None:
    env = simulated("2.13.0")
    strategies = (*BUILTIN_STRATEGIES, Foreign(broken=True))
    assert [c.strategy.name for c in choose(env, strategies)] == ["torchscript", "dynamo"]
    report = explain(env, strategies)[-1]
    assert not report.usable
    assert "RuntimeError: the plugin is broken" in report.reason


def test_a_default_opset_that_is_not_offered_makes_a_strategy_unusable() -> None:
    report = explain(simulated("2.13.0"), [Foreign(default=30)])[0]
    assert not report.usable
    assert "default opset 30" in report.reason


@pytest.mark.parametrize("name", ["dynamo", "auto"])
def test_a_name_that_is_taken_is_an_error(name: str) -> None:
    with pytest.raises(PluginError, match=name):
        choose(simulated("2.13.0"), (*BUILTIN_STRATEGIES, Foreign(name=name)))


def test_something_that_is_no_strategy_is_an_error() -> None:
    with pytest.raises(PluginError, match="returned str, not a list of ExportStrategy"):
        choose(simulated("2.13.0"), (*BUILTIN_STRATEGIES, "tensorrt"))  # type: ignore[arg-type]


# --- the installed torch --------------------------------------------------------------------------


@pytest.mark.torch
def test_the_table_agrees_with_the_signature_of_the_installed_torch() -> None:
    env = TorchEnvironment.installed()
    release = RELEASES.get(env.release)
    if release is None:
        pytest.skip(f"torch {env.torch} is not in the table")
    assert env.dynamo_default == release.dynamo
    for keyword in ("dynamic_shapes", "external_data", "fallback"):
        assert (keyword in env.keywords) == getattr(release, keyword), keyword
    assert env.torchscript
    assert env.required == frozenset()
