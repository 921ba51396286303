"""``logexport parse``: raw logs to parsed.parquet and preprocess.json."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from logexport.cli.common import conclude, json_option, progress
from logexport.logs.decoding import ENCODINGS
from logexport.logs.headers import FORMATS
from logexport.logs.masks import DEFAULT_MASKS, MASK_SETS

if TYPE_CHECKING:
    from logexport.logs.preprocess import Preprocess


@click.command()
@click.argument("logs", nargs=-1, required=True, type=str, metavar="LOG...")
@click.option(
    "-o", "--output-dir", required=True, type=click.Path(path_type=Path), metavar="DIR",
    help="Where parsed.parquet and preprocess.json go; old ones are replaced.",
)  # fmt: skip
@click.option(
    "--format", "format_name", type=click.Choice(["auto", *FORMATS]),
    help="Header of the lines.  [default: auto, what most of the first 1,000 lines have]",
)  # fmt: skip
@click.option(
    "--header", "headers", multiple=True, metavar="NAME=PATTERN",
    help="Header of your own, instead of --format: a regular expression from the line's start with"
    " the groups message and, if any, timestamp, host, process. Repeat; the first match wins.",
)  # fmt: skip
@click.option(
    "--message-key", metavar="KEY",
    help="Key of the message in JSON or logfmt lines; keys inside one another are joined by dots."
    "  [default: found in the first 1,000 lines]",
)  # fmt: skip
@click.option(
    "--no-structured", is_flag=True,
    help="Read JSON, Docker's json-file, CRI and logfmt as text.",
)  # fmt: skip
@click.option(
    "--continuation/--no-continuation", default=None,
    help="Whether stack traces and indented lines belong to the record before.  [default: yes]",
)  # fmt: skip
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
    "--preprocess", type=click.Path(path_type=Path), metavar="FILE",
    help="Take the rules of this preprocess.json, but for what other options say.",
)  # fmt: skip
@click.option(
    "--prefer", type=click.Choice(["specific", "general"]),
    help="Of several templates that match: the one with fewest or most <*>.  [default: specific]",
)  # fmt: skip
@click.option(
    "--max-line-bytes", type=click.IntRange(1, 1 << 30), metavar="N",
    help="Longer lines are unseen.  [default: 1048576]",
)  # fmt: skip
@click.option(
    "--encoding", type=click.Choice(ENCODINGS),
    help="What a file without a byte order mark is.  [default: utf-8]",
)  # fmt: skip
@click.option(
    "--year", type=click.IntRange(1, 9998), metavar="YYYY",
    help="Year of the first timestamp that has none.  [default: such timestamps are left empty]",
)  # fmt: skip
@click.option(
    "--drain-depth", type=click.IntRange(min=3), default=4, show_default=True, metavar="N",
    help="Drain3's depth.",
)  # fmt: skip
@click.option(
    "--drain-similarity", type=click.FloatRange(0, 1), default=0.4, show_default=True, metavar="S",
    help="Drain3's similarity threshold.",
)  # fmt: skip
@click.option(
    "--drain-max-children", type=click.IntRange(min=2), default=100, show_default=True, metavar="N",
    help="Drain3's branches of a node.",
)  # fmt: skip
@json_option
def parse(
    logs: tuple[str, ...],
    output_dir: Path,
    format_name: str | None,
    headers: tuple[str, ...],
    message_key: str | None,
    no_structured: bool,
    continuation: bool | None,
    mask_set: str | None,
    masks: tuple[str, ...],
    without: tuple[str, ...],
    preprocess: Path | None,
    prefer: str | None,
    max_line_bytes: int | None,
    encoding: str | None,
    year: int | None,
    drain_depth: int,
    drain_similarity: float,
    drain_max_children: int,
    as_json: bool,
) -> None:
    """Turn raw logs (compressed too; - is standard input) into masked lines and templates.

    Several LOGs are read as one, in the order given.
    """
    from logexport.errors import UsageError
    from logexport.logs.headers import parse_header
    from logexport.logs.preprocess import Preprocess
    from logexport.training.mining import DrainOptions
    from logexport.training.parse import ParseRequest, parse_logs

    if headers and format_name is not None:
        raise UsageError("--header and --format exclude each other", "Give only one of them.")
    rules = Preprocess() if preprocess is None else Preprocess.load(preprocess)
    if mask_set is None and format_name == "alog-detect":
        mask_set = "alog-detect"
    rules = _with_masks(rules, mask_set, masks, without)
    if message_key is not None and no_structured:
        raise UsageError(
            "--message-key and --no-structured exclude each other", "Give only one of them."
        )
    if no_structured:
        rules = replace(rules, structured=())
    if continuation is not None:
        rules = rules.with_continuation(continuation)
    if headers:
        rules = replace(rules, headers=tuple(map(parse_header, headers)))
    if prefer is not None:
        rules = replace(rules, prefer=prefer)  # type: ignore[arg-type]
    if max_line_bytes is not None:
        rules = replace(rules, max_line_bytes=max_line_bytes)
    if encoding is not None:
        rules = rules.with_encoding(encoding)
    if format_name is None and not headers and preprocess is None:
        format_name = "auto"
    request = ParseRequest(
        logs=logs,
        output_dir=output_dir,
        format=format_name,
        preprocess=rules,
        find_forms=not no_structured and preprocess is None,
        message_key=message_key,
        drain=DrainOptions(drain_depth, drain_similarity, drain_max_children),
        year=year,
    )
    with ExitStack() as stack:
        result = parse_logs(request, _show_progress(stack))
    matched = sum(count for name, count in result.headers.items() if name)
    named = [
        form if key is None else f"{form} with the message in {key}"
        for form, key in zip(result.forms, result.message_keys, strict=True)
    ]
    forms = f"{', '.join(named)} on {result.structured}, " if named else ""
    summary = (
        f"{result.lines} lines ({result.blank} blank, {result.continued} continue another, "
        f"{result.oversize} too long), {forms}format {result.format} on {matched}, "
        f"{result.templates} templates, "
        f"{result.seconds:.1f} s"
    )
    conclude(result.to_json(), as_json, [summary], result.parsed, result.preprocess)


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


def _show_progress(stack: ExitStack) -> Callable[[int, int], None]:
    """Opens the bar at the first call, when the size of the logs is known."""
    update: Callable[[int], None] | None = None
    shown = 0

    def show(done: int, total: int) -> None:
        nonlocal update, shown
        if update is None:
            update = stack.enter_context(progress("parse", total, "bytes"))
        update(done - shown)
        shown = done

    return show
