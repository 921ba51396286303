"""What structured records cost the C engine's text path, against plain lines of the same length.

The messages of the DeepLog plugin's sample are written as JSON lines (as pino does), Docker's
json-file, CRI and logfmt, each with the numbers changed from line to line. Beside each stand plain
lines of the same number of bytes: the message behind a head, then words. All are read in turn by
the same program, several times; the best run of each counts, in processor time.

    python benchmarks/records.py [--lines N] [--runs N] [--json FILE]
    python benchmarks/records.py --bundle DIR --log FILE --against OTHER_BENCH [--runs N]

The second form times one bundle and log with this tree's ``logexport-bench`` and with another one,
in turn. Needs ``make -C native``.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import detection
from detection import BENCH

TIME = "2025-03-10T08:{:02}:{:02}.{:03}Z"


def bench(program: Path, bundle: Path, log: Path) -> float:
    """Seconds of the text path."""
    detection.BENCH = program
    return float(detection.engine(bundle, log, 1)["text_seconds"])


def export(directory: Path, rules: Any) -> Path:
    """The sample's model with other rules, without checks."""
    import logexport
    from logexport.types import ExportRequest

    rules.save(directory / "preprocess.json")
    logexport.run(
        ExportRequest(
            models=["deeplog"],
            output_dir=directory / "bundle",
            checkpoint=sample().checkpoint,
            vocab=sample().vocab,
            preprocess=directory / "preprocess.json",
            validate=False,
        )
    )
    return directory / "bundle"


def sample() -> Any:
    """The DeepLog plugin's."""
    from logexport.host import default_host

    model = default_host().model("deeplog").model
    if model is None or model.sample is None:
        raise SystemExit("the deeplog plugin ships no sample")
    return model.sample


def sample_messages() -> list[str]:
    """The messages of the sample's log, without their heads."""
    from logexport.logs.joining import RecordReader
    from logexport.logs.lines import iter_logs
    from logexport.logs.preprocess import LineParser, Preprocess

    parser = LineParser(Preprocess.load(sample().preprocess))
    records = RecordReader(parser).read(iter_logs([sample().log]))
    return [record.parsed.message for record in records if record.parsed is not None]


def forms() -> dict[str, tuple[Any, Callable[[str, str, int], str]]]:
    """Rules and a writer of lines for each form."""
    from logexport.logs.structured import StructuredForm

    def pino(text: str, time: str, pid: int) -> str:
        document = {"level": 30, "time": time, "pid": pid, "hostname": "web-1", "name": "shop"}
        return json.dumps({**document, "msg": text}, separators=(",", ":"))

    def docker(text: str, time: str, _: int) -> str:
        document = {"log": text + "\n", "stream": "stdout", "time": time}
        return json.dumps(document, separators=(",", ":"))

    return {
        "json": (StructuredForm("json", "msg", host="hostname"), pino),
        "docker": (StructuredForm("docker"), docker),
        "cri": (StructuredForm("cri"), lambda text, time, _: f"{time} stdout F {text}"),
        "logfmt": (
            StructuredForm("logfmt", "msg", host="host"),
            lambda text, time, pid: f'ts={time} level=info host=web-1 pid={pid} msg="{text}"',
        ),
    }


def write_logs(
    directory: Path, messages: list[str], count: int, write: Callable[[str, str, int], str]
) -> tuple[Path, Path]:
    """A structured log and a plain one whose lines are as long."""
    numbers = random.Random(7)  # noqa: S311 - reproducible, not secret
    structured, plain = [], []
    for number in range(count):
        text = messages[number % len(messages)]
        time = TIME.format(number // 60 % 60, number % 60, numbers.randrange(1000))
        line = write(text, time, numbers.randrange(1000, 30000))
        beside = f"{time} {text}"
        while len(beside) < len(line):
            beside += " " + "word"[: max(1, len(line) - len(beside) - 1)]
        structured.append(line)
        plain.append(beside)
    for name, lines in (("structured", structured), ("plain", plain)):
        (directory / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return directory / "structured", directory / "plain"


def compare_forms(lines: int, runs: int) -> dict[str, Any]:
    """Lines a second of each form and of plain lines, and their ratio."""
    from logexport.logs.headers import PRESETS
    from logexport.logs.preprocess import Preprocess

    messages = sample_messages()
    plain_rules = Preprocess(headers=PRESETS["iso8601"])
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        (directory / "plain").mkdir()
        plain_bundle = export(directory / "plain", plain_rules)
        for name, (form, write) in forms().items():
            (directory / name).mkdir()
            bundle = export(directory / name, replace(plain_rules, structured=(form,)))
            log, beside = write_logs(directory / name, messages, lines, write)
            best = [float("inf"), float("inf")]
            for _ in range(runs):
                best[0] = min(best[0], bench(BENCH, bundle, log))
                best[1] = min(best[1], bench(BENCH, plain_bundle, beside))
            found[name] = {
                "bytes_a_line": round(log.stat().st_size / lines),
                "lines_per_second": round(lines / best[0]),
                "plain_lines_per_second": round(lines / best[1]),
                "ratio": round(best[1] / best[0], 2),
            }
    return found


def compare_programs(bundle: Path, log: Path, other: Path, runs: int) -> dict[str, Any]:
    """Seconds of the text path by this tree's program and another one, in turn."""
    best = [float("inf"), float("inf")]
    for _ in range(runs):
        best[0] = min(best[0], bench(BENCH, bundle, log))
        best[1] = min(best[1], bench(other, bundle, log))
    return {"seconds": best[0], "other_seconds": best[1], "ratio": round(best[1] / best[0], 3)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--against", type=Path, metavar="OTHER_BENCH")
    parser.add_argument("--lines", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    together = (arguments.bundle, arguments.log, arguments.against)
    if any(together) and not all(together):
        parser.error("--bundle, --log and --against belong together")
    if not BENCH.exists():
        parser.error(f"{BENCH} is missing: run `make -C native`")
    if arguments.against:
        result = compare_programs(*together, arguments.runs)
        print("  ".join(f"{key} {value}" for key, value in result.items()))  # noqa: T201
    else:
        result = compare_forms(arguments.lines, arguments.runs)
        print(f"{'':8}{'bytes':>7}{'lines/s':>12}{'plain':>12}{'ratio':>7}")  # noqa: T201
        for name, row in result.items():
            print(  # noqa: T201
                f"{name:<8}{row['bytes_a_line']:>7}{row['lines_per_second']:>12,}"
                f"{row['plain_lines_per_second']:>12,}{row['ratio']:>7}"
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
