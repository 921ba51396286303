"""What a record was decided from: for checks, which ask how near the other verdict was.

None of it is written; :mod:`logexport.verdicts.records` has what is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from logexport.verdicts.tolerance import close, tolerance

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "Judgement",
    "Ranking",
    "Scoring",
]


@dataclass(frozen=True, eq=False)
class Ranking:
    """The logits that a rank was read from.

    Args:
        logits: float32 ``[vocab_size]``.
        event: the actual event's index.
        top_k: ranks below it are normal.
    """

    logits: np.ndarray
    event: int
    top_k: int

    def _others(self) -> tuple[np.ndarray, float]:
        import numpy as np

        row = self.logits.astype(np.float64)
        return np.delete(row, self.event), float(row[self.event])

    @property
    def rank_range(self) -> tuple[int, int]:
        """The ranks that another runtime may find: lowest and highest, the own one between them.

        Logits closer to the actual event's than the tolerance may fall on either side of it. Both
        are -1 if a logit is not finite: the rank is null then, in every runtime.
        """
        import numpy as np

        if not np.isfinite(self.logits).all():
            return -1, -1
        others, actual = self._others()
        near = np.abs(others - actual) <= tolerance(np.array(actual))
        lowest = int(((others > actual) & ~near).sum())
        return lowest, lowest + int(near.sum())

    @property
    def margin(self) -> float:
        """Distance from the actual event's logit to the k-th greatest of the other logits.

        That one decides the verdict: an anomaly exactly when it is the greater. ``nan`` if a
        logit is not finite.
        """
        import numpy as np

        others, actual = self._others()
        if not (np.isfinite(others).all() and math.isfinite(actual)):
            return math.nan
        kth = np.partition(others, len(others) - self.top_k)[len(others) - self.top_k]
        return abs(float(kth) - actual)

    @property
    def may_flip(self) -> bool:
        """Whether the verdict is within the tolerance of the other one."""
        lowest, highest = self.rank_range
        return lowest < self.top_k <= highest


@dataclass(frozen=True, eq=False)
class Scoring:
    """The score that a verdict was read from.

    Args:
        score: the float32, widened.
        threshold: scores up to it are normal.
        attribution: float32 ``[features]``; None if the task declares none.
    """

    score: float
    threshold: float
    attribution: np.ndarray | None = None

    @property
    def shares(self) -> np.ndarray | None:
        """float64 ``[features]``: value / sum; None if there are none.

        The sum is taken one value after another, in the order of the index, in double: other orders
        round otherwise. If the sum is not finite or not above 0, the shares are None.
        """
        import numpy as np

        if self.attribution is None or not len(self.attribution):
            return None
        values = self.attribution.astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            total = float(np.cumsum(values)[-1])
        return values / total if math.isfinite(total) and total > 0 else None

    @property
    def margin(self) -> float:
        """|score - threshold|; ``nan`` if the score is not a number."""
        return abs(self.score - self.threshold)

    @property
    def may_flip(self) -> bool:
        """Whether the verdict is within the tolerance of the other one."""
        return math.isfinite(self.score) and close(self.threshold, self.score)


Judgement: TypeAlias = "Ranking | Scoring"
