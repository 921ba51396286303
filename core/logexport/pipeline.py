"""``run``: the order of the hooks, staging, and publishing when every check has passed."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from logexport import schemas
from logexport.bundle import (
    MANIFEST,
    SCHEMA_VERSION,
    VALIDATION,
    Bundle,
    FileNames,
    file_entries,
    weakest,
)
from logexport.errors import (
    BundleError,
    CheckFailedError,
    ExporterError,
    InputError,
    OutputError,
    PluginError,
    UsageError,
)
from logexport.files import encode_json, write_json
from logexport.host import HOST_PLUGIN, Host, Plugin, default_host
from logexport.hosting.answers import (
    check_dummy,
    check_loaded,
    check_outputs,
    check_results,
    check_type,
    check_vocab,
    merge_entries,
)
from logexport.hosting.guard import changes, snapshot
from logexport.publishing.plan import ModelJob, PluginOptions, plan
from logexport.runtime import silenced
from logexport.types import (
    Attempt,
    CheckResult,
    DummyInput,
    ExportRequest,
    GraphInfo,
    LoadedModel,
    ModelResult,
    NextEventTopK,
    RunResult,
    StagedBundle,
    Vocabulary,
)

if TYPE_CHECKING:
    from logexport.exporters import Choice
    from logexport.logs.preprocess import Preprocess
    from logexport.publishing.staging import Staging

_LITTLE_SPACE = 64 << 10  # bytes; a failure to export with less is one of space

Reporter = Callable[[str, str], None]
"""Called with a model's name and the stage that begins: ``load``, ``validate (native)`` …"""

Variant = Literal["portable", "optimized"]
SCRATCH = "scratch"
"""Where a graph is written before it is finished, in the staging directory."""
VARIANTS: tuple[Variant, ...] = ("portable", "optimized")


@silenced()  # whatever a hook or an exporter imports
def run(
    request: ExportRequest, *, host: Host | None = None, report: Reporter | None = None
) -> RunResult:
    """Export models into one bundle, check it, and publish it atomically.

    Args:
        request: the job.
        host: the plugins to use; those of the installed entry points by default.
        report: told of every stage as it begins. Nothing is printed.

    Returns:
        where the bundle is, every check and the seconds of every stage.

    Raises:
        CheckFailedError: a check failed; the error carries all results.
        InputError: a file or an option cannot be used.
        OutputError: the bundle cannot be written there.
        ExporterError: no strategy could write the graph.
        PluginError: a plugin is at fault.
        In every case nothing was published, and an old bundle is what it was.
    """
    from logexport.publishing.staging import staging

    began = time.perf_counter()
    host = host or default_host()
    jobs, options = plan(request, host)
    with staging(request.output_dir) as stage:
        kept = _keep_other_models(stage, request.models)
        models = []
        for job in jobs:
            run_of_model = _ModelRun(host, request, job, options, stage, kept, report)
            models.append(run_of_model.make())
        manifest = kept.manifest()
        write_json(stage.path / MANIFEST, manifest)
        stage.publish()
    return RunResult(
        bundle=stage.target,
        models=tuple(_at(model, stage) for model in models),
        proof=manifest["proof"],
        seconds=time.perf_counter() - began,
    )


def _at(result: ModelResult, stage: Staging) -> ModelResult:
    """The result with paths where the bundle was published."""
    return replace(
        result,
        onnx=stage.target / result.onnx.name,
        metadata=stage.target / result.metadata.name,
    )


@dataclass
class _Contents:
    """What the staged bundle holds: its models' entries in the manifest and validation.json."""

    path: Path
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    validation: dict[str, Any] = field(default_factory=dict)

    def manifest(self) -> dict[str, Any]:
        """The manifest of what lies in the directory now, checked against its schema."""
        document = {
            "schema_version": SCHEMA_VERSION,
            "proof": weakest(entry["proof"] for entry in self.models.values()),
            "models": self.models,
            "files": file_entries(self.path),
            "versions": versions(),
        }
        schemas.check(document, "manifest", self.path / MANIFEST)
        return document

    def write_validation(self) -> None:
        """``validation.json`` of all models."""
        document = {"schema_version": SCHEMA_VERSION, "models": self.validation}
        schemas.check(document, "validation", self.path / VALIDATION)
        write_json(self.path / VALIDATION, document)

    def shared(self, name: str, content: bytes, model: str) -> str:
        """Write a file that models share where it is byte-identical; its name."""
        for candidate in (name, FileNames(model).own(name)):
            path = self.path / candidate
            if not path.exists() or path.read_bytes() == content:
                path.write_bytes(content)
                return candidate
        raise OutputError(
            f"the bundle has another model's {path.name}",
            "Name another place by --output-dir.",
        )


def _keep_other_models(stage: Staging, models: Sequence[str]) -> _Contents:
    """Copy what the old bundle holds of models that are not exported now."""
    contents = _Contents(stage.path)
    if not stage.target.exists() or not any(stage.target.iterdir()):
        return contents
    try:
        old = Bundle.load(stage.target)
        reports = old.validation if VALIDATION in old.manifest["files"] else {}
    except BundleError as error:
        raise OutputError(
            f"{stage.target} holds a damaged bundle: {error}",
            "Remove it, or name another place by --output-dir.",
        ) from error
    for name, model in old.models.items():
        if name in models:
            continue
        names = FileNames(name)
        keep = [names.onnx, names.meta, names.selftest_log, names.selftest_verdicts]
        keep += [model.meta[key]["file"] for key in ("vocab", "preprocess")]
        keep += model.meta["variants"].values()
        for file in keep:
            if file in old.manifest["files"]:
                shutil.copy2(stage.target / file, stage.path / file)
        contents.models[name] = old.manifest["models"][name]
        if name in reports:
            contents.validation[name] = reports[name]
    return contents


def versions() -> dict[str, str]:
    """Versions of logexport and of what takes part in an export."""
    from importlib.metadata import PackageNotFoundError, version

    from logexport import __version__

    out = {"logexport": __version__}
    for package in ("torch", "onnx", "onnxruntime"):
        try:
            out[package] = version(package)
        except PackageNotFoundError:
            import importlib

            with silenced():
                out[package] = str(importlib.import_module(package).__version__)
    return out


class _ModelRun:
    """One model from its checkpoint to a staged, checked export."""

    def __init__(
        self,
        host: Host,
        request: ExportRequest,
        job: ModelJob,
        options: PluginOptions,
        stage: Staging,
        contents: _Contents,
        report: Reporter | None,
    ) -> None:
        self.host = host
        self.job = job
        self.plugin = job.plugin
        self.model = job.request.model
        self.names = FileNames(self.model)
        self.options = options
        self.directory = stage.path
        self.target = stage.target
        self.contents = contents
        self.validate = request.validate
        self.wanted = request
        self.request = job.request_of(job.plugin, options)
        self.seconds: dict[str, float] = {}
        self.warnings: list[str] = []
        self.attempts: list[Attempt] = []
        self.exporter_warnings: tuple[str, ...] = ()
        self._report = report
        self._noticed = len(host.notices)

    @contextmanager
    def _watched(self, plugin: Plugin, hook: str) -> Iterator[None]:
        """Name the plugin that writes into a bundle, staged or published, and what it did there."""
        watched = {"the staged bundle": self.directory, "the published bundle": self.target}
        before = {what: snapshot(path) for what, path in watched.items()}
        yield
        for what, path in watched.items():
            change = changes(before[what], snapshot(path), ignored=SCRATCH)
            if change:
                raise PluginError(
                    f"{plugin} changed {what} in the hook {hook!r}: it {change}",
                    f"{hook} may read the bundle but write nothing into it.",
                )

    def _required(self, plugin: Plugin, hook: str, answer: type, **arguments: Any) -> Any:
        with self._watched(plugin, hook):
            return self.host.required(plugin, hook, answer, **arguments)

    @contextmanager
    def _stage(self, name: str, whose: str = "") -> Iterator[None]:
        if self._report:
            self._report(self.model, f"{name} ({whose})" if whose else name)
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began
            self.warnings += self.host.notices[self._noticed :]
            self._noticed = len(self.host.notices)

    def make(self) -> ModelResult:
        """Call the hooks in their order; raises what :func:`run` raises."""
        with self._stage("load"):
            loaded: LoadedModel = self._required(
                self.plugin, "load_model", LoadedModel, request=self.request
            )
            check_loaded(loaded, str(self.plugin))
            self.warnings += loaded.warnings
            vocab: Vocabulary = self._required(
                self.plugin, "build_vocab", Vocabulary, request=self.request, model=loaded
            )
            check_vocab(vocab, str(self.plugin))
            self._check_vocab(loaded, vocab)
            preprocess = self._preprocess()
            dummy: DummyInput = self._required(
                self.plugin,
                "dummy_input",
                DummyInput,
                request=self.request,
                model=loaded,
                vocab=vocab,
            )
            check_dummy(dummy, str(self.plugin))
            check_outputs(loaded, dummy, str(self.plugin))
        checks = self._export(loaded, vocab, preprocess, dummy)
        return ModelResult(
            model=self.model,
            checkpoint=self.request.checkpoint,
            sample=self.request.sample,
            onnx=self.directory / self.names.onnx,
            metadata=self.directory / self.names.meta,
            attempts=tuple(self.attempts),
            checks=tuple(checks),
            seconds=self.seconds,
            warnings=tuple(self.warnings),
            exporter_warnings=self.exporter_warnings,
        )

    # --- inputs ---

    def _check_vocab(self, loaded: LoadedModel, vocab: Vocabulary) -> None:
        if len(vocab) != loaded.vocab_size:
            raise InputError(
                f"{self.request.vocab} has {len(vocab)} entries but {self.request.checkpoint} was"
                f" trained with {loaded.vocab_size}",
                "Name the vocabulary that this checkpoint was trained with (--vocab).",
            )
        trained = loaded.trained_vocab_sha256
        if trained is not None and trained != vocab.sha256():
            raise InputError(
                f"{self.request.vocab} is not the vocabulary that {self.request.checkpoint} was"
                f" trained with (sha256 {vocab.sha256()[:12]}…, trained with {trained[:12]}…)",
                "Name the vocabulary that this checkpoint was trained with (--vocab).",
            )
        decision = loaded.task.decision
        if isinstance(decision, NextEventTopK) and decision.top_k >= len(vocab):
            raise UsageError(
                f"top_k {decision.top_k} is not below the vocabulary's {len(vocab)} entries:"
                " no line could ever be an anomaly",
                "Choose a smaller --top-k.",
            )

    def _preprocess(self) -> Preprocess:
        from logexport.logs.preprocess import ALOG_DETECT, Preprocess

        if self.request.preprocess is not None:
            return Preprocess.load(self.request.preprocess)
        self.warnings.append(
            f"no preprocess.json lies beside {self.request.vocab}: the alog-detect rules are used"
            " for headers and masks"
        )
        return ALOG_DETECT

    # --- the graph, by one strategy after another ---

    def _export(
        self, loaded: LoadedModel, vocab: Vocabulary, preprocess: Preprocess, dummy: DummyInput
    ) -> list[CheckResult]:
        references = self._write_inputs(vocab, preprocess)
        choices = self._choices()
        for choice in choices:
            last = choice is choices[-1]
            began = time.perf_counter()
            try:
                graph = self._graph(choice, loaded, dummy)
                meta = self._write_meta(choice, loaded, vocab, dummy, graph, references)
                self._write_selftest(meta)
            except ExporterError as error:
                if shutil.disk_usage(self.directory).free < _LITTLE_SPACE:
                    # Exporters and ONNX Runtime wrap what the system said in words of their own.
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
                self._ended(choice, f"failed: {error}", began)
                if last:
                    raise
                self._discard_graph()
                continue
            checks = self._validate(loaded, vocab, dummy, graph, meta)
            failed = [check for check in checks if check.status == "failed"]
            if not failed:
                self._ended(choice, "taken", began)
                self.warnings += [warning for check in checks for warning in check.warnings]
                self._record(choice, graph, checks)
                return checks
            names = ", ".join(check.name for check in failed)
            self._ended(choice, f"failed checks: {names}", began)
            # A wrong graph fails checks of the bundle too: as long as one says that the graph is at
            # fault, another strategy may have it right.
            if last or all(check.scope == "bundle" for check in failed):
                raise CheckFailedError(
                    f"{self.model}: {len(failed)} of {len(checks)} checks failed ({names});"
                    f" nothing was published to {self.wanted.output_dir}",
                    checks,
                    "The figures above say what differs; an old bundle there is untouched.",
                )
            self._discard_graph()
        raise AssertionError("choose() gives at least one strategy")

    def _choices(self) -> Sequence[Choice]:
        from logexport.exporters import TorchEnvironment, choose

        return choose(
            TorchEnvironment.installed(),
            self.host.strategies(),
            self.wanted.exporter,
            self.wanted.opset,
        )

    def _graph(self, choice: Choice, loaded: LoadedModel, dummy: DummyInput) -> GraphInfo:
        from logexport.exporters import ExportLog, finish_graph, write_variant

        scratch = self.directory / SCRATCH
        scratch.mkdir()
        try:
            with self._stage("export"):
                path = scratch / self.names.onnx
                with self._watched(self.plugin, "export"):
                    log = self.host.call_first(
                        (self.plugin, self.host.plugin(HOST_PLUGIN)),
                        "export",
                        request=self.request,
                        model=loaded,
                        dummy=dummy,
                        strategy=choice.strategy,
                        opset=choice.opset,
                        path=path,
                    )
                check_type(log, ExportLog, str(self.plugin), "export", self.plugin.module)
                self.exporter_warnings = log.warnings
            with self._stage("finish"):
                finish_graph(path, dummy)
                final = self.directory / self.names.onnx
                path.rename(final)
                for variant in self._variants():
                    write_variant(final, self.directory / self.names.variant(variant), variant)
        finally:
            shutil.rmtree(scratch)
        from logexport.exporters import read_graph

        return read_graph(final)

    def _variants(self) -> list[Variant]:
        wanted = (self.wanted.portable, self.wanted.optimize)
        return [name for name, asked in zip(VARIANTS, wanted, strict=True) if asked]

    def _ended(self, choice: Choice, outcome: str, began: float) -> None:
        self.attempts.append(
            Attempt(
                strategy=choice.strategy.name,
                opset=choice.opset,
                reason=choice.reason,
                outcome=outcome,
                seconds=time.perf_counter() - began,
            )
        )

    def _discard_graph(self) -> None:
        for name in (
            self.names.onnx,
            self.names.meta,
            self.names.selftest_log,
            self.names.selftest_verdicts,
            *map(self.names.variant, VARIANTS),
        ):
            (self.directory / name).unlink(missing_ok=True)

    # --- files beside the graph ---

    def _write_inputs(self, vocab: Vocabulary, preprocess: Preprocess) -> dict[str, Any]:
        from logexport.vocab import engine_form

        vocab_bytes = encode_json(engine_form(vocab))
        preprocess_bytes = encode_json(preprocess.to_json())
        return {
            "vocab": {
                "file": self.contents.shared("vocab.json", vocab_bytes, self.model),
                "sha256": hashlib.sha256(vocab_bytes).hexdigest(),
                "reserved": dict(vocab.reserved),
            },
            "preprocess": {
                "file": self.contents.shared("preprocess.json", preprocess_bytes, self.model),
                "sha256": hashlib.sha256(preprocess_bytes).hexdigest(),
                "source": self.job.preprocess_source,
            },
        }

    def _write_meta(
        self,
        choice: Choice,
        loaded: LoadedModel,
        vocab: Vocabulary,
        dummy: DummyInput,
        graph: GraphInfo,
        references: Mapping[str, Any],
    ) -> dict[str, Any]:
        meta: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "model_type": self.model,
            "vocab_size": len(vocab),
            "input_shape": list(graph.input_shapes[0]),
            "output_shape": list(graph.output_shapes[0]),
            "input_names": list(graph.input_names),
            "output_names": list(graph.output_names),
            "opset_version": graph.opset_version,
            "dynamic_axes": dynamic_axes(graph),
            "exporter": {
                "strategy": choice.strategy.name,
                "torch_version": versions()["torch"],
                "reason": choice.reason,
                "tried": [
                    {
                        "strategy": attempt.strategy,
                        "opset_version": attempt.opset,
                        "outcome": attempt.outcome,
                    }
                    for attempt in self.attempts
                ],
            },
            **references,
            "variants": {name: self.names.variant(name) for name in self._variants()},
            "task": loaded.task.to_json(),
        }
        owners = dict.fromkeys(meta, "the host")
        notes: list[str] = []
        with self._stage("write_meta"):
            for plugin in self.host.participants("write_meta", self.plugin):
                entries = self._required(
                    plugin,
                    "write_meta",
                    Mapping,
                    request=self.job.request_of(plugin, self.options),
                    model=loaded,
                    vocab=vocab,
                    graph=graph,
                )
                merge_entries(entries, meta, owners, notes, str(plugin), plugin.module)
        meta["notes"] = notes
        path = self.directory / self.names.meta
        schemas.check(meta, "meta", path)
        write_json(path, meta)
        return meta

    def _write_selftest(self, meta: Mapping[str, Any]) -> None:
        """Lines rendered from the templates, and the verdicts of ONNX Runtime on the graph.

        The scorer is ONNX Runtime, not PyTorch: the engine replays these lines to the byte.
        """
        from logexport.bundle import BundledModel
        from logexport.selftest import write_selftest

        with self._stage("selftest"):
            model = BundledModel(self.model, self.directory, meta, "none")
            if not model.task.known:
                return
            try:
                write_selftest(
                    model,
                    self.directory / self.names.selftest_log,
                    self.directory / self.names.selftest_verdicts,
                )
            except BundleError as error:  # the graph's fault: it was written a moment ago
                raise ExporterError(
                    f"the graph cannot be run on the task's windows: {error}",
                    "Another export strategy may write it right (`logexport doctor`).",
                ) from error

    # --- checks ---

    def _validate(
        self,
        loaded: LoadedModel,
        vocab: Vocabulary,
        dummy: DummyInput,
        graph: GraphInfo,
        meta: Mapping[str, Any],
    ) -> list[CheckResult]:
        self.contents.models[self.model] = self._manifest_entry(graph, "none")
        write_json(self.directory / MANIFEST, self.contents.manifest())
        if not self.validate:
            return []
        bundle = StagedBundle(self.directory, self.model, graph, meta)
        results: list[CheckResult] = []
        for plugin in self.host.participants("validate", self.plugin):
            began = time.perf_counter()
            with self._stage("validate", plugin.name), self._watched(plugin, "validate"):
                answers = self.host.call(
                    plugin,
                    "validate",
                    request=self.job.request_of(plugin, self.options),
                    model=loaded,
                    vocab=vocab,
                    dummy=dummy,
                    bundle=bundle,
                )
            results += self._checked(plugin, answers, time.perf_counter() - began)
            if loaded.module.training:
                raise PluginError(f"{plugin} left the module in training mode after validate")
        return results

    def _checked(self, plugin: Plugin, answers: Sequence[Any], seconds: float) -> list[CheckResult]:
        def own_engine() -> bool:
            engine = self.host.engine()
            return engine is not None and engine[0] is plugin

        return check_results(answers, str(plugin), plugin.name, seconds, own_engine)

    def _manifest_entry(self, graph: GraphInfo, proof: str) -> dict[str, Any]:
        return {
            "metadata": self.names.meta,
            "opset_version": graph.opset_version,
            "ir_version": graph.ir_version,
            "proof": proof,
        }

    def _record(self, choice: Choice, graph: GraphInfo, checks: Sequence[CheckResult]) -> None:
        """Put the finished model into the manifest's and the validation report's contents."""
        proof = proof_of(checks) if self.validate else "none"
        self.contents.models[self.model] = self._manifest_entry(graph, proof)
        self.contents.validation[self.model] = {
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "proof": proof,
            "warnings": self.warnings,
            "exporter_warnings": list(self.exporter_warnings),
            "attempts": [attempt_json(attempt) for attempt in self.attempts],
            "checks": [check_json(check) for check in checks],
        }
        self.contents.write_validation()


def proof_of(checks: Sequence[CheckResult]) -> str:
    """``full`` where a replay by the engine in use passed, else ``no_native``."""
    engine = any(check.engine == "replay" and check.status == "passed" for check in checks)
    return "full" if engine else "no_native"


def attempt_json(attempt: Attempt) -> dict[str, Any]:
    """An attempt as ``validation.json`` and ``--json`` have it."""
    return {
        "strategy": attempt.strategy,
        "opset_version": attempt.opset,
        "reason": attempt.reason,
        "outcome": attempt.outcome,
        "seconds": round(attempt.seconds, 3),
    }


def check_json(check: CheckResult) -> dict[str, Any]:
    """A check as ``validation.json`` and ``--json`` have it."""
    return {
        "name": check.name,
        "plugin": check.plugin,
        "status": check.status,
        "scope": check.scope,
        "engine": check.engine,
        "message": check.message,
        "figures": dict(check.figures),
        "warnings": list(check.warnings),
        "seconds": round(check.seconds or 0.0, 3),
    }


def dynamic_axes(graph: GraphInfo) -> dict[str, dict[str, str]]:
    """The metadata's ``dynamic_axes``, as the finished graph has them."""
    names = (*graph.input_names, *graph.output_names)
    shapes = (*graph.input_shapes, *graph.output_shapes)
    return {
        name: {str(axis): size for axis, size in enumerate(shape) if isinstance(size, str)}
        for name, shape in zip(names, shapes, strict=True)
        if any(isinstance(size, str) for size in shape)
    }
