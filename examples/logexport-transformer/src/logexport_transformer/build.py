"""From a parsed log to a vocabulary and a sequence of events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from logexport.errors import InputError
from logexport.training.line_tables import SEQUENCES, SequenceRow
from logexport.training.log import TrainingLog


@dataclass(frozen=True)
class Built:
    """The files written, and how many templates, lines and unseen lines they hold."""

    vocab: Path
    sequences: Path
    preprocess: Path
    templates: int
    lines: int
    unseen: int


def build(
    parsed: Path,
    output_dir: Path,
    vocab: Path | None = None,
    preprocess: Path | None = None,
    on_lines: Callable[[int], None] = lambda _: None,
) -> Built:
    """Write vocab.json, sequences.parquet and preprocess.json: all three appear, or none.

    Every line is matched as detection will match it; template strings are never looked up.

    Args:
        parsed: what `logexport parse` wrote.
        output_dir: made where it does not exist.
        vocab: a vocabulary to use instead of the log's own templates.
        preprocess: the rules of the log; None for those beside `parsed`.
        on_lines: called with the number of lines just matched.

    Raises:
        InputError: a file is missing or malformed.
        OutputError: the directory cannot be written.
    """
    log = TrainingLog(parsed, vocab, preprocess)
    if len(log.vocabulary) < 2:
        raise InputError(f"{parsed} holds fewer than two templates", "Parse a longer log.")
    with log.build(output_dir, SEQUENCES, on_lines=on_lines) as files:
        for row, event, session in files:
            place = (row.line_no, row.timestamp, row.host)
            found = (event.session, event.template, row.raw, row.continues)
            files.write(SequenceRow(*place, *found, session.number))
    return Built(
        files.vocab, files.table, files.preprocess, files.templates, files.lines, files.unseen
    )
