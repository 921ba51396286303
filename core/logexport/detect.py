"""The reference: what a verdict is. docs/verdicts.md says the same in words.

A task's input says what the model is shown (the last events of a session, or counts over lines),
its decision how the output is read (the rank of an event, or a score against a threshold). The two
are separate here and combine freely; no model is known by name.

Records come in the order of the lines, whatever is scored together: a record that waits for its
window to be scored holds back the ones behind it.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from logexport.errors import InputError, UsageError
from logexport.types import CountMatrix, NextEventTopK, ScoreThreshold, Task
from logexport.verdicts.records import Record, SessionSummary
from logexport.verdicts.scorers import Memo
from logexport.verdicts.tasks import Closed, Item, SessionState, Waiting, decision_of, input_of

if TYPE_CHECKING:
    import numpy as np

    from logexport.logs.events import Event, EventReader
    from logexport.logs.lines import LogLine
    from logexport.logs.preprocess import Preprocess
    from logexport.types import Vocabulary
    from logexport.verdicts.scorers import Scorer

__all__ = [
    "Detector",
    "Stats",
    "detect",
    "with_options",
    "with_sessions",
]

Output: TypeAlias = "Record | SessionSummary"
"""What detection writes: a line each."""

DEFAULT_MAX_SESSIONS = 100_000
DEFAULT_BATCH_SIZE = 64
"""Larger batches are no faster (an LSTM gains nothing above 32) and hold more lines back."""

# Decimal numbers, as C and Python both read them.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_QUEUE_PER_WINDOW = 16
"""Records held back for each window of a batch, at most, so that memory and delay are bounded."""


@dataclass
class Stats:
    """What was seen so far.

    Attributes:
        lines: all lines, blank ones included.
        events: the non-blank ones.
        unseen: lines that no template matches.
        warmup: lines with too few events before them to be judged.
        judged: records that the model decided.
        anomalies: records whose verdict is ``anomaly``, of lines that are unseen too.
        scored: windows that the model was run on; the other judged ones were remembered.
    """

    lines: int = 0
    events: int = 0
    unseen: int = 0
    warmup: int = 0
    judged: int = 0
    anomalies: int = 0
    scored: int = 0

    @property
    def blank(self) -> int:
        """Blank lines."""
        return self.lines - self.events


# --- options --------------------------------------------------------------------------------------


def with_options(
    task: Task,
    vocabulary: Vocabulary,
    *,
    top_k: int | None = None,
    threshold: float | str | None = None,
    session_by: str | None = None,
    session_summary: bool = False,
) -> Task:
    """The task with ``top_k`` or ``threshold`` replaced, checked.

    Args:
        task: the bundle's.
        vocabulary: its length bounds ``top_k``.
        top_k: for ``next_event_topk``.
        threshold: for ``score_threshold``: a number, or a name of the task's ``thresholds``.
        session_by, session_summary: only looked at for whether the task has sessions.

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
    if isinstance(task.input, CountMatrix) and (session_by is not None or session_summary):
        option = "--session-by" if session_by is not None else "--session-summary"
        raise UsageError(
            f"{option} does not apply: the model counts over the whole log",
            f"Leave {option} out, or choose a model whose input is event_window.",
        )
    if isinstance(task.decision, NextEventTopK):
        if threshold is not None:
            raise UsageError(
                "--threshold does not apply: the model's decision is next_event_topk",
                "Use --top-k, or choose a model whose decision is score_threshold.",
            )
        k = task.decision.top_k if top_k is None else top_k
        if not 1 <= k < len(vocabulary):
            error = UsageError if top_k is not None else InputError
            raise error(
                f"top k is {k}, but the vocabulary has {len(vocabulary)} entries: "
                + ("every event would be normal" if k > 0 else "every event would be anomalous"),
                f"Choose --top-k between 1 and {len(vocabulary) - 1}."
                if len(vocabulary) > 1
                else "A vocabulary of one entry leaves nothing to rank.",
            )
        return replace(task, decision=replace(task.decision, top_k=k))
    if top_k is not None:
        raise UsageError(
            "--top-k does not apply: the model's decision is score_threshold",
            "Use --threshold, or choose a model whose decision is next_event_topk.",
        )
    assert isinstance(task.decision, ScoreThreshold)  # noqa: S101 - what Task.known says
    if threshold is None:
        return task
    return replace(task, decision=_with_threshold(task.decision, threshold))


def _with_threshold(decision: ScoreThreshold, threshold: float | str) -> ScoreThreshold:
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


def with_sessions(preprocess: Preprocess, session_by: str | None) -> Preprocess:
    """The rules with sessions made by ``none``, ``host`` or a pattern; as they are for None.

    Raises:
        InputError: the pattern is not portable.
    """
    if session_by is None:
        return preprocess
    from logexport.logs.preprocess import SessionRule

    return replace(preprocess, session=SessionRule.from_option(session_by))


# --- putting it together --------------------------------------------------------------------------


class Detector:
    """Takes events in the order of their lines, gives records in that order.

    Memory is bounded by the sessions held, a batch, and the windows remembered.

    Args:
        task: see :class:`logexport.types.Task`; options are applied by :func:`with_options`.
        vocabulary: the model's.
        scorer: runs the model; its results must not depend on the batch. It gets at least two
            windows at a time, the same one twice where only one waits.
        max_sessions: sessions held at once.
        session_summary: give a :class:`SessionSummary` when a session is evicted and at the end.
        anomalies_only: leave out records whose verdict is not ``anomaly`` (never summaries).
        batch_size: distinct windows scored at once.
        stats: counts into this one.

    Raises:
        InputError, UsageError: see :func:`with_options`.
    """

    def __init__(
        self,
        task: Task,
        vocabulary: Vocabulary,
        scorer: Scorer,
        *,
        max_sessions: int = DEFAULT_MAX_SESSIONS,
        session_summary: bool = False,
        anomalies_only: bool = False,
        batch_size: int = DEFAULT_BATCH_SIZE,
        stats: Stats | None = None,
    ) -> None:
        task = with_options(task, vocabulary, session_summary=session_summary)
        self.stats = stats if stats is not None else Stats()
        self._scorer, self._batch_size = scorer, batch_size
        self._summary, self._anomalies_only = session_summary, anomalies_only
        self._decision = decision_of(task, vocabulary)
        self._input = input_of(task, self._decision, vocabulary, max_sessions)
        self._memo = Memo()
        self._queue: deque[Item] = deque()
        self._batch: dict[bytes, np.ndarray] = {}

    def feed(self, event: Event) -> Iterator[Output]:
        """Take the next line's event; give what can be said by now.

        Raises:
            BundleError: the model's outputs are not what the task says.
        """
        self.stats.events += 1
        self.stats.unseen += event.template is None
        self._enqueue(self._input.take(event))
        full = len(self._batch) >= self._batch_size
        if full or len(self._queue) >= self._batch_size * _QUEUE_PER_WINDOW:
            self._score()
        return self._drain()

    def flush(self) -> Iterator[Output]:
        """Score what waits and give all that can be said; more events may follow."""
        self._score()
        return self._drain()

    def finish(self) -> Iterator[Output]:
        """The end of the log: the rest of the records, then the summaries."""
        self._enqueue(self._input.close())
        return self.flush()

    def _enqueue(self, items: Iterable[Item]) -> None:
        for item in items:
            if isinstance(item, Waiting):
                item.key = item.window.tobytes()
                item.outputs = self._memo.get(item.key)
                if item.outputs is None:
                    self._batch[item.key] = item.window
            self._queue.append(item)

    def _score(self) -> None:
        if not self._batch:
            return
        import numpy as np

        windows = list(self._batch.values())
        if len(windows) == 1:
            # ONNX Runtime sums over an axis that is not the last in another order where the batch
            # is one, so the last digit would depend on the batch. From two on it does not.
            windows *= 2
        rows = self._decision.rows(self._scorer(np.stack(windows)), len(windows))
        by_key = dict(zip(self._batch, rows, strict=False))
        self.stats.scored += len(self._batch)
        self._batch = {}
        for item in self._queue:
            if isinstance(item, Waiting) and item.outputs is None:
                item.outputs = by_key[item.key]
        for key, row in by_key.items():
            self._memo.put(key, row)

    def _drain(self) -> Iterator[Output]:
        """Records up to the first that waits. A list made at once: nothing hangs on its reader."""
        said: list[Output] = []
        while self._queue:
            item = self._queue[0]
            if isinstance(item, Waiting) and item.outputs is None:
                break
            self._queue.popleft()
            if isinstance(item, Closed):
                if self._summary:
                    said.append(_summary(item.session))
                continue
            if isinstance(item, Waiting):
                assert item.outputs is not None  # noqa: S101 - else it waits, above
                record = self._decision.judged(item.place, item.event, item.outputs)
            else:
                record = item.record
            self._count(record, item.session)
            if record.verdict == "anomaly" or not self._anomalies_only:
                said.append(record)
        return iter(said)

    def _count(self, record: Record, session: SessionState | None) -> None:
        anomaly, judged = record.verdict == "anomaly", record.judgement is not None
        self.stats.anomalies += anomaly
        self.stats.judged += judged
        self.stats.warmup += record.verdict == "warmup"
        if session is not None:
            session.anomalies += anomaly
            session.judged += judged
            if self._summary and record.judgement is not None:
                session.flips += record.judgement.may_flip


def _summary(session: SessionState) -> SessionSummary:
    return SessionSummary(
        session.key, session.lines, session.judged, session.anomalies, session.flips
    )


def detect(
    lines: Iterable[LogLine],
    task: Task,
    vocabulary: Vocabulary,
    preprocess: Preprocess,
    scorer: Scorer,
    *,
    top_k: int | None = None,
    threshold: float | str | None = None,
    session_by: str | None = None,
    session_summary: bool = False,
    anomalies_only: bool = False,
    batch_size: int = DEFAULT_BATCH_SIZE,
    stats: Stats | None = None,
) -> Iterator[Output]:
    """The verdicts of a log: the definition that every other implementation is held to.

    Args:
        lines: the log, see :func:`logexport.logs.lines.iter_logs`, in order, blank lines included.
        task, vocabulary, preprocess: the bundle's.
        scorer: runs the model.
        top_k, threshold: instead of the task's; a threshold may be one of its names.
        session_by: instead of the preprocess's: ``none``, ``host`` or a pattern.
        session_summary, anomalies_only, batch_size, stats: see :class:`Detector`.

    Returns:
        records in the order of lines, each given once its batch is full or the log ends.

    Raises:
        InputError, UsageError: see :func:`with_options`; also for a pattern that is not portable.
        BundleError: while iterating: the model's outputs are not what the task says.
    """
    from logexport.logs.events import EventReader

    stats = stats if stats is not None else Stats()
    task = with_options(
        task,
        vocabulary,
        top_k=top_k,
        threshold=threshold,
        session_by=session_by,
        session_summary=session_summary,
    )
    preprocess = with_sessions(preprocess, session_by)
    reader = EventReader(preprocess, vocabulary)
    detector = Detector(
        task,
        vocabulary,
        scorer,
        max_sessions=preprocess.max_sessions,
        session_summary=session_summary,
        anomalies_only=anomalies_only,
        batch_size=batch_size,
        stats=stats,
    )
    return _run(counted(lines, stats), reader, detector)


def _run(lines: Iterable[LogLine], reader: EventReader, detector: Detector) -> Iterator[Output]:
    for event in reader.read(lines):
        yield from detector.feed(event)
    yield from detector.finish()


def counted(lines: Iterable[LogLine], stats: Stats) -> Iterator[LogLine]:
    """The same lines; ``stats.lines`` counts them."""
    for line in lines:
        stats.lines += 1
        yield line
