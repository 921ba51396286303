"""Is a bundle still what was published? Sums, schemas, graphs and the self-test, without torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from logexport.bundle import VALIDATION, Bundle, BundledModel, FileNames, proof_text
from logexport.engine import HOW_TO_GET, EngineError, last_line, run_engine
from logexport.errors import LogexportError
from logexport.publishing.reports import counted_warnings
from logexport.types import CheckResult

__all__ = [
    "engine_selftest",
    "verify_bundle",
]


def verify_bundle(path: Path) -> dict[str, list[CheckResult]]:
    """Check a bundle as it lies on disk.

    Returns:
        the results by model.

    Raises:
        BundleError: it is not a bundle, or a sum, a size or a schema is not what the manifest says.
    """
    began = time.perf_counter()
    bundle = Bundle.load(path, verify=True)
    report = bundle.validation if VALIDATION in bundle.manifest["files"] else {}
    files = len(bundle.manifest["files"])
    out = {}
    for name, model in bundle.models.items():
        sums = CheckResult(
            "sums",
            "passed",
            message=f"{files} files are what the manifest says",
            figures={"files": files},
            seconds=time.perf_counter() - began,
        )
        checks = [sums, _timed(_graph, model)]
        if checks[-1].status == "passed":
            checks += [_timed(_selftest, model), _timed(_engine_selftest, model)]
        checks.append(_proof(model, report))
        out[name] = checks
    return out


def _timed(check: Callable[[BundledModel], CheckResult], model: BundledModel) -> CheckResult:
    from dataclasses import replace

    began = time.perf_counter()
    return replace(check(model), seconds=time.perf_counter() - began)


def _graph(model: BundledModel) -> CheckResult:
    """Every graph is valid, loads, and has the names and axes that the metadata states."""
    import onnx

    from logexport.exporters.graph import dynamic_axes, read_graph
    from logexport.verdicts.scorers import OnnxRuntimeScorer

    problems: list[str] = []
    meta = model.meta
    for variant in (None, *meta["variants"]):
        path = model.graph(variant)
        try:
            OnnxRuntimeScorer(path)
            if variant == "optimized":
                continue  # ONNX Runtime's own operators: nothing but ONNX Runtime can check it
            onnx.checker.check_model(str(path), full_check=True)
            graph = read_graph(path)
        except (
            LogexportError,
            ValueError,
            onnx.checker.ValidationError,
            onnx.shape_inference.InferenceError,
        ) as error:
            problems.append(f"{path.name}: {str(error).splitlines()[0]}")
            continue
        stated: dict[str, tuple[Any, Any]] = {
            "input_names": (list(graph.input_names), meta["input_names"]),
            "output_names": (list(graph.output_names), meta["output_names"]),
            "input_shape": (list(graph.input_shapes[0]), meta["input_shape"]),
            "output_shape": (list(graph.output_shapes[0]), meta["output_shape"]),
            "dynamic_axes": (dynamic_axes(graph), meta["dynamic_axes"]),
        }
        if variant is None:
            stated["opset_version"] = (graph.opset_version, meta["opset_version"])
        problems += [
            f"{path.name}: {key} is {found}, the metadata says {wanted}"
            for key, (found, wanted) in stated.items()
            if found != wanted
        ]
    count = 1 + len(meta["variants"])
    return CheckResult(
        "graph",
        "failed" if problems else "passed",
        "graph",
        "; ".join(problems[:3]) or f"{count} valid and as the metadata says",
        {"graphs": count, "problems": list(problems)},
    )


def _selftest(model: BundledModel) -> CheckResult:
    """The self-test's lines give the self-test's verdicts."""
    names = FileNames(model.name)
    log = model.directory / names.selftest_log
    verdicts = model.directory / names.selftest_verdicts
    if not model.task.known:
        return CheckResult("selftest", "skipped", message="the task is unknown to logexport")
    if not log.is_file():
        return CheckResult("selftest", "failed", message=f"{log.name} is missing")
    differing, total = _replay(model, log, verdicts)
    return CheckResult(
        "selftest",
        "failed" if differing else "passed",
        message=f"{len(differing)} of {total} verdicts differ: {'; '.join(differing[:3])}"
        if differing
        else f"{total} verdicts as when the bundle was made",
        figures={"verdicts": total, "differ": len(differing)},
    )


def _engine_selftest(model: BundledModel) -> CheckResult:
    """The same by the C engine, where there is one."""
    from logexport.host import default_host

    command = default_host().engine_command()
    if command is None:
        reason = f"the C engine is not installed. {HOW_TO_GET}"
        return CheckResult("engine_selftest", "skipped", message=reason)
    return engine_selftest(command, model)


def engine_selftest(command: Sequence[str], model: BundledModel) -> CheckResult:
    """Let the C engine test a bundle as an operator does: sums, graph, the self-test's verdicts.

    Args:
        command: the words that start the engine.
        model: a model of a bundle on disk, published or staged.
    """
    if not model.task.known:
        return CheckResult(
            "engine_selftest", "skipped", message="the task is unknown to the engine"
        )
    try:
        done = run_engine(command, model.directory, "--model", model.name)
    except EngineError as error:
        return CheckResult("engine_selftest", "failed", message=str(error))
    passed = done.returncode == 0
    printed = last_line(done.stdout if passed else done.stderr)
    return CheckResult(
        "engine_selftest",
        "passed" if passed else "failed",
        message=printed if passed else f"status {done.returncode}: {printed}",
        figures={"exit_status": done.returncode},
    )


def _replay(model: BundledModel, log: Path, verdicts: Path) -> tuple[list[str], int]:
    """Judge the self-test's lines anew: what differs, and how many verdicts there are."""
    from itertools import zip_longest

    from logexport.detect import detect
    from logexport.logs.lines import iter_logs
    from logexport.verdicts.agreement import agreement

    found = list(detect(iter_logs([log], model.preprocess.reading), model))
    # Not splitlines(): a session may hold U+2028, which is written as it is.
    expected = verdicts.read_text(encoding="utf-8").split("\n")[:-1]
    differing = [
        f"{one.to_line() if one else 'nothing'} where it was {other or 'nothing'}"
        for one, other in zip_longest(found, expected)
        # Another processor may compute other last digits: a tie is not a difference.
        if one is None or other is None or agreement(one, other) == "different"
    ]
    return differing, len(expected)


def _proof(model: BundledModel, report: Any) -> CheckResult:
    """What was proven when the bundle was made, with the warnings that count."""
    checks = [CheckResult(**check) for check in report.get(model.name, {}).get("checks", ())]
    failed = [check.name for check in checks if check.status == "failed"]
    if model.proof == "none":
        return CheckResult("proof", "skipped", message="exported with --no-validate")
    return CheckResult(
        "proof",
        "failed" if failed else "passed",
        message=f"failed checks in validation.json: {', '.join(failed)}"
        if failed
        else f"proof {proof_text(model.proof, model.warnings)}",
        figures={"warnings": model.warnings},
        # A manifest of version 1 has no number: nothing of it counts.
        warnings=() if model.warnings is None else tuple(counted_warnings(checks)),
    )
