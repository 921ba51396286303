"""Compressed logs: recognised by their bytes, read as they come, refused in one sentence."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logexport.errors import InputError
from logexport.logs.compression import FORMATS, recognise
from logexport.logs.lines import Reading, as_log, iter_lines, iter_logs

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
}
FORM = st.sampled_from(sorted(COMPRESSORS))


class Slow(io.RawIOBase):
    """Gives a few bytes at a time, as a pipe may."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data, self._step = io.BytesIO(data), step

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        part = self._data.read(min(self._step, len(view)))
        view[: len(part)] = part
        return len(part)


class Watched(Slow):
    """The same, which fails if it is asked for more than a first line needs."""

    asked = 0

    def readinto(self, buffer: object) -> int:
        self.asked += 1
        assert self.asked < 8, "it waits for what is not needed"
        return super().readinto(buffer)


def content(data: bytes, step: int = 1 << 16) -> bytes:
    return as_log(Slow(data, step), "app.log").read()


def lines_until_error(data: bytes) -> tuple[list[bytes], str]:
    found: list[bytes] = []
    try:
        found.extend(line.raw for line in iter_lines(as_log(io.BytesIO(data), "app.log")))
    except InputError as error:
        return found, str(error)
    return found, ""


@given(st.binary(max_size=3000), FORM, st.integers(1, 300))
def test_what_was_compressed_is_read(data: bytes, form: str, step: int) -> None:
    if not data.startswith(b"\x1f"):
        assert content(COMPRESSORS[form](data), step) == data


@given(st.lists(st.binary(max_size=500), min_size=1, max_size=4), FORM, st.integers(0, 5))
def test_members_and_the_padding_between_them_are_one_log(
    parts: list[bytes], form: str, zeros: int
) -> None:
    members = [COMPRESSORS[form](part) + bytes(zeros) for part in parts]
    assert content(b"".join(members), 7) == b"".join(parts)


@given(st.binary(max_size=400))
def test_what_no_format_begins_with_is_text(data: bytes) -> None:
    if recognise(data) is False:
        assert content(data, 3) == data


@pytest.mark.parametrize("text", [b"BZh91AY&SX is not a block", b"BZh0", b"\x28\xb5\x2f", b"P*M"])
def test_text_that_almost_begins_like_compressed_data_is_text(text: bytes) -> None:
    assert content(text, 1) == text


def test_a_skippable_frame_begins_zstd() -> None:
    skippable = b"\x5e\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    assert content(skippable + zstd.compress(b"one\n")) == b"one\n"


@pytest.mark.parametrize("form", sorted(COMPRESSORS))
def test_cut_anywhere_what_was_read_is_given_and_then_the_error(form: str) -> None:
    numbers = random.Random(5)
    text = b"".join(b"line %d of %d\n" % (i, numbers.getrandbits(64)) for i in range(400))
    packed = COMPRESSORS[form](text)
    whole_lines = text.split(b"\n")
    for cut in range(12, len(packed) - 1, max(1, len(packed) // 40)):
        found, problem = lines_until_error(packed[:cut])
        assert problem.startswith(f"app.log is truncated or corrupt {form} data: "), cut
        assert f"noticed after line {len(found)}" in problem
        assert found == whole_lines[: len(found)]


@pytest.mark.parametrize("form", sorted(COMPRESSORS))
def test_other_bytes_after_a_member_are_an_error_after_its_lines(form: str) -> None:
    found, problem = lines_until_error(COMPRESSORS[form](b"one\ntwo\n") + b"\0\0rest")
    assert found == [b"one", b"two"]
    assert problem.startswith(f"app.log is truncated or corrupt {form} data")


def zstd_with_window(log: int) -> bytes:
    """A frame whose header says this window (RFC 8878, 3.1.1.1.2), holding one raw block."""
    block = b"one\n"
    header = (len(block) << 3 | 1).to_bytes(3, "little")
    return bytes.fromhex("28b52ffd") + bytes([0, (log - 10) << 3]) + header + block


def test_a_zstd_window_of_128_mib_is_read_and_a_larger_one_refused() -> None:
    assert content(zstd_with_window(27)) == b"one\n"
    _, problem = lines_until_error(zstd_with_window(28))
    assert problem == "app.log has a zstd window of more than 128 MiB, noticed after line 0"


def zstd_of_one_segment(size: int) -> bytes:
    """A frame that says its content's size in place of a window, holding one block of it."""
    block = b"one\n"
    header = (len(block) << 3 | 1).to_bytes(3, "little")
    return bytes.fromhex("28b52ffd") + bytes([0xE0]) + size.to_bytes(8, "little") + header + block


def test_the_window_of_a_frame_of_one_segment_is_its_content() -> None:
    assert content(zstd_of_one_segment(4)) == b"one\n"
    for before in (b"", zstd.compress(b"two\n"), b"\x50\x2a\x4d\x18\0\0\0\0"):
        for step in (1, 7, 1 << 16):
            with pytest.raises(InputError, match="a zstd window of more than 128 MiB"):
                list(
                    iter_lines(
                        as_log(Slow(before + zstd_of_one_segment((1 << 27) + 1), step), "app.log")
                    )
                )


def test_a_frame_of_another_version_of_zstd_is_not_read() -> None:
    found, problem = lines_until_error(zstd.compress(b"one\n") + b"\x27\xb5\x2f\xfd" + bytes(20))
    assert found == [b"one"]
    assert "corrupt zstd data: a frame has no magic number" in problem


def test_a_block_that_is_whole_is_read_though_its_end_is_cut_off() -> None:
    text = b"".join(b"line %d\n" % number for number in range(60_000))
    for cut in (1, 4, 10):
        found, problem = lines_until_error(bz2.compress(text)[:-cut])
        assert found == text.split(b"\n")[:-1]
        assert "it ends in the middle" in problem


@pytest.mark.parametrize("form", ["bzip2", "gzip"])
def test_a_block_that_is_whole_does_not_wait_for_what_follows(form: str) -> None:
    packed = COMPRESSORS[form](b"line\n" * 150_000)[:-4]

    class Waiting(Slow):
        def readinto(self, buffer: object) -> int:
            count = super().readinto(buffer)
            assert count, "it waits for more than it was given"
            return count

    lines = iter_lines(as_log(Waiting(packed, len(packed)), "app.log"))
    assert sum(1 for _ in zip(range(150_000), lines, strict=False)) == 150_000


def test_nothing_is_said_of_a_tar_however_it_comes(tmp_path: Path) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("a.log")
        member.size = 12
        tar.addfile(member, io.BytesIO(b"one\ntwo\nthr\n"))
    for step in (1, 3, 100, 257, 262, 600):
        stream = as_log(Slow(archive.getvalue(), step), "app.log")
        with pytest.raises(InputError, match="is a tar archive"):
            next(iter_lines(stream))


def test_an_xz_dictionary_of_64_mib_is_read_and_a_larger_one_refused() -> None:
    def packed(size: int) -> bytes:
        return lzma.compress(b"one\n", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": size}])

    assert content(packed(64 << 20)) == b"one\n"
    _, problem = lines_until_error(packed((64 << 20) + 1))
    assert problem == "app.log has an xz dictionary of more than 64 MiB, noticed after line 0"


@pytest.mark.parametrize("form", ["plain", *sorted(COMPRESSORS)])
@pytest.mark.parametrize("step", [50, 1 << 16])
def test_a_tar_is_refused_with_the_command_that_helps(tmp_path: Path, form: str, step: int) -> None:
    (tmp_path / "a.log").write_text("one\n")
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(tmp_path / "a.log", "a.log")
    data = archive.read_bytes()
    if form != "plain":
        data = COMPRESSORS[form](data)
    with pytest.raises(InputError, match=r"app.log is a tar archive, not a log") as caught:
        list(iter_lines(as_log(Slow(data, step), "app.log")))
    assert "tar -xOf app.log MEMBER" in caught.value.remedy


@pytest.mark.parametrize("form", sorted(COMPRESSORS))
def test_a_bomb_is_one_oversize_line_in_little_memory(form: str) -> None:
    import tracemalloc

    packed = COMPRESSORS[form](b"a" * (64 << 20))
    assert len(packed) < 100_000
    tracemalloc.start()
    found = list(iter_lines(as_log(io.BytesIO(packed), "app.log"), Reading(1000)))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [line.oversize for line in found] == [True]
    assert most < 12 << 20  # xz remembers 8 MiB of its own


def test_the_first_line_of_a_slow_pipe_comes_before_the_second() -> None:
    stream = as_log(Watched(b"first\n" + b"second\n", 6), "app.log")
    assert next(iter_lines(stream)).raw == b"first"


def test_several_compressed_logs_are_numbered_as_one(tmp_path: Path) -> None:
    paths = []
    for form, pack in COMPRESSORS.items():
        paths.append(tmp_path / f"{form}.log")  # the name says nothing
        paths[-1].write_bytes(pack(b"one\ntwo\n"))
    assert [line.number for line in iter_logs(paths)] == list(range(1, 9))


def test_every_format_has_a_test() -> None:
    assert {form.name for form in FORMATS} == set(COMPRESSORS)
