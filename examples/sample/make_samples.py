"""Make the DeepLog sample that ships with logexport, by logexport's own commands.

    python make_samples.py [--work DIR] [--output DIR]

generate two logs -> parse -> deeplog build -> deeplog train -> copy what `run` needs. Then the
sample is exported and the log with faults is read with the bundle, to measure what it finds. The
same versions of Python and torch make the same files again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHIPPED = HERE.parents[1] / "plugins" / "deeplog" / "logexport_deeplog" / "sample"

TRAINING_LOG = ["--lines", "60000", "--seed", "1"]
SAMPLE_LOG = ["--lines", "2500", "--seed", "5", "--faults-every", "45"]
MODEL = ["--seq-len", "10", "--embed-dim", "32", "--hidden-dim", "64", "--seed", "1"]
MODEL += ["--holdout", "0.1", "--top-k", "9"]


def main() -> None:
    """Parse the options and make the sample."""
    make_sample(__doc__, SHIPPED, make, measure)


def make_sample(
    description: str,
    shipped: Path,
    make: Callable[[Path, Path], None],
    measure: Callable[[Path], None],
) -> None:
    """The program of each of these scripts: parse its options, make its sample and measure it.

    Args:
        description: its docstring.
        shipped: where the sample goes, unless an option says otherwise.
        make: makes it: what it makes on the way goes into the first, the sample into the second.
        measure: measures it, in the first of these.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--work", type=Path, help="keep what is made on the way here")
    parser.add_argument("--output", type=Path, default=shipped, help="where the sample goes")
    options = parser.parse_args()
    # More threads do not make so small a network faster, and one sums alike everywhere.
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        make(work, options.output)
        measure(work)


def make(work: Path, output: Path) -> None:
    """Write the five files of the sample into ``output``."""
    generate(work / "training.log", *TRAINING_LOG)
    truth = work / "sample.faults.jsonl"
    generate(work / "sample.log", *SAMPLE_LOG, "--truth", str(truth))
    logexport("parse", str(work / "training.log"), "-o", str(work))
    parsed = work / "parsed.parquet"
    logexport("deeplog", "build", "--parsed", str(parsed), "-o", str(work))
    files = ["--sequences", str(work / "sequences.parquet"), "--vocab", str(work / "vocab.json")]
    logexport("deeplog", "train", *files, "-o", str(work / "deeplog.pth"), *MODEL)
    output.mkdir(parents=True, exist_ok=True)
    for name in ("deeplog.pth", "vocab.json", "preprocess.json", "sample.log", truth.name):
        shutil.copyfile(work / name, output / name)


def measure(work: Path) -> None:
    """Export the model and print how many normal lines and how many faults it flags."""
    bundle = work / "bundle"
    model = ["--checkpoint", str(work / "deeplog.pth"), "--vocab", str(work / "vocab.json")]
    logexport("run", "--model", "deeplog", *model, "-o", str(bundle))
    detected = logexport("detect", str(bundle), str(work / "sample.log"), "--engine", "python")
    text = (work / "sample.faults.jsonl").read_text(encoding="utf-8")
    faults = {entry["line"]: entry for entry in map(json.loads, text.splitlines())}

    normal = flagged_normal = fault_lines = flagged_fault_lines = 0
    found: dict[str, dict[int, bool]] = defaultdict(dict)
    for record in map(json.loads, detected.splitlines()):
        flagged = record["verdict"] == "anomaly"
        entry = faults.get(record["line"])
        if entry is None:
            normal += record["verdict"] != "warmup"
            flagged_normal += flagged
        else:
            fault_lines += 1
            flagged_fault_lines += flagged
            of_kind = found[entry["fault"]]
            of_kind[entry["occurrence"]] = of_kind.get(entry["occurrence"], False) or flagged
    print(f"normal lines flagged: {flagged_normal} of {normal}")  # noqa: T201
    print(f"lines of faults flagged: {flagged_fault_lines} of {fault_lines}")  # noqa: T201
    for kind, occurrences in sorted(found.items()):
        print(f"  {kind}: {sum(occurrences.values())} of {len(occurrences)} noticed")  # noqa: T201


def generate(output: Path, *options: str) -> None:
    """Run generate_log.py."""
    command = [sys.executable, str(HERE / "generate_log.py"), "-o", str(output), *options]
    subprocess.run(command, check=True)  # noqa: S603  (our own program)


def logexport(*arguments: str) -> str:
    """Run a logexport command; what it prints on standard output."""
    command = [sys.executable, "-m", "logexport", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    return done.stdout


if __name__ == "__main__":
    main()
