"""Does the graph in ONNX Runtime say what the PyTorch module says?

Tensors pass at |a - b| <= 1e-5 + 1e-4 * |b|. Where the task reads ranks, two logits whose order
differs are a tie when they are closer than that, and counted; a flip that is no tie fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from logexport.checks.context import MAX_WINDOWS, Context
from logexport.errors import BundleError
from logexport.records import ABSOLUTE, RELATIVE
from logexport.scorers import OnnxRuntimeScorer, Scorer
from logexport.types import CheckResult, JSONValue, NextEventTopK, Scope, ScoreThreshold

if TYPE_CHECKING:
    import numpy as np

SEED = 20_240_229
BATCH = 32
"""Windows of a log in one batch."""


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
    context: Context,
    into: Comparison,
    scorer: Scorer,
    inputs: Sequence[np.ndarray],
    where: str,
) -> None:
    """Run both on one batch and compare every output."""
    import numpy as np

    expected = context.torch(*inputs)
    try:
        actual = scorer(*inputs)
    except BundleError as error:
        into.problem(f"{where}: {error}")
        return
    into.rows += len(inputs[0])
    for name, reference in expected.items():
        value = actual[name]
        if value.shape != reference.shape or value.dtype != reference.dtype:
            into.problem(
                f"{where}: {name} is {value.dtype} {list(value.shape)}, PyTorch's"
                f" {reference.dtype} {list(reference.shape)}"
            )
            continue
        into.values += value.size
        finite = np.isfinite(value) & np.isfinite(reference)
        if not finite.all():
            into.not_finite += int((~finite).sum())
            into.problem(f"{where}: {name} has {int((~finite).sum())} values that are not finite")
            continue
        difference = np.abs(value.astype(np.float64) - reference)
        beyond = difference > tolerance(reference)
        if value.size:
            into.worst = max(into.worst, float(difference.max()))
        if beyond.any():
            into.beyond += int(beyond.sum())
            into.problem(
                f"{where}: {name} differs from PyTorch by up to {difference.max():.3g}"
                f" ({int(beyond.sum())} of {value.size} values out of tolerance)"
            )
    _compare_decisions(context, into, expected, actual, where)


def tolerance(reference: np.ndarray) -> np.ndarray:
    """How far a value may be from PyTorch's."""
    import numpy as np

    out: np.ndarray = ABSOLUTE + RELATIVE * np.abs(reference.astype(np.float64))
    return out


def _compare_decisions(
    context: Context,
    into: Comparison,
    expected: Mapping[str, np.ndarray],
    actual: Mapping[str, np.ndarray],
    where: str,
) -> None:
    """Whatever the actual event is, is its rank the same? Is the score on the same side?"""
    import numpy as np

    decision = context.model.task.decision
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


def _result(name: str, comparison: Comparison, said: str, scope: Scope = "graph") -> CheckResult:
    message = "; ".join(comparison.problems) or (
        f"{said}; largest difference {comparison.worst:.2g}, {comparison.ties} ties"
    )
    return CheckResult(
        name=name,
        status="failed" if comparison.failed() else "passed",
        scope=scope,
        message=message,
        figures=comparison.figures(),
    )


def parity_random(context: Context) -> CheckResult:
    """Random inputs over the plugin's grid of shapes, in ONNX Runtime against PyTorch."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    comparison = Comparison()
    for sizes in context.dummy.grid:
        where = ", ".join(f"{axis} {size}" for axis, size in sizes.items())
        compare(context, comparison, context.onnx, context.dummy.draw(sizes, rng), where)
    return _result("parity_random", comparison, f"{len(context.dummy.grid)} shapes equal PyTorch's")


def parity_log(context: Context) -> CheckResult:
    """Windows of real lines, in ONNX Runtime against PyTorch."""
    import numpy as np

    windows = context.log_windows
    if windows is None or not windows.arrays:
        task = context.model.task
        reason = (
            "no log: neither sequences.parquet beside the vocabulary nor --replay"
            if windows is None and task.known
            else f"{windows.source} is too short for one window"
            if windows is not None
            else "the task is unknown to logexport"
        )
        return CheckResult("parity_log", "skipped", "graph", reason)
    comparison = Comparison()
    for start in range(0, len(windows.arrays), BATCH):
        batch = np.stack(windows.arrays[start : start + BATCH])
        where = f"windows {start + 1} to {start + len(batch)} of {windows.source.name}"
        compare(context, comparison, context.onnx, (batch,), where)
    limited = f" (the first {MAX_WINDOWS})" if len(windows.arrays) == MAX_WINDOWS else ""
    result = _result(
        "parity_log",
        comparison,
        f"{windows.total} windows of {windows.source.name}, {len(windows.arrays)}"
        f" distinct{limited}, equal PyTorch's",
    )
    result_figures = {**result.figures, "windows": windows.total}
    return CheckResult(result.name, result.status, "graph", result.message, result_figures)


def batch_independence(context: Context) -> CheckResult:
    """A row's outputs do not depend on the rows beside it: detection may batch as it likes."""
    import numpy as np

    windows = context.log_windows
    if windows is not None and len(windows.arrays) >= 2:
        batch = np.stack(windows.arrays[: 2 * BATCH])
        inputs: tuple[np.ndarray, ...] = (batch,)
    else:
        largest = max(context.dummy.grid, key=lambda sizes: list(sizes.values()))
        inputs = context.dummy.draw(largest, np.random.default_rng(SEED))
    together = context.onnx(*inputs)
    rows = len(inputs[0])
    worst, not_equal = 0.0, 0
    problems: list[str] = []
    for row in range(rows):
        alone = context.onnx(*(array[row : row + 1] for array in inputs))
        for name, value in alone.items():
            beside = together[name][row : row + 1]
            if value.shape != beside.shape:
                problems.append(
                    f"{name} is {list(value.shape)} alone, {list(beside.shape)} in a batch"
                )
                continue
            difference = np.abs(value.astype(np.float64) - beside)
            worst = max(worst, float(difference.max(initial=0.0)))
            not_equal += not np.array_equal(value, beside, equal_nan=True)
            if (difference > tolerance(beside)).any():
                problems.append(f"row {row}: {name} differs by {difference.max():.3g}")
    return CheckResult(
        "batch_independence",
        "failed" if problems else "passed",
        "graph",
        "; ".join(problems[:3]) or f"{rows} rows alone as in one batch, {not_equal} not to the bit",
        {"rows": rows, "largest_difference": float(f"{worst:.3g}"), "not_bitwise": not_equal},
    )


def variants_parity(context: Context) -> CheckResult:
    """The optimised graphs pass the same comparison as the plain one."""
    import numpy as np

    variants: Mapping[str, str] = context.bundle.meta["variants"]
    if not variants:
        return CheckResult(
            "variants", "skipped", "graph", "none asked for (--portable, --optimize)"
        )
    comparison = Comparison()
    for variant, file in variants.items():
        path: Path = context.bundle.path / file
        try:
            scorer = OnnxRuntimeScorer(path)
        except BundleError as error:
            comparison.problem(str(error))
            continue
        rng = np.random.default_rng(SEED)
        for sizes in context.dummy.grid:
            where = ", ".join([variant, *(f"{axis} {size}" for axis, size in sizes.items())])
            compare(context, comparison, scorer, context.dummy.draw(sizes, rng), where)
        windows = context.log_windows
        if windows is not None and windows.arrays:
            batch = np.stack(windows.arrays[: 10 * BATCH])
            compare(context, comparison, scorer, (batch,), f"{variant}, windows of the log")
    return _result("variants", comparison, f"{', '.join(variants)} equal PyTorch's")
