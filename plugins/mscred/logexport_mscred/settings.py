"""How MSCRED is trained, by default and by options. Every ``--help`` imports this."""

from __future__ import annotations

from dataclasses import dataclass

from logexport.training.loop import Schedule


@dataclass(frozen=True)
class Settings(Schedule):
    """How to train, beside the schedule.

    Args:
        steps: windows in a sample.
        channels: of the encoder's blocks.
        holdout: share of the samples that thresholds are taken from.
    """

    epochs: int = 50
    patience: int = 5
    learning_rate: float = 0.001
    batch_size: int = 32
    steps: int = 20
    channels: tuple[int, int, int] = (32, 64, 128)
    holdout: float = 0.2
