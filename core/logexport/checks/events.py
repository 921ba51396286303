"""Are the events of a log what they must be in any log?

Every other check compares the product with itself: heads, masks and templates that misread a log
misread it in training, in the reference and in the engine alike. This one changes lines of the log
as the world does, by rules of its own (:mod:`logexport.checks.moving`,
:mod:`logexport.checks.redrawing`), and looks at what becomes of their events:

- *Time moves on*: a line with other dates and times is the same event.
- *Values change*: a line with other numbers, addresses and ids is the same event.
- *Words matter*: a line with another word in place of one that most lines of its event have is
  another event, or unseen.

What is found goes into figures, and into warnings below the limits here; it fails no run. Of a log
nothing is shown but changed times, drawn values and masked text: a bundle may go where the log may
not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from logexport.checks.changes import Examined, Records, examine
from logexport.checks.context import Context
from logexport.logs.joining import RecordReader
from logexport.logs.lines import LogLine, iter_logs
from logexport.logs.preprocess import LineParser, Preprocess
from logexport.training.line_tables import read_parsed, read_sequences
from logexport.training.sampling import sample_lines
from logexport.types import CheckResult, JSONValue

NAME = "events"


TIMES_LIMIT = 0.99
"""Time moves in every line of every log, so what is not the same event after it is lost for good.
One line in a hundred is left for texts that only look like a time."""
VALUES_LIMIT = 0.98
"""Some numbers are names to their log, and some words with digits are told as values that nobody
would mask. On seven logs of loghub masks that take values by halves gave 79 % to 98.3 % on the two
that were hit, and whole values 100 % on all."""
WORDS_LIMIT = 0.97
"""Names of users, hosts and files are words too, and an event that was seen with one of them in
nearly every line is right to hold another. On the same logs right templates gave 98.8 % and more,
and a template of wildcards that held much of one log gave 96 %."""

_RETRAIN = "then build and train anew."
_REMEDIES = {
    "times": f"Describe the head of such lines by --header, or the time by --mask, {_RETRAIN}",
    "values": f"Name what varies by --mask NAME=PATTERN=>REPLACEMENT, {_RETRAIN}",
    "words": "Look at such templates by logexport templates, give parse an edited list by"
    f" --templates, {_RETRAIN}",
}
_REMEDY_OLD = (
    "The rules are of version 1, which know few heads and values: parse the log without"
    f" --preprocess, {_RETRAIN}"
)


def events(context: Context) -> CheckResult:
    """Change lines of the replayed log, or of the parsed one, and look at their events."""
    source, rules, records = _sample(context)
    if source is None:
        reason = (
            "no log: no --replay, and no parsed.parquet beside the vocabulary (--parsed) or"
            " sequences.parquet with lines"
        )
        return CheckResult(NAME, "skipped", "bundle", reason)
    examined = examine(records, rules, context.vocab)
    if not examined.lines:
        reason = f"the vocabulary knows none of the lines of {source.name} that were looked at"
        return CheckResult(NAME, "skipped", "bundle", reason)
    times, values, words = parts = examined[3:]
    found = (
        f"{examined.lines} lines of {source.name}: the same event when times move"
        f" ({times.describe()}) and when values change ({values.describe()}), another one when a"
        f" word does ({words.describe()})"
    )
    figures: dict[str, JSONValue] = {
        "lines": examined.lines,
        "unseen": examined.unseen,
        "too_long": examined.too_long,
        **{part.name: part.to_json() for part in parts},
        "first": [one for part in parts for one in part.worst()],
    }
    warnings = tuple(_warn(examined, rules, source.name))
    return CheckResult(NAME, "passed", "bundle", found, figures, warnings)


def _sample(context: Context) -> tuple[Path | None, Preprocess, Records]:
    """Records spread over the log, the file that they are from, and the rules to read them by."""
    request, rules = context.request, context.bundled.preprocess
    if request.replay is not None:
        lines = sample_lines([iter_logs([request.replay], rules.reading)], rules)
        # Of two blocks the one goes on in the other here, which few records notice.
        read = RecordReader(LineParser(rules)).read(lines)
        records = ((one.number, None if one.parsed is None else one.raw) for one in read)
        return request.replay, rules, records
    rows: Iterable[tuple[int, bytes | None]]
    if request.parsed is not None:
        path = request.parsed
        parsed = read_parsed(path)
        if not parsed.written_by_logexport:  # messages: their heads are gone
            rules = replace(rules, headers=(), structured=(), keep=())
        rows = ((one.line_no, one.raw) for one in parsed)
    elif request.sequences is not None and read_sequences(request.sequences).holds_lines:
        path = request.sequences
        rows = ((one.line_no, one.raw) for one in read_sequences(path))
    else:
        return None, rules, ()
    as_lines = (LogLine(number, raw or b"", raw is None) for number, raw in rows)
    sample = sample_lines([as_lines], rules)
    return path, rules, ((one.number, None if one.oversize else one.raw) for one in sample)


def _warn(examined: Examined, rules: Preprocess, file: str) -> Iterator[str]:
    """For each part below its limit what was seen, with the worst example, and the remedy."""
    for part, limit, sentence in (
        (
            examined.times,
            TIMES_LIMIT,
            "{wrong} of {changes} changes of lines of {file} that moved nothing but dates and times"
            " made another event of them, or an unseen one (line {line}: {before} to {after}).",
        ),
        (
            examined.values,
            VALUES_LIMIT,
            "{wrong} of {changes} changes of lines of {file} that drew nothing but values anew made"
            " another event of them, or an unseen one (line {line}: {after} gives {masked}).",
        ),
        (
            examined.words,
            WORDS_LIMIT,
            "{wrong} of {changes} lines of {file} stayed the same event when a word was replaced by"
            " one that the log does not hold (line {line}: {before}, in {template}): their"
            " templates would take new messages for known ones.",
        ),
    ):
        if part.share is not None and part.share < limit:
            seen = sentence.format(
                wrong=part.changes - part.right, changes=part.changes, file=file, **part.worst()[0]
            )
            yield f"{seen} {_REMEDY_OLD if rules.version == 1 else _REMEDIES[part.name]}"
