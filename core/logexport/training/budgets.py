"""What is held out of a training, and the limit by which a share of it at most is an anomaly.

All of a training log counts as normal, so what of its held-out part is an anomaly is a false alarm,
and the share of these is a budget. Importing this module imports nothing heavy.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = [
    "OF_OTHERS",
    "OF_SESSIONS",
    "Budget",
    "draw_held_out",
]

OF_SESSIONS = 0.005
"""The budget of sessions, if nobody names one."""
OF_OTHERS = 0.001
"""The budget of lines or windows, if nobody names one: there are more of them."""

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Budget:
    """How many false alarms there may be among what is held out.

    Args:
        share: from above 0 to below 1.
        total: how many were held out.
        unit: what they are, in the plural: ``sessions``, ``lines`` or ``windows``.
        is_default: nobody named it, so that one may be an anomaly however few are held out: to
            allow none would make a model blind for the sake of a number that nobody wants.
    """

    share: float
    total: int
    unit: str
    is_default: bool = False

    @property
    def allowed(self) -> int:
        """How many may be anomalies."""
        allowed = math.floor(self.share * self.total + _ROUNDING)
        return max(allowed, 1) if self.is_default else allowed

    def choose_limit(self, scores: Iterable[float]) -> float:
        """The smallest of the scores that at most :attr:`allowed` of them exceed.

        Args:
            scores: one or more for each that was held out; the larger, the less normal.
        """
        ordered = sorted(scores, reverse=True)
        return ordered[min(self.allowed, len(ordered) - 1)]

    def share_of(self, count: int) -> float:
        """So many of those that were held out, as a share; 0 of none."""
        return count / self.total if self.total else 0.0

    def find_warnings(self) -> tuple[str, ...]:
        """A sentence if the budget is less than one of what is held out: none may be an anomaly
        then, and how often others will be is not known."""
        if self.share * self.total + _ROUNDING >= 1 or not self.total:
            return ()
        nearest, enough = _round_up(1 / self.total), math.ceil(1 / self.share)
        less = f"out of reach: it is less than one of the {self.total:,} held-out {self.unit}"
        if self.is_default:
            return (
                f"The default budget of {self.share:.3g} is {less}. One of these may be an anomaly"
                f" instead ({nearest:.2g}). Hold out {enough:,} or more, or name --false-alarms.",
            )
        return (
            f"A budget of {self.share:.3g} is {less}. The limit is taken by which none of these is"
            f" an anomaly, which says of others only that about one in {self.total:,} may be. Hold"
            f" out {enough:,} or more, or allow {nearest:.2g}.",
        )


def _round_up(share: float) -> float:
    """The next number of two significant digits that is not less."""
    step = 10.0 ** (math.floor(math.log10(share)) - 1)
    return math.ceil(share / step - _ROUNDING) * step


def draw_held_out(count: int, share: float, seed: int) -> Sequence[int]:
    """Numbers of the sessions to hold out, ascending: half of them the last ones by time, half of
    them drawn from the others.

    The last ones show what is new in a log; those that are drawn, what is rare in it.

    Args:
        count: how many sessions there are, numbered from 0 in the order of time.
        share: of them to hold out, from 0 to below 1; at least two of four or more.
        seed: for the draw.
    """
    held = round(share * count)
    if share <= 0 or count < 4:
        return ()
    held = min(max(held, 2), count - 2)
    last = held - held // 2
    earlier = count - last
    drawn = random.Random(seed).sample(range(earlier), held // 2)  # noqa: S311 - no secret
    return (*sorted(drawn), *range(earlier, count))
