"""A graph held against the module that it was made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from logexport.verdicts.tolerance import ABSOLUTE, RELATIVE

if TYPE_CHECKING:
    import torch
    from logexport.types import DummyInput


def compare(path: Path, module: torch.nn.Module, dummy: DummyInput) -> tuple[float, bool]:
    """Run both at every size of the grid.

    Returns:
        the largest difference of ONNX Runtime to PyTorch, and whether every number is within the
        tolerance of the host's checks.

    Raises:
        ValueError: an output has another shape than PyTorch's.
    """
    import torch
    from logexport.exporters.graph import open_session

    session = open_session(path)
    generator = np.random.default_rng(1)
    largest, within = 0.0, True
    for sizes in dummy.grid:
        inputs = dummy.draw(sizes, generator)
        found = session.run(
            list(dummy.output_names), dict(zip(dummy.input_names, inputs, strict=True))
        )
        with torch.no_grad():
            wanted = module(*map(torch.from_numpy, inputs))
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        for name, one, other in zip(dummy.output_names, found, wanted, strict=True):
            expected = other.numpy()
            if one.shape != expected.shape:
                raise ValueError(f"{name} is {one.shape} and {expected.shape} at {dict(sizes)}")
            difference = np.abs(one - expected)
            largest = max(largest, float(difference.max()))
            allowed = ABSOLUTE + RELATIVE * np.abs(expected)
            within = within and bool((difference <= allowed).all())
    return largest, within
