"""What the host's checks share: the bundle under check, its two scorers, windows of real lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from logexport.bundle import BundledModel
from logexport.types import (
    CheckResult,
    DummyInput,
    LoadedModel,
    ModelRequest,
    StagedBundle,
    Vocabulary,
)
from logexport.verdicts.scorers import OnnxRuntimeScorer, TorchScorer

if TYPE_CHECKING:
    import numpy as np

    from logexport.logs.events import Event
    from logexport.training.line_tables import SequenceRow

MAX_WINDOWS = 5_000
"""Distinct windows of a log that the parity checks run; the first ones."""
MAX_EVENTS = 100_000
"""Lines of a log that are looked at for them."""
SHOWN_UNSEEN = 3
"""Lines of a log that match no template and are named by their numbers."""
MAX_RECORDS = 1_000_000
"""Records of a log that are counted by their templates; the first ones. The reference matches so
many in a minute or less, and their shares are not those of the rest only if the log changes."""


@dataclass(frozen=True)
class Context:
    """One model's staged bundle with all that the hooks made of it."""

    request: ModelRequest
    model: LoadedModel
    vocab: Vocabulary
    dummy: DummyInput
    bundle: StagedBundle

    @cached_property
    def bundled(self) -> BundledModel:
        """The model as a reader of the bundle sees it."""
        return BundledModel(self.bundle.model, self.bundle.path, self.bundle.meta, "none")

    @cached_property
    def torch(self) -> TorchScorer:
        """The PyTorch module."""
        return TorchScorer(self.model.module, self.dummy.output_names)

    @cached_property
    def onnx(self) -> OnnxRuntimeScorer:
        """The graph in ONNX Runtime."""
        return OnnxRuntimeScorer(self.bundle.graph.path)

    @cached_property
    def log_windows(self) -> LogWindows | None:
        """Distinct windows of real lines, or None where there is no log or the task is unknown."""
        return find_windows(self)

    @cached_property
    def log_counts(self) -> LogCounts | None:
        """The log's records by their templates, or None if there is no log."""
        return count_records(self)


@dataclass(frozen=True)
class LogWindows:
    """Inputs made from a log.

    Args:
        source: the file they come from.
        arrays: one array for each distinct window, without the batch axis, in order of appearance.
        total: windows in the source, repeated ones included (up to where reading stopped).
    """

    source: Path
    arrays: tuple[np.ndarray, ...]
    total: int


@dataclass(frozen=True)
class LogCounts:
    """A log's records, counted by the reference.

    Args:
        name: of the log, and how much of it was read if it was not read to its end.
        records: how many there are.
        by_template: index of a template to its records; templates without one are left out.
        first_unseen: the numbers of the first lines that match no template.
    """

    name: str
    records: int
    by_template: Mapping[int, int]
    first_unseen: tuple[int, ...]

    @property
    def known(self) -> int:
        """The records that match a template."""
        return sum(self.by_template.values())


def timed(check: Callable[[Context], CheckResult], context: Context) -> CheckResult:
    """Run a check and note its seconds."""
    began = time.perf_counter()
    result = check(context)
    return replace(result, seconds=time.perf_counter() - began)


def find_windows(context: Context) -> LogWindows | None:
    """Windows of the first of: sequences.parquet, the replay log, the parsed log."""
    task = context.model.task
    source, events = _events(context)
    events = islice(events, MAX_EVENTS)
    if source is None or not task.known:
        return None
    distinct: dict[bytes, np.ndarray] = {}
    total = 0
    for window in _windows(context, events):
        total += 1
        distinct.setdefault(window.tobytes(), window)
        if len(distinct) >= MAX_WINDOWS:
            break
    return LogWindows(source, tuple(distinct.values()), total)


def count_records(context: Context) -> LogCounts | None:
    """One pass over the replay's log, else over the training log as it was parsed."""
    from collections import Counter

    found = _log_events(context)
    if found is None:
        return None
    source, events = found
    by_template: Counter[int] = Counter()
    first_unseen: list[int] = []
    records = 0
    for event in islice(events, MAX_RECORDS):
        records += 1
        if event.template is not None:
            by_template[event.template] += 1
        elif len(first_unseen) < SHOWN_UNSEEN:
            first_unseen.append(event.line)
    name = source.name
    if next(iter(events), None) is not None:
        name += f" (the first {MAX_RECORDS})"
    return LogCounts(name, records, by_template, tuple(first_unseen))


def no_log(counts: LogCounts | None) -> str:
    """Why a check of a log's records is skipped."""
    if counts is not None:
        return f"{counts.name} holds no record"
    return (
        "no log: neither --replay nor --parsed, and beside the vocabulary neither parsed.parquet"
        " nor a sequences.parquet with lines"
    )


def _log_events(context: Context) -> tuple[Path, Iterator[Event]] | None:
    from logexport.logs.events import EventReader
    from logexport.logs.lines import iter_logs
    from logexport.training.line_tables import read_parsed, read_sequences
    from logexport.training.log import RowReader, rematch

    request = context.request
    reader = EventReader(context.bundled.preprocess, context.vocab)
    if request.replay is not None:
        return request.replay, reader.read(iter_logs([request.replay], reader.preprocess.reading))
    if request.parsed is not None:
        return request.parsed, (event for _, event in rematch(read_parsed(request.parsed), reader))
    if request.sequences is not None:
        sequences = read_sequences(request.sequences)
        if sequences.holds_lines:
            rows = RowReader(reader)
            events = (rows.event(row.line_no, row.raw, row.continues) for row in sequences)
            return sequences.path, (event for event in events if event is not None)
    return None


def _events(context: Context) -> tuple[Path | None, Iterable[Event]]:
    from logexport.logs.events import Event, EventReader
    from logexport.logs.lines import iter_logs
    from logexport.training.line_tables import read_parsed, read_sequences
    from logexport.training.log import rematch

    request = context.request
    if request.sequences is not None:
        size = len(context.vocab)
        rows = islice(read_sequences(request.sequences), MAX_EVENTS)
        checked = [Event(row.line_no, _name_session(row), row.template_index) for row in rows]
        if all(one.template is None or 0 <= one.template < size for one in checked):
            return request.sequences, checked
    reader = EventReader(context.bundled.preprocess, context.vocab)
    if request.replay is not None:
        lines = iter_logs([request.replay], context.bundled.preprocess.reading)
        return request.replay, reader.read(lines)
    if request.parsed is not None:
        matched = rematch(read_parsed(request.parsed), reader)
        return request.parsed, (event for _, event in matched)
    return None, ()


def _name_session(row: SequenceRow) -> str | None:
    """A name that no other session has, since rows do not say what ended one."""
    if row.session is None or row.session_number is None:
        return row.session
    return str(row.session_number)


def _windows(context: Context, events: Iterable[Event]) -> Iterator[np.ndarray]:
    """What the model is shown of a log."""
    from logexport.verdicts.tasks import UnscoredWindow, choose_judge, choose_windowing

    task, vocab = context.model.task, context.vocab
    judge = choose_judge(task, vocab)
    windowing = choose_windowing(task, judge, vocab, context.bundled.preprocess)
    line = 0
    for event in events:
        line = event.line
        for queued in windowing.take(event):
            if isinstance(queued, UnscoredWindow):
                yield queued.window
    for queued in windowing.close(line, leave=False):
        if isinstance(queued, UnscoredWindow):
            yield queued.window
