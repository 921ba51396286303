"""The known tasks: what the model is shown of a log, and how its output is read.

Inputs turn events into items: a record at once, a record that waits for the model's outputs, or the
end of a session. Decisions turn outputs into records. Each knows nothing of the other but whether
the decision judges an event that is not in the window.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from logexport.errors import BundleError, InputError
from logexport.logs.sessions import Sessions
from logexport.logs.windows import CountSample, CountWindows, LastEvents
from logexport.types import CountMatrix, EventWindow, NextEventTopK, ScoreThreshold, Task
from logexport.verdicts.records import (
    Line,
    Rank,
    Ranking,
    Reason,
    Record,
    Score,
    Scoring,
    Verdict,
    Window,
    WindowNext,
)

if TYPE_CHECKING:
    import numpy as np

    from logexport.logs.events import Event
    from logexport.types import Vocabulary


@dataclass(eq=False)
class SessionState:
    """What is known of one session."""

    key: str | None
    window: LastEvents
    lines: int = 0
    judged: int = 0
    anomalies: int = 0
    flips: int = 0


@dataclass
class Said:
    """A record that needed no model."""

    record: Record
    session: SessionState | None = None


@dataclass
class Waiting:
    """A record that needs the model's outputs for ``key``."""

    place: Line | Window | WindowNext
    window: np.ndarray
    event: int | None
    session: SessionState | None = None
    key: bytes = b""
    outputs: Mapping[str, np.ndarray] | None = None


@dataclass
class Closed:
    """A session that will not be touched again; its summary, when all before it is written."""

    session: SessionState


Item: TypeAlias = "Said | Waiting | Closed"


# --- decisions: how the output is read ------------------------------------------------------------


class Decision(Protocol):
    actual_event: bool
    """Whether the record judges an event that is not in the window."""

    def unjudged(self, place: Line | Window, verdict: Verdict, reason: Reason | None) -> Record:
        """The record of a line that the model is not asked about."""
        ...

    def rows(self, outputs: Mapping[str, np.ndarray], size: int) -> list[dict[str, np.ndarray]]:
        """What is needed of a batch's outputs, a row a window, checked."""
        ...

    def judged(
        self, place: Line | Window, event: int | None, row: Mapping[str, np.ndarray]
    ) -> Record:
        """The record of a line or window with the model's outputs for it."""
        ...


class _TopK:
    """Rank = how many logits are greater than the actual event's; anomaly when rank >= k."""

    actual_event = True

    def __init__(self, decision: NextEventTopK, features: int) -> None:
        self._output, self._top_k, self._features = decision.output, decision.top_k, features

    def unjudged(self, place: Line | Window, verdict: Verdict, reason: Reason | None) -> Record:
        return Record(place, verdict, reason, Rank(None, self._top_k))

    def rows(self, outputs: Mapping[str, np.ndarray], size: int) -> list[dict[str, np.ndarray]]:
        logits = _output(outputs, self._output, (size, self._features))
        return [{self._output: logits[i].copy()} for i in range(size)]

    def judged(
        self, place: Line | Window, event: int | None, row: Mapping[str, np.ndarray]
    ) -> Record:
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


class _Threshold:
    """Anomaly unless the score, a float32 widened to double, is <= the threshold."""

    actual_event = False

    def __init__(self, decision: ScoreThreshold, features: int) -> None:
        self._output, self._attribution = decision.output, decision.attribution
        self._threshold, self._features = decision.threshold, features

    def unjudged(self, place: Line | Window, verdict: Verdict, reason: Reason | None) -> Record:
        return Record(place, verdict, reason, Score(None, self._threshold))

    def rows(self, outputs: Mapping[str, np.ndarray], size: int) -> list[dict[str, np.ndarray]]:
        wanted = {self._output: _output(outputs, self._output, (size,))}
        if self._attribution is not None:
            shape = (size, self._features)
            wanted[self._attribution] = _output(outputs, self._attribution, shape)
        return [{name: rows[i].copy() for name, rows in wanted.items()} for i in range(size)]

    def judged(
        self, place: Line | Window, event: int | None, row: Mapping[str, np.ndarray]
    ) -> Record:
        score = float(row[self._output])
        attribution = None if self._attribution is None else row[self._attribution]
        judgement = Scoring(score, self._threshold, attribution)
        if not math.isfinite(score):
            outcome = Score(None, self._threshold, judgement.top)
            return Record(place, "anomaly", "not_finite", outcome, judgement)
        if score <= self._threshold:
            return Record(place, "normal", None, Score(score, self._threshold), judgement)
        outcome = Score(score, self._threshold, judgement.top)
        return Record(place, "anomaly", "threshold", outcome, judgement)


def _output(outputs: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
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


# --- inputs: what the model is shown --------------------------------------------------------------


class Input(Protocol):
    """Turns events into items, in the order of their lines."""

    def take(self, event: Event) -> Iterator[Item]:
        """What the next non-blank line's event leads to."""
        ...

    def close(self) -> Iterator[Item]:
        """What the end of the log leads to."""
        ...


class _Events:
    """The last events of the line's session."""

    def __init__(
        self,
        task: EventWindow,
        decision: Decision,
        vocabulary: Vocabulary,
        max_sessions: int,
    ) -> None:
        self._decision, self._unknown = decision, vocabulary.unknown
        self._sessions = Sessions(
            lambda key: SessionState(key, LastEvents(task.length)), max_sessions
        )

    def take(self, event: Event) -> Iterator[Item]:
        import numpy as np

        session, evicted = self._sessions.touch(event.session)
        if evicted is not None:
            yield Closed(evicted)
        session.lines += 1
        window = session.window.full() if self._decision.actual_event else None
        enters = self._unknown if event.template is None else event.template
        if enters is not None:
            session.window.append(enters)
        if not self._decision.actual_event:
            window = session.window.full()
        place = Line(event.line, event.session, event.template)
        if event.template is None:
            yield Said(self._decision.unjudged(place, "anomaly", "unseen"), session)
        elif window is None:
            yield Said(self._decision.unjudged(place, "warmup", None), session)
        else:
            yield Waiting(place, np.array(window, dtype=np.int64), event.template, session)

    def close(self) -> Iterator[Item]:
        return map(Closed, self._sessions.drain())


class _Counts:
    """Counts of templates over the lines of the whole log."""

    def __init__(self, task: CountMatrix, decision: Decision, vocabulary: Vocabulary) -> None:
        self._decision = decision
        self._windows = CountWindows(task.lines, task.stride, task.steps, len(vocabulary))
        self._before: CountSample | None = None

    def take(self, event: Event) -> Iterator[Item]:
        if self._before is not None:
            yield self._next_event(self._before, event)
        sample = self._windows.append(event.line, event.template)
        if self._decision.actual_event:
            self._before = sample
        elif sample is not None:
            place = Window(sample.number, sample.first_line, sample.last_line)
            yield Waiting(place, sample.counts[None], None)

    def _next_event(self, sample: CountSample, event: Event) -> Item:
        place = WindowNext(sample.number, sample.first_line, sample.last_line, event.template)
        if event.template is None:
            return Said(self._decision.unjudged(place, "anomaly", "unseen"))
        return Waiting(place, sample.counts[None], event.template)

    def close(self) -> Iterator[Item]:
        return iter(())


# --- by a task's kinds ----------------------------------------------------------------------------


def decision_of(task: Task, vocabulary: Vocabulary) -> Decision:
    """How the task's output is read.

    Raises:
        InputError: the task is not known.
    """
    if isinstance(task.decision, NextEventTopK):
        return _TopK(task.decision, len(vocabulary))
    if isinstance(task.decision, ScoreThreshold):
        return _Threshold(task.decision, len(vocabulary))
    raise InputError(f"the decision {task.decision.kind!r} is not known to this logexport")


def input_of(task: Task, decision: Decision, vocabulary: Vocabulary, max_sessions: int) -> Input:
    """What the task's model is shown.

    Raises:
        InputError: the task is not known.
    """
    if isinstance(task.input, EventWindow):
        return _Events(task.input, decision, vocabulary, max_sessions)
    if isinstance(task.input, CountMatrix):
        return _Counts(task.input, decision, vocabulary)
    raise InputError(f"the input {task.input.kind!r} is not known to this logexport")
