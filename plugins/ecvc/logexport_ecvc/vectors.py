"""Count vectors, and how far apart they are.

The distance of two vectors a and b of counts is Σ|a − b| / Σmax(a, b): 0 for equal ones, 1 for
those that share nothing (Ružička's; for sets it is Jaccard's). Since |a − b| = a + b − 2 min(a, b)
and max(a, b) = a + b − min(a, b), two sums of one vector and one of both give it::

    m = Σmin(a, b)        distance = (Σa + Σb − 2m) / (Σa + Σb − m)

All three sums are whole numbers. Here they are int64; the graph has m in float32, where it is exact
since it is at most 2^24, and the rest in float64. The one division comes last. So both give the
correctly rounded quotient of the same two whole numbers, whatever the order of the sums.

Only entries that are not zero are kept: of a log with 10,000 templates a session has a few dozen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

LARGEST_TOTAL = 2**24
"""Most lines of a session that is trained on: the sums of such vectors are exact in float32."""


@dataclass(frozen=True)
class Vectors:
    """Vectors of counts, none of them zero everywhere.

    Args:
        features: columns of each.
        columns: int64 ``[entries]``, where a vector is not zero: of the first vector, then of the
            second, and so on.
        counts: int64 ``[entries]``, above 0.
        starts: int64 ``[vectors]``, where each begins in the two.
    """

    features: int
    columns: np.ndarray
    counts: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, entries: Sequence[Sequence[tuple[int, int]]], features: int) -> Vectors:
        """From the entries of each vector: column and count."""
        sizes = np.array([len(one) for one in entries], dtype=np.int64)
        pairs = np.array([pair for one in entries for pair in one], dtype=np.int64).reshape(-1, 2)
        starts = np.cumsum(sizes) - sizes
        return cls(features, pairs[:, 0].copy(), pairs[:, 1].copy(), starts)

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def totals(self) -> np.ndarray:
        """The sum of each, int64 ``[vectors]``."""
        return self._reduce(np.add, self.counts)

    def take(self, chosen: np.ndarray) -> Vectors:
        """Those of the numbers in ``chosen``, int64, in its order."""
        ends = np.append(self.starts[1:], len(self.columns))
        sizes = ends[chosen] - self.starts[chosen]
        starts = np.cumsum(sizes) - sizes
        entries = np.arange(int(sizes.sum())) - np.repeat(starts - self.starts[chosen], sizes)
        return Vectors(self.features, self.columns[entries], self.counts[entries], starts)

    def dense(self, number: int) -> np.ndarray:
        """One of them, int64 ``[features]``."""
        out = np.zeros(self.features, dtype=np.int64)
        last = number + 1 == len(self)
        entries = slice(self.starts[number], None if last else self.starts[number + 1])
        out[self.columns[entries]] = self.counts[entries]
        return out

    def all_dense(self) -> np.ndarray:
        """All of them, int32 ``[vectors, features]``."""
        out = np.zeros((len(self), self.features), dtype=np.int32)
        ends = np.append(self.starts[1:], len(self.columns))
        out[np.repeat(np.arange(len(self)), ends - self.starts), self.columns] = self.counts
        return out

    def used(self) -> np.ndarray:
        """Which columns any of them has, bool ``[features]``."""
        out = np.zeros(self.features, dtype=np.bool_)
        out[self.columns] = True
        return out

    def have_any(self, columns: np.ndarray) -> np.ndarray:
        """Which of them are not zero in any of some columns.

        Args:
            columns: bool ``[features]``.

        Returns:
            bool ``[vectors]``.
        """
        return self._reduce(np.logical_or, columns[self.columns])

    def distances(self, other: np.ndarray) -> np.ndarray:
        """How far each is from one vector, float64 ``[vectors]``.

        Args:
            other: int64 ``[features]``, not zero everywhere.
        """
        shared = self._reduce(np.add, np.minimum(other[self.columns], self.counts))
        both = self.totals + other.sum()
        distances: np.ndarray = (both - 2 * shared) / (both - shared)
        return distances

    def _reduce(self, ufunc: np.ufunc, values: np.ndarray) -> np.ndarray:
        if not len(self):
            return values[:0]
        out: np.ndarray = ufunc.reduceat(values, self.starts)
        return out


def k_centre(
    vectors: Vectors, most: int, first: int, on_vector: Callable[[], None] = lambda: None
) -> tuple[np.ndarray, np.ndarray]:
    """Choose vectors so that the others are near: the farthest from those chosen is next.

    This is Gonzalez's choice (Theoretical Computer Science 38, 1985): no choice of as many has less
    than half its largest distance. Equal distances go to the lower number.

    Args:
        vectors: distinct.
        most: how many to choose; all are, if there are no more.
        first: the number of the first that is chosen.
        on_vector: called for each choice.

    Returns:
        the numbers of those chosen, int64, ascending, and how far each vector is from the nearest
        of these, float64 ``[vectors]``.
    """
    if len(vectors) <= most:
        return np.arange(len(vectors)), np.zeros(len(vectors))
    chosen, apart = [first], vectors.distances(vectors.dense(first))
    while len(chosen) < most:
        on_vector()
        farthest = int(apart.argmax())
        chosen.append(farthest)
        apart = np.minimum(apart, vectors.distances(vectors.dense(farthest)))
    return np.array(sorted(chosen), dtype=np.int64), apart


@dataclass(frozen=True)
class Normal:
    """What training had.

    Args:
        vectors: those that are kept.
        known: which columns any session had, bool ``[features]``.
        shortest, longest: the fewest and the most lines of a session.
    """

    vectors: Vectors
    known: np.ndarray
    shortest: int
    longest: int

    @classmethod
    def of(cls, sessions: Vectors, chosen: np.ndarray) -> Normal:
        """Of all vectors that sessions have, and the numbers of those that are kept."""
        totals = sessions.totals
        return cls(sessions.take(chosen), sessions.used(), int(totals.min()), int(totals.max()))

    def score(self, sessions: Vectors) -> np.ndarray:
        """The score of each, as the graph gives it, float32 ``[vectors]``.

        The distance to the nearest vector; 1 more if a column is not zero that is not known; and 1
        more if the total is less than the shortest or more than the longest.
        """
        nearest = np.full(len(sessions), np.inf)
        for number in range(len(self.vectors)):
            nearest = np.minimum(nearest, sessions.distances(self.vectors.dense(number)))
        totals = sessions.totals
        outside = (totals < self.shortest) | (totals > self.longest)
        is_new = sessions.have_any(~self.known)
        scores: np.ndarray = (nearest + is_new + outside).astype(np.float32)
        return scores
