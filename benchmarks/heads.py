"""What it costs to find the heads of a log, and to match them against lines made to be slow.

*find*: the processor time of sampling a log and finding its rules, against that of reading its
lines once, and the peak memory of both. The log has several heads, one after the other and mixed.
Each run has a process of its own, and reading and finding take turns: the ratio is the median of
the pairs. The same of a tenth of the log tells whether the memory grows.

*match*: every pattern that is learned from many kinds of logs and every pattern of a preset, on
lines that begin as its head does and then repeat something. Of each pattern those lines are taken
that cost PCRE2 the most steps. The time of a line of 1,000,000 characters is divided by that of one
of 100,000: in Python, and in PCRE2 compiled to machine code as the C engine does. A pattern that
goes too many steps a character is timed with lines of 10,000 and 1,000 characters, and shown.

    python benchmarks/heads.py [--lines N] [--runs N] [--only find|match] [--json FILE]
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import re
import resource
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

if TYPE_CHECKING:
    from tests.logs.hard_lines import Known, Shape
    from tests.logs.pcre2 import StepCounter

MIXED = (
    ("padded", "%Y-%m-%d %H:%M:%S,%L"),
    ("syslog", "%b %e %H:%M:%S"),
    ("brackets", "%d/%b/%Y:%H:%M:%S %z"),
    ("request", "%Y-%m-%dT%H:%M:%S.%fZ"),
    ("pid and thread", "%m-%d %H:%M:%S.%L"),
)
"""Heads of the log, and their forms of time."""
DISTINCT = 20_000
"""Lines of the log that are not the same."""
SHORT = 100_000
"""Characters of the shorter one of two lines."""
SCREENED = 1000
MOST_STEPS = 64
"""A character of a line takes so many steps at most, or the pattern counts as not linear."""
HARDEST = 3
"""So many lines of each pattern are timed."""
LEAST_SECONDS = 50e-6
"""A match of a long line that takes less stopped early: its ratio says nothing."""


TITLES = (
    *(("lines", 10), ("read s", 9), ("find s", 9), ("ratio", 7), ("largest", 9)),
    *(("read MiB", 10), ("find MiB", 10)),
)


# --- find -----------------------------------------------------------------------------------------


def write_mixed(path: Path, lines: int) -> None:
    """A log whose first half has one head after the other, and whose second half mixes them."""
    from tests.logs.head_forms import HEADS, TRAINING, write_log

    each = DISTINCT // len(MIXED)
    parts = [
        [text for text, _ in write_log(HEADS[name], form, TRAINING, each, seed, False)]
        for seed, (name, form) in enumerate(MIXED)
    ]
    mixed = [text for part in parts for text in part]
    random.Random(3).shuffle(mixed)  # noqa: S311 - reproducible, not secret
    half = lines // 2
    with path.open("w", encoding="utf-8") as file:
        for part in parts:
            count = half // len(parts)
            file.writelines(f"{part[number % each]}\n" for number in range(count))
        count = lines - half // len(parts) * len(parts)
        file.writelines(f"{mixed[number % len(mixed)]}\n" for number in range(count))


def read_log(log: Path) -> tuple[float, int, int]:
    """Seconds of reading a log's lines, peak memory in KiB, and no header."""
    from logexport.logs.lines import iter_logs
    from logexport.logs.preprocess import Preprocess

    rules = Preprocess()
    began = time.process_time()
    deque(iter_logs([log], rules.reading), maxlen=0)
    return time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0


def find_log_rules(log: Path) -> tuple[float, int, int]:
    """Seconds of finding a log's rules, peak memory in KiB, and the number of headers."""
    from logexport.logs.lines import iter_logs
    from logexport.training.rules import RulesRequest, find_rules
    from logexport.training.sampling import sample_lines

    request = RulesRequest()
    rules = request.preprocess
    began = time.process_time()
    sample = sample_lines([iter_logs([log], rules.reading)], rules)
    _, found = find_rules(request, sample)
    seconds = time.process_time() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return seconds, memory, len(found.headers)


def run_alone(
    function: Callable[[Path], tuple[float, int, int]], log: Path
) -> tuple[float, int, int]:
    """What a function gives in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, log).result()


def measure_find(lines: int, runs: int) -> dict[str, Any]:
    """Seconds and memory of reading and of finding, of a log and of a tenth of it."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as made:
        for name, count in (("tenth", lines // 10), ("whole", lines)):
            log = Path(made, name)
            write_mixed(log, count)
            read, find = [], []
            for _ in range(runs):
                read.append(run_alone(read_log, log))
                find.append(run_alone(find_log_rules, log))
            ratios = [of_find[0] / of_read[0] for of_read, of_find in zip(read, find, strict=True)]
            found[name] = {
                "lines": count,
                "bytes": log.stat().st_size,
                "headers": find[0][2],
                "read_seconds": round(min(read)[0], 3),
                "find_seconds": round(min(find)[0], 3),
                "ratio": round(statistics.median(ratios), 2),
                "largest_ratio": round(max(ratios), 2),
                "read_mib": round(max(one[1] for one in read) / 1024, 1),
                "find_mib": round(max(one[1] for one in find) / 1024, 1),
            }
    return found


WRITERS: dict[str, Callable[[Shape], Callable[[int], Any]]] = {
    "python": lambda shape: shape.write,
    "pcre2": lambda shape: lambda length: shape.write(length).encode(),
}
"""Lines of a length, as a matcher takes them."""


# --- match ----------------------------------------------------------------------------------------


def find_hardest(counter: StepCounter, known: Known) -> tuple[list[Shape], Shape | None]:
    """The lines of a pattern that take the most steps; one that takes too many, if there is one."""
    hardest: list[tuple[int, int, Shape]] = []
    for number, shape in enumerate(known.shapes()):
        text = shape.write(SCREENED)
        least = hardest[0][0] if len(hardest) == HARDEST else 0
        if least and counter.ends_within(text, least):
            continue
        if not counter.ends_within(text, MOST_STEPS * SCREENED):
            return [], shape
        entry = (counter.count(text), number, shape)
        if len(hardest) < HARDEST:
            heapq.heappush(hardest, entry)
        else:
            heapq.heapreplace(hardest, entry)
    return [shape for _, _, shape in sorted(hardest, reverse=True)], None


def time_both(
    match: Callable[[Any], object], few: Any, many: Any, runs: int
) -> tuple[float, float, float]:
    """Seconds of a match of a short line and of a long one, in turn, and their ratio.

    The best run of each counts, and the median of the ratios: a machine that changes its speed
    does so between runs. The short line is matched as often as makes it as much text.
    """
    times = len(many) // len(few)
    pairs = []
    for _ in range(runs):
        began = time.process_time()
        for _ in range(times):
            match(few)
        between = time.process_time()
        match(many)
        pairs.append(((between - began) / times, time.process_time() - between))
    ratio = statistics.median(long / short for short, long in pairs)
    return min(short for short, _ in pairs), min(long for _, long in pairs), ratio


def compare_lengths(
    match: Callable[[Any], object], write: Callable[[int], Any], short: int, runs: int
) -> tuple[float, float]:
    """The ratio of the times of a line ten times as long and of a short one, and the longer time.

    If the short line takes less than :data:`LEAST_SECONDS`, both are ten times as long. So what
    PCRE2 answers at once does not count: up to 500,000 bytes it looks for characters that a match
    needs before it matches.
    """
    few, many, ratio = time_both(match, write(short), write(10 * short), runs)
    if few < LEAST_SECONDS and short == SHORT:
        few, many, ratio = time_both(match, write(10 * short), write(100 * short), runs)
    return ratio, many


def measure_match(runs: int) -> dict[str, Any]:
    """The ratios of all patterns, and those that are not linear."""
    from tests.logs.hard_lines import learned, shipped
    from tests.logs.pcre2 import JitPattern, StepCounter, load

    library = load()
    if library is None:
        raise SystemExit("PCRE2 is not on this machine: its steps are needed to choose the lines")
    found: dict[str, Any] = {"not_linear": []}
    for group, patterns in (("learned", learned(range(24), 2)), ("shipped", shipped())):
        ratios: dict[str, list[tuple[float, str, str, float]]] = {"python": [], "pcre2": []}
        early = 0
        for known in patterns:
            matches: dict[str, Callable[[Any], object]] = {
                "python": re.compile(known.pattern, re.ASCII).match,
                "pcre2": JitPattern(library, known.pattern).matches,
            }
            hardest, endless = find_hardest(StepCounter(library, known.pattern), known)
            if endless is not None:
                row: dict[str, Any] = {"origin": known.origin, "pattern": known.pattern}
                row["line"] = endless._asdict()
                for name, match in matches.items():
                    ratio, _ = compare_lengths(match, WRITERS[name](endless), SCREENED, runs)
                    row[f"{name}_ratio"] = round(ratio, 1)
                found["not_linear"].append(row)
            for shape in hardest:
                for name, match in matches.items():
                    ratio, seconds = compare_lengths(match, WRITERS[name](shape), SHORT, runs)
                    if seconds < LEAST_SECONDS:
                        early += 1
                    else:
                        ratios[name].append((ratio, known.origin, shape.run, seconds))
        found[group] = {
            "patterns": len({known.pattern for known in patterns}),
            "stopped_early": early,
        }
        for name, rows in ratios.items():
            found[group][name] = {
                "lines": len(rows),
                "median_ratio": round(statistics.median(row[0] for row in rows), 1),
                "largest_ratio": round(max(rows)[0], 1),
                "largest_of": max(rows)[1:3],
                "slower_than_15": sum(row[0] > 15 for row in rows),
            }
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=("find", "match"))
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    result: dict[str, Any] = {}
    if arguments.only != "match":
        result["find"] = measure_find(arguments.lines, arguments.runs)
        print("".join(f"{title:>{width}}" for title, width in TITLES))  # noqa: T201
        for row in result["find"].values():
            print(  # noqa: T201
                f"{row['lines']:>10,}{row['read_seconds']:>9}{row['find_seconds']:>9}"
                f"{row['ratio']:>7}{row['largest_ratio']:>9}{row['read_mib']:>10}{row['find_mib']:>10}"
            )
    if arguments.only != "find":
        result["match"] = measure_match(arguments.runs)
        print(f"{'':18}{'lines':>7}{'median':>8}{'largest':>9}{'above 15':>10}")  # noqa: T201
        for group in ("learned", "shipped"):
            for name in ("python", "pcre2"):
                row = result["match"][group][name]
                print(  # noqa: T201
                    f"{group:<10}{name:<8}{row['lines']:>7}{row['median_ratio']:>8}"
                    f"{row['largest_ratio']:>9}{row['slower_than_15']:>10}  {row['largest_of']}"
                )
        for row in result["match"]["not_linear"]:
            print(  # noqa: T201
                f"not linear: {row['origin']}; of lines ten times as long, python "
                f"{row['python_ratio']}, pcre2 {row['pcre2_ratio']} times the seconds"
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
