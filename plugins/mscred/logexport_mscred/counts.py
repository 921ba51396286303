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

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from logexport import __version__
from logexport.errors import InputError
from logexport.files import atomic_path
from logexport.logs.windows import CountSample
from logexport.parquet import METADATA_KEY

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
        about: what ``logexport mscred build`` said of the file; None for one from elsewhere.
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

    def samples(self, steps: int) -> np.ndarray:
        """A view of all samples, float32 ``[windows - steps + 1, 1, steps, features]``."""
        if len(self.counts) < steps:
            return np.zeros((0, 1, steps, self.features), dtype=np.float32)
        rows = np.lib.stride_tricks.sliding_window_view(self.counts, steps, axis=0)
        view: np.ndarray = rows.transpose(0, 2, 1)[:, None]
        return view


@contextmanager
def counts_writer(
    path: Path, features: int, about: Mapping[str, Any]
) -> Iterator[Callable[[CountSample, int], None]]:
    """Write a file window by window; it appears at ``path`` when the block succeeds.

    Args:
        path: the file.
        features: columns.
        about: ``lines``, ``stride``, ``vocab_sha256`` and ``preprocess``.

    Yields:
        a function that takes a sample of one window and its ``start_index``.

    Raises:
        OutputError: the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = json.dumps({"version": __version__, "kind": KIND, **about}, ensure_ascii=False)
    fields = [pa.field(f"t{i}", pa.int32(), nullable=False) for i in range(features)]
    fields += [
        pa.field(name, pa.int64(), nullable=False)
        for name in ("start_index", "first_line", "last_line")
    ]
    schema = pa.schema(fields, metadata={METADATA_KEY: text})
    pending: list[tuple[np.ndarray, tuple[int, int, int]]] = []
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as out,
    ):

        def flush() -> None:
            counts = np.stack([row for row, _ in pending]).astype(np.int32)
            places = np.array([place for _, place in pending], dtype=np.int64)
            arrays = [pa.array(np.ascontiguousarray(column)) for column in counts.T]
            arrays += [pa.array(np.ascontiguousarray(column)) for column in places.T]
            out.write_batch(pa.record_batch(arrays, schema=schema))
            pending.clear()

        def write(window: CountSample, start_index: int) -> None:
            place = (start_index, window.first_line, window.last_line)
            pending.append((window.counts[0], place))
            if len(pending) >= _BATCH_ROWS:
                flush()

        yield write
        if pending:
            flush()


def read_counts(path: Path) -> WindowCounts:
    """Read a file of either origin.

    Raises:
        InputError: missing, damaged, columns that are no counts, or lines and stride that the file
            neither says nor shows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            metadata = (file.schema_arrow.metadata or {}).get(METADATA_KEY.encode())
            about = None if metadata is None else _about(path, metadata)
            features = _features(path, names)
            counts = np.empty((file.metadata.num_rows, features), dtype=np.float32)
            for index in range(features):
                counts[:, index] = _column(path, file, f"t{index}")
            start = _column(path, file, "start_index") if "start_index" in names else None
    except (OSError, pa.ArrowException, ValueError, OverflowError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InputError(
            f"{path} cannot be read as counts in parquet: {reason}", _REMEDY
        ) from error
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


def _about(path: Path, metadata: bytes) -> dict[str, Any]:
    try:
        about = json.loads(metadata)
    except ValueError as error:
        raise InputError(f"The metadata of {path} is damaged", _REMEDY) from error
    kind = about.get("kind") if isinstance(about, dict) else about
    if kind != KIND:
        raise InputError(f"{path} holds {kind}, not window counts", _REMEDY)
    whole = all(
        isinstance(about.get(name), int) and about[name] >= 1 for name in ("lines", "stride")
    )
    if not whole or not isinstance(about.get("vocab_sha256"), str):
        raise InputError(
            f"The metadata of {path} lacks lines, stride or vocab_sha256", "Build the file again."
        )
    found: dict[str, Any] = about
    return found


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


def _column(path: Path, file: Any, name: str) -> np.ndarray:
    import pyarrow as pa

    column = file.read(columns=[name]).column(0)
    number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    if not number or column.null_count:
        raise InputError(f"Column {name} of {path} is {column.type} or has gaps", _REMEDY)
    values: np.ndarray = column.to_numpy()
    return values


def _check_counts(path: Path, counts: np.ndarray) -> None:
    if not len(counts):
        raise InputError(f"{path} has no window", "Build it from a longer log.")
    whole = np.isfinite(counts).all() and (counts == np.floor(counts)).all()
    if not whole or counts.min() < 0 or counts.max() > LARGEST_COUNT:
        raise InputError(
            f"{path} holds numbers that are no counts (not whole, negative, or above"
            f" {LARGEST_COUNT:,})",
            _REMEDY,
        )
