"""What is printed reaches its reader, or the exit status says why; paths may be any bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.torch

PROGRAM = (sys.executable, "-c", "import sys; from logexport.cli import main; sys.exit(main())")
PRINTING = [("--help",), ("plugins", "list"), ("doctor", "--json"), ("inspect", "BUNDLE", "--json")]
ids = " ".join


def words(command: tuple[str, ...], bundle: Path) -> list[str]:
    return [*PROGRAM, *(str(bundle) if word == "BUNDLE" else word for word in command)]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", PRINTING, ids=ids)
def test_a_closed_pipe_is_no_failure(
    command: tuple[str, ...], unbuffered: str, exported: Path
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            words(command, exported), stdout=pipe, stderr=subprocess.PIPE, env=environment,
            timeout=120, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", PRINTING, ids=ids)
def test_a_full_disk_behind_the_output_is_a_sentence(
    command: tuple[str, ...], unbuffered: str, exported: Path
) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            words(command, exported), stdout=full, stderr=subprocess.PIPE, env=environment,
            timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.decode().splitlines() == [
        "Error: standard output cannot be written: No space left on device.",
        "Free space there or send the output elsewhere.",
    ]


@pytest.mark.parametrize(
    ("command", "closed"),
    [
        (("inspect", "BUNDLE"), 1),
        (("detect", "BUNDLE", "-", "--engine", "python"), 0),
        (("detect", "BUNDLE", "/dev/null", "--engine", "python", "--session-summary"), 2),
    ],
    ids=["stdout", "stdin", "stderr"],
)
def test_a_closed_standard_stream_is_no_traceback_and_no_place_for_other_files(
    command: tuple[str, ...], closed: int, exported: Path
) -> None:
    shell = ("sh", "-c", f'exec "$@" {closed}{"<" if closed == 0 else ">"}&-', "sh")
    done = subprocess.run(
        [*shell, *words(command, exported)], input=b"", capture_output=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == (0 if closed == 2 else 2)
    assert b"Traceback" not in done.stderr
    if closed != 2:
        assert b"Bad file descriptor" in done.stderr


def test_a_bundle_is_read_where_the_path_is_no_utf8(exported: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"n\xff\xfe")
    odd.symlink_to(exported)
    log = tmp_path / "log"
    log.write_bytes(b"a\n")
    shown = subprocess.run(
        words(("inspect", "BUNDLE", "--json"), odd), capture_output=True, timeout=120, check=True
    )
    assert json.loads(shown.stdout.decode("utf-8"))["bundle"] == str(odd)
    detect = words(("detect", "BUNDLE", str(log), "--engine", "python"), odd)
    said = subprocess.run(detect, capture_output=True, timeout=120, check=True).stdout
    assert json.loads(said)["line"] == 1
