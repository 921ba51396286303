"""Which files a block of code writes, by the interpreter's own audit events (PEP 578)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_EVENTS = {
    "os.mkdir": ((0, 2),),
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.truncate": ((0, None),),
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
}
"""Event to the places of its arguments that name what is written, each with the place of the
directory descriptor that a relative path starts from (-1: the working directory)."""

_active: list[Written] = []
_installed = False


class Written:
    """Paths that were written, in order, each once."""

    def __init__(self) -> None:
        self.paths: dict[Path, None] = {}

    def outside(self, *allowed: Path) -> list[Path]:
        """Those below none of the allowed directories; devices and byte code do not count."""
        places = [Path(os.path.realpath(one)) for one in allowed]
        return [
            path
            for path in self.paths
            if not any(path.is_relative_to(place) for place in places)
            and not path.is_relative_to("/dev")
            and not path.is_relative_to("/proc")
            and "__pycache__" not in path.parts
        ]

    def note(self, path: object) -> None:
        """Take a path as an audit event names it; descriptors and relative ones to them are not."""
        if isinstance(path, (str, bytes, os.PathLike)):
            parent, name = os.path.split(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100
            self.paths[Path(os.path.realpath(parent)) / name] = None


@contextmanager
def written_files() -> Iterator[Written]:
    """Note every file that this process writes through Python while the block runs."""
    global _installed
    if not _installed:  # an audit hook stays for good: one, which does nothing between blocks
        sys.addaudithook(_audit)
        _installed = True
    written = Written()
    _active.append(written)
    try:
        yield written
    finally:
        _active.remove(written)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _active:
        return
    paths: list[object] = []
    if event == "open":
        if isinstance(arguments[2], int) and arguments[2] & _WRITING:
            paths = [arguments[0]]
    else:
        for place, directory in _EVENTS.get(event, ()):
            # Relative to an open directory (as shutil.rmtree goes): its making was noted.
            if directory is None or arguments[directory] in (-1, None):
                paths.append(arguments[place])
    for path in paths:
        for written in _active:
            written.note(path)
