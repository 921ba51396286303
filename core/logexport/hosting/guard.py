"""What a hook must not do, noticed while it runs: print to standard output, change a bundle.

Standard output belongs to the command, and may be one JSON document. What arrives there while a
hook runs is shown on standard error, and its plugin is named.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from logexport.errors import PluginError
from logexport.streams import Redirection

_SHOWN = 60
"""Characters of what was printed that a warning repeats."""


class Printed:
    """What one hook printed to standard output; complete when :func:`quiet_stdout` has ended."""

    def __init__(self) -> None:
        self.text = ""

    def warning(self, who: str) -> str:
        """One sentence, or "" where nothing was printed."""
        if not self.text:
            return ""
        lines = self.text.strip().splitlines()
        first = lines[0].strip() if lines else ""
        shown = first if len(first) <= _SHOWN else first[:_SHOWN] + "…"
        return f"{who} printed to standard output ({shown!r}); it was sent to standard error"


@contextlib.contextmanager
def quiet_stdout() -> Iterator[Printed]:
    """Keep standard output free while a hook runs; what it prints goes to standard error.

    Hooks may run inside each other. In several threads at once, what one prints may be taken for
    another's; nothing reaches standard output all the same.
    """
    printed = Printed()
    aside = Redirection("stdout")
    try:
        with aside:
            yield printed
    finally:
        printed.text = aside.text
        if printed.text and sys.stderr is not None:
            sys.stderr.write(printed.text)


Snapshot = dict[str, tuple[int, int, int]]


def snapshot(directory: Path) -> Snapshot:
    """Which files a directory holds and when each was last written, subdirectories included."""
    return {
        str(path.relative_to(directory)): (status.st_ino, status.st_size, status.st_mtime_ns)
        for path in directory.rglob("*")
        for status in (path.lstat(),)
    }


def changes(before: Snapshot, after: Snapshot, ignored: str = "") -> str:
    """The first thing that differs, in words, or ""; what lies in ``ignored`` does not count."""
    for name in sorted({*before, *after}):
        if ignored and name.partition(os.sep)[0] == ignored:
            continue
        if name not in before:
            return f"wrote {name}"
        if name not in after:
            return f"removed {name}"
        if before[name] != after[name]:
            return f"changed {name}"
    return ""


@contextlib.contextmanager
def unchanged(
    directories: Mapping[str, Path], plugin: str, hook: str, ignored: str = ""
) -> Iterator[None]:
    """Blame the plugin whose hook writes into one of ``directories`` while it runs.

    Args:
        directories: what each is, in words, to where it lies.
        plugin, hook: who is named.
        ignored: a name inside each of them that the hook may write to.

    Raises:
        PluginError: something was written, changed or removed.
    """
    before = {what: snapshot(path) for what, path in directories.items()}
    yield
    for what, path in directories.items():
        change = changes(before[what], snapshot(path), ignored)
        if change:
            raise PluginError(
                f"{plugin} changed {what} in the hook {hook!r}: it {change}",
                f"{hook} may read the bundle but write nothing into it.",
            )
