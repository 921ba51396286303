"""How long does ``--help`` take, for every command, against ``python -c "import click, pluggy"``?

A command line that imports torch before it can say what it does is not used twice. The ratio to
the floor (an interpreter that imports only what the command line is made of) is compared, since
absolute times do not carry over; the best of several runs counts, since noise only ever adds. Time
is the processor's (user and system): these processes wait for nothing, and on a busy machine the
clock on the wall measures the others.

    python benchmarks/help_time.py [--runs N] [--limit RATIO] [--json FILE] [COMMAND ...]

Exit status 1 where a ratio is above the limit (2.0 unless told otherwise).
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

FLOOR = [sys.executable, "-c", "import click, pluggy"]
PROGRAM = [sys.executable, "-c", "import sys; from logexport.cli import main; sys.exit(main())"]
"""What the installed script ``logexport`` does."""


def commands() -> Iterator[tuple[str, ...]]:
    """Every command and group of the command line, plugins' included, the bare one first."""
    import click
    from logexport.cli import cli

    def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield path
        if isinstance(command, click.Group):
            context = click.Context(command, info_name=path[-1] if path else "logexport")
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                if inner is not None:
                    yield from walk(inner, (*path, name))

    return walk(cli, ())


def seconds(arguments: Sequence[str]) -> float:
    """Processor time of one process, from start to end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(  # noqa: S603 - this interpreter, arguments from the command tree
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure(which: Sequence[tuple[str, ...]], runs: int) -> dict[str, Any]:
    """The best time of each command's ``--help`` and of the floor, interleaved, run after run."""
    jobs = {"floor": FLOOR}
    jobs |= {" ".join(("logexport", *path)): [*PROGRAM, *path, "--help"] for path in which}
    for arguments in jobs.values():  # byte code is written, files are in the page cache
        seconds(arguments)
    best = dict.fromkeys(jobs, float("inf"))
    for _ in range(runs):
        for name, arguments in jobs.items():
            best[name] = min(best[name], seconds(arguments))
    floor = best.pop("floor")
    return {
        "python": platform.python_version(),
        "runs": runs,
        "floor_seconds": round(floor, 4),
        "commands": {
            name: {"seconds": round(value, 4), "ratio": round(value / floor, 2)}
            for name, value in best.items()
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", nargs="*", help="words of one command; all if left out")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--limit", type=float, default=2.0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    which = [tuple(arguments.command)] if arguments.command else list(commands())
    result = measure(which, arguments.runs)
    width = max(map(len, result["commands"]))
    print(f"{'import click, pluggy':<{width}}  {1000 * result['floor_seconds']:6.1f} ms")  # noqa: T201
    for name, found in result["commands"].items():
        print(f"{name:<{width}}  {1000 * found['seconds']:6.1f} ms  {found['ratio']:.2f}")  # noqa: T201
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return int(any(one["ratio"] > arguments.limit for one in result["commands"].values()))


if __name__ == "__main__":
    sys.exit(main())
