"""Thresholds from a budget of false alarms, on sessions that are held out of the training.

The sessions are divided into parts in two ways: drawn, which shows how much normal sessions differ,
and in blocks of time, which also shows how much they change. Each part is judged by what the other
parts make, so that every session is judged once in each way. The threshold of a rate is the lowest
that keeps both ways within it: the way that flags more decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from logexport.training.budgets import OF_SESSIONS, Budget

from logexport_ecvc.settings import DEFAULT, Settings
from logexport_ecvc.vectors import Normal, Vectors, k_centre

RATES: Mapping[str, float] = {
    "p95": 0.05,
    "p98": 0.02,
    "p99": 0.01,
    "p99.5": 0.005,
    "p99.8": 0.002,
    "p99.9": 0.001,
}
"""Named thresholds, by the rate of false alarms that each allows."""
NAMES = (*RATES, DEFAULT)

WAYS = ("drawn", "time")


@dataclass(frozen=True)
class Point:
    """One rate of the curve.

    Args:
        name: of the threshold.
        rate: share of sessions that may be flagged.
        threshold: the lowest score that keeps both ways within it; higher scores are flagged.
        drawn, time: how many held-out sessions it flags in each way.
    """

    name: str
    rate: float
    threshold: float
    drawn: int
    time: int


@dataclass(frozen=True)
class HeldOut:
    """Scores of held-out sessions.

    Args:
        scores: float32 ``[sessions]`` of each way, in the order of the sessions.
    """

    scores: Mapping[str, np.ndarray]

    @property
    def sessions(self) -> int:
        """How many there are."""
        return len(self.scores[WAYS[0]])

    def budget(self, rate: float | None) -> Budget:
        """What a rate allows of them; None for the default one."""
        return Budget(rate or OF_SESSIONS, self.sessions, "sessions", rate is None)

    def point(self, name: str, rate: float | None) -> Point:
        """The threshold of a rate. One that is out of reach gets the lowest that flags nothing, the
        default one that which flags one session at most."""
        budget = self.budget(rate)
        threshold = max(budget.choose_limit(self.scores[way].tolist()) for way in WAYS)
        flagged = {way: int((self.scores[way] > threshold).sum()) for way in WAYS}
        return Point(name, budget.share, threshold, **flagged)

    def curve(self, wanted: float | None) -> tuple[Point, ...]:
        """Every named rate that is within reach, the largest first, and the budget last."""
        named = [(name, rate) for name, rate in RATES.items() if self.budget(rate).allowed]
        return tuple(self.point(name, rate) for name, rate in (*named, (DEFAULT, wanted)))


def judge_held_out(
    vectors: Vectors,
    numbers: np.ndarray,
    settings: Settings,
    threads: int,
    on_part: Callable[[], None] = lambda: None,
) -> HeldOut:
    """Judge every session by what the other parts of the training make.

    Args:
        vectors: the distinct vectors of all sessions.
        numbers: int64 ``[sessions]``, which of these each session has, in the order of time.
        settings: parts, seed and the most vectors of a model.
        threads: how many parts are judged at once; the result does not depend on it.
        on_part: called when a part is done, twice ``settings.folds`` times at most.
    """
    folds = min(settings.folds, len(numbers))
    drawn = np.random.default_rng(settings.seed).permutation(len(numbers)) % folds
    time = np.arange(len(numbers)) * folds // len(numbers)
    scores = {way: np.zeros(len(numbers), dtype=np.float32) for way in WAYS}

    def judge(job: tuple[str, np.ndarray]) -> None:
        way, held = job
        scores[way][held] = _judge_part(vectors, numbers, held, settings.max_vectors)

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(judge, _parts({"drawn": drawn, "time": time}, folds)):
            on_part()
    return HeldOut(scores)


def _parts(parts: Mapping[str, np.ndarray], folds: int) -> Iterator[tuple[str, np.ndarray]]:
    for way, part in parts.items():
        for number in range(folds):
            yield way, part == number


def _judge_part(vectors: Vectors, numbers: np.ndarray, held: np.ndarray, most: int) -> np.ndarray:
    """Scores of the sessions of a part, float32, by the others."""
    others = np.bincount(numbers[~held], minlength=len(vectors))
    normal = choose(vectors.take(np.flatnonzero(others)), others[others > 0], most)[0]
    distinct, places = np.unique(numbers[held], return_inverse=True)
    scores: np.ndarray = normal.score(vectors.take(distinct))[places]
    return scores


def choose(
    vectors: Vectors,
    sessions: np.ndarray | Sequence[int],
    most: int,
    on_vector: Callable[[], None] = lambda: None,
) -> tuple[Normal, np.ndarray]:
    """What a model keeps of the vectors of a training: all, or at most so many.

    Args:
        vectors: distinct.
        sessions: how many sessions have each; the most frequent one is kept in any case.
        most: how many vectors to keep.
        on_vector: called for each that is chosen, if not all are.

    Returns:
        what is kept, and how far each vector is from the nearest kept one, float64 ``[vectors]``.
    """
    chosen, apart = k_centre(vectors, most, int(np.argmax(sessions)), on_vector)
    return Normal.of(vectors, chosen), apart
