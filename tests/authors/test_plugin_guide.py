"""docs/plugin-guide.md: every command in it, in the order given, in a fresh directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.authors.guide import steps

GUIDE = Path(__file__).resolve().parents[2] / "docs/plugin-guide.md"

COVERED = {
    "plugins new": "from nothing",
    "train": "an own model",
    "checkpoint.py": "an own checkpoint format",
    "--top-share": "own options on logexport run",
    "rarity show": "own commands",
    "--exporter unfolded": "an own exporter strategy",
    "distinct_templates": "an own check",
    "plugins check": "the contract",
    "pip wheel": "a package to publish",
}


def environment(site: Path) -> dict[str, str]:
    """The tests' own environment: pip installs into ``site``, without the network."""
    binaries = site.parent / "bin"
    binaries.mkdir()
    for name, arguments in {
        "python": "",
        "pip": "-m pip",
        "logexport": "-m logexport",
    }.items():
        script = binaries / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        script.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")])),
        "OMP_NUM_THREADS": "1",
        "PIP_TARGET": str(site),
        "PIP_UPGRADE": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads "no" as the value of build isolation
        "PIP_QUIET": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def test_the_guide_covers_what_an_author_needs() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    for word, what in COVERED.items():
        assert word in text, what
    assert sum(step.kind == "run" for step in steps(GUIDE)) > 25


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.long
def test_every_command_of_the_guide_in_its_order(tmp_path: Path) -> None:
    work, site = tmp_path / "work", tmp_path / "site"
    work.mkdir()
    variables = environment(site)
    said: dict[str, str] = {}
    for step in steps(GUIDE):
        if step.kind == "run":
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", step.text],
                cwd=work,
                env=variables,
                capture_output=True,
                text=True,
                check=False,
            )
            where = f"{GUIDE.name}:{step.line}: {step.text}"
            assert done.returncode == 0, f"{where}\n{done.stdout}\n{done.stderr}"
            assert "Traceback" not in done.stderr, f"{where}\n{done.stderr}"
            said[step.text] = done.stdout
            continue
        place = work / step.place
        if step.kind == "append":
            assert place.is_file(), f"{GUIDE.name}:{step.line}: {step.place} is not there"
            place.write_text(
                f"{place.read_text(encoding='utf-8')}\n\n{step.text}", encoding="utf-8"
            )
        else:
            place.write_text(step.text, encoding="utf-8")

    assert "Options of rarity" in said["logexport run --model rarity --help"]
    assert "refused with status 2" in "".join(said.values())
    assert "by unfolded" in said["logexport run --model rarity --exporter unfolded"]
    assert "distinct_templates" in said["logexport inspect bundle"]
    contract = json.loads((work / "contract.json").read_text(encoding="utf-8"))
    assert {one["status"] for one in contract["checks"]} <= {"passed", "skipped"}
    assert [path.suffix for path in (work / "dist").iterdir()] == [".whl"]
