"""The checkpoint of event count vectors: what training had, and the thresholds.

==============  ===========================  =====================================================
tensor          int32, bool                  is
==============  ===========================  =====================================================
``vectors``     int32 [vectors, features]    the count vectors that are kept
``known``       bool [features]              which columns any session of the training had
==============  ===========================  =====================================================

Beside them: ``architecture``, ``feature_dim`` (the vocabulary's size plus one), ``shortest``,
``longest`` (lines of a session), ``vocab_sha256``; in the settings ``thresholds`` by name,
``curve``, ``held_out_sessions`` and how the model was trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from logexport.checkpoints import Facts, describe, find_weights, load_checkpoint
from logexport.errors import CheckpointError
from torch import Tensor

from logexport_ecvc.budget import NAMES
from logexport_ecvc.model import ARCHITECTURE
from logexport_ecvc.vectors import LARGEST_TOTAL

LARGEST_FEATURES = 65_537
MOST_CELLS = 2**24
"""Vectors times features: the graph holds four bytes for each."""

_TRAIN = "Train the model again."


@dataclass(frozen=True)
class Ecvc:
    """A checkpoint, read.

    Args:
        vectors: int32 ``[vectors, features]``.
        known: bool ``[features]``.
        shortest, longest: lines of a session of the training.
        thresholds: by name.
        held_out: how many sessions the thresholds are taken from, or None.
        vocab_sha256: which vocabulary the columns are.
        warnings: sentences for the report.
    """

    vectors: Tensor
    known: Tensor
    shortest: int
    longest: int
    thresholds: Mapping[str, float]
    held_out: int | None
    vocab_sha256: str
    warnings: tuple[str, ...] = ()

    @property
    def features(self) -> int:
        """Columns of a vector: the size of the vocabulary plus one."""
        return int(self.vectors.shape[1])


def read_ecvc(path: Path) -> Ecvc:
    """Read a checkpoint that ``logexport ecvc train`` wrote.

    Raises:
        CheckpointError: unreadable or unsafe (see :func:`logexport.checkpoints.load_checkpoint`),
            of another kind, or with numbers that training does not write.
    """
    checkpoint = load_checkpoint(path)
    found = find_weights(checkpoint)
    facts = Facts(path, {}) if found is None else found.facts
    architecture = facts.entries.get("architecture")
    if found is None or architecture != ARCHITECTURE:
        raise CheckpointError(
            f"{path} is not a checkpoint of event count vectors; it holds"
            f" {describe(checkpoint.content)}",
            "Name what `logexport ecvc train` wrote.",
        )
    features = facts.needed_integer("feature_dim", 2, LARGEST_FEATURES)
    shortest = facts.needed_integer("shortest", 1, LARGEST_TOTAL)
    longest = facts.needed_integer("longest", shortest, LARGEST_TOTAL)
    vocab_sha256 = facts.sha256()
    if vocab_sha256 is None:
        raise CheckpointError(f"{path} does not say vocab_sha256", _TRAIN)
    why = _misfit(found.tensors, features) or _fault(
        found.tensors["vectors"], found.tensors["known"], shortest, longest
    )
    if why is not None:
        raise CheckpointError(f"{path} does not fit together: {why}", _TRAIN)
    settings = Facts(path, checkpoint.settings())
    stored = settings.numbers("thresholds")
    return Ecvc(
        vectors=found.tensors["vectors"],
        known=found.tensors["known"],
        shortest=shortest,
        longest=longest,
        thresholds={name: stored[name] for name in NAMES if name in stored},
        held_out=settings.integer("held_out_sessions"),
        vocab_sha256=vocab_sha256,
        warnings=checkpoint.warnings,
    )


def _misfit(tensors: Mapping[str, Tensor], features: int) -> str | None:
    """Why the tensors are not those of a model with so many columns, None if they are."""
    if tensors.keys() != {"vectors", "known"}:
        return "it holds other tensors than vectors and known"
    vectors, known = tensors["vectors"], tensors["known"]
    if vectors.dtype != torch.int32 or vectors.dim() != 2 or vectors.shape[1] != features:
        return f"vectors is {vectors.dtype} {tuple(vectors.shape)}, and feature_dim is {features}"
    if known.dtype != torch.bool or tuple(known.shape) != (features,):
        return f"known is {known.dtype} {tuple(known.shape)}, and feature_dim is {features}"
    if not 1 <= vectors.numel() <= MOST_CELLS:
        return f"it has {len(vectors):,} vectors: {MOST_CELLS:,} counts at most, and at least one"
    return None


def _fault(vectors: Tensor, known: Tensor, shortest: int, longest: int) -> str | None:
    """Why numbers are not what training writes, None if they are."""
    if bool((vectors < 0).any()):
        return "a vector has a count below 0"
    totals = vectors.to(torch.int64).sum(1)
    if bool((totals < shortest).any()) or bool((totals > longest).any()):
        return f"a vector has a sum that is not from {shortest} to {longest}"
    if bool((vectors[:, ~known] > 0).any()):
        return "a vector has an event that is not known"
    return None
