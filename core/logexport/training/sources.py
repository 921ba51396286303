"""Logs that are read more than once: the same bytes each time, or an error.

What can be read only once (standard input, a pipe) is first copied to a temporary file. A log that
grows between the passes is read as far as the first pass read it.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from logexport.errors import InputError, OutputError
from logexport.logs.lines import LogLine, LogPath, Reading, as_log, iter_lines

__all__ = ["Passes", "Source", "Tap", "build_change_error"]

_STEP = 4096  # lines between two calls of the progress function


class Tap(io.RawIOBase):
    """Bytes of a file as they pass by: counted, hashed and, on request, cut off.

    Args:
        stream: the file; :meth:`close` closes it.
        limit: the file ends after so many bytes; None does not cut it off.

    Attributes:
        size: how many bytes have passed by.
    """

    def __init__(self, stream: IO[bytes], limit: int | None) -> None:
        self._stream = stream
        self._limit = limit
        self._hash = hashlib.sha256()
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        if self._limit is not None:
            view = view[: self._limit - self.size]
        data = self._stream.read(len(view))
        view[: len(data)] = data
        self.size += len(data)
        self._hash.update(data)
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()

    def sha256(self) -> str:
        """The sum of the bytes that have passed by."""
        return self._hash.hexdigest()


@dataclass
class Source:
    """A log that can be read more than once.

    Args:
        name: what errors call it.
        path: the file, or the copy of a stream.
        size, sha256: of the bytes of the file (compressed, if they are), as the first pass read
            them; 0 and empty before it.
    """

    name: str
    path: Path
    size: int = 0
    sha256: str = ""

    @classmethod
    def open(cls, path: LogPath, stack: ExitStack) -> Source:
        """Find a log, and copy one that can be read only once.

        Args:
            path: a file, a pipe or ``"-"`` for standard input.
            stack: the copy is removed when it is closed.

        Raises:
            InputError: the log cannot be read.
            OutputError: there is not enough space for the copy.
        """
        if str(path) == "-":
            return cls("standard input", _copy_stream(sys.stdin.buffer, "standard input", stack))
        path = Path(path)
        with _open_file(path) as stream:
            if stat.S_ISREG(path.stat().st_mode):
                return cls(str(path), path)
            return cls(str(path), _copy_stream(stream, str(path), stack))

    def read(self, limit: int | None = None) -> Tap:
        """The file's bytes, at most ``limit`` of them.

        Raises:
            InputError: the file cannot be opened.
        """
        return Tap(_open_file(self.path, self.name), limit)

    def describe(self) -> dict[str, Any]:
        """What the metadata of ``parsed.parquet`` say of the log, once the first pass is over."""
        return {"file": Path(self.name).name, "size": self.size, "sha256": self.sha256}


class Passes:
    """Passes over the same logs; all of them must see the bytes that the first one sees.

    Args:
        sources: the logs, in the order in which they are read.
        reading: how bytes become lines.
        count: how many passes there will be.
        progress: called now and then with the bytes done and the bytes in all, all passes counted.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        reading: Reading,
        count: int,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.sources = sources
        self._reading = reading
        self._progress = progress
        self._size = sum(source.path.stat().st_size for source in sources)
        self._total = count * self._size
        self._done = 0
        self._number = 1

    def add_pass(self) -> None:
        """Say that there will be one pass more."""
        self._total += self._size

    def lines(self) -> Iterator[LogLine]:
        """All lines of the logs, once more.

        Raises:
            InputError: the bytes are not those of the first pass.
        """
        for log in self.logs():
            yield from log

    def logs(self) -> Sequence[Iterator[LogLine]]:
        """As :meth:`lines`, log by log; each is to be read to its end before the next one is."""
        self._number = 1
        return [self._read(source) for source in self.sources]

    def _read(self, source: Source) -> Iterator[LogLine]:
        """The lines of a log. The first pass notes its size and sum, the others compare them."""
        noted = (source.size, source.sha256)
        is_first = not source.sha256
        with source.read(None if is_first else source.size) as tap:
            yield from self._lines(source, tap)
            if is_first:
                source.size, source.sha256 = tap.size, tap.sha256()
            elif (tap.size, tap.sha256()) != noted:
                raise build_change_error([source])
            self._done += tap.size

    def _lines(self, source: Source, tap: Tap) -> Iterator[LogLine]:
        stream = as_log(tap, source.name, self._reading)
        for line in iter_lines(stream, self._reading, self._number):
            yield line
            if self._progress is not None and line.number % _STEP == 0:
                self._progress(min(self._done + tap.size, self._total), self._total)
            self._number = line.number + 1
        while tap.read(1 << 20):  # gzip stops reading at the end of its data
            pass


def _copy_stream(stream: IO[bytes], name: str, stack: ExitStack) -> Path:
    """A copy of a stream in a temporary file, which the stack removes."""
    directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="logexport-"))
    copy = Path(directory) / "log"
    try:
        with copy.open("wb") as out:
            shutil.copyfileobj(stream, out, 1 << 20)
    except OSError as error:
        raise OutputError(
            f"{name} cannot be copied to {copy}, which is needed to read it again: "
            f"{error.strerror or error}",
            "Set TMPDIR to a directory with space, or parse a file.",
        ) from error
    return copy


def _open_file(path: Path, name: str | None = None) -> IO[bytes]:
    """A file's bytes, unbuffered; ``name`` is what errors call it, if that is not its path."""
    try:
        return path.open("rb", buffering=0)
    except IsADirectoryError as error:
        raise InputError(
            f"{name or path} is a directory, not a log", "Name the log files themselves."
        ) from error
    except OSError as error:
        raise InputError(
            f"The log {name or path} cannot be read: {error.strerror or error}",
            "Check the path and its permissions.",
        ) from error


def build_change_error(sources: Sequence[Source]) -> InputError:
    """Make the error to raise if the bytes of logs are not those of the first pass."""
    names = ", ".join(source.name for source in sources)
    return InputError(
        f"{names} changed while it was being parsed", "Parse a copy, or a log that is rotated away."
    )
