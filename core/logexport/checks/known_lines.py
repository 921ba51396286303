"""How much of the log does the vocabulary know?

Every other check compares what was exported with what was to be exported. A vocabulary of another
log, or the rules of one, passes them all: its lines are unseen to the reference and to the engine
alike.
"""

from __future__ import annotations

from logexport.checks.context import Context, no_log
from logexport.types import CheckResult, JSONValue

NAME = "known_lines"
KNOWN_PERCENT = 95
"""Fewer known lines are warned of. An unseen line is an anomaly for being unseen, whatever the
model computes: if more than one line in twenty is, this drowns what the model finds. A log of the
same programs that is younger than the vocabulary stays above it for long."""
REMEDY = (
    "If these rules are not the ones that the vocabulary was made with, name those by --preprocess;"
    " if the log has changed since, parse it with `logexport parse`, and build and train again."
)


def known_lines(context: Context) -> CheckResult:
    """Match the log's records against the vocabulary and count those that it knows."""
    counts = context.log_counts
    if counts is None or not counts.records:
        return CheckResult(NAME, "skipped", "bundle", no_log(counts))
    # Not the lines: the bundle may go where the log may not.
    first: list[JSONValue] = [{"line": number} for number in counts.first_unseen]
    found = (
        f"{counts.known} of {counts.records} records of {counts.name} are known to the vocabulary"
        f" ({percent(counts.known, counts.records)})"
    )
    figures: dict[str, JSONValue] = {
        "log": counts.name,
        "records": counts.records,
        "known": counts.known,
        "first": first,
    }
    if not counts.known:
        return CheckResult(NAME, "failed", "bundle", f"{found}. {REMEDY}", figures)
    if 100 * counts.known >= KNOWN_PERCENT * counts.records:
        return CheckResult(NAME, "passed", "bundle", found, {**figures, "first": []})
    return CheckResult(NAME, "passed", "bundle", found, figures, (f"{found}. {REMEDY}",))


def percent(part: int, total: int) -> str:
    """A share with one decimal, cut off: what is below a limit does not look as if it met it."""
    tenths = 1000 * part // total
    return f"{tenths // 10}.{tenths % 10} %"
