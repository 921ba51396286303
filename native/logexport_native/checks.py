"""After an export: does the C engine say what PyTorch says, on tensors and on every line?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice, zip_longest
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import IO

from logexport.bundle import BundledModel
from logexport.detect import Detection
from logexport.engine import HOW_TO_GET, EngineError, last_line, run_engine
from logexport.errors import InputError, UsageError
from logexport.logs.lines import iter_logs
from logexport.selftest import render_selftest
from logexport.training.line_tables import read_parsed, read_sequences
from logexport.types import (
    CheckResult,
    DummyInput,
    EngineCheck,
    EventWindow,
    JSONValue,
    LoadedModel,
    ModelRequest,
    StagedBundle,
    Status,
    Vocabulary,
)
from logexport.verdicts.agreement import agreement
from logexport.verdicts.comparing import Comparison, compare, parity_result, probes
from logexport.verdicts.detector import Stats
from logexport.verdicts.records import Output
from logexport.verdicts.scorers import TorchScorer
from logexport.verify import engine_selftest

from logexport_native.program import find_engine
from logexport_native.scorer import EngineScorer

TENSORS, REPLAY, SELFTEST = "engine_tensors", "replay", "engine_selftest"
MIN_SCORED = 100
"""Fewer judged lines prove too little to be called passed."""
MAX_LINES = 200_000
"""Lines of a log that the user did not name as --replay; the first ones."""
MADE_BYTES = 1 << 20
"""Size of a log that is made from the vocabulary."""
START_SECONDS, SECONDS_A_BYTE = 60.0, 4e-4
"""Far more than the engine needs: how long a replay may take before it counts as hung."""


def engine_checks(
    request: ModelRequest,
    model: LoadedModel,
    vocab: Vocabulary,
    dummy: DummyInput,
    bundle: StagedBundle,
) -> Iterator[CheckResult]:
    """The three checks; skipped, with the reason, if the engine is missing or not wanted."""
    wanted = request.options["native"]
    reason = ""
    engine = None
    if wanted == "off":
        reason = "--native off"
    else:
        try:
            engine = find_engine()
            if engine is None:
                reason = f"the C engine is not installed. {HOW_TO_GET}"
        except UsageError as error:
            wanted, reason = "require", str(error)
    if engine is None:
        status: Status = "failed" if wanted == "require" else "skipped"
        for name, kind, _ in CHECKS:
            yield CheckResult(name, status, "bundle", reason, engine=kind)
        return
    for name, kind, check in CHECKS:
        began = time.perf_counter()
        try:
            result = check(engine, request, model, dummy, bundle)
        except EngineError as error:
            result = CheckResult(name, "failed", "bundle", str(error))
        yield replace(result, engine=kind, seconds=time.perf_counter() - began)


def _tensors(
    engine: Sequence[str],
    request: ModelRequest,
    model: LoadedModel,
    dummy: DummyInput,
    bundle: StagedBundle,
) -> CheckResult:
    """The same probes as ONNX Runtime's check, in the C engine against PyTorch."""
    reference = TorchScorer(model.module, dummy.output_names)
    scorer = EngineScorer(engine, bundle.path, bundle.model, dummy.input_names, dummy.output_names)
    comparison = Comparison()
    for where, inputs in probes(dummy):
        compare(comparison, reference, scorer, model.task.decision, inputs, where)
    summary = f"{len(dummy.grid)} shapes equal PyTorch's in the C engine"
    return parity_result(TENSORS, comparison, summary, "bundle")


def _selftest(
    engine: Sequence[str],
    request: ModelRequest,
    model: LoadedModel,
    dummy: DummyInput,
    bundle: StagedBundle,
) -> CheckResult:
    """The bundle's own self-test, as an operator runs it."""
    return engine_selftest(engine, BundledModel(bundle.model, bundle.path, bundle.meta, "none"))


# --- the replay -----------------------------------------------------------------------------------


@dataclass
class _Tally:
    """Lines of verdicts compared."""

    verdicts: int = 0
    same: int = 0
    ties: int = 0
    differ: int = 0
    first: list[JSONValue] = field(default_factory=list)

    def add(self, expected: Output | None, line: str | None) -> None:
        """Compare the reference's record with the engine's line; None if one of them has ended."""
        self.verdicts += 1
        if expected is not None and line is not None:
            how = agreement(expected, line)
            self.same += how == "same"
            self.ties += how == "tie"
            if how != "different":
                return
        self.differ += 1
        if len(self.first) < 3:
            reference = None if expected is None else expected.to_line()
            self.first.append({"reference": reference, "engine": line})


def _replay(
    engine: Sequence[str],
    request: ModelRequest,
    model: LoadedModel,
    dummy: DummyInput,
    bundle: StagedBundle,
) -> CheckResult:
    """A log through the engine and through the reference with PyTorch as scorer, line by line."""
    if not model.task.known:
        return CheckResult(REPLAY, "skipped", "bundle", "the task is unknown to the engine")
    staged = BundledModel(bundle.model, bundle.path, bundle.meta, "none")
    tally = _Tally()
    with _log(request, staged) as (log, source), TemporaryDirectory(prefix="logexport-") as scratch:
        lines = iter_logs([log], staged.preprocess.reading)
        verdicts = Path(scratch) / "verdicts.jsonl"
        size = log.stat().st_size
        began = time.perf_counter()
        with verdicts.open("wb") as out:
            done = run_engine(
                engine, "detect", bundle.path, log, "--model", bundle.model,
                seconds=START_SECONDS + SECONDS_A_BYTE * size, stdout=out.fileno(),
            )  # fmt: skip
        seconds = time.perf_counter() - began
        if done.returncode != 0:
            problem = f"the engine ended with status {done.returncode}: {last_line(done.stderr)}"
            return CheckResult(REPLAY, "failed", "bundle", problem)
        detection = Detection(staged, scorer=TorchScorer(model.module, dummy.output_names))
        with verdicts.open(encoding="utf-8", newline="\n") as found:
            for record, line in zip_longest(detection.read(lines), found):
                tally.add(record, None if line is None else line.rstrip("\n"))
    return _result(staged, detection.stats, tally, source, seconds)


def _result(
    staged: BundledModel, stats: Stats, tally: _Tally, source: str, seconds: float
) -> CheckResult:
    figures: dict[str, JSONValue] = {
        "log": source,
        "lines": stats.lines,
        "matched": stats.events - stats.unseen,
        "unseen": stats.unseen,
        "scored": stats.judged,
        "anomalies": stats.anomalies,
        "verdicts": tally.verdicts,
        "differ": tally.differ,
        "ties": tally.ties,
        "engine_lines_per_second": round(stats.lines / seconds) if seconds else None,
        "first": tally.first,
    }
    share = 100 * stats.anomalies / tally.verdicts if tally.verdicts else 0.0
    found = (
        f"{tally.differ} of {tally.verdicts} verdicts differ on {source}: {stats.lines} lines,"
        f" {stats.events - stats.unseen} matched, {stats.unseen} unseen, {stats.judged} scored,"
        f" {tally.ties} ties, {share:.1f} % anomalies"
    )
    if tally.differ:
        return CheckResult(REPLAY, "failed", "bundle", found, figures)
    least = MIN_SCORED if isinstance(staged.task.input, EventWindow) else 1
    if stats.judged < least:
        what = "lines" if least > 1 else "windows or sessions"
        reason = f"{stats.judged} {what} scored, fewer than the {least} that prove enough; {found}"
        return CheckResult(REPLAY, "skipped", "bundle", reason, figures)
    return CheckResult(REPLAY, "passed", "bundle", found, figures)


@contextmanager
def _log(request: ModelRequest, staged: BundledModel) -> Iterator[tuple[Path, str]]:
    """The log to replay: --replay (or the sample's), the training log, or one that is made."""
    if request.replay is not None:
        for _ in iter_logs([request.replay], staged.preprocess.reading):
            pass  # a log that cannot be read to its end is bad input, not the engine's fault
        yield request.replay, request.replay.name
        return
    with NamedTemporaryFile(prefix="logexport-", suffix=".log") as file:
        file.write(staged.preprocess.mark)
        source = _write_training_log(request, file)
        if not source:
            made = render_selftest(
                staged.vocab, staged.preprocess, staged.task, seed=1, max_bytes=MADE_BYTES
            )
            file.write(made.data)
            skipped = f", {len(made.skipped)} not" if made.skipped else ""
            source = f"a log made from {made.rendered} templates{skipped}"
        file.flush()
        yield Path(file.name), source


def _write_training_log(request: ModelRequest, file: IO[bytes]) -> str:
    """The training log's lines, if logexport parsed it: where they come from, or ""."""
    rows: Iterable[tuple[int, bytes | None]]
    if request.parsed is not None and (parsed := read_parsed(request.parsed)).written_by_logexport:
        path, rows = request.parsed, ((row.line_no, row.raw) for row in parsed)
    elif (
        request.sequences is not None
        and (sequences := read_sequences(request.sequences)).holds_lines
    ):
        path, rows = request.sequences, ((row.line_no, row.raw) for row in sequences)
    else:
        return ""
    number = 0
    count = 0
    for line_no, raw in islice(rows, MAX_LINES):
        if line_no <= number:
            raise InputError(f"the rows of {path} are not in the order of their lines")
        # Blank lines have no row but a number; an oversize line's bytes were not kept.
        file.write(b"\n" * (line_no - number - 1) + (raw or b"") + b"\n")
        number = line_no
        count += 1
    limited = f" (the first {MAX_LINES} lines)" if count == MAX_LINES else ""
    return f"{path.name}{limited}"


CHECKS: tuple[
    tuple[
        str,
        EngineCheck,
        Callable[[Sequence[str], ModelRequest, LoadedModel, DummyInput, StagedBundle], CheckResult],
    ],
    ...,
] = ((TENSORS, "tensors", _tensors), (REPLAY, "replay", _replay), (SELFTEST, "selftest", _selftest))
"""Each check: its name, what it shows of the engine, the check itself."""
