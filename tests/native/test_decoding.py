"""Version 2 of the rules in the engine: encodings, marks, zeros and escapes, as the reference."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from logexport.detect import detect
from logexport.errors import InputError
from logexport.logs.decoding import Encoding
from logexport.logs.lines import Reading, iter_logs
from logexport.logs.preprocess import Preprocess, SessionRule
from logexport.types import Vocabulary

from tests.logs.test_decoding import CODECS, MARKS
from tests.native.bundles import make_task, write_bundle, write_manifest
from tests.native.engine import Engine, EngineError, Status, engine, reference

TEMPLATES = ("open <NUM>", "close <NUM>", "user <*> in", "tick", "")
WORDS = (
    *("open 7", "close 8", "tick", "user é in", "user \U0001f600 in", "", " ", "\r", "\ufeff"),
    *("\x1b[31mtick\x1b[0m", "\x1b]0;t\x07tick", "tick\x1b[", "\x1b\x1b", "\0", "\0\0tick"),
)


def make(path: Path, rules: Preprocess) -> Path:
    return write_bundle(path, make_task("events topk"), Vocabulary(TEMPLATES), rules)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rules = Preprocess(session=SessionRule("regex", "[éb]"), max_line_bytes=50)
    return make(tmp_path_factory.mktemp("new") / "bundle", rules)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("old") / "bundle", Preprocess(encoding=None))


def some_file(numbers: random.Random, encoding: str) -> bytes:
    """Lines with what version 2 is about; here and there bytes that are none of the encoding."""
    text = "\n".join(numbers.choice(WORDS) for _ in range(numbers.randrange(60)))
    if numbers.random() < 0.3:
        text = text.replace("tick", "\0" * numbers.randrange(300) + "tick", 3)
    data = bytearray(text.encode(CODECS[encoding]))
    for _ in range(numbers.randrange(4)):
        if data:
            data[numbers.randrange(len(data))] = numbers.choice((0, 10, 0x1B, 0xD8, 0xDC, 0xFF))
    if numbers.random() < 0.3 and data:
        del data[-1]
    return bytes(data)


def push_all(one: Engine, data: bytes, numbers: random.Random) -> None:
    """In pieces of any size, flushed now and then."""
    while data:
        size = numbers.randrange(1, 1 + numbers.choice((3, 40, 5000)))
        one.push(data[:size])
        data = data[size:]
        if numbers.random() < 0.1:
            one.flush()
    one.finish()


@pytest.mark.parametrize("seed", range(60))
def test_engine_and_reference_read_the_same(bundle: Path, seed: int) -> None:
    numbers = random.Random(seed)
    encoding = numbers.choice(sorted(MARKS))
    data = some_file(numbers, encoding)
    option = encoding
    if numbers.random() < 0.5:
        data, option = MARKS[encoding] + data, numbers.choice(sorted(MARKS))
    try:
        expected, problem = reference(bundle, data, encoding=option), ""
    except InputError as error:
        expected, problem = b"", str(error)
    for threads in (1, 2):
        with Engine(bundle, threads=threads, encoding=option) as one:
            if problem:
                with pytest.raises(EngineError, match="looks like UTF-16") as caught:
                    push_all(one, data, numbers)
                assert caught.value.status == Status.TEXT
            else:
                push_all(one, data, numbers)
                assert bytes(one.said) == expected


def test_utf16_without_a_mark_is_refused_with_the_option(bundle: Path, old: Path) -> None:
    for encoding in ("utf-16le", "utf-16be"):
        data = ("tick\n" * 400).encode(CODECS[encoding])
        done = engine("detect", bundle, "-", input=data)
        assert (done.returncode, done.stdout) == (2, b"")
        assert f"looks like {encoding.upper()}" in done.stderr.decode()
        assert f"--encoding {encoding}" in done.stderr.decode()
        named = engine("detect", bundle, "-", "--encoding", encoding, input=data)
        assert (named.returncode, named.stdout) == (0, reference(bundle, b"tick\n" * 400))
        assert engine("detect", old, "-", input=data).stdout == reference(old, data)


def test_the_error_names_the_file_and_nothing_is_said_of_it(bundle: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"tick\n" * 30 + b"tick")
    two.write_bytes(("tick\n" * 30).encode("utf-16-le"))
    done = engine("detect", bundle, one, two)
    assert (done.returncode, done.stdout) == (2, reference(bundle, b"tick\n" * 31))
    assert f'"{two}" looks like UTF-16LE' in done.stderr.decode()


def test_rules_of_version_1_with_an_encoding_are_refused(tmp_path: Path) -> None:
    class Odd(Preprocess):
        def to_json(self) -> dict[str, Any]:
            return super().to_json() | {"schema_version": 1}

    path = make(tmp_path / "bundle", Odd())
    done = engine("detect", path, "-")
    assert done.returncode == 2
    assert "belongs to version 2 only" in done.stderr.decode()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("extra",), 1),
        (("headers",), [{"name": "h", "pattern": "(?P<message>.*)", "host": "h"}]),
        (("masks", 0, "message"), "next_line"),
        (("masks", 0, "replacement"), "x" * 257),
        (("masks", 0, "name"), "ab\n"),
        (("structured",), [{"form": "json", "message": "m", "hots": "h"}]),
        (("matching", "else"), None),
        (("session", "host"), "h"),
        (("session",), {"by": "regex", "pattern": "("}),
        (("max_line_bytes",), 1e3),
    ],
)
def test_rules_that_the_schema_refuses_the_engine_refuses(
    tmp_path: Path, place: tuple[str | int, ...], value: Any
) -> None:
    class Odd(Preprocess):
        def to_json(self) -> dict[str, Any]:
            document = super().to_json()
            target: Any = document
            for part in place[:-1]:
                target = target[part]
            target[place[-1]] = value
            return document

    path = make(tmp_path / "bundle", Odd())
    with pytest.raises(InputError):
        Preprocess.load(path / "preprocess.json")
    for options in ((), ("--session-by", "none")):  # an option does not hide what the file says
        done = engine("detect", path, "-", *options)
        assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)


@pytest.mark.parametrize("encoding", ["utf-16le", "utf-16be"])
def test_the_self_test_of_rules_of_utf16_passes(tmp_path: Path, encoding: Encoding) -> None:
    from logexport.bundle import Bundle
    from logexport.selftest import write_selftest

    path = make(tmp_path / "bundle", Preprocess(encoding=encoding))
    log, verdicts = path / "tiny.selftest.log", path / "tiny.selftest.jsonl"
    write_selftest(Bundle.load(path).model("tiny"), log, verdicts)
    write_manifest(path, ("tiny",))
    assert len(verdicts.read_bytes().splitlines()) > 20
    done = engine(path)
    assert done.returncode == 0, done.stdout
    again = detect(iter_logs([log], Reading(encoding=encoding)), Bundle.load(path).model("tiny"))
    assert "".join(record.to_line() + "\n" for record in again).encode() == verdicts.read_bytes()


def test_rules_of_version_1_know_no_encodings(old: Path) -> None:
    done = engine("detect", old, "-", "--encoding", "utf-16le")
    assert done.returncode == 2
    assert "The option encoding does not apply" in done.stderr.decode()


def test_an_encoding_that_is_not_known_is_refused(bundle: Path) -> None:
    done = engine("detect", bundle, "-", "--encoding", "latin-1")
    assert done.returncode == 2
    assert 'The encoding "latin-1" is not utf-8, utf-16le or utf-16be' in done.stderr.decode()


def test_zeros_without_end_take_no_memory(bundle: Path) -> None:
    with Engine(bundle) as one:
        one.push(b"tick\n")
        for _ in range(200):
            one.push(bytes(1 << 20))
        one.push(b"tick\n")
        one.finish()
        assert bytes(one.said) == reference(bundle, b"tick\ntick\n")


def test_a_file_decides_for_itself(bundle: Path, tmp_path: Path) -> None:
    logs = []
    for encoding, mark in MARKS.items():
        logs.append(tmp_path / encoding)
        logs[-1].write_bytes(mark + "user é in\ntick".encode(CODECS[encoding]))
    done = engine("detect", bundle, *logs)
    assert done.stdout == reference(bundle, "user é in\ntick\n".encode() * 3)
