"""``session_counts.parquet``: which events each finished session has, and how often.

===============  ===========  ==================================================================
``session``      string       its name
``templates``    list<int32>  the templates that it has, indices of the vocabulary, ascending
``counts``       list<int32>  how often it has each
``unseen``       int64        its lines without a template
``lines``        int64        its lines that are not blank: the sum of all counts and ``unseen``
``first_line``   int64        number of its first line, from 1, blank lines counted
``last_line``    int64        number of its last line
``closed_by``    string       what ended it: ``idle``, ``gap``, ``pattern`` or ``end``
===============  ===========  ==================================================================

One row a session with a name, in the order in which they closed. The key ``logexport`` of the
file's metadata is JSON: ``version``, ``kind`` (``session_counts``), ``vocab_sha256`` and
``preprocess``, the document of the rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from logexport.errors import InputError
from logexport.logs.sessions import Closed
from logexport.training.sessions import LogSession
from logexport.training.tables import Column, Table, open_table

from logexport_ecvc.vectors import LARGEST_TOTAL, Vectors

TABLE = Table(
    "session_counts",
    (
        Column("session", "string"),
        Column("templates", "list<int32>"),
        Column("counts", "list<int32>"),
        Column("unseen", "int64"),
        Column("lines", "int64"),
        Column("first_line", "int64"),
        Column("last_line", "int64"),
        Column("closed_by", "string"),
    ),
    texts=("session",),
)

_REMEDY = "Name the session_counts.parquet that `logexport ecvc build` wrote."


class SessionRow(NamedTuple):
    """A row of the table."""

    session: str
    templates: list[int]
    counts: list[int]
    unseen: int
    lines: int
    first_line: int
    last_line: int
    closed_by: str

    @classmethod
    def of(cls, name: str, closed: Closed[LogSession], counts: Mapping[int, int]) -> SessionRow:
        """The row of a session that has ended.

        Args:
            name: its own.
            closed: the session, and what ended it.
            counts: how many of its lines each template matches; the others are unseen.
        """
        session = closed.state
        templates = sorted(counts)
        unseen = session.lines - sum(counts.values())
        places = (session.lines, session.first_line, session.last_line, str(closed.by))
        return cls(name, templates, [counts[one] for one in templates], unseen, *places)


@dataclass(frozen=True)
class SessionCounts:
    """The counts of a log's sessions.

    Args:
        path: the file.
        vectors: the distinct ones, in the order in which they come first; the last column counts
            unseen lines.
        numbers: int64 ``[sessions]``, which vector each session has.
        vocab_sha256: which vocabulary the columns are.
        rules: the document of the rules that the lines were matched by.
    """

    path: Path
    vectors: Vectors
    numbers: np.ndarray
    vocab_sha256: str
    rules: Mapping[str, Any] | None

    @property
    def each(self) -> np.ndarray:
        """How many sessions have each vector, int64 ``[vectors]``."""
        return np.bincount(self.numbers, minlength=len(self.vectors))


def read_about(path: Path) -> Mapping[str, Any]:
    """What the file's metadata say of it.

    Raises:
        InputError: it is missing, damaged, or was not written by ``logexport ecvc build``.
    """
    with open_table(path, TABLE.kind, "session counts", _REMEDY) as table:
        missing = [name for name in SessionRow._fields if table.names.count(name) != 1]
        about = table.about
    if missing or about is None or not isinstance(about.get("vocab_sha256"), str):
        why = f"it has no column {missing[0]}" if missing else "it does not say its vocabulary"
        raise InputError(f"{path} does not hold session counts: {why}", _REMEDY)
    return about


def read_rows(path: Path, templates: int) -> Iterator[SessionRow]:
    """The rows of a file that :func:`read_about` takes, each checked.

    Args:
        path: the file.
        templates: entries of the vocabulary.

    Raises:
        InputError: the file is damaged, or a row holds what is not a session's counts.
    """
    names = SessionRow._fields
    with open_table(path, TABLE.kind, "session counts", _REMEDY) as table:
        for number, values in enumerate(
            values for batch in table.batches(names, needed=names) for values in batch
        ):
            row = SessionRow(*values)
            why = _fault(row, templates)
            if why is not None:
                raise InputError(
                    f"row {number} of {path} is not a session's counts: {why}", _REMEDY
                )
            yield row


def read_counts(path: Path, templates: int) -> SessionCounts:
    """Read the counts of a log's sessions, equal ones together.

    Args:
        path: the file.
        templates: entries of the vocabulary.

    Raises:
        InputError: it cannot be read, or holds what is not a session's counts.
    """
    about = read_about(path)
    seen: dict[tuple[tuple[int, int], ...], int] = {}
    numbers = []
    for row in read_rows(path, templates):
        entries = tuple(zip(row.templates, row.counts, strict=True))
        if row.unseen:
            entries += ((templates, row.unseen),)
        numbers.append(seen.setdefault(entries, len(seen)))
    return SessionCounts(
        path=path,
        vectors=Vectors.of(list(seen), templates + 1),
        numbers=np.array(numbers, dtype=np.int64),
        vocab_sha256=about["vocab_sha256"],
        rules=about.get("preprocess"),
    )


def _fault(row: SessionRow, templates: int) -> str | None:
    """Why a row is not a session's counts, None if it is."""
    numbers = (*row.templates, *row.counts, row.unseen, row.lines)
    if not all(isinstance(number, int) for number in numbers):
        return "a count or an index is not a whole number"
    indices, counts = row.templates, row.counts
    if len(indices) != len(counts):
        return f"it has {len(indices)} templates and {len(counts)} counts"
    if any(one >= other for one, other in pairwise(indices)):
        return "its templates do not ascend"
    if indices and not 0 <= indices[0] <= indices[-1] < templates:
        return f"it has template {indices[-1]} of a vocabulary of {templates}"
    if min(counts, default=1) < 1 or row.unseen < 0:
        return "a count is less than 1"
    if row.lines != sum(counts) + row.unseen:
        return f"it says {row.lines} lines and counts {sum(counts) + row.unseen}"
    if not 1 <= row.lines <= LARGEST_TOTAL:
        return f"it has {row.lines:,} lines, and the model takes from 1 to {LARGEST_TOTAL:,}"
    return None
