"""Thresholds of a score from the scores of windows that were not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from logexport.training.budgets import Budget

if TYPE_CHECKING:
    import numpy as np

PERCENTILES: Mapping[str, float] = {"p95": 95.0, "p99": 99.0, "p99.9": 99.9}
BUDGET = "budget"
"""The threshold that ``--false-alarms`` asks for; any number of scores gives one."""
NAMES = (BUDGET, *PERCENTILES, "3sigma", "mad")
DEFAULTS = (BUDGET, "p99", "3sigma", "mad")
"""The first that a checkpoint has is taken."""
SHOWN_SHARES = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
"""Budgets that a curve shows."""

NORMAL_MAD = 1.4826
"""Median absolute deviation to standard deviation, for normally distributed scores."""


def needed(name: str) -> int:
    """Fewest scores that the threshold can be taken from.

    A percentile needs one score above it; a deviation needs two.
    """
    if name in PERCENTILES:
        return round(100 / (100 - PERCENTILES[name]))
    return 1 if name == BUDGET else 2


def curve_of(scores: np.ndarray) -> dict[float, float]:
    """By the share of the scores that at most exceeds it, the threshold: shares of one score at
    least, and 0.

    Args:
        scores: float ``[n]``.
    """
    budgets = [Budget(share, len(scores), "windows") for share in (*SHOWN_SHARES, 0.0)]
    values = scores.astype("float64").tolist()
    return {
        budget.share: budget.choose_limit(values)
        for budget in budgets
        if values and (budget.allowed or budget.share == 0)
    }


def thresholds_of(scores: np.ndarray, budget: Budget) -> dict[str, float]:
    """Every threshold that the number of scores allows.

    Args:
        scores: float ``[n]``; thresholds are computed in double.
        budget: of these scores.
    """
    import numpy as np

    scores = scores.astype(np.float64)
    found: dict[str, float] = {}
    for name in NAMES:
        if len(scores) < needed(name):
            continue
        if name in PERCENTILES:
            value = np.percentile(scores, PERCENTILES[name])
        elif name == BUDGET:
            value = budget.choose_limit(scores.tolist())
        elif name == "3sigma":
            value = scores.mean() + 3 * scores.std()
        else:
            median = np.median(scores)
            value = median + 3 * NORMAL_MAD * np.median(np.abs(scores - median))
        found[name] = float(value)
    return found
