"""``logexport heads``: the heads that the lines of a log have, with examples."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from logexport.cli.common import emit_json, json_option, visible, warn
from logexport.cli.rules_options import RulesOptions, describe_kept, rules_options, show_progress

if TYPE_CHECKING:
    from logexport.training.survey import Survey


@click.command()
@click.argument("logs", nargs=-1, required=True, type=str, metavar="LOG...")
@rules_options
@json_option
def heads(logs: tuple[str, ...], options: RulesOptions, as_json: bool) -> None:
    """Show the heads that parse finds in raw logs, what each makes of a line, and what fits none.

    Heads are found by a sample of the logs and counted over all of their records. Nothing is
    written.
    """
    from logexport.training.survey import SurveyRequest, survey_logs

    request = SurveyRequest(logs=logs, **options.request(options.load()))
    with ExitStack() as stack:
        survey = survey_logs(request, show_progress(stack, "heads"))
    if as_json:
        emit_json(survey.to_json())
        return
    for line in _describe(survey):
        click.echo(line)
    for warning in survey.warnings:
        warn(warning)


def _describe(survey: Survey) -> Iterator[str]:
    document = survey.to_json()
    yield (
        f"{survey.lines:,} lines ({survey.blank} blank, {survey.oversize} too long), "
        f"{document['records']:,} records; format {survey.format}, found by a sample of "
        f"{survey.sampled:,} lines and counted over all records"
    )
    structured = document["structured"]
    if structured["forms"]:
        yield ""
        yield f"structured records: {_share(structured)}"
        for form in structured["forms"]:
            keys = ", ".join(f"{name} in {key}" for name, key in form.items() if name != "form")
            yield f"  form: {form['form']}" + (f" ({keys})" if keys else "")
        yield from _example(structured["example"])
    for head in document["heads"]:
        yield ""
        yield f"{head['name']}: {_share(head)}"
        yield f"  pattern: {visible(head['pattern'])}"
        if head["next_line"]:
            yield "  the message is on the next line"
        yield from _example(head["example"])
    yield ""
    yield f"fields that stay in the event: {describe_kept(survey.tally.rules.keep)}"
    for kept in document["keep"]:
        values = ", ".join(visible(value or "(none)") for value in kept["values"])
        yield f"  {kept['field']}: {values}"
    unmatched = document["unmatched"]
    yield f"without a head: {_share(unmatched)}"
    if unmatched["example"] is not None:
        yield f"  line {unmatched['example']['line']}: {visible(unmatched['example']['text'])}"


def _share(found: dict[str, Any]) -> str:
    return f"{found['share']:.1%} of the records ({found['records']:,})"


def _example(example: dict[str, Any] | None) -> Iterator[str]:
    """One line and what it is divided into."""
    if example is None:
        return
    yield f"  line {example['line']}: {visible(example['text'])}"
    for name, text in example["fields"].items():
        yield f"    {name} = {visible(text)}"
    yield f"    message = {visible(example['message'])}"
