"""How many lines a second, on one core: the C engine beside the Python reference, in the same run.

Three figures each. *text*: from bytes to event ids (lines, UTF-8, session, header, masks, tokens,
matching). *scoring*: from event ids to records (sessions, windows, ONNX Runtime, verdicts as text).
*both*: from bytes to records. The log is in memory, nothing is written; the best of several runs
counts, in processor time, since noise only ever adds. Both remember windows, so the log's own
repetition is part of the figure: the numbers of distinct windows are shown.

    python benchmarks/detection.py [--bundle DIR --log FILE] [--lines N] [--runs N] [--json FILE]

Without a bundle the built-in DeepLog sample is exported and read, repeated to about ``--lines``
lines. Needs ``make -C native``.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent.parent / "native" / "build" / "logexport-bench"
PARTS = ("text", "score", "both")


def sample(directory: Path) -> tuple[Path, bytes]:
    """The sample that ships with the DeepLog plugin, exported without checks, and its log."""
    import logexport
    from logexport.host import default_host
    from logexport.types import ExportRequest

    bundle = directory / "bundle"
    logexport.run(ExportRequest(models=["deeplog"], output_dir=bundle, validate=False))
    model = default_host().model("deeplog").model
    if model is None or model.sample is None:
        raise SystemExit("the deeplog plugin ships no sample: name --bundle and --log")
    return bundle, model.sample.log.read_bytes()


def engine(bundle: Path, log: Path, runs: int) -> dict[str, Any]:
    """The C engine's seconds by part, on one thread."""
    from logexport.runtime import runtime_library

    environment = {"LOGEXPORT_ORT_LIB": str(runtime_library() or ""), **os.environ}
    done = subprocess.run(  # noqa: S603 - the program that this tree builds
        [BENCH, bundle, log, str(runs)], env=environment, stdout=subprocess.PIPE, check=True
    )
    return dict(json.loads(done.stdout))


def reference(bundle: Path, model_name: str | None, data: bytes, runs: int) -> dict[str, Any]:
    """The Python reference's seconds by part; ONNX Runtime on one thread."""
    from logexport.detect import open_model
    from logexport.logs.events import EventReader
    from logexport.logs.lines import iter_lines
    from logexport.verdicts.detector import Detector, Stats
    from logexport.verdicts.options import DetectOptions
    from logexport.verdicts.scorers import OnnxRuntimeScorer

    model = open_model(bundle, DetectOptions(model=model_name))
    rules = model.preprocess
    scorer = OnnxRuntimeScorer(model.onnx)
    best = dict.fromkeys(PARTS, float("inf"))
    stats = Stats()
    for _ in range(runs):
        began = time.process_time()
        reader = EventReader(rules, model.vocab)
        stream = io.BytesIO(data)
        stream.name = "log"
        events = list(reader.read(iter_lines(stream, rules.reading)))
        read = time.process_time()
        detector = Detector(model.task, model.vocab, scorer, rules=rules)
        stats = detector.stats
        for event in events:
            for record in detector.feed(event):
                record.to_line()
        for record in detector.finish():
            record.to_line()
        scored = time.process_time()
        # The reference's parts run one after the other, line by line: both is their sum.
        seconds = {"text": read - began, "score": scored - read, "both": scored - began}
        best = {part: min(best[part], seconds[part]) for part in PARTS}
    found: dict[str, Any] = {f"{part}_seconds": best[part] for part in PARTS}
    return found | {"unseen": stats.unseen}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, help="one model; the built-in sample if left out")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--lines", type=int, default=50_000, help="of the repeated log, about")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if (arguments.bundle is None) != (arguments.log is None):
        parser.error("--bundle and --log belong together")
    if not BENCH.exists():
        parser.error(f"{BENCH} is missing: run `make -C native`")
    with tempfile.TemporaryDirectory() as directory:
        if arguments.bundle is None:
            bundle, data = sample(Path(directory))
        else:
            bundle, data = arguments.bundle, arguments.log.read_bytes()
        data = data if data.endswith(b"\n") else data + b"\n"
        data *= max(1, arguments.lines // max(1, data.count(b"\n")))
        log = Path(directory, "log")
        log.write_bytes(data)
        native = engine(bundle, log, arguments.runs)
        python = reference(bundle, None, data, arguments.runs)
    lines = native["lines"]
    rates = {
        part: {
            "engine_lines_per_second": round(lines / native[f"{part}_seconds"]),
            "reference_lines_per_second": round(lines / python[f"{part}_seconds"]),
            "ratio": round(python[f"{part}_seconds"] / native[f"{part}_seconds"], 1),
        }
        for part in PARTS
    }
    result = {
        "machine": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "runs": arguments.runs,
        "lines": lines,
        "bytes": native["bytes"],
        "unseen": native["unseen"],
        "windows_scored": native["scored"],
        "windows_remembered": native["remembered"],
        "rates": rates,
    }
    print(  # noqa: T201
        f"{lines:,} lines, {native['bytes']:,} bytes, {native['unseen']:,} unseen; "
        f"{native['scored']:,} windows scored, {native['remembered']:,} remembered"
    )
    print(f"{'':8}{'engine':>14}{'reference':>14}{'ratio':>8}   lines/s, one core")  # noqa: T201
    for part, rate in rates.items():
        name = "scoring" if part == "score" else part
        ours, theirs = rate["engine_lines_per_second"], rate["reference_lines_per_second"]
        print(f"{name:<8}{ours:>14,}{theirs:>14,}{rate['ratio']:>8}")  # noqa: T201
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if native["unseen"] != python["unseen"]:
        print("the engine and the reference did not read the same events", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
