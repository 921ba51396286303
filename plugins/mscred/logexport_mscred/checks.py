"""MSCRED's own checks: its training data through the graph, and counted again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from logexport.bundle import BundledModel
from logexport.logs.events import EventReader
from logexport.logs.windows import CountWindows
from logexport.training.line_tables import ParsedFile, read_parsed
from logexport.training.log import rematch
from logexport.types import (
    CheckResult,
    CountMatrix,
    DummyInput,
    JSONValue,
    LoadedModel,
    ModelRequest,
)
from logexport.verdicts.comparing import Comparison, compare, parity_result
from logexport.verdicts.scorers import OnnxRuntimeScorer, TorchScorer

from logexport_mscred.counts import FILE, WindowCounts, read_counts

if TYPE_CHECKING:
    from logexport.types import StagedBundle, Vocabulary

BATCH = 32
MAX_SAMPLES = 5_000
"""Samples of the training data that are run; the first ones."""


def parity_counts(
    request: ModelRequest, model: LoadedModel, dummy: DummyInput, bundle: StagedBundle
) -> CheckResult:
    """Every sample of the training data, in ONNX Runtime against PyTorch."""
    name = "parity_counts"
    counts, reason = _counts(request, model)
    if counts is None:
        return CheckResult(name, "skipped", "graph", reason)
    assert isinstance(model.task.input, CountMatrix)  # noqa: S101 - load made it
    samples = counts.samples(model.task.input.steps)[:MAX_SAMPLES]
    if not len(samples):
        return CheckResult(name, "skipped", "graph", f"{counts.path} is too short for one sample")
    reference = TorchScorer(model.module, dummy.output_names)
    graph = OnnxRuntimeScorer(bundle.graph.path)
    comparison = Comparison()
    for first in range(0, len(samples), BATCH):
        batch = np.ascontiguousarray(samples[first : first + BATCH])
        where = f"windows {first} to {first + len(batch) - 1} of {counts.path.name}"
        compare(comparison, reference, graph, model.task.decision, (batch,), where)
    summary = f"{len(samples)} windows of {counts.path.name} equal PyTorch's"
    return parity_result(name, comparison, summary)


@dataclass
class _Tally:
    """Windows compared so far, and the first that differ."""

    windows: int = 0
    differ: int = 0
    first: list[dict[str, Any]] = field(default_factory=list)

    def compare(self, then: np.ndarray, now: np.ndarray, first_line: int, last_line: int) -> None:
        changed = np.flatnonzero(then != now)
        if len(changed):
            self.differ += 1
            if len(self.first) < 3:
                column = int(changed[0])
                self.first.append(
                    {
                        "window": self.windows,
                        "first_line": first_line,
                        "last_line": last_line,
                        "template": column,
                        "training": int(then[column]),
                        "now": int(now[column]),
                    }
                )
        self.windows += 1


def training_counts(
    request: ModelRequest, model: LoadedModel, vocab: Vocabulary, bundle: StagedBundle
) -> CheckResult:
    """The training log counted again, as detection would count it."""
    name = "training_counts"
    counts, reason = _counts(request, model)
    if counts is None:
        return CheckResult(name, "skipped", "bundle", reason)
    if request.parsed is None:
        reason = "no parsed.parquet beside the vocabulary, and none given by --parsed"
        return CheckResult(name, "skipped", "bundle", reason)
    staged = BundledModel(bundle.model, bundle.path, bundle.meta, "none")
    log = read_parsed(request.parsed)
    own = counts.about is not None and log.written_by_logexport
    windows = CountWindows(counts.lines, counts.stride, 1, counts.features)
    tally = _Tally()
    for line_no, template in _events(staged, vocab, log):
        window = windows.append(line_no, template)
        if window is not None and tally.windows < len(counts.counts):
            then = counts.counts[tally.windows]
            tally.compare(then, window.counts[0], window.first_line, window.last_line)
    missing = len(counts.counts) - tally.windows
    figures: dict[str, JSONValue] = {
        "windows": len(counts.counts),
        "differ": tally.differ,
        "missing": missing,
        "made_by_logexport": own,
        "first": list(tally.first),
    }
    found = (
        f"{tally.differ} of {tally.windows} windows of {counts.path.name} have other counts than in"
        f" training, {missing} are not in the log"
    )
    if not tally.differ and not missing:
        return CheckResult(name, "passed", "bundle", found, figures)
    if own:
        return CheckResult(name, "failed", "bundle", found, figures)
    warning = (
        f"{tally.differ} of {len(counts.counts)} windows of {counts.path} have other counts now"
        " than in training, which logexport did not prepare: scores will differ from those of the"
        " tool that trained the model; retraining (logexport parse, mscred build, mscred train) is"
        " the remedy"
    )
    return CheckResult(name, "passed", "bundle", found, figures, (warning,))


def _counts(request: ModelRequest, model: LoadedModel) -> tuple[WindowCounts | None, str]:
    """The training data, or why there is none."""
    path = request.find_data("window_counts", FILE)
    if path is None:
        return None, f"no {FILE} beside the vocabulary, and none given by --window-counts"
    counts = read_counts(path)
    if counts.features != model.vocab_size:
        return None, f"{path} counts {counts.features} templates, the model {model.vocab_size}"
    if counts.vocab_sha256 not in (None, model.trained_vocab_sha256):
        return None, f"{path} was made with another vocabulary"
    return counts, ""


def _events(
    staged: BundledModel, vocab: Vocabulary, log: ParsedFile
) -> Iterable[tuple[int, int | None]]:
    """Line number and template of every line now, in the order of lines."""
    events = rematch(log, EventReader(staged.preprocess, vocab))
    if log.written_by_logexport:
        return ((event.line, event.template) for _, event in events)
    # alog-detect's rows are in the order of time, and its lines are numbered from 0.
    return sorted((event.line + 1, event.template) for _, event in events)
