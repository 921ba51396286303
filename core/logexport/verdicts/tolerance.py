"""How far two runtimes may be apart on one value of a model: the tolerance of every parity check.

A value may stand for the reference's when ``|value - reference| <= ABSOLUTE + RELATIVE *
|reference|``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "ABSOLUTE",
    "RELATIVE",
    "close",
    "tolerance",
]

ABSOLUTE, RELATIVE = 1e-5, 1e-4


def close(value: float, reference: float) -> bool:
    """Whether ``value`` may stand for ``reference``; what is not finite only for its equal."""
    if not math.isfinite(value) or not math.isfinite(reference):
        return value == reference or (math.isnan(value) and math.isnan(reference))
    return abs(value - reference) <= ABSOLUTE + RELATIVE * abs(reference)


def tolerance(reference: np.ndarray) -> np.ndarray:
    """How far each value may be from the reference's: float64, of the reference's shape."""
    import numpy as np

    out: np.ndarray = ABSOLUTE + RELATIVE * np.abs(reference.astype(np.float64))
    return out
