"""Sessions: which are held, and when one ends. It is decided by the log, never by the clock.

Rules (the reference; the engine's ``native/src/sessions.c`` has the same):

- A session is touched by each of its non-blank lines, unseen ones included. The session ``None``
  (lines that name none) is held like any other.
- By rules of version 2 a session with a name ends in one of four ways, and what comes of its name
  later is a new session:

  ``idle``     its last line has the number l, and the line ``l + idle_lines + 1`` of the log comes.
               It is closed at that line, before what the line says.
  ``gap``      a line of its name has an instant more than ``idle_seconds`` after the latest one of
               its lines. It is closed at that line, which begins the new session. Lines without an
               instant neither end a session nor count for later ones.
  ``pattern``  ``close_pattern`` matches in a line of it. It is closed at that line, after what the
               line says.
  ``end``      the log ends. It is closed at the number of lines plus one.

  The session ``None`` ends with the log only. Lines are counted as they are numbered: all lines of
  the log, blank ones included; a record of several lines is where its first one is.
- What one line closes from outside is closed in the order of last lines; so is what the end closes.
- By rules of version 1 at most ``max_sessions`` are held: the least recently touched one goes for a
  new one (it is *evicted*), and a session that comes back starts anew.

All this depends on the order of lines alone, never on batches or threads.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar

from logexport.errors import InputError

if TYPE_CHECKING:
    from logexport.logs.events import Event
    from logexport.logs.preprocess import Preprocess

__all__ = [
    "Closed",
    "ClosedBy",
    "LiveSessions",
]

State = TypeVar("State")

ClosedBy: TypeAlias = Literal["idle", "gap", "pattern", "end"]
"""What ended a session."""

_SECOND = 1_000_000


class _Live(Generic[State]):
    """A held session: its state, the number of its last line, and the latest of its instants."""

    __slots__ = ("last_line", "latest", "state")

    def __init__(self, state: State) -> None:
        self.state = state
        self.last_line = 0
        self.latest: int | None = None


@dataclass(frozen=True)
class Closed(Generic[State]):
    """A session that is no longer held.

    Args:
        state: its own.
        line: the number of the line at which it was closed; None: rules of version 1.
        by: what ended it; None: rules of version 1, which evict.
    """

    state: State
    line: int | None
    by: ClosedBy | None


class LiveSessions(Generic[State]):
    """The states of the sessions that are held, by name.

    For each event in the order of the log: :meth:`close_before`, then :meth:`touch`, then
    :meth:`close_after`; at its end :meth:`finish`. Or :meth:`divide` alone.

    Args:
        make: makes the state of a session that begins, from its name.
        rules: those of the log.

    Raises:
        InputError: the rules are of version 1 and hold no session.
    """

    def __init__(self, make: Callable[[str | None], State], rules: Preprocess) -> None:
        self._make = make
        self._most = rules.max_sessions
        self._idle_lines = rules.session.idle_lines
        seconds = rules.session.idle_seconds
        self._gap = None if seconds is None else seconds * _SECOND
        # By last touch; since version 2 without the null session, which nothing ends.
        self._live: OrderedDict[str | None, _Live[State]] = OrderedDict()
        self._null: _Live[State] | None = None
        if self._most is not None and self._most < 1:
            raise InputError(
                f"max_sessions is {self._most}: at least one session must be held",
                "Set max_sessions in preprocess.json to 1 or more.",
            )

    def __len__(self) -> int:
        return len(self._live) + (self._null is not None)

    def close_before(self, event: Event) -> Iterator[Closed[State]]:
        """The sessions that the event's line closes from outside, or for which it has no room.

        They are closed while this is iterated over.
        """
        if self._most is not None:
            if event.session not in self._live and len(self._live) >= self._most:
                yield Closed(self._live.popitem(last=False)[1].state, None, None)
            return
        yield from self._close_idle(event.line)
        live = None if event.session is None else self._live.get(event.session)
        if (
            live is not None
            and self._gap is not None
            and live.latest is not None
            and event.instant is not None
            and event.instant - live.latest > self._gap
        ):
            del self._live[event.session]
            yield Closed(live.state, event.line, "gap")

    def touch(self, event: Event) -> State:
        """The state of the event's session, which begins with it if it is not held."""
        key = event.session
        if key is None and self._most is None:
            if self._null is None:
                self._null = _Live(self._make(None))
            live = self._null
        else:
            found = self._live.get(key)
            if found is None:
                found = self._live[key] = _Live(self._make(key))
            else:
                self._live.move_to_end(key)
            live = found
        live.last_line = event.line
        if event.instant is not None and (live.latest is None or event.instant > live.latest):
            live.latest = event.instant
        return live.state

    def close_after(self, event: Event) -> Closed[State] | None:
        """The event's own session, if its line closes it."""
        if not event.closes or event.session is None:
            return None
        return Closed(self._live.pop(event.session).state, event.line, "pattern")

    def finish(self, lines: int, *, leave: bool = False) -> Iterator[Closed[State]]:
        """The end of the log; afterwards none is held.

        Args:
            lines: how many the log has, blank ones included.
            leave: those that have not ended by then are given up, and nothing is said of them.
        """
        if self._most is None:
            yield from self._close_idle(lines)
        rest = list(self._live.values())
        if self._null is not None:
            rest.append(self._null)
            rest.sort(key=lambda live: live.last_line)
        self._live.clear()
        self._null = None
        if leave:
            return
        for live in rest:
            if self._most is not None:
                yield Closed(live.state, None, None)
            else:
                yield Closed(live.state, lines + 1, "end")

    def divide(self, events: Iterable[Event]) -> Iterator[tuple[Event, State]]:
        """Each event of a log with the state of its session, for who asks nothing of the ends."""
        for event in events:
            for _ in self.close_before(event):
                pass
            yield event, self.touch(event)
            self.close_after(event)

    def _close_idle(self, line: int) -> Iterator[Closed[State]]:
        """Close those for which a line of this number comes too late."""
        if self._idle_lines is None:
            return
        while self._live:
            key, oldest = next(iter(self._live.items()))
            closed = oldest.last_line + self._idle_lines + 1
            if closed > line:
                break
            del self._live[key]
            yield Closed(oldest.state, closed, "idle")
