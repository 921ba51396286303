"""What the runs of the matrix record: one JSON file an environment.

A run under tox with ``LOGEXPORT_MATRIX_RECORDS=DIRECTORY`` writes ``DIRECTORY/ENVIRONMENT.json``;
``run.py`` sets it to ``tests/matrix/records``, where the records are kept with the source.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import subprocess
from collections.abc import Callable
from configparser import ConfigParser
from importlib import metadata
from pathlib import Path
from typing import Any

Record = dict[str, Any]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
KEPT = HERE / "records"
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


def commit() -> str:
    """The commit under test, marked where files differ from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--abbrev=12", "--dirty=+changes"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def read(directory: Path = KEPT) -> dict[str, Record]:
    """Records by environment."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(directory.glob("*.json"))
    }


def rows() -> dict[str, str]:
    """Every environment of the matrix in tox.ini's order, with its PyTorch release."""
    parser = ConfigParser(interpolation=None)
    parser.read(ROOT / "tox.ini", encoding="utf-8")
    releases = dict(
        line.split(": torch==") for line in parser["matrix"]["torch"].strip().splitlines()
    )
    names = [f"py311-{factor}" for factor in releases]
    for line in parser["tox"]["env_list"].splitlines():
        if line.startswith("py") and "{" not in line:
            names.append(line)
    return {name: releases[name.split("-")[1]] for name in names}
