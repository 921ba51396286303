"""The log that a model is trained on, matched anew: what every ``build`` command reads.

Template strings are never looked up. Lines are matched from their raw bytes, as detection matches
them, so that what a model is trained on is what it will be shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from logexport.errors import InputError
from logexport.files import atomic_paths, encode_json
from logexport.logs.events import Event, EventReader
from logexport.logs.joining import read_alone
from logexport.logs.preprocess import LineParser, Preprocess
from logexport.training.line_tables import ParsedFile, ParsedRow, read_parsed
from logexport.training.tables import Table, rows_into
from logexport.types import Vocabulary
from logexport.vocab import load_vocab, training_form

__all__ = [
    "Build",
    "RowReader",
    "TrainingLog",
    "rematch",
    "save_vocab_and_rules",
]

VOCAB, RULES = "vocab.json", "preprocess.json"
PROGRESS_STEP = 1000
"""Lines between two calls of ``on_lines``."""

_PARSE = "Name the parsed.parquet that `logexport parse` wrote, or parse the raw log again."


class TrainingLog:
    """A log that logexport parsed, with the rules and the vocabulary to match it by.

    Iterating gives every row with its event, in the order of the file.

    Args:
        parsed: what ``logexport parse`` wrote.
        vocab: a vocabulary to match by; None for the log's own templates, in code point order.
        preprocess: the rules of the log; None for those beside ``parsed``.
        session_by: ``none``, ``host``, ``field:NAME`` or a pattern; None for what the rules say.

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
            self.rules = self.rules.with_sessions(session_by)
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

    @contextmanager
    def build(
        self,
        output_dir: Path,
        table: Table,
        about: Mapping[str, Any] | None = None,
        keep_sessions: bool = False,
        on_lines: Callable[[int], None] = lambda _: None,
    ) -> Iterator[Build]:
        """Write ``vocab.json``, ``preprocess.json`` and a table of what a model is trained on.

        The block iterates over the :class:`Build` and writes rows. Only when it is done do the
        three files appear, all of them, the table last; whatever is raised until then leaves all
        three as they were.

        Args:
            output_dir: made where it does not exist.
            table: its kind and columns; its file is ``KIND.parquet``.
            about: what its metadata say of it beside ``vocab_sha256`` and ``preprocess``, the
                document of the rules.
            keep_sessions: leave the rules that lie in ``output_dir`` already where only their
                sessions differ, for the model that they were made for: this one has none.
            on_lines: called with the number of lines just matched.

        Raises:
            InputError: the rules are not those that the log was parsed with.
            OutputError: the directory cannot be written.
        """
        rules = self.rules
        if keep_sessions and (output_dir / RULES).exists():
            there = Preprocess.load(output_dir / RULES)
            if replace(there, session=rules.session) == rules:
                rules = there
        stamp = {"vocab_sha256": self.vocabulary.sha256(), "preprocess": rules.to_json()}
        build = Build(self, output_dir, table, on_lines)
        with (
            _published(output_dir, self.vocabulary, rules, build.table) as (staged,),
            rows_into(staged, table, {**(about or {}), **stamp}) as write,
        ):
            build.write = write
            yield build


class Build:
    """A build at work, see :meth:`TrainingLog.build`. Iterating gives every row of the log with its
    event, and counts them.

    Attributes:
        vocab, table, preprocess: where the files appear.
        templates: entries of the vocabulary.
        lines: how many have been given so far; ``unseen`` of them have no template.
        write: takes the next row of the table, a value for each column.
    """

    write: Callable[[Sequence[Any]], None]

    def __init__(
        self, log: TrainingLog, output_dir: Path, table: Table, on_lines: Callable[[int], None]
    ) -> None:
        self.vocab = output_dir / VOCAB
        self.table = output_dir / table.file
        self.preprocess = output_dir / RULES
        self.templates = len(log.vocabulary)
        self.lines = self.unseen = 0
        self._log = log
        self._on_lines = on_lines

    def __iter__(self) -> Iterator[tuple[ParsedRow, Event]]:
        for row, event in self._log:
            yield row, event
            self.lines += 1
            self.unseen += event.template is None
            if self.lines % PROGRESS_STEP == 0:
                self._on_lines(PROGRESS_STEP)
        self._on_lines(self.lines % PROGRESS_STEP)


def save_vocab_and_rules(output_dir: Path, vocabulary: Vocabulary, rules: Preprocess) -> None:
    """Write ``vocab.json`` and ``preprocess.json``: both appear, or neither.

    Raises:
        InputError: a rule is invalid.
        OutputError: they cannot be written.
    """
    with _published(output_dir, vocabulary, rules):
        pass


@contextmanager
def _published(
    output_dir: Path, vocabulary: Vocabulary, rules: Preprocess, *others: Path
) -> Iterator[tuple[Path, ...]]:
    """Temporary paths of other files, which appear after vocabulary and rules and with them."""
    texts = (encode_json(training_form(vocabulary)), rules.encode(output_dir / RULES))
    targets = (output_dir / VOCAB, output_dir / RULES, *others)
    with atomic_paths(*targets) as (vocab, preprocess, *staged):
        yield tuple(staged)
        vocab.write_bytes(texts[0])
        preprocess.write_bytes(texts[1])


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
    rows = RowReader(reader)
    for row in parsed:
        event = rows.event(row.line_no, row.raw, row.continues)
        if event is None:
            raise InputError(
                f"line {row.line_no} of {parsed.path} is blank, which no parsed line can be", _PARSE
            )
        yield row, event


class RowReader:
    """Rows of a table of lines to events, in the order of the table.

    Args:
        reader: the rules and the vocabulary.
    """

    def __init__(self, reader: EventReader) -> None:
        self._reader = reader
        # A row is a record; what it would be after other lines does not matter.
        self._parser = LineParser(replace(reader.preprocess, continuation=False))
        self._session: str | None = None  # of the record before

    def event(self, number: int, raw: bytes | None, continues: str | None) -> Event | None:
        """The event of a row, None if the rules give none.

        Args:
            number: of its first line.
            raw: its lines, joined by LF; None in place of one that was too long.
            continues: see :class:`logexport.logs.joining.LogRecord`.
        """
        event = self._event(number, raw)
        if event is None:
            return None
        if continues is None:
            self._session = event.session
            return event
        own = continues == "without_session" and event.session is not None
        return event if own else event._replace(session=self._session)

    def _event(self, number: int, raw: bytes | None) -> Event | None:
        most = self._reader.preprocess.max_line_bytes
        if raw is None or len(raw) - raw.count(b"\n") > most:
            return Event(number, None, None)
        records = read_alone(self._parser, raw, number)
        return self._reader.event_of(records[0]) if records else None


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
