"""The known tasks: what the model is shown of a log, and how its output is read.

A windowing turns events into what the detector queues: a record at once, a window that waits for
the model's outputs, or the end of a session. A judge turns outputs into records. Each knows nothing
of the other but whether the judge judges an event that is not in the window.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

from logexport.errors import BundleError, InputError
from logexport.logs.sessions import Closed, LiveSessions
from logexport.logs.windows import CountSample, CountWindows, LastEvents
from logexport.types import (
    CountMatrix,
    EventWindow,
    NextEventTopK,
    ScoreThreshold,
    SessionCounts,
    Task,
)
from logexport.verdicts.judgements import Ranking, Scoring
from logexport.verdicts.records import (
    Closing,
    LinePlace,
    NextEventPlace,
    Place,
    Rank,
    Reason,
    Record,
    Score,
    SessionPlace,
    Share,
    Verdict,
    WindowPlace,
    find_largest_shares,
)

if TYPE_CHECKING:
    import numpy as np

    from logexport.logs.events import Event
    from logexport.logs.preprocess import Preprocess
    from logexport.types import Vocabulary


@dataclass(eq=False)
class SessionState:
    """What is known of one session.

    Attributes:
        key: its name.
        window: its last events, of ``event_window``.
        counts: of each template, of ``session_counts``; its lines less these are unseen ones.
        first_line, last_line: their numbers.
        lines: its non-blank lines.
        judged, anomalies, flips: see :class:`logexport.verdicts.records.SessionSummary`.
    """

    key: str | None
    window: LastEvents
    counts: dict[int, int] = field(default_factory=dict)
    first_line: int = 0
    last_line: int = 0
    lines: int = 0
    judged: int = 0
    anomalies: int = 0
    flips: int = 0


@dataclass
class ReadyRecord:
    """A record that needed no model."""

    record: Record
    session: SessionState | None = None


@dataclass
class UnscoredWindow:
    """A window whose record waits for the model's outputs.

    Attributes:
        place: of the record.
        window: the model's input without the batch axis: int64 ``[length]``, or float32
            ``[1, steps, features]`` or ``[features]``.
        event: the one that the record judges, if its judge judges one.
        session: the record's, if the task has sessions.
        key: the window's bytes, once it is queued.
        outputs: the model's, a row of each, once the window is scored.
    """

    place: Place
    window: np.ndarray
    event: int | None
    session: SessionState | None = None
    key: bytes = b""
    outputs: Mapping[str, np.ndarray] | None = None


@dataclass
class EndedSession:
    """A session that will not be touched again; its summary, when all before it is written."""

    session: SessionState
    closing: Closing | None


Queued: TypeAlias = "ReadyRecord | UnscoredWindow | EndedSession"
"""What the detector holds back until all before it is given."""


# --- judges: how the output is read ---------------------------------------------------------------


class Judge(Protocol):
    """Turns the model's outputs into records."""

    judges_event: bool
    """Whether the record judges an event that is not in the window."""

    def leave_unjudged(self, place: Place, verdict: Verdict, reason: Reason | None) -> Record:
        """The record of a line that the model is not asked about."""
        ...

    def split_rows(
        self, outputs: Mapping[str, np.ndarray], size: int
    ) -> list[dict[str, np.ndarray]]:
        """What is needed of a batch's outputs, a row a window.

        Args:
            outputs: by name, the first axis the batch.
            size: windows in the batch.

        Raises:
            BundleError: an output is missing, or of another shape or type than the task says.
        """
        ...

    def judge(self, place: Place, event: int | None, row: Mapping[str, np.ndarray]) -> Record:
        """The record of a line or window with the model's outputs for it."""
        ...


class _RankJudge:
    """Rank = how many logits are greater than the actual event's; anomaly when rank >= k."""

    judges_event = True

    def __init__(self, decision: NextEventTopK, features: int) -> None:
        self._output, self._top_k, self._features = decision.output, decision.top_k, features

    def leave_unjudged(self, place: Place, verdict: Verdict, reason: Reason | None) -> Record:
        return Record(place, verdict, reason, Rank(None, self._top_k))

    def split_rows(
        self, outputs: Mapping[str, np.ndarray], size: int
    ) -> list[dict[str, np.ndarray]]:
        logits = _pick_output(outputs, self._output, (size, self._features))
        return [{self._output: logits[i].copy()} for i in range(size)]

    def judge(self, place: Place, event: int | None, row: Mapping[str, np.ndarray]) -> Record:
        import numpy as np

        assert event is not None  # noqa: S101 - unseen events are not judged
        logits = row[self._output]
        judgement = Ranking(logits, event, self._top_k)
        if not np.isfinite(logits).all():
            return Record(place, "anomaly", "not_finite", Rank(None, self._top_k), judgement)
        rank = int(np.count_nonzero(logits > logits[event]))
        outcome = Rank(rank, self._top_k)
        if rank >= self._top_k:
            return Record(place, "anomaly", "topk", outcome, judgement)
        return Record(place, "normal", None, outcome, judgement)


class _ScoreJudge:
    """Anomaly unless the score, a float32 widened to double, is <= the threshold."""

    judges_event = False

    def __init__(self, decision: ScoreThreshold, features: int, templates: int) -> None:
        self._output, self._attribution = decision.output, decision.attribution
        self._threshold = decision.threshold
        self._features, self._templates = features, templates

    def leave_unjudged(self, place: Place, verdict: Verdict, reason: Reason | None) -> Record:
        return Record(place, verdict, reason, Score(None, self._threshold))

    def split_rows(
        self, outputs: Mapping[str, np.ndarray], size: int
    ) -> list[dict[str, np.ndarray]]:
        wanted = {self._output: _pick_output(outputs, self._output, (size,))}
        if self._attribution is not None:
            shape = (size, self._features)
            wanted[self._attribution] = _pick_output(outputs, self._attribution, shape)
        return [{name: rows[i].copy() for name, rows in wanted.items()} for i in range(size)]

    def judge(self, place: Place, event: int | None, row: Mapping[str, np.ndarray]) -> Record:
        score = float(row[self._output])
        attribution = None if self._attribution is None else row[self._attribution]
        judgement = Scoring(score, self._threshold, attribution)
        if not math.isfinite(score):
            outcome = Score(None, self._threshold, self._find_top(judgement))
            return Record(place, "anomaly", "not_finite", outcome, judgement)
        if score <= self._threshold:
            return Record(place, "normal", None, Score(score, self._threshold), judgement)
        outcome = Score(score, self._threshold, self._find_top(judgement))
        return Record(place, "anomaly", "threshold", outcome, judgement)

    def _find_top(self, judgement: Scoring) -> tuple[Share, ...]:
        return find_largest_shares(judgement.shares, self._templates)


def _pick_output(
    outputs: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...]
) -> np.ndarray:
    import numpy as np

    array = outputs.get(name)
    if array is None:
        raise BundleError(
            f"the model has no output {name!r}, which its task reads; it has {', '.join(outputs)}",
            "Export the model again, or correct the task in its metadata.",
        )
    if array.shape != shape or array.dtype != np.float32:
        raise BundleError(
            f"the model's output {name!r} is {array.dtype} {list(array.shape)} where the task and "
            f"the vocabulary need float32 {list(shape)}",
            "Export the model with the vocabulary that it was trained with.",
        )
    return array


# --- windowings: what the model is shown ----------------------------------------------------------


class Windowing(Protocol):
    """Turns events into windows and into records that need none, in the order of their lines."""

    def take(self, event: Event) -> Iterator[Queued]:
        """What the next non-blank line's event leads to."""
        ...

    def close(self, lines: int, *, leave: bool) -> Iterator[Queued]:
        """What the end of the log leads to.

        Args:
            lines: how many the log has.
            leave: sessions that live are not closed.
        """
        ...


class _SessionWindowing:
    """What the tasks share whose input is of one session."""

    def __init__(self, length: int, rules: Preprocess) -> None:
        self._length = length
        self._sessions = LiveSessions(self._begin, rules)

    def take(self, event: Event) -> Iterator[Queued]:
        for closed in self._sessions.close_before(event):
            yield from self._close(closed)
        session = self._sessions.touch(event)
        session.first_line = session.first_line or event.line
        session.last_line = event.line
        session.lines += 1
        yield from self._take_line(session, event)
        own = self._sessions.close_after(event)
        if own is not None:
            yield from self._close(own)

    def close(self, lines: int, *, leave: bool) -> Iterator[Queued]:
        for closed in self._sessions.finish(lines, leave=leave):
            yield from self._close(closed)

    def _close(self, closed: Closed[SessionState]) -> Iterator[Queued]:
        session, closing = closed.state, None
        if closed.line is not None and closed.by is not None:
            closing = Closing(closed.line, closed.by)
            if session.key is not None:
                yield from self._take_end(session, session.key, closing)
        yield EndedSession(session, closing)

    def _begin(self, key: str | None) -> SessionState:
        return SessionState(key, LastEvents(self._length))

    def _take_line(self, session: SessionState, event: Event) -> Iterator[Queued]:
        """What a line of the session leads to."""
        raise NotImplementedError

    def _take_end(self, session: SessionState, key: str, closing: Closing) -> Iterator[Queued]:
        """What the end of a session with a name leads to, under rules of version 2."""
        raise NotImplementedError


class _EventWindowing(_SessionWindowing):
    """The last events of the line's session."""

    def __init__(
        self, task: EventWindow, judge: Judge, vocabulary: Vocabulary, rules: Preprocess
    ) -> None:
        super().__init__(task.length, rules)
        self._judge, self._unknown = judge, vocabulary.unknown
        self._start, self._end = task.start, task.end

    def _begin(self, key: str | None) -> SessionState:
        session = super()._begin(key)
        if self._start is not None and key is not None:
            for _ in range(self._length):
                session.window.append(self._start)
        return session

    def _take_line(self, session: SessionState, event: Event) -> Iterator[Queued]:
        enters = self._unknown if event.template is None else event.template
        window = self._find_window(session, enters)
        place = LinePlace(event.line, event.session, event.template)
        if event.template is None:
            yield ReadyRecord(self._judge.leave_unjudged(place, "anomaly", "unseen"), session)
        else:
            yield self._queue(session, place, window, event.template)

    def _take_end(self, session: SessionState, key: str, closing: Closing) -> Iterator[Queued]:
        if self._end is not None:
            window = self._find_window(session, self._end)
            place = LinePlace(session.last_line, key, self._end, closing)
            yield self._queue(session, place, window, self._end)

    def _find_window(self, session: SessionState, event: int | None) -> tuple[int, ...] | None:
        """What the model is shown for an event that enters now, if the window is full."""
        before = session.window.full()
        if event is not None:
            session.window.append(event)
        return before if self._judge.judges_event else session.window.full()

    def _queue(
        self, session: SessionState, place: Place, window: tuple[int, ...] | None, event: int
    ) -> Queued:
        import numpy as np

        if window is None:
            return ReadyRecord(self._judge.leave_unjudged(place, "warmup", None), session)
        return UnscoredWindow(place, np.array(window, dtype=np.int64), event, session)


class _SessionCountWindowing(_SessionWindowing):
    """Counts of templates over a finished session."""

    def __init__(self, vocabulary: Vocabulary, rules: Preprocess) -> None:
        super().__init__(0, rules)
        self._templates = len(vocabulary)

    def _take_line(self, session: SessionState, event: Event) -> Iterator[Queued]:
        if event.template is not None:
            session.counts[event.template] = session.counts.get(event.template, 0) + 1
        return iter(())

    def _take_end(self, session: SessionState, key: str, closing: Closing) -> Iterator[Queued]:
        row = count_session(session.counts, session.lines, self._templates)
        lines = (session.first_line, session.last_line, session.lines)
        yield UnscoredWindow(SessionPlace(key, *lines, closing), row, None, session)


def count_session(counts: Mapping[int, int], lines: int, templates: int) -> np.ndarray:
    """What a model of ``session_counts`` is shown of a session.

    Args:
        counts: how many of its lines each template matches.
        lines: of the session; those that are in no count are unseen.
        templates: entries of the vocabulary.

    Returns:
        float32 ``[templates + 1]``.
    """
    import numpy as np

    row = np.zeros(templates + 1, dtype=np.float32)
    for template, count in counts.items():
        row[template] = count
    row[-1] = lines - sum(counts.values())
    return row


class _CountWindowing:
    """Counts of templates over the lines of the whole log."""

    def __init__(self, task: CountMatrix, judge: Judge, vocabulary: Vocabulary) -> None:
        self._judge = judge
        self._windows = CountWindows(task.lines, task.stride, task.steps, len(vocabulary))
        self._before: CountSample | None = None

    def take(self, event: Event) -> Iterator[Queued]:
        if self._before is not None:
            yield self._queue_next_event(self._before, event)
        sample = self._windows.append(event.line, event.template)
        if self._judge.judges_event:
            self._before = sample
        elif sample is not None:
            place = WindowPlace(sample.number, sample.first_line, sample.last_line)
            yield UnscoredWindow(place, sample.counts[None], None)

    def _queue_next_event(self, sample: CountSample, event: Event) -> Queued:
        place = NextEventPlace(sample.number, sample.first_line, sample.last_line, event.template)
        if event.template is None:
            return ReadyRecord(self._judge.leave_unjudged(place, "anomaly", "unseen"))
        return UnscoredWindow(place, sample.counts[None], event.template)

    def close(self, lines: int, *, leave: bool) -> Iterator[Queued]:
        return iter(())


# --- by a task's kinds ----------------------------------------------------------------------------


def choose_judge(task: Task, vocabulary: Vocabulary) -> Judge:
    """The judge of the task's decision.

    Raises:
        InputError: the task is not known.
    """
    if isinstance(task.decision, NextEventTopK):
        return _RankJudge(task.decision, len(vocabulary))
    if isinstance(task.decision, ScoreThreshold):
        templates = len(vocabulary)
        return _ScoreJudge(task.decision, task.count_features(templates), templates)
    raise InputError(f"the decision {task.decision.kind!r} is not known to this logexport")


def choose_windowing(
    task: Task, judge: Judge, vocabulary: Vocabulary, rules: Preprocess
) -> Windowing:
    """The windowing of the task's input.

    Raises:
        InputError: the task is not known.
    """
    if isinstance(task.input, EventWindow):
        return _EventWindowing(task.input, judge, vocabulary, rules)
    if isinstance(task.input, SessionCounts):
        return _SessionCountWindowing(vocabulary, rules)
    if isinstance(task.input, CountMatrix):
        return _CountWindowing(task.input, judge, vocabulary)
    raise InputError(f"the input {task.input.kind!r} is not known to this logexport")
