"""MSCRED's answers to the hooks. Imports stay light: everything heavy is imported when called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from logexport import ModelInfo, Sample, hookimpl

if TYPE_CHECKING:
    from logexport.types import (
        CheckResult,
        DummyInput,
        LoadedModel,
        ModelRequest,
        StagedBundle,
        Vocabulary,
    )

logexport_api = 1

_SAMPLE = Path(__file__).parent / "sample"


@hookimpl
def model_info() -> ModelInfo:
    """MSCRED, with the sample made by examples/sample."""
    return ModelInfo(
        name="mscred",
        summary="MSCRED: an autoencoder that reconstructs counts of templates over many lines.",
        input="count_matrix",
        decision="score_threshold",
        sample=Sample(
            checkpoint=_SAMPLE / "mscred.pth",
            vocab=_SAMPLE / "vocab.json",
            preprocess=_SAMPLE / "preprocess.json",
            log=_SAMPLE / "sample.log",
        ),
    )


@hookimpl
def run_options() -> Sequence[click.Option]:
    """Sizes to hold the checkpoint to, the threshold, and what alog-detect's checkpoints lack."""
    return [
        click.Option(
            ["--window-size"],
            type=click.IntRange(min=1),
            help="Windows in a sample (steps); an error unless the checkpoint's.",
        ),
        click.Option(
            ["--feature-dim"],
            type=click.IntRange(min=1),
            help="Templates; an error unless the checkpoint's.",
        ),
        click.Option(
            ["--threshold"],
            metavar="VALUE|NAME",
            help="A score above it is an anomaly: a number, or budget (what --false-alarms of train"
            " asked for), p95, p99, p99.9, 3sigma or mad of the checkpoint."
            "  [default: budget, else p99]",
        ),
        click.Option(
            ["--window-counts"],
            type=click.Path(path_type=Path),
            help="The training data, for the standardisation that alog-detect's checkpoints lack"
            " and for the checks.  [for the checks: beside --vocab]",
        ),
        click.Option(
            ["--no-standardise"],
            is_flag=True,
            help="Feed raw counts to a checkpoint that has no standardisation.",
        ),
    ]


@hookimpl
def load_model(request: ModelRequest) -> LoadedModel:
    """Read an MSCRED checkpoint of any known kind."""
    from logexport_mscred.load import load

    return load(request)


@hookimpl
def build_vocab(request: ModelRequest, model: LoadedModel) -> Vocabulary:
    """Read the vocabulary, or make it of alog-detect's template_mapping.json and parsed.parquet."""
    from logexport_mscred.load import vocabulary

    return vocabulary(request, model)


@hookimpl
def dummy_input(model: LoadedModel) -> DummyInput:
    """Matrices of counts."""
    from logexport_mscred.load import dummy

    return dummy(model)


@hookimpl
def write_meta(model: LoadedModel) -> Mapping[str, Any]:
    """What was read from the checkpoint."""
    return dict(model.meta)


@hookimpl
def validate(
    request: ModelRequest,
    model: LoadedModel,
    vocab: Vocabulary,
    dummy: DummyInput,
    bundle: StagedBundle,
) -> Iterable[CheckResult]:
    """Equality with PyTorch on the training windows, and those windows counted again."""
    from logexport_mscred.checks import parity_counts, training_counts

    return [
        parity_counts(request, model, dummy, bundle),
        training_counts(request, model, vocab, bundle),
    ]


@hookimpl
def register_commands(cli: click.Group) -> None:
    """``logexport mscred build`` and ``logexport mscred train``."""
    from logexport_mscred.cli import mscred

    cli.add_command(mscred)
