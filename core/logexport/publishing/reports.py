"""How attempts and checks become JSON, and what they prove.

``validation.json``, ``--json`` of every command and the errors of a run have one form of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from logexport.host import HOST_PLUGIN
from logexport.types import Attempt, CheckResult

__all__ = [
    "attempt_json",
    "check_json",
    "counted_warnings",
    "is_warned",
    "proof_of",
    "validation_report",
]


def proof_of(checks: Sequence[CheckResult]) -> str:
    """``full`` where a replay by the engine in use passed, else ``no_native``."""
    engine = any(check.engine == "replay" and check.status == "passed" for check in checks)
    return "full" if engine else "no_native"


def is_warned(check: CheckResult) -> bool:
    """Whether a check passed with warnings that count: it is shown as ``warned``.

    A check of a plugin may bear one of these names: its warnings are shown, and do not count.
    """
    from logexport.checks.counted import COUNTED  # late: with it come all checks

    return (
        check.status == "passed"
        and bool(check.warnings)
        and check.name in COUNTED
        and check.plugin == HOST_PLUGIN
    )


def counted_warnings(checks: Sequence[CheckResult]) -> list[str]:
    """The warnings that count, each after the name of its check."""
    return [
        f"{check.name}: {warning}"
        for check in checks
        if is_warned(check)
        for warning in check.warnings
    ]


def attempt_json(attempt: Attempt) -> dict[str, Any]:
    """An attempt as ``validation.json`` and ``--json`` have it."""
    return {
        "strategy": attempt.strategy,
        "opset_version": attempt.opset,
        "reason": attempt.reason,
        "outcome": attempt.outcome,
        "seconds": round(attempt.seconds, 3),
    }


def check_json(check: CheckResult) -> dict[str, Any]:
    """A check as ``validation.json`` and ``--json`` have it."""
    return {
        "name": check.name,
        "plugin": check.plugin,
        "status": check.status,
        "scope": check.scope,
        "engine": check.engine,
        "message": check.message,
        "figures": dict(check.figures),
        "warnings": list(check.warnings),
        "seconds": round(check.seconds or 0.0, 3),
    }


def validation_report(
    proof: str,
    warnings: Sequence[str],
    exporter_warnings: Sequence[str],
    attempts: Sequence[Attempt],
    checks: Sequence[CheckResult],
) -> dict[str, Any]:
    """What ``validation.json`` says of one model, with the time of now."""
    return {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "proof": proof,
        "warnings": list(warnings),
        "exporter_warnings": list(exporter_warnings),
        "attempts": [attempt_json(attempt) for attempt in attempts],
        "checks": [check_json(check) for check in checks],
    }
