"""``logexport ecvc build``: from parsed.parquet to a vocabulary and counts of finished sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from logexport.errors import UsageError
from logexport.logs.events import Event
from logexport.logs.preprocess import Preprocess, refuse_endless_sessions
from logexport.logs.sessions import Closed
from logexport.training.log import TrainingLog
from logexport.training.sessions import EndOptions, LogSession, SessionsOfLog

from logexport_ecvc.counts import TABLE, SessionRow


@dataclass(frozen=True)
class BuildResult:
    """The files written, and what is in them.

    Args:
        vocab, session_counts, preprocess: paths.
        templates: entries of the vocabulary, reserved ones included.
        lines: of the log that are not blank; ``nameless`` of them are of no session.
        unseen: lines without a template.
        sessions: rows of ``session_counts``; ``session_names`` are distinct and ``split_share`` of
            them have several sessions.
        closed_by: what ended how many sessions.
        idle_lines: what the rules say; ``longest_gap`` is that of the log by which it was set, None
            if it was not measured.
        description: of the sessions, a sentence without a full stop.
        warnings: sentences for the user, without a full stop.
    """

    vocab: Path
    session_counts: Path
    preprocess: Path
    templates: int
    lines: int
    nameless: int
    unseen: int
    sessions: int
    session_names: int
    split_share: float
    closed_by: Mapping[str, int]
    idle_lines: int | None
    longest_gap: int | None
    description: str
    warnings: tuple[str, ...]


class Counting:
    """Counts of the sessions that live: some 600 bytes each, and 60 for each template that occurs
    in one.

    Args:
        on_row: called with the row of each session with a name, when it has ended.
    """

    def __init__(self, on_row: Callable[[SessionRow], None]) -> None:
        self._on_row = on_row
        self._counts: dict[int, dict[int, int]] = {}

    def take(self, event: Event, session: LogSession) -> None:
        """Count an event of a session."""
        if session.name is None:
            return
        counts = self._counts.setdefault(session.number, {})
        if event.template is not None:
            counts[event.template] = counts.get(event.template, 0) + 1

    def close(self, closed: Closed[LogSession]) -> None:
        """Give the row of a session that is closed."""
        if closed.state.name is not None:
            counts = self._counts.pop(closed.state.number)
            self._on_row(SessionRow.of(closed.state.name, closed, counts))


def count_sessions(events: Iterable[Event], rules: Preprocess) -> Iterator[SessionRow]:
    """The rows of a log's sessions, in the order in which they close.

    Args:
        events: of the log.
        rules: those of the log; their sessions begin and end.
    """
    rows: list[SessionRow] = []
    counting = Counting(rows.append)
    sessions = SessionsOfLog(rules, counting.close)
    last = 0
    for event in events:
        counting.take(event, sessions.take(event))
        sessions.close_after(event)
        last = event.line
        yield from rows
        rows.clear()
    sessions.finish(last)
    yield from rows


def build_session_counts(
    parsed: Path,
    output_dir: Path,
    vocab: Path | None = None,
    preprocess: Path | None = None,
    session_by: str | None = None,
    ends: EndOptions = EndOptions(),  # noqa: B008 - frozen
    on_lines: Callable[[int], None] = lambda _: None,
) -> BuildResult:
    """Write ``vocab.json``, ``session_counts.parquet`` and ``preprocess.json`` into ``output_dir``.

    The vocabulary is the distinct template strings in code point order, or the one given. Templates
    are matched from the raw lines and sessions end as in detection. Reserved entries of the
    vocabulary keep their columns, which count nothing.

    Args:
        parsed: what ``logexport parse`` wrote.
        output_dir: made if it does not exist.
        vocab: a vocabulary to use instead of the log's own templates; it is copied.
        preprocess: the rules of the log; None for those beside ``parsed``.
        session_by: ``field:NAME`` or a pattern; None for what the rules say.
        ends: when sessions end.
        on_lines: called with the number of lines matched since the last call.

    Raises:
        InputError: a file is missing or malformed, the rules are not those that the log was parsed
            with, or sessions by them divide nothing.
        UsageError: the sessions do not begin and end, or an option of ``ends`` does not apply.
        OutputError: the directory cannot be written.
    """
    refuse_endless_sessions(session_by)
    log = TrainingLog(parsed, vocab, preprocess, session_by, ends)
    if not log.rules.session.begins_and_ends:
        raise UsageError(
            "the model judges sessions that begin and end, but by the rules (version"
            f" {log.rules.version}) sessions are by {log.rules.session.by}",
            "Name what divides the log by --session-by PATTERN or field:NAME, of a log that this"
            " logexport parsed.",
        )
    counting = Counting(lambda row: build.write(row))
    opened = log.build(output_dir, TABLE, on_lines=on_lines, on_close=counting.close)
    with opened as build:
        for _row, event, session in build:
            counting.take(event, session)
    tally = build.sessions
    return BuildResult(
        vocab=build.vocab,
        session_counts=build.table,
        preprocess=build.preprocess,
        templates=build.templates,
        lines=build.lines,
        nameless=tally.nameless,
        unseen=build.unseen,
        sessions=tally.sessions,
        session_names=tally.names,
        split_share=tally.split_share,
        closed_by={str(by): count for by, count in tally.closed_by.items()},
        idle_lines=tally.rule.idle_lines,
        longest_gap=tally.measured_gap,
        description=tally.describe(),
        warnings=tally.find_warnings(),
    )
