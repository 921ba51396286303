"""``logexport templates``: the templates of a parsed log, with their shares and an example each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from logexport.cli.common import emit_json, json_option, visible, warn

if TYPE_CHECKING:
    from logexport.training.templates import TemplateCount, TemplateTally


@click.command()
@click.argument("work", type=click.Path(path_type=Path), metavar="WORK")
@click.option(
    "--sort", type=click.Choice(["lines", "template"]), default="lines", show_default=True,
    help="Those of the most lines first, or in the order of their text.",
)  # fmt: skip
@click.option(
    "--list", "as_list", is_flag=True,
    help="Print the templates only, one a line: what `parse --templates` takes.",
)  # fmt: skip
@json_option
def templates(work: Path, sort: str, as_list: bool, as_json: bool) -> None:
    """Show the templates that parse found, how many lines each has, and one of them.

    WORK is the directory that parse wrote, or its parsed.parquet.
    """
    from logexport.errors import UsageError
    from logexport.training.templates import count_templates, write_template

    if as_list and as_json:
        raise UsageError("--list and --json exclude each other", "Give only one of them.")
    tally = count_templates(work, by_text=sort == "template")
    if as_json:
        emit_json(tally.to_json())
        return
    if as_list:
        for count in tally.counts:
            click.echo(write_template(count.template or ""))
    else:
        for line in _describe(tally):
            click.echo(line)
    for warning in tally.warnings:
        warn(warning)


def _describe(tally: TemplateTally) -> Iterator[str]:
    yield (
        f"{tally.records:,} records ({tally.oversize} too long) of {len(tally.counts):,} templates"
    )
    for count in tally.counts:
        yield from _describe_count(tally, count, visible(count.template or ""))
    if tally.unseen is not None:
        yield from _describe_count(tally, tally.unseen, "(no template)")


def _describe_count(tally: TemplateTally, count: TemplateCount, text: str) -> Iterator[str]:
    example = tally.describe(count)["example"]
    yield f"{count.records:>9,} {tally.share(count):>6.1%}  {text}"
    yield f"{'':>18}line {example['line']}: {visible(example['text'])}"
