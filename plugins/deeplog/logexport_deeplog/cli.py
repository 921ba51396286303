"""``logexport deeplog build`` and ``logexport deeplog train``."""

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
    matching_progress,
    schedule_options,
    size_options,
    training_progress,
)

from logexport_deeplog.settings import Settings

if TYPE_CHECKING:
    from logexport_deeplog.train import Plan, TrainResult


@click.group()
def deeplog() -> None:
    """DeepLog: from a parsed log to a checkpoint."""


@deeplog.command()
@build_options(sessions=True)
@json_option
def build(parsed: Path, as_json: bool, **options: Any) -> None:
    """Write vocab.json, sequences.parquet and preprocess.json from a parsed log.

    The vocabulary is the log's templates, sorted. Every line is matched against it again, so that
    training sees the events that detection will see.
    """
    from logexport_deeplog.build import build_sequences

    with matching_progress(parsed) as done:
        result = build_sequences(parsed, **options, on_lines=done)
    summary = (
        f"{result.lines:,} lines, {result.templates:,} templates, {result.sessions:,} sessions, "
        f"{result.unseen:,} lines unseen"
    )
    files = (result.vocab, result.sequences, result.preprocess)
    conclude(to_json(result), as_json, [summary], *files)


@deeplog.command()
@click.option("--sequences", type=FILE, required=True, help="sequences.parquet of the build.")
@click.option("--vocab", type=FILE, required=True, help="vocab.json of the same build.")
@checkpoint_option
@schedule_options(
    Settings,
    holdout="Share of the log, or of its sessions, that is not trained on.",
    seed="Of the weights, the order of the windows and the held-out sessions.",
)
@click.option(
    "--seq-len",
    type=click.IntRange(1),
    default=Settings.seq_len,
    show_default=True,
    help="Events in a window.",
)
@size_options(Settings, embed_dim="Size of an event's vector.", hidden_dim="Size of the LSTM.")
@size_options(Settings, 64, num_layers="Layers of the LSTM.")
@click.option(
    "--top-k",
    type=click.IntRange(1),
    help="The k that the checkpoint recommends.  [default: 9, or less for small vocabularies]",
)
@json_option
def train(
    sequences: Path, vocab: Path, output: Path, top_k: int | None, as_json: bool, **options: Any
) -> None:
    """Train a model to predict the next event, and write its checkpoint."""
    from logexport_deeplog.train import train_deeplog

    settings = Settings(**options)
    with training_progress(settings.epochs) as shown:

        def on_plan(plan: Plan) -> None:
            shown.begin(
                plan.trained_windows,
                f"{plan.trained_windows:,} windows to train on, {plan.held_out_windows:,} held out",
                warnings=plan.warnings,
            )

        result = train_deeplog(
            sequences, vocab, output, settings, top_k, on_plan, shown.batch, shown.epoch
        )
    conclude(to_json(result), as_json, _report(result), result.checkpoint)


def _report(result: TrainResult) -> Iterator[str]:
    yield (
        f"{len(result.epochs)} epochs, the best is {result.best_epoch}; "
        f"{result.parameters:,} parameters"
    )
    if result.unseen_lines:
        yield f"{result.unseen_lines:,} lines match no template and were left out"
    if result.flagged_share:
        yield f"share of the {result.held_out_windows:,} held-out events that is flagged, by k:"
        for k, share in result.flagged_share.items():
            yield f"  {k:2d}  {100 * share:7.3f} %{'  (taken)' if k == result.top_k else ''}"
