"""The host's own behaviour, written as a plugin: the export through a strategy, and the checks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from logexport.hookspecs import hookimpl

if TYPE_CHECKING:
    from logexport.exporters import ExportLog, ExportStrategy
    from logexport.types import (
        CheckResult,
        DummyInput,
        LoadedModel,
        ModelRequest,
        StagedBundle,
        Vocabulary,
    )

logexport_api = 1


@hookimpl(trylast=True)
def export(
    model: LoadedModel, dummy: DummyInput, strategy: ExportStrategy, opset: int, path: Path
) -> ExportLog:
    """Write the graph by the chosen strategy; what it prints is returned, not printed."""
    from logexport.exporters import export_with

    return export_with(strategy, model.module, dummy, opset, path)


@hookimpl
def validate(
    request: ModelRequest,
    model: LoadedModel,
    vocab: Vocabulary,
    dummy: DummyInput,
    bundle: StagedBundle,
) -> Iterable[CheckResult]:
    """The host's checks: structure, parity with PyTorch, batch independence, training's events."""
    from logexport.checks import host_checks

    return host_checks(request, model, vocab, dummy, bundle)
