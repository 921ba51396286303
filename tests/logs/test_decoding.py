"""Version 2 of the rules: encodings, byte order marks, zero bytes, escape sequences."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from logexport.cli import cli
from logexport.errors import InputError, UsageError
from logexport.logs.decoding import Encoding, looks_like_utf16, strip_escapes
from logexport.logs.lines import Reading, as_log, iter_lines, iter_logs
from logexport.logs.preprocess import ALOG_DETECT, LineParser, Preprocess

from tests.logs.test_compression import COMPRESSORS, Slow, Watched

TEXT = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0\ufeff"),
    min_size=0,
    max_size=80,
)
CODECS: dict[Encoding, str] = {"utf-8": "utf-8", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be"}
MARKS: dict[Encoding, bytes] = {
    "utf-8": b"\xef\xbb\xbf",
    "utf-16le": b"\xff\xfe",
    "utf-16be": b"\xfe\xff",
}


def raw_lines(data: bytes, encoding: Encoding | None = "utf-8", step: int = 1 << 16) -> list[bytes]:
    reading = Reading(1000, encoding)
    return [line.raw for line in iter_lines(as_log(Slow(data, step), "app.log", reading), reading)]


def plain_lines(text: str) -> list[bytes]:
    return raw_lines(text.encode(), None)


@given(TEXT, st.sampled_from(sorted(MARKS)), st.sampled_from(sorted(MARKS)), st.integers(1, 9))
def test_a_mark_says_the_encoding_whatever_the_rules_say(
    text: str, encoding: Encoding, rules: Encoding, step: int
) -> None:
    assert raw_lines(MARKS[encoding] + text.encode(CODECS[encoding]), rules, step) == plain_lines(
        text
    )


@given(TEXT, st.sampled_from(["utf-16le", "utf-16be"]), st.integers(1, 9))
def test_without_a_mark_the_rules_say_it(text: str, encoding: Encoding, step: int) -> None:
    assert raw_lines(text.encode(CODECS[encoding]), encoding, step) == plain_lines(text)


@given(st.binary(max_size=60), st.sampled_from(["utf-16le", "utf-16be"]), st.integers(1, 9))
def test_broken_utf16_is_replaced_as_python_does(
    data: bytes, encoding: Encoding, step: int
) -> None:
    text = data.decode(CODECS[encoding], "replace")
    if not data.startswith((*MARKS.values(), b"\x1f", b"BZ", b"(", b"P", b"\xfd")):
        expected = [re.sub(rb"^\0+", b"", raw) for raw in plain_lines(text)]
        found = raw_lines(data, encoding, step)
        assert found == expected[: len(found)]
        assert not any(expected[len(found) :])  # zeros alone do not make a line


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"\x61\xd8", ["\ufffd"]),
        (b"", []),
        (b"a", ["\ufffd"]),
        (b"a\0\x00\xd8b\0", ["a\ufffdb"]),
        (b"\x00\xdca\0", ["\ufffda"]),
        (b"a\0\x00\xd8", ["a\ufffd"]),
        (b"a\0\x00\xd8b", ["a\ufffd"]),
        (b"\x3d\xd8\x00\xde\n\0b\0", ["\U0001f600", "b"]),
    ],
)
def test_what_is_not_a_character_of_utf16(data: bytes, lines: list[str]) -> None:
    assert raw_lines(data, "utf-16le", 1) == [line.encode() for line in lines]


def test_each_file_decides_for_itself(tmp_path: Path) -> None:
    for number, (encoding, mark) in enumerate(MARKS.items()):
        (tmp_path / f"{number}").write_bytes(mark + "é\nb".encode(CODECS[encoding]))
    (tmp_path / "3").write_bytes("é\nb".encode())
    logs = [tmp_path / str(number) for number in range(4)]
    lines = list(iter_logs(logs, Reading(1000, "utf-8")))
    assert [line.raw.decode() for line in lines] == ["é", "b"] * 4
    assert [line.number for line in lines] == list(range(1, 9))


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"\xef\xbb\xbfa\n", [b"\xef\xbb\xbfa"]),
        (b"\xff\xfea\0\n\0", [b"\xff\xfea\0", b"\0"]),
        (b"\0\0a\n", [b"\0\0a"]),
        (b"a\0b\0" * 100, [b"a\0b\0" * 100]),
    ],
)
def test_rules_of_version_1_take_all_of_this_as_text(data: bytes, lines: list[bytes]) -> None:
    assert raw_lines(data, None) == lines


@pytest.mark.parametrize("form", ["plain", *sorted(COMPRESSORS)])
@pytest.mark.parametrize("encoding", ["utf-16le", "utf-16be"])
def test_utf16_without_a_mark_is_refused_with_the_option(form: str, encoding: Encoding) -> None:
    data = ("request 17 was served\n" * 30).encode(CODECS[encoding])
    if form != "plain":
        data = COMPRESSORS[form](data)
    for size in (len(data), 60):
        part = data[:size] if form == "plain" else data
        with pytest.raises(InputError, match=f"looks like {encoding.upper()} without") as caught:
            raw_lines(part)
        assert caught.value.remedy == f"Say so: --encoding {encoding}"


@pytest.mark.parametrize("step", [1, 2, 3, 100, 511, 4000])
def test_nothing_is_said_of_a_file_that_is_refused_however_it_comes(step: int) -> None:
    data = "a line\nand another\n".encode("utf-16-le") * 40
    reading = Reading(1000, "utf-8")
    with pytest.raises(InputError, match="looks like UTF-16LE"):
        next(iter_lines(as_log(Slow(data, step), "app.log", reading), reading))


def test_a_line_of_plain_text_does_not_wait_for_512_bytes() -> None:
    reading = Reading(1000, "utf-8")
    stream = as_log(Watched(b"first\n" + b"second\n", 6), "app.log", reading)
    assert next(iter_lines(stream, reading)).raw == b"first"


@pytest.mark.parametrize(
    "data",
    [
        b"a\0b\0c\0d\0",  # too short to tell
        b"plain text of no great length\n" * 40,
        b"\0" * 600 + b"after copytruncate\n",
        b"text, then binary: " + bytes(range(256)) * 3,
        "日本語のログ行です\n".encode() * 20,
        b"a\0" * 8 + b"\0\0" * 300,
    ],
)
def test_what_does_not_look_like_utf16_is_read(data: bytes) -> None:
    raw_lines(data)


@given(st.binary(min_size=16, max_size=600))
def test_looking_like_utf16_needs_zeros_at_one_side_alone(begin: bytes) -> None:
    found = looks_like_utf16(begin)
    even, odd = begin[0::2][: len(begin) // 2], begin[1::2]
    if found == "utf-16le":
        assert 0 not in even
        assert 2 * odd.count(0) >= len(odd)
    elif found == "utf-16be":
        assert 0 not in odd
        assert 2 * even.count(0) >= len(even)


@given(
    st.lists(st.tuples(st.integers(0, 2500), st.binary(max_size=40)), max_size=6),
    st.integers(1, 700),
)
def test_zeros_at_the_start_of_a_line_are_dropped_before_it_is_measured(
    parts: list[tuple[int, bytes]], step: int
) -> None:
    lines = [text.replace(b"\n", b"").lstrip(b"\0") for _, text in parts]
    zeros = [count for count, _ in parts]
    data = b"".join(bytes(n) + line + b"\n" for n, line in zip(zeros, lines, strict=True))
    other = data.startswith((*MARKS.values(), b"\x1f", b"BZ", b"(", b"P", b"\xfd"))
    if not other and looks_like_utf16(data[:512]) is None:
        found = raw_lines(data, "utf-8", step)
        assert found == [line.removesuffix(b"\r") for line in lines]


# --- escape sequences -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[1;31;48;5;200mx\x1b[K\x1b[?25l", "x"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b(Bx\x1b7\x1b=\x1bc", "x"),
        ("\x1b", "\x1b"),
        ("a\x1b[12", "a\x1b[12"),
        ("a\x1b]0;never ended", "a\x1b]0;never ended"),
        ("a\x1b]0;\x1b[1mb", "a\x1b]0;b"),
        ("\x1b\x1b[1mx", "\x1bx"),
        ("\x1b[é", "\x1b[é"),
        ("\x1bé", "\x1bé"),
        ("no escape at all", "no escape at all"),
    ],
)
def test_escape_sequences_are_dropped(text: str, stripped: str) -> None:
    assert strip_escapes(text) == stripped


@given(st.text(st.sampled_from("\x1b[]0;m\x07\\ (Bé~"), max_size=40))
def test_nothing_but_escapes_is_dropped(text: str) -> None:
    stripped = strip_escapes(text)
    assert len(stripped) <= len(text)
    kept = iter(text)
    assert all(character in kept for character in stripped), "a subsequence"
    if "\x1b" not in text:
        assert stripped == text


def test_many_escapes_that_end_nowhere_take_linear_time() -> None:
    import time

    def seconds(size: int) -> float:
        began = time.perf_counter()
        for unit in ("\x1b]", "\x1b[0;", "\x1b( "):
            strip_escapes(unit * size)
        return time.perf_counter() - began

    seconds(1000)
    assert seconds(200_000) < 100 * max(seconds(20_000), 1e-3)


def test_a_head_behind_colours_is_found_by_version_2_alone() -> None:
    from logexport.logs.headers import ALOG_DETECT_HEADERS

    line = b"\x1b[32mJun 14 15:16:01 host sshd[1]:\x1b[0m hello"
    new = LineParser(Preprocess(headers=ALOG_DETECT_HEADERS)).parse(line)
    old = LineParser(Preprocess(headers=ALOG_DETECT_HEADERS, encoding=None)).parse(line)
    assert (new.message, new.host) == ("hello", "host")
    assert old.header is None


# --- preprocess.json and the options --------------------------------------------------------------


def test_rules_keep_their_version() -> None:
    for rules, version in (
        (Preprocess(), 2),
        (Preprocess(encoding="utf-16le"), 2),
        (ALOG_DETECT, 1),
    ):
        document = rules.to_json()
        assert document["schema_version"] == version
        assert ("encoding" in document) == (version == 2)
        assert Preprocess.from_json(document) == rules


@pytest.mark.parametrize(
    "change",
    [{"schema_version": 1}, {"encoding": "latin-1"}, {"encoding": None}, {"schema_version": 3}],
)
def test_a_document_of_neither_version_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Preprocess.from_json(Preprocess().to_json() | change)
    with pytest.raises(InputError):
        Preprocess.from_json(ALOG_DETECT.to_json() | {"schema_version": 2})


def test_an_encoding_that_is_not_known_is_refused() -> None:
    with pytest.raises(InputError, match="no encoding 'latin-1'"):
        Preprocess(encoding="latin-1")  # type: ignore[arg-type]


def test_rules_of_version_1_know_no_encodings() -> None:
    with pytest.raises(UsageError, match="--encoding does not apply"):
        ALOG_DETECT.with_encoding("utf-16le")


@pytest.mark.parametrize("encoding", sorted(MARKS))
def test_parse_reads_a_log_of_any_encoding(tmp_path: Path, encoding: Encoding) -> None:
    text = "".join(f"request {n} was served\n" for n in range(50))
    log, out = tmp_path / "app.log", tmp_path / "out"
    runner = CliRunner()
    log.write_bytes(text.encode(CODECS[encoding]))
    if encoding != "utf-8":
        refused = runner.invoke(cli, ["parse", str(log), "-o", str(out)])
        assert isinstance(refused.exception, InputError)
        assert not out.exists() or not list(out.iterdir())
    done = runner.invoke(cli, ["parse", str(log), "-o", str(out), "--encoding", encoding])
    assert done.exit_code == 0, done.output
    rules = Preprocess.load(out / "preprocess.json")
    assert (rules.version, rules.encoding) == (2, encoding)
    log.write_bytes(MARKS[encoding] + text.encode(CODECS[encoding]))
    assert runner.invoke(cli, ["parse", str(log), "-o", str(out)]).exit_code == 0
    assert io.BytesIO(log.read_bytes()).read(2) == MARKS[encoding][:2]
