"""The sessions of a training log: when they end, measured and counted.

The ends are those of detection (:mod:`logexport.logs.sessions`); what is said here is of one log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from logexport.errors import InputError, UsageError
from logexport.logs.events import Event
from logexport.logs.patterns import compile_portable
from logexport.logs.preprocess import DEFAULT_IDLE_LINES, MAX_IDLE_LINES, Preprocess, SessionRule
from logexport.logs.sessions import Closed, ClosedBy, LiveSessions

__all__ = [
    "EndOptions",
    "LogSession",
    "SessionTally",
    "SessionsOfLog",
    "measure_ends",
    "refuse_no_sessions",
]

_GAP_FACTOR = 2
_LEAST_IDLE_LINES = 1_000
"""Lines that a session may always be idle: a small log, or a quiet hour of a large one, shows gaps
that are far shorter than those of the next day."""
_SPLIT_SHARE = 0.001
"""Share of names with several sessions above which a build warns."""


@dataclass(frozen=True)
class EndOptions:
    """When sessions end, as a user says it. What is None is as the rules have it, or measured.

    Args:
        idle_lines, idle_seconds, close_pattern: see
            :class:`logexport.logs.preprocess.SessionRule`.
    """

    idle_lines: int | None = None
    idle_seconds: int | None = None
    close_pattern: str | None = None

    def apply_to(self, rule: SessionRule) -> SessionRule:
        """The rule with what is said here in place of its own.

        Raises:
            InputError: a value is out of range, or the pattern is not portable.
            UsageError: its sessions do not end before the log does, or every line would end one.
        """
        given = {name: value for name, value in vars(self).items() if value is not None}
        if given and rule.by == "none":
            option = f"--{next(iter(given)).replace('_', '-')}"
            raise UsageError(
                f"{option} does not apply: without sessions nothing ends before the log does",
                f"Name what divides the log into sessions by --session-by, or leave {option} out.",
            )
        if self.close_pattern is not None:
            closing = compile_portable(self.close_pattern, "--close-pattern")
            if closing.search("") is not None:
                raise UsageError(
                    f"--close-pattern {self.close_pattern!r} matches every line, so that each"
                    " would be a session of its own",
                    "Name a pattern of the lines that are a session's last.",
                )
        return replace(rule, **given)


@dataclass
class LogSession:
    """A session of a training log.

    Attributes:
        number: from 0, in the order of first lines.
        name: None for the lines that name none.
        first_line, last_line: their numbers, so far.
        lines: its non-blank lines, so far.
    """

    number: int
    name: str | None
    first_line: int = 0
    last_line: int = 0
    lines: int = 0


@dataclass
class SessionTally:
    """What was found of the sessions of a log.

    Attributes:
        rule: what divides and ends them.
        measured: whether ``idle_lines`` was measured in the log; ``measured_gap`` is the longest
            gap that was found there, None if no session with a name has two lines.
        longest_gap: the largest distance in lines of two consecutive lines of one session.
        lines: non-blank lines; ``nameless`` of them are of the null session, ``timeless`` of the
            others have no instant (counted where the rules say ``idle_seconds``).
        sessions: with a name.
        names: distinct ones; ``split`` of them have several sessions.
        closed_by: what ended how many.
    """

    rule: SessionRule
    measured: bool = False
    measured_gap: int | None = None
    longest_gap: int | None = None
    lines: int = 0
    nameless: int = 0
    timeless: int = 0
    sessions: int = 0
    names: int = 0
    split: int = 0
    closed_by: Counter[ClosedBy] = field(default_factory=Counter)

    @property
    def split_share(self) -> float:
        """Share of the names that have several sessions."""
        return self.split / self.names if self.names else 0.0

    def describe(self) -> str:
        """How many sessions there are and how they ended, as a sentence without a full stop."""
        ends = ", ".join(f"{count:,} by {by}" for by, count in sorted(self.closed_by.items()))
        text = (
            f"{self.sessions:,} sessions of {self.names:,} names ({ends or 'none closed'});"
            f" {100 * self.split_share:.3g} % of the names have several"
        )
        if self.rule.idle_lines is not None:
            text += f"; a session ends when {self.rule.idle_lines:,} lines are not its own"
        if self.measured:
            known = self.measured_gap is not None
            gap = f"{self.measured_gap:,}" if known else "none could be measured"
            text += f" (longest gap in the log: {gap})"
        return text

    def find_warnings(self) -> tuple[str, ...]:
        """Sentences for the user, without a full stop."""
        warnings = []
        if self.split_share > _SPLIT_SHARE:
            warnings.append(
                f"{self.split:,} of {self.names:,} session names ({100 * self.split_share:.3g} %)"
                " have several sessions: either names are used again, or --idle-lines,"
                " --idle-seconds or --close-pattern end sessions too early"
            )
        named = self.lines - self.nameless
        if self.timeless:
            warnings.append(
                f"{self.timeless:,} of {named:,} lines of sessions"
                f" ({100 * self.timeless / named:.3g} %) have no time that could be read:"
                " --idle-seconds ends no session at these"
            )
        return tuple(warnings)


class SessionsOfLog:
    """Divides the events of a training log into sessions as detection does, and counts these.

    For each event in order: :meth:`take`, then :meth:`close_after`. At the end :meth:`finish`.

    Args:
        rules: those of the log.
        on_close: called with each session that is closed, in the order in which they are.

    Attributes:
        tally: what was found so far.
    """

    def __init__(
        self,
        rules: Preprocess,
        on_close: Callable[[Closed[LogSession]], None] = lambda _: None,
    ) -> None:
        self.tally = SessionTally(rules.session)
        self._on_close = on_close
        self._timed = rules.session.idle_seconds is not None
        self._live = LiveSessions(self._begin, rules)
        self._made = 0
        self._names: dict[str, int] = {}

    def take(self, event: Event) -> LogSession:
        """The session of the next event."""
        for closed in self._live.close_before(event):
            self._close(closed)
        session, tally = self._live.touch(event), self.tally
        tally.lines += 1
        if session.name is None:
            tally.nameless += 1
        else:
            tally.timeless += self._timed and event.instant is None
            if session.lines:
                gap = event.line - session.last_line
                tally.longest_gap = max(tally.longest_gap or 0, gap)
        session.first_line = session.first_line or event.line
        session.last_line = event.line
        session.lines += 1
        return session

    def close_after(self, event: Event) -> None:
        """Close the event's own session, if its line does."""
        closed = self._live.close_after(event)
        if closed is not None:
            self._close(closed)

    def finish(self, lines: int) -> None:
        """The end of the log, which has so many lines."""
        for closed in self._live.finish(lines):
            self._close(closed)

    def _begin(self, name: str | None) -> LogSession:
        session = LogSession(self._made, name)
        self._made += 1
        if name is not None:
            before = self._names.get(name, 0)
            self._names[name] = before + 1
            self.tally.sessions += 1
            self.tally.names += before == 0
            self.tally.split += before == 1
        return session

    def _close(self, closed: Closed[LogSession]) -> None:
        if closed.by is not None and closed.state.name is not None:
            self.tally.closed_by[closed.by] += 1
        self._on_close(closed)


def measure_ends(events: Iterable[Event], rules: Preprocess) -> tuple[int, int | None]:
    """How many lines a session of a log may be idle, so that none of the log's is cut.

    Args:
        events: of the log; their templates are not looked at.
        rules: those of the log; their ``idle_lines`` are not looked at.

    Returns:
        ``idle_lines``: twice the longest gap, at least 1,000; or
        :data:`logexport.logs.preprocess.DEFAULT_IDLE_LINES` if there is none. And that gap.
    """
    unending = replace(rules, session=replace(rules.session, idle_lines=MAX_IDLE_LINES))
    sessions = SessionsOfLog(unending)
    for event in events:
        sessions.take(event)
        sessions.close_after(event)
    gap = sessions.tally.longest_gap
    if gap is None:
        return DEFAULT_IDLE_LINES, None
    return min(MAX_IDLE_LINES, max(_LEAST_IDLE_LINES, _GAP_FACTOR * gap)), gap


def refuse_no_sessions(tally: SessionTally, path: Path) -> None:
    """Refuse sessions by a pattern or a field that divide nothing, and times that nobody can read.

    Args:
        tally: of the whole log.
        path: the parsed log, for the message.

    Raises:
        InputError: no line is of a session with a name, all are of one session, or no line has a
            time though ``idle_seconds`` needs one.
    """
    rule = tally.rule
    named = tally.lines - tally.nameless
    if rule.by in ("regex", "field") and tally.lines:
        what = f"the pattern {rule.pattern!r}" if rule.by == "regex" else f"the field {rule.field}"
        remedy = "Name what tells the sessions of this log apart by --session-by, or leave it out."
        if not named:
            raise InputError(
                f"{what} finds a session in none of the {tally.lines:,} lines of {path}", remedy
            )
        if tally.names == 1:
            raise InputError(
                f"{what} finds one session in {path}, and all {named:,} lines that have one are"
                " of it",
                remedy,
            )
    if rule.idle_seconds is not None and named and tally.timeless == named:
        raise InputError(
            f"--idle-seconds needs times, but no line of a session in {path} has one that could"
            " be read",
            "Leave --idle-seconds out, or parse the log with --header, so that its times are"
            " found.",
        )
