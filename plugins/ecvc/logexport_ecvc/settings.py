"""How the model is trained, by default and by options. Every ``--help`` imports this."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT = "budget"
"""The name of the threshold that the budget gives."""


@dataclass(frozen=True)
class Settings:
    """How to train.

    Args:
        false_alarms: the budget: the share of normal sessions that may be called anomalies; None
            for the default one.
        max_vectors: most vectors that the model keeps.
        folds: parts of the sessions; each is judged by what the others make.
        seed: of the parts that are drawn.
        threads: that judge the parts; None for as many as the process may use.
    """

    false_alarms: float | None = None
    max_vectors: int = 1000
    folds: int = 5
    seed: int = 0
    threads: int | None = None
