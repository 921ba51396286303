"""Does the graph in ONNX Runtime say what the PyTorch module says?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from logexport.checks.context import MAX_WINDOWS, Context
from logexport.errors import BundleError
from logexport.exporters.drawing import draw
from logexport.types import CheckResult
from logexport.verdicts.comparing import SEED, Comparison, compare, parity_result, probes
from logexport.verdicts.scorers import OnnxRuntimeScorer, Scorer
from logexport.verdicts.tolerance import tolerance

if TYPE_CHECKING:
    import numpy as np

BATCH = 32
"""Windows of a log in one batch."""


def _compare(
    context: Context, into: Comparison, scorer: Scorer, inputs: Sequence[np.ndarray], where: str
) -> None:
    compare(into, context.torch, scorer, context.model.task.decision, inputs, where)


def parity_random(context: Context) -> CheckResult:
    """Random inputs over the plugin's grid of shapes, in ONNX Runtime against PyTorch."""
    comparison = Comparison()
    for where, inputs in probes(context.dummy):
        _compare(context, comparison, context.onnx, inputs, where)
    return parity_result(
        "parity_random", comparison, f"{len(context.dummy.grid)} shapes equal PyTorch's"
    )


def parity_log(context: Context) -> CheckResult:
    """Windows of real lines, in ONNX Runtime against PyTorch."""
    import numpy as np

    windows = context.log_windows
    if windows is None or not windows.arrays:
        task = context.model.task
        reason = (
            "no log: neither sequences.parquet nor parsed.parquet beside the vocabulary,"
            " no --parsed and no --replay"
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
        _compare(context, comparison, context.onnx, (batch,), where)
    limited = f" (the first {MAX_WINDOWS})" if len(windows.arrays) == MAX_WINDOWS else ""
    result = parity_result(
        "parity_log",
        comparison,
        f"{windows.total} windows of {windows.source.name}, {len(windows.arrays)}"
        f" distinct{limited}, equal PyTorch's",
    )
    result_figures = {**result.figures, "windows": windows.total}
    return CheckResult(result.name, result.status, "graph", result.message, result_figures)


def batch_independence(context: Context) -> CheckResult:
    """A row's outputs do not depend on the rows beside it: detection may batch as it likes.

    Outputs within the tolerance pass. Those of batches of two rows and more are expected to be
    equal to the bit, which the reference and the engine rely on for ties (they never score a row
    alone); what is not is counted.
    """
    import numpy as np

    windows = context.log_windows
    if windows is not None and len(windows.arrays) >= 2:
        inputs: tuple[np.ndarray, ...] = (np.stack(windows.arrays[: 2 * BATCH]),)
    else:
        largest = max(context.dummy.grid, key=lambda sizes: list(sizes.values()))
        inputs = draw(context.dummy, largest, "the model's plugin", np.random.default_rng(SEED))
    together = context.onnx(*inputs)
    rows = len(inputs[0])
    worst, not_bitwise, alone_not_bitwise = 0.0, 0, 0
    problems: list[str] = []
    for size in (size for size in (1, 2, 3, 7, BATCH) if size < rows):
        for start in range(0, rows, size):
            part = context.onnx(*(array[start : start + size] for array in inputs))
            for name, value in part.items():
                beside = together[name][start : start + size]
                where = f"{name} of rows {start + 1} to {start + len(value)} in a batch of {size}"
                if value.shape != beside.shape:
                    problems.append(f"{where} is {list(value.shape)}, not {list(beside.shape)}")
                    continue
                difference = np.abs(value.astype(np.float64) - beside)
                worst = max(worst, float(difference.max(initial=0.0)))
                if not np.array_equal(value, beside, equal_nan=True):
                    not_bitwise += len(value) > 1
                    alone_not_bitwise += len(value) == 1
                if (difference > tolerance(beside)).any():
                    problems.append(f"{where} differs by {difference.max():.3g}")
    warning = (
        f"{not_bitwise} batches of other sizes gave other last digits: a score at the threshold may"
        " be judged otherwise by the engine than by the reference; means as products with a"
        " constant (MatMul) do not depend on the batch as ReduceMean and ReduceSum do"
    )
    return CheckResult(
        "batch_independence",
        "failed" if problems else "passed",
        "graph",
        "; ".join(problems[:3])
        or f"{rows} rows in batches of 1 to {min(rows, BATCH)} as in one; largest difference"
        f" {worst:.2g}, {not_bitwise} batches not equal to the bit",
        {
            "rows": rows,
            "largest_difference": float(f"{worst:.3g}"),
            "not_bitwise": not_bitwise,
            "alone_not_bitwise": alone_not_bitwise,
        },
        (warning,) if not_bitwise else (),
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
        for where, inputs in probes(context.dummy):
            _compare(context, comparison, scorer, inputs, f"{variant}, {where}")
        windows = context.log_windows
        if windows is not None and windows.arrays:
            batch = np.stack(windows.arrays[: 10 * BATCH])
            _compare(context, comparison, scorer, (batch,), f"{variant}, windows of the log")
    return parity_result("variants", comparison, f"{', '.join(variants)} equal PyTorch's")
