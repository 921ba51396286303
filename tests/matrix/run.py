"""Run the whole matrix: every PyTorch release in an environment of tox of its own.

    python tests/matrix/run.py [--discard] [ENVIRONMENT ...]

One environment after another. What has passed for the same source is skipped, so a run that was
stopped is resumed by the same command; most documents, what a run writes itself and .ci are no part
of the source. A failure does not stop the rest; a change of the source does. After each environment
its record goes to tests/matrix/records, or is removed there if it failed, and docs/compatibility.md
is written anew.
The end is a summary; the exit status is 0 when every row has passed and all records mean the same.

With --discard an environment is removed after use and pip keeps no downloads: at any time there is
one environment (up to 7 GB) and its temporary files.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

# Started by its path, Python finds the directory of this file, not the one that holds `tests`.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.matrix import compatibility, recording
from tests.matrix.recording import KEPT, ROOT, git, is_source

WORK = ROOT / ".tox"
STATE = WORK / "matrix"
RECORDS = STATE / "records"
"""Where the runs write. What has passed is copied to the source, whose tests must not see a row
half done."""
LEAST_FREE = 9 << 30
"""Bytes on the disk without which no environment is begun."""

TOX = (4, 20)
CLOSING = re.compile(r"=* ?((?:\d+ \w+,? ?)+)in [\d.]+s")
"""pytest's last line."""


def source() -> str:
    """A name for the files that decide how the tests go, whatever came with them in documents and
    records."""
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    total = hashlib.sha256()
    for name in sorted(set(listed.split("\0"))):
        path = ROOT / name
        if is_source(name) and path.is_file():
            total.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()[:16]


def tox() -> list[str]:
    """The command; installed into .venv-tox where there is none that will do."""
    found = shutil.which("tox")
    if found and _does(found):
        return [found]
    own = ROOT / ".venv-tox"
    if not _does(own / "bin" / "tox"):
        subprocess.run([sys.executable, "-m", "venv", own], check=True)
        subprocess.run([own / "bin" / "pip", "install", "--quiet", "tox>=4.20"], check=True)
    return [str(own / "bin" / "tox")]


def _does(program: str | Path) -> bool:
    """Whether a tox can be started and is new enough."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True)
    except OSError:
        return False
    version = re.match(r"(\d+)\.(\d+)", done.stdout)
    return done.returncode == 0 and version is not None and tuple(map(int, version.groups())) >= TOX


def environment(discard: bool) -> dict[str, str]:
    """The process environment of tox: other Pythons reachable, downloads kept or not."""
    out = {
        **os.environ,
        "LOGEXPORT_MATRIX_RECORDS": str(RECORDS),
        "NO_COLOR": "1",  # pytest's last line is read
    }
    out.pop("FORCE_COLOR", None)
    # pyenv's shims of versions that are not the current one fail, so the programs themselves are
    # put behind everything else on the path.
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    programs = map(str, sorted(pyenv.glob("versions/3.*/bin")))
    out["PATH"] = os.pathsep.join([out.get("PATH", os.defpath), *programs])
    if discard:
        out["PIP_NO_CACHE_DIR"] = "1"
    return out


def passed(name: str, now: str) -> dict[str, str] | None:
    """What is noted of a row that has passed for this source and whose record is there."""
    try:
        state = json.loads((STATE / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    good = state.get("source") == now and state.get("result") == "passed"
    return dict(state) if good and (RECORDS / f"{name}.json").exists() else None


def run(name: str, now: str, discard: bool, command: Sequence[str]) -> dict[str, str]:
    """Run one environment and note how it went."""
    began = time.monotonic()
    log = STATE / f"{name}.log"
    record = RECORDS / f"{name}.json"
    for stale in (record, STATE / f"{name}.json"):
        stale.unlink(missing_ok=True)
    try:
        status = call([*command, "run", "--workdir", str(WORK), "-e", name], log, discard)
    finally:
        if discard:
            shutil.rmtree(WORK / name, ignore_errors=True)
    closing = CLOSING.findall(log.read_text(encoding="utf-8", errors="replace"))
    tests = closing[-1].strip().rstrip(",") if closing else "no tests"
    result = "passed" if status == 0 and closing and record.exists() else "failed"
    if source() != now:
        result = "outdated"
    state = {
        "source": now,
        "result": result,
        "tests": tests,
        "seconds": f"{time.monotonic() - began:.0f}",
    }
    if result == "passed":
        recording.update(record, lambda facts: facts.__setitem__("tests", tests))
    (STATE / f"{name}.json").write_text(json.dumps(state), encoding="utf-8")
    return state


def call(command: Sequence[str], log: Path, discard: bool) -> int:
    """Run a command to its end; whatever ends this program ends it and its children first."""
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=environment(discard),
            start_new_session=True,
        )
        try:
            return process.wait()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def keep(name: str, good: bool) -> None:
    """Let the kept records and the page say what is known of a row now."""
    kept = KEPT / f"{name}.json"
    if good:
        KEPT.mkdir(exist_ok=True)
        shutil.copyfile(RECORDS / kept.name, kept)
    else:
        kept.unlink(missing_ok=True)
    compatibility.write()


def excerpt(name: str) -> Iterator[str]:
    """The lines of a failed row's log that say what failed; else its last ones."""
    lines = (STATE / f"{name}.log").read_text(encoding="utf-8", errors="replace").splitlines()
    telling = [line for line in lines if line.startswith(("FAILED", "ERROR", "E   "))]
    yield from (telling or lines)[-12:]


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("environments", nargs="*", metavar="ENVIRONMENT", help="all by default")
    parser.add_argument("--discard", action="store_true", help="remove each after use")
    parser.add_argument("--again", action="store_true", help="run what has passed, too")
    wanted = parser.parse_args()
    rows = list(recording.rows())
    unknown = set(wanted.environments) - set(rows)
    if unknown:
        parser.error(
            f"no such environment: {', '.join(sorted(unknown))}; there are {', '.join(rows)}"
        )
    STATE.mkdir(parents=True, exist_ok=True)
    for one in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, lambda number, _: sys.exit(128 + number))
    with (STATE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            parser.error(f"another run of the matrix is at work in {WORK}")
        return run_all(wanted.environments or rows, wanted.again, wanted.discard)


def run_all(names: Sequence[str], again: bool, discard: bool) -> int:
    """Run these environments, one after another; the exit status."""
    command = tox()
    now = source()
    results: dict[str, dict[str, str]] = {}
    for name in names:
        if source() != now:
            say("the source has changed: what would be run now is not what was asked for")
            break
        before = None if again else passed(name, now)
        if before is not None:
            results[name] = {**before, "result": "passed before"}
        elif shutil.disk_usage(ROOT).free < LEAST_FREE:
            results[name] = {"result": f"not run: less than {LEAST_FREE >> 30} GB are free"}
        else:
            say(f"{name}: began at {time.strftime('%H:%M:%S')}")
            results[name] = run(name, now, discard, command)
        if results[name]["result"] in ("passed", "passed before", "failed"):
            keep(name, results[name]["result"] != "failed")
        say(f"{name}: {results[name]['result']}, {results[name].get('tests', '')}")
        if results[name]["result"] == "failed":
            for line in excerpt(name):
                say(f"    {line[:240]}")
    say("")
    for name, state in results.items():
        seconds = f"{state['seconds']} s" if "seconds" in state else ""
        say(f"{name:16} {state['result']:14} {seconds:>8}  {state.get('tests', '')}")
    good = sum(state["result"].startswith("passed") for state in results.values())
    say(f"{good} passed, {len(names) - good} not")
    differing = recording.disagreements(recording.read(KEPT))
    for one in differing:
        say(f"not one meaning: {one}")
    return 0 if good == len(names) and not differing else 1


def say(line: str) -> None:
    """On standard output at once: hours may lie between two lines."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
