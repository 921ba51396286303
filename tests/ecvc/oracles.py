"""The score as it is defined, in whole numbers and fractions, with nothing of the plugin's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

Row = Sequence[int]


def distance(one: Row, other: Row) -> Fraction:
    """Σ|a − b| / Σmax(a, b)."""
    apart = sum(abs(a - b) for a, b in zip(one, other, strict=True))
    return Fraction(apart, sum(max(a, b) for a, b in zip(one, other, strict=True)))


def single(value: Fraction) -> np.float32:
    """Rounded to double, then to float32."""
    return np.float32(float(value))


@dataclass(frozen=True)
class Training:
    """What training had: its sessions, and those of them whose vectors are kept."""

    sessions: Sequence[Row]
    kept: Sequence[Row]

    def nearest(self, row: Row) -> int:
        return min(range(len(self.kept)), key=lambda i: (distance(row, self.kept[i]), i))

    def score(self, row: Row) -> Fraction:
        value = distance(row, self.kept[self.nearest(row)])
        known = [any(column) for column in zip(*self.sessions, strict=True)]
        value += any(count and not there for count, there in zip(row, known, strict=True))
        totals = [sum(session) for session in self.sessions]
        return value + (not min(totals) <= sum(row) <= max(totals))

    def shares(self, row: Row) -> list[Fraction]:
        near = self.kept[self.nearest(row)]
        largest = sum(max(a, b) for a, b in zip(row, near, strict=True))
        known = [any(column) for column in zip(*self.sessions, strict=True)]
        new = [0 if there else count for count, there in zip(row, known, strict=True)]
        return [
            Fraction(abs(a - b), largest) + (Fraction(n, sum(new)) if n else 0)
            for a, b, n in zip(row, near, new, strict=True)
        ]


def entries(row: Row) -> tuple[tuple[int, int], ...]:
    """The entries of a vector that are not zero."""
    return tuple((column, count) for column, count in enumerate(row) if count)


def module(training: Training) -> Any:
    """The plugin's module for it."""
    import torch
    from logexport_ecvc.model import CountVectors

    totals = [sum(session) for session in training.sessions]
    known = torch.tensor([any(column) for column in zip(*training.sessions, strict=True)])
    kept = torch.tensor([list(row) for row in training.kept])
    return CountVectors(kept, known, min(totals), max(totals)).eval()
