"""How to train, by default and by options. Every `--help` imports this."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """How to train; one window in ten is held out, the last ones of the log."""

    seq_len: int = 10
    width: int = 32
    heads: int = 2
    layers: int = 2
    epochs: int = 10
    batch_size: int = 128
    seed: int = 0
