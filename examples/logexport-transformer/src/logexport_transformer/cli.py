"""`logexport transformer build` and `logexport transformer train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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

from logexport_transformer.settings import Settings


@click.group()
def transformer() -> None:
    """Transformer: from a parsed log to a checkpoint."""


@transformer.command()
@build_options()
@json_option
def build(parsed: Path, as_json: bool, **options: Any) -> None:
    """Write vocab.json, sequences.parquet and preprocess.json from a parsed log."""
    from logexport_transformer.build import build as build_files

    with matching_progress(parsed) as done:
        built = build_files(parsed, **options, on_lines=done)
    summary = f"{built.lines:,} lines, {built.templates:,} templates, {built.unseen:,} lines unseen"
    files = (built.vocab, built.sequences, built.preprocess)
    conclude(to_json(built), as_json, [summary], *files)


@transformer.command()
@click.option("--sequences", type=FILE, required=True, help="sequences.parquet of the build.")
@click.option("--vocab", type=FILE, required=True, help="vocab.json of the same build.")
@checkpoint_option
@size_options(
    Settings,
    seq_len="Events in a window.",
    width="Size of an event's vector.",
    heads="Heads of attention.",
    layers="Layers.",
)
@schedule_options(Settings, epochs="Passes over the windows.")
@json_option
def train(sequences: Path, vocab: Path, output: Path, as_json: bool, **options: Any) -> None:
    """Train a model to predict the next event, and write its checkpoint."""
    from logexport_transformer.train import train as train_model

    settings = Settings(**options)
    with training_progress(settings.epochs) as shown:
        trained = train_model(
            sequences, vocab, output, settings, shown.begin, shown.batch, shown.epoch
        )
    summary = (
        f"{trained.parameters:,} parameters, {trained.windows:,} windows; k = {trained.top_k} flags"
        f" {100 * trained.flagged_share:.2f} % of the {trained.held_out:,} held-out events"
    )
    conclude(to_json(trained), as_json, [summary], trained.checkpoint)
