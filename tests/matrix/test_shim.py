"""The version shim on the installed PyTorch: what the table promises, and what it withholds."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from logexport.errors import CheckpointError, LogexportError
from logexport.exporters import (
    BUILTIN_STRATEGIES,
    DynamoStrategy,
    ExportStrategy,
    TorchEnvironment,
    choose,
    explain,
    export_with,
    known_rows,
)
from logexport.exporters.table import (
    ANY,
    CONVOLUTIONAL,
    LATER,
    RECURRENT,
    is_newer,
    nearest_release,
)

from tests.matrix import recording
from tests.matrix.cases import BY_NAME, KINDS, Kind
from tests.matrix.export import export, load, verdict

pytestmark = pytest.mark.torch

HERE = Path(__file__).resolve().parent
ENVIRONMENT = TorchEnvironment.installed()
OLD_TORCH = ENVIRONMENT.release < (2, 0)

SHOWN = ("deeplog-alog-detect", "deeplog-wuyifan18", "mscred-logexport")
"""One checkpoint of each graph: an embedded LSTM, an LSTM on numbers, the autoencoder."""

AXES = {
    "deeplog": {
        "input_sequence": {"0": "batch_size", "1": "sequence_length"},
        "predictions": {"0": "batch_size"},
    },
    "mscred": {
        name: {"0": "batch_size"}
        for name in ("input_features", "reconstructed", "reconstruction_error", "feature_error")
    },
}


def usable(name: str) -> bool:
    (report,) = (r for r in explain(ENVIRONMENT, BUILTIN_STRATEGIES) if r.name == name)
    return report.usable


def in_a_fresh_process(program: str, *arguments: object) -> Any:
    """What one of this directory's programs prints, as JSON; the last line of its output."""
    done = subprocess.run(
        [sys.executable, "-m", f"{__package__}.{program}", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parent.parent)},
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_what_auto_takes_is_recorded_and_usable() -> None:
    choices = choose(ENVIRONMENT, BUILTIN_STRATEGIES)
    assert choices[0].strategy.name == "torchscript"
    assert all(usable(choice.strategy.name) for choice in choices)
    recording.add("auto", "order", [[choice.strategy.name, choice.opset] for choice in choices])


# --- what the table promises ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "strategy",
    [
        pytest.param(s.name, marks=[pytest.mark.long] if s.name == "dynamo" else [])
        for s in BUILTIN_STRATEGIES
    ],
)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_by_every_usable_strategy_twice_here_and_once_in_a_fresh_process(
    kind: Kind, strategy: str, tmp_path: Path
) -> None:
    if not usable(strategy):
        pytest.skip(f"{strategy} is called unusable: shown below")
    if kind.floats and OLD_TORCH:
        pytest.skip("refused: shown below")
    if strategy == "dynamo" and kind.name not in SHOWN and not recording.wanted():
        pytest.skip("another kind has the same graph; a run of the matrix exports this one too")
    first = export(kind, strategy, tmp_path / "first")
    second = export(kind, strategy, tmp_path / "second")
    fresh = in_a_fresh_process("export", kind.name, strategy, tmp_path)
    recording.add("exports", f"{kind.name} {strategy}", {**first, "fresh": fresh["seconds"]})
    for one in (first, second, fresh):
        assert one["strategy"] == strategy
        assert one["within_tolerance"], one["largest_difference"]
        assert one["axes"] == AXES[kind.model]
        assert {"normal", "anomaly"} <= one["verdict_counts"].keys()
    for name in ("graph", "verdicts", "opset", "node_count", "inputs", "outputs", "metadata_keys"):
        assert first[name] == second[name] == fresh[name], name
    if not recording.wanted():  # which replaces the records and compares them at its end
        here = {"exports": {f"{kind.name} {strategy}": first}}
        assert recording.disagreements({**recording.read(), "here": here}) == []


def test_a_checkpoint_with_floats_is_refused_where_torch_cannot_read_it_safely(
    tmp_path: Path,
) -> None:
    kind = BY_NAME["mscred-alog-detect-floats"]
    if not OLD_TORCH:
        load(kind, tmp_path)
        return
    with pytest.raises(CheckpointError, match="Python floats") as refusal:
        export(kind, "auto", tmp_path)
    assert "Use torch 2.0 or later" in refusal.value.remedy
    assert not (tmp_path / "bundle").exists()
    sentence = f"{refusal.value}. {refusal.value.remedy}".replace(f"{tmp_path}/", "")
    recording.add("refused", kind.name, sentence)


# --- what the table withholds ---------------------------------------------------------------------


@pytest.mark.parametrize("strategy", BUILTIN_STRATEGIES, ids=lambda strategy: strategy.name)
def test_a_strategy_that_is_called_unusable_is_shown_to_be(
    strategy: ExportStrategy, tmp_path: Path
) -> None:
    available = strategy.availability(ENVIRONMENT)
    if available.usable:
        pytest.skip("called usable: shown above")
    assert strategy.name == "dynamo"  # TorchScript is called usable on every release of the table
    outcomes = {name: outcome(strategy, BY_NAME[name], tmp_path / name) for name in SHOWN}
    shown = {"reason": available.reason, "seen": outcomes}
    recording.add("unusable", strategy.name, shown)
    assert set(outcomes.values()) != {"right"}, f"withheld wrongly: {available.reason}"
    for name, seen in outcomes.items():
        found, _, what = seen.partition(": ")
        assert found == known(strategy.name, BY_NAME[name]), outcomes
        if {"dynamo", "dynamic_shapes"} - ENVIRONMENT.keywords:
            assert what.startswith("TypeError"), outcomes
            assert "no keyword" in available.reason
        elif found == "wrong":
            assert what.startswith("the exporter fixed axis 1 (sequence_length)"), outcomes


def known(strategy: str, kind: Kind) -> str:
    """The table's verdict on a strategy for a kind of checkpoint, on the installed torch."""
    construct = {"deeplog": RECURRENT, "mscred": CONVOLUTIONAL}[kind.model]
    (row,) = (
        row
        for row in known_rows(ENVIRONMENT)
        if row.strategy == strategy and row.construct in (ANY, construct)
    )
    return row.verdict


def outcome(strategy: ExportStrategy, kind: Kind, directory: Path) -> str:
    """``right``, ``wrong: …`` (a graph that is not the model) or ``fails: …`` (no graph)."""
    module, dummy = load(kind, directory)
    path = directory / "graph.onnx"
    if {"dynamo", "dynamic_shapes"} - ENVIRONMENT.keywords:
        try:
            torch.onnx.export(
                module, dummy.tensors, str(path), dynamo=True, dynamic_shapes=({0: None},)
            )
        except TypeError as error:
            return f"fails: TypeError: {error}"
        return "right"
    try:
        export_with(strategy, module, dummy, 18, path)
    except LogexportError as error:
        return f"fails: {error}"
    return verdict(path, module, dummy)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SHOWN)
def test_dynamo_without_dynamic_shapes_fails_with_dynamic_axes_too(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "dynamo" not in ENVIRONMENT.keywords or "dynamic_shapes" in ENVIRONMENT.keywords:
        pytest.skip("torch 2.4 alone has the keyword dynamo and no dynamic_shapes")
    module, dummy = load(BY_NAME[name], tmp_path)
    monkeypatch.chdir(tmp_path)  # a failed export writes a report into the current directory
    with torch.no_grad(), pytest.raises(torch.onnx.OnnxExporterError):
        torch.onnx.export(
            module,
            tuple(dummy.tensors),
            str(tmp_path / "graph.onnx"),
            input_names=list(dummy.input_names),
            output_names=list(dummy.output_names),
            dynamic_axes={axis: dict(names) for axis, names in dummy.dynamic_axes.items()},
            dynamo=True,
        )


def test_torch_itself_does_not_support_an_opset_above_what_the_table_has_for_torchscript(
    tmp_path: Path,
) -> None:
    """It raises, or writes a graph and warns. Every opset below is written in tests/exporters."""
    if is_newer(ENVIRONMENT):
        pytest.skip(f"torch {ENVIRONMENT.torch} is not in the table")
    if ENVIRONMENT.release == (2, 0):
        pytest.skip("torch 2.0 supports opset 18 and writes it wrongly: tests/exporters shows it")
    above = nearest_release(ENVIRONMENT).torchscript_max_opset + 1
    module, dummy = load(BY_NAME["deeplog-alog-detect"], tmp_path)
    try:
        said = export_with(BUILTIN_STRATEGIES[0], module, dummy, above, tmp_path / "graph.onnx")
        sentences = said.warnings
    except LogexportError as error:
        sentences = (str(error),)
    assert any(re.search(rf"\b{above}\b", one) and "upported" in one for one in sentences), (
        sentences
    )


def test_torchscript_is_deprecated_from_2_9_on_as_the_table_says(tmp_path: Path) -> None:
    if ENVIRONMENT.release < (2, 9):
        pytest.skip("not deprecated yet")
    module, dummy = load(BY_NAME["deeplog-alog-detect"], tmp_path)
    said = export_with(BUILTIN_STRATEGIES[0], module, dummy, 17, tmp_path / "graph.onnx")
    assert any("DeprecationWarning" in one and "TorchScript" in one for one in said.warnings), said


def test_dynamo_without_onnxscript_is_unusable_as_the_table_says(tmp_path: Path) -> None:
    if not usable("dynamo"):
        pytest.skip("dynamo is called unusable: shown above")
    without = TorchEnvironment(
        ENVIRONMENT.torch, ENVIRONMENT.keywords, onnx=ENVIRONMENT.onnx, onnxscript=None
    )
    assert "needs the package onnxscript" in DynamoStrategy().availability(without).reason
    seen = in_a_fresh_process("dynamo", "without-onnxscript", tmp_path)
    assert seen[0].startswith("fails: "), seen
    assert "onnxscript" in seen[0]


# --- exports in a row, in one process -------------------------------------------------------------


def later_exports() -> Mapping[str, str]:
    return {
        row.construct: row.verdict
        for row in known_rows(ENVIRONMENT)
        if row.strategy == "dynamo" and row.construct == LATER
    }


@pytest.mark.long
def test_later_dynamo_exports_of_a_process_are_what_the_table_says(tmp_path: Path) -> None:
    """Why each has a process of its own."""
    if not usable("dynamo"):
        pytest.skip("dynamo is called unusable: shown above")
    first, *later = in_a_fresh_process("dynamo", "in-a-row", tmp_path)
    recording.add("in_a_row", "dynamo", [first, *later])
    assert first == "right"
    known = later_exports()
    if not known:
        pytest.skip(f"the table says nothing of later exports here; seen: {later}")
    (verdict,) = known.values()
    assert {seen.partition(":")[0] for seen in later} <= (
        {"right"} if verdict == "right" else {"wrong", "fails"}
    ), later
