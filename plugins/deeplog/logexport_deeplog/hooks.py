"""DeepLog's answers to the hooks. Imports stay light: everything heavy is imported when called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from logexport import ModelInfo, Sample, hookimpl

if TYPE_CHECKING:
    from logexport.types import DummyInput, LoadedModel, ModelRequest, Vocabulary

logexport_api = 1

_SAMPLE = Path(__file__).parent / "sample"


@hookimpl
def model_info() -> ModelInfo:
    """DeepLog, with the sample made by examples/sample."""
    return ModelInfo(
        name="deeplog",
        summary="DeepLog: an LSTM that predicts the next event of a window of log events.",
        input="event_window",
        decision="next_event_topk",
        sample=Sample(
            checkpoint=_SAMPLE / "deeplog.pth",
            vocab=_SAMPLE / "vocab.json",
            preprocess=_SAMPLE / "preprocess.json",
            log=_SAMPLE / "sample.log",
        ),
    )


@hookimpl
def run_options() -> Sequence[click.Option]:
    """``--seq-len`` and ``--top-k``."""
    return [
        click.Option(
            ["--seq-len"],
            type=click.IntRange(min=1),
            help="Events in a window.  [default: the checkpoint's]",
        ),
        click.Option(
            ["--top-k"],
            type=click.IntRange(min=1),
            help="An event is an anomaly when this many are likelier."
            "  [default: the checkpoint's, else the published one]",
        ),
    ]


@hookimpl
def load_model(request: ModelRequest) -> LoadedModel:
    """Read a DeepLog checkpoint of any known kind."""
    from logexport_deeplog.load import load

    return load(request)


@hookimpl
def build_vocab(request: ModelRequest, model: LoadedModel) -> Vocabulary:
    """Read the vocabulary file, which must have as many entries as the checkpoint."""
    from logexport_deeplog.load import vocabulary

    return vocabulary(request, model)


@hookimpl
def dummy_input(model: LoadedModel) -> DummyInput:
    """Windows of event ids."""
    from logexport_deeplog.load import dummy

    return dummy(model)


@hookimpl
def write_meta(model: LoadedModel) -> Mapping[str, Any]:
    """What was read from the checkpoint."""
    return dict(model.meta)


@hookimpl
def register_commands(cli: click.Group) -> None:
    """``logexport deeplog build`` and ``logexport deeplog train``."""
    from logexport_deeplog.cli import deeplog

    cli.add_command(deeplog)
