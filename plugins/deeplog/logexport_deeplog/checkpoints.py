"""The DeepLog checkpoints in the wild, told apart by the keys and shapes of their weights.

================  ==========================================  =============================
kind              weights                                     beside them
================  ==========================================  =============================
``logexport``     embed (V, E), lstm, fc (V, H)               sizes, seq_len, vocab_sha256
``alog-detect``   the same; one layer                         sizes, seq_len
``wuyifan18``     lstm with input size 1, fc (V, H)           nothing: a bare state dict
``logdeep``       the same                                    epoch and losses
``one-hot``       lstm with input size V, fc (V, H)           mostly nothing
================  ==========================================  =============================

The layers may have other names (PyPI's ``deeplog``: ``out`` for fc); they are told apart by their
shapes. Embedding and one-hot input may have entries more than fc has classes, for padding. Sizes
are read from the weights; what a checkpoint says of itself must agree with them.
"""

from __future__ import annotations

import re
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

from logexport_deeplog.model import EmbeddedEvents, EventIdsAsNumbers, OneHotEvents

KNOWN = (
    "Known are: logexport's and alog-detect's DeepLog (embed.weight (V, E), lstm.*, fc.weight "
    "(V, H), fc.bias (V,)), wuyifan18/DeepLog's and logdeep's (lstm.weight_ih_l0 (4H, 1), "
    "lstm.*, fc.weight (V, H), fc.bias (V,)), and one-hot input as in PyPI's deeplog "
    "(lstm.weight_ih_l0 (4H, V), lstm.*, out.weight (V, H), out.bias (V,)); the lstm "
    "one-directional, without projection, of any number of layers."
)

MOST_SPECIAL = 3
"""How many ids of one-hot input may have no class: padding, unknown, and one more."""

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
    "one-hot": Published(seq_len=10, top_k=9),  # the paper's
}


@dataclass(frozen=True)
class DeepLog:
    """A DeepLog checkpoint, read.

    Args:
        kind: a key of :data:`PUBLISHED`.
        module: in eval mode, float32, on the CPU.
        vocab_size, hidden_dim, num_layers: sizes read from the weights.
        classes: of the output layer: ``vocab_size``, or fewer.
        embed_dim: None if events have no embedding.
        seq_len, top_k, vocab_sha256: what the checkpoint says, or None.
        start, end: the reserved entries that sessions begin and end with, or None.
        ends_trained: how many ends of sessions it was trained on, None if it does not say.
        flagged_share, flagged_sessions: by k, the shares of the held-out events and sessions that
            this project's training flagged.
        warnings: sentences for the report.
    """

    kind: str
    module: torch.nn.Module
    vocab_size: int
    classes: int
    hidden_dim: int
    num_layers: int
    embed_dim: int | None
    seq_len: int | None
    top_k: int | None
    vocab_sha256: str | None
    start: int | None = None
    end: int | None = None
    ends_trained: int | None = None
    flagged_share: Mapping[int, float] = field(default_factory=dict)
    flagged_sessions: Mapping[int, float] = field(default_factory=dict)
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
    layers = _find_layers(checkpoint, weights)
    sizes = _infer(checkpoint, weights, layers)
    weights = layers.rename(weights)
    weights, warnings = as_float32(path, weights)
    _check_facts(facts, sizes)
    module: torch.nn.Module
    if "embed_dim" in sizes:
        kind = "logexport" if "vocab_sha256" in facts.entries else "alog-detect"
        sizes["first_class"], note = _first_class(path, weights["embed.weight"], sizes)
        warnings = (*warnings, *note)
        module = EmbeddedEvents(**sizes)
    elif weights["lstm.weight_ih_l0"].shape[1] > 1:
        kind = "one-hot"
        module = OneHotEvents(**sizes)
    else:
        kind = "logdeep" if found.wrapped else "wuyifan18"
        module = EventIdsAsNumbers(sizes["vocab_size"], sizes["hidden_dim"], sizes["num_layers"])
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:  # the shapes of every tensor have been checked; a bug if it comes
        raise CheckpointError(f"{path} does not fit the model that it declares") from error
    settings = checkpoint.settings() if kind == "logexport" else {}
    start, end = _boundaries(facts, sizes["vocab_size"]) if kind == "logexport" else (None, None)
    return DeepLog(
        kind=kind,
        module=module.eval().requires_grad_(False),
        vocab_size=sizes["vocab_size"],
        classes=sizes["classes"],
        hidden_dim=sizes["hidden_dim"],
        num_layers=sizes["num_layers"],
        embed_dim=sizes.get("embed_dim"),
        seq_len=facts.integer("seq_len", most=MAX_SEQ_LEN),
        top_k=facts.integer("top_k"),
        vocab_sha256=facts.sha256(),
        start=start,
        end=end,
        ends_trained=None if end is None else facts.integer("ends_trained", least=0),
        flagged_share=_shares(settings, "flagged_share"),
        flagged_sessions=_shares(settings, "flagged_sessions"),
        warnings=(*checkpoint.warnings, *warnings),
    )


@dataclass(frozen=True)
class _Layers:
    """The names of a checkpoint's layers, with their last dot: ``lstm.``; embed None for none."""

    lstm: str
    fc: str
    embed: str | None

    def rename(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights by the names that this project's modules have."""
        own = {self.lstm: "lstm.", self.fc: "fc."}
        if self.embed is not None:
            own[self.embed] = "embed."
        return {
            own[name[: name.rindex(".") + 1]] + name[name.rindex(".") + 1 :]: tensor
            for name, tensor in weights.items()
        }


def _find_layers(checkpoint: Checkpoint, weights: Mapping[str, Tensor]) -> _Layers:
    """Tell the layers apart by their shapes."""
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    first = "weight_ih_l0"
    recurrent = [
        name.removesuffix(first) for name in shapes if re.fullmatch(rf"(.*\.)?{first}", name)
    ]
    if not recurrent:
        raise _unknown(checkpoint, "it has no recurrent layer (lstm.weight_ih_l0)")
    if len(recurrent) > 1:
        names = " and ".join(name.rstrip(".") for name in recurrent)
        raise _unknown(checkpoint, f"it has several recurrent layers, {names}")
    (lstm,) = recurrent
    why = _why_no_lstm(lstm, shapes)
    if not lstm or why is not None:
        raise _unknown(checkpoint, why or "its lstm has no name")
    linear: list[str] = []
    tables: list[str] = []
    for name, shape in shapes.items():
        layer, _, rest = name.rpartition(".")
        if rest == "weight" and layer and len(shape) == 2:
            has_bias = f"{layer}.bias" in shapes
            (linear if has_bias else tables).append(f"{layer}.")
    heads = linear if len(linear) < 2 else [name for name in linear if name == "fc."] or linear
    if not heads:
        raise _unknown(checkpoint, "it has no matrix fc.weight with its bias")
    if len(heads) > 1:
        names = " and ".join(name.rstrip(".") for name in heads)
        raise _unknown(checkpoint, f"it has several layers that could give the output, {names}")
    return _Layers(lstm, heads[0], tables[0] if tables else None)


def _why_no_lstm(layer: str, shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """Why a recurrent layer cannot be read; None if it is an LSTM as DeepLog has it."""
    name = layer.rstrip(".")
    if any(key.startswith(layer) and key.endswith("_reverse") for key in shapes):
        return (
            f"{name} is bidirectional ({layer}weight_ih_l0_reverse), and DeepLog reads a window in"
            " one direction"
        )
    if f"{layer}weight_hr_l0" in shapes:
        return f"{name} has a projection ({layer}weight_hr_l0)"
    rows, hidden = shapes[f"{layer}weight_ih_l0"], shapes.get(f"{layer}weight_hh_l0", ())
    if len(rows) != 2:
        return f"it has no matrix {layer}weight_ih_l0"
    if len(hidden) == 2 and hidden[0] == rows[0]:
        gates = {3: "a GRU, with 3", 1: "a plain RNN, with 1"}
        for count, what in gates.items():
            if rows[0] == count * hidden[1]:
                return f"{name} is {what} x H rows in {layer}weight_ih_l0, and DeepLog has an LSTM"
    return None


def _infer(
    checkpoint: Checkpoint, weights: Mapping[str, Tensor], layers: _Layers
) -> dict[str, int]:
    """The sizes that explain the name and shape of every tensor, exactly."""
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    classes, hidden = shapes[f"{layers.fc}weight"]
    lstm = layers.lstm
    count = sum(1 for name in shapes if name.startswith(f"{lstm}weight_ih_l"))
    expected: dict[str, tuple[int, ...]] = {
        f"{layers.fc}weight": (classes, hidden),
        f"{layers.fc}bias": (classes,),
    }
    step = shapes[f"{lstm}weight_ih_l0"][1]
    vocab_size = classes
    sizes: dict[str, int] = {}
    if layers.embed is not None:
        rows = shapes[f"{layers.embed}weight"][0]
        vocab_size = max(classes, rows)
        sizes["embed_dim"] = step
        expected[f"{layers.embed}weight"] = (vocab_size, step)
    elif 0 <= step - classes <= MOST_SPECIAL and step > 1:
        vocab_size = step
    else:
        step = 1
    for layer in range(count):
        expected[f"{lstm}weight_ih_l{layer}"] = (4 * hidden, step if layer == 0 else hidden)
        expected[f"{lstm}weight_hh_l{layer}"] = (4 * hidden, hidden)
        expected[f"{lstm}bias_ih_l{layer}"] = (4 * hidden,)
        expected[f"{lstm}bias_hh_l{layer}"] = (4 * hidden,)
    why = misfit(weights, expected)
    if why is not None:
        raise _unknown(checkpoint, why)
    if 0 in (classes, hidden, step):
        raise _unknown(checkpoint, "its weights are empty")
    return {
        **sizes,
        "vocab_size": vocab_size,
        "classes": classes,
        "hidden_dim": hidden,
        "num_layers": count,
    }


def _first_class(
    path: Path, table: Tensor, sizes: Mapping[str, int]
) -> tuple[int, tuple[str, ...]]:
    """The entry of class 0, and what to warn of.

    PyTorch makes the row of a padding index zero and keeps it so. With one row more than classes
    and the first one zero, event ids begin at 1 and classes at 0.
    """
    spare = sizes["vocab_size"] - sizes["classes"]
    if spare == 1 and not bool(table[0].any()) and bool(table[-1].any()):
        return 1, (
            f"{path} embeds one entry more than it has classes, and the first is zero: index 0 is"
            " taken for padding, and class 0 for index 1.",
        )
    return 0, ()


def _unknown(checkpoint: Checkpoint, why: str) -> CheckpointError:
    return CheckpointError(
        f"{checkpoint.path} is no DeepLog checkpoint of a known kind: {why}; it holds "
        f"{describe(checkpoint.content)}",
        KNOWN,
    )


def _check_facts(facts: Facts, sizes: Mapping[str, int]) -> None:
    for name in ("vocab_size", "embed_dim", "hidden_dim", "num_layers"):
        stated = facts.integer(name)
        if name == "vocab_size" and stated == sizes["classes"]:
            continue
        if stated is not None and name in sizes and stated != sizes[name]:
            raise CheckpointError(
                f"{facts.path} contradicts itself: it says {name} = {stated}, but its weights have "
                f"{sizes[name]}",
                "The weights and the facts beside them come from two models; save it anew.",
            )


def _boundaries(facts: Facts, vocab_size: int) -> tuple[int | None, int | None]:
    """The entries that sessions begin and end with, if the checkpoint names them."""
    start, end = (facts.integer(name, 0, vocab_size - 1) for name in ("start", "end"))
    if start is not None and start == end:
        raise CheckpointError(
            f"{facts.path} names the index {start} for the start and for the end of a session",
            "Train the model again.",
        )
    return start, end


def _shares(settings: Mapping[str, Any], name: str) -> dict[int, float]:
    """Read for a note only, so anything unexpected is left out."""
    shares = settings.get(name)
    if not isinstance(shares, Mapping):
        return {}
    return {
        int(k): float(share)
        for k, share in shares.items()
        if k.isdecimal() and isinstance(share, (int, float)) and 0 <= share <= 1
    }
