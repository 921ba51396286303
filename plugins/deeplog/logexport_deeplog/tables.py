"""Parquet files of logexport, opened with sentences for what can be wrong with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logexport.errors import InputError

if TYPE_CHECKING:
    import pyarrow.parquet as pq

METADATA_KEY = b"logexport"
"""Entry of a file's metadata: JSON that names what wrote it and what kind of file it is."""


@contextmanager
def open_table(
    path: Path, kind: str, columns: tuple[str, ...], remedy: str
) -> Iterator[tuple[pq.ParquetFile, dict[str, Any]]]:
    """Open a parquet file that holds at least ``columns``.

    Yields:
        the open file, and its metadata entry ``logexport``, empty for files from elsewhere.

    Raises:
        InputError: missing, not parquet, of another kind, or without one of the columns. Errors
            while the block reads from the file are turned into it too.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            about = _about(path, file.schema_arrow.metadata or {})
            if about.get("kind", kind) != kind:
                raise InputError(f"{path} holds {about['kind']}, not {kind}", remedy)
            missing = [name for name in columns if name not in file.schema_arrow.names]
            if missing:
                raise InputError(f"{path} has no column {missing[0]}", remedy)
            yield file, about
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}", remedy) from error
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} cannot be read as parquet: {reason}", remedy) from error


def _about(path: Path, metadata: dict[bytes, bytes]) -> dict[str, Any]:
    text = metadata.get(METADATA_KEY)
    if text is None:
        return {}
    try:
        about = json.loads(text)
        if not isinstance(about["kind"], str):
            raise TypeError("kind")
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} has broken metadata under the key logexport") from error
    return dict(about)
