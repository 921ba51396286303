"""How ``logexport detect`` by the reference stops at SIGTERM; the engine's is program/signals.c.

The first SIGTERM stops the reading, and what was read is finished. Two seconds later, or at a
second SIGTERM, the command ends with 143, after the last record that was complete.

Python runs a handler between two bytecodes, and another thread once the interpreter's lock is free.
A match of :mod:`re` holds the lock and looks for signals after thousands of steps, each of which
may take as long as the line is; a run of ONNX Runtime does not look at all. So nothing inside the
process that matches and scores can be relied on to end it, and no signal that another process could
send it leaves the exit status 143. The command is therefore two processes: the one that was
started, which only waits (:func:`supervise`), and its child, which does the work.
"""

from __future__ import annotations

import mmap
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from types import FrameType

    import numpy as np

    from logexport.verdicts.scorers import Scorer

__all__ = [
    "Stop",
    "StoppedError",
    "supervise",
]

PATIENCE = 2.0
"""Seconds from the first SIGTERM to the end, whatever is running; docs/verdicts.md says so."""
_SAME = 0.05  # seconds: timeout(1) sends a signal to the process, then to its group; that is one
_TERMINATED = 128 + signal.SIGTERM
_INTERRUPTED = 128 + signal.SIGINT
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>

_READING, _SCORING, _WRITING = range(3)


class StoppedError(Exception):
    """SIGTERM came while a log was being opened."""


class Stop:
    """Whether SIGTERM came, for the process that works; and what it does, for the one that waits.

    Attributes:
        came: SIGTERM came: nothing more is to be read.
        wake: a descriptor that can be read once it came; None: SIGTERM is not watched.
    """

    def __init__(self) -> None:
        self.came = False
        self.wake: int | None = None
        self._raises = False
        self._shared = memoryview(mmap.mmap(-1, 16)).cast("q")  # inherited by the child

    def watch(self) -> None:
        """Watch SIGTERM from now on, in this process."""
        self.wake, write_end = os.pipe()
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._note)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.came = True
        if self._raises:
            raise StoppedError

    @contextmanager
    def opening(self) -> Iterator[None]:
        """While a log is opened: a pipe without a writer would never be open.

        Raises:
            StoppedError: SIGTERM came.
        """
        self._raises = True
        try:
            yield
        finally:
            self._raises = False

    def at_line(self, number: int) -> None:
        """Note which line is read."""
        self._shared[0] = number

    @contextmanager
    def writing(self) -> Iterator[None]:
        """While records are written."""
        before, self._shared[1] = self._shared[1], _WRITING
        yield
        self._shared[1] = before

    def note_scoring(self, scorer: Scorer) -> Scorer:
        """The same scorer, which notes when it runs."""

        def score(*inputs: np.ndarray) -> Mapping[str, np.ndarray]:
            self._shared[1] = _SCORING
            outputs = scorer(*inputs)
            self._shared[1] = _READING
            return outputs

        return score

    def what_runs(self) -> str:
        """What does not come back, as the beginning of a sentence."""
        line, doing = self._shared
        if doing == _WRITING:
            return "Nobody took the records from standard output"
        if doing == _SCORING:
            return f"ONNX Runtime did not come back with the windows up to line {line}"
        if line > 0:
            return f"The patterns of the bundle did not come back from line {line}"
        return "What was read could not be finished"


def supervise(stop: Stop) -> int | None:
    """Go on in a child, and wait for it in this process.

    Args:
        stop: what the child notes.

    Returns:
        None in the child; in the process that was started the exit status, once the child ended.
    """
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    interrupted = signal.getsignal(signal.SIGINT)
    watched = [signal.SIGTERM, signal.SIGCHLD]
    if interrupted is not signal.SIG_IGN:  # as in the background of a script
        watched.append(signal.SIGINT)
    # Before the fork: a signal that comes now is in the pipe.
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    for number in watched:
        signal.signal(number, lambda _number, _frame: None)
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    child = os.fork()
    if child != 0:
        return _wait_for(child, read_end, stop)
    signal.set_wakeup_fd(-1)
    os.close(read_end)
    os.close(write_end)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if interrupted is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupt_once)
    _end_with(parent)
    return None


def _interrupt_once(_number: int, _frame: FrameType | None) -> None:
    """A terminal interrupts both processes, and the one that waits passes it on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _end_with(parent: int) -> None:
    """Have the system end this process when its parent is killed, where it can do that (Linux)."""
    import ctypes

    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _wait_for(child: int, signals: int, stop: Stop) -> int:
    """The exit status, once the child has ended or was ended."""
    from logexport.cli.common import say

    came: dict[int, float] = {}
    while True:
        passed = time.monotonic() - came.get(signal.SIGTERM, time.monotonic())
        if select.select([signals], [], [], max(0.0, PATIENCE - passed) if came else None)[0]:
            numbers = os.read(signals, 64)
        else:
            numbers = b""
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        now = time.monotonic()
        for number in set(numbers) & {signal.SIGTERM, signal.SIGINT}:
            if number not in came:
                came[number] = now
                os.kill(child, number)
            elif now - came[number] > _SAME:
                _kill(child)
                if number == signal.SIGINT:
                    return _INTERRUPTED
                say("A second SIGTERM came before what was read was finished.")
                return _TERMINATED
        if signal.SIGTERM in came and now - came[signal.SIGTERM] >= PATIENCE:
            _kill(child)
            say(f"{stop.what_runs()} within two seconds of SIGTERM.")
            return _TERMINATED


def _kill(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


class Patient:
    """A descriptor that says when reading would wait, so that no verdict waits with it.

    Args:
        descriptor: of the log.
        stop: once SIGTERM came, the log is at its end.
        before_waiting: is called before each wait.
    """

    def __init__(self, descriptor: int, stop: Stop, before_waiting: Callable[[], None]) -> None:
        self._descriptor, self._before_waiting = descriptor, before_waiting
        self._stop = stop
        self._watched = [descriptor] if stop.wake is None else [descriptor, stop.wake]

    def read1(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes, as soon as there are any; none at the end."""
        if not select.select([self._descriptor], [], [], 0)[0] and not self._stop.came:
            self._before_waiting()
            select.select(self._watched, [], [])
        if self._stop.came:
            return b""
        return os.read(self._descriptor, size if size > 0 else 1 << 16)

    read = read1


def write_pieces(out: BinaryIO, records: list[bytes]) -> None:
    """Write records, at most ``PIPE_BUF`` bytes at once: a pipe takes all of these or nothing.

    So no half of a record is in it, whenever the process is killed. A record that is longer, as its
    session is, can be cut.
    """
    piece = b""
    for record in records:
        if piece and len(piece) + len(record) > select.PIPE_BUF:
            out.write(piece)
            out.flush()
            piece = b""
        piece += record
    if piece:
        out.write(piece)
        out.flush()
