"""``logexport deeplog build``: from parsed.parquet to a vocabulary and a sequence of events."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logexport.parquet import SequenceRow, read_parsed, sequences_writer
from logexport.training_log import TrainingLog
from logexport.vocab import save_training_vocab

from logexport_deeplog.sequences import metadata

PROGRESS_STEP = 1000
"""Lines between two calls of ``on_lines``."""


@dataclass(frozen=True)
class BuildResult:
    """The files written, and what is in them.

    Args:
        vocab, sequences, preprocess: paths.
        templates: entries of the vocabulary.
        lines: events, one for each line that is not blank.
        unseen: events without a template.
        sessions: distinct sessions, the one of lines that name none included.
    """

    vocab: Path
    sequences: Path
    preprocess: Path
    templates: int
    lines: int
    unseen: int
    sessions: int

    def to_json(self) -> dict[str, Any]:
        """The document of ``--json``."""
        return {
            key: str(value) if isinstance(value, Path) else value
            for key, value in dataclasses.asdict(self).items()
        }


def build_sequences(
    parsed: Path,
    output_dir: Path,
    vocab: Path | None = None,
    preprocess: Path | None = None,
    session_by: str | None = None,
    on_lines: Callable[[int], None] = lambda _: None,
) -> BuildResult:
    """Write ``vocab.json``, ``sequences.parquet`` and ``preprocess.json`` into ``output_dir``.

    The vocabulary is the distinct template strings in code point order, or the one given. Events
    are matched from the raw lines, as detection matches them; template strings are never looked up.

    Args:
        parsed: what ``logexport parse`` wrote.
        output_dir: made where it does not exist.
        vocab: a vocabulary to use instead of the log's own templates; it is copied.
        preprocess: the rules of the log; None for those beside ``parsed``.
        session_by: ``none``, ``host`` or a pattern; None for what the rules say.
        on_lines: called with the number of lines just matched.

    Raises:
        InputError: a file is missing or malformed, or the rules are not those that the log was
            parsed with.
        OutputError: the directory cannot be written.
    """
    log = TrainingLog(parsed, vocab, preprocess, session_by)
    out = BuildResult(
        vocab=output_dir / "vocab.json",
        sequences=output_dir / "sequences.parquet",
        preprocess=output_dir / "preprocess.json",
        templates=len(log.vocabulary),
        lines=0,
        unseen=0,
        sessions=0,
    )
    rows = unseen = 0
    sessions: set[str | None] = set()
    with sequences_writer(out.sequences, metadata(log.vocabulary, log.rules)) as write:
        for row, event in log:
            write(
                SequenceRow(
                    row.line_no, row.timestamp, row.host, event.session, event.template, row.raw
                )
            )
            unseen += event.template is None
            sessions.add(event.session)
            rows += 1
            if rows % PROGRESS_STEP == 0:
                on_lines(PROGRESS_STEP)
        on_lines(rows % PROGRESS_STEP)
        # Before the table appears, and only when every line of it is right.
        save_training_vocab(log.vocabulary, out.vocab)
        log.rules.save(out.preprocess)
    return dataclasses.replace(out, lines=rows, unseen=unseen, sessions=len(sessions))


def count_lines(parsed: Path) -> int:
    """How many lines ``parsed`` has, for a progress display."""
    return read_parsed(parsed).rows
