"""Atomic writing and suspicious reading."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from logexport.errors import InputError, OutputError
from logexport.files import (
    atomic_path,
    atomic_paths,
    parse_json,
    read_json,
    replace_file,
    write_json,
)


def test_a_file_appears_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.json"
    write_json(target, {"b": [1, "é"], "a": None})
    assert target.read_bytes() == '{\n  "b": [\n    1,\n    "é"\n  ],\n  "a": null\n}\n'.encode()
    assert os.listdir(target.parent) == ["a.json"]  # noqa: PTH208


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise RuntimeError
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]


NAMES = ("a", "b", "c")


def write_all(directory: Path) -> None:
    """Three files that belong together, each with its name twice."""
    with atomic_paths(*(directory / name for name in NAMES)) as temporaries:
        for name, temporary in zip(NAMES, temporaries, strict=True):
            temporary.write_text(name * 2)


def contents(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


@pytest.mark.parametrize("there", [(), ("a",), ("b", "c"), NAMES])
def test_files_that_belong_together_appear_together(tmp_path: Path, there: tuple[str, ...]) -> None:
    for name in there:
        (tmp_path / name).write_text("old")
    write_all(tmp_path)
    assert contents(tmp_path) == {"a": "aa", "b": "bb", "c": "cc"}


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("there", [(), ("a",), ("b", "c"), NAMES])
@pytest.mark.parametrize("failing", NAMES)
@pytest.mark.parametrize("error", [PermissionError(1, "no"), KeyboardInterrupt()])
def test_where_one_cannot_be_renamed_all_are_what_they_were(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    failing: str,
    there: tuple[str, ...],
    links: bool,
) -> None:
    """By a second name, or by a copy where the file system gives none."""
    for name in there:
        (tmp_path / name).write_text("old")
    whole, once = Path.replace, [error]

    def replace(path: Path, target: Path) -> Path:
        if target.name == failing and once:
            problem = once.pop()
            if isinstance(problem, OSError):
                problem.filename = str(path)
            raise problem
        return whole(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    if not links:

        def no_link(*_: object, **__: object) -> None:
            raise PermissionError(1, "no hard links here")

        monkeypatch.setattr(os, "link", no_link)
    with pytest.raises(OutputError if isinstance(error, OSError) else KeyboardInterrupt) as caught:
        write_all(tmp_path)
    assert contents(tmp_path) == dict.fromkeys(there, "old")
    if isinstance(error, OSError):
        assert str(tmp_path / failing) in str(caught.value)


@pytest.mark.parametrize("call", [0, 1, 2])
def test_where_one_does_not_reach_the_disk_all_are_what_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    for name in NAMES:
        (tmp_path / name).write_text("old")
    calls = iter(range(100))

    def fsync(_: int) -> None:
        if next(calls) == call:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OutputError, match="No space"):
        write_all(tmp_path)
    assert contents(tmp_path) == dict.fromkeys(NAMES, "old")


def test_what_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for target in (tmp_path / "file" / "a", tmp_path):
        with pytest.raises(OutputError, match=str(target)):
            write_json(target, 1)


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_permissions_follow_the_umask(tmp_path: Path, umask: int) -> None:
    target = tmp_path / "a"
    before = os.umask(umask)
    try:
        write_json(target, 1)
        assert target.stat().st_mode & 0o777 == 0o666 & ~umask
        target.chmod(0o600)
        replace_file(target, b"2")
        assert target.stat().st_mode & 0o777 == 0o666 & ~umask
    finally:
        os.umask(before)


def test_a_file_that_the_user_did_not_name_keeps_the_systems_error(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "none" / "a", b"x")
    with pytest.raises(IsADirectoryError):
        replace_file(tmp_path, b"x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["old"]


def test_an_error_of_the_block_about_another_file_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a"):
        (tmp_path / "input" / "missing").read_text()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "'c'"),
        (b"[NaN]", "NaN"),
        (b"-Infinity", "Infinity"),
        (b"1e999", "double"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\udc00": 1}', "surrogate"),
        (b"[" * 65 + b"]" * 65, "nested"),
        (b"[" * 200_000, "nested"),
        (b"\xff", "UTF-8"),
        (b"\xef\xbb\xbf1", "BOM"),
        (b"1" * 5000, "digits"),
        (b"{} x", "JSON"),
        (b"", "JSON"),
    ],
)
def test_what_is_not_strict_json_is_refused_by_name(data: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        parse_json(data, "the-file", "a thing")
    assert "the-file" in str(caught.value)


def test_a_file_that_is_missing_or_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b" " * 10 + b"1")
    assert read_json(tmp_path / "a", "a number", max_bytes=11) == 1
    with pytest.raises(InputError, match="larger than 10 bytes"):
        read_json(tmp_path / "a", "a number", max_bytes=10)
    with pytest.raises(InputError, match="missing"):
        read_json(tmp_path / "missing", "a number")
    with pytest.raises(InputError, match="a number"):
        read_json(tmp_path, "a number")
