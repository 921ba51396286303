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
from logexport.logs.sessions import Closed
from logexport.training.line_tables import ParsedFile, ParsedRow, read_parsed
from logexport.training.sessions import (
    EndOptions,
    LogSession,
    SessionsOfLog,
    measure_ends,
    refuse_no_sessions,
)
from logexport.training.tables import Table, rows_into
from logexport.types import Vocabulary
from logexport.vocab import load_vocab, training_form, with_reserved

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
        ends: when sessions end; what is None in it is as the rules say, or, if ``session_by`` is
            given, ``idle_lines`` is measured in the log.
        reserve: names that the vocabulary reserves entries for, after all that it has, if the
            sessions begin and end.

    Attributes:
        file: the parsed file.
        rules, vocabulary: as read, the session rule replaced, the names reserved.

    Raises:
        InputError: a file is missing or malformed, or the log was not parsed by logexport; while
            iterating: the rules are not those that the log was parsed with.
        UsageError: an option of ``ends`` does not apply.
    """

    def __init__(
        self,
        parsed: Path,
        vocab: Path | None = None,
        preprocess: Path | None = None,
        session_by: str | None = None,
        ends: EndOptions = EndOptions(),  # noqa: B008 - frozen
        reserve: Sequence[str] = (),
    ) -> None:
        self.file = read_parsed(parsed)
        if not self.file.written_by_logexport:
            raise InputError(f"{parsed} was not written by logexport parse", _PARSE)
        self.rules = _rules(parsed, preprocess)
        if session_by is not None:
            self.rules = self.rules.with_sessions(session_by)
        self.rules = replace(self.rules, session=ends.apply_to(self.rules.session))
        self._own_templates = vocab is None
        self.vocabulary = _own_templates(self.file) if vocab is None else load_vocab(vocab)
        if self.rules.session.begins_and_ends:
            self.vocabulary = with_reserved(self.vocabulary, reserve)
        has_ends = self.rules.session.idle_lines is not None
        self._measure = has_ends and session_by is not None and ends.idle_lines is None

    def _measure_ends(self) -> int | None:
        """Set ``idle_lines`` of the rules from the log; the longest gap in lines within a session,
        None if there is none.

        Raises:
            InputError: the log is damaged.
        """
        rows = RowReader(EventReader(self.rules, self.vocabulary), match=False)
        events = (rows.event(row.line_no, row.raw, row.continues) for row in self.file)
        found = (event for event in events if event is not None)
        idle_lines, gap = measure_ends(found, self.rules)
        self.rules = replace(self.rules, session=replace(self.rules.session, idle_lines=idle_lines))
        return gap

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
        on_close: Callable[[Closed[LogSession]], None] = lambda _: None,
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
            on_close: called with each session that is closed, in the order in which they are, when
                all its rows have been given.

        Raises:
            InputError: the rules are not those that the log was parsed with, or their sessions
                divide nothing.
            OutputError: the directory cannot be written.
        """
        gap = self._measure_ends() if self._measure else None
        rules = self.rules
        if keep_sessions and (output_dir / RULES).exists():
            there = Preprocess.load(output_dir / RULES)
            if replace(there, session=rules.session) == rules:
                rules = there
        stamp = {"vocab_sha256": self.vocabulary.sha256(), "preprocess": rules.to_json()}
        sessions = SessionsOfLog(self.rules, on_close)
        build = Build(self, output_dir, table, sessions, on_lines)
        with (
            _published(output_dir, self.vocabulary, rules, build.table) as (staged,),
            rows_into(staged, table, {**(about or {}), **stamp}) as write,
        ):
            build.write = write
            yield build
            build.sessions.measured, build.sessions.measured_gap = self._measure, gap
            refuse_no_sessions(build.sessions, self.file.path)


class Build:
    """A build at work, see :meth:`TrainingLog.build`. Iterating gives every row of the log with its
    event and its session, and counts them.

    Attributes:
        vocab, table, preprocess: where the files appear.
        templates: entries of the vocabulary.
        lines: how many have been given so far; ``unseen`` of them have no template.
        sessions: what was found of the sessions; whole when the block is done.
        write: takes the next row of the table, a value for each column.
    """

    write: Callable[[Sequence[Any]], None]

    def __init__(
        self,
        log: TrainingLog,
        output_dir: Path,
        table: Table,
        sessions: SessionsOfLog,
        on_lines: Callable[[int], None],
    ) -> None:
        self.vocab = output_dir / VOCAB
        self.table = output_dir / table.file
        self.preprocess = output_dir / RULES
        self.templates = len(log.vocabulary)
        self.lines = self.unseen = 0
        self.sessions = sessions.tally
        self._divide = sessions
        self._log = log
        self._on_lines = on_lines

    def __iter__(self) -> Iterator[tuple[ParsedRow, Event, LogSession]]:
        last = 0
        for row, event in self._log:
            yield row, event, self._divide.take(event)
            self._divide.close_after(event)
            last = event.line
            self.lines += 1
            self.unseen += event.template is None
            if self.lines % PROGRESS_STEP == 0:
                self._on_lines(PROGRESS_STEP)
        self._divide.finish(last)
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
        match: whether events get their templates.
    """

    def __init__(self, reader: EventReader, *, match: bool = True) -> None:
        self._reader = reader
        self._event_of = reader.event_of if match else reader.place
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
        return self._event_of(records[0]) if records else None


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
