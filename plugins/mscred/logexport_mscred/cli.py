"""``logexport mscred build`` and ``logexport mscred train``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from logexport.cli.common import conclude, json_option, to_json
from logexport.cli.plugin_commands import (
    FILE,
    build_options,
    checkpoint_option,
    describe_training,
    false_alarms_option,
    matching_progress,
    schedule_options,
    training_progress,
)

from logexport_mscred.settings import Settings
from logexport_mscred.thresholds import BUDGET

if TYPE_CHECKING:
    from logexport_mscred.train import Plan, TrainResult


@click.group()
def mscred() -> None:
    """MSCRED: from a parsed log to a checkpoint."""


@mscred.command()
@build_options()
@click.option(
    "--lines",
    type=click.IntRange(1, 2**24),
    default=50,
    show_default=True,
    help="Lines in a window.",
)
@click.option(
    "--stride",
    type=click.IntRange(1, 2**24),
    default=25,
    show_default=True,
    help="Lines from the beginning of a window to that of the next.",
)
@json_option
def build(parsed: Path, as_json: bool, **options: Any) -> None:
    """Write vocab.json, window_counts.parquet and preprocess.json from a parsed log.

    The vocabulary is the log's templates, sorted, the same that DeepLog takes. Every line is
    matched against it again, so that training counts what detection will count.
    """
    from logexport_mscred.build import build_counts

    with matching_progress(parsed) as done:
        result = build_counts(parsed, **options, on_lines=done)
    summary = (
        f"{result.log_lines:,} lines, {result.templates:,} templates, {result.unseen:,} lines "
        f"unseen; {result.windows:,} windows of {result.lines:,} lines every {result.stride:,}"
    )
    files = (result.vocab, result.window_counts, result.preprocess)
    conclude(to_json(result), as_json, [summary], *files)


def _channels(_: click.Context, __: click.Parameter, value: str) -> tuple[int, ...]:
    """Three whole numbers with commas."""
    words = value.split(",")
    if len(words) != 3 or not all(w.isascii() and w.isdecimal() and len(w) < 6 for w in words):
        raise click.BadParameter(
            f"{value!r} is not three whole numbers with commas, such as 32,64,128"
        )
    return tuple(map(int, words))


@mscred.command()
@click.option(
    "--window-counts", type=FILE, required=True, help="window_counts.parquet of the build."
)
@checkpoint_option
@schedule_options(
    Settings,
    patience="Epochs without a better loss on a part of its own before training stops.",
    holdout="Share of the log that thresholds are taken from; half as much again stops training.",
)
@click.option(
    "--window-size",
    "steps",
    type=click.IntRange(1),
    default=Settings.steps,
    show_default=True,
    help="Windows in a sample (steps).",
)
@click.option(
    "--channels",
    callback=_channels,
    metavar="A,B,C",
    default=",".join(map(str, Settings.channels)),
    show_default=True,
    help="Channels of the network's blocks; fewer make it smaller and faster.",
)
@false_alarms_option
@json_option
def train(
    window_counts: Path, output: Path, false_alarms: float | None, as_json: bool, **options: Any
) -> None:
    """Train a model to reconstruct counts, and write its checkpoint with thresholds.

    Ctrl-C ends the training early: the best epoch so far is kept, and the exit status is 0. Before
    the first epoch is done nothing is written, and the exit status is 130.
    """
    from logexport_mscred.train import train_mscred

    settings = Settings(**options)
    with training_progress(settings.epochs, "on the part to stop by") as shown:

        def on_plan(plan: Plan) -> None:
            parts = plan.parts
            shown.begin(
                len(parts.train),
                f"{len(parts.train):,} windows to train on, {len(parts.stop):,} to stop by, "
                f"{len(parts.held_out):,} held out; {parts.gap} left out between two parts",
                f"{plan.constant_columns:,} columns never vary in the training part",
                warnings=plan.warnings,
            )

        result = train_mscred(
            window_counts, output, settings, false_alarms, on_plan, shown.batch, shown.epoch
        )
    conclude(to_json(result), as_json, _report(result), result.checkpoint)


def _report(result: TrainResult) -> Iterator[str]:
    yield describe_training(result.epochs, result.best_epoch, result.parameters, result.interrupted)
    if not result.thresholds:
        return
    yield f"thresholds, from {result.held_out_windows:,} held-out windows:"
    for name, value in result.thresholds.items():
        what = f"  (--false-alarms {result.false_alarms:g})" if name == BUDGET else ""
        yield f"  {name:>6}  {value:.6g}{what}"
    yield "threshold by the share of these windows that is flagged at most:"
    for share, value in result.curve.items():
        yield f"  {100 * share:6.1f} %  {value:.6g}"
