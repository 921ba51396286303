"""``logexport deeplog build``: from parsed.parquet to a vocabulary and a sequence of events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from logexport.training.line_tables import SEQUENCES, SequenceRow
from logexport.training.log import TrainingLog


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
        session_by: ``none``, ``host``, ``field:NAME`` or a pattern; None for what the rules say.
        on_lines: called with the number of lines just matched.

    Raises:
        InputError: a file is missing or malformed, or the rules are not those that the log was
            parsed with.
        OutputError: the directory cannot be written.
    """
    log = TrainingLog(parsed, vocab, preprocess, session_by)
    sessions: set[str | None] = set()
    with log.build(output_dir, SEQUENCES, on_lines=on_lines) as build:
        for row, event, _session in build:
            build.write(
                SequenceRow(
                    *(row.line_no, row.timestamp, row.host, event.session, event.template, row.raw),
                    row.continues,
                )
            )
            sessions.add(event.session)
    return BuildResult(
        vocab=build.vocab,
        sequences=build.table,
        preprocess=build.preprocess,
        templates=build.templates,
        lines=build.lines,
        unseen=build.unseen,
        sessions=len(sessions),
    )
