"""What a hook must not do, noticed while it runs: raise, print to standard output, change a bundle.

Standard output belongs to the command, and may be one JSON document. While a hook runs it leads,
as Python's stream and as the descriptor that C code and child processes print to, to a file in
memory; what arrived there is shown on standard error, and its plugin is named.
"""

from __future__ import annotations

import contextlib
import os
import sys
from _thread import RLock  # threading, tempfile and ctypes cost a --help milliseconds
from collections.abc import Callable, Iterator
from pathlib import Path

from logexport.errors import LogexportError

_STDOUT = 1
_SHOWN = 60
"""Characters of what was printed that a warning repeats."""


@contextlib.contextmanager
def faults(
    blame: Callable[[str], LogexportError], meant: tuple[type[Exception], ...] = (LogexportError,)
) -> Iterator[None]:
    """Turn whatever a plugin's code raises into an error that names the plugin.

    Every ``BaseException`` counts: SystemExit does, and the panic of an extension in Rust, which
    PyO3 makes one so that nobody catches it by accident. KeyboardInterrupt is the user's.

    Args:
        blame: makes the error of what was raised, ``Type: text``.
        meant: errors that pass as they are, because the plugin means them for the user.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error, meant):
            raise
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise blame(said) from error


class Printed:
    """What one hook printed to standard output; complete when :func:`quiet_stdout` has ended."""

    def __init__(self) -> None:
        self.text = ""

    def warning(self, who: str) -> str:
        """One sentence, or "" where nothing was printed."""
        if not self.text:
            return ""
        lines = self.text.strip().splitlines()
        first = lines[0].strip() if lines else ""
        shown = first if len(first) <= _SHOWN else first[:_SHOWN] + "…"
        return f"{who} printed to standard output ({shown!r}); it was sent to standard error"


class _Redirection:
    """Standard output led aside, once a process however many threads and hooks ask for it."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._depth = 0
        self._undo = contextlib.ExitStack()
        self._sink = -1

    def enter(self) -> bytes:
        """Begin; what the hook around this one has printed until now."""
        with self._lock:
            if self._depth == 0:
                self._begin()
            self._depth += 1
            return self._take()

    def leave(self, before: bytes) -> bytes:
        """What was printed since; ``before`` is given back to the hook around this one."""
        with self._lock:
            printed = self._take()
            self._depth -= 1
            if before:
                os.write(self._sink, before)
            if self._depth == 0:
                self._undo.close()
                self._sink = -1
            return printed

    def _begin(self) -> None:
        _flush()
        stack = self._undo
        sink = _memory_file()
        stack.callback(os.close, sink)
        stream = stack.enter_context(
            os.fdopen(os.dup(sink), "w", encoding="utf-8", errors="replace")
        )
        stack.enter_context(contextlib.redirect_stdout(stream))
        with contextlib.suppress(OSError):  # closed, as in a daemon: nothing to protect
            saved = os.dup(_STDOUT)
            stack.callback(os.close, saved)
            stack.callback(os.dup2, saved, _STDOUT)
            os.dup2(sink, _STDOUT)
        stack.callback(_flush)
        self._sink = sink

    def _take(self) -> bytes:
        _flush()
        size = os.fstat(self._sink).st_size
        if size == 0:
            return b""
        printed = os.pread(self._sink, size, 0)
        os.ftruncate(self._sink, 0)
        os.lseek(self._sink, 0, os.SEEK_SET)
        return printed


_redirection = _Redirection()


@contextlib.contextmanager
def quiet_stdout() -> Iterator[Printed]:
    """Keep standard output free while a hook runs; what it prints goes to standard error.

    Hooks may run inside each other. In several threads at once, what one prints may be taken for
    another's; nothing reaches standard output all the same.
    """
    printed = Printed()
    before = _redirection.enter()
    try:
        yield printed
    finally:
        printed.text = _redirection.leave(before).decode("utf-8", "replace")
        if printed.text and sys.stderr is not None:
            sys.stderr.write(printed.text)


def _memory_file() -> int:
    """The descriptor of a file that has no name."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("logexport-printed")
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _flush() -> None:
    """Empty Python's and the C library's buffers, so that a line goes where it was printed."""
    for stream in (sys.stdout, sys.__stdout__):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):  # a closed stream has nothing to flush
                stream.flush()
    if (
        "ctypes" in sys.modules
    ):  # else no C code but the interpreter's own is likely to have printed
        sys.modules["ctypes"].CDLL(None).fflush(None)


Snapshot = dict[str, tuple[int, int, int]]


def snapshot(directory: Path) -> Snapshot:
    """Which files a directory holds and when each was last written, subdirectories included."""
    return {
        str(path.relative_to(directory)): (status.st_ino, status.st_size, status.st_mtime_ns)
        for path in directory.rglob("*")
        for status in (path.lstat(),)
    }


def changes(before: Snapshot, after: Snapshot, ignored: str = "") -> str:
    """The first thing that differs, in words, or ""; what lies in ``ignored`` does not count."""
    for name in sorted({*before, *after}):
        if ignored and name.partition(os.sep)[0] == ignored:
            continue
        if name not in before:
            return f"wrote {name}"
        if name not in after:
            return f"removed {name}"
        if before[name] != after[name]:
            return f"changed {name}"
    return ""
