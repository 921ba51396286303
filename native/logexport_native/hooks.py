"""The engine's answers to the hooks. Imports stay light."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click
from logexport import hookimpl

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


@hookimpl
def run_options() -> Sequence[click.Option]:
    """``--native``."""
    return [
        click.Option(
            ["--native"],
            type=click.Choice(["auto", "require", "off"]),
            default="auto",
            help="Check with the C engine: where it is installed, always, or never.",
        )
    ]


@hookimpl
def engine_command() -> Sequence[str] | None:
    """The installed engine, or the one that ``LOGEXPORT_ENGINE`` names."""
    from logexport_native.program import find_engine

    return find_engine()


@hookimpl
def validate(
    request: ModelRequest,
    model: LoadedModel,
    vocab: Vocabulary,
    dummy: DummyInput,
    bundle: StagedBundle,
) -> Iterable[CheckResult]:
    """Tensors, a replay of a log and the self-test, each by the C engine."""
    from logexport_native.checks import engine_checks

    return engine_checks(request, model, vocab, dummy, bundle)
