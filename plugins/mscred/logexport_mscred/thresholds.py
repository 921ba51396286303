"""Thresholds of a score from the scores of windows that were not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

PERCENTILES: Mapping[str, float] = {"p95": 95.0, "p99": 99.0, "p99.9": 99.9}
NAMES = (*PERCENTILES, "3sigma", "mad")
DEFAULT = "p99"

NORMAL_MAD = 1.4826
"""Median absolute deviation to standard deviation, for normally distributed scores."""


def needed(name: str) -> int:
    """Fewest scores that the threshold can be taken from.

    A percentile needs one score above it; a deviation needs two.
    """
    if name in PERCENTILES:
        return round(100 / (100 - PERCENTILES[name]))
    return 2


def thresholds_of(scores: np.ndarray) -> dict[str, float]:
    """Every threshold that the number of scores allows.

    Args:
        scores: float ``[n]``; thresholds are computed in double.
    """
    import numpy as np

    scores = scores.astype(np.float64)
    found: dict[str, float] = {}
    for name in NAMES:
        if len(scores) < needed(name):
            continue
        if name in PERCENTILES:
            value = np.percentile(scores, PERCENTILES[name])
        elif name == "3sigma":
            value = scores.mean() + 3 * scores.std()
        else:
            median = np.median(scores)
            value = median + 3 * NORMAL_MAD * np.median(np.abs(scores - median))
        found[name] = float(value)
    return found
