"""``logexport deeplog build``: from parsed.parquet to a vocabulary and a sequence of events."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logexport.errors import InputError
from logexport.logs.events import Event, EventReader
from logexport.logs.lines import Line
from logexport.logs.preprocess import Preprocess, SessionRule
from logexport.parquet import ParsedFile, ParsedRow, SequenceRow, read_parsed, sequences_writer
from logexport.types import Vocabulary
from logexport.vocab import load_vocab, save_training_vocab

from logexport_deeplog.sequences import metadata

_PARSE = "Name the parsed.parquet that `logexport parse` wrote, or parse the raw log again."


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
    log = read_parsed(parsed)
    if not log.written_by_logexport:
        raise InputError(f"{parsed} was not written by logexport parse", _PARSE)
    rules = _rules(parsed, preprocess)
    if session_by is not None:
        rules = dataclasses.replace(rules, session=SessionRule.from_option(session_by))
    vocabulary = load_vocab(vocab) if vocab is not None else _own_templates(log)
    out = BuildResult(
        vocab=output_dir / "vocab.json",
        sequences=output_dir / "sequences.parquet",
        preprocess=output_dir / "preprocess.json",
        templates=len(vocabulary),
        lines=0,
        unseen=0,
        sessions=0,
    )
    reader = EventReader(rules, vocabulary)
    rows = unseen = 0
    sessions: set[str | None] = set()
    with sequences_writer(out.sequences, metadata(vocabulary, rules)) as write:
        for batch in log.batches():
            for row in batch:
                event = _event(reader, row)
                if vocab is None:
                    _check_template(log, row, event, vocabulary)
                write(
                    SequenceRow(
                        row.line_no,
                        row.timestamp,
                        row.host,
                        event.session,
                        event.template,
                        row.raw,
                    )
                )
                unseen += event.template is None
                sessions.add(event.session)
            rows += len(batch)
            on_lines(len(batch))
        # Before the table appears, and only when every line of it is right.
        save_training_vocab(vocabulary, out.vocab)
        rules.save(out.preprocess)
    return dataclasses.replace(out, lines=rows, unseen=unseen, sessions=len(sessions))


def count_lines(parsed: Path) -> int:
    """How many lines ``parsed`` has, for a progress display."""
    return read_parsed(parsed).rows


def _rules(parsed: Path, preprocess: Path | None) -> Preprocess:
    if preprocess is not None:
        return Preprocess.load(preprocess)
    beside = parsed.parent / "preprocess.json"
    if not beside.exists():
        raise InputError(
            f"there is no preprocess.json beside {parsed}",
            "Name the rules that the log was parsed with by --preprocess, or parse it again.",
        )
    return Preprocess.load(beside)


def _own_templates(log: ParsedFile) -> Vocabulary:
    templates = {row.template for row in log if row.template is not None}
    if not templates:
        raise InputError(f"{log.path} holds no template", "Parse a log that is not empty.")
    return Vocabulary(tuple(sorted(templates)))


def _event(reader: EventReader, row: ParsedRow) -> Event:
    most = reader.preprocess.max_line_bytes
    oversize = row.raw is None or len(row.raw) > most
    event = reader.event(Line(row.line_no, b"" if oversize else row.raw or b"", oversize))
    if event is None:
        raise InputError(f"line {row.line_no} is blank, which no parsed line can be", _PARSE)
    return event


def _check_template(log: ParsedFile, row: ParsedRow, event: Event, vocabulary: Vocabulary) -> None:
    """The same rules give the same templates; others would train a model on other events."""
    now = None if event.template is None else vocabulary.templates[event.template]
    if row.template != now:
        raise InputError(
            f"line {row.line_no} of {log.path} was parsed as {row.template!r}, but the rules now "
            f"make it {now!r}",
            "Use the preprocess.json that parse wrote, or parse the log again.",
        )
