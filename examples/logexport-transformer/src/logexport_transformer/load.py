"""The checkpoint, and what `logexport run` asks of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from logexport.checkpoints import (
    as_float32,
    describe,
    find_weights,
    load_checkpoint,
    misfit,
    save_checkpoint,
)
from logexport.errors import CheckpointError
from logexport.types import (
    DummyInput,
    EventWindow,
    LoadedModel,
    ModelRequest,
    NextEventTopK,
    Task,
    Vocabulary,
)
from logexport.types import Sizes as AxisSizes

from logexport_transformer import NAME
from logexport_transformer.model import CausalTransformer, Sizes

INPUT, OUTPUT = "input_sequence", "predictions"
MOST = 65_536
"""Largest size that is believed of a checkpoint."""


def save(
    path: Path,
    module: CausalTransformer,
    sizes: Sizes,
    vocab: Vocabulary,
    seq_len: int,
    top_k: int,
    training: Mapping[str, Any],
) -> None:
    """Write a checkpoint: .pth, .pt or .safetensors.

    Raises:
        OutputError: the file cannot be written.
    """
    entries = {"seq_len": seq_len, "top_k": top_k, **asdict(sizes)}
    save_checkpoint(
        path,
        module.state_dict(),
        {"model": NAME, "vocab_sha256": vocab.sha256(), **entries},
        {"training": training},
    )


def load(request: ModelRequest) -> LoadedModel:
    """Read the checkpoint, with the options of `logexport run`.

    Raises:
        CheckpointError: no checkpoint, damaged, or another model's.
    """
    path = request.checkpoint
    checkpoint = load_checkpoint(path)
    found = find_weights(checkpoint)
    if found is None or found.facts.entries.get("model") != NAME:
        raise CheckpointError(
            f"{path} is no checkpoint of {NAME}: it holds {describe(checkpoint.content)}",
            f"Make one with `logexport {NAME} train`.",
        )
    facts = found.facts
    sizes = Sizes(*(facts.needed_integer(name, most=MOST) for name in Sizes.__dataclass_fields__))
    if sizes.width % (2 * sizes.heads):
        raise CheckpointError(f"{path}: the width is no multiple of twice the heads")
    why = misfit(found.tensors, _shapes(sizes))
    if why is not None:
        raise CheckpointError(
            f"{path} does not hold the weights that its sizes ask for: {why}",
            "It is damaged, or was made by another version of this plugin.",
        )
    weights, narrowed = as_float32(path, found.tensors)
    module = CausalTransformer(sizes)
    module.load_state_dict(weights)
    trained = facts.needed_integer("seq_len", most=MOST)
    length = request.options.get("context") or trained
    warnings = [*checkpoint.warnings, *narrowed]
    if length != trained:
        warnings.append(
            f"The checkpoint was trained with windows of {trained} events; --context {length} is"
            " taken, and verdicts may be worse than those it was tested with."
        )
    top_k = request.options.get("top_k") or facts.needed_integer("top_k", most=MOST)
    return LoadedModel(
        module=module.eval(),
        task=Task(EventWindow(length), NextEventTopK(OUTPUT, top_k)),
        vocab_size=sizes.vocab_size,
        meta={
            "seq_len": length,
            "seq_len_source": "checkpoint" if length == trained else "option",
            "layers": sizes.layers,
            "heads": sizes.heads,
            "notes": ["The outputs are the logits of the event after the last step."],
        },
        trained_vocab_sha256=facts.sha256(),
        warnings=tuple(warnings),
    )


def _shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """Shapes of all weights, without making them: a file may claim any size."""
    width, vocab = sizes.width, sizes.vocab_size
    linear = {
        **{f"attention.{part}": (width, width) for part in ("query", "key", "value", "out")},
        "network.0": (2 * width, width),
        "network.2": (width, 2 * width),
    }
    shapes: dict[str, tuple[int, ...]] = {"embed.weight": (vocab, width)}
    for layer in range(sizes.layers):
        for name, shape in linear.items():
            shapes[f"blocks.{layer}.{name}.weight"] = shape
            shapes[f"blocks.{layer}.{name}.bias"] = shape[:1]
        for norm in ("norm_attention", "norm_network"):
            shapes[f"blocks.{layer}.{norm}.weight"] = (width,)
            shapes[f"blocks.{layer}.{norm}.bias"] = (width,)
    shapes |= {"norm.weight": (width,), "norm.bias": (width,)}
    return {**shapes, "out.weight": (vocab, width), "out.bias": (vocab,)}


def dummy(model: LoadedModel) -> DummyInput:
    """Example windows: every dynamic size at least 2, and all sizes different."""
    length, size = cast(EventWindow, model.task.input).length, model.vocab_size
    example = max(length, 3)

    def draw(sizes: AxisSizes, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        shape = (sizes["batch_size"], sizes["sequence_length"])
        return (rng.integers(0, size, shape, dtype="int64"),)

    return DummyInput(
        tensors=(torch.arange(2 * example, dtype=torch.int64).reshape(2, example) % size,),
        input_names=(INPUT,),
        output_names=(OUTPUT,),
        dynamic_axes={
            INPUT: {0: "batch_size", 1: "sequence_length"},
            OUTPUT: {0: "batch_size"},
        },
        grid=tuple(
            {"batch_size": batch, "sequence_length": steps}
            for batch in (1, 2, 7, 32)
            for steps in sorted({1, max(1, length // 2), length, 2 * length})
        ),
        draw=draw,
    )
