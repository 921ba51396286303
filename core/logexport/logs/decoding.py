"""Bytes of a log in other clothes: UTF-16, byte order marks, escape sequences of terminals.

Rules of version 2 of ``preprocess.json`` (the engine's ``native/src/decoding.c`` has the same):

- Each file decides for itself. A file that begins with FF FE is UTF-16LE, with FE FF UTF-16BE, with
  EF BB BF UTF-8; the mark is not text. A file without a mark has the encoding of the rules.
- UTF-16 becomes UTF-8 before lines are looked for. A surrogate without its partner, and a last byte
  without its partner, is U+FFFD.
- A file of the encoding ``utf-8`` without a mark is refused if it looks like UTF-16: one of its
  first two bytes is zero and the other is not, and in its first 512 bytes (in all, if there are
  fewer, but at least 16) at least half of the bytes at odd places are zero and none at an even
  place is, or the other way round. Nothing is read of such a file before that is known.
- In the text of a line, escape sequences (ECMA-48) are nothing: ESC ``[`` with its parameters (0x30
  to 0x3F), intermediate bytes (0x20 to 0x2F) and a final byte (0x40 to 0x7E); ESC ``]`` up to BEL
  or to ESC ``\\`` with neither between; ESC, intermediate bytes and a final byte (0x30 to 0x7E), if
  the byte after ESC is neither of the brackets. An ESC that begins none of these is text.
"""

from __future__ import annotations

import codecs
import io
import re
from typing import Literal, cast

__all__ = [
    "ENCODINGS",
    "UTF_8_MARK",
    "Decoded",
    "Encoding",
    "LooksLikeUtf16Error",
    "strip_escapes",
]

Encoding = Literal["utf-8", "utf-16le", "utf-16be"]
ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16le", "utf-16be")
"""What a file without a mark may be."""

UTF_8_MARK = b"\xef\xbb\xbf"

_MARKS: tuple[tuple[bytes, Encoding], ...] = (
    (b"\xff\xfe", "utf-16le"),
    (b"\xfe\xff", "utf-16be"),
    (UTF_8_MARK, "utf-8"),
)
_LOOKED_AT = 512
_FEWEST = 16

# Linear: no alternative can begin inside another one's repetition, since none of these holds ESC.
_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|(?![\[\]])[ -/]*[0-~])", re.ASCII
)


class LooksLikeUtf16Error(Exception):
    """A file without a mark that is not what the rules say.

    Attributes:
        encoding: what it looks like.
    """

    def __init__(self, encoding: Encoding) -> None:
        super().__init__(encoding)
        self.encoding = encoding


def strip_escapes(text: str) -> str:
    """The text without escape sequences."""
    return _ESCAPE.sub("", text) if "\x1b" in text else text


def looks_like_utf16(begin: bytes) -> Encoding | None:
    """What the first bytes of a file look like, if they look like UTF-16."""
    if len(begin) < _FEWEST or bool(begin[0]) == bool(begin[1]):
        return None
    low, high = begin[0 : len(begin) & ~1 : 2], begin[1 : len(begin) & ~1 : 2]
    for zeros, others, encoding in ((high, low, "utf-16le"), (low, high, "utf-16be")):
        if 2 * zeros.count(0) >= len(zeros) and 0 not in others:
            return cast(Encoding, encoding)
    return None


class Decoded(io.RawIOBase):
    """A file's bytes as UTF-8, its mark left out.

    Args:
        stream: the file's bytes, decompressed.
        encoding: what it is if it has no mark.
    """

    def __init__(self, stream: io.RawIOBase, encoding: Encoding) -> None:
        self._stream = stream
        self._encoding = encoding
        self._decoder: codecs.IncrementalDecoder | None = None
        self._marked: bool | None = None  # None: its first bytes are not all there
        self._begin = b""  # what is held back until it tells
        self._out = b""
        self._passes = False  # from now on bytes are text as they are

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        """Raises :class:`LooksLikeUtf16Error` where that shows."""
        if self._passes and not self._out:
            return cast(int, self._stream.readinto(cast(bytearray, buffer)))
        view = memoryview(cast(bytearray, buffer))
        while not self._out:
            data = self._stream.read(len(view))
            if data is None:
                return 0
            self._out = self._take(data)
            if not data:
                break
        out = self._out[: len(view)]
        self._out = self._out[len(out) :]
        view[: len(out)] = out
        return len(out)

    def _take(self, data: bytes) -> bytes:
        """More of the file, or its end; as UTF-8."""
        end = not data
        if self._marked is None:
            self._begin += data
            found = self._find_mark(end)
            if found is None:
                return b""
            data = found
        if self._decoder is not None:
            return self._decoder.decode(data, end).encode("utf-8", "replace")
        return self._hold_back(data, end)

    def _find_mark(self, end: bool) -> bytes | None:
        """What follows the mark, or all if there is none; None if more bytes are needed to tell."""
        begin = self._begin
        for mark, encoding in _MARKS:
            if begin.startswith(mark):
                self._marked, self._encoding, begin = True, encoding, begin[len(mark) :]
                break
        else:
            if not end and any(mark.startswith(begin) for mark, _ in _MARKS):
                return None
            self._marked = False
        if self._encoding != "utf-8":
            name = {"utf-16le": "utf-16-le", "utf-16be": "utf-16-be"}[self._encoding]
            self._decoder = codecs.getincrementaldecoder(name)("replace")
        self._begin = b""
        self._passes = self._marked and self._decoder is None
        return begin

    def _hold_back(self, data: bytes, end: bool) -> bytes:
        """Bytes of a file of UTF-8, as soon as they cannot be UTF-16 without a mark."""
        if self._passes:
            return data
        self._begin += data
        begin = self._begin
        if not end:
            if len(begin) < 2:
                return b""
            if bool(begin[0]) != bool(begin[1]) and len(begin) < _LOOKED_AT:
                return b""
        found = looks_like_utf16(begin[:_LOOKED_AT])
        if found is not None:
            raise LooksLikeUtf16Error(found)
        self._passes, self._begin = True, b""
        return begin
