"""Do the templates tell lines apart?

A template that is nearly all wildcards is matched by whatever has its length: its lines are known,
and nothing is known of them. One that is rare does no harm, so templates are weighed by the records
that they hold.
"""

from __future__ import annotations

from logexport.checks.context import Context, LogCounts
from logexport.checks.known_lines import percent
from logexport.logs.wildcards import WildcardFinder, are_too_many
from logexport.training.rules import shorten
from logexport.types import CheckResult, JSONValue

NAME = "templates"
MOST_PERCENT_OF_TEMPLATES = 50
"""Without a log nobody knows which templates are rare. Those of a log that was parsed well hold a
few that are all wildcards; if most are, most lines are of one of them."""
SHOWN = 3

REMEDY = (
    "`logexport templates` shows what was parsed to them; fields that tell their lines apart stay"
    " in the event by `logexport parse --keep FIELD`, and `logexport parse --templates FILE` takes"
    " a list that you have edited; then build and train again."
)


def templates(context: Context) -> CheckResult:
    """Find the templates that are nearly all wildcards, and count the log's records that are
    theirs."""
    finder = WildcardFinder(context.bundled.preprocess)
    vocab = context.vocab
    reserved = set(vocab.reserved.values())
    indices = [index for index in range(len(vocab)) if index not in reserved]
    opened = [index for index in indices if finder.is_nearly_all_wildcards(vocab.templates[index])]
    counts = context.log_counts
    has_log = counts is not None and counts.records > 0
    records = _records(counts, opened)
    opened.sort(key=lambda index: (-records.get(index, 0), index))
    found = f"{len(opened)} of {len(indices)} templates are nearly all wildcards"
    if counts is not None and has_log:
        held = sum(records.values())
        found += f"; {percent(held, counts.records)} of the records of {counts.name} are theirs"
        too_many = are_too_many(held, counts.records)
    else:
        too_many = 100 * len(opened) > MOST_PERCENT_OF_TEMPLATES * len(indices)
    figures: dict[str, JSONValue] = {
        "log": counts.name if counts is not None and has_log else None,
        "templates": len(indices),
        "nearly_all_wildcards": len(opened),
        "records": sum(records.values()) if has_log else None,
        "first": [],
    }
    if not too_many:
        return CheckResult(NAME, "passed", "bundle", found, figures)
    figures["first"] = [
        {"template": shorten(vocab.templates[index]), "records": records.get(index)}
        for index in opened[:SHOWN]
    ]
    return CheckResult(NAME, "passed", "bundle", found, figures, (f"{found}. {REMEDY}",))


def _records(counts: LogCounts | None, indices: list[int]) -> dict[int, int]:
    if counts is None or not counts.records:
        return {}
    return {index: counts.by_template.get(index, 0) for index in indices}
