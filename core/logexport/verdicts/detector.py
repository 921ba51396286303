"""Events in the order of their lines to records in that order; the C engine's is detector.c.

Records come in the order of the lines, whatever is scored together: a record that waits for its
window to be scored holds back the ones behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from logexport.verdicts.options import DEFAULT_OPTIONS, DetectOptions, apply_options
from logexport.verdicts.records import Output, Record, SessionSummary
from logexport.verdicts.scorers import Memo
from logexport.verdicts.tasks import (
    EndedSession,
    Queued,
    SessionState,
    UnscoredWindow,
    choose_judge,
    choose_windowing,
)

if TYPE_CHECKING:
    import numpy as np

    from logexport.logs.events import Event
    from logexport.logs.preprocess import Preprocess
    from logexport.types import Task, Vocabulary
    from logexport.verdicts.scorers import Scorer

__all__ = [
    "Detector",
    "Stats",
]

QUEUE_PER_WINDOW = 16
"""Records held back for each window of a batch, at most, so that memory and delay are bounded."""

MOST_WAITING = 16 << 20
"""Bytes of windows that wait to be scored, at most, but for one: a batch never has more."""


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


class Detector:
    """Takes events in the order of their lines, gives records in that order.

    Memory is bounded by the sessions held, a batch, and the windows remembered.

    Args:
        task: the model's; the options are applied to it.
        vocabulary: the model's.
        scorer: runs the model; its results must not depend on the batch. It gets at least two
            windows at a time, the same one twice if only one waits.
        options: those of the task, of the batch, and of what is given.
        rules: those of the log, which say when sessions end.

    Attributes:
        stats: what was seen so far; whoever reads the lines counts them here.

    Raises:
        InputError, UsageError: see :func:`logexport.verdicts.options.apply_options`.
    """

    def __init__(
        self,
        task: Task,
        vocabulary: Vocabulary,
        scorer: Scorer,
        options: DetectOptions = DEFAULT_OPTIONS,
        *,
        rules: Preprocess,
    ) -> None:
        task = apply_options(task, vocabulary, options)
        self.stats = Stats()
        self._scorer, self._options = scorer, options
        self._judge = choose_judge(task, vocabulary)
        self._windowing = choose_windowing(task, self._judge, vocabulary, rules)
        self._memo = Memo()
        self._queue: deque[Queued] = deque()
        self._waiting_bytes = 0  # of the windows in the queue that are not scored
        self._batch: dict[bytes, np.ndarray] = {}

    def feed(self, event: Event) -> Iterator[Output]:
        """Take the next line's event; give what is decided by now.

        Raises:
            BundleError: the model's outputs are not what the task says.
        """
        self.stats.events += 1
        self.stats.unseen += event.template is None
        return iter(list(self._take(self._windowing.take(event))))

    def flush(self) -> Iterator[Output]:
        """Score what waits and give all that is decided; more events may follow."""
        self._score()
        return self._drain()

    def finish(self) -> Iterator[Output]:
        """The end of the log, while it is iterated over: the rest of the records, and what the end
        closes."""
        leave = self._options.at_end == "leave"
        yield from self._take(self._windowing.close(self.stats.lines, leave=leave))
        yield from self.flush()

    def _take(self, queued: Iterable[Queued]) -> Iterator[Output]:
        """Queue what comes; give what is decided whenever enough waits."""
        batch_size = self._options.batch_size
        for item in queued:
            if isinstance(item, UnscoredWindow):
                item.key = item.window.tobytes()
                item.outputs = self._memo.get(item.key)
                if item.outputs is None:
                    self._waiting_bytes += len(item.key)
                    self._batch[item.key] = item.window
            self._queue.append(item)
            if (
                len(self._batch) >= batch_size
                or len(self._queue) >= batch_size * QUEUE_PER_WINDOW
                or self._waiting_bytes >= MOST_WAITING
            ):
                self._score()
                yield from self._drain()
        yield from self._drain()

    def _score(self) -> None:
        self._waiting_bytes = 0
        if not self._batch:
            return
        import numpy as np

        windows = list(self._batch.values())
        if len(windows) == 1:
            # ONNX Runtime sums over an axis that is not the last in another order if the batch
            # is one, so the last digit would depend on the batch. From two on it does not.
            windows *= 2
        rows = self._judge.split_rows(self._scorer(np.stack(windows)), len(windows))
        by_key = dict(zip(self._batch, rows, strict=False))
        self.stats.scored += len(self._batch)
        self._batch = {}
        for item in self._queue:
            if isinstance(item, UnscoredWindow) and item.outputs is None:
                item.outputs = by_key[item.key]
        for key, row in by_key.items():
            self._memo.put(key, row)

    def _drain(self) -> Iterator[Output]:
        """Records up to the first that waits. A list made at once: nothing hangs on its reader."""
        ready: list[Output] = []
        while self._queue:
            item = self._queue[0]
            if isinstance(item, UnscoredWindow) and item.outputs is None:
                break
            self._queue.popleft()
            if isinstance(item, EndedSession):
                if self._options.session_summary:
                    ready.append(_summarise(item))
                continue
            if isinstance(item, UnscoredWindow):
                assert item.outputs is not None  # noqa: S101 - else it waits, above
                record = self._judge.judge(item.place, item.event, item.outputs)
            else:
                record = item.record
            self._count(record, item.session)
            if record.verdict == "anomaly" or not self._options.anomalies_only:
                ready.append(record)
        return iter(ready)

    def _count(self, record: Record, session: SessionState | None) -> None:
        anomaly, judged = record.verdict == "anomaly", record.judgement is not None
        self.stats.anomalies += anomaly
        self.stats.judged += judged
        self.stats.warmup += record.verdict == "warmup"
        if session is not None:
            session.anomalies += anomaly
            session.judged += judged
            if self._options.session_summary and record.judgement is not None:
                session.flips += record.judgement.may_flip


def _summarise(ended: EndedSession) -> SessionSummary:
    session = ended.session
    return SessionSummary(
        session.key,
        session.lines,
        session.judged,
        session.anomalies,
        ended.closing,
        session.flips,
    )
