"""What logexport calls. Every `logexport --help` imports this module: heavy imports stay inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from logexport import ModelInfo, Sample, hookimpl

from logexport_transformer import NAME

if TYPE_CHECKING:
    from logexport.types import DummyInput, LoadedModel, ModelRequest, Vocabulary

logexport_api = 1

_SAMPLE = Path(__file__).parent / "sample"


@hookimpl
def model_info() -> ModelInfo:
    """The model type, with the sample that make_sample.sh made."""
    return ModelInfo(
        name=NAME,
        summary="A causal Transformer that predicts the next event of a window of log events.",
        input="event_window",
        decision="next_event_topk",
        sample=Sample(
            checkpoint=_SAMPLE / "transformer.pth",
            vocab=_SAMPLE / "vocab.json",
            preprocess=_SAMPLE / "preprocess.json",
            log=_SAMPLE / "sample.log",
        ),
    )


@hookimpl
def run_options() -> Sequence[click.Option]:
    """`--top-k`, and the length of windows under a name that no other plugin has."""
    return [
        click.Option(
            ["--top-k"],
            type=click.IntRange(min=1),
            help="An event is an anomaly when this many are likelier.  [default: the checkpoint's]",
        ),
        click.Option(
            ["--context"],
            type=click.IntRange(min=1, max=4096),
            help="Events in a window.  [default: the checkpoint's]",
        ),
    ]


@hookimpl
def load_model(request: ModelRequest) -> LoadedModel:
    """Read the checkpoint."""
    from logexport_transformer.load import load

    return load(request)


@hookimpl
def build_vocab(request: ModelRequest, model: LoadedModel) -> Vocabulary:
    """Read the vocabulary, which must have as many entries as the checkpoint."""
    from logexport.vocab import load_vocab

    return load_vocab(request.vocab, model.vocab_size)


@hookimpl
def dummy_input(model: LoadedModel) -> DummyInput:
    """Windows of event ids."""
    from logexport_transformer.load import dummy

    return dummy(model)


@hookimpl
def write_meta(model: LoadedModel) -> Mapping[str, Any]:
    """What was read from the checkpoint."""
    return dict(model.meta)


@hookimpl
def register_commands(cli: click.Group) -> None:
    """`logexport transformer build` and `logexport transformer train`."""
    from logexport_transformer.cli import transformer

    cli.add_command(transformer)
