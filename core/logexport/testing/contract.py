"""The checks of a plugin's contract, as plain functions over one :class:`Contract`.

They call the plugin's hooks as the host does, export twice, and hold the results to what
docs/api.md asks. A check returns one line that says what was found, raises
:class:`ContractError` with what is wrong and what to change, or :class:`NotApplicable` with why it
has nothing to say.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from logexport.errors import (
    CheckFailedError,
    LogexportError,
    PluginError,
    UnknownModelError,
)
from logexport.runtime import silent_environment
from logexport.types import (
    CheckResult,
    CountMatrix,
    DummyInput,
    EventWindow,
    ExportRequest,
    LoadedModel,
    ModelRequest,
    RunResult,
    ScoreThreshold,
    Sizes,
    Vocabulary,
)

if TYPE_CHECKING:
    import numpy as np

    from logexport.host import Host, Plugin
    from logexport.publishing.plan import ModelJob, PluginOptions
    from logexport.testing.watch import Written

HEAVY = ("torch", "onnx", "onnxruntime", "numpy", "pyarrow", "pandas", "scipy", "jsonschema")
"""What a module of hooks must not import before a hook needs it: every ``--help`` imports it."""


class ContractError(AssertionError):
    """The plugin breaks the contract.

    Args:
        problem: what is wrong.
        remedy: what its author changes.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}\n  What to change: {remedy}")
        self.problem = problem
        self.remedy = remedy


class NotApplicable(Exception):  # noqa: N818 - no error: the check has nothing to say here
    """A check has nothing to say of this plugin; the text says why."""


@dataclass(frozen=True)
class Subject:
    """What is checked.

    Args:
        plugin: the model type's name, or the entry point's name of a plugin that is no model.
        checkpoint, vocab, parsed, preprocess, replay: as in :class:`logexport.ExportRequest`;
            without a checkpoint the sample that the plugin ships is exported.
        options: of ``logexport run``.
    """

    plugin: str
    checkpoint: Path | None = None
    vocab: Path | None = None
    parsed: Path | None = None
    preprocess: Path | None = None
    replay: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What one check said.

    Args:
        name: the check's.
        status: ``skipped`` with the reason as ``message``.
        message: what was found, or what is wrong.
        remedy: what to change, where it failed.
        seconds: wall time.
    """

    name: str
    status: Literal["passed", "failed", "skipped"]
    message: str
    remedy: str
    seconds: float


@dataclass(frozen=True)
class ContractCheck:
    """One check: call it with a contract.

    Args:
        name: as in the report; ``[a-z_]+``.
        summary: what it holds the plugin to, one line.
        of: ``model`` plugins, ``other`` plugins, or ``any``.
        run: the check itself.
    """

    name: str
    summary: str
    of: Literal["model", "other", "any"]
    run: Callable[[Contract], str]

    def __call__(self, contract: Contract) -> str:
        """Run it; one line that says what was found.

        Raises:
            ContractError: the plugin breaks the contract.
            NotApplicable: the check has nothing to say of this plugin.
        """
        is_model = contract.plugin.model is not None
        if self.of != "any" and is_model != (self.of == "model"):
            raise NotApplicable(
                f"{contract.subject.plugin} is {'a' if is_model else 'no'} model plugin"
            )
        return self.run(contract)


# --- what the checks share ------------------------------------------------------------------------


class Contract:
    """A plugin under check: its answers and exports, each made once when first asked for.

    Args:
        subject: what is checked.
        host: where the plugins are; the installed ones by default.
        directory: where exports and damaged files are made; nothing is removed from it. Without
            one, a temporary directory that is removed with this object.
    """

    def __init__(
        self, subject: Subject, *, host: Host | None = None, directory: Path | None = None
    ) -> None:
        from logexport.host import default_host

        self.subject = _absolute(subject)
        self.host = host or default_host()
        self._temporary = None
        if directory is None:
            self._temporary = TemporaryDirectory(prefix="logexport-contract-")
            directory = Path(self._temporary.name)
        self.directory = Path(os.path.realpath(directory))
        self.written: Written | None = None

    @cached_property
    def plugin(self) -> Plugin:
        """The plugin, which takes part."""
        name = self.subject.plugin
        named = [
            plugin
            for plugin in self.host.plugins
            if name in (plugin.name, plugin.model and plugin.model.name)
        ]
        broken = [plugin for plugin in named if not plugin.ok]
        try:
            return self.host.model(name)
        except UnknownModelError as error:
            found = [plugin for plugin in named if plugin.ok]
            if found:
                return found[0]
            if broken:
                raise ContractError(
                    f"{broken[0]} takes no part: {broken[0].state}",
                    "Correct what the sentence names; `logexport plugins list` shows the state.",
                ) from None
            raise ContractError(
                str(error),
                "Install the plugin here, and declare it in pyproject.toml under"
                ' [project.entry-points.logexport]: NAME = "package.hooks".',
            ) from None
        except PluginError as error:
            raise ContractError(str(error), error.remedy) from None

    @cached_property
    def model(self) -> str:
        """The model type that is exported: the plugin's own, or one that carries its checks."""
        if self.plugin.model is not None:
            return self.plugin.model.name
        carriers = [
            name
            for name, owners in self.host.models().items()
            if len(owners) == 1 and owners[0].model and owners[0].model.sample
        ]
        if not carriers:
            raise NotApplicable("no installed model type ships a sample to export")
        return carriers[0]

    @cached_property
    def planned(self) -> tuple[ModelJob, PluginOptions]:
        """The request as the model's hooks receive it."""
        from logexport.publishing.plan import plan

        try:
            (job,), options = plan(self.request("planned"), self.host)
        except LogexportError as error:
            raise ContractError(
                f"the export cannot be planned: {error}",
                error.remedy or "Ship a sample, or name a checkpoint and a vocabulary.",
            ) from None
        return job, options

    @property
    def model_request(self) -> ModelRequest:
        """As :attr:`planned`, for the model's own hooks."""
        job, options = self.planned
        return job.request_of(job.plugin, options)

    @cached_property
    def loaded(self) -> LoadedModel:
        """The answer of ``load_model``, checked."""
        from logexport.hosting.answers import check_loaded

        with self._answering("load_model"):
            loaded: LoadedModel = self._hook("load_model", LoadedModel, request=self.model_request)
            check_loaded(loaded, str(self.plugin))
        return loaded

    @cached_property
    def vocab(self) -> Vocabulary:
        """The answer of ``build_vocab``, checked."""
        from logexport.hosting.answers import check_vocab

        with self._answering("build_vocab"):
            vocab: Vocabulary = self._hook(
                "build_vocab", Vocabulary, request=self.model_request, model=self.loaded
            )
            check_vocab(vocab, str(self.plugin))
        return vocab

    @cached_property
    def dummy(self) -> DummyInput:
        """The answer of ``dummy_input``, checked with the module's outputs."""
        from logexport.hosting.answers import check_dummy, check_outputs

        with self._answering("dummy_input"):
            dummy: DummyInput = self._hook(
                "dummy_input",
                DummyInput,
                request=self.model_request,
                model=self.loaded,
                vocab=self.vocab,
            )
            check_dummy(dummy, str(self.plugin))
            check_outputs(self.loaded, dummy, str(self.plugin))
        return dummy

    def _hook(self, hook: str, answer: type, **arguments: Any) -> Any:
        return self.host.required(self.plugin, hook, answer, **arguments)

    @contextmanager
    def _answering(self, hook: str) -> Iterator[None]:
        """What the host refuses of an answer is a breach of the contract, with what to change."""
        try:
            yield
        except LogexportError as error:
            raise ContractError(
                str(error), error.remedy or f"Change {hook} in {self.plugin.module}."
            ) from error

    def request(self, name: str, **more: Any) -> ExportRequest:
        """The job of exporting the subject into ``directory/name/bundle``."""
        subject = self.subject
        return ExportRequest(
            models=[self.model],
            output_dir=self.directory / name / "bundle",
            checkpoint=subject.checkpoint,
            vocab=subject.vocab,
            parsed=subject.parsed,
            preprocess=subject.preprocess,
            replay=subject.replay,
            options={**subject.options, **more},
        )

    @cached_property
    def _first(self) -> RunResult | LogexportError:
        """The first export, in an empty working directory, with every file that it writes noted."""
        from logexport.testing.watch import written_files

        with _moved(self.directory / "first"), written_files() as written:
            self.written = written
            return self._try("first")

    @cached_property
    def _second(self) -> RunResult | LogexportError:
        names = {option.name for _, option in self.host.options}
        with _moved(self.directory / "second"):
            # One engine is enough: what it says of equal bundles is equal.
            return self._try("second", **({"native": "off"} if "native" in names else {}))

    def _try(self, name: str, **more: Any) -> RunResult | LogexportError:
        from logexport.pipeline import run

        try:
            return run(self.request(name, **more), host=self.host)
        except LogexportError as error:
            return error

    @property
    def exported(self) -> RunResult:
        """The first export."""
        return self._result(self._first)

    @property
    def exported_again(self) -> RunResult:
        """The second one."""
        return self._result(self._second)

    def _result(self, result: RunResult | LogexportError) -> RunResult:
        if isinstance(result, LogexportError):
            raise NotApplicable(f"the export failed (see the check 'exports'): {result}")
        return result

    @property
    def first_error(self) -> LogexportError | None:
        """What the first export raised, or None."""
        return self._first if isinstance(self._first, LogexportError) else None


def _absolute(subject: Subject) -> Subject:
    names = ("checkpoint", "vocab", "parsed", "preprocess", "replay")
    given = {name: getattr(subject, name) for name in names}
    paths: dict[str, Any] = {
        name: Path(path).absolute() for name, path in given.items() if path is not None
    }
    return replace(subject, **paths)


@contextmanager
def _moved(directory: Path) -> Iterator[None]:
    """Work in an empty directory, with temporary files in another one beside it."""
    cwd, scratch = directory / "cwd", directory / "tmp"
    for path in (cwd, scratch):
        path.mkdir(parents=True, exist_ok=True)
    here = Path.cwd()
    before = os.environ.get("TMPDIR"), tempfile.tempdir
    os.chdir(cwd)
    os.environ["TMPDIR"], tempfile.tempdir = str(scratch), None
    try:
        yield
    finally:
        os.chdir(here)
        tempfile.tempdir = before[1]
        if before[0] is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before[0]


def check_plugin(
    subject: Subject,
    *,
    host: Host | None = None,
    directory: Path | None = None,
    report: Callable[[ContractCheck], None] = lambda _: None,
) -> list[Outcome]:
    """Run every check on a plugin.

    Args:
        subject: what is checked.
        host: where the plugins are; the installed ones by default.
        directory: see :class:`Contract`.
        report: called with each check as it begins. Nothing is printed.

    Returns:
        the outcome of every check, in order. Where the plugin is not found only the first one is.
    """
    contract = Contract(subject, host=host, directory=directory)
    outcomes: list[Outcome] = []
    for check in CHECKS:
        report(check)
        began = time.perf_counter()
        status: Literal["passed", "failed", "skipped"] = "passed"
        remedy = ""
        try:
            message = check(contract)
        except NotApplicable as reason:
            status, message = "skipped", str(reason)
        except ContractError as error:
            status, message, remedy = "failed", error.problem, error.remedy
        outcomes.append(Outcome(check.name, status, message, remedy, time.perf_counter() - began))
        if status == "failed" and check.name == "found":
            break
    return outcomes


# --- the checks -----------------------------------------------------------------------------------


def _found(contract: Contract) -> str:
    plugin = contract.plugin
    if plugin.deprecations:
        raise ContractError(
            f"{plugin} uses what will go: {'; '.join(plugin.deprecations)}",
            "Do what the sentence says; the changelog has more.",
        )
    others = [str(one) for one in contract.host.plugins if one is not plugin and not one.ok]
    beside = f"; broken beside it: {', '.join(others)}" if others else ""
    return f"{plugin} with the hooks {', '.join(plugin.hooks)}{beside}"


_IMPORT = """
import importlib, json, sys
importlib.import_module("logexport.types")
before = set(sys.modules)
importlib.import_module(sys.argv[1])
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""


def _light_import(contract: Contract) -> str:
    module = contract.plugin.module.partition(":")[0].partition("[")[0].strip()
    done = subprocess.run(  # noqa: S603 - our interpreter, and a module that is installed
        [sys.executable, "-c", _IMPORT, module],
        env={**silent_environment(), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ContractError(
            f"{module} cannot be imported in a process of its own: {last}",
            "Correct the import; the entry point must name a module that stands by itself.",
        )
    *printed, imported = done.stdout.splitlines()
    if printed:
        raise ContractError(
            f"{module} prints {printed[0]!r} when it is imported",
            "Print nothing at import: standard output belongs to the command.",
        )
    heavy = [name for name in json.loads(imported) if name in HEAVY]
    if heavy:
        raise ContractError(
            f"importing {module} imports {', '.join(heavy)}, so that every `logexport --help` does",
            f"Import {heavy[0]} inside the functions that need it"
            " (types for annotations: under `if TYPE_CHECKING:`).",
        )
    return f"{module} imports none of {', '.join(HEAVY[:4])} …"


def _declared(contract: Contract) -> str:
    info = contract.plugin.model
    assert info is not None  # noqa: S101 - checks of models only
    if not info.summary.strip() or "\n" in info.summary:
        raise ContractError(
            f"model_info gives the summary {info.summary!r}",
            "Say in one line what the model is: --help and `plugins list` show it.",
        )
    if info.sample is not None:
        for what in ("checkpoint", "vocab", "preprocess", "log"):
            path = getattr(info.sample, what)
            if not Path(path).is_file():
                raise ContractError(
                    f"the sample's {what} {path} is not there",
                    "Ship it in the package (package-data), or declare sample=None.",
                )
    has = "with a sample" if info.sample else "without a sample"
    return f"{info.name}: {info.input}, {info.decision}, {has}"


def _options(contract: Contract) -> str:
    own = [option for plugin, option in contract.host.options if plugin is contract.plugin]
    for option in own:
        if not option.help:
            raise ContractError(
                f"the option {option.opts[0]} has no help",
                "Say in a sentence what it does, and its default.",
            )
    return ", ".join(option.opts[0] for option in own) or "no options of its own"


def _loads(contract: Contract) -> str:
    info, loaded, vocab = contract.plugin.model, contract.loaded, contract.vocab
    assert info is not None  # noqa: S101 - checks of models only
    kinds = (loaded.task.input.kind, loaded.task.decision.kind)
    if kinds != (info.input, info.decision):
        raise ContractError(
            f"load_model gives the task {' and '.join(kinds)}, model_info declares"
            f" {info.input} and {info.decision}",
            "Give the same kinds in both.",
        )
    if len(vocab) != loaded.vocab_size:
        raise ContractError(
            f"build_vocab gives {len(vocab)} entries, load_model says {loaded.vocab_size}",
            "Pass model.vocab_size to logexport.vocab.load_vocab, which refuses what does not fit.",
        )
    return (
        f"{type(loaded.module).__name__},"
        f" {sum(p.numel() for p in loaded.module.parameters()):,} parameters,"
        f" {len(vocab)} templates"
    )


def _inputs(contract: Contract) -> str:
    dummy, given = contract.dummy, contract.loaded.task.input
    first = dummy.tensors[0]
    dtype, dims = str(first.dtype).removeprefix("torch."), first.dim()
    axes = dict(dummy.dynamic_axes.get(dummy.input_names[0], {}))
    wanted = {EventWindow: ("int64", 2), CountMatrix: ("float32", 4)}.get(type(given))
    if wanted is None:
        return f"{given.kind}: an input of the plugin's own, {dtype} with {dims} axes"
    if (dtype, dims) != wanted or len(dummy.tensors) != 1:
        raise ContractError(
            f"dummy_input gives {len(dummy.tensors)} inputs, the first {dtype} {list(first.shape)};"
            f" {given.kind} is one input, {wanted[0]} with {wanted[1]} axes",
            "int64 [batch_size, sequence_length] for event_window,"
            " float32 [batch_size, 1, steps, features] for count_matrix.",
        )
    if 0 not in axes:
        raise ContractError(
            "the first axis of the input is not dynamic, but detection scores batches of any size",
            "Name axis 0 in dynamic_axes of the input and of every output, such as 'batch_size'.",
        )
    if isinstance(given, CountMatrix):
        sizes = {1: 1, 2: given.steps, 3: contract.loaded.vocab_size}
        for axis, size in sizes.items():
            if axis not in axes and int(first.shape[axis]) != size:
                raise ContractError(
                    f"axis {axis} of the example input is {int(first.shape[axis])}, and fixed;"
                    f" detection gives {size}",
                    "Make the example of the task's sizes, [batch_size, 1, steps, features].",
                )
    if isinstance(given, EventWindow) and 1 not in axes and int(first.shape[1]) != given.length:
        raise ContractError(
            f"the example's windows have {int(first.shape[1])} events, and that axis is fixed;"
            f" detection gives {given.length}",
            "Make axis 1 dynamic, or the example of the task's length.",
        )
    lengths = {probe[axes[1]] for probe in dummy.grid} if 1 in axes else set()
    if isinstance(given, EventWindow) and lengths and given.length not in lengths:
        raise ContractError(
            f"the grid never probes the task's own length {given.length}"
            f" (it has {sorted(lengths)})",
            "Put the task's length into the grid: it is what detection runs.",
        )
    batches = {probe[axes[0]] for probe in dummy.grid}
    if not {1} < batches:
        raise ContractError(
            f"the grid probes only the batch sizes {sorted(batches)}",
            "Probe a batch of 1 and larger ones: (1, 2, 7, 32).",
        )
    return f"{dtype} {_shape(first.shape, axes)}, {len(dummy.grid)} shapes to probe"


def _shape(shape: Sequence[int], axes: Mapping[int, str]) -> list[str | int]:
    return [axes.get(i, int(size)) for i, size in enumerate(shape)]


def _other_sizes(dummy: DummyInput) -> list[Sizes]:
    """Sizes that no grid of the plugin's holds, so that it cannot have been made to fit them."""
    most = {axis: max(probe[axis] for probe in dummy.grid) for axis in dummy.grid[0]}
    return [
        {axis: size + 1 + number for number, (axis, size) in enumerate(most.items())},
        {axis: max(2, size // 2 + 1) for axis, size in most.items()},
    ]


def _axes(contract: Contract) -> str:
    from logexport.exporters.drawing import draw
    from logexport.verdicts.scorers import TorchScorer

    dummy = contract.dummy
    scorer = TorchScorer(contract.loaded.module, dummy.output_names)
    shapes: dict[str, list[tuple[int, ...]]] = {name: [] for name in dummy.output_names}
    probes = [*_other_sizes(dummy), dummy.grid[0]]
    for sizes in probes:
        for name, value in _run(scorer, draw(dummy, sizes, str(contract.plugin)), sizes).items():
            shapes[name].append(value.shape)
    for name, found in shapes.items():
        declared = dict(dummy.dynamic_axes.get(name, {}))
        for axis in range(len(found[0])):
            sizes_found = [shape[axis] for shape in found]
            expected = [probe[declared[axis]] for probe in probes] if axis in declared else None
            if expected is not None and sizes_found != expected:
                raise ContractError(
                    f"axis {axis} of the output {name!r} is declared as {declared[axis]!r}, but has"
                    f" the sizes {sizes_found} where that axis has {expected}",
                    "Declare in dynamic_axes what the module does.",
                )
            if expected is None and len(set(sizes_found)) > 1:
                raise ContractError(
                    f"axis {axis} of the output {name!r} is not declared as dynamic, but has the"
                    f" sizes {sizes_found}",
                    f"Name axis {axis} of {name!r} in dynamic_axes.",
                )
    return f"outputs as declared at {len(probes)} sizes, two of them outside the grid"


def _run(scorer: Any, inputs: Sequence[np.ndarray], sizes: Sizes) -> Mapping[str, np.ndarray]:
    try:
        outputs: Mapping[str, np.ndarray] = scorer(*inputs)
    except Exception as error:
        raise ContractError(
            f"the model fails at {dict(sizes)}: {type(error).__name__}: {error}",
            "forward must take any size of a dynamic axis; take sizes from the input's shape.",
        ) from error
    return outputs


def _outputs(contract: Contract) -> str:
    import numpy as np

    from logexport.exporters.drawing import draw
    from logexport.verdicts.scorers import TorchScorer

    dummy, decision = contract.dummy, contract.loaded.task.decision
    scorer = TorchScorer(contract.loaded.module, dummy.output_names)
    for sizes in dummy.grid:
        inputs = draw(dummy, sizes, str(contract.plugin))
        first, second = _run(scorer, inputs, sizes), _run(scorer, inputs, sizes)
        for name, value in first.items():
            if not np.isfinite(value).all():
                raise ContractError(
                    f"{name!r} is not finite at {dict(sizes)}",
                    "Guard logarithms and divisions (add a small constant), or train again.",
                )
            if not np.array_equal(value, second[name]):
                raise ContractError(
                    f"{name!r} differs between two runs on the same input",
                    "A model in eval mode must not draw random numbers or keep state.",
                )
        attribution = getattr(decision, "attribution", None)
        if attribution is not None and (first[attribution] < 0).any():
            raise ContractError(
                f"the attribution {attribution!r} has negative values",
                "Give each template's part of the score, at least 0.",
            )
    return f"{', '.join(dummy.output_names)}: finite and the same twice"


def _refuses(contract: Contract) -> str:
    request = contract.model_request
    count = 0
    for what, path in _bad_checkpoints(contract, request.checkpoint):
        marker = path.with_suffix(".ran")
        _must_refuse(
            contract, f"a checkpoint that {what}", "load_model", LoadedModel,
            "Read it by logexport.checkpoints.load_checkpoint, check its keys and shapes, and"
            " raise logexport.errors.CheckpointError.",
            request=replace(request, checkpoint=path),
        )  # fmt: skip
        if marker.exists():
            raise ContractError(
                "load_model ran code that a checkpoint contains",
                "Read checkpoints by logexport.checkpoints.load_checkpoint or with"
                " torch.load(weights_only=True).",
            )
        count += 1
    for what, path in _bad_vocabularies(contract):
        _must_refuse(
            contract, f"a vocabulary that {what}", "build_vocab", Vocabulary,
            "Read it by logexport.vocab.load_vocab(path, model.vocab_size).",
            request=replace(request, vocab=path, parsed=None, sequences=None),
            model=contract.loaded,
        )  # fmt: skip
        count += 1
    return f"{count} damaged or foreign files, each with a sentence for the user"


def _must_refuse(
    contract: Contract, what: str, hook: str, answer: type, remedy: str, **arguments: Any
) -> None:
    try:
        contract.host.required(contract.plugin, hook, answer, **arguments)
    except PluginError as error:
        raise ContractError(f"{what} is no error for the user: {error}", remedy) from error
    except LogexportError:
        return
    raise ContractError(f"{hook} takes {what} without a word", remedy)


class _Runs:
    """Unpickled by calling ``open(PATH, "w")``: what a checkpoint must never be able to do."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self._path), "w")


def _bad_checkpoints(contract: Contract, good: Path) -> Iterator[tuple[str, Path]]:
    import pickle

    import torch

    directory = contract.directory / "checkpoints"
    directory.mkdir(parents=True, exist_ok=True)

    def path(name: str) -> Path:
        return directory / f"{name}{good.suffix}"

    path("empty").write_bytes(b"")
    yield "is empty", path("empty")
    path("text").write_text("this is no checkpoint\n")
    yield "is a text file", path("text")
    data = good.read_bytes()
    path("cut").write_bytes(data[: len(data) // 2])
    yield "was cut short", path("cut")
    torch.save({"weights": torch.ones(3, 4), "epoch": 7}, path("foreign"))
    yield "is another model's", path("foreign")
    path("code").write_bytes(
        pickle.dumps({"state_dict": _Runs(path("code").with_suffix(".ran"))}, protocol=2)
    )
    yield "runs code when it is unpickled", path("code")


def _bad_vocabularies(contract: Contract) -> Iterator[tuple[str, Path]]:
    directory = contract.directory / "vocabularies"
    directory.mkdir(parents=True, exist_ok=True)
    templates = list(contract.vocab.templates)
    documents = {
        "holds ids in place of templates": {str(1 + i): i for i in range(len(templates))},
        "has a gap": {t: i + (i == len(templates) - 1) for i, t in enumerate(templates)},
        "has entries too many": {t: i for i, t in enumerate([*templates, "one more <*>"])},
        "is no JSON object": [templates],
    }
    for number, (what, document) in enumerate(documents.items()):
        path = directory / f"{number}" / "vocab.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        yield what, path


def _contributes(contract: Contract) -> str:
    """A plugin that is no model: what it added to another model's export."""
    plugin = contract.plugin
    said = []
    if "validate" in plugin.hooks:
        checks = [c for c in contract.exported.models[0].checks if c.plugin == plugin.name]
        if not checks:
            raise ContractError(
                f"validate of {plugin} gave no result for {contract.model}",
                "Give a result for every export; skipped, with the reason, where it has nothing"
                " to say.",
            )
        said.append(f"checks {', '.join(check.name for check in checks)}")
    if "write_meta" in plugin.hooks:
        said.append(f"entries in the metadata of {contract.model}")
    if "register_exporters" in plugin.hooks:
        said.append(f"strategies {', '.join(_strategies(contract))}")
    more = [hook for hook in plugin.hooks if hook in ("register_commands", "engine_command")]
    return "; ".join([*said, *more]) or "options only"


def _strategies(contract: Contract) -> list[str]:
    from logexport.exporters.strategy import check_strategies

    with contract._answering("register_exporters"):
        given = [
            (str(contract.plugin), strategy)
            for several in contract.host.call(contract.plugin, "register_exporters")
            for strategy in several
        ]
        return [strategy.name for strategy in check_strategies(given)]


def _exports(contract: Contract) -> str:
    error = contract.first_error
    if isinstance(error, CheckFailedError):
        failed = [check for check in error.checks if check.status == "failed"]
        told = "; ".join(f"{check.name} ({check.plugin}): {check.message}" for check in failed)
        raise ContractError(f"checks of the export failed: {told}", _remedy_of(failed))
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


def _remedy_of(failed: Sequence[CheckResult]) -> str:
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


def _graph_axes(contract: Contract) -> str:
    from logexport.exporters.drawing import draw
    from logexport.verdicts.comparing import Comparison, compare
    from logexport.verdicts.scorers import OnnxRuntimeScorer, TorchScorer

    result, dummy = contract.exported.models[0], contract.dummy
    meta = json.loads(result.metadata.read_text(encoding="utf-8"))
    declared = {
        name: {str(axis): axis_name for axis, axis_name in axes.items()}
        for name, axes in dummy.dynamic_axes.items()
        if axes
    }
    if meta["dynamic_axes"] != declared:
        raise ContractError(
            f"the graph has the dynamic axes {meta['dynamic_axes']}, dummy_input declares"
            f" {declared}",
            "Declare what the module does, and avoid what exporters freeze.",
        )
    comparison = Comparison()
    reference = TorchScorer(contract.loaded.module, dummy.output_names)
    scorer = OnnxRuntimeScorer(result.onnx)
    for sizes in _other_sizes(dummy):
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


def _metadata(contract: Contract) -> str:
    path = contract.exported.models[0].metadata
    meta = json.loads(path.read_text(encoding="utf-8"))
    task, given = contract.loaded.task, contract.loaded.task.input
    wanted: dict[str, int] = {}
    if isinstance(given, EventWindow):
        wanted = {"seq_len": given.length}
    elif isinstance(given, CountMatrix):
        wanted = {"window_size": given.steps, "feature_dim": contract.loaded.vocab_size}
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


def _twice(contract: Contract) -> str:
    one, two = contract.exported, contract.exported_again
    first, second = one.models[0], two.models[0]
    metas = [json.loads(r.metadata.read_text(encoding="utf-8")) for r in (first, second)]
    for key in sorted({*metas[0], *metas[1]}):
        if metas[0].get(key) != metas[1].get(key):
            raise ContractError(
                f"two exports differ in the metadata's {key!r}: {metas[0].get(key)!r} and"
                f" {metas[1].get(key)!r}",
                "Write nothing that changes from run to run (times, paths, random numbers).",
            )
    names = sorted(path.name for path in one.bundle.iterdir())
    if names != sorted(path.name for path in two.bundle.iterdir()):
        raise ContractError("two exports have other files", "Write the same files every time.")
    counted = _verdicts(contract)
    if counted[0] != counted[1]:
        different = sum(a != b for a, b in zip(*counted, strict=False))
        raise ContractError(
            f"{different} verdicts differ between two exports of one checkpoint",
            "Load the same weights every time; a model in eval mode must not be random.",
        )
    return f"metadata, axes and {len(counted[0])} verdicts are equal"


def _verdicts(contract: Contract) -> list[list[str]]:
    """What detection says of the self-test's lines, and of the subject's log, by both exports."""
    from itertools import islice

    from logexport.bundle import Bundle
    from logexport.detect import detect
    from logexport.logs.lines import iter_logs

    out = []
    for result in (contract.exported, contract.exported_again):
        model = Bundle.load(result.bundle).model(contract.model)
        said: list[str] = []
        log = result.bundle / f"{contract.model}.selftest.log"
        logs = [path for path in (log, contract.model_request.replay) if path and path.is_file()]
        if model.task.known and logs:
            lines = islice(iter_logs(logs, model.preprocess.max_line_bytes), 5_000)
            said = [record.to_line() for record in detect(lines, model)]
        out.append(said)
    return out


def _tidy(contract: Contract) -> str:
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


def _engine(contract: Contract) -> str:
    found = [check for check in contract.exported.models[0].checks if check.engine is not None]
    if not found:
        raise NotApplicable("no plugin runs the C engine here")
    if all(check.status == "skipped" for check in found):
        raise NotApplicable(found[0].message)
    for check in found:
        if check.status == "skipped" and "scored" in check.message:
            raise ContractError(
                f"{check.name} proves nothing: {check.message}",
                "Give a longer log (the sample's, or replay): 100 scored lines, or one window.",
            )
    return "; ".join(f"{check.name} {check.status}: {check.message}" for check in found)


CHECKS: tuple[ContractCheck, ...] = (
    ContractCheck("found", "installed, importable, of this contract's version", "any", _found),
    ContractCheck("light_import", "its hooks import nothing heavy", "any", _light_import),
    ContractCheck("declared", "model_info, and the files of its sample", "model", _declared),
    ContractCheck("options", "each option of `logexport run` has help", "any", _options),
    ContractCheck("loads", "load_model and build_vocab return what they must", "model", _loads),
    ContractCheck("inputs", "dummy_input fits the task", "model", _inputs),
    ContractCheck("axes", "the module does what dynamic_axes says", "model", _axes),
    ContractCheck("outputs", "outputs are finite and the same twice", "model", _outputs),
    ContractCheck("refuses", "damaged and foreign files are errors", "model", _refuses),
    ContractCheck("exports", "the export passes every check", "any", _exports),
    ContractCheck("contributes", "what it adds to another model's export", "other", _contributes),
    ContractCheck("graph_axes", "the graph honours its axes", "model", _graph_axes),
    ContractCheck("metadata", "the metadata is complete", "model", _metadata),
    ContractCheck("twice", "two exports give equal metadata, axes and verdicts", "any", _twice),
    ContractCheck("tidy", "nothing printed, nothing written elsewhere", "any", _tidy),
    ContractCheck("engine", "the C engine agrees", "model", _engine),
)
"""Every check, in the order in which they run."""
