"""The model's own checks: its training data through the graph, and counted again."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from logexport.bundle import BundledModel
from logexport.logs.events import EventReader
from logexport.training.line_tables import read_parsed
from logexport.training.log import rematch
from logexport.types import CheckResult, DummyInput, JSONValue, LoadedModel, ModelRequest
from logexport.verdicts.comparing import Comparison, compare, parity_result
from logexport.verdicts.scorers import OnnxRuntimeScorer, TorchScorer

from logexport_ecvc.build import count_sessions
from logexport_ecvc.counts import TABLE, SessionRow, read_about, read_counts, read_rows

if TYPE_CHECKING:
    from logexport.types import StagedBundle, Vocabulary

BATCH = 32
MAX_VECTORS = 5_000
"""Distinct vectors of the training data that are run; the first ones."""


def parity_sessions(
    request: ModelRequest, model: LoadedModel, dummy: DummyInput, bundle: StagedBundle
) -> CheckResult:
    """Every distinct session of the training data, in ONNX Runtime against PyTorch."""
    name = "parity_sessions"
    path, reason = _find_data(request, model)
    if path is None:
        return CheckResult(name, "skipped", "graph", reason)
    vectors = read_counts(path, model.vocab_size).vectors
    number = min(len(vectors), MAX_VECTORS)
    if not number:
        return CheckResult(name, "skipped", "graph", f"{path} holds no session")
    reference = TorchScorer(model.module, dummy.output_names)
    graph = OnnxRuntimeScorer(bundle.graph.path)
    comparison = Comparison()
    for first in range(0, number, BATCH):
        chosen = np.arange(first, min(first + BATCH, number))
        batch = vectors.take(chosen).all_dense().astype(np.float32)
        where = f"distinct sessions {first} to {chosen[-1]} of {path.name}"
        compare(comparison, reference, graph, model.task.decision, (batch,), where)
    summary = f"{number} distinct sessions of {path.name} equal PyTorch's"
    return parity_result(name, comparison, summary)


def training_sessions(
    request: ModelRequest, model: LoadedModel, vocab: Vocabulary, bundle: StagedBundle
) -> CheckResult:
    """The sessions of the training log, divided and counted again as detection does."""
    name = "training_sessions"
    path, reason = _find_data(request, model)
    if path is None:
        return CheckResult(name, "skipped", "bundle", reason)
    if request.parsed is None:
        reason = "no parsed.parquet beside the vocabulary, and none given by --parsed"
        return CheckResult(name, "skipped", "bundle", reason)
    rules = BundledModel(bundle.model, bundle.path, bundle.meta, "none").preprocess
    log = read_parsed(request.parsed)
    events = (event for _row, event in rematch(log, EventReader(rules, vocab)))
    sessions = differ = missing = added = 0
    first: list[JSONValue] = []
    for then, now in zip_longest(
        read_rows(path, model.vocab_size), count_sessions(events, rules), fillvalue=None
    ):
        sessions += then is not None
        missing += now is None
        added += then is None
        if then == now:
            continue
        differ += then is not None and now is not None
        if len(first) < 3:
            # Not the name: the bundle may go where the log may not.
            first.append({"training": _describe(then), "now": _describe(now)})
    figures: dict[str, JSONValue] = {
        "sessions": sessions,
        "differ": differ,
        "missing": missing,
        "added": added,
        "first": first,
    }
    found = (
        f"{differ} of {sessions} sessions of {path.name} are other ones now than in training,"
        f" {missing} are not in the log, {added} are there and not in the file"
    )
    if not (differ or missing or added):
        return CheckResult(name, "passed", "bundle", found, figures)
    if read_about(path).get("preprocess") != rules.to_json():
        found += f"; {path.name} was built by other rules than the bundle's"
    return CheckResult(name, "failed", "bundle", found, figures)


def _describe(row: SessionRow | None) -> JSONValue:
    if row is None:
        return None
    return {
        "first_line": row.first_line,
        "last_line": row.last_line,
        "lines": row.lines,
        "unseen": row.unseen,
        "closed_by": row.closed_by,
    }


def _find_data(request: ModelRequest, model: LoadedModel) -> tuple[Path | None, str]:
    """The training data, or why there is none."""
    path = request.find_data("session_counts", TABLE.file)
    if path is None:
        return None, f"no {TABLE.file} beside the vocabulary, and none given by --session-counts"
    if read_about(path)["vocab_sha256"] != model.trained_vocab_sha256:
        return None, f"{path} was built with another vocabulary"
    return path, ""
