"""What one export gives: its checks, its graph and its metadata, and nothing beside the bundle."""

from __future__ import annotations

import json
from collections.abc import Sequence

from logexport.errors import CheckFailedError
from logexport.testing.checks.outputs import choose_sizes_outside_grid
from logexport.testing.contract import Contract, ContractError
from logexport.types import (
    CheckResult,
    CountMatrix,
    EventWindow,
    ScoreThreshold,
    SessionCounts,
)


def check_export(contract: Contract) -> str:
    """The export passes every check."""
    error = contract.first_error
    if isinstance(error, CheckFailedError):
        failed = [check for check in error.checks if check.status == "failed"]
        told = "; ".join(f"{check.name} ({check.plugin}): {check.message}" for check in failed)
        raise ContractError(f"checks of the export failed: {told}", _find_remedy(failed))
    if error is not None:
        raise ContractError(
            f"the export fails: {error}", error.remedy or "Correct what the sentence names."
        )
    result = contract.exported.models[0]
    strategy = result.attempts[-1]
    passed = sum(check.status == "passed" for check in result.checks)
    return (
        f"{contract.model} by {strategy.strategy}, opset {strategy.opset}: {passed} of"
        f" {len(result.checks)} checks passed, proof {contract.exported.proof}"
    )


def _find_remedy(failed: Sequence[CheckResult]) -> str:
    names = {check.name for check in failed}
    if "structure" in names:
        return "Make names and dynamic axes of dummy_input those of the graph."
    if names & {"parity_random", "parity_log", "batch_independence"}:
        return (
            "The graph says other than the module: avoid what exporters freeze (sizes as Python"
            " numbers, loops over the input, nn.TransformerEncoder); docs/plugin-guide.md lists it."
        )
    if any(check.engine for check in failed):
        return "The C engine says other than PyTorch on these figures; report it with the bundle."
    return "The figures say what differs."


def check_graph_axes(contract: Contract) -> str:
    """The graph has the axes that ``dummy_input`` names, and no size is frozen in it."""
    from logexport.exporters.drawing import draw
    from logexport.verdicts.comparing import Comparison, compare
    from logexport.verdicts.scorers import OnnxRuntimeScorer, TorchScorer

    result, dummy = contract.exported.models[0], contract.dummy
    meta = json.loads(result.metadata.read_text(encoding="utf-8"))
    dummy_axes = {
        name: {str(axis): axis_name for axis, axis_name in axes.items()}
        for name, axes in dummy.dynamic_axes.items()
        if axes
    }
    if meta["dynamic_axes"] != dummy_axes:
        raise ContractError(
            f"the graph has the dynamic axes {meta['dynamic_axes']}, dummy_input declares"
            f" {dummy_axes}",
            "Declare what the module does, and avoid what exporters freeze.",
        )
    comparison = Comparison()
    reference = TorchScorer(contract.loaded.module, dummy.output_names)
    scorer = OnnxRuntimeScorer(result.onnx)
    for sizes in choose_sizes_outside_grid(dummy):
        inputs = draw(dummy, sizes, str(contract.plugin))
        decision = contract.loaded.task.decision
        compare(comparison, reference, scorer, decision, inputs, str(dict(sizes)))
    if comparison.failed():
        raise ContractError(
            f"outside the grid the graph differs: {'; '.join(comparison.problems)}",
            "A size of the traced example or of the grid is frozen in the graph; take every size"
            " from the input's shape inside forward.",
        )
    return f"equal PyTorch's outside the grid; largest difference {comparison.worst:.2g}"


def check_metadata(contract: Contract) -> str:
    """The metadata has the keys that readers of bundles use, and the task of ``load_model``."""
    path = contract.exported.models[0].metadata
    meta = json.loads(path.read_text(encoding="utf-8"))
    task, task_input = contract.loaded.task, contract.loaded.task.input
    wanted: dict[str, int] = {}
    if isinstance(task_input, EventWindow):
        wanted = {"seq_len": task_input.length}
    elif isinstance(task_input, CountMatrix):
        wanted = {"window_size": task_input.steps, "feature_dim": contract.loaded.vocab_size}
    elif isinstance(task_input, SessionCounts):
        wanted = {"feature_dim": task.count_features(contract.loaded.vocab_size)}
    for key, value in wanted.items():
        if meta.get(key) != value:
            raise ContractError(
                f"the metadata has {key} = {meta.get(key)!r}, the task says {value}",
                f'Return {{"{key}": …}} from write_meta: existing readers of bundles use it.',
            )
    if meta["task"] != task.to_json():
        raise ContractError(
            f"the metadata's task is {meta['task']}, load_model's {task.to_json()}",
            "Do not change the task after load_model.",
        )
    if isinstance(task.decision, ScoreThreshold) and not task.decision.thresholds:
        return f"{len(meta)} keys; no named thresholds"
    return f"{len(meta)} keys, {', '.join(wanted) or 'a task of its own'} among them"


def check_tidiness(contract: Contract) -> str:
    """Nothing on standard output, nothing written outside the staging directory."""
    result = contract.exported
    notices = [one for one in contract.host.notices if str(contract.plugin) in one]
    if notices:
        raise ContractError(notices[0], "Print nothing in hooks; the host shows progress.")
    assert contract.written is not None  # noqa: S101 - made with the export
    parent = result.bundle.parent
    staging = {path for path in contract.written.paths if path.name.startswith(".bundle.")}
    outside = contract.written.outside(parent / "tmp", result.bundle, *staging)
    left = [*(parent / "cwd").rglob("*")]
    for path in [*outside, *left]:
        if path == parent:
            continue
        raise ContractError(
            f"the export wrote {path}, outside the staging directory",
            "Write only where a hook is given a path; take tempfile for what is temporary.",
        )
    return "nothing printed, nothing written outside the staging directory"
