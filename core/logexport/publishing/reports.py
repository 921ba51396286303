"""How attempts and checks become JSON, and what they prove.

``validation.json``, ``--json`` of every command and the errors of a run have one form of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from logexport.types import Attempt, CheckResult

__all__ = [
    "attempt_json",
    "check_json",
    "proof_of",
    "validation_report",
]


def proof_of(checks: Sequence[CheckResult]) -> str:
    """``full`` where a replay by the engine in use passed, else ``no_native``."""
    engine = any(check.engine == "replay" and check.status == "passed" for check in checks)
    return "full" if engine else "no_native"


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
