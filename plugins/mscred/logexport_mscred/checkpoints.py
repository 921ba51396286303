"""The MSCRED checkpoints in the wild, told apart by what stands beside their weights.

================  ===========================================  ================================
kind              weights under                                beside them
================  ===========================================  ================================
``logexport``     ``state_dict``, with ``standardise.mean``    architecture, sizes, thresholds
                  and ``standardise.deviation``
``alog-detect``   ``model_state_dict``                         num_templates, threshold_stats
``weights``       a bare state dict, or any of these prefixes  nothing
================  ===========================================  ================================

Channels are read from the weights. The network is fully convolutional, so the weights do not say
how many steps and features it was trained with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from logexport.checkpoints import (
    Checkpoint,
    Facts,
    as_float32,
    describe,
    find_weights,
    load_checkpoint,
    misfit,
    require_finite,
    strip_prefixes,
)
from logexport.errors import CheckpointError
from torch import Tensor

from logexport_mscred.model import ARCHITECTURE, KERNELS, SMALLEST_SIDE, split_channels
from logexport_mscred.thresholds import NAMES

KNOWN = (
    "Known are logexport's and alog-detect's MSCRED: encoder.conv1 to conv3 (parallel convolutions"
    " convs.0 to convs.2 with kernels 3, 5 and 7, and bn), encoder.att1 to att3 (conv_att),"
    " decoder.deconv3, deconv2 and deconv1, with any number of channels."
)

ALOG_STEPS = 20
"""A constant of alog-detect's code, which its checkpoints do not hold."""
LARGEST_SIDE = 65_536

MEAN, DEVIATION = "standardise.mean", "standardise.deviation"
COUNTER = "bn.num_batches_tracked"

_ALOG_THRESHOLDS = {
    "p95": "threshold_95",
    "p99": "threshold_99",
    "p99.9": "threshold_99_9",
    "3sigma": "threshold_3sigma",
    "mad": "threshold_mad",
}


@dataclass(frozen=True)
class Mscred:
    """An MSCRED checkpoint, read.

    Args:
        kind: ``logexport``, ``alog-detect`` or ``weights``.
        weights: of the autoencoder, float32.
        channels: of the encoder's blocks.
        steps: windows in a sample.
        features: templates, or None where the checkpoint does not say.
        lines, stride: of a window, or None.
        mean, deviation: float64 ``[features]``, or None.
        thresholds: by name.
        held_out: how many windows the thresholds are taken from, or None.
        vocab_sha256: or None.
        warnings: sentences for the report.
    """

    kind: str
    weights: Mapping[str, Tensor]
    channels: tuple[int, int, int]
    steps: int
    features: int | None
    lines: int | None
    stride: int | None
    mean: Tensor | None
    deviation: Tensor | None
    thresholds: Mapping[str, float]
    held_out: int | None
    vocab_sha256: str | None
    warnings: tuple[str, ...] = ()


def read_mscred(path: Path) -> Mscred:
    """Read a checkpoint of any known kind.

    Raises:
        CheckpointError: unreadable or unsafe (see :func:`logexport.checkpoints.load_checkpoint`),
            of an unknown kind or architecture, weights that are not finite, or contradicting facts.
    """
    checkpoint = load_checkpoint(path)
    found = find_weights(checkpoint)
    if found is None:
        raise _unknown(checkpoint, "it has no dict of weights")
    weights, facts = strip_prefixes(found.tensors), found.facts
    own = facts.entries.get("architecture")
    if own is not None and own != ARCHITECTURE:
        raise CheckpointError(
            f"{path} has the architecture {str(own)[:80]!r}, which this version does not know",
            f"Known is {ARCHITECTURE}; use the version of logexport that trained it.",
        )
    mean, deviation = weights.pop(MEAN, None), weights.pop(DEVIATION, None)
    channels = _infer(checkpoint, weights)
    weights, conversion_warnings = as_float32(path, weights)
    warnings = (*checkpoint.warnings, *conversion_warnings)
    if own is not None:
        return _own(checkpoint, facts, weights, channels, mean, deviation, warnings)
    if mean is not None or deviation is not None:
        raise _unknown(checkpoint, f"it has {MEAN} or {DEVIATION}, but no architecture")
    return Mscred(
        kind="alog-detect" if "num_templates" in facts.entries else "weights",
        weights=weights,
        channels=channels,
        steps=ALOG_STEPS,
        features=facts.integer("num_templates", SMALLEST_SIDE, LARGEST_SIDE),
        lines=None,
        stride=None,
        mean=None,
        deviation=None,
        thresholds=_alog_thresholds(facts),
        held_out=None,
        vocab_sha256=None,
        warnings=warnings,
    )


def _own(
    checkpoint: Checkpoint,
    facts: Facts,
    weights: Mapping[str, Tensor],
    channels: tuple[int, int, int],
    mean: Tensor | None,
    deviation: Tensor | None,
    warnings: tuple[str, ...],
) -> Mscred:
    path = checkpoint.path
    features = facts.needed_integer("num_templates", SMALLEST_SIDE, LARGEST_SIDE)
    steps = facts.needed_integer("steps", SMALLEST_SIDE, LARGEST_SIDE)
    lines, stride = (facts.needed_integer(name, most=2**24) for name in ("lines", "stride"))
    if mean is None or deviation is None:
        raise CheckpointError(f"{path} lacks {MEAN} or {DEVIATION}", "Train the model again.")
    for name, tensor in ((MEAN, mean), (DEVIATION, deviation)):
        if tuple(tensor.shape) != (features,) or tensor.dtype != torch.float64:
            raise CheckpointError(
                f"{path}: {name} is {tensor.dtype} {tuple(tensor.shape)} where the model has"
                f" {features} templates and the standardisation is float64",
                "Train the model again.",
            )
    require_finite(path, {MEAN: mean, DEVIATION: deviation})
    if not bool((deviation > 0).all()):
        raise CheckpointError(f"{path}: {DEVIATION} has entries that are not above 0")
    settings = Facts(path, checkpoint.settings())
    stored = settings.numbers("thresholds")
    return Mscred(
        kind="logexport",
        weights=weights,
        channels=channels,
        steps=steps,
        features=features,
        lines=lines,
        stride=stride,
        mean=mean,
        deviation=deviation,
        thresholds={name: stored[name] for name in NAMES if name in stored},
        held_out=settings.integer("held_out_windows", least=0),
        vocab_sha256=facts.sha256(),
        warnings=warnings,
    )


def _infer(checkpoint: Checkpoint, weights: Mapping[str, Tensor]) -> tuple[int, int, int]:
    """The channels that explain the name and shape of every tensor, exactly."""
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    widths = []
    for block in (1, 2, 3):
        shape = shapes.get(f"encoder.conv{block}.bn.weight", ())
        if len(shape) != 1 or shape[0] < len(KERNELS):
            raise _unknown(checkpoint, f"it has no vector encoder.conv{block}.bn.weight")
        widths.append(shape[0])
    first, second, third = widths
    expected: dict[str, tuple[int, ...]] = {
        "decoder.deconv3.weight": (third, second, 4, 4),
        "decoder.deconv3.bias": (second,),
        "decoder.deconv2.weight": (second, first, 4, 4),
        "decoder.deconv2.bias": (first,),
        "decoder.deconv1.weight": (1, first, 3, 3),
        "decoder.deconv1.bias": (1,),
    }
    for block, inputs, outputs in ((1, 1, first), (2, first, second), (3, second, third)):
        own = f"encoder.conv{block}"
        for number, (width, size) in enumerate(zip(split_channels(outputs), KERNELS, strict=True)):
            expected[f"{own}.convs.{number}.weight"] = (width, inputs, size, size)
            expected[f"{own}.convs.{number}.bias"] = (width,)
        for name in ("weight", "bias", "running_mean", "running_var"):
            expected[f"{own}.bn.{name}"] = (outputs,)
        expected[f"{own}.{COUNTER}"] = ()
        expected[f"encoder.att{block}.conv_att.weight"] = (1, outputs, 1, 1)
        expected[f"encoder.att{block}.conv_att.bias"] = (1,)
    why = misfit(weights, expected, [name for name in expected if name.endswith(COUNTER)])
    if why is not None:
        raise _unknown(checkpoint, why)
    return first, second, third


def _unknown(checkpoint: Checkpoint, why: str) -> CheckpointError:
    return CheckpointError(
        f"{checkpoint.path} is no MSCRED checkpoint of a known kind: {why}; it holds "
        f"{describe(checkpoint.content)}",
        KNOWN,
    )


def _alog_thresholds(facts: Facts) -> dict[str, float]:
    stats = facts.entries.get("threshold_stats")
    if not isinstance(stats, Mapping):
        return {}
    statistics = Facts(facts.path, stats)
    values = {name: statistics.number(key) for name, key in _ALOG_THRESHOLDS.items()}
    return {name: value for name, value in values.items() if value is not None}
