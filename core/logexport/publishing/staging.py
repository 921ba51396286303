"""Atomic publishing: a staging directory beside the target, swapped in when everything passed.

One run at a time a target holds the lock beside it, so whatever staging directory is found under
the lock belongs to a dead run and is removed. The swap is one system call: ``rename`` into an empty
place, ``renameat2(RENAME_EXCHANGE)`` over an old bundle; a run that is killed at any moment leaves
either the old bundle or the new one.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from logexport.bundle import MANIFEST
from logexport.errors import InputError, OutputError
from logexport.files import sync

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


class Staging:
    """A directory in the making. Write into ``path``, then :meth:`publish` it."""

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self.target = target
        self.published = False

    def publish(self) -> None:
        """Put the directory in the target's place, durably.

        Raises:
            OutputError: the file system refused.
        """
        umask = os.umask(0)
        os.umask(umask)
        self.path.chmod(0o777 & ~umask)
        for file in self.path.iterdir():
            sync(file)
        sync(self.path)
        if self.target.exists() and any(self.target.iterdir()):
            _exchange(self.path, self.target)
        else:
            self.path.rename(self.target)
        self.published = True
        sync(self.target.parent)


@contextmanager
def staging(target: Path) -> Iterator[Staging]:
    """Lock a target and make a staging directory beside it; both are gone at the end.

    Args:
        target: where the bundle shall be: nothing, an empty directory or a bundle.

    Raises:
        OutputError: the target is something else, is locked by another run, or cannot be written.
    """
    target = Path(os.path.realpath(target))
    _check_target(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(target):
            prefix = f".{target.name}.staging-"
            for leftover in target.parent.glob(f"{prefix}*"):
                shutil.rmtree(leftover)
            path = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
            try:
                yield Staging(path, target)
            finally:
                # After an exchange this is the old bundle.
                shutil.rmtree(path, ignore_errors=True)
    except OSError as error:
        raise output_error(target, error) from error


def output_error(target: Path, error: OSError) -> InputError:
    """An operating system's error as one about the output, or about the file that it names."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    named = Path(os.fsdecode(error.filename)) if error.filename else target
    if error.errno in (errno.ENOENT, errno.EACCES, errno.EISDIR, errno.EIO) and not (
        named.is_relative_to(target.parent) or target.is_relative_to(named)
    ):
        return InputError(
            f"{named} cannot be read: {reason}", "Check the path and its permissions."
        )
    remedies = {
        errno.ENOSPC: "Free space on that file system, or name another place by --output-dir.",
        errno.EDQUOT: "Free space in your quota, or name another place by --output-dir.",
        errno.EBUSY: "It is a mount point; name a directory inside it by --output-dir.",
    }
    return OutputError(
        f"{target} cannot be written: {reason}",
        remedies.get(error.errno or 0, "Name a place that you can write to by --output-dir."),
    )


def _check_target(target: Path) -> None:
    if not os.path.lexists(target):
        return
    if not target.is_dir():
        raise OutputError(
            f"{target} is a file, not a directory", "Name another place by --output-dir."
        )
    try:
        foreign = any(target.iterdir()) and not (target / MANIFEST).is_file()
    except OSError as error:
        raise output_error(target, error) from error
    if foreign:
        raise OutputError(
            f"{target} is neither empty nor a bundle (it holds no {MANIFEST})",
            "Name another place by --output-dir, or empty that directory yourself.",
        )


@contextmanager
def _lock(target: Path) -> Iterator[None]:
    path = target.parent / f".{target.name}.lock"
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise OutputError(
                f"{target} is being written by another run (it holds {path})",
                "Wait for that run to end, or name another place by --output-dir.",
            ) from None
        # The run before may have removed the file between our open and our lock.
        if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
            break
        os.close(descriptor)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _exchange(one: Path, other: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    renameat2 = getattr(libc, "renameat2", None)
    if renameat2 is None:
        number = errno.ENOSYS
    elif (
        renameat2(
            _AT_FDCWD,
            os.fsencode(one),
            _AT_FDCWD,
            os.fsencode(other),
            ctypes.c_uint(_RENAME_EXCHANGE),
        )
        == 0
    ):
        return
    else:
        number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        raise OutputError(
            f"{other} cannot be replaced in one step: this file system or kernel has no"
            " renameat2(RENAME_EXCHANGE)",
            "Remove the old bundle first, or name a place on another file system by --output-dir.",
        )
    raise OSError(number, os.strerror(number), str(other))
