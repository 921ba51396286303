"""What takes too long for every commit, and its results: ``tox -e slow``.

    python -m tests.native.slow [--fuzz-seconds N] [--cases N] [STEP ...]

The steps: ``fuzz`` runs every fuzz target for minutes; ``valgrind`` the C tests; ``differential``
compares engine and reference on thousands of random cases; ``sanitized`` runs the tests of
tests/native on an engine that AddressSanitizer and UBSan watch; ``sessions`` trains on the public
HDFS sessions; ``guide`` follows docs/plugin-guide.md; ``example`` tests the example of a plugin in
an environment that its own tox.ini makes. tests/native/slow.json keeps what each came to, with its
command and the commit.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.matrix.recording import ROOT, commit

RECORD = ROOT / "tests" / "native" / "slow.json"
ASAN = Path("native", "build", "asan")


@dataclass(frozen=True)
class Step:
    """One command; what it needs built first, and what is set for it in the environment."""

    command: str
    first: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    def spoken(self) -> str:
        """As a shell would take it."""
        return " ".join(
            [*(f"{k}={shlex.quote(v)}" for k, v in self.environment.items()), self.command]
        )


def steps(fuzz_seconds: int, cases: int) -> dict[str, Step]:
    """All steps by name."""
    return {
        "fuzz": Step(f"make -C native fuzz FUZZ_SECONDS={fuzz_seconds}"),
        "valgrind": Step("make -C native valgrind"),
        "differential": Step(
            "python -m pytest --timeout=0 tests/native/test_differential.py",
            ("make -C native",),
            {"LOGEXPORT_DIFFERENTIAL_CASES": str(cases)},
        ),
        "sanitized": Step(
            "python -m pytest -n auto -m 'not slow' tests/native",
            ("make -C native", "make -C native asan"),
            {
                "LOGEXPORT_ENGINE": f"{ASAN}/logexport-engine",
                "LOGEXPORT_ENGINE_LIB": f"{ASAN}/liblogexport.so",
                # Python is not built with the sanitizers, leaks, and has a test that it crashes.
                "LD_PRELOAD": "libasan.so libubsan.so",
                "ASAN_OPTIONS": "detect_leaks=0:handle_segv=0",
                "UBSAN_OPTIONS": "print_stacktrace=1",
            },
        ),
        "sessions": Step(
            "python -m pytest tests/native/test_hdfs_sessions.py",
            ("make -C native",),
            {"LOGEXPORT_LONG": "1"},
        ),
        "guide": Step(
            "python -m pytest tests/authors/test_plugin_guide.py",
            ("make -C native",),
            {"LOGEXPORT_LONG": "1"},
        ),
        "example": Step(
            ".venv-tox/bin/tox run -c examples/logexport-transformer",
            # Of its own: what is tested here has no tox.
            ("python -m venv .venv-tox", ".venv-tox/bin/pip install --quiet 'tox>=4.20'"),
        ),
    }


def environment(step: Step) -> dict[str, str]:
    """The environment of a step, with the files that its names stand for."""
    out = {**os.environ, "NO_COLOR": "1", **step.environment}
    for name in ("LOGEXPORT_ENGINE", "LOGEXPORT_ENGINE_LIB"):
        if name in step.environment:
            out[name] = str(ROOT / out[name])
    libraries = step.environment.get("LD_PRELOAD", "").split()
    if libraries:
        out["LD_PRELOAD"] = ":".join(map(library, libraries))
    return out


def library(name: str) -> str:
    """Where the compiler has a library."""
    done = subprocess.run(
        ["cc", f"-print-file-name={name}"], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def call(command: str, variables: dict[str, str]) -> tuple[int, str]:
    """Run a command, showing what it says; its exit status and that text."""
    words = shlex.split(command)
    if words[0] == "python":
        words[0] = sys.executable
    said = []
    with subprocess.Popen(
        words,
        cwd=ROOT,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            say(line.rstrip("\n"))
            said.append(line)
    return process.returncode, "".join(said)


def figures(said: str) -> dict[str, Any]:
    """What a step's output says in numbers."""
    fuzzed = re.findall(r"^(fuzz_\w+): (\d+) runs in (\d+) s, (\d+) edges covered", said, re.M)
    watched = re.findall(r"^(tests/test_\w+): nothing found$", said, re.M)
    tested = re.findall(r"^=+ (.*) in [\d.]+s.* =+$", said, re.M)
    out: dict[str, Any] = {
        target: {"runs": int(runs), "seconds": int(seconds), "edges": int(edges)}
        for target, runs, seconds, edges in sorted(fuzzed)
    }
    if watched:
        out["c_tests"] = len(watched)
    if tested:
        out["tests"] = tested[-1]
    return out


def run(step: Step) -> dict[str, Any]:
    """Run a step to its end; what is recorded of it."""
    now = commit()
    for command in step.first:
        status, _ = call(command, {**os.environ})
        if status != 0:
            raise SystemExit(f"`{command}` failed")
    began = time.monotonic()
    say(f"+ {step.spoken()}")
    status, said = call(step.command, environment(step))
    return {
        "command": step.spoken(),
        "commit": now,
        "figures": figures(said),
        "result": "passed" if status == 0 else f"failed with status {status}",
        "seconds": round(time.monotonic() - began),
    }


def main() -> int:
    """Run the steps that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--fuzz-seconds", type=int, default=120, help="for each target")
    parser.add_argument("--cases", type=int, default=2000, help="of the differential test")
    parser.add_argument("steps", nargs="*", metavar="STEP", help="all by default")
    wanted = parser.parse_args()
    known = steps(wanted.fuzz_seconds, wanted.cases)
    unknown = set(wanted.steps) - set(known)
    if unknown:
        parser.error(f"no such step: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    for name in wanted.steps or known:
        record[name] = run(known[name])
        RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        say(f"{name}: {record[name]['result']} after {record[name]['seconds']} s")
    passed = all(record[name]["result"] == "passed" for name in wanted.steps or known)
    return 0 if passed else 1


def say(line: str) -> None:
    """On standard output at once: minutes may lie between two lines."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
