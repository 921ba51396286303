"""Files read with suspicion and written atomically: what every part of logexport uses for both.

Published at once or not at all: a file is made under a temporary name in the directory of its
target, synced to disk, and renamed. A killed process leaves at most a dot-file behind, never half
a target.
"""

from __future__ import annotations

import errno
import json
import math
import os
import secrets
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from logexport.errors import InputError, OutputError

__all__ = [
    "atomic_path",
    "atomic_paths",
    "check_writable",
    "parse_json",
    "read_bounded",
    "read_json",
    "refuse_stand_in",
    "write_json",
]

MAX_JSON_BYTES = 64 * 1024 * 1024
"""Largest JSON file read unless a caller says otherwise, bytes."""

MAX_JSON_DEPTH = 64
"""Deepest nesting of arrays and objects read; the formats of logexport need less than ten."""

STAND_IN_BYTES = 64
"""How much of a file tells that it stands in the place of another one."""

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def atomic_path(target: Path | str) -> Iterator[Path]:
    """A temporary path beside ``target`` that becomes ``target`` when the block succeeds.

    The block writes the file at the path it is given and closes it. On success the file is synced
    and renamed over ``target`` and the directory is synced; on any exception the temporary file is
    removed and ``target`` is what it was.

    Raises:
        OutputError: the directory cannot be written, or ``target`` is a directory, or no space.
    """
    with atomic_paths(target) as (temporary,):
        yield temporary


@contextmanager
def atomic_paths(*targets: Path | str) -> Iterator[tuple[Path, ...]]:
    """As :func:`atomic_path`, of several files that belong together: all appear, or none does.

    Every file is on disk before the first is renamed; they are renamed in the order given, and
    where one cannot be, those before it are put back. Only a process that is killed between two
    renames leaves the first files new and the last ones old.

    Raises:
        OutputError: see :func:`atomic_path`; it names the file, or the last one where the operating
            system names none.
    """
    files = {_temporary(Path(target)): Path(target) for target in targets}
    for target in files.values():
        if target.is_dir():
            raise OutputError(f"{target} is a directory, not a file", "Name another output file.")
    try:
        for target in files.values():
            target.parent.mkdir(parents=True, exist_ok=True)
        with _replacing(files):
            yield tuple(files)
    except OSError as error:
        concerned = [target for path, target in files.items() if _is_about(error, path, target)]
        if not concerned:
            raise
        reason = error.strerror or str(error)
        raise OutputError(
            f"{concerned[-1]} cannot be written: {reason}",
            "Free space there or name another output directory.",
        ) from error


def replace_file(target: Path, data: bytes) -> None:
    """Write ``data`` as :func:`atomic_path` does, into a directory that is there.

    For a file that the user did not name, such as one of a bundle in the making: who knows what the
    user did name says so.

    Raises:
        OSError: the system refused.
    """
    temporary = _temporary(target)
    with _replacing({temporary: target}):
        temporary.write_bytes(data)


@contextmanager
def _replacing(files: Mapping[Path, Path]) -> Iterator[None]:
    """Let what the block writes to the temporary paths take their targets' places, durably or not
    at all. Permissions are those that the block gave, by the process's mask."""
    try:
        yield
        for temporary in files:
            sync(temporary)
        _replace(files)
        for directory in {target.parent for target in files.values()}:
            sync(directory)
    finally:
        for temporary in files:
            _remove(temporary)


def _temporary(target: Path) -> Path:
    return target.parent / f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp"


def _remove(path: Path) -> None:
    if os.path.lexists(path):  # also where its directory is none
        path.unlink()


def _replace(files: Mapping[Path, Path]) -> None:
    """Rename each file to its target, or put back those that were replaced already."""
    *earlier, (last, last_target) = files.items()
    with ExitStack() as tidy, ExitStack() as undo:
        for temporary, target in earlier:
            if os.path.lexists(target):
                old = _temporary(target)
                tidy.callback(_remove, old)
                _keep(target, old)
                undo.callback(old.replace, target)
            else:
                undo.callback(_remove, target)
            temporary.replace(target)
        last.replace(last_target)
        undo.pop_all()


def _keep(path: Path, second: Path) -> None:
    """Give a file a second name, or a copy where the file system or its owner forbids that."""
    try:
        os.link(path, second, follow_symlinks=False)
    except OSError:
        shutil.copy2(path, second, follow_symlinks=False)


def check_writable(target: Path | str) -> None:
    """Find out before long work whether :func:`atomic_path` will be able to write ``target``.

    Raises:
        OutputError: it will not.
    """
    target = Path(target)
    if target.is_dir():
        raise OutputError(f"{target} is a directory, not a file.", "Name another output file.")
    probe = _temporary(target)
    try:
        probe.touch(exist_ok=False)
    except OSError as error:
        raise OutputError(
            f"{target} cannot be written: {error.strerror or error}.",
            "Name another output file.",
        ) from error
    finally:
        probe.unlink(missing_ok=True)


def write_json(path: Path | str, document: Any) -> None:
    """Write ``document`` as UTF-8 JSON, indented by two, keys in their order, one LF at the end.

    Raises:
        OutputError: see :func:`atomic_path`.
        ValueError: ``document`` holds a number that is not finite.
    """
    data = encode_json(document)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def encode_json(document: Any) -> bytes:
    """The bytes that :func:`write_json` writes."""
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
    return text.encode("utf-8") + b"\n"


def read_json(
    path: Path | str,
    what: str,
    max_bytes: int = MAX_JSON_BYTES,
    error: type[InputError] = InputError,
) -> Any:
    """Read a JSON file (RFC 8259), stricter than :func:`json.load`.

    Args:
        path: the file.
        what: what it should be, for the error: ``"a vocabulary"``.
        max_bytes: larger files are not read.
        error: the kind of error to raise.

    Raises:
        InputError: or the given subclass: missing, too large, not UTF-8, not JSON, a key twice in
            one object, ``NaN`` or ``Infinity``, a number beyond a double's range, an
            unpaired surrogate, nesting deeper than :data:`MAX_JSON_DEPTH`.
    """
    path = Path(path)
    return parse_json(read_bounded(path, what, max_bytes, error), f"{path}", what, error)


def read_bounded(
    path: Path,
    what: str,
    max_bytes: int = MAX_JSON_BYTES,
    error: type[InputError] = InputError,
) -> bytes:
    """Read a small file whole; the arguments are those of :func:`read_json`.

    Raises:
        InputError: or the given subclass: missing, too large, or a stand-in
            (:func:`refuse_stand_in`).
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(max_bytes + 1)
    except OSError as problem:
        raise error(
            f"{path} cannot be read as {what}: {problem.strerror or problem}.",
            "Check the path and its permissions.",
        ) from problem
    refuse_stand_in(path, data[:STAND_IN_BYTES], error)
    if len(data) > max_bytes:
        raise error(
            f"{path} is larger than {max_bytes:,} bytes, too large for {what}.",
            "Check that the path names the right file.",
        )
    return data


def refuse_stand_in(path: Path, head: bytes, error: type[InputError] = InputError) -> None:
    """Refuse a file that was put in the place of the one that somebody meant to fetch.

    Args:
        path: the file, for errors.
        head: its first :data:`STAND_IN_BYTES` bytes, or all of them.
        error: the kind of error to raise.

    Raises:
        InputError: or the given subclass: a Git LFS pointer, or a web page.
    """
    if head.startswith(b"version https://git-lfs"):
        raise error(
            f"{path} is a Git LFS pointer, not the file that it stands for",
            f"Fetch the file where the repository was cloned: git lfs pull --include"
            f" {shlex.quote('*' + path.name)}",
        )
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html")):
        raise error(
            f"{path} is a web page (HTML), not the file that it was to be",
            "Download the file itself: a link to it in a browser may lead to a page about it.",
        )


def parse_json(data: bytes, name: str, what: str, error: type[InputError] = InputError) -> Any:
    """As :func:`read_json`, from bytes; ``name`` stands for the file in errors."""
    remedy = f"Check that it is {what} and make it again."
    try:
        document = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_distinct_keys,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
        _check_depth_and_text(document)
    except UnicodeDecodeError as problem:
        raise error(f"{name} is not UTF-8 (byte {problem.start}).", remedy) from problem
    except RecursionError as problem:
        raise error(f"{name} is nested too deeply to be {what}.", remedy) from problem
    except ValueError as problem:  # JSONDecodeError is one
        raise error(f"{name} is not valid JSON: {problem}.", remedy) from problem
    return document


def sync(path: Path) -> None:
    """Have a file, or the entries of a directory, on disk.

    Raises:
        OSError: the system refused.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems cannot sync a directory; the rename is atomic all the same.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP) or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def _is_about(error: OSError, temporary: Path, target: Path) -> bool:
    """Whether the error concerns the output; the block may also have failed to read an input."""
    if error.errno in _NO_SPACE or "No space left" in str(error):
        return True
    ours = {str(temporary), str(target), str(target.parent), *map(str, target.parent.parents)}
    named = {str(error.filename), str(error.filename2)}
    return not named.isdisjoint(ours) or str(temporary) in str(error)


def _distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"key {key!r} occurs twice")
            seen.add(key)
    return out


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is out of a double's range")
    return value


def _check_depth_and_text(document: Any) -> None:
    level, depth = [document], 0
    while level:
        if depth >= MAX_JSON_DEPTH and any(isinstance(item, (dict, list)) for item in level):
            raise ValueError(f"nested deeper than {MAX_JSON_DEPTH}")
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item)
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
            elif isinstance(item, str) and not item.isascii():
                try:
                    item.encode("utf-8")
                except UnicodeEncodeError:
                    raise ValueError(f"unpaired surrogate in {item[:40]!r}") from None
        level = inner
        depth += 1
