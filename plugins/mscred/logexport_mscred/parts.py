"""The samples of a log divided into a part to train on, one to stop by, one for thresholds.

Sample n covers the windows n to n + steps - 1, and neighbouring windows may cover the same lines.
Between two parts as many samples are left out as it takes for them to share no line; with windows
that overlap by half these are ``steps``, and never fewer.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Parts:
    """Sample numbers of each part; empty ranges for parts that there are none of.

    Args:
        train: the weights and the standardisation are of these.
        stop: training stops when the loss on these no longer falls.
        held_out: thresholds are taken from these.
        gap: samples left out between two parts.
        steps: windows in a sample.
    """

    train: range
    stop: range
    held_out: range
    gap: int
    steps: int

    @property
    def train_rows(self) -> slice:
        """The windows that the training samples cover."""
        return slice(0, len(self.train) - 1 + self.steps)


def divide(samples: int, steps: int, lines: int, stride: int, holdout: float) -> Parts:
    """Divide the samples of a log; later parts are later in the log.

    The part to stop by is half as long as the held-out one. A log that would lose more than half
    of its samples to the parts and the gaps has none; one that would keep fewer samples to train on
    than it holds out has no held-out part either.

    Args:
        samples: how many there are.
        steps: windows in a sample.
        lines, stride: of a window.
        holdout: share to hold out, from 0 to below 1.
    """
    gap = max(steps, steps - 2 + -(-lines // stride))
    nothing = range(0)
    held = max(1, round(holdout * samples)) if holdout > 0 else 0
    if held == 0 or samples - held - gap < max(held, 1):
        return Parts(range(samples), nothing, nothing, gap, steps)
    held_out = range(samples - held, samples)
    stop = max(1, held // 2)
    train = samples - held - stop - 2 * gap
    if train * 2 < samples:
        return Parts(range(samples - held - gap), nothing, held_out, gap, steps)
    return Parts(range(train), range(train + gap, train + gap + stop), held_out, gap, steps)
