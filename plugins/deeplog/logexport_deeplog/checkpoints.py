"""The DeepLog checkpoints in the wild, told apart by the keys and shapes of their weights.

================  ==========================================  =============================
kind              weights                                     beside them
================  ==========================================  =============================
``logexport``     embed (V, E), lstm, fc (V, H)               sizes, seq_len, vocab_sha256
``alog-detect``   the same; one layer                         sizes, seq_len
``wuyifan18``     lstm with input size 1, fc (V, H)           nothing: a bare state dict
``logdeep``       the same                                    epoch and losses
================  ==========================================  =============================

Sizes are read from the weights; what a checkpoint says of itself must agree with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from logexport.checkpoints import (
    Checkpoint,
    Facts,
    as_float32,
    describe,
    find_weights,
    load_checkpoint,
    misfit,
    strip_prefixes,
)
from logexport.errors import CheckpointError
from torch import Tensor

from logexport_deeplog.model import EmbeddedEvents, EventIdsAsNumbers

KNOWN = (
    "Known are: logexport's and alog-detect's DeepLog (embed.weight (V, E), lstm.*, fc.weight "
    "(V, H), fc.bias (V,)), and wuyifan18/DeepLog's and logdeep's (lstm.weight_ih_l0 (4H, 1), "
    "lstm.*, fc.weight (V, H), fc.bias (V,)); the lstm one-directional, without projection, of "
    "any number of layers."
)

MAX_SEQ_LEN = 65_536
"""Longest window that a checkpoint may ask for, events: probes of twice that must fit in memory."""


@dataclass(frozen=True)
class Published:
    """What the authors of a kind trained with by default; their checkpoints do not always say."""

    seq_len: int
    top_k: int


PUBLISHED = {
    "logexport": Published(seq_len=50, top_k=9),
    "alog-detect": Published(seq_len=50, top_k=3),
    "wuyifan18": Published(seq_len=10, top_k=9),
    "logdeep": Published(seq_len=10, top_k=9),
}


@dataclass(frozen=True)
class DeepLog:
    """A DeepLog checkpoint, read.

    Args:
        kind: a key of :data:`PUBLISHED`.
        module: in eval mode, float32, on the CPU.
        vocab_size, hidden_dim, num_layers: sizes read from the weights.
        embed_dim: None where event ids are used as numbers.
        seq_len, top_k, vocab_sha256: what the checkpoint says, or None.
        flagged_share: by k, the share of the held-out events that this project's training flagged.
        warnings: sentences for the report.
    """

    kind: str
    module: torch.nn.Module
    vocab_size: int
    hidden_dim: int
    num_layers: int
    embed_dim: int | None
    seq_len: int | None
    top_k: int | None
    vocab_sha256: str | None
    flagged_share: Mapping[int, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def read_deeplog(path: Path) -> DeepLog:
    """Read a checkpoint of any known kind.

    Raises:
        CheckpointError: unreadable or unsafe (see :func:`logexport.checkpoints.load_checkpoint`),
            of an unknown kind, weights that are not finite, or sizes that contradict the weights.
    """
    checkpoint = load_checkpoint(path)
    found = find_weights(checkpoint)
    if found is None:
        raise _unknown(checkpoint, "it has no dict of weights")
    weights, facts = strip_prefixes(found.tensors), found.facts
    sizes = _infer(checkpoint, weights)
    weights, warnings = as_float32(path, weights)
    _check_facts(facts, sizes)
    module: torch.nn.Module
    if "embed_dim" in sizes:
        kind = "logexport" if "vocab_sha256" in facts.entries else "alog-detect"
        module = EmbeddedEvents(**sizes)
    else:
        kind = "logdeep" if found.wrapped else "wuyifan18"
        module = EventIdsAsNumbers(**sizes)
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:  # the shapes of every tensor have been checked; a bug if it comes
        raise CheckpointError(f"{path} does not fit the model that it declares") from error
    return DeepLog(
        kind=kind,
        module=module.eval().requires_grad_(False),
        vocab_size=sizes["vocab_size"],
        hidden_dim=sizes["hidden_dim"],
        num_layers=sizes["num_layers"],
        embed_dim=sizes.get("embed_dim"),
        seq_len=facts.integer("seq_len", most=MAX_SEQ_LEN),
        top_k=facts.integer("top_k"),
        vocab_sha256=facts.sha256(),
        flagged_share=_shares(checkpoint.settings() if kind == "logexport" else {}),
        warnings=(*checkpoint.warnings, *warnings),
    )


def _infer(checkpoint: Checkpoint, weights: Mapping[str, Tensor]) -> dict[str, int]:
    """The sizes that explain the name and shape of every tensor, exactly."""
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    for name in ("fc.weight", "lstm.weight_ih_l0"):
        if len(shapes.get(name, ())) != 2:
            raise _unknown(checkpoint, f"it has no matrix {name}")
    vocab_size, hidden = shapes["fc.weight"]
    layers = sum(1 for name in shapes if name.startswith("lstm.weight_ih_l"))
    sizes = {"vocab_size": vocab_size, "hidden_dim": hidden, "num_layers": layers}
    expected: dict[str, tuple[int, ...]] = {
        "fc.weight": (vocab_size, hidden),
        "fc.bias": (vocab_size,),
    }
    step = 1
    if "embed.weight" in shapes:
        step = shapes["lstm.weight_ih_l0"][1]
        sizes["embed_dim"] = step
        expected["embed.weight"] = (vocab_size, step)
    for layer in range(layers):
        expected[f"lstm.weight_ih_l{layer}"] = (4 * hidden, step if layer == 0 else hidden)
        expected[f"lstm.weight_hh_l{layer}"] = (4 * hidden, hidden)
        expected[f"lstm.bias_ih_l{layer}"] = (4 * hidden,)
        expected[f"lstm.bias_hh_l{layer}"] = (4 * hidden,)
    why = misfit(weights, expected)
    if why is not None:
        raise _unknown(checkpoint, why)
    if 0 in (vocab_size, hidden, step):
        raise _unknown(checkpoint, "its weights are empty")
    return sizes


def _unknown(checkpoint: Checkpoint, why: str) -> CheckpointError:
    return CheckpointError(
        f"{checkpoint.path} is no DeepLog checkpoint of a known kind: {why}; it holds "
        f"{describe(checkpoint.content)}",
        KNOWN,
    )


def _check_facts(facts: Facts, sizes: Mapping[str, int]) -> None:
    for name in ("vocab_size", "embed_dim", "hidden_dim", "num_layers"):
        stated = facts.integer(name)
        if stated is not None and name in sizes and stated != sizes[name]:
            raise CheckpointError(
                f"{facts.path} contradicts itself: it says {name} = {stated}, but its weights have "
                f"{sizes[name]}",
                "The weights and the facts beside them come from two models; save it anew.",
            )


def _shares(settings: Mapping[str, Any]) -> dict[int, float]:
    """Read for a note only, so anything unexpected is left out."""
    shares = settings.get("flagged_share")
    if not isinstance(shares, Mapping):
        return {}
    return {
        int(k): float(share)
        for k, share in shares.items()
        if k.isdecimal() and isinstance(share, (int, float)) and 0 <= share <= 1
    }
