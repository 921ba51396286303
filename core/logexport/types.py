"""What hooks receive and return: frozen dataclasses, with shapes and units.

Nothing here imports torch, numpy or onnx when the module is imported. A plugin's hooks module takes
``ModelInfo`` and ``Sample`` from ``logexport`` itself: the two dozen dataclasses here would cost
every ``--help`` ten milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union

from logexport.model_info import ModelInfo as ModelInfo
from logexport.model_info import Sample as Sample

if TYPE_CHECKING:
    import numpy as np
    import torch

__all__ = [
    "Attempt",
    "CheckResult",
    "CountMatrix",
    "DummyInput",
    "EngineCheck",
    "EventWindow",
    "ExportRequest",
    "GraphInfo",
    "JSONValue",
    "LoadedModel",
    "ModelInfo",
    "ModelRequest",
    "ModelResult",
    "NextEventTopK",
    "OtherDecision",
    "OtherInput",
    "PerModel",
    "RunResult",
    "Sample",
    "Scope",
    "ScoreThreshold",
    "SessionCounts",
    "Sizes",
    "StagedBundle",
    "Status",
    "Task",
    "Vocabulary",
]

JSONValue = Union[None, bool, int, float, str, "list[JSONValue]", "dict[str, JSONValue]"]
Sizes = Mapping[str, int]
"""Axis name to size, for example ``{"batch_size": 7, "sequence_length": 25}``."""


# --- the task: what stands between a line and a verdict ------------------------------------------


@dataclass(frozen=True)
class EventWindow:
    """Input int64 ``[batch_size, sequence_length]``: the last ``length`` events of a session.

    ``start`` and ``end`` are indices of reserved entries, or None. A session's window begins with
    ``length`` times ``start``; an event ``end`` follows its last line. The null session has
    neither.
    """

    length: int
    start: int | None = None
    end: int | None = None
    kind: Literal["event_window"] = field(default="event_window", init=False)


@dataclass(frozen=True)
class CountMatrix:
    """Input float32 ``[batch_size, 1, steps, features]``: raw counts of each template.

    A step counts the templates of ``lines`` consecutive non-blank lines; the next step begins
    ``stride`` lines later.
    """

    lines: int
    stride: int
    steps: int
    kind: Literal["count_matrix"] = field(default="count_matrix", init=False)


@dataclass(frozen=True)
class SessionCounts:
    """Input float32 ``[batch_size, features]``: raw counts of each template in a finished session.

    ``features`` is the size of the vocabulary plus one; the last column counts the lines that are
    unseen. The decision is :class:`ScoreThreshold`.
    """

    kind: Literal["session_counts"] = field(default="session_counts", init=False)


@dataclass(frozen=True)
class NextEventTopK:
    """Anomaly when ``top_k`` or more logits are greater than the actual event's.

    ``output`` names the graph output, float32 ``[batch_size, vocab_size]``, logits.
    """

    output: str
    top_k: int
    kind: Literal["next_event_topk"] = field(default="next_event_topk", init=False)


@dataclass(frozen=True)
class ScoreThreshold:
    """Anomaly unless score <= ``threshold``.

    ``output`` names the graph output, float32 ``[batch_size]``; ``attribution`` the output that
    divides the score by template, float32 ``[batch_size, features]``, non-negative, or None.
    ``threshold_name`` says where the value came from (``p99``, ``3sigma``, ``value``);
    ``thresholds`` holds every named value that the checkpoint knows.
    """

    output: str
    threshold: float
    threshold_name: str = "value"
    thresholds: Mapping[str, float] = field(default_factory=dict)
    attribution: str | None = None
    kind: Literal["score_threshold"] = field(default="score_threshold", init=False)


@dataclass(frozen=True)
class OtherInput:
    """An input kind that logexport does not know: exported, never replayed."""

    kind: str
    parameters: Mapping[str, JSONValue] = field(default_factory=dict)


@dataclass(frozen=True)
class OtherDecision:
    """A decision kind that logexport does not know: exported, never replayed."""

    kind: str
    parameters: Mapping[str, JSONValue] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """How a model is fed and how its output is read. Input and decision combine freely."""

    input: EventWindow | CountMatrix | SessionCounts | OtherInput
    decision: NextEventTopK | ScoreThreshold | OtherDecision

    @property
    def known(self) -> bool:
        """Whether the reference and the engine can run it."""
        if isinstance(self.input, SessionCounts):
            return isinstance(self.decision, ScoreThreshold)
        return not isinstance(self.input, OtherInput) and not isinstance(
            self.decision, OtherDecision
        )

    @property
    def needs_sessions(self) -> bool:
        """Whether sessions must begin and end: by rules of version 2, and by ``regex`` or
        ``field``."""
        if isinstance(self.input, EventWindow):
            return self.input.start is not None or self.input.end is not None
        return isinstance(self.input, SessionCounts)

    def count_features(self, vocab_size: int) -> int:
        """How many columns the input and an attribution have, for a vocabulary of this size."""
        return vocab_size + isinstance(self.input, SessionCounts)

    def to_json(self) -> dict[str, Any]:
        """The ``task`` entry of the metadata (keys in the documented order)."""
        out: dict[str, Any] = {"input": self.input.kind}
        if isinstance(self.input, EventWindow):
            out["length"] = self.input.length
            for name in ("start", "end"):
                if getattr(self.input, name) is not None:
                    out[name] = getattr(self.input, name)
        elif isinstance(self.input, CountMatrix):
            out |= {
                "lines": self.input.lines,
                "stride": self.input.stride,
                "steps": self.input.steps,
            }
        elif isinstance(self.input, OtherInput):
            out |= self.input.parameters
        out["decision"] = self.decision.kind
        if isinstance(self.decision, NextEventTopK):
            out |= {"output": self.decision.output, "top_k": self.decision.top_k}
        elif isinstance(self.decision, ScoreThreshold):
            out["output"] = self.decision.output
            if self.decision.attribution is not None:
                out["attribution"] = self.decision.attribution
            out["threshold"] = self.decision.threshold
            out["threshold_name"] = self.decision.threshold_name
            out["thresholds"] = dict(self.decision.thresholds)
        else:
            out |= self.decision.parameters
        return out

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Task:
        """Read the ``task`` entry of the metadata; the schema has checked its keys and types."""
        input_keys = {
            "event_window": ("length", "start", "end"),
            "count_matrix": ("lines", "stride", "steps"),
        }.get(data["input"])
        rest = {k: v for k, v in data.items() if k not in ("input", "decision")}
        input_: EventWindow | CountMatrix | SessionCounts | OtherInput
        decision: NextEventTopK | ScoreThreshold | OtherDecision
        if data["input"] == "event_window":
            input_ = EventWindow(data["length"], data.get("start"), data.get("end"))
        elif data["input"] == "count_matrix":
            input_ = CountMatrix(lines=data["lines"], stride=data["stride"], steps=data["steps"])
        elif data["input"] == "session_counts":
            input_ = SessionCounts()
        else:
            input_ = OtherInput(data["input"], rest)
        if data["decision"] == "next_event_topk":
            decision = NextEventTopK(output=data["output"], top_k=data["top_k"])
        elif data["decision"] == "score_threshold":
            decision = ScoreThreshold(
                output=data["output"],
                threshold=data["threshold"],
                threshold_name=data.get("threshold_name", "value"),
                thresholds=dict(data.get("thresholds", {})),
                attribution=data.get("attribution"),
            )
        else:
            own = {k: v for k, v in rest.items() if k not in (input_keys or ())}
            decision = OtherDecision(data["decision"], own)
        return cls(input_, decision)


# --- what a run is asked for ----------------------------------------------------------------------


PerModel = Union[Path, Mapping[str, Path], None]  # noqa: UP007 - evaluated at run time
"""One path for all models, or one for each model by name."""


@dataclass(frozen=True)
class ExportRequest:
    """A job: which models, from which files, to where. The argument of :func:`logexport.run`.

    Args:
        models: model types, exported in this order.
        output_dir: the bundle's directory; published atomically.
        checkpoint: what to export; None for the sample that the plugin ships.
        vocab: training or engine form of the vocabulary.
        parsed: ``parsed.parquet`` of the training log; None looks beside the vocabulary.
        preprocess: ``preprocess.json``; None looks beside the vocabulary and the parsed file.
        replay: a raw log for checks on real lines.
        opset: None takes the strategy's default.
        exporter: ``auto``, or a strategy's name.
        portable: also write ``NAME_portable.onnx`` (ONNX Runtime's basic optimisations).
        optimize: also write ``NAME_optimized.onnx`` (all optimisations, this machine only).
        validate: run the checks; without them ``proof`` is ``none``.
        options: the plugins' own options, ``{"seq_len": 10}`` for every plugin that declares it or
            ``{"seq_len": {"deeplog": 10}}`` for one by its model type's name.
    """

    models: Sequence[str]
    output_dir: Path = Path("bundle")
    checkpoint: PerModel = None
    vocab: PerModel = None
    parsed: PerModel = None
    preprocess: PerModel = None
    replay: Path | None = None
    opset: int | None = None
    exporter: str = "auto"
    portable: bool = False
    optimize: bool = False
    validate: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelRequest:
    """The part of a job that concerns one model, as hooks receive it.

    Paths are resolved: where the user named none, they are the sample's or what lies beside the
    vocabulary, or None where there is none. ``options`` holds the values of the options that the
    plugin whose hook is called has declared by ``run_options``, and no other plugin's.
    """

    model: str
    checkpoint: Path
    vocab: Path
    parsed: Path | None = None
    sequences: Path | None = None
    preprocess: Path | None = None
    replay: Path | None = None
    opset: int | None = None
    exporter: str = "auto"
    sample: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def find_data(self, option: str, file: str) -> Path | None:
        """A file of training data: what an option names, else the one of this name beside the
        vocabulary or the checkpoint; None if there is none.

        Args:
            option: its key in ``options``; what it names need not be there.
            file: the name of such a file.
        """
        given: Path | None = self.options.get(option)
        if given is not None:
            return given
        places = (self.vocab.parent / file, self.checkpoint.parent / file)
        return next((path for path in places if path.is_file()), None)


# --- what the model's hooks give ------------------------------------------------------------------


@dataclass(frozen=True)
class LoadedModel:
    """A checkpoint, read.

    Args:
        module: in eval mode, on the CPU; its outputs are the graph's, in the order of
            ``DummyInput.output_names``.
        task: how it is fed and read.
        vocab_size: number of entries that the vocabulary must have.
        meta: facts read from the checkpoint, such as ``seq_len``; the plugin's own ``write_meta``
            says which of them enter the metadata.
        trained_vocab_sha256: what the checkpoint says of the vocabulary it was trained with (see
            :meth:`Vocabulary.sha256`), or None.
        warnings: sentences for the report.
    """

    module: torch.nn.Module
    task: Task
    vocab_size: int
    meta: Mapping[str, JSONValue] = field(default_factory=dict)
    trained_vocab_sha256: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vocabulary:
    """Templates by index.

    Args:
        templates: ``templates[i]`` is the template string of index i; the label of a reserved
            index. Distinct.
        reserved: name to index of the entries that are labels: never matched by a line. The name
            ``unknown`` means that unseen lines enter the window as that index.
    """

    templates: tuple[str, ...]
    reserved: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.templates)

    @property
    def unknown(self) -> int | None:
        """The index under which unseen lines enter a window, or None if they do not."""
        return self.reserved.get("unknown")

    def sha256(self) -> str:
        """Identity of the vocabulary, whatever form its file has: templates in order, as JSON."""
        import hashlib
        import json

        text = json.dumps(list(self.templates), ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class DummyInput:
    """Example inputs for tracing, and how to make others.

    Args:
        tensors: one for each input, in the graph's order; every dynamic size at least 2 and all
            sizes different, so that no axis is frozen or taken for another.
        input_names, output_names: the graph's, in order.
        dynamic_axes: input or output name → axis number → axis name; the same axis name is the same
            size everywhere.
        grid: the sizes to probe, each naming every dynamic axis.
        draw: random inputs of the given sizes from the generator, as numpy arrays in input order,
            each of the dtype that the graph declares.
    """

    tensors: tuple[torch.Tensor, ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    dynamic_axes: Mapping[str, Mapping[int, str]]
    grid: tuple[Sizes, ...]
    draw: Callable[[Sizes, np.random.Generator], tuple[np.ndarray, ...]]


@dataclass(frozen=True)
class GraphInfo:
    """Read back from the finished graph, never from what was asked.

    Shapes are per input or output, in order; a dynamic axis is its name, a fixed one its size.
    """

    path: Path
    opset_version: int
    ir_version: int
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    input_shapes: tuple[tuple[str | int, ...], ...]
    output_shapes: tuple[tuple[str | int, ...], ...]
    node_count: int
    sha256: str


# --- checks and results ---------------------------------------------------------------------------

Status = Literal["passed", "failed", "skipped"]
Scope = Literal["graph", "bundle"]
EngineCheck = Literal["tensors", "replay", "selftest"]
"""What a check showed of the C engine: outputs on probes, verdicts on a log, the self-test."""


@dataclass(frozen=True)
class CheckResult:
    """One check's outcome.

    Args:
        name: stable, lower case, ``[a-z0-9_]+``.
        status: ``skipped`` always with the reason in ``message``.
        scope: a failed ``graph`` check sends the export to the next strategy, a failed ``bundle``
            check ends the run.
        message: one line for a person.
        figures: what was measured; JSON values, keys ``[a-z0-9_]+``, seconds and counts as numbers.
        warnings: sentences for the report, ``validation.json`` and ``inspect``, each with what to
            do. They leave the proof as it is; those of some of the host's own checks are counted
            beside it.
        engine: what the check showed of the C engine, or None. It counts where the engine in use is
            the checking plugin's own (its ``engine_command`` was taken): a passed ``replay`` is
            what makes a proof ``full``.
        seconds: wall time; None lets the host fill in the time of the hook call.
        plugin: filled in by the host.

    Raises:
        ValueError: skipped without a reason.
    """

    name: str
    status: Status
    scope: Scope = "bundle"
    message: str = ""
    figures: Mapping[str, JSONValue] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    seconds: float | None = None
    plugin: str = ""
    engine: EngineCheck | None = None

    def __post_init__(self) -> None:
        if self.status == "skipped" and not self.message:
            raise ValueError(f"check {self.name!r} is skipped without a reason")


@dataclass(frozen=True)
class StagedBundle:
    """The complete bundle as it stands before publishing, with a provisional manifest.

    Everything in it may be read; ``validate`` hooks write nothing into it.
    """

    path: Path
    model: str
    graph: GraphInfo
    meta: Mapping[str, Any]


@dataclass(frozen=True)
class Attempt:
    """One try of a strategy: what was chosen and why, and how it ended."""

    strategy: str
    opset: int
    reason: str
    outcome: str
    seconds: float


@dataclass(frozen=True)
class ModelResult:
    """What became of one model of a run."""

    model: str
    checkpoint: Path
    sample: bool
    onnx: Path
    metadata: Path
    attempts: tuple[Attempt, ...]
    checks: tuple[CheckResult, ...]
    seconds: Mapping[str, float]
    warnings: tuple[str, ...] = ()
    exporter_warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunResult:
    """What a run published.

    Args:
        bundle: its directory.
        models: what became of each model of the run.
        proof: of the bundle, the weakest of its models'.
        seconds: of the whole run.
        warnings: how many warnings beside the proof count, of all models of the bundle.
    """

    bundle: Path
    models: tuple[ModelResult, ...]
    proof: Literal["full", "no_native", "none"]
    seconds: float
    warnings: int = 0
