"""How checks and a run's result are shown: as a table, and as a JSON document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logexport.types import CheckResult, ModelResult, RunResult


def check_table(
    checks: Sequence[CheckResult], warned: Callable[[CheckResult], bool] | None = None
) -> str:
    """Checks with their status, seconds and figures, one a line.

    Args:
        checks: in the order to show them in.
        warned: which passed ones are shown as ``warned``; None: those whose warnings count.
    """
    from logexport.publishing.reports import is_warned

    warned = warned or is_warned
    names = [check.name for check in checks]
    rows = [("check", "status", "seconds", "what was found")]
    rows += [
        (
            # Plugins may give checks of one name.
            check.name if names.count(check.name) == 1 else f"{check.name} ({check.plugin})",
            "warned" if warned(check) else check.status,
            f"{check.seconds or 0:.2f}",
            check.message,
        )
        for check in checks
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"  {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}".rstrip()
        for row in rows
    ]
    for check, place in zip(reversed(checks), range(len(lines), 0, -1), strict=False):
        lines[place:place] = _examples(check)
    return "\n".join(lines)


def _examples(check: CheckResult) -> list[str]:
    """The first things that differ, where a check shows them (its figure ``first``)."""
    first = check.figures.get("first")
    return [
        "      " + ", ".join(f"{key}: {value!r}" for key, value in one.items())
        for one in (first if isinstance(first, list) else ())
        if isinstance(one, dict)
    ]


def result_json(result: RunResult) -> dict[str, Any]:
    """A run's result as one JSON document."""
    return {
        "bundle": str(result.bundle),
        "proof": result.proof,
        "warnings": result.warnings,
        "seconds": round(result.seconds, 3),
        "models": [_model_json(model) for model in result.models],
    }


def _model_json(model: ModelResult) -> dict[str, Any]:
    from logexport.publishing.reports import attempt_json, check_json, counted_warnings

    return {
        "model": model.model,
        "checkpoint": str(model.checkpoint),
        "sample": model.sample,
        "onnx": str(model.onnx),
        "metadata": str(model.metadata),
        "attempts": [attempt_json(attempt) for attempt in model.attempts],
        "checks": [check_json(check) for check in model.checks],
        "seconds": {stage: round(value, 3) for stage, value in model.seconds.items()},
        "warnings": list(model.warnings),
        "counted_warnings": counted_warnings(model.checks),
        "exporter_warnings": list(model.exporter_warnings),
    }
