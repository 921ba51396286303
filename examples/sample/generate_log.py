"""Write a syslog of a machine that does not exist: normal traffic of several services, rare faults.

    python generate_log.py --lines 2000 --seed 7 --faults-every 60 --truth faults.jsonl -o a.log

The same options give the same bytes. Lines are RFC 3164 style, without a year. ``--truth`` writes
one JSON line for each line that a fault wrote: its number, the fault's name, and a number that the
lines of one occurrence share. See README.md here for what the services and the faults are.
"""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from itertools import islice
from pathlib import Path

from faults import fault_sources
from services import SERVICES
from simulation import Simulation


def main() -> None:
    """Parse the options and write the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True, help="the log")
    parser.add_argument("--lines", type=int, default=2000, help="how many lines (2000)")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same log (1)")
    parser.add_argument(
        "--start",
        type=datetime.fromisoformat,
        default=datetime(2026, 3, 1, 6, 0, 0),
        help="when the log begins (2026-03-01T06:00:00)",
    )
    parser.add_argument("--host", default="vega", help="the host's name (vega)")
    parser.add_argument(
        "--faults-every",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="mean time between faults; 0 for a log without faults (0)",
    )
    parser.add_argument("--truth", type=Path, help="also write which lines are faults, JSON Lines")
    options = parser.parse_args()

    sources = SERVICES
    if options.faults_every > 0:
        sources += fault_sources(options.faults_every)
    simulation = Simulation(sources, options.seed, options.start, options.host)
    truth = []
    with options.output.open("w", encoding="utf-8", newline="\n") as log:
        for number, line in enumerate(islice(simulation.lines(), options.lines), start=1):
            log.write(line.text + "\n")
            if line.fault is not None:
                truth.append({"line": number, "fault": line.fault, "occurrence": line.occurrence})
    if options.truth is not None:
        text = "".join(json.dumps(entry) + "\n" for entry in truth)
        options.truth.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
