"""Lines to events: what training, detection and the checks all read a log with.

Rules (the reference of events): a blank line is no event. An oversize line is an event without a
template, of the null session. Any other line is an event with the template that its masked text
matches (:mod:`logexport.logs.matching`), or without one (*unseen*), of the session that its rules
say (:mod:`logexport.logs.preprocess`). Events come in the order of the lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from logexport.logs.lines import LogLine, LogPath, iter_logs
from logexport.logs.matching import TemplateMatcher
from logexport.logs.preprocess import LineParser, Preprocess

if TYPE_CHECKING:
    from logexport.types import Vocabulary

__all__ = [
    "Event",
    "EventReader",
]


class Event(NamedTuple):
    """A line that is not blank: its number from 1, its session, its template (None: unseen)."""

    line: int
    session: str | None
    template: int | None


class EventReader:
    """Turns lines into events by a vocabulary; one for one thread.

    Raises:
        InputError: a rule of ``preprocess`` cannot be used.
    """

    def __init__(self, preprocess: Preprocess, vocabulary: Vocabulary) -> None:
        self.preprocess = preprocess
        self.vocabulary = vocabulary
        self.parser = LineParser(preprocess)
        self.matcher = TemplateMatcher(
            vocabulary.templates, frozenset(vocabulary.reserved.values()), preprocess.prefer
        )

    def event(self, line: LogLine) -> Event | None:
        """The event of a line, or None where it is blank."""
        if line.oversize:
            return Event(line.number, None, None)
        found = self.parser.masked_and_session(line.raw)
        if found is None:
            return None
        return Event(line.number, found[1], self.matcher.match(found[0]))

    def read(self, lines: Iterable[LogLine]) -> Iterator[Event]:
        """The events of lines, in their order."""
        event = self.event
        for line in lines:
            found = event(line)
            if found is not None:
                yield found

    def read_logs(self, paths: Iterable[LogPath]) -> Iterator[Event]:
        """The events of several logs read as one (compressed or not; ``"-"`` is standard input).

        Raises:
            InputError: a log cannot be read.
        """
        return self.read(iter_logs(paths, self.preprocess.reading))
