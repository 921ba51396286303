"""Publishing is atomic: the old bundle or the new one, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from logexport.bundle import MANIFEST
from logexport.errors import InputError, OutputError
from logexport.publishing.staging import staging


def publish(target: Path, content: str) -> None:
    with staging(target) as stage:
        (stage.path / MANIFEST).write_text(content)
        (stage.path / "other").write_text(content)
        stage.publish()


def entries(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_into_nothing_into_an_empty_directory_and_over_an_old_bundle(tmp_path: Path) -> None:
    for place in ("new", "empty"):
        target = tmp_path / place
        if place == "empty":
            target.mkdir()
        for content in ("one", "two"):
            publish(target, content)
            assert (target / "other").read_text() == content
            assert entries(target) == [MANIFEST, "other"]
    assert entries(tmp_path) == ["empty", "new"]


def test_missing_parents_are_made_and_a_link_is_followed(tmp_path: Path) -> None:
    publish(tmp_path / "a/b/c", "one")
    (tmp_path / "link").symlink_to(tmp_path / "a/b/c")
    publish(tmp_path / "link", "two")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a/b/c/other").read_text() == "two"


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        publish(tmp_path / "out", "one")
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o750


def test_a_failed_run_leaves_the_old_bundle_and_nothing_else(tmp_path: Path) -> None:
    publish(tmp_path / "out", "one")
    with pytest.raises(ZeroDivisionError), staging(tmp_path / "out") as stage:  # noqa: PT012
        (stage.path / "other").write_text("two")
        raise ZeroDivisionError
    assert (tmp_path / "out/other").read_text() == "one"
    assert entries(tmp_path) == ["out"]


@pytest.mark.parametrize("kind", ["file", "foreign directory"])
def test_what_is_no_bundle_is_refused_and_left_alone(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "out"
    if kind == "file":
        target.write_text("precious")
    else:
        target.mkdir()
        (target / "precious").write_text("precious")
    with pytest.raises(OutputError) as caught, staging(target):
        pytest.fail("the target was accepted")
    assert str(target) in str(caught.value)
    assert caught.value.remedy
    assert "precious" in (target if kind == "file" else target / "precious").read_text()


def test_two_runs_at_once_on_one_target_but_not_on_two(tmp_path: Path) -> None:
    with staging(tmp_path / "out"):
        with pytest.raises(OutputError, match="another run"), staging(tmp_path / "out"):
            pytest.fail("the lock was not held")
        publish(tmp_path / "elsewhere", "one")
    publish(tmp_path / "out", "one")


def test_leftovers_of_a_killed_run_are_removed_by_the_next(tmp_path: Path) -> None:
    leftover = tmp_path / ".out.staging-dead"
    leftover.mkdir()
    (leftover / "file").write_text("x")
    publish(tmp_path / "out", "one")
    assert entries(tmp_path) == ["out"]


def test_no_space_is_one_sentence_about_the_target(tmp_path: Path) -> None:
    publish(tmp_path / "out", "one")
    with pytest.raises(OutputError, match="No space left") as caught, staging(tmp_path / "out"):
        Path("/dev/full").write_bytes(b"x")
    assert "Free space" in caught.value.remedy
    assert (tmp_path / "out/other").read_text() == "one"


def test_an_input_that_cannot_be_read_is_not_blamed_on_the_output(tmp_path: Path) -> None:
    (tmp_path / "outputs").mkdir()
    (tmp_path / "inputs").mkdir()
    with pytest.raises(InputError, match=r"gone\.pth cannot be read"):  # noqa: SIM117
        with staging(tmp_path / "outputs/out"):
            (tmp_path / "inputs/gone.pth").read_bytes()


def test_a_mount_point_or_an_unwritable_place_is_one_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match="cannot be written") as caught,
        staging(Path("/proc/logexport-bundle")),
    ):
        pytest.fail("/proc was accepted")
    assert "--output-dir" in caught.value.remedy


KILLED = """
import sys
from pathlib import Path
sys.path[:0] = {path!r}
from logexport.publishing.staging import staging
target = Path(sys.argv[1])
number = 0
print("begun", flush=True)
while True:
    number += 1
    with staging(target) as stage:
        for name in ("manifest.json", "a", "b", "c"):
            (stage.path / name).write_text(f"{{number}}" * 1000)
        stage.publish()
"""


def test_killed_at_any_moment_the_target_is_one_whole_bundle(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED.format(path=sys.path))
    target = tmp_path / "place/out"
    seen = set()
    for moment in range(40):
        process = subprocess.Popen(
            [sys.executable, str(script), str(target)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        try:
            process.wait(0.003 * moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        if not target.exists():
            continue
        assert entries(target) == ["a", "b", "c", "manifest.json"]
        contents = {path.read_text() for path in target.iterdir()}
        assert len(contents) == 1, "files of two bundles are mixed"
        seen |= contents
    assert len(seen) > 1, "no run ever published: the test shows nothing"
    publish(target, "whole")
    assert entries(target.parent) == ["out"], "leftovers of killed runs remain"
