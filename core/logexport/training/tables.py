"""Parquet tables of any kind: the one place that writes and opens them.

A plugin whose model is trained on a table of its own declares it (:class:`Table`, :class:`Column`),
writes it by :meth:`logexport.training.log.TrainingLog.build` and reads it by :func:`open_table`.
The tables of lines are those of :mod:`logexport.training.line_tables`.

The key ``logexport`` of a file's metadata is JSON: ``version`` (of logexport), ``kind``
(``parsed``, ``sequences`` or a plugin's own) and what the writer adds. Files without it come from
elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from logexport.errors import InputError
from logexport.files import STAND_IN_BYTES, atomic_path, refuse_stand_in

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

__all__ = [
    "METADATA_KEY",
    "Column",
    "OpenTable",
    "Table",
    "open_table",
    "table_writer",
]

METADATA_KEY = "logexport"
BATCH_ROWS = 10_000
"""Rows of a row group and of a batch that is read."""
BATCH_BYTES = 16 * 1024 * 1024
"""A row group is written earlier when its texts are this long, so that long lines fit in memory."""

READ_REMEDY = "Check the path, or make the file again."
"""What to do about a file that cannot be read."""


class Column(NamedTuple):
    """A column of a table: its name, its Arrow type by its alias (``int32``, ``string``,
    ``timestamp[us]`` …; ``list<int32>``: a value is a list of these), and whether a value may be
    missing."""

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
    fields = [pa.field(name, _arrow_type(kind), gaps) for name, kind, gaps in table.columns]
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


def _arrow_type(alias: str) -> pa.DataType:
    import pyarrow as pa

    inner = alias.removeprefix("list<").removesuffix(">")
    return pa.type_for_alias(alias) if inner == alias else pa.list_(pa.type_for_alias(inner))


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
                        f"Column {name} of {self.path} is {column.type} or has gaps", READ_REMEDY
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
                        raise InputError(f"{self.path} has rows without a {name}", READ_REMEDY)
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
            refuse_stand_in(path, opened.read(STAND_IN_BYTES))
            opened.seek(0)
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
            f"{path} cannot be read as {what} in parquet: {reason.splitlines()[0][:200]}",
            READ_REMEDY,
        ) from error


def _values(column: Any) -> list[Any]:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type):
        # Nanoseconds would need pandas to become objects, and zones a time zone database.
        column = column.cast(pa.timestamp("us"), safe=False)
    values: list[Any] = column.to_pylist()
    return values
