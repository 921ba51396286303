"""What the runs of the matrix record: one JSON file an environment.

A run under tox with ``LOGEXPORT_MATRIX_RECORDS=DIRECTORY`` writes ``DIRECTORY/ENVIRONMENT.json``;
``run.py`` copies it to ``tests/matrix/records``, where it is kept with the source.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import subprocess
from collections.abc import Callable
from configparser import ConfigParser
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

Record = dict[str, Any]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
KEPT = HERE / "records"
WRITTEN = ("docs/compatibility.md", "tests/matrix/records/", "tests/native/slow.json")
"""What a run of the matrix, or of the slow tests, writes into the source."""
BESIDE = ".ci/"
"""What calls the tests and is called by none."""
RUN = "docs/plugin-guide.md"
"""The one document whose commands a test runs with PyTorch."""
ONE_MEANING = ("verdicts", "verdict_counts", "inputs", "outputs", "axes", "metadata_keys")
"""What is equal in all exports of one checkpoint, by whatever release and strategy."""
PACKAGES = ("torch", "numpy", "pyarrow", "onnx", "onnxruntime", "onnxscript")


def add(section: str, name: str, facts: Any) -> None:
    """Put ``facts`` into this environment's record; nothing where none is asked for."""
    if wanted():
        update(
            Path(os.environ["LOGEXPORT_MATRIX_RECORDS"]) / f"{environment_name()}.json",
            lambda record: record.setdefault(section, {}).__setitem__(name, facts),
        )


def wanted() -> bool:
    """Whether this is a run of the matrix, which records and leaves nothing out."""
    return bool(os.environ.get("LOGEXPORT_MATRIX_RECORDS")) and environment_name() is not None


def environment_name() -> str | None:
    """The name of the tox environment that this process runs in."""
    return os.environ.get("TOX_ENV_NAME")


def update(path: Path, change: Callable[[Record], None]) -> None:
    """Change a record; test processes beside this one may do so at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.stem}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else _new()
        change(record)
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        temporary.replace(path)


def _new() -> Record:
    return {
        "python": platform.python_version(),
        "versions": {package: metadata.version(package) for package in PACKAGES},
        "exports": {},
        "refused": {},
        "unusable": {},
        "commit": commit(),
    }


def commit(root: Path = ROOT) -> str:
    """The commit under test, marked where the source has files that differ or that it lacks."""
    name = git(root, "rev-parse", "--short=12", "HEAD").strip()
    changed = git(root, "diff", "--name-only", "-z", "HEAD").split("\0")
    beside = git(root, "ls-files", "-z", "--others", "--exclude-standard").split("\0")
    return name + "+changes" * any(map(is_source, [*changed, *beside]))


def git(root: Path, *arguments: str) -> str:
    """What git prints."""
    done = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout


def is_source(name: str) -> bool:
    """Whether a file decides what a row shows of its PyTorch.

    Documents do not: where a test reads one, it says the same on every row, and the default
    environment runs that test at each commit.
    """
    document = name.endswith(".md") and name != RUN
    return bool(name) and not document and not name.startswith((*WRITTEN, BESIDE))


def read(directory: Path = KEPT) -> dict[str, Record]:
    """Records by environment."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(directory.glob("*.json"))
    }


def disagreements(records: dict[str, Record]) -> list[str]:
    """Where an export of a checkpoint means something else than another of the same checkpoint."""
    first: dict[tuple[str, str], tuple[str, Any]] = {}
    found = []
    for name, record in records.items():
        for export, facts in record["exports"].items():
            kind = export.split()[0]
            for key in ONE_MEANING:
                where, value = first.setdefault((kind, key), (f"{name} {export}", facts[key]))
                if value != facts[key]:
                    found.append(f"{key}: {name} {export} is not as {where}")
    return found


@dataclass(frozen=True)
class Row:
    """What an environment of the matrix is to be: a PyTorch release and a Python."""

    torch: str
    python: str


def rows() -> dict[str, Row]:
    """Every environment of the matrix in tox.ini's order; ``lowest``, which has the lower bounds of
    pyproject.toml, last."""
    parser = ConfigParser(interpolation=None)
    parser.read(ROOT / "tox.ini", encoding="utf-8")
    releases = dict(
        line.split(": torch==") for line in parser["matrix"]["torch"].strip().splitlines()
    )
    names = [f"py311-{factor}" for factor in releases]
    for line in parser["tox"]["env_list"].splitlines():
        if line.startswith("py") and "{" not in line:
            names.append(line)
    found = {}
    for name in names:
        python, factor = name.split("-")
        found[name] = Row(releases[factor], f"{python[2]}.{python[3:]}")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (torch,) = re.findall(r'"torch>=([\d.]+)"', project)
    python = parser["testenv:lowest"]["base_python"].removeprefix("python")
    return {**found, "lowest": Row(torch, python)}
