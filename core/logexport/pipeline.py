"""``run``: the order of the hooks, one export strategy after another.

:func:`read` asks a model's plugin for what is exported, :func:`attempt` writes the graph by one
strategy with everything that describes it, :func:`check` has all plugins look at it. What is
published when every check has passed, and how, is :mod:`logexport.publishing`'s.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from logexport.bundle import FileNames
from logexport.errors import (
    BundleError,
    CheckFailedError,
    ExporterError,
    InputError,
    PluginError,
)
from logexport.host import HOST_PLUGIN, Host, Plugin, default_host
from logexport.hosting.answers import (
    check_dummy,
    check_loaded,
    check_outputs,
    check_results,
    check_type,
    check_vocab,
)
from logexport.hosting.guard import unchanged
from logexport.hosting.stages import Reporter, Stages
from logexport.publishing.contents import Contents, keep_other_models
from logexport.publishing.plan import ModelJob, PluginOptions, plan
from logexport.publishing.reports import counted_warnings, proof_of, validation_report
from logexport.publishing.staging import Staging, staging
from logexport.runtime import silenced
from logexport.types import (
    Attempt,
    CheckResult,
    DummyInput,
    ExportRequest,
    GraphInfo,
    LoadedModel,
    ModelResult,
    RunResult,
    StagedBundle,
    Vocabulary,
)
from logexport.verdicts.options import check_sessions
from logexport.vocab import check_fits_model

if TYPE_CHECKING:
    from logexport.exporters import Choice
    from logexport.exporters.variants import Level
    from logexport.logs.preprocess import Preprocess

_LITTLE_SPACE = 64 << 10  # bytes; a failure to export with less is one of space

SCRATCH = "scratch"
"""Where a graph is written before it is finished, in the staging directory."""


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
    began = time.perf_counter()
    host = host or default_host()
    jobs, options = plan(request, host)
    with staging(request.output_dir) as stage:
        contents = keep_other_models(stage, request.models)
        models = [
            _export_model(
                ModelRun(
                    host=host,
                    request=request,
                    job=job,
                    options=options,
                    stage=stage,
                    contents=contents,
                    stages=Stages(job.request.model, report, host.notices),
                )
            )
            for job in jobs
        ]
        manifest = contents.write_manifest()
        stage.publish()
    return RunResult(
        bundle=stage.target,
        models=tuple(models),
        proof=manifest["proof"],
        seconds=time.perf_counter() - began,
        warnings=manifest["warnings"],
    )


@dataclass(frozen=True)
class ModelRun:
    """What the steps of one model's export share.

    Args:
        host: calls the hooks.
        request: the job of all models.
        job: this model's part: its plugin, its files.
        options: the values of plugins' options.
        stage: where the bundle is staged, and where it will be published.
        contents: what the staged bundle holds.
        stages: announces and times the steps.
    """

    host: Host
    request: ExportRequest
    job: ModelJob
    options: PluginOptions
    stage: Staging
    contents: Contents
    stages: Stages

    @property
    def model(self) -> str:
        """The model type's name."""
        return self.job.request.model

    @property
    def variants(self) -> tuple[Level, ...]:
        """The variants of the graph that are asked for."""
        wanted: dict[Level, bool] = {
            "portable": self.request.portable,
            "optimized": self.request.optimize,
        }
        return tuple(name for name, asked in wanted.items() if asked)

    @contextmanager
    def watching(self, plugin: Plugin, hook: str) -> Iterator[None]:
        """Name the plugin that writes into a bundle, staged or published, and what it did there."""
        bundles = {
            "the staged bundle": self.stage.path,
            "the published bundle": self.stage.target,
        }
        with unchanged(bundles, str(plugin), hook, ignored=SCRATCH):
            yield

    def ask(self, plugin: Plugin, hook: str, answer: type, **arguments: Any) -> Any:
        """The answer of a hook that must give one; the hook gets the plugin's own options."""
        with self.watching(plugin, hook):
            return self.host.required(
                plugin,
                hook,
                answer,
                request=self.job.request_of(plugin, self.options),
                **arguments,
            )


@dataclass(frozen=True)
class Inputs:
    """What a model's plugin says of a checkpoint, checked, and the rules of its log's lines with
    where they came from."""

    loaded: LoadedModel
    vocab: Vocabulary
    dummy: DummyInput
    preprocess: Preprocess
    preprocess_source: str


@dataclass(frozen=True)
class Staged:
    """One attempt's graph in the staging directory, with what describes it."""

    graph: GraphInfo
    meta: Mapping[str, Any]
    exporter_warnings: tuple[str, ...]


# --- the three steps ------------------------------------------------------------------------------


def read(work: ModelRun) -> Inputs:
    """Ask the model's plugin what the checkpoint is: ``load_model``, ``build_vocab``,
    ``dummy_input``.

    Raises:
        InputError: the files do not fit each other.
        PluginError: an answer is missing or cannot be used.
    """
    plugin = work.job.plugin
    with work.stages.stage("load"):
        loaded: LoadedModel = work.ask(plugin, "load_model", LoadedModel)
        check_loaded(loaded, str(plugin))
        work.stages.warnings.extend(loaded.warnings)
        vocab: Vocabulary = work.ask(plugin, "build_vocab", Vocabulary, model=loaded)
        check_vocab(vocab, str(plugin))
        check_fits_model(work.job.request, loaded, vocab)
        preprocess, source = _read_rules(work, vocab)
        check_sessions(loaded.task, vocab, preprocess)
        dummy: DummyInput = work.ask(plugin, "dummy_input", DummyInput, model=loaded, vocab=vocab)
        check_dummy(dummy, str(plugin))
        check_outputs(loaded, dummy, str(plugin))
    return Inputs(loaded, vocab, dummy, preprocess, source)


def attempt(
    work: ModelRun,
    inputs: Inputs,
    choice: Choice,
    references: Mapping[str, Any],
    tried: Sequence[Attempt],
) -> Staged:
    """Write a graph by one strategy (``export``), its metadata (``write_meta``) and its self-test.

    Args:
        work: which model's.
        inputs: what :func:`read` gave.
        choice: the strategy and the opset.
        references: the metadata's entries of the vocabulary and the rules.
        tried: the strategies that failed before.

    Raises:
        ExporterError: this strategy cannot; another one may.
        PluginError: a plugin is at fault.
    """
    from logexport.publishing.metadata import host_entries, write_metadata

    graph, exporter_warnings = _write_graph(work, inputs, choice)
    entries = host_entries(
        work.model,
        inputs.loaded,
        inputs.vocab,
        graph,
        choice,
        tried,
        work.variants,
        references,
    )
    with work.stages.stage("write_meta"):
        given = (
            (
                str(plugin),
                plugin.module,
                work.ask(
                    plugin,
                    "write_meta",
                    Mapping,
                    model=inputs.loaded,
                    vocab=inputs.vocab,
                    graph=graph,
                ),
            )
            for plugin in work.host.participants("write_meta", work.job.plugin)
        )
        meta = write_metadata(work.contents, work.model, entries, given)
    _write_selftest(work, meta)
    return Staged(graph, meta, exporter_warnings)


def check(work: ModelRun, inputs: Inputs, staged: Staged) -> list[CheckResult]:
    """Let every plugin that takes part look at the staged bundle (``validate``).

    Raises:
        PluginError: a plugin changed the bundle or the module, or gave what is not a result.
    """
    work.contents.add_model(work.model, staged.graph, "none")
    work.contents.write_manifest()
    if not work.request.validate:
        return []
    bundle = StagedBundle(work.stage.path, work.model, staged.graph, staged.meta)
    results: list[CheckResult] = []
    for plugin in work.host.participants("validate", work.job.plugin):
        began = time.perf_counter()
        with work.stages.stage("validate", plugin.name), work.watching(plugin, "validate"):
            answers = work.host.call(
                plugin,
                "validate",
                request=work.job.request_of(plugin, work.options),
                model=inputs.loaded,
                vocab=inputs.vocab,
                dummy=inputs.dummy,
                bundle=bundle,
            )
        results += check_results(
            answers,
            str(plugin),
            plugin.name,
            time.perf_counter() - began,
            lambda plugin=plugin: work.host.has_engine(plugin),  # type: ignore[misc]
        )
        if inputs.loaded.module.training:
            raise PluginError(f"{plugin} left the module in training mode after validate")
    return results


# --- one strategy after another -------------------------------------------------------------------


def _export_model(work: ModelRun) -> ModelResult:
    """One model from its checkpoint to a staged, checked export; raises what :func:`run` raises."""
    from logexport.exporters import TorchEnvironment, choose
    from logexport.publishing.metadata import write_vocab_and_rules

    inputs = read(work)
    references = write_vocab_and_rules(
        work.contents, work.model, inputs.vocab, inputs.preprocess, inputs.preprocess_source
    )
    attempts: list[Attempt] = []
    choices = choose(
        TorchEnvironment.installed(),
        work.host.strategies(),
        work.request.exporter,
        work.request.opset,
    )
    for choice in choices:
        last = choice is choices[-1]
        began = time.perf_counter()
        try:
            staged = attempt(work, inputs, choice, references, attempts)
        except ExporterError as error:
            if shutil.disk_usage(work.stage.path).free < _LITTLE_SPACE:
                # Exporters and ONNX Runtime wrap what the system said in words of their own.
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            attempts.append(_ended(choice, f"failed: {error}", began))
            if last:
                raise
            work.contents.discard_graph(work.model, work.variants)
            continue
        checks = check(work, inputs, staged)
        failed = [one for one in checks if one.status == "failed"]
        if not failed:
            attempts.append(_ended(choice, "taken", began))
            return _accept(work, staged, attempts, checks)
        names = ", ".join(one.name for one in failed)
        attempts.append(_ended(choice, f"failed checks: {names}", began))
        # A wrong graph fails checks of the bundle too: as long as one says that the graph is at
        # fault, another strategy may have it right.
        if last or all(one.scope == "bundle" for one in failed):
            raise CheckFailedError(
                f"{work.model}: {len(failed)} of {len(checks)} checks failed ({names});"
                f" nothing was published to {work.request.output_dir}",
                checks,
                "The figures above say what differs; an old bundle there is untouched.",
            )
        work.contents.discard_graph(work.model, work.variants)
    raise AssertionError("choose() gives at least one strategy")


def _ended(choice: Choice, outcome: str, began: float) -> Attempt:
    return Attempt(
        strategy=choice.strategy.name,
        opset=choice.opset,
        reason=choice.reason,
        outcome=outcome,
        seconds=time.perf_counter() - began,
    )


def _accept(
    work: ModelRun, staged: Staged, attempts: Sequence[Attempt], checks: Sequence[CheckResult]
) -> ModelResult:
    """Enter the finished model into the bundle's contents."""
    warnings = [*work.stages.warnings, *(text for one in checks for text in one.warnings)]
    proof = proof_of(checks) if work.request.validate else "none"
    work.contents.add_model(work.model, staged.graph, proof, len(counted_warnings(checks)))
    work.contents.add_report(
        work.model,
        validation_report(proof, warnings, staged.exporter_warnings, attempts, checks),
    )
    names = FileNames(work.model)
    return ModelResult(
        model=work.model,
        checkpoint=work.job.request.checkpoint,
        sample=work.job.request.sample,
        onnx=work.stage.target / names.onnx,
        metadata=work.stage.target / names.meta,
        attempts=tuple(attempts),
        checks=tuple(checks),
        seconds=work.stages.seconds,
        warnings=tuple(warnings),
        exporter_warnings=staged.exporter_warnings,
    )


# --- parts of the steps ---------------------------------------------------------------------------


def _read_rules(work: ModelRun, vocab: Vocabulary) -> tuple[Preprocess, str]:
    """The rules of the log, and where they came from (:class:`ModelJob`)."""
    from logexport.logs.preprocess import ALOG_DETECT, Preprocess
    from logexport.training.inner_rules import find_inner_template

    request = work.job.request
    if request.preprocess is not None:
        return Preprocess.load(request.preprocess), work.job.preprocess_source
    reserved = vocab.reserved.values()
    inner = find_inner_template(t for i, t in enumerate(vocab.templates) if i not in reserved)
    if inner is not None:
        return _make_rules(work, vocab, inner), "templates"
    work.stages.warnings.append(
        f"no preprocess.json lies beside {request.vocab}: the alog-detect rules are used"
        " for headers and masks"
    )
    return ALOG_DETECT, work.job.preprocess_source


def _make_rules(work: ModelRun, vocab: Vocabulary, template: str) -> Preprocess:
    """The rules for templates with wildcards inside tokens, of which ``template`` is the first."""
    from logexport.training.inner_rules import lines_of_log, lines_of_table, make_inner_rules

    request = work.job.request
    why = (
        f"no preprocess.json lies beside {request.vocab}, and its templates have wildcards inside"
        f" tokens ({template[:80]!r}), as logparser and Drain3 write them"
    )
    source = request.replay or request.parsed or request.sequences
    if source is None:
        raise InputError(
            f"{why}: nothing says how the lines of the log begin",
            "Name the raw log by --replay or the parsed one by --parsed, from which heads are"
            " learned, or the rules by --preprocess.",
        )
    lines = lines_of_log(source) if source == request.replay else lines_of_table(source)
    made = make_inner_rules(vocab, lines)
    if made is None:
        raise InputError(
            f"{why}: {source} has no line that says how those of the log begin",
            "Name the raw log by --replay, or the rules by --preprocess.",
        )
    work.stages.warnings.append(
        f"{why}: rules of version 2 are made for them, without masks, with matching.inner and"
        f" tokens that end at white space alone, and with the heads of {source} ({made.heads});"
        f" {made.known:.1%} of a sample of its lines match a template"
    )
    return made.rules


def _write_graph(
    work: ModelRun, inputs: Inputs, choice: Choice
) -> tuple[GraphInfo, tuple[str, ...]]:
    """The finished graph with its variants, and what the exporter warned of."""
    from logexport.exporters import ExportLog, finish_graph, read_graph, write_variant

    names, plugin = FileNames(work.model), work.job.plugin
    scratch = work.stage.path / SCRATCH
    scratch.mkdir()
    try:
        with work.stages.stage("export"):
            path = scratch / names.onnx
            with work.watching(plugin, "export"):
                log = work.host.call_first(
                    (plugin, work.host.plugin(HOST_PLUGIN)),
                    "export",
                    request=work.job.request_of(plugin, work.options),
                    model=inputs.loaded,
                    dummy=inputs.dummy,
                    strategy=choice.strategy,
                    opset=choice.opset,
                    path=path,
                )
            check_type(log, ExportLog, str(plugin), "export", plugin.module)
        with work.stages.stage("finish"):
            finish_graph(path, inputs.dummy)
            final = work.stage.path / names.onnx
            path.rename(final)
            for variant in work.variants:
                write_variant(final, work.stage.path / names.variant(variant), variant)
    finally:
        shutil.rmtree(scratch)
    return read_graph(final), log.warnings


def _write_selftest(work: ModelRun, meta: Mapping[str, Any]) -> None:
    """Lines rendered from the templates, and the verdicts of ONNX Runtime on the graph.

    The scorer is ONNX Runtime, not PyTorch: the engine replays these lines to the byte.
    """
    from logexport.bundle import BundledModel
    from logexport.selftest import write_selftest

    names = FileNames(work.model)
    with work.stages.stage("selftest"):
        model = BundledModel(work.model, work.stage.path, meta, "none")
        if not model.task.known:
            return
        try:
            write_selftest(
                model,
                work.stage.path / names.selftest_log,
                work.stage.path / names.selftest_verdicts,
            )
        except BundleError as error:  # the graph's fault: it was written a moment ago
            raise ExporterError(
                f"the graph cannot be run on the task's windows: {error}",
                "Another export strategy may write it right (`logexport doctor`).",
            ) from error
