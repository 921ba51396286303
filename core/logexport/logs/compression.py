"""Compressed logs: recognised by their first bytes, decompressed while they are read.

Rules (the engine's ``native/program/compression.c`` has the same):

- The first bytes alone decide, never a name. gzip (RFC 1952) begins with 1F 8B; bzip2 with ``BZh``,
  a digit from 1 to 9 and the magic number of a block (31 41 59 26 53 59) or of the end
  (17 72 45 38 50 90); xz with FD ``7zXZ`` 00; zstd (RFC 8878) with 28 B5 2F FD, or with a skippable
  frame (50 to 5F, then 2A 4D 18). Everything else is text.
- A file may hold several members one after another. After a member, zero bytes are padding; other
  bytes begin a member of the same format.
- A zstd window is at most 2^27 bytes, an xz dictionary at most 64 MiB.
- A file that is cut short or damaged gives what can be read of it, then an error.
- A tar archive (``ustar`` at byte 257) is refused, compressed or not: its headers would be lines.
"""

from __future__ import annotations

import io
import sys
import zlib
from collections.abc import Callable
from typing import IO, Literal, NamedTuple, Protocol, cast

__all__ = [
    "CompressedDataError",
    "Decompressed",
    "Format",
    "NotTar",
    "TarError",
    "recognise",
]

XZ_MEMORY = 80 << 20
"""Bytes that liblzma may use: enough for a dictionary of 64 MiB, too little for the next larger
one, of 96 MiB."""

ZSTD_WINDOW_LOG = 27
_ZSTD_FRAME = bytes.fromhex("28b52ffd")
_ZSTD_SKIPPABLE = tuple(bytes([first]) + bytes.fromhex("2a4d18") for first in range(0x50, 0x60))

_TAR_AT, _TAR = 257, b"ustar"
_CHUNK = 64 * 1024


class CompressedDataError(Exception):
    """Compressed data that cannot be read further.

    Attributes:
        problem: a clause: "is truncated or corrupt xz data: …".
        remedy: one sentence.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem, self.remedy = problem, remedy


class TarError(Exception):
    """An archive where a log belongs."""


class Decoder(Protocol):
    """One member being decompressed: the interface of :class:`bz2.BZ2Decompressor`."""

    @property
    def eof(self) -> bool:
        """Whether the member's end was reached."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes without more input."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What follows the member's end."""
        ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """At most ``max_length`` bytes more of the content."""
        ...


class Format(NamedTuple):
    """A way in which logs are compressed.

    Args:
        name: as people say it.
        tool: the command that decompresses a file to standard output.
        begins: whether bytes are such a file's first; None if more bytes are needed to tell.
        decoder: makes the decoder of one member.
    """

    name: str
    tool: str
    begins: Callable[[bytes], bool | None]
    decoder: Callable[[], Decoder]


class _GzipDecoder:
    """:func:`zlib.decompressobj` with the interface of the others."""

    def __init__(self) -> None:
        self._object = zlib.decompressobj(16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def needs_input(self) -> bool:
        return not self._object.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._object.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._object.decompress(self._object.unconsumed_tail + data, max_length)


def _bzip2() -> Decoder:
    import bz2

    return bz2.BZ2Decompressor()


def _xz() -> Decoder:
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)


class _ZstdDecoder:
    """A frame whose header is looked at first: the library looks at the window of some frames only,
    and which beginnings it knows depends on how it was built.
    """

    def __init__(self) -> None:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd

        options = {int(zstd.DecompressionParameter.window_log_max): ZSTD_WINDOW_LOG}
        self._decoder = cast(Decoder, zstd.ZstdDecompressor(options=options))
        self._header: bytes | None = b""  # None: looked at, and handed on

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def needs_input(self) -> bool:
        return self._header is not None or self._decoder.needs_input

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        if self._header is None:
            return self._decoder.decompress(data, max_length)
        self._header += data
        window = zstd_window(self._header)
        if window is None:
            return b""
        if window > 1 << ZSTD_WINDOW_LOG:
            raise _TooLargeError("a zstd window of more than 128 MiB")
        data, self._header = self._header, None
        return self._decoder.decompress(data, max_length)


class _TooLargeError(Exception):
    """What is beyond a bound, in words."""


def zstd_window(header: bytes) -> int | None:
    """The window of a zstd frame, by its header (RFC 8878, 3.1.1).

    Returns:
        bytes, 0 for a skippable frame; None if more bytes are needed to tell.

    Raises:
        ValueError: no frame begins like this.
    """
    if len(header) < 4:
        return None
    if header[:4] in _ZSTD_SKIPPABLE:
        return 0
    if header[:4] != _ZSTD_FRAME:
        raise ValueError("a frame has no magic number")
    if len(header) < 5:
        return None
    descriptor = header[4]
    single_segment = bool(descriptor & 0x20)
    if not single_segment:
        if len(header) < 6:
            return None
        base = 1 << (10 + (header[5] >> 3))
        return base + base // 8 * (header[5] & 7)
    begin = 5 + (0, 1, 2, 4)[descriptor & 3]
    size = (1, 2, 4, 8)[descriptor >> 6]
    if len(header) < begin + size:
        return None
    content = int.from_bytes(header[begin : begin + size], "little")
    return content + 256 if size == 2 else content


def _one_of(*magics: bytes) -> Callable[[bytes], bool | None]:
    def begins(prefix: bytes) -> bool | None:
        if any(prefix.startswith(magic) for magic in magics):
            return True
        return None if any(magic.startswith(prefix) for magic in magics) else False

    return begins


_BLOCKS = (bytes.fromhex("314159265359"), bytes.fromhex("177245385090"))

FORMATS = (
    Format("gzip", "gzip -dc", _one_of(b"\x1f\x8b"), _GzipDecoder),
    Format(
        "bzip2",
        "bzip2 -dc",
        _one_of(*(b"BZh%d" % level + block for level in range(1, 10) for block in _BLOCKS)),
        _bzip2,
    ),
    Format("xz", "xz -dc", _one_of(b"\xfd7zXZ\x00"), _xz),
    Format(
        "zstd",
        "zstd -dc --long=31",
        _one_of(_ZSTD_FRAME, *_ZSTD_SKIPPABLE),
        _ZstdDecoder,
    ),
)


def recognise(prefix: bytes) -> Format | Literal[False] | None:
    """The format whose files begin with ``prefix``.

    Returns:
        the format; False if the bytes are none's; None if more bytes are needed to tell.
    """
    answers = [(one, one.begins(prefix)) for one in FORMATS]
    for one, begins in answers:
        if begins:
            return one
    return None if any(begins is None for _, begins in answers) else False


class Decompressed(io.RawIOBase):
    """The content of a compressed stream.

    Args:
        stream: compressed bytes, from the first on; read as far as needed and no further.
        form: how they are compressed.
        stopped: whether the stream ends because nothing more is to be read of it.
    """

    def __init__(
        self,
        stream: IO[bytes] | io.RawIOBase,
        form: Format,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._stopped = stopped
        # read1 gives what is there; read would wait for more on a slow pipe.
        self._read = getattr(stream, "read1", stream.read)
        self._form = form
        self._input = b""
        self._decoder: Decoder | None = form.decoder()
        self._full = False  # the last step gave all that was asked for: more may be held back

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        while True:
            if self._decoder is None and not self._next_member():
                return 0
            out = self._step(len(view))
            if out:
                view[: len(out)] = out
                return len(out)

    def _next_member(self) -> bool:
        """Skip the padding after a member; whether another member begins there."""
        while not (rest := self._input.lstrip(b"\0")):
            self._input = self._read(_CHUNK)
            if not self._input:
                return False
        self._input = rest
        self._decoder = self._form.decoder()
        return True

    def _step(self, size: int) -> bytes:
        """Up to ``size`` bytes of the member; none where its end or more input comes first."""
        decoder = self._decoder
        assert decoder is not None  # noqa: S101 - a member was begun
        data, ended = b"", False
        if decoder.needs_input and not self._full:
            data = self._input or self._read(_CHUNK)
            self._input = b""
            ended = not data
        try:
            out = decoder.decompress(data, size)
        except MemoryError:
            raise
        except Exception as error:  # zlib.error, OSError, LZMAError, ZstdError: no common base
            raise self._failed(error) from error
        self._full = len(out) == size
        if decoder.eof:
            self._input = decoder.unused_data
            self._decoder = None
        elif ended and not out:
            if not self._stopped():
                raise self._damaged("it ends in the middle")
            self._decoder = None
        return out

    def _failed(self, error: Exception) -> CompressedDataError:
        if isinstance(error, _TooLargeError):
            return self._too_large(str(error))
        if self._form.name == "xz" and "limit" in str(error):  # liblzma's, for XZ_MEMORY
            return self._too_large("an xz dictionary of more than 64 MiB")
        return self._damaged(str(error))

    def _damaged(self, reason: str) -> CompressedDataError:
        return CompressedDataError(
            f"is truncated or corrupt {self._form.name} data: {reason}",
            f"Fetch the file again, or decompress what is left of it with {self._form.tool}.",
        )

    def _too_large(self, what: str) -> CompressedDataError:
        return CompressedDataError(
            f"has {what}",
            f"Decompress it with `{self._form.tool}` and name - as the log.",
        )


class NotTar(io.RawIOBase):
    """The bytes of a stream that is not a tar archive.

    They come as they come, but for those before the first line feed: as many as tell are held back,
    so that nothing is said of an archive.

    Args:
        stream: the content.
    """

    def __init__(self, stream: io.RawIOBase) -> None:
        self._stream = stream
        self._begin: bytes | None = None  # what was held back, once it is known
        self._known = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        """Raises :class:`TarError` instead of the first bytes of an archive."""
        if not self._known:
            self._begin, self._known = self._look(), True
        if not self._begin:
            return cast(int, self._stream.readinto(cast(bytearray, buffer)))
        view = memoryview(cast(bytearray, buffer))
        out, self._begin = self._begin[: len(view)], self._begin[len(view) :]
        view[: len(out)] = out
        return len(out)

    def _look(self) -> bytes:
        begin = b""
        while len(begin) < _TAR_AT + len(_TAR) and b"\n" not in begin:
            more = self._stream.read(_CHUNK)
            if not more:
                break
            begin += more
        if begin.startswith(_TAR, _TAR_AT) and b"\n" not in begin[:_TAR_AT]:
            raise TarError
        return begin
