"""Lines to events: what training, detection and the checks all read a log with.

Rules (the reference of events): lines become records (:mod:`logexport.logs.joining`), and each of
these is an event. An oversize one has no template and is of the null session. Any other has the
template that its masked message matches (:mod:`logexport.logs.matching`), or none (*unseen*), and
is of the session that its rules say (:mod:`logexport.logs.preprocess`). Events come in the order
of the lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from logexport.logs.joining import LogRecord, RecordReader
from logexport.logs.lines import LogLine, LogPath, iter_logs
from logexport.logs.preprocess import LineParser, Preprocess

if TYPE_CHECKING:
    from logexport.types import Vocabulary

__all__ = [
    "Event",
    "EventReader",
]


class Event(NamedTuple):
    """A record: the number of its first line, from 1, its session, its template (None: unseen)."""

    line: int
    session: str | None
    template: int | None


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
        self._records = RecordReader(self.parser)

    def feed(self, line: LogLine) -> list[Event]:
        """The events that are complete with the log's next line, blank or not."""
        return [self.event_of(record) for record in self._records.feed(line)]

    def finish(self) -> list[Event]:
        """The end of the log: the event that was held, if there is one; then as new."""
        events = [self.event_of(record) for record in self._records.finish()]
        self._records = RecordReader(self.parser)
        return events

    def event_of(self, record: LogRecord) -> Event:
        """The event that a record is."""
        if record.parsed is None:
            return Event(record.number, None, None)
        masked = self.parser.mask_record(record.parsed)
        return Event(record.number, record.parsed.session, self.matcher.match(masked))

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
