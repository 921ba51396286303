"""Lines to events: what training, detection and the checks all read a log with.

Rules (the reference of events): lines become records (:mod:`logexport.logs.joining`), and each of
these is an event. An oversize one has no template and is of the null session. Any other has the
template that its masked message matches (:mod:`logexport.logs.matching`), or none (*unseen*), and
is of the session that its rules say (:mod:`logexport.logs.preprocess`). It closes that session if
``close_pattern`` matches in the text of its first line. Events come in the order
of the lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from logexport.logs.instants import InstantReader
from logexport.logs.joining import LogRecord, RecordReader
from logexport.logs.lines import LogLine, LogPath, iter_logs
from logexport.logs.preprocess import LineParser, Preprocess

if TYPE_CHECKING:
    from logexport.types import Vocabulary

__all__ = [
    "Event",
    "EventReader",
]


_FIRST_YEAR = 2000
"""Of times without a year. It has a 29 February; only distances count."""


class Event(NamedTuple):
    """A record.

    Args:
        line: the number of its first line, from 1.
        session: its name, or None.
        template: its index; None: unseen.
        instant: when it happened, in microseconds; None: it is not known, or no rule asks for it.
        closes: it is the last one of its session.
    """

    line: int
    session: str | None
    template: int | None
    instant: int | None = None
    closes: bool = False


class EventReader:
    """Turns the lines of a log into events by a vocabulary; one for one log.

    Raises:
        InputError: a rule of ``preprocess`` cannot be used.
    """

    def __init__(self, preprocess: Preprocess, vocabulary: Vocabulary) -> None:
        self.preprocess = preprocess
        self.vocabulary = vocabulary
        self.parser = LineParser(preprocess)
        self.matcher = preprocess.make_matcher(
            vocabulary.templates, frozenset(vocabulary.reserved.values())
        )
        self._closes = preprocess.session.close_pattern is not None
        self._records = RecordReader(self.parser)
        self._instants = self._new_instants()

    def _new_instants(self) -> InstantReader | None:
        wanted = self.preprocess.session.idle_seconds is not None
        return InstantReader(_FIRST_YEAR) if wanted else None

    def feed(self, line: LogLine) -> list[Event]:
        """The events that are complete with the log's next line, blank or not."""
        return [self.event_of(record) for record in self._records.feed(line)]

    def finish(self) -> list[Event]:
        """The end of the log: the event that was held, if there is one; then as new."""
        events = [self.event_of(record) for record in self._records.finish()]
        self._records = RecordReader(self.parser)
        self._instants = self._new_instants()
        return events

    def event_of(self, record: LogRecord) -> Event:
        """The event that a record is; the next one, in the order of the log."""
        event = self.place(record)
        if record.parsed is None:
            return event
        template = self.matcher.match(self.parser.mask_record(record.parsed))
        return event._replace(template=template)

    def place(self, record: LogRecord) -> Event:
        """The same without its template: what sessions are made of, without the cost of masks."""
        parsed = record.parsed
        if parsed is None:
            return Event(record.number, None, None)
        instant = None
        if self._instants is not None:
            groups = None if parsed.time is None else parsed.time.groupdict()
            instant = self._instants.read(parsed.timestamp, groups)
        closes = self._closes and self.parser.closes_session(
            self.parser.decode(record.raw.split(b"\n", 1)[0])
        )
        return Event(record.number, parsed.session, None, instant, closes)

    def event(self, line: LogLine) -> Event | None:
        """The event of a line alone, None if it is none."""
        records = list(RecordReader(self.parser).read([line]))
        return self.event_of(records[0]) if records else None

    def read(self, lines: Iterable[LogLine]) -> Iterator[Event]:
        """The events of a log from its first line to its end."""
        for line in lines:
            yield from self.feed(line)
        yield from self.finish()

    def read_logs(self, paths: Iterable[LogPath]) -> Iterator[Event]:
        """The events of several logs read as one (compressed or not; ``"-"`` is standard input).

        Raises:
            InputError: a log cannot be read.
        """
        return self.read(iter_logs(paths, self.preprocess.reading))
