"""How many threads PyTorch computes with, for as long as a block runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "use_threads",
]


@contextmanager
def use_threads(number: int) -> Iterator[None]:
    """Let torch compute with so many threads on the CPU, afterwards with as many as before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
