"""Bytes to lines, text and tokens.

Rules (the reference of what a line is):

- A line ends at LF (0x0A). One CR (0x0D) directly before that LF is dropped. The last line of a
  file needs no LF; a CR at the very end of a file, with no LF after it, stays. An LF at the very
  end of a file begins no further line.
- Lines are numbered from 1. Every line counts, blank ones included. Several logs are read one
  after another as one: the numbering continues, and the end of a file ends its last line.
- The length of a line is its number of bytes without LF and without the dropped CR. A line longer
  than ``max_line_bytes`` is *oversize*: its content is not kept and no rule looks at it.
- Text is the bytes decoded as UTF-8, each maximal invalid subpart replaced by one U+FFFD (the
  WHATWG algorithm, which is Python's). A byte order mark and NUL are characters like any other.
- White space is space, TAB, VT, FF and CR: U+0020, U+0009, U+000B, U+000C, U+000D; nothing else.
  A line is blank when it is not oversize and holds no other character.
- Tokens are the maximal runs of characters that are not white space.
- A compressed log is decompressed first: :mod:`logexport.logs.compression` says which are.
"""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple, cast

from logexport.errors import InputError
from logexport.logs.compression import (
    CompressedDataError,
    Decompressed,
    NotTar,
    TarError,
    recognise,
)
from logexport.logs.decoding import Decoded, Encoding, LooksLikeUtf16Error

__all__ = [
    "DEFAULT_MAX_LINE_BYTES",
    "DEFAULT_READING",
    "WHITE_SPACE",
    "LogLine",
    "Reading",
    "check_logs",
    "decode",
    "is_blank",
    "iter_lines",
    "iter_logs",
    "open_log",
    "tokens",
]

DEFAULT_MAX_LINE_BYTES = 1024 * 1024


class Reading(NamedTuple):
    """How the bytes of a log become lines.

    Args:
        max_line_bytes: a longer line is oversize.
        encoding: what a file without a byte order mark is, by the rules of version 2
            (:mod:`logexport.logs.decoding`), by which zero bytes at a line's start are dropped too.
            None, by those of version 1: UTF-8, marks and zero bytes are text.
    """

    max_line_bytes: int = DEFAULT_MAX_LINE_BYTES
    encoding: Encoding | None = None


DEFAULT_READING = Reading()

LogPath = Path | str
"""A file, or ``"-"`` for standard input."""

WHITE_SPACE = " \t\x0b\x0c\r"
"""What separates tokens, and all that a blank line may hold."""

_BUFFER = 256 * 1024
_SKIP = 256 * 1024  # bytes read at once from a line that is too long
# str.split() also splits at these (Unicode white space); LF among them cannot be in a line.
_OTHER_SPACES = "\n\x1c\x1d\x1e\x1f"
_TO_SPACE = str.maketrans("\t\x0b\x0c\r", "    ")


class LogLine(NamedTuple):
    """One line of a log.

    Args:
        number: from 1, over all logs that are read as one.
        raw: the bytes without LF and without the one CR before it; empty when oversize.
        oversize: longer than ``max_line_bytes``.
    """

    number: int
    raw: bytes
    oversize: bool = False


def decode(raw: bytes) -> str:
    """UTF-8 with replacement of maximal invalid subparts by U+FFFD."""
    return raw.decode("utf-8", "replace")


def is_blank(text: str) -> bool:
    """Whether the decoded line holds white space only (or nothing)."""
    return not text.strip(WHITE_SPACE)


def tokens(text: str) -> list[str]:
    """Split at runs of space, TAB, VT, FF and CR, and at nothing else."""
    if text.isascii() and not any(map(text.__contains__, _OTHER_SPACES)):
        # In ASCII str.split() knows these five separators and the ones ruled out above.
        return text.split()
    return [token for token in text.translate(_TO_SPACE).split(" ") if token]


def check_logs(paths: Iterable[LogPath]) -> None:
    """See that all logs are there before the first is read; standard input is.

    Raises:
        InputError: one is missing or a directory, or standard input is named twice.
    """
    names = [str(path) for path in paths]
    if names.count("-") > 1:
        raise InputError("Standard input is named twice as a log", "Name - once.")
    for name in names:
        if name == "-":
            continue
        try:
            mode = os.stat(name).st_mode  # noqa: PTH116 - Path would take off a trailing slash
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(name)
        except OSError as error:
            raise _opening_error(name, error) from error


def _opening_error(path: LogPath, error: OSError) -> InputError:
    """Why a log cannot be opened, for whoever named it."""
    if isinstance(error, IsADirectoryError):
        return InputError(f"{path} is a directory, not a log", "Name the log files themselves.")
    return InputError(
        f"The log {path} cannot be read: {error.strerror or error}",
        "Check the path and its permissions.",
    )


@contextmanager
def open_log(path: LogPath, reading: Reading = DEFAULT_READING) -> Iterator[BinaryIO]:
    """Open a log for reading bytes, compressed or not (its first bytes tell).

    Args:
        path: a file, or ``"-"`` for standard input, which is not closed.
        reading: how its bytes become lines.

    Raises:
        InputError: missing, a directory, not readable.
    """
    if str(path) == "-":
        raw: IO[bytes] = sys.stdin.buffer
        yield as_log(raw, "standard input", reading)
        return
    with open_raw(path) as stream:
        yield as_log(stream, str(path), reading)


@contextmanager
def open_raw(path: LogPath) -> Iterator[io.FileIO]:
    """Open the file of a log for reading bytes as they are.

    Raises:
        InputError: missing, a directory, not readable.
    """
    try:
        with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 - as above
            yield stream
    except OSError as error:
        if error.filename is None or str(error.filename) != str(path):
            raise  # not about the log
        raise _opening_error(path, error) from error


def as_log(
    stream: IO[bytes] | io.RawIOBase,
    name: str,
    reading: Reading = DEFAULT_READING,
    stopped: Callable[[], bool] = lambda: False,
) -> BinaryIO:
    """Buffer a stream of bytes, decompressing it if it begins like compressed data.

    Args:
        stream: read only as far as needed, so lines from a slow pipe come at once.
        name: stands for the log in errors, also in those of :func:`iter_lines`.
        reading: how its bytes become lines; ``encoding`` is looked at.
        stopped: whether the stream ends because nothing more is to be read of it: compressed data
            that ends there is not damaged.

    Raises:
        InputError: the first bytes cannot be read.
    """
    prefix, form = b"", recognise(b"")
    # One byte at a time: a first line of one byte on a slow pipe must not wait for a second.
    while form is None:
        try:
            byte = stream.read(1)
        except BrokenPipeError:
            raise  # of a stream that writes what it owes before it waits
        except OSError as error:
            raise InputError(
                f"{name} cannot be read: {error.strerror or error}", "Name a log that can be read."
            ) from error
        if not byte:
            break
        prefix += byte
        form = recognise(prefix)
    content: io.RawIOBase = _Prefixed(prefix, stream)
    if form:
        content = Decompressed(content, form, stopped)
    content = NotTar(content)
    if reading.encoding is not None:
        content = Decoded(content, reading.encoding)
    return cast(BinaryIO, _Named(io.BufferedReader(content, _BUFFER), name))


def iter_lines(
    stream: BinaryIO, reading: Reading = DEFAULT_READING, first: int = 1
) -> Iterator[LogLine]:
    """The lines of an open log, numbered from ``first``.

    Args:
        stream: see :func:`as_log`, with the same ``reading``.
        reading: how bytes become lines.
        first: the number of the first line.

    Holds at most one line of ``max_line_bytes`` in memory, whatever the length of the line.

    Raises:
        InputError: compressed data is truncated or corrupt, the log is a tar archive, or the file
            cannot be read further.
    """
    number = first
    max_line_bytes = reading.max_line_bytes
    readline = stream.readline if reading.encoding is None else _without_zeros(stream.readline)
    limit = max_line_bytes + 2  # with its CR and LF a line of the longest kind is this long
    try:
        while raw := readline(limit):
            if raw[-1] == 10:
                raw = raw[:-2] if raw[-2:-1] == b"\r" else raw[:-1]
                yield (
                    LogLine(number, raw)
                    if len(raw) <= max_line_bytes
                    else LogLine(number, b"", True)
                )
            elif len(raw) < limit:  # the end of the log
                oversize = len(raw) > max_line_bytes
                yield LogLine(number, b"" if oversize else raw, oversize)
            else:
                while (rest := readline(_SKIP)) and rest[-1] != 10:
                    pass
                yield LogLine(number, b"", True)
            number += 1
    except CompressedDataError as error:
        raise InputError(
            f"{stream.name} {error.problem}, noticed after line {number - 1}", error.remedy
        ) from error
    except LooksLikeUtf16Error as error:
        raise InputError(
            f"{stream.name} looks like {error.encoding.upper()} without a byte order mark",
            f"Say so: --encoding {error.encoding}",
        ) from error
    except TarError as error:
        raise InputError(
            f"{stream.name} is a tar archive, not a log",
            f"Name what is in it: tar -xOf {stream.name} MEMBER | logexport … -",
        ) from error
    except OSError as error:
        if isinstance(error, (BlockingIOError, BrokenPipeError)):
            raise
        raise InputError(
            f"{stream.name} cannot be read after line {number - 1}: {error.strerror or error}",
            "Check the file and the disk that it is on.",
        ) from error


def _without_zeros(readline: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """``readline`` whose lines do not begin with zero bytes, however many there are."""
    at_start = True

    def read(limit: int) -> bytes:
        nonlocal at_start
        raw = readline(limit)
        while at_start and raw.startswith(b"\0"):
            raw = raw.lstrip(b"\0")
            more = b"" if raw.endswith(b"\n") else readline(limit - len(raw))
            if not more:
                break
            raw += more
        at_start = raw.endswith(b"\n")
        return raw

    return read


def iter_logs(paths: Iterable[LogPath], reading: Reading = DEFAULT_READING) -> Iterator[LogLine]:
    """The lines of several logs as one; the numbering continues from one to the next.

    Raises:
        InputError: see :func:`open_log` and :func:`iter_lines`.
    """
    first = 1
    for path in paths:
        with open_log(path, reading) as stream:
            for line in iter_lines(stream, reading, first):
                yield line
                first = line.number + 1


class _Prefixed(io.RawIOBase):
    """A few bytes that were read already, then the stream that they came from."""

    def __init__(self, prefix: bytes, rest: IO[bytes] | io.RawIOBase) -> None:
        self._prefix = prefix
        # read1 gives what is there; read would wait for more on a slow pipe.
        self._read = getattr(rest, "read1", rest.read)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        data = self._prefix[: len(view)]
        if data:
            self._prefix = self._prefix[len(data) :]
        else:
            data = self._read(len(view))
        view[: len(data)] = data
        return len(data)


class _Named:
    """A binary stream with a name for error sentences."""

    def __init__(self, stream: io.BufferedReader, name: str) -> None:
        self.name = name
        self.readline = stream.readline
        self.read = stream.read
