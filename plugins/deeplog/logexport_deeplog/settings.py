"""How DeepLog is trained, by default and by options. Every ``--help`` imports this."""

from __future__ import annotations

from dataclasses import dataclass

from logexport.training.loop import Schedule


@dataclass(frozen=True)
class Settings(Schedule):
    """How to train, beside the schedule.

    Args:
        seq_len: events in a window.
        embed_dim, hidden_dim, num_layers: sizes of the model.
        holdout: share of the windows, or sessions, that is not trained on; which sessions, ``seed``
            says too.
    """

    epochs: int = 30
    patience: int = 5
    learning_rate: float = 0.002
    batch_size: int = 128
    seq_len: int = 50
    embed_dim: int = 64
    hidden_dim: int = 128
    num_layers: int = 1
    holdout: float = 0.2
