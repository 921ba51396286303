"""``logexport deeplog build``: from parsed.parquet to a vocabulary and a sequence of events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from logexport.training.line_tables import SEQUENCES, SequenceRow
from logexport.training.log import TrainingLog
from logexport.training.sessions import EndOptions

START, END = "start", "end"
"""Names of the reserved entries that sessions begin and end with."""


@dataclass(frozen=True)
class BuildResult:
    """The files written, and what is in them.

    Args:
        vocab, sequences, preprocess: paths.
        templates: entries of the vocabulary, reserved ones included.
        lines: events, one for each line that is not blank.
        unseen: events without a template.
        sessions: how many there are, the one of lines that name none included.
        session_names: distinct names; ``split_share`` of them have several sessions.
        closed_by: what ended how many sessions with a name.
        idle_lines: what the rules say, None without sessions; ``longest_gap`` is that of the log
            by which it was set, None if it was not measured.
        start, end: the reserved entries, None if sessions neither begin nor end.
        description: of the sessions, a sentence without a full stop; None without sessions.
        warnings: sentences for the user, without a full stop.
    """

    vocab: Path
    sequences: Path
    preprocess: Path
    templates: int
    lines: int
    unseen: int
    sessions: int
    session_names: int
    split_share: float
    closed_by: Mapping[str, int]
    idle_lines: int | None
    longest_gap: int | None
    start: int | None
    end: int | None
    description: str | None
    warnings: tuple[str, ...]


def build_sequences(
    parsed: Path,
    output_dir: Path,
    vocab: Path | None = None,
    preprocess: Path | None = None,
    session_by: str | None = None,
    ends: EndOptions = EndOptions(),  # noqa: B008 - frozen
    boundaries: bool = True,
    on_lines: Callable[[int], None] = lambda _: None,
) -> BuildResult:
    """Write ``vocab.json``, ``sequences.parquet`` and ``preprocess.json`` into ``output_dir``.

    The vocabulary is the distinct template strings in code point order, or the one given; where
    sessions begin and end, two reserved entries follow. Events are matched from the raw lines, as
    detection matches them; template strings are never looked up.

    Args:
        parsed: what ``logexport parse`` wrote.
        output_dir: made where it does not exist.
        vocab: a vocabulary to use instead of the log's own templates; it is copied.
        preprocess: the rules of the log; None for those beside ``parsed``.
        session_by: ``none``, ``host``, ``field:NAME`` or a pattern; None for what the rules say.
        ends: when sessions end.
        boundaries: whether sessions by a pattern or a field begin and end.
        on_lines: called with the number of lines just matched.

    Raises:
        InputError: a file is missing or malformed, the rules are not those that the log was
            parsed with, or sessions by them divide nothing.
        UsageError: an option of ``ends`` does not apply.
        OutputError: the directory cannot be written.
    """
    reserve = (START, END) if boundaries else ()
    log = TrainingLog(parsed, vocab, preprocess, session_by, ends, reserve)
    about: dict[str, int] = {}
    if boundaries and log.rules.session.begins_and_ends:
        about = {name: log.vocabulary.reserved[name] for name in reserve}
    sessions = 0
    with log.build(output_dir, SEQUENCES, about, on_lines=on_lines) as build:
        for row, event, session in build:
            build.write(
                SequenceRow(
                    *(row.line_no, row.timestamp, row.host, event.session, event.template, row.raw),
                    *(row.continues, session.number),
                )
            )
            sessions = max(sessions, session.number + 1)
    tally = build.sessions
    return BuildResult(
        vocab=build.vocab,
        sequences=build.table,
        preprocess=build.preprocess,
        templates=build.templates,
        lines=build.lines,
        unseen=build.unseen,
        sessions=sessions,
        session_names=tally.names,
        split_share=tally.split_share,
        closed_by={str(by): count for by, count in tally.closed_by.items()},
        idle_lines=tally.rule.idle_lines,
        longest_gap=tally.measured_gap,
        start=about.get(START),
        end=about.get(END),
        description=None if tally.rule.by == "none" else tally.describe(),
        warnings=tally.find_warnings(),
    )
