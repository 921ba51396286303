"""The contract between the host and its plugins, in the order of a run.

A plugin implements any of these with ``@logexport.hookimpl`` and takes only the arguments it needs.
The host guarantees: a hook is called with what exists by then and nothing else; a required answer
that is missing, an answer of the wrong type and an exception are reported with the plugin's name,
and nothing is published. See docs/hooks.md for every hook with its errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import click

    from logexport.exporters import ExportLog, ExportStrategy
    from logexport.types import (
        CheckResult,
        DummyInput,
        GraphInfo,
        LoadedModel,
        ModelInfo,
        ModelRequest,
        StagedBundle,
        Vocabulary,
    )

PROJECT = "logexport"
"""pluggy project name and entry-point group."""

API_VERSION = 1
"""Version of the hook contract; a plugin states it as its attribute ``logexport_api``."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

REQUIRED_OF_MODELS = ("load_model", "build_vocab", "dummy_input", "write_meta")
"""What a plugin that answers ``model_info`` must answer too; it takes no part otherwise."""


@hookspec
def model_info() -> ModelInfo:
    """Declare the model type: name, summary, task kinds, and the sample or None."""


@hookspec
def run_options() -> Sequence[click.Option]:
    """Options for ``logexport run``; their values come back as ``request.options``."""


@hookspec(firstresult=True)
def load_model(request: ModelRequest) -> LoadedModel:
    """Read the checkpoint: the module in eval mode, and the facts that it holds."""


@hookspec(firstresult=True)
def build_vocab(request: ModelRequest, model: LoadedModel) -> Vocabulary:
    """Read the vocabulary: ordered templates and reserved indices."""


@hookspec(firstresult=True)
def dummy_input(request: ModelRequest, model: LoadedModel, vocab: Vocabulary) -> DummyInput:
    """Example inputs, names, dynamic axes, and the grid of sizes to probe."""


@hookspec(firstresult=True)
def export(
    request: ModelRequest,
    model: LoadedModel,
    dummy: DummyInput,
    strategy: ExportStrategy,
    opset: int,
    path: Path,
) -> ExportLog:
    """Write the graph to ``path``; the host does so itself where a plugin does not."""


@hookspec
def write_meta(
    request: ModelRequest, model: LoadedModel, vocab: Vocabulary, graph: GraphInfo
) -> Mapping[str, Any]:
    """Entries for the metadata; two plugins that give one key are an error naming both."""


@hookspec
def validate(
    request: ModelRequest,
    model: LoadedModel,
    vocab: Vocabulary,
    dummy: DummyInput,
    bundle: StagedBundle,
) -> Iterable[CheckResult]:
    """Check the staged bundle: results passed, failed or skipped, with figures."""


@hookspec
def engine_command() -> Sequence[str] | None:
    """The words that start a C engine, its absolute path first; None where it is not there."""


@hookspec
def register_exporters() -> Sequence[ExportStrategy]:
    """More export strategies for the version shim."""


@hookspec
def register_commands(cli: click.Group) -> None:
    """Add commands, such as ``logexport deeplog train``."""
