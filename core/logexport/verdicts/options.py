"""The options of detection, and what they change of a bundle's task and rules.

:class:`DetectOptions` is the twin of ``struct logexport_options`` in
native/include/logexport/engine.h: the fields that both have bear one name and mean one thing. The C
engine's ``no_jit`` has no counterpart here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from logexport.errors import BundleError, InputError, UsageError
from logexport.logs.preprocess import refuse_endless_sessions
from logexport.types import CountMatrix, EventWindow, NextEventTopK, ScoreThreshold, Task

if TYPE_CHECKING:
    from logexport.logs.preprocess import Preprocess
    from logexport.types import Vocabulary

__all__ = [
    "DEFAULT_OPTIONS",
    "DetectOptions",
    "apply_options",
    "apply_to_rules",
    "check_sessions",
    "read_threshold",
]

# Decimal numbers, as C and Python both read them.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class DetectOptions:
    """What to detect with, and how. Everything left out is as the bundle says.

    Args:
        model: the model type's name; None: the only one in the bundle.
        variant: the ``portable`` or ``optimized`` graph; None: the graph itself.
        ort_library: the C engine's ONNX Runtime library; the reference runs the Python package's.
        session_by: ``none``, ``host``, ``field:NAME`` or a pattern; None: as the bundle says.
        threshold: for ``score_threshold``: a number, or a name of the task's ``thresholds``, which
            wins over a number that is spelt alike. C has ``threshold_name`` and ``threshold``.
        top_k: for ``next_event_topk``; None, which is 0 in C: as the bundle says.
        threads: threads for scoring, 1 to 1024; the verdicts do not depend on them.
        anomalies_only: leave out records whose verdict is not ``anomaly`` (never summaries).
        session_summary: a summary of each session, when it is closed or evicted.
        require_proof: refuse a bundle whose proof is not ``full``, or has warnings that count.
        no_verify: do not check the sums of the bundle's files.
        encoding: what a file without a byte order mark is, ``utf-8``, ``utf-16le`` or ``utf-16be``;
            None: as the bundle says.
        with_keys: keys that records have after the fixed ones, some of
            :data:`logexport.verdicts.log_files.KEYS`; C takes them as one text with commas.
        batch_size: distinct windows scored at once, at least 1; C chooses its own. Larger batches
            than 64 gain nothing (an LSTM gains nothing above 32) and hold more lines back.
        allow_warnings: with ``require_proof``: take a bundle with warnings.
        at_end: ``close`` or ``leave`` the sessions that live when the log ends: of those that are
            left nothing more is said. C has ``leave_at_end``.
    """

    model: str | None = None
    variant: str | None = None
    ort_library: Path | None = None
    session_by: str | None = None
    threshold: float | str | None = None
    top_k: int | None = None
    threads: int = 1
    anomalies_only: bool = False
    session_summary: bool = False
    require_proof: bool = False
    no_verify: bool = False
    encoding: str | None = None
    with_keys: tuple[str, ...] = ()
    batch_size: int = 64
    allow_warnings: bool = False
    at_end: Literal["close", "leave"] = "close"


DEFAULT_OPTIONS = DetectOptions()
"""Everything as the bundle says."""


def apply_options(task: Task, vocabulary: Vocabulary, options: DetectOptions) -> Task:
    """The task with the options' ``top_k`` or ``threshold`` in place of its own, checked.

    Applied again, the same options change nothing.

    Args:
        task: the bundle's.
        vocabulary: its length bounds ``top_k``.
        options: ``session_by`` and ``session_summary`` only need a task with sessions.

    Raises:
        InputError: a task that is not known here, or whose ``top_k`` does not fit the vocabulary.
        UsageError: an option that does not fit the task, or a value out of range.
    """
    if not task.known:
        raise InputError(
            f"the task {task.input.kind!r} with {task.decision.kind!r} is not known to this "
            "version of logexport",
            "Run the model's graph with a program of its own; the bundle is complete without us.",
        )
    if isinstance(task.input, CountMatrix) and (
        options.session_by is not None or options.session_summary
    ):
        option = "--session-by" if options.session_by is not None else "--session-summary"
        raise UsageError(
            f"{option} does not apply: the model counts over the whole log",
            f"Leave {option} out, or choose a model whose input is of sessions.",
        )
    if task.needs_sessions:
        refuse_endless_sessions(options.session_by)
    if isinstance(task.decision, NextEventTopK):
        if options.threshold is not None:
            raise UsageError(
                "--threshold does not apply: the model's decision is next_event_topk",
                "Use --top-k, or choose a model whose decision is score_threshold.",
            )
        k = task.decision.top_k if options.top_k is None else options.top_k
        if not 1 <= k < len(vocabulary):
            error = UsageError if options.top_k is not None else InputError
            raise error(
                f"top k is {k}, but the vocabulary has {len(vocabulary)} entries: "
                + ("every event would be normal" if k > 0 else "every event would be anomalous"),
                f"Choose --top-k between 1 and {len(vocabulary) - 1}."
                if len(vocabulary) > 1
                else "A vocabulary of one entry leaves nothing to rank.",
            )
        return replace(task, decision=replace(task.decision, top_k=k))
    if options.top_k is not None:
        raise UsageError(
            "--top-k does not apply: the model's decision is score_threshold",
            "Use --threshold, or choose a model whose decision is next_event_topk.",
        )
    assert isinstance(task.decision, ScoreThreshold)  # noqa: S101 - what Task.known says
    if options.threshold is None:
        return task
    return replace(task, decision=_replace_threshold(task.decision, options.threshold))


def _replace_threshold(decision: ScoreThreshold, threshold: float | str) -> ScoreThreshold:
    if isinstance(threshold, str) and threshold in decision.thresholds:
        value, name = decision.thresholds[threshold], threshold
    else:
        spelt = not isinstance(threshold, str) or _NUMBER.fullmatch(threshold)
        value, name = float(threshold) if spelt else math.nan, "value"
        if not math.isfinite(value):
            named = ", ".join(decision.thresholds) or "none is named in the model's metadata"
            raise UsageError(
                f"--threshold {threshold} is neither a finite number nor a named threshold",
                f"Give a number, or one of the names: {named}.",
            )
    return replace(decision, threshold=value, threshold_name=name)


def read_threshold(wanted: str, held: Iterable[str]) -> float:
    """The number that ``--threshold`` of an export says, which no threshold is named by.

    Args:
        wanted: the option's value.
        held: names of the thresholds that the checkpoint has, for the message.

    Raises:
        UsageError: it is not a number from 0 on.
    """
    try:
        value = float(wanted)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise UsageError(
            f"--threshold {wanted} is neither a number from 0 on nor the name of a threshold",
            f"Choose one of {', '.join([*held, 'a number'])}.",
        )
    return value


def apply_to_rules(preprocess: Preprocess, options: DetectOptions) -> Preprocess:
    """The rules with ``session_by`` and ``encoding`` in place of their own; as they are for None.

    Raises:
        InputError: the pattern is not portable.
        UsageError: the rules know no encodings.
    """
    if options.encoding is not None:
        preprocess = preprocess.with_encoding(options.encoding)
    if options.session_by is not None:
        preprocess = preprocess.with_sessions(options.session_by)
    return preprocess


def check_sessions(task: Task, vocabulary: Vocabulary, rules: Preprocess) -> None:
    """Check that what a task says of sessions fits the vocabulary and the rules of the log.

    Raises:
        BundleError: ``start`` and ``end`` are not two reserved indices of their own, or the rules
            do not say when sessions begin and end.
    """
    if isinstance(task.input, EventWindow):
        reserved = set(vocabulary.reserved.values()) - {vocabulary.unknown}
        for name, index in (("start", task.input.start), ("end", task.input.end)):
            if index is not None and index not in reserved:
                raise BundleError(
                    f"the task's {name} is {index}, an index that the vocabulary does not reserve"
                    " for it",
                    "Export the model with the vocabulary that it was trained with.",
                )
        if task.input.start is not None and task.input.start == task.input.end:
            raise BundleError(
                f"the task's start and end are one index, {task.input.start}",
                "Correct the task that the model's plugin declares.",
            )
    if task.needs_sessions and not rules.session.begins_and_ends:
        raise BundleError(
            f"the model judges sessions that begin and end, but by its rules (version"
            f" {rules.version}) sessions are by {rules.session.by}",
            "Build with --session-by PATTERN or field:NAME, from a log that this logexport parsed.",
        )
