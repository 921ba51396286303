"""The project's parquet tables: the one place that writes and opens them.

A plugin whose model is trained on a table of its own declares it (:class:`Table`, :class:`Column`),
writes it by :meth:`logexport.training.log.TrainingLog.build` and reads it by :func:`open_table`.

``parsed.parquet``, one row a line that is not blank, in the file's order:

==============  ==================  ================================================================
``line_no``     int64               from 1, blank lines counted
``timestamp``   timestamp[us], null naive; UTC where the log names a zone
``host``        string, null        from the header
``process``     string, null        from the header
``raw``         binary, null        the whole line without LF (and one CR before it); null: oversize
``masked``      string, null        null: oversize
``template_id`` int64, null         the miner's cluster number; null: oversize
``template``    string, null        the final template; null: oversize
==============  ==================  ================================================================

``sequences.parquet``, one row a line that is not blank, in the file's order: ``line_no`` int64,
``timestamp``, ``host`` and ``session`` (null like above), ``template_index`` int64 (null: unseen),
``raw`` as above, so that an export can match every line of the training log again.

The key ``logexport`` of a file's metadata is JSON: ``version`` (of logexport), ``kind``
(``parsed``, ``sequences`` or a plugin's own) and what the writer adds. Files without it come from
elsewhere. Those of alog-detect are read too: their ``line_no`` starts at 0, ``raw`` is text (the
message after the header), ``template_id`` is text, ``session`` is missing and the rows are in the
order of time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from logexport.errors import InputError
from logexport.files import atomic_path

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

__all__ = [
    "METADATA_KEY",
    "PARSED",
    "SEQUENCES",
    "Column",
    "OpenTable",
    "ParsedFile",
    "ParsedRow",
    "SequenceRow",
    "SequencesFile",
    "Table",
    "open_table",
    "parsed_writer",
    "read_parsed",
    "read_sequences",
    "sequences_writer",
    "table_writer",
    "template_history",
    "write_sequences",
]

METADATA_KEY = "logexport"
BATCH_ROWS = 10_000
"""Rows of a row group and of a batch that is read."""
BATCH_BYTES = 16 * 1024 * 1024
"""A row group is written earlier when its texts are this long, so that long lines fit in memory."""

_AGAIN = "Check the path, or make the file again."


class Column(NamedTuple):
    """A column of a table: its name, its Arrow type by its alias (``int32``, ``string``,
    ``timestamp[us]`` …), and whether a value may be missing."""

    name: str
    type: str
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """What a kind of table looks like.

    Args:
        kind: what the metadata call it; a file is named ``KIND.parquet``.
        columns: in their order.
        texts: columns of strings or bytes; long ones end a row group early, so that it fits in
            memory.
        group_rows: most rows of a row group, which is what a writer holds in memory.
    """

    kind: str
    columns: tuple[Column, ...]
    texts: tuple[str, ...] = ()
    group_rows: int = BATCH_ROWS

    @property
    def file(self) -> str:
        """The name of a file."""
        return f"{self.kind}.parquet"


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


class SequenceRow(NamedTuple):
    """A row of ``sequences.parquet``; ``template_index`` None is an unseen line."""

    line_no: int
    timestamp: datetime | None
    host: str | None
    session: str | None
    template_index: int | None
    raw: bytes | None = None


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
        with open_table(self.path, PARSED.kind, "parsed lines", _AGAIN) as table:
            for batch in table.batches(ParsedRow._fields, needed=("line_no",)):
                yield [
                    ParsedRow(n, t, h, p, raw.encode() if isinstance(raw, str) else raw, m, i, text)
                    for n, t, h, p, raw, m, i, text in batch
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
        fields = SequenceRow._fields if self.holds_lines else SequenceRow._fields[:-1]
        with open_table(self.path, SEQUENCES.kind, "sequences", _AGAIN) as table:
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
    optional = {"raw": _is_bytes_or_string, "masked": _is_string}
    found = _checked(Path(path), PARSED.kind, "parsed lines", columns, optional)
    return ParsedFile(Path(path), *found)


def read_sequences(path: Path | str) -> SequencesFile:
    """Open ``sequences.parquet``, logexport's or alog-detect's.

    Raises:
        InputError: not parquet, or a column is missing or of another type.
    """
    columns = {"line_no": _is_integer, "template_index": _is_integer}
    optional = {"session": _is_string}
    found = _checked(Path(path), SEQUENCES.kind, "sequences", columns, optional)
    return SequencesFile(Path(path), *found)


def template_history(path: Path | str) -> list[tuple[str, str]]:
    """Every distinct (template id, template) of a parsed file, in the order of their last lines.

    Raises:
        InputError: see :func:`read_parsed`.
    """
    last: dict[tuple[str, str], int] = {}
    for row in read_parsed(path):
        if row.template_id is not None and row.template is not None:
            pair = (str(row.template_id), row.template)
            last[pair] = max(last.get(pair, row.line_no), row.line_no)
    return sorted(last, key=lambda pair: last[pair])


@contextmanager
def table_writer(
    path: Path | str, table: Table, about: Mapping[str, Any]
) -> Iterator[Callable[[Sequence[Any]], None]]:
    """Write a table row by row; it appears at ``path`` when the block succeeds.

    Args:
        path: the file; it need not be UTF-8.
        table: its kind and its columns.
        about: added to the metadata; what JSON holds.

    Yields:
        a function that takes the next row, a value for each column; rows are kept for at most one
        row group.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_path(path) as temporary, rows_into(temporary, table, about) as write:
        yield write


@contextmanager
def rows_into(
    path: Path, table: Table, about: Mapping[str, Any]
) -> Iterator[Callable[[Sequence[Any]], None]]:
    """As :func:`table_writer`, straight into a file that somebody else publishes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from logexport.version import __version__

    text = json.dumps({"version": __version__, "kind": table.kind, **about}, ensure_ascii=False)
    fields = [pa.field(*column) for column in table.columns]
    schema = pa.schema(fields, metadata={METADATA_KEY: text})
    names = [column.name for column in table.columns]
    texts = [names.index(name) for name in table.texts]
    pending: list[Sequence[Any]] = []
    size = 0
    with (
        # Opened here, because pyarrow takes no path that is not UTF-8.
        path.open("wb") as file,
        pq.ParquetWriter(file, schema, compression="zstd") as out,
    ):

        def flush() -> None:
            nonlocal size
            columns = zip(*pending, strict=True)
            arrays = [
                pa.array(column, type=field.type)
                for column, field in zip(columns, fields, strict=True)
            ]
            out.write_batch(pa.record_batch(arrays, schema=schema))
            pending.clear()
            size = 0

        def write(row: Sequence[Any]) -> None:
            nonlocal size
            pending.append(row)
            size += sum(len(row[place] or "") for place in texts)
            if len(pending) >= table.group_rows or size >= BATCH_BYTES:
                flush()

        yield write
        if pending:
            flush()


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


class OpenTable:
    """A parquet file that is open, see :func:`open_table`.

    Attributes:
        path: the file.
        rows: how many it has.
        names: of its columns, in their order; a file from elsewhere may have one twice.
        about: the metadata that logexport wrote, or None for a file from elsewhere.
    """

    def __init__(self, path: Path, file: Any, about: dict[str, Any] | None, what: str) -> None:
        self.path = path
        self.rows = int(file.metadata.num_rows)
        self.names: list[str] = file.schema_arrow.names
        self.about = about
        self._file = file
        self._what = what

    def type_of(self, name: str) -> pa.DataType:
        """The Arrow type of a column, of the first where several have the name."""
        return self._file.schema_arrow.field(self.names.index(name)).type

    def numbers(self, names: Sequence[str], dtype: str) -> np.ndarray:
        """Columns of numbers as an array ``[rows, len(names)]`` of ``dtype``, made a column at a
        time. What a floating point type cannot hold becomes infinite in it.

        Raises:
            InputError: a column has gaps or holds something else, or the file is damaged.
        """
        import numpy as np
        import pyarrow as pa

        with _reading(self.path, self._what), np.errstate(over="ignore"):
            out = np.empty((self.rows, len(names)), dtype=dtype)
            for place, name in enumerate(names):
                column = self._file.read(columns=[name]).column(0)
                number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
                if not number or column.null_count:
                    raise InputError(
                        f"Column {name} of {self.path} is {column.type} or has gaps", _AGAIN
                    )
                out[:, place] = column.to_numpy()
        return out

    def batches(
        self, names: Sequence[str], needed: Sequence[str] = ()
    ) -> Iterator[Iterator[tuple[Any, ...]]]:
        """The rows, at most 10,000 at a time, as tuples in the order of ``names``; None for the
        values of a column that the file lacks.

        Raises:
            InputError: a column of ``needed`` has gaps, or the file is damaged.
        """
        present = [name for name in names if name in self.names]
        with _reading(self.path, self._what):
            for batch in self._file.iter_batches(batch_size=BATCH_ROWS, columns=present):
                for name in needed:
                    if batch.column(name).null_count:
                        raise InputError(f"{self.path} has rows without a {name}", _AGAIN)
                columns = {name: _values(batch.column(name)) for name in present}
                nothing = [None] * batch.num_rows
                yield zip(*(columns.get(name, nothing) for name in names), strict=True)


@contextmanager
def open_table(path: Path | str, kind: str, what: str, remedy: str) -> Iterator[OpenTable]:
    """Open a parquet file: a table of a kind, or one from elsewhere, which does not say its kind.

    Args:
        path: the file; it need not be UTF-8.
        kind: the table's, see :class:`Table`.
        what: its rows, for errors: ``"window counts"``.
        remedy: what to do about a file that is another kind of table.

    Raises:
        InputError: it cannot be read, is not parquet, or says that it is of another kind.
    """
    import pyarrow.parquet as pq

    path = Path(path)
    with ExitStack() as stack:
        with _reading(path, what):
            # Opened here, because pyarrow takes no path that is not UTF-8.
            opened = stack.enter_context(path.open("rb"))
            file = stack.enter_context(pq.ParquetFile(opened))
            metadata = (file.schema_arrow.metadata or {}).get(METADATA_KEY.encode())
        about = None if metadata is None else _about(path, metadata, kind, what, remedy)
        yield OpenTable(path, file, about, what)


def _about(path: Path, metadata: bytes, kind: str, what: str, remedy: str) -> dict[str, Any]:
    try:
        about = json.loads(metadata)
    except (ValueError, RecursionError) as error:
        raise InputError(f"The metadata of {path} is damaged", remedy) from error
    found = about.get("kind") if isinstance(about, dict) else about
    if not isinstance(about, dict) or found != kind:
        raise InputError(f"{path} holds {found}, not {what}", remedy)
    return about


@contextmanager
def _reading(path: Path, what: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException, ValueError, OverflowError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(
            f"{path} cannot be read as {what} in parquet: {reason.splitlines()[0][:200]}", _AGAIN
        ) from error


def _checked(
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


def _values(column: Any) -> list[Any]:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type):
        # Nanoseconds would need pandas to become objects, and zones a time zone database.
        column = column.cast(pa.timestamp("us"), safe=False)
    values: list[Any] = column.to_pylist()
    return values


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
