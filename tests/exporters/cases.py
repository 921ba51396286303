"""What the export tests share: example inputs for the models, simulated torches."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from logexport.exporters import TorchEnvironment
from logexport.exporters.table import RELEASES
from logexport.types import DummyInput
from packaging.version import Version

VOCAB = 13

COMMON_KEYWORDS = frozenset(
    {"model", "args", "f", "input_names", "output_names", "opset_version", "dynamic_axes"}
)


def simulated(version: str, **changes: Any) -> TorchEnvironment:
    """``torch.onnx.export`` of a release as the table describes it."""
    parsed = Version(version)
    release = RELEASES.get((parsed.major, parsed.minor), RELEASES[max(RELEASES)])
    present = {
        "dynamo": release.dynamo is not None,
        "dynamic_shapes": release.dynamic_shapes,
        "external_data": release.external_data,
        "fallback": release.fallback,
    }
    env = TorchEnvironment(
        torch=parsed,
        keywords=COMMON_KEYWORDS | {name for name, there in present.items() if there},
        dynamo_default=release.dynamo,
        onnx=Version("1.17"),
        onnxscript=Version("0.7.2"),
    )
    return dataclasses.replace(env, **changes)


def event_dummy() -> DummyInput:
    """Event windows: int64 ``[batch_size, sequence_length]`` to ``[batch_size, vocab]``."""
    import torch

    return DummyInput(
        tensors=(torch.arange(15).reshape(3, 5) % VOCAB,),
        input_names=("input_sequence",),
        output_names=("predictions",),
        dynamic_axes={
            "input_sequence": {0: "batch_size", 1: "sequence_length"},
            "predictions": {0: "batch_size"},
        },
        grid=tuple(
            {"batch_size": batch, "sequence_length": length}
            for batch in (1, 2, 7)
            for length in (1, 5, 10)
        ),
        draw=lambda sizes, generator: (
            generator.integers(0, VOCAB, (sizes["batch_size"], sizes["sequence_length"])),
        ),
    )


def count_dummy() -> DummyInput:
    """Count matrices: float32 ``[batch_size, 1, 4, 10]`` to reconstruction, score, shares."""
    names = ("reconstructed", "reconstruction_error", "feature_error")
    return _float_dummy("input_features", names, (1, 4, 10))


def float_dummy() -> DummyInput:
    """Float32 ``[batch_size, 4]`` to one output of as many rows."""
    return _float_dummy("values", ("result",), (4,))


def _float_dummy(name: str, outputs: tuple[str, ...], rest: tuple[int, ...]) -> DummyInput:
    import torch

    return DummyInput(
        tensors=(torch.linspace(0, 1, 3 * int(np.prod(rest))).reshape(3, *rest),),
        input_names=(name,),
        output_names=outputs,
        dynamic_axes={one: {0: "batch_size"} for one in (name, *outputs)},
        grid=({"batch_size": 1}, {"batch_size": 2}, {"batch_size": 7}),
        draw=lambda sizes, generator: (
            generator.random((sizes["batch_size"], *rest), dtype=np.float32),
        ),
    )
