"""Catch what an exporter says: warnings, and what it prints on either stream."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from logexport.exporters.strategy import ExportLog
from logexport.streams import Redirection

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
    document of ``--json``. Not for use in several threads at once: streams and warnings belong to
    the process, so one would keep what another said.
    """
    captured = Captured()
    with Redirection("stdout", "stderr") as aside, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        captured.caught = caught
        yield captured
    captured.output = aside.text
