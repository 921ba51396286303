"""``parsed.parquet`` and ``sequences.parquet``: tables with a row a record, which is mostly a line.

``parsed.parquet``, in the file's order:

==============  ==================  ================================================================
``line_no``     int64               from 1, blank lines counted
``timestamp``   timestamp[us], null naive, in UTC (``logs/instants.py``)
``host``        string, null        from the header
``process``     string, null        from the header
``raw``         binary, null        the whole line without LF (and one CR before it), or the lines
                                    of one record, joined by LF; null: oversize
``masked``      string, null        null: oversize
``template_id`` int64, null         the template's number, from 1; null: unseen or oversize
``template``    string, null        the final template; null: unseen or oversize
``continues``   string, null        the line names the exception of the record before; ``always``:
                                    it is of its session; ``without_session``: if it has none of its
                                    own (files of earlier versions have no such column)
==============  ==================  ================================================================

``sequences.parquet``, in the file's order: ``line_no`` int64, ``timestamp``, ``host`` and
``session`` (null like above), ``template_index`` int64 (null: unseen), ``raw`` and ``continues`` as
above, so that an export can match every line of the training log again, and ``session_number``
int64: which session the line is of, from 0 in the order of first lines. A name has several sessions
if one of them ended (files of earlier versions have no such column).

Files of alog-detect are read too: their ``line_no`` starts at 0, ``raw`` is text (the message after
the header), ``template_id`` is text, ``session`` is missing and the rows are in the order of time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from logexport.errors import InputError
from logexport.training.tables import READ_REMEDY, Column, Table, open_table, table_writer

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "PARSED",
    "SEQUENCES",
    "ParsedFile",
    "ParsedRow",
    "SequenceRow",
    "SequencesFile",
    "parsed_writer",
    "read_parsed",
    "read_sequences",
    "sequences_writer",
    "write_sequences",
]

PARSED = Table(
    "parsed",
    (
        Column("line_no", "int64"),
        Column("timestamp", "timestamp[us]", nullable=True),
        Column("host", "string", nullable=True),
        Column("process", "string", nullable=True),
        Column("raw", "binary", nullable=True),
        Column("masked", "string", nullable=True),
        Column("template_id", "int64", nullable=True),
        Column("template", "string", nullable=True),
        Column("continues", "string", nullable=True),
    ),
    texts=("raw", "masked"),
)
"""``parsed.parquet``, of :class:`ParsedRow`."""
SEQUENCES = Table(
    "sequences",
    (
        Column("line_no", "int64"),
        Column("timestamp", "timestamp[us]", nullable=True),
        Column("host", "string", nullable=True),
        Column("session", "string", nullable=True),
        Column("template_index", "int64", nullable=True),
        Column("raw", "binary", nullable=True),
        Column("continues", "string", nullable=True),
        Column("session_number", "int64", nullable=True),
    ),
    texts=("session", "raw"),
)
"""``sequences.parquet``, of :class:`SequenceRow`."""


class ParsedRow(NamedTuple):
    """A row of ``parsed.parquet``; in files from elsewhere any field may be None."""

    line_no: int
    timestamp: datetime | None
    host: str | None
    process: str | None
    raw: bytes | None
    masked: str | None
    template_id: int | str | None
    template: str | None
    continues: str | None = None


class SequenceRow(NamedTuple):
    """A row of ``sequences.parquet``; ``template_index`` None is an unseen line."""

    line_no: int
    timestamp: datetime | None
    host: str | None
    session: str | None
    template_index: int | None
    raw: bytes | None = None
    continues: str | None = None
    session_number: int | None = None


@dataclass(frozen=True)
class ParsedFile:
    """An open question to a parsed file: each iteration reads it anew, a batch at a time.

    Args:
        path: the file.
        rows: how many it has.
        about: the metadata that logexport wrote, or None for a file from elsewhere.
    """

    path: Path
    rows: int
    about: Mapping[str, Any] | None

    @property
    def written_by_logexport(self) -> bool:
        """Whether rows are in the log's order and ``raw`` is the whole line."""
        return self.about is not None

    def batches(self) -> Iterator[list[ParsedRow]]:
        """The rows in the file's order, at most 10,000 at a time.

        Raises:
            InputError: the file is damaged or a value has another type.
        """
        with open_table(self.path, PARSED.kind, "parsed lines", READ_REMEDY) as table:
            for batch in table.batches(ParsedRow._fields, needed=("line_no",)):
                yield [
                    ParsedRow(
                        *(n, t, h, p, raw.encode() if isinstance(raw, str) else raw, m, i, text, c)
                    )
                    for n, t, h, p, raw, m, i, text, c in batch
                ]

    def __iter__(self) -> Iterator[ParsedRow]:
        for batch in self.batches():
            yield from batch


@dataclass(frozen=True)
class SequencesFile:
    """As :class:`ParsedFile`, of ``sequences.parquet``."""

    path: Path
    rows: int
    about: Mapping[str, Any] | None

    @property
    def written_by_logexport(self) -> bool:
        """Whether rows are in the log's order."""
        return self.about is not None

    @property
    def holds_lines(self) -> bool:
        """Whether rows have the lines that they stand for (``raw``)."""
        return self.written_by_logexport

    def batches(self) -> Iterator[list[SequenceRow]]:
        """The rows in the file's order, at most 10,000 at a time.

        Raises:
            InputError: the file is damaged or a value has another type.
        """
        fields = SequenceRow._fields if self.holds_lines else SequenceRow._fields[:-3]
        with open_table(self.path, SEQUENCES.kind, "sequences", READ_REMEDY) as table:
            for batch in table.batches(fields, needed=("line_no",)):
                yield [SequenceRow(*row) for row in batch]

    def __iter__(self) -> Iterator[SequenceRow]:
        for batch in self.batches():
            yield from batch


def read_parsed(path: Path | str) -> ParsedFile:
    """Open ``parsed.parquet``, logexport's or alog-detect's.

    Raises:
        InputError: not parquet, or a column is missing or of another type.
    """
    columns = {"line_no": _is_integer, "template_id": _is_id, "template": _is_string}
    optional = {
        "raw": _is_bytes_or_string,
        "masked": _is_string,
        "continues": _is_string,
    }
    found = _check_columns(Path(path), PARSED.kind, "parsed lines", columns, optional)
    return ParsedFile(Path(path), *found)


def read_sequences(path: Path | str) -> SequencesFile:
    """Open ``sequences.parquet``, logexport's or alog-detect's.

    Raises:
        InputError: not parquet, or a column is missing or of another type.
    """
    columns = {"line_no": _is_integer, "template_index": _is_integer}
    optional = {"session": _is_string, "continues": _is_string, "session_number": _is_integer}
    found = _check_columns(Path(path), SEQUENCES.kind, "sequences", columns, optional)
    return SequencesFile(Path(path), *found)


def parsed_writer(
    path: Path | str, about: Mapping[str, Any]
) -> AbstractContextManager[Callable[[ParsedRow], None]]:
    """:func:`table_writer` of ``parsed.parquet``."""
    return table_writer(path, PARSED, about)


def sequences_writer(
    path: Path | str, about: Mapping[str, Any]
) -> AbstractContextManager[Callable[[SequenceRow], None]]:
    """:func:`table_writer` of ``sequences.parquet``."""
    return table_writer(path, SEQUENCES, about)


def write_sequences(
    path: Path | str, rows: Iterable[SequenceRow], about: Mapping[str, Any]
) -> None:
    """Write ``sequences.parquet`` from rows.

    Raises:
        OutputError: the file cannot be written.
    """
    with sequences_writer(path, about) as write:
        for row in rows:
            write(row)


def _check_columns(
    path: Path,
    kind: str,
    what: str,
    columns: Mapping[str, Callable[[pa.DataType], bool]],
    optional: Mapping[str, Callable[[pa.DataType], bool]],
) -> tuple[int, dict[str, Any] | None]:
    """The number of rows and the metadata of a file that has these columns."""
    remedy = f"Name a {kind}.parquet that logexport or alog-detect wrote."
    with open_table(path, kind, what, remedy) as table:
        for name, fits in {**columns, **optional}.items():
            if name not in table.names:
                if name in optional:
                    continue
                raise InputError(
                    f"{path} has no column {name}, so it is not {kind}.parquet", remedy
                )
            if table.names.count(name) > 1 or not fits(table.type_of(name)):
                raise InputError(
                    f"Column {name} of {path} has the type {table.type_of(name)}", remedy
                )
        return table.rows, table.about


def _plain(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_integer(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(_plain(kind)))


def _is_string(kind: pa.DataType) -> bool:
    import pyarrow as pa

    kind = _plain(kind)
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)
    )


def _is_id(kind: pa.DataType) -> bool:
    return _is_integer(kind) or _is_string(kind)


def _is_bytes_or_string(kind: pa.DataType) -> bool:
    import pyarrow as pa

    kind = _plain(kind)
    return _is_string(kind) or bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
