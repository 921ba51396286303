"""From a parsed log to a vocabulary and a sequence of events."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from logexport.errors import InputError
from logexport.logs.events import EventReader
from logexport.logs.lines import Line
from logexport.logs.preprocess import Preprocess
from logexport.parquet import SequenceRow, read_parsed, sequences_writer
from logexport.types import Vocabulary
from logexport.vocab import load_vocab, save_training_vocab


@dataclass(frozen=True)
class Built:
    """The files written, and how many templates, lines and unseen lines they hold."""

    vocab: Path
    sequences: Path
    preprocess: Path
    templates: int
    lines: int
    unseen: int


def build(parsed: Path, output_dir: Path, vocab: Path | None = None) -> Built:
    """Write vocab.json, sequences.parquet and preprocess.json.

    Every line is matched as detection will match it; template strings are never looked up.

    Args:
        parsed: what `logexport parse` wrote, with preprocess.json beside it.
        output_dir: made where it does not exist.
        vocab: a vocabulary to use instead of the log's own templates.

    Raises:
        InputError: a file is missing or malformed.
        OutputError: the directory cannot be written.
    """
    log = read_parsed(parsed)
    if not log.written_by_logexport:
        raise InputError(f"{parsed} was not written by logexport parse", "Parse the log again.")
    rules = Preprocess.load(parsed.parent / "preprocess.json")
    if vocab is not None:
        templates = load_vocab(vocab)
    else:
        strings = {row.template for row in log if row.template is not None}
        if len(strings) < 2:
            raise InputError(f"{parsed} holds fewer than two templates", "Parse a longer log.")
        templates = Vocabulary(tuple(sorted(strings)))
    out = (
        output_dir / "vocab.json",
        output_dir / "sequences.parquet",
        output_dir / "preprocess.json",
    )
    reader = EventReader(rules, templates)
    lines = unseen = 0
    about = {"vocab_sha256": templates.sha256(), "preprocess": rules.to_json()}
    with sequences_writer(out[1], about) as write:
        for row in log:
            event = reader.event(Line(row.line_no, row.raw or b"", row.raw is None))
            if event is None:
                raise InputError(f"line {row.line_no} of {parsed} is blank", "Parse the log again.")
            write(
                SequenceRow(
                    row.line_no, row.timestamp, row.host, event.session, event.template, row.raw
                )
            )
            lines += 1
            unseen += event.template is None
        save_training_vocab(templates, out[0])
        rules.save(out[2])
    return Built(*out, templates=len(templates), lines=lines, unseen=unseen)
