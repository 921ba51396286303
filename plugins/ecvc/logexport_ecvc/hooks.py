"""Answers to the hooks. Imports stay light: everything heavy is imported when called."""

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
    """Event count vectors, with the sample made by examples/sample."""
    return ModelInfo(
        name="ecvc",
        summary="Event count vectors: a finished session beside the nearest of the training.",
        input="session_counts",
        decision="score_threshold",
        sample=Sample(
            checkpoint=_SAMPLE / "ecvc.safetensors",
            vocab=_SAMPLE / "vocab.json",
            preprocess=_SAMPLE / "preprocess.json",
            log=_SAMPLE / "sample.log",
        ),
    )


@hookimpl
def run_options() -> Sequence[click.Option]:
    """The threshold, and the training data for the checks."""
    return [
        click.Option(
            ["--threshold"],
            metavar="VALUE|NAME",
            help="A score above it is an anomaly: a number, or budget, p95, p98, p99, p99.5, p99.8"
            " or p99.9 of the checkpoint.  [default: budget]",
        ),
        click.Option(
            ["--session-counts"],
            type=click.Path(path_type=Path),
            help="The training data, for the checks.  [default: beside --vocab]",
        ),
    ]


@hookimpl
def load_model(request: ModelRequest) -> LoadedModel:
    """Read a checkpoint of ``logexport ecvc train``."""
    from logexport_ecvc.load import load

    return load(request)


@hookimpl
def build_vocab(request: ModelRequest, model: LoadedModel) -> Vocabulary:
    """Read the vocabulary."""
    from logexport.vocab import load_vocab

    return load_vocab(request.vocab, expected_size=model.vocab_size)


@hookimpl
def dummy_input(model: LoadedModel) -> DummyInput:
    """Counts of sessions."""
    from logexport_ecvc.load import dummy

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
    """Equality with PyTorch on the training sessions, and those sessions counted again."""
    from logexport_ecvc.checks import parity_sessions, training_sessions

    return [
        parity_sessions(request, model, dummy, bundle),
        training_sessions(request, model, vocab, bundle),
    ]


@hookimpl
def register_commands(cli: click.Group) -> None:
    """``logexport ecvc build`` and ``logexport ecvc train``."""
    from logexport_ecvc.cli import ecvc

    cli.add_command(ecvc)
