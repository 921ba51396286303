"""``logexport deeplog build`` and ``logexport deeplog train``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from logexport.cli.common import emit_json, json_option, progress, say

if TYPE_CHECKING:
    from logexport_deeplog.train import TrainResult

_FILE = click.Path(path_type=Path)


@click.group()
def deeplog() -> None:
    """DeepLog: from a parsed log to a checkpoint."""


@deeplog.command()
@click.option("--parsed", type=_FILE, required=True, help="parsed.parquet of `logexport parse`.")
@click.option("-o", "--output-dir", type=_FILE, required=True, help="Where the three files go.")
@click.option(
    "--vocab", type=_FILE, help="Use this vocabulary instead of one of the log's own templates."
)
@click.option("--preprocess", type=_FILE, help="Rules of the log.  [default: beside --parsed]")
@click.option(
    "--session-by",
    metavar="none|host|REGEX",
    help="How lines form sessions; windows never cross them.  [default: as in the rules]",
)
@json_option
def build(
    parsed: Path,
    output_dir: Path,
    vocab: Path | None,
    preprocess: Path | None,
    session_by: str | None,
    as_json: bool,
) -> None:
    """Write vocab.json, sequences.parquet and preprocess.json from a parsed log.

    The vocabulary is the log's templates, sorted. Every line is matched against it again, so that
    training sees the events that detection will see.
    """
    from logexport_deeplog.build import build_sequences, count_lines

    with progress("Matching", count_lines(parsed)) as done:
        result = build_sequences(parsed, output_dir, vocab, preprocess, session_by, done)
    if as_json:
        emit_json(result.to_json())
        return
    say(
        f"{result.lines:,} lines, {result.templates:,} templates, {result.sessions:,} sessions, "
        f"{result.unseen:,} lines unseen"
    )
    for path in (result.vocab, result.sequences, result.preprocess):
        click.echo(path)


@deeplog.command()
@click.option("--sequences", type=_FILE, required=True, help="sequences.parquet of the build.")
@click.option("--vocab", type=_FILE, required=True, help="vocab.json of the same build.")
@click.option(
    "-o", "--output", type=_FILE, required=True, help="Checkpoint: .pth, .pt or .safetensors."
)
@click.option("--epochs", type=click.IntRange(1), default=30, show_default=True, help="At most.")
@click.option(
    "--patience",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Epochs without a better held-out loss before training stops.",
)
@click.option(
    "--holdout",
    type=click.FloatRange(0.0, 0.9),
    default=0.1,
    show_default=True,
    help="Share of the log, or of its sessions, that is not trained on.",
)
@click.option(
    "--seq-len", type=click.IntRange(1), default=50, show_default=True, help="Events in a window."
)
@click.option("--embed-dim", type=click.IntRange(1, 65536), default=64, show_default=True)
@click.option("--hidden-dim", type=click.IntRange(1, 65536), default=128, show_default=True)
@click.option("--num-layers", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0.0, 10.0, min_open=True),
    default=0.002,
    show_default=True,
)
@click.option("--batch-size", type=click.IntRange(1), default=128, show_default=True)
@click.option(
    "--top-k",
    type=click.IntRange(1),
    help="The k that the checkpoint recommends.  [default: 9, or less for small vocabularies]",
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, ...")
@json_option
def train(
    sequences: Path, vocab: Path, output: Path, top_k: int | None, as_json: bool, **options: Any
) -> None:
    """Train a model to predict the next event, and write its checkpoint."""
    from logexport.training import Epoch

    from logexport_deeplog.train import Plan, to_json, train_deeplog
    from logexport_deeplog.training import Settings

    settings = Settings(**options)
    bar: list[Callable[[int], None]] = []
    with ExitStack() as bars:

        def on_plan(plan: Plan) -> None:
            for warning in plan.warnings:
                say(f"Warning: {warning}")
            say(f"{plan.trained_windows:,} windows to train on, {plan.held_out_windows:,} held out")
            total = plan.trained_windows * settings.epochs
            bar.append(bars.enter_context(progress("Training", total, "windows")))

        def on_epoch(epoch: Epoch) -> None:
            validation = epoch.validation_loss
            held_out = "" if validation is None else f", held-out loss {validation:.4f}"
            wipe = "\r\x1b[K" if sys.stderr.isatty() else ""  # the bar stands on this line
            say(f"{wipe}epoch {epoch.number}/{settings.epochs}: loss {epoch.loss:.4f}{held_out}")

        result = train_deeplog(
            sequences,
            vocab,
            output,
            settings,
            top_k,
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
    if result.unseen_lines:
        say(f"{result.unseen_lines:,} lines match no template and were left out")
    if result.flagged_share:
        say(f"share of the {result.held_out_windows:,} held-out events that is flagged, by k:")
        for k, share in result.flagged_share.items():
            say(f"  {k:2d}  {100 * share:7.3f} %{'  (taken)' if k == result.top_k else ''}")
