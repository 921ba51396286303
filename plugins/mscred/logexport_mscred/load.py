"""What ``logexport run`` asks of MSCRED: the checkpoint read, its settings settled, its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from logexport.errors import InputError, UsageError
from logexport.types import (
    CountMatrix,
    DummyInput,
    JSONValue,
    LoadedModel,
    ModelRequest,
    ScoreThreshold,
    Sizes,
    Task,
    Vocabulary,
)
from logexport.verdicts.options import read_threshold

from logexport_mscred.checkpoints import LARGEST_SIDE, Mscred, read_mscred
from logexport_mscred.model import SMALLEST_SIDE, Autoencoder, CountScorer
from logexport_mscred.thresholds import DEFAULTS, NAMES, needed

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from logexport_mscred.counts import WindowCounts

BATCH_SIZES = (1, 2, 7, 32)
INPUT = "input_features"
OUTPUTS = ("reconstructed", "reconstruction_error", "feature_error")

ALOG_LINES, ALOG_STRIDE = 50, 25
"""alog-detect's defaults, taken only where nobody says and the user goes on knowingly."""
ALOG_FLOOR = 1e-8
"""What alog-detect adds to every deviation."""


@dataclass(frozen=True)
class _Scale:
    """How counts become what the network was trained on."""

    mean: Tensor
    deviation: Tensor
    source: str
    notes: tuple[str, ...] = ()


def load(request: ModelRequest) -> LoadedModel:
    """Read the checkpoint and settle sizes, standardisation and threshold.

    Raises:
        CheckpointError: see :func:`read_mscred`.
        UsageError: an option contradicts the checkpoint, or a threshold that it does not have.
        InputError: standardisation, lines or stride are not known, or the window counts do not fit.
    """
    from logexport_mscred.counts import read_counts

    model = read_mscred(request.checkpoint)
    path = request.options.get("window_counts")
    counts = None if path is None else read_counts(path)
    features = _settle_features(model, request, counts)
    _agree(request.checkpoint, "--window-size", request.options.get("window_size"), model.steps)
    lines, stride, line_notes = _settle_lines(model, request, counts)
    scale = _settle_scale(model, request, counts, features)
    threshold, name, warnings = _settle_threshold(model, request)
    autoencoder = Autoencoder(model.channels, model.steps, features)
    autoencoder.load_state_dict(dict(model.weights))
    module = CountScorer(autoencoder, scale.mean, scale.deviation)
    meta: dict[str, JSONValue] = {
        "window_size": model.steps,
        "feature_dim": features,
        "checkpoint_kind": model.kind,
        "channels": list(model.channels),
        "standardisation": scale.source,
        "notes": [
            "Counts enter raw: standardisation, reconstruction and error are in the graph.",
            *scale.notes,
            *line_notes,
            *_threshold_notes(model, name),
        ],
    }
    return LoadedModel(
        module=module.eval().requires_grad_(False),
        task=Task(
            CountMatrix(lines, stride, model.steps),
            ScoreThreshold(OUTPUTS[1], threshold, name, dict(model.thresholds), OUTPUTS[2]),
        ),
        vocab_size=features,
        meta=meta,
        trained_vocab_sha256=model.vocab_sha256,
        warnings=(*model.warnings, *warnings, *(scale.notes if scale.source == "none" else ())),
    )


def _agree(checkpoint: Path, option: str, wanted: int | None, trained: int) -> None:
    if wanted is not None and wanted != trained:
        what = {"--window-size": "windows in a sample", "--feature-dim": "templates"}[option]
        raise UsageError(
            f"{option} {wanted} contradicts {checkpoint}, which was trained with {trained} {what}",
            "Leave the option out: the checkpoint's is taken.",
        )


def _settle_features(model: Mscred, request: ModelRequest, counts: WindowCounts | None) -> int:
    wanted: int | None = request.options.get("feature_dim")
    if model.features is not None:
        _agree(request.checkpoint, "--feature-dim", wanted, model.features)
    features = model.features or wanted or (counts.features if counts else None)
    if features is None:
        raise InputError(
            f"{request.checkpoint} holds weights alone and does not say how many templates the"
            " model was trained with",
            "Name its training data by --window-counts, or the number by --feature-dim.",
        )
    if counts is not None and counts.features != features:
        raise InputError(
            f"{counts.path} counts {counts.features} templates, but {request.checkpoint} was"
            f" trained with {features}",
            "Name the window counts that the model was trained on.",
        )
    if not SMALLEST_SIDE <= features <= LARGEST_SIDE:
        raise InputError(
            f"{request.checkpoint}: {features} templates are not from {SMALLEST_SIDE} to"
            f" {LARGEST_SIDE}",
            "Name the number that the model was trained with.",
        )
    return features


def _settle_lines(
    model: Mscred, request: ModelRequest, counts: WindowCounts | None
) -> tuple[int, int, list[str]]:
    """Lines and stride of a window, and what to say of them."""
    if model.lines is not None and model.stride is not None:
        if counts is not None and (counts.lines, counts.stride) != (model.lines, model.stride):
            raise InputError(
                f"{counts.path} has windows of {counts.lines} lines every {counts.stride}, but"
                f" {request.checkpoint} was trained with {model.lines} every {model.stride}",
                "Name the window counts that the model was trained on.",
            )
        return model.lines, model.stride, []
    if counts is not None:
        return counts.lines, counts.stride, [counts.found] if counts.found else []
    note = (
        f"The checkpoint does not say lines and stride: alog-detect's defaults, {ALOG_LINES} and"
        f" {ALOG_STRIDE}, are assumed."
    )
    return ALOG_LINES, ALOG_STRIDE, [note]


def _settle_scale(
    model: Mscred, request: ModelRequest, counts: WindowCounts | None, features: int
) -> _Scale:
    import torch

    raw = bool(request.options.get("no_standardise"))
    if model.mean is not None and model.deviation is not None:
        if raw:
            raise UsageError(
                f"--no-standardise contradicts {request.checkpoint}, which holds its"
                " standardisation",
                "Leave the option out.",
            )
        if counts is not None and counts.vocab_sha256 not in (None, model.vocab_sha256):
            raise InputError(
                f"{counts.path} was made with another vocabulary than {request.checkpoint}",
                "Name the window counts that the model was trained on.",
            )
        return _Scale(model.mean, model.deviation, "checkpoint")
    if raw:
        note = (
            "Counts are not standardised (--no-standardise): a network that was trained on"
            " standardised counts scores raw ones wrongly."
        )
        zero = torch.zeros(features, dtype=torch.float64)
        return _Scale(zero, zero + 1, "none", (note,))
    if counts is None:
        beside = request.checkpoint.parent / "window_counts.parquet"
        hint = f" ({beside} may be it)" if beside.is_file() else ""
        raise InputError(
            f"{request.checkpoint} was trained on standardised counts but holds neither their mean"
            " nor their deviation, and guessed ones would give wrong scores and so wrong verdicts",
            f"Name the model's training data by --window-counts{hint}, or go on knowingly with"
            " --no-standardise.",
        )
    return _alog_scale(counts)


def _alog_scale(counts: WindowCounts) -> _Scale:
    """As alog-detect's training does it: every row of the file, the last window too."""
    import numpy as np
    import torch

    values = counts.counts.astype(np.float64)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    notes = [
        f"Standardisation: mean and population deviation + {ALOG_FLOOR:g} of {counts.path.name}"
        f" ({len(values)} windows), as alog-detect trains."
    ]
    constant = int((deviation == 0).sum())
    if constant:
        notes.append(
            f"{constant} columns never vary there: one count more or less in them is an error of"
            f" {1 / ALOG_FLOOR:g} deviations, as it was for alog-detect."
        )
    return _Scale(
        torch.from_numpy(mean),
        torch.from_numpy(deviation + ALOG_FLOOR),
        "window_counts",
        tuple(notes),
    )


def _settle_threshold(model: Mscred, request: ModelRequest) -> tuple[float, str, tuple[str, ...]]:
    """Value, name and warnings."""
    wanted: str | None = request.options.get("threshold")
    held = model.thresholds
    if wanted is None:
        name = next((name for name in DEFAULTS if name in held), None)
        if name is None:
            raise UsageError(
                f"{request.checkpoint} holds no threshold to take",
                "Name a number by --threshold.",
            )
        if name in DEFAULTS[:2]:
            return held[name], name, ()
        return held[name], name, (f"{_too_small(model, request, DEFAULTS[1])}; {name} is taken.",)
    if wanted in held:
        return held[wanted], wanted, ()
    if wanted in NAMES:
        raise UsageError(
            _too_small(model, request, wanted),
            f"Choose one of {', '.join([*held, 'a number'])}, or train on a longer log.",
        )
    return read_threshold(wanted, held), "value", ()


def _too_small(model: Mscred, request: ModelRequest, name: str) -> str:
    if model.held_out is None:
        return f"{request.checkpoint} has no threshold {name}"
    return (
        f"the threshold {name} needs at least {needed(name):,} windows that were held out of the"
        f" training, and {request.checkpoint} has {model.held_out:,}"
    )


def _threshold_notes(model: Mscred, name: str) -> list[str]:
    if name == "value":
        return ["The threshold was given as a number."]
    if model.held_out is not None:
        return [f"Thresholds are of {model.held_out:,} windows that share nothing with training."]
    return ["Thresholds are those that the checkpoint came with."]


def vocabulary(request: ModelRequest, model: LoadedModel) -> Vocabulary:
    """The vocabulary file, or template ids turned into the last templates that they had.

    Raises:
        VocabularyError: see :func:`logexport.vocab.load_vocab` and :func:`logexport.vocab.repair`.
    """
    from logexport.training.id_tables import read_id_table
    from logexport.vocab import load_vocab, looks_like_ids, read_entries, repair

    if request.parsed is not None:
        entries = read_entries(request.vocab)
        if looks_like_ids(entries) and len(entries) == model.vocab_size:
            return repair(entries, read_id_table(request.parsed, entries).history, request.parsed)[
                0
            ]
    return load_vocab(request.vocab, expected_size=model.vocab_size)


def dummy(model: LoadedModel) -> DummyInput:
    """Example counts, and batches to probe; steps and features are fixed.

    Random counts follow the training's means: a network that is fed what it could never see gives
    numbers so large that float32 itself is the difference.
    """
    import torch

    task, module = model.task.input, model.module
    assert isinstance(task, CountMatrix) and isinstance(module, CountScorer)  # noqa: S101 PT018
    steps, features = task.steps, model.vocab_size
    mean = module.mean.clamp(min=0).numpy()
    varies = module.deviation.numpy() > 2 * ALOG_FLOOR
    if model.meta["standardisation"] == "none":
        mean = mean + task.lines / features
    taken = {steps, features, 1, *module.autoencoder.size}
    batch = next(size for size in range(3, 8) if size not in taken)
    counts = torch.arange(batch * steps * features).reshape(batch, 1, steps, features)
    example = (counts % 7).to(torch.float32)

    def draw(sizes: Sizes, generator: np.random.Generator) -> tuple[np.ndarray, ...]:
        shape = (sizes["batch_size"], 1, steps, features)
        drawn = generator.poisson(mean + 0.05, size=shape).astype("float32")
        drawn[..., ~varies] = mean[~varies]
        return (drawn,)

    grid: list[Mapping[str, int]] = [{"batch_size": size} for size in BATCH_SIZES]
    return DummyInput(
        tensors=(example,),
        input_names=(INPUT,),
        output_names=OUTPUTS,
        dynamic_axes={name: {0: "batch_size"} for name in (INPUT, *OUTPUTS)},
        grid=tuple(grid),
        draw=draw,
    )
