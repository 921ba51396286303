"""What ``logexport run`` asks of the plugin: the checkpoint read, its threshold, its inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from logexport.errors import UsageError
from logexport.types import (
    DummyInput,
    JSONValue,
    LoadedModel,
    ModelRequest,
    ScoreThreshold,
    SessionCounts,
    Sizes,
    Task,
)
from logexport.verdicts.options import read_threshold

from logexport_ecvc.budget import NAMES, RATES
from logexport_ecvc.checkpoints import Ecvc, read_ecvc
from logexport_ecvc.model import CountVectors
from logexport_ecvc.settings import DEFAULT

if TYPE_CHECKING:
    import numpy as np

BATCH_SIZES = (1, 2, 7, 32)
INPUT = "input_counts"
OUTPUTS = ("score", "shares")


def load(request: ModelRequest) -> LoadedModel:
    """Read the checkpoint and settle the threshold.

    Raises:
        CheckpointError: see :func:`logexport_ecvc.checkpoints.read_ecvc`.
        UsageError: a threshold that the checkpoint does not have.
    """
    model = read_ecvc(request.checkpoint)
    threshold, name = _settle_threshold(model, request)
    module = CountVectors(model.vectors, model.known, model.shortest, model.longest)
    meta: dict[str, JSONValue] = {
        "feature_dim": model.features,
        "vectors": len(model.vectors),
        "known": int(model.known.sum()),
        "shortest": model.shortest,
        "longest": model.longest,
        "notes": [
            "A score is the distance to the nearest count vector of the training, from 0 to 1; 1"
            " more for an event that training did not have; and 1 more for a session that is"
            " shorter or longer than all of the training.",
            *_threshold_notes(model, name),
        ],
    }
    return LoadedModel(
        module=module.eval(),
        task=Task(
            SessionCounts(),
            ScoreThreshold(OUTPUTS[0], threshold, name, dict(model.thresholds), OUTPUTS[1]),
        ),
        vocab_size=model.features - 1,
        meta=meta,
        trained_vocab_sha256=model.vocab_sha256,
        warnings=model.warnings,
    )


def _settle_threshold(model: Ecvc, request: ModelRequest) -> tuple[float, str]:
    """Value and name."""
    wanted: str | None = request.options.get("threshold")
    held = model.thresholds
    if wanted is None:
        if DEFAULT not in held:
            raise UsageError(
                f"{request.checkpoint} holds no threshold {DEFAULT}",
                "Name a number by --threshold.",
            )
        wanted = DEFAULT
    if wanted in held:
        return held[wanted], wanted
    if wanted in RATES and model.held_out is not None:
        raise UsageError(
            f"the threshold {wanted} needs at least {round(1 / RATES[wanted]):,} sessions that are"
            f" held out, and {request.checkpoint} has {model.held_out:,}",
            f"Choose one of {', '.join([*held, 'a number'])}, or train on a longer log.",
        )
    return read_threshold(wanted, held), "value"


def _threshold_notes(model: Ecvc, name: str) -> list[str]:
    if name not in NAMES:
        return ["The threshold was given as a number."]
    if model.held_out is None:
        return []
    return [f"Thresholds are of {model.held_out:,} sessions, each judged by the other ones."]


def dummy(model: LoadedModel) -> DummyInput:
    """Example counts, and batches to probe; features are fixed.

    Random sessions are those of the training with counts more and less, so that they lie on both
    sides of a threshold; a few have events that no other has.
    """
    import torch

    module = model.module
    assert isinstance(module, CountVectors)  # noqa: S101 - load made it
    kept = module.all_columns()
    vectors = kept.numpy()
    rows, features = vectors.shape
    batch = next(
        size
        for size in range(3, 8)
        if size not in (rows, features, module.part, len(module.columns))
    )
    example = kept[torch.arange(batch) % rows]
    example[1:, :2] += 1

    def draw(sizes: Sizes, generator: np.random.Generator) -> tuple[np.ndarray, ...]:
        shape = (sizes["batch_size"], features)
        drawn = vectors[generator.integers(rows, size=shape[0])].copy()
        changes = generator.random(shape) < generator.choice([0.0, 0.02, 0.2], size=(shape[0], 1))
        drawn[changes] += generator.integers(-2, 3, size=shape)[changes]
        return (drawn.clip(min=0),)

    grid: list[Sizes] = [{"batch_size": size} for size in BATCH_SIZES]
    return DummyInput(
        tensors=(example,),
        input_names=(INPUT,),
        output_names=OUTPUTS,
        dynamic_axes={name: {0: "batch_size"} for name in (INPUT, *OUTPUTS)},
        grid=tuple(grid),
        draw=draw,
    )
