"""Standard streams led aside: the one way in which the host keeps what others print.

A stream is two things: a descriptor, which C code and child processes write to, and an object of
Python's, which may write elsewhere. Both lead to a file in memory for as long as somebody asks for
it. Others may ask inside, and in other threads: what is printed goes to whoever asked last, and
whoever ends takes nothing away from the rest.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from _thread import RLock  # threading, tempfile and ctypes cost a --help milliseconds
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from typing_extensions import Buffer

Name: TypeAlias = Literal["stdout", "stderr"]

_NUMBERS: dict[Name, int] = {"stdout": 1, "stderr": 2}


class Redirection:
    """A context manager that keeps what reaches the named streams while its block runs.

    Blocks may stand in each other. In several threads at once, what one prints may be kept by
    another, since the streams belong to the process; nothing reaches them all the same.

    Attributes:
        text: what was printed, in the order in which it was; complete when the block has ended.
    """

    def __init__(self, *names: Name) -> None:
        self.text = ""
        self._names = names
        self._sink = -1
        self._descriptors: dict[Name, int | None] = {}
        """Copies of the descriptors as they were; None for one that was closed."""
        self._objects: dict[Name, Any] = {}
        """Python's streams as they were."""

    def __enter__(self) -> Redirection:
        with _lock, contextlib.ExitStack() as undo:
            _flush()
            self._sink = _memory_file()
            undo.callback(os.close, self._sink)
            for name in self._names:
                copy = self._descriptors[name] = _copy_of_open(_NUMBERS[name])
                if copy is not None:
                    undo.callback(os.close, copy)
            undo.pop_all()  # what follows needs nothing that the system may lack
            for name in self._names:
                os.dup2(self._sink, _NUMBERS[name])
                self._objects[name] = getattr(sys, name)
                setattr(sys, name, _stand_in(name))
            _active.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        with _lock:
            _flush()
            later = _active[_active.index(self) + 1 :]
            _active.remove(self)
            for name in self._names:
                self._give_back(name, next((one for one in later if name in one._names), None))
            printed = os.pread(self._sink, os.fstat(self._sink).st_size, 0)
            os.close(self._sink)
        self.text = printed.decode("utf-8", "replace")

    def _give_back(self, name: Name, later: Redirection | None) -> None:
        """Let a stream be what it was, or let the next that began give it back when it ends."""
        number, copy, stream = _NUMBERS[name], self._descriptors[name], self._objects[name]
        if later is not None:
            led_here = later._descriptors[name]
            if led_here is not None:
                os.close(led_here)
            later._descriptors[name] = copy
            if isinstance(later._objects[name], _StandIn):
                later._objects[name] = stream
            return
        if copy is None:
            os.close(number)
        else:
            os.dup2(copy, number)
            os.close(copy)
        setattr(sys, name, stream)


_lock = RLock()
_active: list[Redirection] = []
"""Those that have not ended, in the order in which they began."""


class _StandIn(io.TextIOWrapper):
    """What Python's stream is meanwhile; who still has it afterwards writes to standard error."""


class _Descriptor(io.RawIOBase):
    """Writes to where a stream leads at that moment."""

    def __init__(self, name: Name) -> None:
        self.name = name

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        # The descriptor leads aside too. No lock: the buffer above, which is flushed under ours,
        # has one of its own.
        aside = any(self.name in one._names for one in _active)
        return os.write(_NUMBERS[self.name if aside else "stderr"], data)

    def fileno(self) -> int:
        return _NUMBERS[self.name]


_stand_ins: dict[Name, _StandIn] = {}


def _stand_in(name: Name) -> _StandIn:
    """The one stand-in for a stream: threads may hold it beyond the block that they got it in."""
    if name not in _stand_ins or _stand_ins[name].closed:
        buffer = io.BufferedWriter(_Descriptor(name))
        # By lines, so that what Python and C print in turn is kept in turn.
        _stand_ins[name] = _StandIn(buffer, "utf-8", "replace", line_buffering=True)
    return _stand_ins[name]


def _memory_file() -> int:
    """The descriptor of a file that has no name."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("logexport-printed")
        try:
            return _copy(descriptor)
        finally:
            os.close(descriptor)
    import tempfile

    with tempfile.TemporaryFile() as file:
        return _copy(file.fileno())


def _copy_of_open(descriptor: int) -> int | None:
    """A copy of a descriptor; None where it is closed, as in a daemon."""
    try:
        return _copy(descriptor)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        return None


def _copy(descriptor: int) -> int:
    """Another descriptor of the same; its number is no standard stream's, though one is free."""
    copy = os.dup(descriptor)
    if copy > max(_NUMBERS.values()):
        return copy
    try:
        return _copy(copy)
    finally:
        os.close(copy)


def _flush() -> None:
    """Empty Python's and the C library's buffers, so that a line goes where it was printed."""
    for stream in (sys.stdout, sys.__stdout__, sys.stderr, sys.__stderr__, *_stand_ins.values()):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):  # a closed stream has nothing to flush
                stream.flush()
    # Without ctypes no C code but the interpreter's own is likely to have printed.
    library = getattr(sys.modules.get("ctypes"), "CDLL", None)
    if library is not None:
        library(None).fflush(None)
