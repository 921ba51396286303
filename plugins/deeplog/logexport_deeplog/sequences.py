"""``sequences.parquet``: the event of every line that is not blank, in the order of the lines.

Columns: ``line_no`` int64, ``timestamp`` timestamp[us], ``host`` string, ``session`` string,
``template_index`` int64 (null: the line matches no template). The entry ``logexport`` of the file's
metadata is JSON: what wrote it, the vocabulary's sha256 and the rules that made the events.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logexport import __version__
from logexport.errors import InputError
from logexport.files import atomic_path
from logexport.logs.preprocess import DEFAULT_MAX_SESSIONS, Preprocess
from logexport.types import Vocabulary

from logexport_deeplog.tables import METADATA_KEY, open_table

if TYPE_CHECKING:
    import pyarrow as pa

    from logexport_deeplog.windows import Events

_BUILD = "Name the sequences.parquet that `logexport deeplog build` wrote."


@dataclass(frozen=True)
class Sequences:
    """A log's events, and what the file says of them.

    Args:
        events: template indices and session numbers.
        vocab_sha256: of the vocabulary that the indices belong to; None in files from elsewhere.
        rules: the document of ``preprocess.json`` that the events were made by, or None.
    """

    events: Events
    vocab_sha256: str | None
    rules: Mapping[str, Any] | None


def schema(vocab: Vocabulary, preprocess: Preprocess) -> pa.Schema:
    """The columns and the metadata of a file that is about to be written."""
    import pyarrow as pa

    about = {
        "version": __version__,
        "kind": "sequences",
        "vocab_sha256": vocab.sha256(),
        "preprocess": preprocess.to_json(),
    }
    return pa.schema(
        [
            pa.field("line_no", pa.int64(), nullable=False),
            pa.field("timestamp", pa.timestamp("us")),
            pa.field("host", pa.string()),
            pa.field("session", pa.string()),
            pa.field("template_index", pa.int64()),
        ],
        metadata={METADATA_KEY: json.dumps(about, ensure_ascii=False).encode()},
    )


@contextmanager
def writer(path: Path, columns: pa.Schema) -> Iterator[Any]:
    """A parquet writer whose file appears at ``path`` when the block succeeds."""
    import pyarrow.parquet as pq

    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, columns, compression="zstd") as out,
    ):
        yield out


def read_sequences(path: Path, vocab: Vocabulary, vocab_path: Path) -> Sequences:
    """Read a file of events and check that its indices belong to ``vocab``.

    Files of alog-detect, which have no ``session`` column and do not name their vocabulary, are
    read as one session.

    Raises:
        InputError: not such a file, or made with another vocabulary.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from logexport_deeplog.windows import UNSEEN, Events, number_sessions

    with open_table(path, "sequences", ("template_index",), _BUILD) as (file, about):
        has_sessions = "session" in file.schema_arrow.names
        names = ["template_index", "session"] if has_sessions else ["template_index"]
        table = file.read(columns=names)
    made_with = about.get("vocab_sha256")
    if made_with is not None and made_with != vocab.sha256():
        raise InputError(
            f"{path} was made with another vocabulary than {vocab_path} (sha256 "
            f"{str(made_with)[:12]}…, not {vocab.sha256()[:12]}…)",
            "Name the vocab.json that was written together with it.",
        )
    column = table.column("template_index")
    if not pa.types.is_integer(column.type):
        raise InputError(f"{path}: template_index holds {column.type}, not whole numbers")
    index = pc.fill_null(column.cast(pa.int64()), UNSEEN).to_numpy()
    if column.null_count != int((index == UNSEEN).sum()) or (
        len(index) and not UNSEEN <= index.min() <= index.max() < len(vocab)
    ):
        raise InputError(
            f"{path} has template indices outside 0 to {len(vocab) - 1}, the entries of "
            f"{vocab_path}",
            "Name the vocabulary that the sequences were made with.",
        )
    rules = about.get("preprocess")
    most = DEFAULT_MAX_SESSIONS
    if rules is not None:
        most = Preprocess.from_json(rules, str(path)).max_sessions
    if has_sessions:
        session = number_sessions(table.column("session").to_pylist(), most)
    else:
        session = np.zeros(len(index), dtype=np.int64)
    return Sequences(Events(index, session), made_with, rules)
