"""Is what detection feeds the model what training fed it?

Every line of the training log is matched again. Where logexport made the vocabulary, one line whose
event differs from training's, or one row out of the file's order, fails the run. A vocabulary from
elsewhere (whose templates were those of the moment, and whose rows were sorted by time) cannot be
reproduced on a stream: it is measured, and warned of. Where templates have wildcards inside tokens,
`logexport parse` did not find them: a log that it parsed to others says nothing of training.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from logexport.checks.context import Context
from logexport.logs.events import EventReader
from logexport.training.line_tables import ParsedFile, SequencesFile, read_parsed, read_sequences
from logexport.training.log import RowReader, rematch
from logexport.training.sessions import SessionsOfLog
from logexport.types import CheckResult, JSONValue

NAME = "training_events"
FOREIGN = (
    "{differ} of {lines} lines of {file} are another event now than in training, and {moved} rows"
    " are not at their line's place: the vocabulary was not made by logexport, so verdicts will"
    " differ from those of the tool that trained it. The remedy is retraining: `logexport parse`,"
    " then the model's build and train."
)

OTHER = (
    "{file} was parsed by logexport to other templates than those of the vocabulary, which has"
    " wildcards inside tokens: these are not the events of training"
)


@dataclass
class _Tally:
    """What was found so far; ``numbers`` are the rows' line numbers in the file's order."""

    lines: int = 0
    differ: int = 0
    numbers: array[int] = field(default_factory=lambda: array("q"))
    first: list[JSONValue] = field(default_factory=list)

    def line(self, number: int, then: str | None, now: str | None) -> None:
        self.lines += 1
        self.numbers.append(number)
        if then != now:
            self.differ += 1
            if len(self.first) < 3:
                # Not the line: the bundle may go where the log may not.
                self.first.append({"line": number, "training": then, "now": now})

    def moved(self) -> int:
        """Rows that are not where their line is in the file."""
        places = sorted(self.numbers)
        return sum(number != place for number, place in zip(self.numbers, places, strict=True))


def training_events(context: Context) -> CheckResult:
    """Match the training log again and compare every event."""
    request = context.request
    sequences = None if request.sequences is None else read_sequences(request.sequences)
    if sequences is not None and sequences.holds_lines:
        return _compare(sequences.path, True, _of_sequences(context, sequences))
    if request.parsed is not None:
        parsed = read_parsed(request.parsed)
        if context.bundled.preprocess.inner and _has_other_templates(context, parsed):
            return CheckResult(NAME, "skipped", "bundle", OTHER.format(file=parsed.path.name))
        return _compare(parsed.path, parsed.written_by_logexport, _of_parsed(context, parsed))
    reason = (
        "the training log is not at hand (neither parsed.parquet nor sequences.parquet beside the"
        " vocabulary, nor --parsed)"
        if sequences is None
        else f"{sequences.path.name} holds no lines; name the parsed file by --parsed"
    )
    return CheckResult(NAME, "skipped", "bundle", reason)


Row = tuple[int, "str | None", "str | None"]
"""(line number, training's template, the template now)."""


def _of_sequences(context: Context, sequences: SequencesFile) -> Iterator[Row]:
    """Of logexport's own sequences: events, sessions and where these end."""
    rules = context.bundled.preprocess
    reader = RowReader(EventReader(rules, context.vocab))
    sessions = SessionsOfLog(rules)
    name = _name(context)
    for row in sequences:
        event = reader.event(row.line_no, row.raw, row.continues)
        now = None if event is None else name(event.template)
        then = name(row.template_index)
        if event is not None and event.session != row.session:
            now, then = f"{now} in session {event.session}", f"{then} in session {row.session}"
        if event is not None:
            number = sessions.take(event).number
            sessions.close_after(event)
            if row.session_number not in (None, number):
                now = f"{now} in session number {number}"
                then = f"{then} in session number {row.session_number}"
        yield row.line_no, then, now


def _of_parsed(context: Context, parsed: ParsedFile) -> Iterator[Row]:
    reader = EventReader(context.bundled.preprocess, context.vocab)
    name = _name(context)
    for row, event in rematch(parsed, reader):
        yield row.line_no, row.template, name(event.template)


def _has_other_templates(context: Context, parsed: ParsedFile) -> bool:
    """Whether `logexport parse` gave a line a template that the vocabulary lacks."""
    templates = {None, *context.vocab.templates}
    return parsed.written_by_logexport and any(row.template not in templates for row in parsed)


def _name(context: Context) -> Callable[[int | None], str | None]:
    templates = context.vocab.templates
    return lambda index: (
        None if index is None or not 0 <= index < len(templates) else templates[index]
    )


def _compare(path: Path, own: bool, rows: Iterator[Row]) -> CheckResult:
    tally = _Tally()
    for row in rows:
        tally.line(*row)
    moved = tally.moved()
    clean = not tally.differ and not moved
    figures: dict[str, JSONValue] = {
        "lines": tally.lines,
        "differ": tally.differ,
        "out_of_order": moved,
        "made_by_logexport": own,
        "first": list(tally.first),
    }
    found = (
        f"{tally.differ} of {tally.lines} lines of {path.name} are another event than in training,"
        f" {moved} rows are out of the file's order"
    )
    if own and not clean:
        return CheckResult(NAME, "failed", "bundle", found, figures)
    if clean:
        return CheckResult(NAME, "passed", "bundle", found, figures)
    warning = FOREIGN.format(differ=tally.differ, lines=tally.lines, file=path.name, moved=moved)
    return CheckResult(NAME, "passed", "bundle", found, figures, (warning,))
