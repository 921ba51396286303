"""``window_counts.parquet``: how often each template occurs in each window of lines.

===============  =======  ======================================================================
``t0`` … ``tN``  int32    counts of the vocabulary's templates, by index
``start_index``  int64    non-blank lines before the window's first
``first_line``   int64    number of the window's first line, from 1, blank lines counted
``last_line``    int64    number of its last line
===============  =======  ======================================================================

One row a complete window, in the order of the log. The key ``logexport`` of the file's metadata is
JSON: ``version``, ``kind`` (``window_counts``), ``lines``, ``stride``, ``vocab_sha256`` and
``preprocess``, the document of the rules.

alog-detect's files are read too. They have no such metadata: ``lines`` is the largest sum of a row,
``stride`` the most frequent step of ``start_index`` (its rows are in the order of time, so others
occur). Their last window may be incomplete; it was trained on and is kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from logexport.errors import InputError
from logexport.logs.windows import CountSample
from logexport.training.tables import Column, Table, open_table

KIND = "window_counts"
FILE = "window_counts.parquet"
LARGEST_COUNT = 2**24
"""Counts up to here are exact in float32, which the graph takes."""

_BATCH_ROWS = 1000
_REMEDY = "Name a window_counts.parquet that `logexport mscred build` or alog-detect wrote."
_COLUMN = re.compile(r"t(0|[1-9][0-9]*)", re.ASCII)


@dataclass(frozen=True)
class WindowCounts:
    """Counts of a log.

    Args:
        path: the file.
        counts: float32 ``[windows, features]``, whole numbers.
        lines, stride: of the windows.
        about: what ``logexport mscred build`` states in the file; None for one from elsewhere.
        found: how lines and stride were found, for a note; "" where the file says them.
    """

    path: Path
    counts: np.ndarray
    lines: int
    stride: int
    about: Mapping[str, Any] | None
    found: str = ""

    @property
    def features(self) -> int:
        """How many templates are counted."""
        return int(self.counts.shape[1])

    @property
    def vocab_sha256(self) -> str | None:
        """Which vocabulary the columns are, where the file says so."""
        return None if self.about is None else self.about["vocab_sha256"]

    @property
    def rules(self) -> Mapping[str, Any] | None:
        """The document of the rules that the lines were matched by, where the file says so."""
        return None if self.about is None else self.about.get("preprocess")

    def samples(self, steps: int) -> np.ndarray:
        """A view of all samples, float32 ``[windows - steps + 1, 1, steps, features]``."""
        if len(self.counts) < steps:
            return np.zeros((0, 1, steps, self.features), dtype=np.float32)
        rows = np.lib.stride_tricks.sliding_window_view(self.counts, steps, axis=0)
        view: np.ndarray = rows.transpose(0, 2, 1)[:, None]
        return view


def counts_table(features: int) -> Table:
    """What ``window_counts.parquet`` looks like with so many templates."""
    names = [f"t{index}" for index in range(features)]
    places = ("start_index", "first_line", "last_line")
    columns = (*(Column(name, "int32") for name in names), *(Column(n, "int64") for n in places))
    return Table(KIND, columns, group_rows=_BATCH_ROWS)


def counts_row(window: CountSample, start_index: int) -> tuple[int, ...]:
    """A row of it: a sample of one window, and how many lines are before its first."""
    counts = window.counts[0].astype(np.int32).tolist()
    return (*counts, start_index, window.first_line, window.last_line)


def read_counts(path: Path) -> WindowCounts:
    """Read a file of either origin.

    Raises:
        InputError: missing, damaged, columns that are no counts, or lines and stride that the file
            neither says nor shows.
    """
    with open_table(path, KIND, "window counts", _REMEDY) as table:
        about = None if table.about is None else _checked(path, table.about)
        features = _features(path, table.names)
        counts = table.numbers([f"t{index}" for index in range(features)], "float32")
        start = None
        if "start_index" in table.names:
            start = table.numbers(["start_index"], "float64")[:, 0]
    _check_counts(path, counts)
    if about is not None:
        return WindowCounts(path, counts, about["lines"], about["stride"], about)
    lines = int(counts.sum(axis=1, dtype=np.float64).max())
    steps = np.diff(start).astype(np.int64) if start is not None else np.zeros(0, dtype=np.int64)
    forward, often = np.unique(steps[steps > 0], return_counts=True)
    if lines < 1 or not len(forward):
        raise InputError(
            f"{path} does not show how many lines a window has and how far windows are apart"
            " (it says neither, and has too few rows or no start_index)",
            _REMEDY,
        )
    stride = int(forward[often.argmax()])
    found = (
        f"Windows of {lines} lines every {stride} are read from {path.name}: the largest sum of a"
        f" row, and the most frequent step of start_index ({often.max()} of {len(steps)})."
    )
    return WindowCounts(path, counts, lines, stride, None, found)


def _checked(path: Path, about: Mapping[str, Any]) -> Mapping[str, Any]:
    has_sizes = all(
        isinstance(about.get(name), int) and about[name] >= 1 for name in ("lines", "stride")
    )
    if not has_sizes or not isinstance(about.get("vocab_sha256"), str):
        raise InputError(
            f"The metadata of {path} lacks lines, stride or vocab_sha256", "Build the file again."
        )
    return about


def _features(path: Path, names: list[str]) -> int:
    columns = [name for name in names if _COLUMN.fullmatch(name)]
    if not columns or {f"t{i}" for i in range(len(columns))} != set(columns):
        shown = ", ".join(names[:5])
        raise InputError(
            f"{path} does not have the columns t0, t1, … without a gap, each once; it has {shown}"
            + (" …" if len(names) > 5 else ""),
            _REMEDY,
        )
    return len(columns)


def _check_counts(path: Path, counts: np.ndarray) -> None:
    if not len(counts):
        raise InputError(f"{path} has no window", "Build it from a longer log.")
    is_integral = np.isfinite(counts).all() and (counts == np.floor(counts)).all()
    if not is_integral or counts.min() < 0 or counts.max() > LARGEST_COUNT:
        raise InputError(
            f"{path} holds numbers that are no counts (not whole, negative, or above"
            f" {LARGEST_COUNT:,})",
            _REMEDY,
        )
