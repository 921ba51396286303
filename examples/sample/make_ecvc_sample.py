"""Make the sample of event count vectors that ships with logexport, by logexport's own commands.

    python make_ecvc_sample.py [--work DIR] [--output DIR]

The logs are those of the DeepLog sample (make_samples.py), so that all samples have one vocabulary.
The sessions are requests, mails, logins, jobs and backups; each ends with a line of its own, or
when the log goes on without it. Then the sample is exported and the log with faults is read with
it. The same versions of Python and torch make the same files again.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

from make_samples import HERE, SAMPLE_LOG, TRAINING_LOG, generate, logexport, make_sample

SHIPPED = HERE.parents[1] / "plugins" / "ecvc" / "logexport_ecvc" / "sample"

SESSIONS = [
    "--session-by",
    r"\b(?:[0-9a-f]{12}|[1-9]F[0-9A-F]{8}|(?:sshd|CRON|backup)\[\d+\])",
    "--close-pattern",
    r"(?: finished with \d+ bytes|: removed|session closed for user \S+|all volumes done in .*)$",
]
BUDGET = ["--false-alarms", "0.002"]


def main() -> None:
    """Parse the options and make the sample."""
    make_sample(__doc__, SHIPPED, make, measure)


def make(work: Path, output: Path) -> None:
    """Write the four files of the sample into ``output``."""
    generate(work / "training.log", *TRAINING_LOG)
    truth = work / "sample.faults.jsonl"
    generate(work / "sample.log", *SAMPLE_LOG, "--truth", str(truth))
    logexport("parse", str(work / "training.log"), "-o", str(work))
    parsed = str(work / "parsed.parquet")
    logexport("ecvc", "build", "--parsed", parsed, *SESSIONS, "-o", str(work))
    files = ["--counts", str(work / "session_counts.parquet"), "--vocab", str(work / "vocab.json")]
    checkpoint = str(work / "ecvc.safetensors")
    logexport("ecvc", "train", *files, "-o", checkpoint, *BUDGET)
    output.mkdir(parents=True, exist_ok=True)
    for name in ("ecvc.safetensors", "vocab.json", "preprocess.json", "sample.log"):
        shutil.copyfile(work / name, output / name)


def measure(work: Path) -> None:
    """Export the model with every check, and print what it says of the log with faults."""
    bundle = work / "bundle"
    checkpoint = ["--checkpoint", str(work / "ecvc.safetensors")]
    logexport("run", "--model", "ecvc", *checkpoint, "-o", str(bundle))
    detected = logexport("detect", str(bundle), str(work / "sample.log"), "--engine", "python")
    text = (work / "sample.faults.jsonl").read_text(encoding="utf-8")
    faults = {entry["line"]: entry["fault"] for entry in map(json.loads, text.splitlines())}

    sessions: Counter[str] = Counter()
    flagged: Counter[str] = Counter()
    for record in map(json.loads, detected.splitlines()):
        # A session of a fault begins with a line of it.
        kind = faults.get(record["first_line"], "no fault")
        sessions[kind] += 1
        flagged[kind] += record["verdict"] == "anomaly"
    for kind, number in sorted(sessions.items()):
        print(f"sessions of {kind} flagged: {flagged[kind]} of {number}")  # noqa: T201


if __name__ == "__main__":
    main()
