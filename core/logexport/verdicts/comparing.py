"""Parity with PyTorch: what a tensor, a rank and a verdict may differ by, and the comparison.

Tensors pass within :mod:`logexport.verdicts.tolerance`. If the task reads ranks, two logits whose
order differs are a tie when they are closer than that, and counted; a flip that is not a tie fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from logexport.errors import BundleError
from logexport.exporters.drawing import draw
from logexport.types import (
    CheckResult,
    DummyInput,
    JSONValue,
    NextEventTopK,
    OtherDecision,
    Scope,
    ScoreThreshold,
)
from logexport.verdicts.scorers import Scorer
from logexport.verdicts.tolerance import tolerance

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "SEED",
    "Comparison",
    "compare",
    "parity_result",
    "probes",
]

SEED = 20_240_229
"""Seed of the random probes: every implementation is shown the same numbers."""

TaskDecision: TypeAlias = "NextEventTopK | ScoreThreshold | OtherDecision"
"""How a task says that its output is read."""


def probes(dummy: DummyInput) -> Iterator[tuple[str, tuple[np.ndarray, ...]]]:
    """Random inputs over the plugin's grid of shapes, each with words for where it stands."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    for sizes in dummy.grid:
        inputs = draw(dummy, sizes, "the model's plugin", rng)
        yield ", ".join(f"{axis} {size}" for axis, size in sizes.items()), inputs


@dataclass
class Comparison:
    """What comparing outputs with PyTorch's has found so far.

    Attributes:
        values: numbers compared.
        rows: batch rows compared.
        worst: the largest absolute difference.
        beyond: numbers out of tolerance.
        not_finite: numbers that are not finite, on either side.
        ties: rows whose order, or side of the threshold, differs by less than the tolerance.
        flips: rows where it differs by more.
        problems: the first few, in words.
    """

    values: int = 0
    rows: int = 0
    worst: float = 0.0
    beyond: int = 0
    not_finite: int = 0
    ties: int = 0
    flips: int = 0
    problems: list[str] = field(default_factory=list)

    def failed(self) -> bool:
        """Whether anything but a tie was found."""
        return bool(self.problems)

    def problem(self, text: str) -> None:
        """Note something that fails the check; the first three are kept for the message."""
        if len(self.problems) < 3:
            self.problems.append(text)

    def figures(self) -> dict[str, JSONValue]:
        """For the check's result."""
        return {
            "rows": self.rows,
            "values": self.values,
            "largest_difference": float(f"{self.worst:.3g}"),
            "out_of_tolerance": self.beyond,
            "not_finite": self.not_finite,
            "ties": self.ties,
            "flips": self.flips,
        }


def compare(
    into: Comparison,
    reference: Scorer,
    scorer: Scorer,
    decision: TaskDecision,
    inputs: Sequence[np.ndarray],
    where: str,
) -> None:
    """Run both on one batch, compare every output and every decision; what is found goes ``into``.

    Args:
        into: what was found so far.
        reference: the PyTorch module.
        scorer: what is held to it: the graph in ONNX Runtime, or the C engine.
        decision: the task's.
        inputs: as the graph declares them, the first axis the batch.
        where: names this batch in a problem.
    """
    import numpy as np

    expected = reference(*inputs)
    try:
        actual = scorer(*inputs)
    except BundleError as error:
        into.problem(f"{where}: {error}")
        return
    into.rows += len(inputs[0])
    for name, right in expected.items():
        value = actual[name]
        if value.shape != right.shape or value.dtype != right.dtype:
            into.problem(
                f"{where}: {name} is {value.dtype} {list(value.shape)}, PyTorch's"
                f" {right.dtype} {list(right.shape)}"
            )
            continue
        into.values += value.size
        finite = np.isfinite(value) & np.isfinite(right)
        if not finite.all():
            into.not_finite += int((~finite).sum())
            into.problem(f"{where}: {name} has {int((~finite).sum())} values that are not finite")
            continue
        difference = np.abs(value.astype(np.float64) - right)
        beyond = difference > tolerance(right)
        if value.size:
            into.worst = max(into.worst, float(difference.max()))
        if beyond.any():
            into.beyond += int(beyond.sum())
            into.problem(
                f"{where}: {name} differs from PyTorch by up to {difference.max():.3g}"
                f" ({int(beyond.sum())} of {value.size} values out of tolerance)"
            )
    _compare_decisions(into, decision, expected, actual, where)


def _compare_decisions(
    into: Comparison,
    decision: TaskDecision,
    expected: Mapping[str, np.ndarray],
    actual: Mapping[str, np.ndarray],
    where: str,
) -> None:
    """Whatever the actual event is, is its rank the same? Is the score on the same side?"""
    import numpy as np

    if not isinstance(decision, (NextEventTopK, ScoreThreshold)):
        return
    ours, theirs = actual.get(decision.output), expected.get(decision.output)
    if ours is None or theirs is None or ours.shape != theirs.shape:
        return
    if isinstance(decision, ScoreThreshold):
        crossed = (ours.astype(np.float64) <= decision.threshold) != (
            theirs.astype(np.float64) <= decision.threshold
        )
        close = np.abs(theirs.astype(np.float64) - decision.threshold) <= tolerance(theirs)
        tied, flipped = crossed & close, crossed & ~close
    else:
        # The rank of every event is the same where both sort alike. Where they do not, the logits
        # that PyTorch has at the places in question say how far apart they are.
        order = np.argsort(-ours, axis=1, kind="stable")
        by_ours = np.take_along_axis(theirs.astype(np.float64), order, axis=1)
        steps = by_ours[:, 1:] - by_ours[:, :-1]  # above 0: PyTorch orders these two the other way
        disorder = steps > 0
        allowed = np.maximum(tolerance(by_ours[:, 1:]), tolerance(by_ours[:, :-1]))
        flipped = (disorder & (steps > allowed)).any(axis=1)
        tied = disorder.any(axis=1) & ~flipped
    into.ties += int(tied.sum())
    into.flips += int(flipped.sum())
    if flipped.any():
        into.problem(f"{where}: {int(flipped.sum())} of {len(ours)} rows decide differently")


def parity_result(
    name: str, comparison: Comparison, summary: str, scope: Scope = "graph"
) -> CheckResult:
    """A comparison as a check's result; ``summary`` is its message where nothing was found."""
    message = "; ".join(comparison.problems) or (
        f"{summary}; largest difference {comparison.worst:.2g}, {comparison.ties} ties"
    )
    return CheckResult(
        name=name,
        status="failed" if comparison.failed() else "passed",
        scope=scope,
        message=message,
        figures=comparison.figures(),
    )
