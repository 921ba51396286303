"""Measure what DeepLog and MSCRED find and miss, and write the table in docs/models.md.

    python study.py [--work DIR] [--only-table]

Generates a normal log, trains both models on it by logexport's own commands, exports them into one
bundle, generates a clean log and one with ten episodes of each kind of trouble, lets ``logexport
detect`` read them, and writes results.json here and the table in docs/models.md. Everything is
seeded. Takes a few minutes on two cores. ``--only-table`` writes the table from results.json again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from measures import Verdict, measure, read_verdict
from troubles import CALM, EPISODES, TROUBLES, write_log

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RESULTS = HERE / "results.json"
DOCS = ROOT / "docs" / "models.md"
BEGIN = "<!-- detection study: written by examples/detection_study/study.py -->"
END = "<!-- detection study: end -->"

TRAINING_LINES, CLEAN_LINES = 60_000, 20_000
TRAINING_SEED, CLEAN_SEED, TROUBLE_SEED = 1, 11, 21
DEEPLOG = ["--seq-len", "10", "--embed-dim", "32", "--hidden-dim", "64", "--seed", "1"]
DEEPLOG += ["--holdout", "0.1", "--top-k", "9"]
MSCRED = ["--channels", "16,32,64", "--seed", "1"]
THRESHOLD = ["--threshold", "p99"]
MODELS = ("deeplog", "mscred")
THRESHOLDS = ("p95", "mad", "3sigma", "p99")
"""MSCRED's, that so long a log has windows enough for; the last is the one that is used."""


def main() -> None:
    """Parse the options, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, help="keep what is made on the way here")
    parser.add_argument("--engine", default="python", choices=("python", "native"))
    parser.add_argument("--only-table", action="store_true", help="from results.json")
    options = parser.parse_args()
    # One core for each training; networks this small are no faster on more threads.
    os.environ["OMP_NUM_THREADS"] = "1"
    if not options.only_table:
        with tempfile.TemporaryDirectory() as temporary:
            work = options.work or Path(temporary)
            work.mkdir(parents=True, exist_ok=True)
            results = run_study(work, options.engine)
        RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    write_table(json.loads(RESULTS.read_text(encoding="utf-8")), DOCS)


def run_study(work: Path, engine: str) -> dict[str, Any]:
    """Train, export, detect and measure."""
    bundle = train(work)
    clean_log = work / "clean.log"
    write_log(None, clean_log, CLEAN_SEED, CLEAN_LINES)
    clean = {model: detect(bundle, model, clean_log, engine) for model in MODELS}
    results: dict[str, Any] = {
        "training_lines": TRAINING_LINES,
        "options": {"deeplog": DEEPLOG, "mscred": MSCRED},
        "clean": {
            model: {
                "lines": CLEAN_LINES,
                "judged": len(verdicts),
                "flagged": sum(verdict.anomaly for verdict in verdicts),
            }
            for model, verdicts in clean.items()
        },
        "clean_by_threshold": {
            name: flagged_share(detect(bundle, "mscred", clean_log, engine, "--threshold", name))
            for name in THRESHOLDS
        },
        "troubles": {},
    }
    for trouble in TROUBLES:
        log = work / f"{trouble.name}.log"
        spans = write_log(trouble, log, TROUBLE_SEED, 0)
        results["troubles"][trouble.name] = {
            "lines": trouble.lines,
            "what": trouble.words,
            **{
                model: measure(detect(bundle, model, log, engine), spans, clean[model]).to_json()
                for model in MODELS
            },
        }
    return results


def train(work: Path) -> Path:
    """From the generated log to a bundle of both models."""
    write_log(None, work / "training.log", TRAINING_SEED, TRAINING_LINES)
    logexport("parse", work / "training.log", "-o", work)
    for model in MODELS:
        logexport(model, "build", "--parsed", work / "parsed.parquet", "-o", work)
    vocab, counts = work / "vocab.json", work / "window_counts.parquet"
    inputs = ["--sequences", work / "sequences.parquet", "--vocab", vocab]
    both = [
        start("deeplog", "train", *inputs, "-o", work / "deeplog.pth", *DEEPLOG),
        start("mscred", "train", "--window-counts", counts, "-o", work / "mscred.pth", *MSCRED),
    ]
    failed = [process.wait() != 0 for process in both]
    if any(failed):
        raise SystemExit("a training failed")
    models = [word for model in MODELS for word in ("--model", model)]
    checkpoints = [
        word for model in MODELS for word in ("--checkpoint", f"{model}={work / model}.pth")
    ]
    logexport("run", *models, *checkpoints, "--vocab", vocab, "-o", work / "bundle", *THRESHOLD)
    return work / "bundle"


def flagged_share(verdicts: list[Verdict]) -> float:
    """Share of the judged records that are anomalies."""
    return sum(verdict.anomaly for verdict in verdicts) / len(verdicts)


def detect(bundle: Path, model: str, log: Path, engine: str, *options: str) -> list[Verdict]:
    """The judged records of one model on one log."""
    text = logexport("detect", bundle, log, "--model", model, "--engine", engine, *options)
    read = (read_verdict(json.loads(line)) for line in text.splitlines())
    return [verdict for verdict in read if verdict is not None]


def logexport(*arguments: object) -> str:
    """Run a logexport command; what it prints on standard output."""
    process = start(*arguments)
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"logexport {' '.join(map(str, arguments))} failed")
    return out


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start a logexport command."""
    command = [sys.executable, "-m", "logexport", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603


# --- the table ------------------------------------------------------------------------------------


def render(results: dict[str, Any]) -> str:
    """The part of docs/models.md between the markers."""
    rows = [
        "| trouble | lines | | precision | by chance | recall | episodes found |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in results["troubles"].items():
        for model, title in (("deeplog", "DeepLog"), ("mscred", "MSCRED")):
            first = f"{name}: {row['what']}" if model == "deeplog" else ""
            lines = str(row["lines"]) if model == "deeplog" else ""
            own = row[model]
            rows.append(
                f"| {first} | {lines} | {title} | {percent(own['precision'])} |"
                f" {percent(own['in_trouble'] / own['judged'])} | {percent(own['recall'])} |"
                f" {own['found']} of {own['episodes']} |"
            )
    clean = results["clean"]
    normal = ", ".join(
        f"{title} {clean[model]['flagged']:,} of {clean[model]['judged']:,} {unit}"
        f" ({percent(clean[model]['flagged'] / clean[model]['judged'])})"
        for model, title, unit in (
            ("deeplog", "DeepLog", "lines"),
            ("mscred", "MSCRED", "windows"),
        )
    )
    about = (
        f"Trained on {results['training_lines']:,} normal lines; {EPISODES} episodes of each"
        f" trouble, {CALM:,} normal lines before each. Flagged on a clean log of"
        f" {clean['deeplog']['lines']:,} lines: {normal}. MSCRED's other thresholds flag there: "
        + ", ".join(
            f"`{name}` {percent(share)}"
            for name, share in results["clean_by_threshold"].items()
            if name != THRESHOLDS[-1]
        )
        + "."
    )
    return "\n".join([about, "", *rows])


def percent(share: float | None) -> str:
    """A share as a percentage, or a dash."""
    return "–" if share is None else f"{100 * share:.1f} %"


def write_table(results: dict[str, Any], path: Path) -> None:
    """Replace what stands between the markers."""
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{path} has lost its markers {BEGIN} and {END}")
    text = f"{before}{BEGIN}\n\n{render(results)}\n\n{END}{after}"
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
