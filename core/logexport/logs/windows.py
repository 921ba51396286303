"""What a model is shown: the last events of a session, or counts over the lines of a log.

Both take one non-blank line at a time and hold only what later windows need: ``length`` events, or
``lines`` events and ``steps`` rows of counts. No log is kept.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "CountSample",
    "CountWindows",
    "LastEvents",
]


class LastEvents:
    """The last ``length`` events of one session.

    Events are template indices; a line that is no event (an unseen one, where the vocabulary has no
    index for it) is not appended.
    """

    __slots__ = ("_events",)

    def __init__(self, length: int) -> None:
        self._events: deque[int] = deque(maxlen=length)

    def append(self, event: int) -> None:
        """Take an event; the oldest one leaves a full window."""
        self._events.append(event)

    def full(self) -> tuple[int, ...] | None:
        """The events, oldest first, or None while there are fewer than ``length``."""
        if len(self._events) < (self._events.maxlen or 0):
            return None
        return tuple(self._events)


@dataclass(frozen=True)
class CountSample:
    """One sample: ``steps`` windows of counts.

    Args:
        number: from 0, in the order in which samples become complete.
        first_line, last_line: numbers of the first and the last line that it covers, blank lines
            included in the numbering.
        counts: float32 ``[steps, features]``, raw counts of each template.
    """

    number: int
    first_line: int
    last_line: int
    counts: np.ndarray


class CountWindows:
    """Counts of each template over ``lines`` consecutive non-blank lines, every ``stride`` lines.

    Window i, from 0, covers the non-blank lines ``i*stride + 1 ... i*stride + lines`` (counted from
    1); sample n is the windows ``n ... n + steps - 1``. A stride above ``lines`` leaves lines
    between windows that no window counts.

    Args:
        lines, stride, steps: as in the task, each at least 1.
        features: number of columns; an event is the number of its column.
    """

    def __init__(self, lines: int, stride: int, steps: int, features: int) -> None:
        import numpy as np

        self._lines, self._stride, self._steps = lines, stride, steps
        self._seen = 0
        self._last: deque[int | None] = deque(maxlen=lines)
        # int64: exact whatever the length of the window. Rounded once, when a window is complete.
        self._running = np.zeros(features, dtype=np.int64)
        self._complete: deque[np.ndarray] = deque(maxlen=steps)
        # The line numbers at which windows begin, from the oldest that a later sample begins with.
        self._first_lines: deque[int] = deque()
        self._samples = 0

    def append(self, number: int, event: int | None) -> CountSample | None:
        """Take the next non-blank line.

        Args:
            number: the line's number in the log.
            event: its column, or None for a line that is counted in none.

        Returns:
            the sample whose last line this is, or None.
        """
        import numpy as np

        if self._seen % self._stride == 0:
            self._first_lines.append(number)
        self._seen += 1
        if len(self._last) == self._lines:
            leaving = self._last[0]
            if leaving is not None:
                self._running[leaving] -= 1
        self._last.append(event)
        if event is not None:
            self._running[event] += 1
        if self._seen < self._lines or (self._seen - self._lines) % self._stride:
            return None
        self._complete.append(self._running.astype(np.float32))
        if len(self._complete) < self._steps:
            return None
        sample = CountSample(
            number=self._samples,
            first_line=self._first_lines.popleft(),
            last_line=number,
            counts=np.stack(self._complete),
        )
        self._samples += 1
        return sample
