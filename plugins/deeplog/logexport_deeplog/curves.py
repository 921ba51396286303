"""From the ranks of held-out events to k: how much of normal data each k flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from logexport.training.budgets import OF_OTHERS, OF_SESSIONS, Budget
from torch import Tensor

from logexport_deeplog.windows import Split, Windows

LARGEST_K = 20
"""The largest k that a curve shows, if a larger one is not taken."""


@dataclass(frozen=True)
class Curve:
    """How much of the held-out part is an anomaly, by k.

    An unseen line is an anomaly whatever k is. The shares leave it out, since no k changes what is
    said of it; sessions with such lines are counted.

    Args:
        budget: of the held-out sessions, or of the held-out events if no sessions are held out.
        ranks: int64 ``[events]``.
        worst: int64 ``[sessions]``, the largest rank of each held-out session's events, its end
            included; -1 if none of them is judged. Empty if no sessions are held out.
        with_unseen: how many of these sessions have a line that matches no template.
    """

    budget: Budget
    ranks: np.ndarray
    worst: np.ndarray
    with_unseen: int

    @property
    def scores(self) -> np.ndarray:
        """What the budget counts: flagged by k if it is at least k."""
        return self.worst if len(self.worst) else self.ranks

    def choose_k(self) -> int:
        """The smallest k from 1 on within the budget; it may be too large for the vocabulary."""
        return max(1, int(self.budget.choose_limit(self.scores.tolist())) + 1)

    def share_at(self, k: int) -> float:
        """The share that the budget is of."""
        return self.budget.share_of(int((self.scores >= k).sum()))

    def flagged(self, scores: np.ndarray, taken: int) -> Mapping[int, float]:
        """By k, the share of these scores; empty if there are none."""
        if not len(scores):
            return {}
        shown = sorted({*range(1, LARGEST_K + 1), taken})
        return {k: float((scores >= k).mean()) for k in shown}


def make_curve(windows: Windows, parts: Split, ranks: Tensor, share: float | None) -> Curve | None:
    """The curve of the held-out part; None if there is none.

    Args:
        windows: of the whole log.
        parts: what is held out.
        ranks: int64, of each held-out window's actual event.
        share: the budget; None for the default one.
    """
    if not len(ranks):
        return None
    held = parts.sessions
    worst = np.full(len(windows.named), -1, dtype=np.int64)
    np.maximum.at(worst, windows.session[parts.held_out].numpy(), ranks.numpy())
    if len(held):
        budget = Budget(share or OF_SESSIONS, len(held), "sessions", share is None)
    else:
        budget = Budget(share or OF_OTHERS, len(ranks), "lines", share is None)
    return Curve(budget, ranks.numpy(), worst[held], int(windows.with_unseen[held].sum()))
