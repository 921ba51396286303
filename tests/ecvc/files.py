"""Counts and vocabularies made in a test."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from logexport.training.tables import table_writer
from logexport.vocab import load_vocab
from logexport_ecvc.counts import TABLE, SessionRow

from tests.ecvc.oracles import Row


def write_vocab(folder: Path, templates: int) -> Path:
    path = folder / "vocab.json"
    path.write_text(json.dumps({f"event {chr(97 + n)}": n for n in range(templates)}))
    return path


def session_row(number: int, row: Row) -> SessionRow:
    """The row of a session whose counts these are; the last are its unseen lines."""
    templates = [column for column, count in enumerate(row[:-1]) if count]
    counts = [row[column] for column in templates]
    places = (1 + 10 * number, 9 + 10 * number, "idle")
    return SessionRow(f"s{number}", templates, counts, row[-1], sum(row), *places)


def write_counts(
    folder: Path, rows: Iterable[SessionRow], about: Mapping[str, Any] | None = None
) -> Path:
    """``session_counts.parquet`` beside a vocabulary."""
    path = folder / TABLE.file
    stamp = {"vocab_sha256": load_vocab(folder / "vocab.json").sha256(), "preprocess": {}}
    with table_writer(path, TABLE, stamp if about is None else about) as write:
        for row in rows:
            write(row)
    return path


def write_sessions(folder: Path, sessions: Iterable[Row]) -> Path:
    return write_counts(folder, (session_row(n, row) for n, row in enumerate(sessions)))
