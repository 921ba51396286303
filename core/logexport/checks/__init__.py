"""The host's own checks of a staged bundle, in the order in which they run."""

from __future__ import annotations

from collections.abc import Iterator

from logexport.checks.context import Context, timed
from logexport.checks.events import events
from logexport.checks.known_lines import known_lines
from logexport.checks.parity import (
    batch_independence,
    parity_log,
    parity_random,
    variants_parity,
)
from logexport.checks.structure import structure
from logexport.checks.templates import templates
from logexport.checks.training_events import training_events
from logexport.types import (
    CheckResult,
    DummyInput,
    LoadedModel,
    ModelRequest,
    StagedBundle,
    Vocabulary,
)

CHECKS = (
    structure,
    parity_random,
    parity_log,
    batch_independence,
    variants_parity,
    training_events,
    known_lines,
    templates,
    events,
)


def host_checks(
    request: ModelRequest,
    model: LoadedModel,
    vocab: Vocabulary,
    dummy: DummyInput,
    bundle: StagedBundle,
) -> Iterator[CheckResult]:
    """Run the checks one after another; a failed ``structure`` leaves the rest out."""
    context = Context(request, model, vocab, dummy, bundle)
    for check in CHECKS:
        result = timed(check, context)
        yield result
        if check is structure and result.status == "failed":
            return
