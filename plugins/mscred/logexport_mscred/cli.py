"""``logexport mscred build`` and ``logexport mscred train``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from logexport.cli.common import emit_json, json_option, progress, say

if TYPE_CHECKING:
    from logexport_mscred.train import TrainResult

_FILE = click.Path(path_type=Path)


@click.group()
def mscred() -> None:
    """MSCRED: from a parsed log to a checkpoint."""


@mscred.command()
@click.option("--parsed", type=_FILE, required=True, help="parsed.parquet of `logexport parse`.")
@click.option("-o", "--output-dir", type=_FILE, required=True, help="Where the three files go.")
@click.option(
    "--vocab", type=_FILE, help="Use this vocabulary instead of one of the log's own templates."
)
@click.option("--preprocess", type=_FILE, help="Rules of the log.  [default: beside --parsed]")
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
def build(
    parsed: Path,
    output_dir: Path,
    vocab: Path | None,
    preprocess: Path | None,
    lines: int,
    stride: int,
    as_json: bool,
) -> None:
    """Write vocab.json, window_counts.parquet and preprocess.json from a parsed log.

    The vocabulary is the log's templates, sorted, the same that DeepLog takes. Every line is
    matched against it again, so that training counts what detection will count.
    """
    from logexport_mscred.build import build_counts, count_lines

    with progress("Matching", count_lines(parsed)) as done:
        result = build_counts(parsed, output_dir, vocab, preprocess, lines, stride, done)
    if as_json:
        emit_json(result.to_json())
        return
    say(
        f"{result.log_lines:,} lines, {result.templates:,} templates, {result.unseen:,} lines "
        f"unseen; {result.windows:,} windows of {result.lines:,} lines every {result.stride:,}"
    )
    for path in (result.vocab, result.window_counts, result.preprocess):
        click.echo(path)


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
    "--window-counts", type=_FILE, required=True, help="window_counts.parquet of the build."
)
@click.option(
    "-o", "--output", type=_FILE, required=True, help="Checkpoint: .pth, .pt or .safetensors."
)
@click.option("--epochs", type=click.IntRange(1), default=50, show_default=True, help="At most.")
@click.option(
    "--patience",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Epochs without a better loss on a part of its own before training stops.",
)
@click.option(
    "--holdout",
    type=click.FloatRange(0.0, 0.9),
    default=0.2,
    show_default=True,
    help="Share of the log that thresholds are taken from; half as much again stops training.",
)
@click.option(
    "--window-size",
    "steps",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="Windows in a sample (steps).",
)
@click.option(
    "--channels",
    callback=_channels,
    metavar="A,B,C",
    default="32,64,128",
    show_default=True,
    help="Channels of the network's blocks; fewer make it smaller and faster.",
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0.0, 10.0, min_open=True),
    default=0.001,
    show_default=True,
)
@click.option("--batch-size", type=click.IntRange(1), default=32, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, ...")
@json_option
def train(window_counts: Path, output: Path, as_json: bool, **options: Any) -> None:
    """Train a model to reconstruct counts, and write its checkpoint with thresholds."""
    from logexport.training import Epoch

    from logexport_mscred.train import Plan, to_json, train_mscred
    from logexport_mscred.training import Settings

    settings = Settings(**options)
    bar: list[Callable[[int], None]] = []
    with ExitStack() as bars:

        def on_plan(plan: Plan) -> None:
            for warning in plan.warnings:
                say(f"Warning: {warning}")
            parts = plan.parts
            say(
                f"{len(parts.train):,} windows to train on, {len(parts.stop):,} to stop by, "
                f"{len(parts.held_out):,} held out; {parts.gap} left out between two parts"
            )
            say(f"{plan.constant_columns:,} columns never vary in the training part")
            total = len(parts.train) * settings.epochs
            bar.append(bars.enter_context(progress("Training", total, "windows")))

        def on_epoch(epoch: Epoch) -> None:
            validation = epoch.validation_loss
            stop = "" if validation is None else f", on the part to stop by {validation:.4f}"
            wipe = "\r\x1b[K" if sys.stderr.isatty() else ""  # the bar stands on this line
            say(f"{wipe}epoch {epoch.number}/{settings.epochs}: loss {epoch.loss:.4f}{stop}")

        result = train_mscred(
            window_counts,
            output,
            settings,
            on_plan,
            on_batch=lambda windows: bar[0](windows),
            on_epoch=on_epoch,
        )
    if as_json:
        emit_json(to_json(result))
        return
    _report(result)
    click.echo(result.checkpoint)


def _report(result: TrainResult) -> None:
    say(
        f"{len(result.epochs)} epochs, the best is {result.best_epoch}; "
        f"{result.parameters:,} parameters"
    )
    if result.thresholds:
        say(f"thresholds, from {result.held_out_windows:,} held-out windows:")
        for name, value in result.thresholds.items():
            say(f"  {name:>6}  {value:.6g}")
