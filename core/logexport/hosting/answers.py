"""What plugins answer, checked field by field, so that what is wrong is said with their name.

A dataclass holds whatever it was given. These checks run on every answer before the host relies on
it; ``logexport.testing`` runs the same ones on a plugin under test. They are all here, those of
:class:`~logexport.host.Host` at discovery included: every ``--help`` imports this module, so it
imports nothing of weight.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from logexport.errors import PluginError, faults, refuse, require
from logexport.model_info import ModelInfo, Sample

if TYPE_CHECKING:
    import click

    from logexport.types import (
        CheckResult,
        DummyInput,
        LoadedModel,
        Task,
        Vocabulary,
    )

RUN_OPTIONS = frozenset(
    (
        *("--model", "--checkpoint", "--vocab", "--parsed", "--preprocess", "--replay"),
        *("--output-dir", "-o", "--opset", "--exporter", "--portable", "--optimize"),
        *("--validate", "--no-validate", "--json", "--debug", "--help", "-h"),
    )
)
"""The host's own options of ``logexport run``, which no plugin can take. They are written down: to
ask the command would import it for every ``--help``. A test holds them to it."""

RUN_NAMES = frozenset(
    (
        *("model", "models", "checkpoint", "vocab", "parsed", "preprocess", "replay", "output_dir"),
        *("opset", "exporter", "portable", "optimize", "validate", "no_validate", "as_json"),
        *("json", "debug", "help", "h", "o", "ctx", "rest"),
    )
)
"""The names of their values, which no plugin's option can take either; see above."""

ENGINE_CHECKS = ("tensors", "replay", "selftest")
"""What a result may say it showed of the C engine; :data:`logexport.types.EngineCheck`."""

_MODEL_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}", re.ASCII)
_CHECK_NAME = re.compile(r"[a-z0-9_]+", re.ASCII)


# --- at discovery ---------------------------------------------------------------------------------


def wrong_model_info(info: object) -> str:
    """What is wrong with an answer to ``model_info``, as a clause, or ""."""
    if not isinstance(info, ModelInfo):
        return f"model_info gave {type(info).__name__}, not ModelInfo"
    if not isinstance(info.name, str) or not _MODEL_NAME.fullmatch(info.name):
        return f"model_info gave the name {info.name!r}, which is not of the form [a-z][a-z0-9_-]*"
    if info.sample is not None and not isinstance(info.sample, Sample):
        return f"model_info gave a sample that is {type(info.sample).__name__}, not Sample"
    return ""


def missing_hooks(hooks: Sequence[str], required: Sequence[str]) -> str:
    """Which hooks a model plugin lacks of those that it must answer, as a clause, or ""."""
    missing = [hook for hook in required if hook not in hooks]
    if not missing:
        return ""
    return f"declares a model type but does not implement {', '.join(missing)}"


def wrong_option(option: object, others: Sequence[tuple[object, click.Option]]) -> str:
    """What is wrong with an option for ``run``, as a clause, or ""; of ``others`` each has its
    owner."""
    import click

    if not isinstance(option, click.Option) or not option.name:
        return f"run_options gave {option!r}, which is not a click.Option"
    flags = (*option.opts, *option.secondary_opts)
    taken = [flag for flag in flags if flag in RUN_OPTIONS]
    if taken:
        return f"its option {taken[0]} is the host's own"
    if option.name in RUN_NAMES:
        return f"its option {flags[0]} has the name {option.name!r}, which is the host's own"
    if option.multiple or option.nargs != 1 or option.count or not option.expose_value:
        return f"its option {flags[0]} takes other than one value (multiple, nargs, count)"
    for owner, other in others:
        same = {*flags} & {*other.opts, *other.secondary_opts}
        alike = (option.name, option.is_flag) == (other.name, other.is_flag)
        if not alike and (same or option.name == other.name):
            flag = min(same) if same else flags[0]
            return f"its option {flag} is declared in another way by {owner}"
    return ""


# --- of every hook --------------------------------------------------------------------------------


def check_type(answer: object, kind: type, plugin: str, hook: str, module: str) -> None:
    """Refuse an answer of another type.

    Raises:
        PluginError: naming the plugin, the hook and the type that belongs there.
    """
    if not isinstance(answer, kind):
        raise PluginError(
            f"{plugin}: hook {hook!r} returned {type(answer).__name__}, not {kind.__name__}",
            f"Return a logexport {kind.__name__} from {hook} in {module}.",
        )


def check_loaded(loaded: LoadedModel, plugin: str) -> None:
    """Refuse a loaded model that the host cannot work with.

    Raises:
        PluginError: naming the plugin, the field and what belongs there.
    """
    import torch

    from logexport.types import Task

    hook = "load_model"
    require(plugin, hook, "module", loaded.module, torch.nn.Module, "a torch.nn.Module")
    if loaded.module.training:
        refuse(
            plugin,
            f"{hook} gave a module in training mode",
            "Return module.eval() from load_model.",
        )
    elsewhere = sorted(
        {str(one.device) for one in (*loaded.module.parameters(), *loaded.module.buffers())}
        - {"cpu"}
    )
    if elsewhere:
        refuse(plugin, f"{hook} gave a module on {', '.join(elsewhere)}", "Return it on the CPU.")
    require(plugin, hook, "task", loaded.task, Task, "a logexport Task")
    require(plugin, hook, "vocab_size", loaded.vocab_size, int, "a whole number")
    require(plugin, hook, "meta", loaded.meta, Mapping, "a mapping")
    _require_sentences(plugin, hook, "warnings", loaded.warnings)
    if loaded.trained_vocab_sha256 is not None:
        require(plugin, hook, "trained_vocab_sha256", loaded.trained_vocab_sha256, str, "a string")
    _check_task(loaded.task, plugin)


def _require_sentences(plugin: str, hook: str, field: str, value: object) -> None:
    require(plugin, hook, field, value, (tuple, list), "a tuple of sentences")
    assert isinstance(value, (tuple, list))  # noqa: S101 - just required
    if not all(isinstance(one, str) for one in value):
        refuse(plugin, f"{hook} gave {field} that are no sentences", "Give strings.")


def _check_task(task: Task, plugin: str) -> None:
    import json

    from logexport.types import (
        CountMatrix,
        EventWindow,
        NextEventTopK,
        OtherDecision,
        OtherInput,
        ScoreThreshold,
        SessionCounts,
    )

    hook = "load_model"
    given, decision = task.input, task.decision
    require(
        plugin, hook, "task.input", given,
        (EventWindow, CountMatrix, SessionCounts, OtherInput),
        "an EventWindow, a CountMatrix, a SessionCounts or an OtherInput",
    )  # fmt: skip
    require(
        plugin, hook, "task.decision", decision, (NextEventTopK, ScoreThreshold, OtherDecision),
        "a NextEventTopK, a ScoreThreshold or an OtherDecision",
    )  # fmt: skip
    sizes: dict[str, object] = {}
    if isinstance(given, EventWindow):
        sizes["task.input.length"] = given.length
        for name in ("start", "end"):
            index = getattr(given, name)
            if index is not None and (type(index) is not int or index < 0):
                refuse(plugin, f"{hook} gave task.input.{name} {index!r}", "Give an index or None.")
    elif isinstance(given, CountMatrix):
        sizes |= {
            f"task.input.{name}": getattr(given, name) for name in ("lines", "stride", "steps")
        }
    if isinstance(decision, NextEventTopK):
        sizes["task.decision.top_k"] = decision.top_k
    for field, value in sizes.items():
        require(plugin, hook, field, value, int, "a whole number of at least 1")
        if isinstance(value, int) and value < 1:
            refuse(plugin, f"{hook} gave {value} as {field}", "It must be at least 1.")
    if isinstance(decision, ScoreThreshold):
        import math

        require(plugin, hook, "the threshold", decision.threshold, (int, float), "a number")
        if not math.isfinite(decision.threshold):
            refuse(plugin, f"{hook} gave the threshold {decision.threshold}", "Give a number.")
    try:
        json.dumps(task.to_json(), allow_nan=False)
    except (TypeError, ValueError) as error:
        refuse(plugin, f"{hook} gave a task that JSON cannot hold: {error}")


def check_vocab(vocab: Vocabulary, plugin: str) -> None:
    """Refuse a vocabulary whose entries are not distinct strings or whose labels are not in it.

    Raises:
        PluginError: naming the plugin.
    """
    hook = "build_vocab"
    require(plugin, hook, "templates", vocab.templates, (tuple, list), "a tuple of strings")
    wrong = [one for one in vocab.templates if not isinstance(one, str)]
    if wrong:
        refuse(plugin, f"{hook} gave the template {wrong[0]!r}, which is no string")
    if len(set(vocab.templates)) != len(vocab):
        refuse(plugin, f"{hook} gave a vocabulary with duplicates", "Templates are distinct.")
    require(plugin, hook, "reserved", vocab.reserved, Mapping, "a mapping of name to index")
    for name, index in vocab.reserved.items():
        require(plugin, hook, f"reserved[{name!r}]", index, int, "an index")
        if not 0 <= index < len(vocab):
            refuse(plugin, f"{hook} reserved the index {index} of {len(vocab)} entries")


def check_dummy(dummy: DummyInput, plugin: str) -> None:
    """Refuse example inputs that would freeze or confuse axes, and draws of another shape.

    Raises:
        PluginError: a dynamic size below 2, two axes of one size, a grid that leaves one out, or
            anything of another type than declared.
    """
    import torch

    from logexport.exporters.drawing import draw, traced_sizes

    hook = "dummy_input"
    require(plugin, hook, "tensors", dummy.tensors, (tuple, list), "a tuple of tensors")
    for tensor in dummy.tensors:
        require(plugin, hook, "an input", tensor, torch.Tensor, "a tensor")
    for field in ("input_names", "output_names"):
        names = getattr(dummy, field)
        require(plugin, hook, field, names, (tuple, list), "a tuple of names")
        if not names or not all(isinstance(one, str) and one for one in names):
            refuse(plugin, f"{hook} gave no names as {field}")
    if len(dummy.tensors) != len(dummy.input_names):
        refuse(
            plugin,
            f"{hook} has {len(dummy.tensors)} tensors for {len(dummy.input_names)} input names",
        )
    require(plugin, hook, "dynamic_axes", dummy.dynamic_axes, Mapping, "a mapping")
    unknown = sorted({*dummy.dynamic_axes} - {*dummy.input_names, *dummy.output_names})
    if unknown:
        refuse(plugin, f"{hook} gave dynamic axes of {unknown[0]!r}, no input and no output")
    sizes = traced_sizes(dummy, plugin)
    require(plugin, hook, "grid", dummy.grid, (tuple, list), "a tuple of sizes")
    if not dummy.grid:
        refuse(plugin, f"{hook} gives no sizes to probe (grid)")
    for probe in dummy.grid:
        require(plugin, hook, "a grid entry", probe, Mapping, "a mapping of axis name to size")
        if set(probe) != set(sizes):
            refuse(plugin, f"{hook}'s grid names the axes {sorted(probe)}, not {sorted(sizes)}")
        for axis, size in probe.items():
            require(plugin, hook, f"grid[{axis!r}]", size, int, "a whole number")
    if not callable(dummy.draw):
        refuse(plugin, f"{hook} gave a draw that cannot be called")
    draw(dummy, dummy.grid[-1], plugin)


def check_outputs(loaded: LoadedModel, dummy: DummyInput, plugin: str) -> None:
    """Run the module once on the example inputs and hold what it gives to the task.

    Raises:
        PluginError: it raised, or its outputs are not what names and task say.
    """
    import torch

    with (
        faults(
            lambda raised: PluginError(
                f"{plugin}: the module failed on dummy_input's example: {raised.splitlines()[0]}",
                "load_model and dummy_input must fit each other.",
            )
        ),
        torch.no_grad(),
    ):
        given = loaded.module(*dummy.tensors)
    outputs = tuple(given) if isinstance(given, (tuple, list)) else (given,)
    if len(outputs) != len(dummy.output_names):
        refuse(
            plugin,
            f"the module gives {len(outputs)} outputs where dummy_input names"
            f" {len(dummy.output_names)} ({', '.join(dummy.output_names)})",
            "Name every output of forward, in order.",
        )
    for name, output in zip(dummy.output_names, outputs, strict=True):
        require(plugin, "the module", name, output, torch.Tensor, "a tensor")
    _check_decision(loaded, dict(zip(dummy.output_names, outputs, strict=True)), dummy, plugin)


def _check_decision(
    loaded: LoadedModel, outputs: Mapping[str, Any], dummy: DummyInput, plugin: str
) -> None:
    """The output that the decision reads: there, float32, of the shape that docs/api.md gives."""
    from logexport.types import NextEventTopK, ScoreThreshold

    decision = loaded.task.decision
    batch = int(dummy.tensors[0].shape[0])
    wanted: dict[str, tuple[int, ...]] = {}
    if isinstance(decision, NextEventTopK):
        wanted[decision.output] = (batch, loaded.vocab_size)
    elif isinstance(decision, ScoreThreshold):
        wanted[decision.output] = (batch,)
        if decision.attribution is not None:
            wanted[decision.attribution] = (batch, loaded.task.count_features(loaded.vocab_size))
    for name, shape in wanted.items():
        if name not in outputs:
            refuse(
                plugin,
                f"the task reads the output {name!r}, which dummy_input does not name"
                f" ({', '.join(outputs)})",
                "Give the same name in the task and in output_names.",
            )
        found = outputs[name]
        dtype = str(found.dtype).removeprefix("torch.")
        if tuple(found.shape) != shape or dtype != "float32":
            refuse(
                plugin,
                f"the module gives {name!r} as {dtype} {list(found.shape)} where the task"
                f" {decision.kind} needs float32 {list(shape)} (batch first)",
                "Change what forward returns.",
            )


# --- write_meta -----------------------------------------------------------------------------------


def merge_entries(
    entries: Mapping[str, Any],
    into: MutableMapping[str, Any],
    owners: MutableMapping[str, str],
    notes: list[str],
    plugin: str,
    module: str,
) -> None:
    """Take an answer to ``write_meta`` over into the metadata.

    Args:
        entries: the answer.
        into: the metadata so far.
        owners: who gave each of its keys; added to.
        notes: the sentences under ``notes``, of which every plugin may give some; added to.
        plugin, module: who is named.

    Raises:
        PluginError: a key that is not a string or that another gave, or what JSON cannot hold.
    """
    import json

    for key, value in entries.items():
        if key == "notes":
            what = "notes" if isinstance(value, str) or not isinstance(value, Sequence) else ""
            if what or not all(isinstance(note, str) for note in value):
                refuse(
                    plugin,
                    f"write_meta gave {what or 'a note'} that "
                    f"{'are not a list of sentences' if what else 'is not a sentence'}",
                    "Give a list of strings.",
                )
            notes += value
            continue
        if not isinstance(key, str):
            refuse(plugin, f"write_meta gave the key {key!r}, which is not a string")
        if key in owners:
            raise PluginError(
                f"the metadata key {key!r} is given by {owners[key]} and by {plugin}",
                f"Rename the key in write_meta of {module}.",
            )
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise PluginError(
                f"{plugin}: write_meta gave what JSON cannot hold as {key!r}: {error}"
            ) from error
        owners[key] = plugin
        into[key] = value


# --- validate -------------------------------------------------------------------------------------


def check_results(
    answers: Sequence[Any],
    plugin: str,
    name: str,
    seconds: float,
    own_engine: Callable[[], bool],
) -> list[CheckResult]:
    """A plugin's results with their owner and time; each is checked, and no name comes twice.

    Args:
        answers: of the hook ``validate``: sequences of results.
        plugin: who is named in an error.
        name: what the results get as ``plugin``.
        seconds: how long the hook took, for a result that does not say it.
        own_engine: whether the engine in use is this plugin's; asked where a result that passed
            says that it showed something of the engine. Another plugin's result counts for nothing
            there: what it says is taken away, with a warning.

    Raises:
        PluginError: something is not a CheckResult, holds what ``validation.json`` cannot, or two
            have one name.
    """
    from logexport.types import CheckResult

    results: list[CheckResult] = []
    for answer in answers:
        if not isinstance(answer, Sequence):
            refuse(
                plugin,
                f"hook 'validate' returned {type(answer).__name__}, not a list of CheckResult",
            )
        for check in answer:
            if not isinstance(check, CheckResult):
                refuse(
                    plugin,
                    f"hook 'validate' returned {type(check).__name__} among its results,"
                    " not CheckResult",
                )
            _check_result(check, plugin)
            if check.name in {one.name for one in results}:
                refuse(
                    plugin,
                    f"two of its checks are named {check.name!r}",
                    "Give each check of a plugin a name of its own.",
                )
            own = seconds if check.seconds is None else check.seconds
            check = replace(check, plugin=name, seconds=own)
            counts = check.status != "passed" or check.engine is None or own_engine()
            results.append(check if counts else _without_engine(check))
    return results


def _without_engine(check: CheckResult) -> CheckResult:
    warning = (
        f"{check.plugin} says that its check {check.name!r} ran the C engine, but the engine in use"
        " is not that plugin's: the check does not count for the proof"
    )
    return replace(check, engine=None, warnings=(*check.warnings, warning))


def _check_result(check: CheckResult, plugin: str) -> None:
    """Refuse a result that ``validation.json`` cannot hold."""
    import json

    if not isinstance(check.name, str) or not _CHECK_NAME.fullmatch(check.name):
        refuse(plugin, f"a check is named {check.name!r}", "Names are of the form [a-z0-9_]+.")
    who = f"the check {check.name!r}"
    if check.status not in ("passed", "failed", "skipped"):
        refuse(plugin, f"{who} has the status {check.status!r}", "passed, failed or skipped.")
    if check.scope not in ("graph", "bundle"):
        refuse(plugin, f"{who} has the scope {check.scope!r}", "Give graph or bundle.")
    if check.engine not in (None, *ENGINE_CHECKS):
        refuse(
            plugin,
            f"{who} says that the engine's {check.engine!r} was checked",
            f"Give {', '.join(ENGINE_CHECKS)}, or nothing.",
        )
    require(plugin, who, "message", check.message, str, "a line of text")
    require(plugin, who, "figures", check.figures, Mapping, "a mapping")
    if not isinstance(check.warnings, Sequence) or isinstance(check.warnings, str):
        refuse(plugin, f"{who} has warnings that are no sequence of sentences")
    try:
        json.dumps([dict(check.figures), list(check.warnings)], allow_nan=False)
    except (TypeError, ValueError) as error:
        refuse(plugin, f"{who} has figures that JSON cannot hold: {error}")
    if check.seconds is not None:
        require(plugin, who, "seconds", check.seconds, (int, float), "a number")


# --- engine_command -------------------------------------------------------------------------------


def check_engine_command(command: object, plugin: str) -> list[str]:
    """The words that start an engine.

    Raises:
        PluginError: they are not a sequence of words.
    """
    if isinstance(command, str) or not isinstance(command, Sequence) or not command:
        refuse(
            plugin,
            f"hook 'engine_command' returned {type(command).__name__}, not words",
            "Return a list of words, the program's absolute path first, or None.",
        )
    return [str(word) for word in command]
