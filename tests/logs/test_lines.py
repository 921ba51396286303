"""Bytes to lines, text and tokens."""

from __future__ import annotations

import gzip
import io
import os
import re
import threading
import tracemalloc
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from logexport.errors import InputError
from logexport.logs.lines import (
    LogLine,
    Reading,
    as_log,
    decode,
    is_blank,
    iter_lines,
    iter_logs,
    open_log,
    tokens,
)


def lines_of(data: bytes, max_line_bytes: int = 1 << 20) -> list[LogLine]:
    return list(iter_lines(as_log(io.BytesIO(data), "test"), Reading(max_line_bytes)))


def by_definition(data: bytes, max_line_bytes: int) -> list[LogLine]:
    """The rules written down plainly, of data that fits in memory."""
    pieces = data.split(b"\n")
    last = pieces.pop()
    raw = [piece[:-1] if piece.endswith(b"\r") else piece for piece in pieces]
    raw += [last] if last else []
    return [
        LogLine(number, b"" if len(r) > max_line_bytes else r, len(r) > max_line_bytes)
        for number, r in enumerate(raw, start=1)
    ]


@given(
    st.lists(st.sampled_from([b"a", b"bcd", b"\n", b"\r\n", b"\r", b"\0", b" "]), max_size=40),
    st.integers(1, 8),
)
@example([b"a", b"\r", b"\r\n"], 1)
@example([b"abc", b"\r"], 3)
@example([b"abc", b"\r\n", b"abcd", b"\n"], 3)
def test_lines_are_as_defined_whatever_their_lengths(pieces: list[bytes], limit: int) -> None:
    data = b"".join(pieces)
    if not data.startswith(b"\x1f\x8b"):
        assert lines_of(data, limit) == by_definition(data, limit)


def test_one_cr_before_lf_is_dropped_and_no_other() -> None:
    assert [line.raw for line in lines_of(b"a\r\nb\r\r\nc\rd\ne\r")] == [
        b"a",
        b"b\r",
        b"c\rd",
        b"e\r",
    ]


def test_a_final_lf_begins_no_line() -> None:
    assert lines_of(b"") == []
    assert [line.raw for line in lines_of(b"\n")] == [b""]
    assert [line.number for line in lines_of(b"a\n\nb")] == [1, 2, 3]


def test_a_line_of_many_megabytes_costs_no_memory(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as out:
        out.write(b"before\n")
        for _ in range(64):
            out.write(b"x" * (1 << 20))
        out.write(b"\nafter\n")
    tracemalloc.start()
    try:
        lines = list(iter_logs([log], Reading(1 << 16)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert lines == [LogLine(1, b"before"), LogLine(2, b"", True), LogLine(3, b"after")]
    assert peak < 4 << 20


def test_several_logs_are_one_and_the_end_of_a_file_ends_a_line(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1\n2")
    (tmp_path / "b").write_bytes(gzip.compress(b"3\n") + gzip.compress(b"4\n"))
    (tmp_path / "c").write_bytes(b"")
    assert [tuple(line) for line in iter_logs([tmp_path / n for n in "abca"])] == [
        (1, b"1", False),
        (2, b"2", False),
        (3, b"3", False),
        (4, b"4", False),
        (5, b"1", False),
        (6, b"2", False),
    ]


def test_gzip_is_known_by_its_first_bytes_not_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(gzip.compress(b"a\n"))
    (tmp_path / "log.gz").write_bytes(b"\x1fa\n")
    assert [line.raw for line in iter_logs([tmp_path / "log", tmp_path / "log.gz"])] == [
        b"a",
        b"\x1fa",
    ]


@pytest.mark.parametrize("damage", ["truncated", "corrupt", "trailing"])
def test_damaged_gzip_is_an_error_that_names_the_file(tmp_path: Path, damage: str) -> None:
    data = bytearray(gzip.compress(os.urandom(50_000).hex().encode().replace(b"0", b"\n")))
    if damage == "truncated":
        del data[20_000:]
    elif damage == "corrupt":
        data[20_000:20_100] = bytes(100)
    else:
        data += b"junk"
    log = tmp_path / "log.gz"
    log.write_bytes(data)
    with pytest.raises(InputError, match=f"{re.escape(str(log))} is truncated or corrupt"):
        list(iter_logs([log]))


def test_a_missing_log_and_a_directory_are_errors_that_name_them(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(InputError, match=re.escape(str(path))):
            list(iter_logs([path]))


def test_an_error_of_the_reader_is_not_taken_for_the_logs(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"a\n")
    with pytest.raises(FileNotFoundError), open_log(tmp_path / "log"):
        (tmp_path / "other").open()


def test_a_line_from_a_slow_pipe_comes_at_once() -> None:
    reading, writing = os.pipe()
    arrived: list[bytes] = []
    first = threading.Event()

    def read() -> None:
        with os.fdopen(reading, "rb") as pipe:
            for line in iter_lines(as_log(pipe, "pipe")):
                arrived.append(line.raw)
                first.set()

    thread = threading.Thread(target=read)
    thread.start()
    os.write(writing, b"\n")  # one byte: as short as a line can be
    assert first.wait(10)
    assert arrived == [b""]
    os.close(writing)
    thread.join(10)


def test_standard_input_is_read_and_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    class Standard:
        buffer = cast(BinaryIO, io.BytesIO(gzip.compress(b"a\nb")))

    monkeypatch.setattr("sys.stdin", Standard)
    assert [line.raw for line in iter_logs(["-"])] == [b"a", b"b"]
    assert not Standard.buffer.closed


@given(st.text(st.sampled_from("ab\t\x0b\x0c\r \x00\x1c\x1d\x1e\x1f\x85\xa0\u2003\u3000é")))
def test_tokens_split_at_five_characters_and_at_nothing_else(text: str) -> None:
    assert tokens(text) == [t for t in re.split("[ \t\x0b\x0c\r]+", text) if t]
    assert is_blank(text) is not bool(tokens(text))


def test_utf8_is_replaced_by_maximal_subparts() -> None:
    # The example of Unicode 15.0, 3.9, table 3-8, and a surrogate, an overlong form, a lone byte.
    assert decode(b"\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64") == "a���b�c��d"
    assert decode(b"\xed\xa0\x80") == "���"
    assert decode(b"\xc0\xaf") == "��"
    assert decode(b"\xef\xbb\xbfa\x00") == "\ufeffa\x00"
