"""Lines to records: a record is a line, or what several lines say together.

Rules (the reference; the engine's ``native/src/joining.c`` has the same):

- A blank line is nothing and ends no record that is held. A line that Docker or CRI open to a blank
  message is nothing either, and does not end a header that waits; but to pieces it is a line like
  any other. JSON and logfmt with a blank message are a record.
- An oversize line is a record without a text, of the null session.
- Pieces (:mod:`logexport.logs.structured`) that follow one another directly and have the same form
  and stream are one record: their messages one after another, opened further from there. Any other
  line ends it.
- After a header whose message goes on in the next line (``"message": "next_line"``), the next line
  without a header is joined: the header's message, a space if that is not empty, and the line's
  message without the white space at its start.
- Such a record is held until the line that ends it or the end of the log, never by time or by the
  end of a file. It has the number of its first line, and what its form or its header says there;
  a session pattern searches that line. If its lines together are longer than ``max_line_bytes``
  (LF not counted), it is like an oversize line.
- A line without a header may be a continuation line (:mod:`logexport.logs.continuation`), if
  ``continuation`` is on. An indented line belongs to the record before if a header matched that
  one, or if that one was a structured record and this line is none. A structured record whose
  message has more lines than the one that counts cannot be one. A line that names an exception is
  of the session of the record before; if it would not belong to it when indented, and no opener or
  frame announced it, only if it has none of its own.
- The record before is the last one that was an event and named no exception.
- If ``continuation`` is on, a record that is a field of PostgreSQL behind a head of its own
  (:mod:`logexport.logs.pids`) is nothing once it is whole. It ends what the lines before it left
  behind; lines after it that begin with TAB are nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from logexport.logs.continuation import Answer, Trace, look_at
from logexport.logs.lines import WHITE_SPACE, LogLine, is_blank
from logexport.logs.pids import RecentPids
from logexport.logs.preprocess import LineParser, ParsedLine
from logexport.logs.structured import Opened

__all__ = [
    "LogRecord",
    "RecordReader",
]


Continues: TypeAlias = Literal["always", "without_session"]
"""Whether a line is of the session of the record before, or only if it has none of its own."""


class LogRecord(NamedTuple):
    """What becomes an event.

    Args:
        number: of its first line.
        raw: the bytes of its lines, joined by LF; empty when oversize.
        parsed: what the rules make of them; None when oversize.
        continues: it names the exception of the record before; None: it does not.
    """

    number: int
    raw: bytes
    parsed: ParsedLine | None
    continues: Continues | None = None


@dataclass
class _Held:
    """Lines of one record so far.

    Attributes:
        number: of the first.
        raws: all of them; None once they are too long.
        size: their bytes.
    """

    number: int
    raws: list[bytes] | None
    size: int

    def join(self, raw: bytes, size: int, limit: int) -> bool:
        """Add a line, or several of that size; False if the lines are too long by now."""
        self.size += size
        if self.raws is None or self.size > limit:
            self.raws = None
            return False
        self.raws.append(raw)
        return True

    def raw(self) -> bytes:
        """All lines."""
        return b"\n".join(self.raws or ())


@dataclass
class _Pieces(_Held):
    """Pieces of a message.

    Attributes:
        session: what the pattern finds in the first line.
        opened: the first line's.
        messages: of all. They are joined at the end: a text that grew would be copied for each.
    """

    session: str | None
    opened: Opened
    messages: list[str]

    def message(self) -> str:
        """Of all lines."""
        return "".join(self.messages)


@dataclass
class _Headed(_Held):
    """A header whose message goes on in the next line.

    Attributes:
        parsed: of the lines that are there.
    """

    parsed: ParsedLine


def read_alone(parser: LineParser, raw: bytes, number: int = 1) -> list[LogRecord]:
    """The records of lines that are a log of their own.

    Args:
        parser: the rules of the log.
        raw: the lines, joined by LF.
        number: of the first.
    """
    limit = parser.preprocess.max_line_bytes
    lines = (
        LogLine(place, b"", True) if len(line) > limit else LogLine(place, line)
        for place, line in enumerate(raw.split(b"\n"), number)
    )
    return list(RecordReader(parser).read(lines))


class RecordReader:
    """Lines in, records out; one for one log.

    Args:
        parser: the rules of the log.

    Attributes:
        blank: how many lines were blank, once they were opened.
    """

    def __init__(self, parser: LineParser) -> None:
        self.blank = 0
        self._parser = parser
        self._limit = parser.preprocess.max_line_bytes
        self._continuation = parser.preprocess.continuation
        self._trace = Trace()
        self._pids = RecentPids()
        self._before: LogRecord | None = None
        self._pieces: _Pieces | None = None
        self._headed: _Headed | None = None

    def read(self, lines: Iterable[LogLine]) -> Iterator[LogRecord]:
        """The records of a log from its first line to its end."""
        for line in lines:
            yield from self.feed(line)
        yield from self.finish()

    def feed(self, line: LogLine) -> Sequence[LogRecord]:
        """The records that are complete with this line, blank or not."""
        if line.oversize:
            return (*self.finish(), *self._begin(LogRecord(line.number, b"", None)))
        text = self._parser.decode(line.raw)
        if is_blank(text):
            self.blank += 1
            return ()
        opened = self._parser.open(text)
        session = self._parser.find_session(text)
        pieces = self._pieces
        if opened is None:
            parsed = self._parser.parse_text(text, None, session)
            return (*self._end_pieces(), *self._take(line.number, line.raw, len(line.raw), parsed))
        if pieces is not None and pieces.opened.source == opened.source:
            if pieces.join(line.raw, len(line.raw), self._limit):
                pieces.messages.append(opened.message)
            return () if opened.piece else self._end_pieces()
        ended = self._end_pieces()
        if opened.piece:
            self._pieces = _Pieces(
                line.number, [line.raw], len(line.raw), session, opened, [opened.message]
            )
            return ended
        parsed = self._parser.parse_text(text, opened, session)
        return (*ended, *self._take(line.number, line.raw, len(line.raw), parsed))

    def finish(self) -> Sequence[LogRecord]:
        """The end of the log: the records that were held."""
        return (*self._end_pieces(), *self._end_headed())

    def _end_pieces(self) -> Sequence[LogRecord]:
        pieces, self._pieces = self._pieces, None
        if pieces is None:
            return ()
        if pieces.raws is None:
            return (*self._end_headed(), *self._begin(LogRecord(pieces.number, b"", None)))
        opened = pieces.opened._replace(message=pieces.message())
        parsed = self._parser.parse_text("", opened, pieces.session)
        return self._take(pieces.number, pieces.raw(), pieces.size, parsed)

    def _end_headed(self) -> Sequence[LogRecord]:
        headed, self._headed = self._headed, None
        if headed is None:
            return ()
        if headed.raws is None:
            return self._begin(LogRecord(headed.number, b"", None))
        return self._begin(LogRecord(headed.number, headed.raw(), headed.parsed))

    def _take(self, number: int, raw: bytes, size: int, parsed: ParsedLine) -> Sequence[LogRecord]:
        """A line, or pieces that were joined; ``size`` is without the LFs between them."""
        if parsed.blank:
            self.blank += 1
            return ()
        if parsed.header is not None:
            ended = self._end_headed()
            if not parsed.next_line:
                return (*ended, *self._begin(LogRecord(number, raw, parsed)))
            self._headed = _Headed(number, [raw], size, parsed)
            return ended
        headed = self._headed
        if headed is not None:
            if headed.join(raw, size, self._limit):
                first, rest = headed.parsed.message, parsed.text.lstrip(WHITE_SPACE)
                message = f"{first} {rest}" if first else rest
                headed.parsed = headed.parsed._replace(message=message)
            return self._end_headed()
        if self._continuation and not parsed.stands_alone:
            return self._take_without_head(LogRecord(number, raw, parsed), parsed)
        return self._begin(LogRecord(number, raw, parsed))

    def _take_without_head(self, record: LogRecord, parsed: ParsedLine) -> Sequence[LogRecord]:
        """What may be a continuation line."""
        before = None if self._before is None else self._before.parsed
        joins_indented = before is not None and (
            before.header is not None or (before.opened and not parsed.opened)
        )
        answer = self._trace.take(look_at(parsed.text), parsed.text, joins_indented)
        if answer is Answer.NOTHING:
            return ()
        if answer is Answer.EVENT:
            return self._begin(record)
        if self._before is None:
            # There is nothing to belong to, but its trace goes on.
            self._before = record
            return (record,)
        continues: Continues = "always" if answer is Answer.NAMES else "without_session"
        if continues == "always" or parsed.session is None:
            session = None if before is None else before.session
            parsed = parsed._replace(session=session)
        return (record._replace(parsed=parsed, continues=continues),)

    def _begin(self, record: LogRecord) -> Sequence[LogRecord]:
        """A record that those after it may belong to, unless it is a field of one before."""
        parsed = record.parsed
        if (
            self._continuation
            and parsed is not None
            and self._pids.take(record.number, parsed.head_pid, parsed.head_level)
        ):
            self._trace.end_with_field()
            return ()
        self._before = record
        # A trace that a message is goes on within it.
        over = parsed is None or (parsed.stands_alone and not parsed.next_line)
        self._trace.end(None if parsed is None or over else parsed.message)
        return (record,)
