"""Catch what an exporter says: warnings, and both output descriptors."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO

from logexport.exporters.strategy import ExportLog

LONGEST_LINE = 500

ANSI = re.compile(r"\x1b\[[0-9;]*m")
"""Colours, which torch writes into the messages of its exceptions."""


def one_line(error: BaseException) -> str:
    """``Type: first line of the message``, with that of the first cause, cut to readable length."""
    root = error
    while root.__cause__ is not None:
        root = root.__cause__
    text = _first_line(error)
    if root is not error:
        text = f"{text} (caused by {_first_line(root)})"
    return text


def _first_line(error: BaseException) -> str:
    lines = ANSI.sub("", str(error)).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0].strip()}" if lines else type(error).__name__
    return text if len(text) <= LONGEST_LINE else text[: LONGEST_LINE - 1] + "…"


def describe_warnings(caught: Iterable[warnings.WarningMessage]) -> tuple[str, ...]:
    """Distinct warnings in order, each ``Category: text`` on one line, without file names."""
    texts = (f"{w.category.__name__}: {' '.join(str(w.message).split())}" for w in caught)
    return tuple(dict.fromkeys(texts))


@dataclass
class Captured:
    """Filled while :func:`capture` is active; complete when it has ended."""

    caught: list[warnings.WarningMessage] = field(default_factory=list)
    output: str = ""

    def log(self) -> ExportLog:
        return ExportLog(describe_warnings(self.caught), self.output)


@contextlib.contextmanager
def capture() -> Iterator[Captured]:
    """Keep descriptors 1 and 2, ``sys.stdout``, ``sys.stderr`` and warnings to ourselves.

    Exporters print from Python and from C++; a stray line on standard output would break the JSON
    document of ``--json``. Not for use in several threads at once: descriptors belong to the
    process.
    """
    captured = Captured()
    with tempfile.TemporaryFile() as sink:
        with (
            _descriptors(sink),
            _python_streams(sink),
            warnings.catch_warnings(record=True) as caught,
        ):
            warnings.simplefilter("always")
            captured.caught = caught
            yield captured
        sink.seek(0)
        captured.output = sink.read().decode("utf-8", "replace")


@contextlib.contextmanager
def _python_streams(sink: IO[bytes]) -> Iterator[None]:
    """Send ``sys.stdout`` and ``sys.stderr`` there too: they need not be descriptors 1 and 2."""
    with (
        os.fdopen(os.dup(sink.fileno()), "w", encoding="utf-8", errors="replace") as stream,
        contextlib.redirect_stdout(stream),
        contextlib.redirect_stderr(stream),
    ):
        stream.reconfigure(line_buffering=True)
        yield


@contextlib.contextmanager
def _descriptors(sink: IO[bytes]) -> Iterator[None]:
    _flush()
    saved: dict[int, int] = {}
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):  # closed, as in a daemon: nothing to protect
            saved[descriptor] = os.dup(descriptor)
    try:
        for descriptor in saved:
            os.dup2(sink.fileno(), descriptor)
        yield
    finally:
        _flush()
        for descriptor, copy in saved.items():
            os.dup2(copy, descriptor)
            os.close(copy)


def _flush() -> None:
    """Empty Python's and the C library's buffers, so that a line goes where it was printed."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):  # a closed stream has nothing to flush
                stream.flush()
    ctypes.CDLL(None).fflush(None)
