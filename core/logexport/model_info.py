"""What a model plugin declares of itself, asked of every plugin before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Sample:
    """The files of the sample that ships with a model plugin."""

    checkpoint: Path
    vocab: Path
    preprocess: Path
    log: Path
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelInfo:
    """What a model plugin declares.

    Args:
        name: the model type's name, as in ``--model NAME``: ``[a-z][a-z0-9_-]*``.
        summary: one line for ``--help`` and ``plugins list``.
        input: task input kind, ``event_window``, ``count_matrix`` or one of the plugin's own.
        decision: task decision kind, ``next_event_topk``, ``score_threshold`` or its own.
        sample: what is exported when no checkpoint is named, or None.
    """

    name: str
    summary: str
    input: str
    decision: str
    sample: Sample | None = None
