"""What masks cost on lines that were made to be slow.

Of every shipped mask those lines are taken that cost a backtracking matcher the most steps, each
repeating something else (``tests/logs/hard_texts.py``). The time of all replacements on a line of
1,000,000 characters is divided by that of one of 100,000: in Python's ``re``, and in PCRE2 within
the limits of the C engine, compiled to machine code and interpreted. A matcher that does not come
to its end within the limits is named. The last rows are all masks of a set one after another, as
``Masker`` runs them, and the continuation rules, in Python.

    python benchmarks/masks.py [--runs N] [--hardest N] [--only REGEX] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

SHORT = 100_000
"""Characters of the shorter one of two lines."""
SCREENED = 48
LEAST_SECONDS = 200e-6
"""A short line that takes less says nothing: its time is that of the call."""
LEADS = (
    "",
    "\tat ",
    "  ",
    '  File "',
    "Caused by: ",
    "#1 ",
    "\t",
    "at ",
    "--- End of ",
    "goroutine 1",
)
"""How lines begin that the continuation rules look at."""


def time_once(function: Callable[[Any], object], text: Any) -> float:
    began = time.process_time()
    function(text)
    return time.process_time() - began


def compare(function: Callable[[Any], object], few: Any, many: Any, runs: int) -> float | None:
    """The ratio of the times of a long line and of a short one, of each the best of so many runs.

    The long line goes first once, unmeasured: else it alone would pay for memory that the process
    has not touched yet. None if the short line takes less than :data:`LEAST_SECONDS`.
    """
    time_once(function, many)
    pairs = [(time_once(function, few), time_once(function, many)) for _ in range(runs)]
    short, long = (min(times) for times in zip(*pairs, strict=True))
    return None if short < LEAST_SECONDS else long / short


def measure_masks(runs: int, hardest: int, only: str) -> Iterator[dict[str, Any]]:
    """A row a mask and matcher, of the masks whose row matches ``only``."""
    from logexport.logs.masks import MASK_SETS

    from tests.logs.hard_texts import find_hardest_texts
    from tests.logs.pcre2 import Substitution, load

    library = load()
    for name, of_set in MASK_SETS.items():
        for mask in of_set:
            if not re.search(only, f"{name}: {mask.name}"):
                continue
            python = re.compile(mask.pattern, re.ASCII)
            matchers: dict[str, Callable[[Any], object]] = {
                "python": lambda text, python=python: python.sub("#", text)  # type: ignore[misc]
            }
            if library is not None:
                matchers["jit"] = Substitution(library, mask.pattern, True).run
                matchers["interpreted"] = Substitution(library, mask.pattern, False).run
            shapes = [shape for _, shape in find_hardest_texts(mask.pattern, SCREENED, hardest)]
            for matcher, function in matchers.items():
                ratios = []
                for shape in shapes:
                    few, many = shape.write(SHORT), shape.write(10 * SHORT)
                    given = (few, many) if matcher == "python" else (few.encode(), many.encode())
                    try:
                        ratio = compare(function, *given, runs)
                    except RuntimeError as error:
                        raise SystemExit(f"{mask.name}, {shape.run!r}: {error}") from error
                    if ratio is not None:
                        ratios.append((ratio, shape.run))
                yield describe(f"{name}: {mask.name}", matcher, ratios)


def measure_sets(runs: int, only: str) -> Iterator[dict[str, Any]]:
    """A row for each set of masks, all of whose masks run, and one for the continuation rules; of
    the rows that match ``only``."""
    from logexport.logs.joining import RecordReader
    from logexport.logs.lines import LogLine
    from logexport.logs.masks import MASK_SETS, Masker
    from logexport.logs.preprocess import LineParser, Preprocess

    from tests.logs.hard_texts import RUNS

    for name, of_set in MASK_SETS.items():
        if of_set and re.search(only, f"{name}: all"):
            masker = Masker(of_set)
            yield describe(
                f"{name}: all",
                "python",
                list(measure_runs(masker.in_sequence, RUNS[::24], "", runs)),
            )
    if not re.search(only, "continuation"):
        return
    parser = LineParser(Preprocess(masks=()))

    def read(text: str) -> None:
        lines = [LogLine(1, b"started"), LogLine(2, text.encode())]
        for _ in RecordReader(parser).read(lines):
            pass

    ratios = [
        one
        for lead in LEADS
        for one in measure_runs(read, ("a", " ", "(", ":", ".a", "a:"), lead, runs)
    ]
    yield describe("continuation", "python", ratios)


def measure_runs(
    function: Callable[[str], object], repeated: tuple[str, ...], lead: str, runs: int
) -> Iterator[tuple[float, str]]:
    for run in repeated:
        few, many = (lead + run * (length // len(run)) for length in (SHORT, 10 * SHORT))
        ratio = compare(function, few, many, runs)
        if ratio is not None:
            yield ratio, lead + run


def describe(origin: str, matcher: str, ratios: list[tuple[float, str]]) -> dict[str, Any]:
    largest = max(ratios, default=(0.0, ""))
    return {
        "pattern": origin,
        "matcher": matcher,
        "lines": len(ratios),
        "median": round(statistics.median(ratio for ratio, _ in ratios), 1) if ratios else None,
        "largest": round(largest[0], 1),
        "largest_of": largest[1],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--hardest", type=int, default=4)
    parser.add_argument("--only", metavar="REGEX", default="", help="rows, such as 'default: mac'")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    rows = []
    print(f"{'pattern':24}{'matcher':12}{'lines':>6}{'median':>8}{'largest':>9}")  # noqa: T201
    runs, only = arguments.runs, arguments.only
    for measure in (measure_masks(runs, arguments.hardest, only), measure_sets(runs, only)):
        for row in measure:
            rows.append(row)
            print(  # noqa: T201
                f"{row['pattern']:24}{row['matcher']:12}{row['lines']:>6}{row['median'] or '-':>8}"
                f"{row['largest']:>9}  {row['largest_of']!r}",
                flush=True,
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
