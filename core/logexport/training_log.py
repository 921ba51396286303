"""The log that a model is trained on, matched anew: what every ``build`` command reads.

Template strings are never looked up. Lines are matched from their raw bytes, as detection matches
them, so that what a model is trained on is what it will be shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from logexport.errors import InputError
from logexport.logs.events import Event, EventReader
from logexport.logs.lines import Line
from logexport.logs.preprocess import Preprocess, SessionRule
from logexport.parquet import ParsedFile, ParsedRow, read_parsed
from logexport.types import Vocabulary
from logexport.vocab import load_vocab

__all__ = [
    "TrainingLog",
    "line_event",
    "rematch",
]

_PARSE = "Name the parsed.parquet that `logexport parse` wrote, or parse the raw log again."


class TrainingLog:
    """A log that logexport parsed, with the rules and the vocabulary to match it by.

    Iterating gives every row with its event, in the order of the file.

    Args:
        parsed: what ``logexport parse`` wrote.
        vocab: a vocabulary to match by; None for the log's own templates, in code point order.
        preprocess: the rules of the log; None for those beside ``parsed``.
        session_by: ``none``, ``host`` or a pattern; None for what the rules say.

    Attributes:
        file: the parsed file.
        rules, vocabulary: as read, the session rule replaced.

    Raises:
        InputError: a file is missing or malformed, or the log was not parsed by logexport; while
            iterating: the rules are not those that the log was parsed with.
    """

    def __init__(
        self,
        parsed: Path,
        vocab: Path | None = None,
        preprocess: Path | None = None,
        session_by: str | None = None,
    ) -> None:
        self.file = read_parsed(parsed)
        if not self.file.written_by_logexport:
            raise InputError(f"{parsed} was not written by logexport parse", _PARSE)
        self.rules = _rules(parsed, preprocess)
        if session_by is not None:
            self.rules = replace(self.rules, session=SessionRule.from_option(session_by))
        self._own_templates = vocab is None
        self.vocabulary = _own_templates(self.file) if vocab is None else load_vocab(vocab)

    def __iter__(self) -> Iterator[tuple[ParsedRow, Event]]:
        templates = self.vocabulary.templates
        for row, event in rematch(self.file, EventReader(self.rules, self.vocabulary)):
            if self._own_templates:
                now = None if event.template is None else templates[event.template]
                if row.template != now:
                    # The same rules give the same templates; others would train on other events.
                    raise InputError(
                        f"line {row.line_no} of {self.file.path} was parsed as {row.template!r},"
                        f" but the rules now make it {now!r}",
                        "Use the preprocess.json that parse wrote, or parse the log again.",
                    )
            yield row, event


def rematch(parsed: ParsedFile, reader: EventReader) -> Iterator[tuple[ParsedRow, Event]]:
    """Every row of a parsed log with the event that the reader's rules make of it now.

    Of a file from elsewhere ``raw`` is the message: its header is gone already, and so is whatever
    a session could be read from.

    Raises:
        InputError: the file is damaged, or a row holds a blank line, which logexport never writes.
    """
    if not parsed.written_by_logexport:
        for row in parsed:
            message = (row.raw or b"").decode("utf-8", "replace")
            template = reader.matcher.match(reader.parser.mask(message))
            yield row, Event(row.line_no, None, template)
        return
    for row in parsed:
        event = line_event(reader, row.line_no, row.raw)
        if event is None:
            raise InputError(
                f"line {row.line_no} of {parsed.path} is blank, which no parsed line can be", _PARSE
            )
        yield row, event


def line_event(reader: EventReader, number: int, raw: bytes | None) -> Event | None:
    """The event of a line as the tables hold it: None in place of one that was too long."""
    oversize = raw is None or len(raw) > reader.preprocess.max_line_bytes
    return reader.event(Line(number, b"" if oversize else raw or b"", oversize))


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


def _own_templates(parsed: ParsedFile) -> Vocabulary:
    templates = {row.template for row in parsed if row.template is not None}
    if not templates:
        raise InputError(f"{parsed.path} holds no template", "Parse a log that is not empty.")
    return Vocabulary(tuple(sorted(templates)))
