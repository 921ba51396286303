"""The project's parquet tables: the one place that knows their columns.

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

The key ``logexport`` of a file's metadata is JSON: ``version`` (of logexport), ``kind`` (``parsed``
or ``sequences``) and what the writer adds. Files without it come from elsewhere. Those of
alog-detect are read too: their ``line_no`` starts at 0, ``raw`` is text (the message after the
header), ``template_id`` is text, ``session`` is missing and the rows are in the order of time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from logexport.errors import InputError
from logexport.files import atomic_path

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "METADATA_KEY",
    "ParsedFile",
    "ParsedRow",
    "SequenceRow",
    "SequencesFile",
    "parsed_writer",
    "read_parsed",
    "read_sequences",
    "sequences_writer",
    "template_history",
    "write_sequences",
]

METADATA_KEY = "logexport"
BATCH_ROWS = 10_000
"""Rows of a row group and of a batch that is read."""
BATCH_BYTES = 16 * 1024 * 1024
"""A row group is written earlier when its texts are this long, so that long lines fit in memory."""


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
        for batch in _batches(self.path, "parsed lines", ParsedRow._fields):
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
        for batch in _batches(self.path, "sequences", fields):
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
    return ParsedFile(Path(path), *_open(Path(path), "parsed", columns, optional))


def read_sequences(path: Path | str) -> SequencesFile:
    """Open ``sequences.parquet``, logexport's or alog-detect's.

    Raises:
        InputError: not parquet, or a column is missing or of another type.
    """
    columns = {"line_no": _is_integer, "template_index": _is_integer}
    return SequencesFile(
        Path(path), *_open(Path(path), "sequences", columns, {"session": _is_string})
    )


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
def parsed_writer(
    path: Path | str, about: Mapping[str, Any]
) -> Iterator[Callable[[ParsedRow], None]]:
    """Write ``parsed.parquet`` row by row; it appears at ``path`` when the block succeeds.

    Args:
        path: the file.
        about: added to the metadata.

    Yields:
        a function that takes the next row; rows are kept for at most one row group.

    Raises:
        OutputError: the file cannot be written.
    """
    import pyarrow as pa

    fields = [
        pa.field("line_no", pa.int64(), nullable=False),
        pa.field("timestamp", pa.timestamp("us")),
        pa.field("host", pa.string()),
        pa.field("process", pa.string()),
        pa.field("raw", pa.binary()),
        pa.field("masked", pa.string()),
        pa.field("template_id", pa.int64()),
        pa.field("template", pa.string()),
    ]
    with _writer(path, "parsed", fields, about) as write:
        yield lambda row: write(row, len(row.raw or b"") + len(row.masked or ""))


@contextmanager
def sequences_writer(
    path: Path | str, about: Mapping[str, Any]
) -> Iterator[Callable[[SequenceRow], None]]:
    """As :func:`parsed_writer`, of ``sequences.parquet``."""
    import pyarrow as pa

    fields = [
        pa.field("line_no", pa.int64(), nullable=False),
        pa.field("timestamp", pa.timestamp("us")),
        pa.field("host", pa.string()),
        pa.field("session", pa.string()),
        pa.field("template_index", pa.int64()),
        pa.field("raw", pa.binary()),
    ]
    with _writer(path, "sequences", fields, about) as write:
        yield lambda row: write(row, len(row.session or "") + len(row.raw or b""))


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


@contextmanager
def _writer(
    path: Path | str, kind: str, fields: Sequence[Any], about: Mapping[str, Any]
) -> Iterator[Callable[[Sequence[Any], int], None]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from logexport import __version__

    text = json.dumps({"version": __version__, "kind": kind, **about}, ensure_ascii=False)
    schema = pa.schema(fields, metadata={METADATA_KEY: text})
    pending: list[Sequence[Any]] = []
    size = 0

    with (
        atomic_path(path) as temporary,
        # Opened here, because pyarrow takes no path that is not UTF-8.
        temporary.open("wb") as file,
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

        def write(row: Sequence[Any], characters: int) -> None:
            nonlocal size
            pending.append(row)
            size += characters
            if len(pending) >= BATCH_ROWS or size >= BATCH_BYTES:
                flush()

        yield write
        if pending:
            flush()


def _open(
    path: Path,
    kind: str,
    columns: Mapping[str, Callable[[pa.DataType], bool]],
    optional: Mapping[str, Callable[[pa.DataType], bool]],
) -> tuple[int, dict[str, Any] | None]:
    """Check the columns; the number of rows and the metadata of logexport."""
    with _file(path, kind) as file:
        schema = file.schema_arrow
        rows = int(file.metadata.num_rows)
    metadata = (schema.metadata or {}).get(METADATA_KEY.encode())
    remedy = f"Name a {kind}.parquet that logexport or alog-detect wrote."
    about = None
    if metadata is not None:
        try:
            about = json.loads(metadata)
        except ValueError as error:
            raise InputError(f"The metadata of {path} is damaged", remedy) from error
        if not isinstance(about, dict) or about.get("kind") != kind:
            found = about.get("kind") if isinstance(about, dict) else about
            raise InputError(f"{path} holds {found}, not {kind}", remedy)
    for name, fits in {**columns, **optional}.items():
        if name not in schema.names:
            if name in optional:
                continue
            raise InputError(f"{path} has no column {name}, so it is not {kind}.parquet", remedy)
        if schema.names.count(name) > 1 or not fits(schema.field(name).type):
            raise InputError(
                f"Column {name} of {path} has the type {schema.field(name).type}", remedy
            )
    return rows, about


@contextmanager
def _file(path: Path, what: str) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Opened here, because pyarrow takes no path that is not UTF-8.
        with path.open("rb") as opened, pq.ParquetFile(opened) as file:
            yield file
    except (OSError, pa.ArrowException, ValueError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(
            f"{path} cannot be read as {what} in parquet: {reason.splitlines()[0][:200]}",
            "Check the path, or make the file again.",
        ) from error


def _batches(path: Path, what: str, fields: Sequence[str]) -> Iterator[Iterator[tuple[Any, ...]]]:
    """Tuples in the order of ``fields``, None for a column that the file lacks."""
    with _file(path, what) as file:
        present = [name for name in fields if name in file.schema_arrow.names]
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=present):
            columns = {name: _values(batch.column(name)) for name in present}
            if batch.column("line_no").null_count:
                raise InputError(f"{path} has rows without a line_no", "Make the file again.")
            nothing = [None] * batch.num_rows
            yield zip(*(columns.get(name, nothing) for name in fields), strict=True)


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
