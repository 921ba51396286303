"""Make the MSCRED sample that ships with logexport, by logexport's own commands.

    python make_mscred_sample.py [--work DIR] [--output DIR]

The logs are those of the DeepLog sample (make_samples.py), so both have one vocabulary and one set
of rules, and a bundle of both samples shares the files. The network is a small one, so that the
checkpoint stays near 100 kB. Then the sample is exported and the log with faults is read with it.
The same versions of Python and torch make the same files again.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from make_samples import HERE, SAMPLE_LOG, TRAINING_LOG, generate, logexport, make_sample

SHIPPED = HERE.parents[1] / "plugins" / "mscred" / "logexport_mscred" / "sample"

MODEL = ["--channels", "8,16,32", "--seed", "1"]


def main() -> None:
    """Parse the options and make the sample."""
    make_sample(__doc__, SHIPPED, make, measure)


def make(work: Path, output: Path) -> None:
    """Write the four files of the sample into ``output``."""
    generate(work / "training.log", *TRAINING_LOG)
    generate(work / "sample.log", *SAMPLE_LOG)
    logexport("parse", str(work / "training.log"), "-o", str(work))
    logexport("mscred", "build", "--parsed", str(work / "parsed.parquet"), "-o", str(work))
    counts = str(work / "window_counts.parquet")
    logexport("mscred", "train", "--window-counts", counts, "-o", str(work / "mscred.pth"), *MODEL)
    output.mkdir(parents=True, exist_ok=True)
    for name in ("mscred.pth", "vocab.json", "preprocess.json", "sample.log"):
        shutil.copyfile(work / name, output / name)


def measure(work: Path) -> None:
    """Export the model with every check, and print what it says of the log with faults."""
    bundle = work / "bundle"
    checkpoint = ["--checkpoint", str(work / "mscred.pth")]
    logexport("run", "--model", "mscred", *checkpoint, "-o", str(bundle))
    detected = logexport("detect", str(bundle), str(work / "sample.log"), "--engine", "python")
    verdicts = [json.loads(line)["verdict"] for line in detected.splitlines()]
    print(f"windows flagged: {verdicts.count('anomaly')} of {len(verdicts)}")  # noqa: T201


if __name__ == "__main__":
    main()
