"""``logexport parse``: raw logs to parsed.parquet and preprocess.json."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from logexport.cli.common import conclude, json_option, warn
from logexport.cli.rules_options import RulesOptions, describe_kept, rules_options, show_progress
from logexport.logs.masks import DEFAULT_MASKS, MASK_SETS

if TYPE_CHECKING:
    from logexport.logs.preprocess import Preprocess
    from logexport.training.parse import ParseResult


def _deprecated(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """An option that does nothing any more, and says so."""
    note = "Templates are mined without Drain3; it does nothing, and will be removed"
    return click.option(name, hidden=True, expose_value=False, deprecated=note)


@click.command()
@click.argument("logs", nargs=-1, required=True, type=str, metavar="LOG...")
@click.option(
    "-o", "--output-dir", required=True, type=click.Path(path_type=Path), metavar="DIR",
    help="Where parsed.parquet and preprocess.json go; old ones are replaced.",
)  # fmt: skip
@rules_options
@click.option(
    "--masks", "mask_set", type=click.Choice(list(MASK_SETS)),
    help="Set of masks.  [default: default; with --format alog-detect: alog-detect]",
)  # fmt: skip
@click.option(
    "--mask", "masks", multiple=True, metavar="NAME=PATTERN=>TEXT",
    help="Mask of your own, before those of the set, or in the place of the one of that name."
    r" TEXT may use \1 to \9. Repeat; they run in the order given.",
)  # fmt: skip
@click.option(
    "--no-mask", "without", multiple=True, metavar="NAME",
    help=f"Leave out a mask of the set ({', '.join(m.name for m in DEFAULT_MASKS)}). Repeat.",
)  # fmt: skip
@click.option(
    "--prefer", type=click.Choice(["specific", "general"]),
    help="Of several templates that match: the one with fewest or most <*>.  [default: specific]",
)  # fmt: skip
@click.option(
    "--year", type=click.IntRange(1, 9998), metavar="YYYY",
    help="Year of the first timestamp that has none.  [default: such timestamps are left empty]",
)  # fmt: skip
@click.option(
    "--templates", "template_list", type=click.Path(path_type=Path), metavar="FILE",
    help="Match these templates instead of mining some: one a line, as `templates --list` writes"
    " them, or a vocabulary. Lines that match none have no template.",
)  # fmt: skip
@_deprecated("--drain-depth")
@_deprecated("--drain-similarity")
@_deprecated("--drain-max-children")
@json_option
def parse(
    logs: tuple[str, ...],
    output_dir: Path,
    options: RulesOptions,
    mask_set: str | None,
    masks: tuple[str, ...],
    without: tuple[str, ...],
    prefer: str | None,
    year: int | None,
    template_list: Path | None,
    as_json: bool,
) -> None:
    """Turn raw logs (compressed too; - is standard input) into masked lines and templates.

    Several LOGs are read as one, in the order given.
    """
    from logexport.training.parse import ParseRequest, parse_logs
    from logexport.training.templates import read_templates

    rules = options.load()
    if mask_set is None and options.format_name == "alog-detect":
        mask_set = "alog-detect"
    rules = _with_masks(rules, mask_set, masks, without)
    if prefer is not None:
        rules = replace(rules, prefer=prefer)  # type: ignore[arg-type]
    request = ParseRequest(
        logs=logs,
        output_dir=output_dir,
        templates=None if template_list is None else read_templates(template_list),
        year=year,
        **options.request(rules),
    )
    with ExitStack() as stack:
        result = parse_logs(request, show_progress(stack, "parse"), warn)
    conclude(result.to_json(), as_json, _describe(result), result.parsed, result.preprocess)


def _describe(result: ParseResult) -> Iterator[str]:
    """What was parsed, in sentences."""
    matched = sum(count for name, count in result.headers.items() if name)
    named = [
        form if key is None else f"{form} with the message in {key}"
        for form, key in zip(result.forms, result.message_keys, strict=True)
    ]
    forms = f"{', '.join(named)} on {result.structured}, " if named else ""
    yield (
        f"{result.lines} lines ({result.blank} blank, {result.continued} continue another, "
        f"{result.oversize} too long), {forms}format {result.format} on {matched}, "
        f"{result.templates} templates, "
        f"{result.seconds:.1f} s"
    )
    total = sum(result.headers.values())
    heads = [f"{name} on {count / total:.1%}" for name, count in result.headers.items() if name]
    if heads:
        yield f"heads of the records: {', '.join(heads)}"
    yield f"fields that stay in the event: {describe_kept(result.keep)}"
    if heads and result.unmatched["records"]:
        example = result.unmatched["example"]
        yield (
            f"{result.unmatched['records']} records fit no head, such as line {example['line']}: "
            f"{example['text']!r}"
        )


def _with_masks(
    rules: Preprocess, mask_set: str | None, masks: tuple[str, ...], without: tuple[str, ...]
) -> Preprocess:
    from logexport.errors import UsageError
    from logexport.logs.masks import parse_mask

    chosen = list(rules.masks if mask_set is None else MASK_SETS[mask_set])
    for name in without:
        if name not in [mask.name for mask in chosen]:
            raise UsageError(
                f"There is no mask {name!r} to leave out",
                f"The masks are {', '.join(mask.name for mask in chosen) or 'none'}.",
            )
        chosen = [mask for mask in chosen if mask.name != name]
    first = []
    for own in map(parse_mask, masks):
        places = [place for place, mask in enumerate(chosen) if mask.name == own.name]
        if places:
            chosen[places[0]] = own
        else:
            first.append(own)
    return replace(rules, masks=(*first, *chosen))
