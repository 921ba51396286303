"""What plugins answer, checked field by field, so that what is wrong is said with their name.

A dataclass holds whatever it was given. These checks run on every answer before the host relies on
it; ``logexport.testing`` runs the same ones on a plugin under test.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from logexport.errors import PluginError
from logexport.types import (
    CheckResult,
    CountMatrix,
    DummyInput,
    EventWindow,
    LoadedModel,
    NextEventTopK,
    OtherDecision,
    OtherInput,
    ScoreThreshold,
    Task,
    Vocabulary,
)

if TYPE_CHECKING:
    import numpy as np

PROBE_SEED = 20_240_301
_CHECK_NAME = re.compile(r"[a-z0-9_]+", re.ASCII)


def _refuse(plugin: str, problem: str, remedy: str = "") -> None:
    raise PluginError(f"{plugin}: {problem}", remedy)


def _require(plugin: str, hook: str, field: str, value: object, kind: Any, what: str) -> None:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        _refuse(
            plugin,
            f"{hook} gave {type(value).__name__} as {field}, not {what}",
            f"Give {what} as {field}.",
        )


def check_loaded(loaded: LoadedModel, plugin: str) -> None:
    """Refuse a loaded model that the host cannot work with.

    Raises:
        PluginError: naming the plugin, the field and what belongs there.
    """
    import torch

    hook = "load_model"
    _require(plugin, hook, "module", loaded.module, torch.nn.Module, "a torch.nn.Module")
    if loaded.module.training:
        _refuse(
            plugin,
            f"{hook} gave a module in training mode",
            "Return module.eval() from load_model.",
        )
    elsewhere = sorted(
        {str(one.device) for one in (*loaded.module.parameters(), *loaded.module.buffers())}
        - {"cpu"}
    )
    if elsewhere:
        _refuse(plugin, f"{hook} gave a module on {', '.join(elsewhere)}", "Return it on the CPU.")
    _require(plugin, hook, "task", loaded.task, Task, "a logexport Task")
    _require(plugin, hook, "vocab_size", loaded.vocab_size, int, "a whole number")
    _require(plugin, hook, "meta", loaded.meta, Mapping, "a mapping")
    _require_sentences(plugin, hook, "warnings", loaded.warnings)
    if loaded.trained_vocab_sha256 is not None:
        _require(plugin, hook, "trained_vocab_sha256", loaded.trained_vocab_sha256, str, "a string")
    _check_task(loaded.task, plugin)


def _require_sentences(plugin: str, hook: str, field: str, value: object) -> None:
    _require(plugin, hook, field, value, (tuple, list), "a tuple of sentences")
    assert isinstance(value, (tuple, list))  # noqa: S101 - just required
    if not all(isinstance(one, str) for one in value):
        _refuse(plugin, f"{hook} gave {field} that are no sentences", "Give strings.")


def _check_task(task: Task, plugin: str) -> None:
    hook = "load_model"
    given, decision = task.input, task.decision
    _require(
        plugin, hook, "task.input", given, (EventWindow, CountMatrix, OtherInput),
        "an EventWindow, a CountMatrix or an OtherInput",
    )  # fmt: skip
    _require(
        plugin, hook, "task.decision", decision, (NextEventTopK, ScoreThreshold, OtherDecision),
        "a NextEventTopK, a ScoreThreshold or an OtherDecision",
    )  # fmt: skip
    sizes: dict[str, object] = {}
    if isinstance(given, EventWindow):
        sizes["task.input.length"] = given.length
    elif isinstance(given, CountMatrix):
        sizes |= {
            f"task.input.{name}": getattr(given, name) for name in ("lines", "stride", "steps")
        }
    if isinstance(decision, NextEventTopK):
        sizes["task.decision.top_k"] = decision.top_k
    for field, value in sizes.items():
        _require(plugin, hook, field, value, int, "a whole number of at least 1")
        if isinstance(value, int) and value < 1:
            _refuse(plugin, f"{hook} gave {value} as {field}", "It must be at least 1.")
    if isinstance(decision, ScoreThreshold):
        import math

        _require(plugin, hook, "the threshold", decision.threshold, (int, float), "a number")
        if not math.isfinite(decision.threshold):
            _refuse(plugin, f"{hook} gave the threshold {decision.threshold}", "Give a number.")
    try:
        json.dumps(task.to_json(), allow_nan=False)
    except (TypeError, ValueError) as error:
        _refuse(plugin, f"{hook} gave a task that JSON cannot hold: {error}")


def check_vocab(vocab: Vocabulary, plugin: str) -> None:
    """Refuse a vocabulary whose entries are not distinct strings or whose labels are not in it.

    Raises:
        PluginError: naming the plugin.
    """
    hook = "build_vocab"
    _require(plugin, hook, "templates", vocab.templates, (tuple, list), "a tuple of strings")
    wrong = [one for one in vocab.templates if not isinstance(one, str)]
    if wrong:
        _refuse(plugin, f"{hook} gave the template {wrong[0]!r}, which is no string")
    if len(set(vocab.templates)) != len(vocab):
        _refuse(plugin, f"{hook} gave a vocabulary with duplicates", "Templates are distinct.")
    _require(plugin, hook, "reserved", vocab.reserved, Mapping, "a mapping of name to index")
    for name, index in vocab.reserved.items():
        _require(plugin, hook, f"reserved[{name!r}]", index, int, "an index")
        if not 0 <= index < len(vocab):
            _refuse(plugin, f"{hook} reserved the index {index} of {len(vocab)} entries")


def check_dummy(dummy: DummyInput, plugin: str) -> None:
    """Refuse example inputs that would freeze or confuse axes, and draws of another shape.

    Raises:
        PluginError: a dynamic size below 2, two axes of one size, a grid that leaves one out, or
            anything of another type than declared.
    """
    import torch

    hook = "dummy_input"
    _require(plugin, hook, "tensors", dummy.tensors, (tuple, list), "a tuple of tensors")
    for tensor in dummy.tensors:
        _require(plugin, hook, "an input", tensor, torch.Tensor, "a tensor")
    for field in ("input_names", "output_names"):
        names = getattr(dummy, field)
        _require(plugin, hook, field, names, (tuple, list), "a tuple of names")
        if not names or not all(isinstance(one, str) and one for one in names):
            _refuse(plugin, f"{hook} gave no names as {field}")
    if len(dummy.tensors) != len(dummy.input_names):
        _refuse(
            plugin,
            f"{hook} has {len(dummy.tensors)} tensors for {len(dummy.input_names)} input names",
        )
    _require(plugin, hook, "dynamic_axes", dummy.dynamic_axes, Mapping, "a mapping")
    unknown = sorted({*dummy.dynamic_axes} - {*dummy.input_names, *dummy.output_names})
    if unknown:
        _refuse(plugin, f"{hook} gave dynamic axes of {unknown[0]!r}, no input and no output")
    sizes = _axis_sizes(dummy, plugin)
    _require(plugin, hook, "grid", dummy.grid, (tuple, list), "a tuple of sizes")
    if not dummy.grid:
        _refuse(plugin, f"{hook} gives no sizes to probe (grid)")
    for probe in dummy.grid:
        _require(plugin, hook, "a grid entry", probe, Mapping, "a mapping of axis name to size")
        if set(probe) != set(sizes):
            _refuse(plugin, f"{hook}'s grid names the axes {sorted(probe)}, not {sorted(sizes)}")
        for axis, size in probe.items():
            _require(plugin, hook, f"grid[{axis!r}]", size, int, "a whole number")
    if not callable(dummy.draw):
        _refuse(plugin, f"{hook} gave a draw that cannot be called")
    draw(dummy, dummy.grid[-1], plugin)


def _axis_sizes(dummy: DummyInput, plugin: str) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for name, tensor in zip(dummy.input_names, dummy.tensors, strict=True):
        for axis, axis_name in dummy.dynamic_axes.get(name, {}).items():
            if not isinstance(axis, int) or not 0 <= axis < tensor.dim():
                _refuse(
                    plugin,
                    f"dummy_input gives {name!r} the dynamic axis {axis!r}, but it has"
                    f" {tensor.dim()}",
                )
            size = int(tensor.shape[axis])
            if size < 2 or sizes.setdefault(axis_name, size) != size:
                _refuse(
                    plugin,
                    f"dummy_input gives the dynamic axis {axis_name!r} of {name!r} the size"
                    f" {size}; it must be at least 2 and the same everywhere",
                )
    if len(set(sizes.values())) != len(sizes):
        _refuse(plugin, f"dummy_input gives two dynamic axes one size: {sizes}")
    return sizes


def draw(dummy: DummyInput, sizes: Mapping[str, int], plugin: str) -> tuple[np.ndarray, ...]:
    """Call ``dummy.draw`` for one set of sizes; what it gives has the shapes of the example.

    Raises:
        PluginError: it raised, or gave something else.
    """
    import numpy as np

    where = "dummy_input's draw"
    try:
        drawn = dummy.draw(sizes, np.random.default_rng(PROBE_SEED))
    except Exception as error:
        raise PluginError(
            f"{plugin}: {where} failed for {dict(sizes)}: {type(error).__name__}: {error}",
            "It must give inputs of every size in the grid, and of others.",
        ) from error
    _require(plugin, where, "its answer", drawn, (tuple, list), "a tuple of numpy arrays")
    if len(drawn) != len(dummy.input_names):
        _refuse(plugin, f"{where} gave {len(drawn)} arrays for {len(dummy.input_names)} inputs")
    for name, tensor, array in zip(dummy.input_names, dummy.tensors, drawn, strict=True):
        _require(plugin, where, name, array, np.ndarray, "a numpy array")
        axes = dummy.dynamic_axes.get(name, {})
        shape = tuple(sizes[axes[i]] if i in axes else int(n) for i, n in enumerate(tensor.shape))
        dtype = str(tensor.dtype).removeprefix("torch.")
        if array.shape != shape or str(array.dtype) != dtype:
            _refuse(
                plugin,
                f"{where} gave {name!r} as {array.dtype} {list(array.shape)} for {dict(sizes)}"
                f" where the example says {dtype} {list(shape)}",
                "Take the sizes from the first argument, and the dtype of the example.",
            )
    return tuple(drawn)


def check_outputs(loaded: LoadedModel, dummy: DummyInput, plugin: str) -> None:
    """Run the module once on the example inputs and hold what it gives to the task.

    Raises:
        PluginError: it raised, or its outputs are not what names and task say.
    """
    import torch

    try:
        with torch.no_grad():
            given = loaded.module(*dummy.tensors)
    except Exception as error:
        raise PluginError(
            f"{plugin}: the module failed on dummy_input's example:"
            f" {type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}",
            "load_model and dummy_input must fit each other.",
        ) from error
    outputs = tuple(given) if isinstance(given, (tuple, list)) else (given,)
    if len(outputs) != len(dummy.output_names):
        _refuse(
            plugin,
            f"the module gives {len(outputs)} outputs where dummy_input names"
            f" {len(dummy.output_names)} ({', '.join(dummy.output_names)})",
            "Name every output of forward, in order.",
        )
    for name, output in zip(dummy.output_names, outputs, strict=True):
        _require(plugin, "the module", name, output, torch.Tensor, "a tensor")
    _check_decision(loaded, dict(zip(dummy.output_names, outputs, strict=True)), dummy, plugin)


def _check_decision(
    loaded: LoadedModel, outputs: Mapping[str, Any], dummy: DummyInput, plugin: str
) -> None:
    """The output that the decision reads: there, float32, of the shape that docs/api.md gives."""
    decision = loaded.task.decision
    batch = int(dummy.tensors[0].shape[0])
    wanted: dict[str, tuple[int, ...]] = {}
    if isinstance(decision, NextEventTopK):
        wanted[decision.output] = (batch, loaded.vocab_size)
    elif isinstance(decision, ScoreThreshold):
        wanted[decision.output] = (batch,)
        if decision.attribution is not None:
            wanted[decision.attribution] = (batch, loaded.vocab_size)
    for name, shape in wanted.items():
        if name not in outputs:
            _refuse(
                plugin,
                f"the task reads the output {name!r}, which dummy_input does not name"
                f" ({', '.join(outputs)})",
                "Give the same name in the task and in output_names.",
            )
        found = outputs[name]
        dtype = str(found.dtype).removeprefix("torch.")
        if tuple(found.shape) != shape or dtype != "float32":
            _refuse(
                plugin,
                f"the module gives {name!r} as {dtype} {list(found.shape)} where the task"
                f" {decision.kind} needs float32 {list(shape)} (batch first)",
                "Change what forward returns.",
            )


def check_result(result: CheckResult, plugin: str) -> None:
    """Refuse a result that ``validation.json`` cannot hold.

    Raises:
        PluginError: naming the plugin and the result.
    """
    if not isinstance(result.name, str) or not _CHECK_NAME.fullmatch(result.name):
        _refuse(plugin, f"a check is named {result.name!r}", "Names are of the form [a-z0-9_]+.")
    who = f"the check {result.name!r}"
    if result.status not in ("passed", "failed", "skipped"):
        _refuse(plugin, f"{who} has the status {result.status!r}", "passed, failed or skipped.")
    if result.scope not in ("graph", "bundle"):
        _refuse(plugin, f"{who} has the scope {result.scope!r}", "Give graph or bundle.")
    _require(plugin, who, "message", result.message, str, "a line of text")
    _require(plugin, who, "figures", result.figures, Mapping, "a mapping")
    if not isinstance(result.warnings, Sequence) or isinstance(result.warnings, str):
        _refuse(plugin, f"{who} has warnings that are no sequence of sentences")
    try:
        json.dumps([dict(result.figures), list(result.warnings)], allow_nan=False)
    except (TypeError, ValueError) as error:
        _refuse(plugin, f"{who} has figures that JSON cannot hold: {error}")
    if result.seconds is not None:
        _require(plugin, who, "seconds", result.seconds, (int, float), "a number")
