"""Several logs as one, compressed or not: the program and the library say the reference's bytes."""

from __future__ import annotations

import io
import json
import lzma
import os
import random
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from logexport.detect import Detection, open_model
from logexport.errors import InputError
from logexport.logs.lines import iter_lines, open_log
from logexport.logs.preprocess import Preprocess, SessionRule
from logexport.types import Vocabulary
from logexport.verdicts.log_files import KEYS, LogFiles
from logexport.verdicts.options import DetectOptions

from tests.logs.test_compression import COMPRESSORS as FORMS
from tests.logs.test_compression import zstd_of_one_segment, zstd_with_window
from tests.native.bundles import KINDS, make_task, write_bundle
from tests.native.engine import Engine, EngineError, Status, engine, engine_path, ort_library, start

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {"plain": bytes, **FORMS}
TEMPLATES = ("open <NUM>", "close <NUM>", "user <*> in", "tick", "")
LINES = (
    b"open 7",
    b"close 8",
    b"user bob in",
    b"tick",
    b"",
    b"  ",
    b"what",
    b"user \xff in",
    b"\r",
)


@pytest.fixture(scope="module", params=KINDS)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("any") / "bundle"
    rules = Preprocess(session=SessionRule("regex", "bob"), max_line_bytes=40)
    return write_bundle(path, make_task(request.param), Vocabulary(TEMPLATES), rules)


@pytest.fixture(scope="module")
def score_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One bundle, for what happens before a line is known to be there: no model is asked."""
    path = tmp_path_factory.mktemp("one") / "bundle"
    rules = Preprocess(session=SessionRule("regex", "bob"), max_line_bytes=40)
    return write_bundle(path, make_task("events score"), Vocabulary(TEMPLATES), rules)


def expected(bundle: Path, logs: Sequence[Path], keys: tuple[str, ...]) -> tuple[bytes, str]:
    """The reference's records, and the error that ended them."""
    options = DetectOptions(with_keys=keys)
    model = open_model(bundle, options)
    detection = Detection(model, options)
    records, problem = [], ""
    try:
        for log in logs:
            detection.next_file(str(log))
            with open_log(log, detection.reading) as stream:
                first = detection.stats.lines + 1
                for line in iter_lines(stream, detection.reading, first):
                    records += detection.feed(line)
        records += detection.finish()
    except InputError as error:
        records += detection.flush()
        problem = str(error)
    lines = [record.to_line(detection.files).encode() + b"\n" for record in records]
    return b"".join(lines), problem


def some_log(numbers: random.Random, most: int = 300) -> bytes:
    """Lines, oversize ones too; the last one with its LF or without."""
    lines = [numbers.choice(LINES) for _ in range(numbers.randrange(most))]
    if lines and numbers.random() < 0.3:
        lines[numbers.randrange(len(lines))] = b"long " * 200
    return b"\n".join(lines) + (b"\n" if lines and numbers.random() < 0.5 else b"")


@pytest.mark.parametrize("seed", range(4))
def test_several_logs_of_any_form_are_one(bundle: Path, tmp_path: Path, seed: int) -> None:
    numbers = random.Random(seed)
    logs = []
    for number in range(6):
        form = numbers.choice(sorted(COMPRESSORS))
        logs.append(tmp_path / f"app.log.{number}")  # the name says nothing
        logs[-1].write_bytes(COMPRESSORS[form](some_log(numbers)))
    for keys in ((), ("file",), ("file_line", "file")):
        records, _ = expected(bundle, logs, keys)
        assert records
        options = [f"--with={','.join(keys)}"] if keys else []
        for threads in (1, 3):
            done = engine("detect", bundle, *logs, "--threads", threads, *options)
            assert (done.returncode, done.stdout) == (0, records), done.stderr


def test_a_record_says_the_file_and_the_line_in_it(tmp_path: Path) -> None:
    path = write_bundle(
        tmp_path / "bundle", make_task(KINDS[0]), Vocabulary(TEMPLATES), Preprocess()
    )
    one, two = tmp_path / "one\xe9.log", tmp_path / "two.log"
    one.write_bytes(b"tick\nwhat")
    two.write_bytes(b"tick\n")
    done = engine("detect", path, one, two, "-", "--with", "file,file_line", input=b"\ntick\n")
    places = [list(json.loads(line).items())[-2:] for line in done.stdout.splitlines()]
    assert places == [
        [("file", str(one)), ("file_line", 1)],
        [("file", str(one)), ("file_line", 2)],
        [("file", str(two)), ("file_line", 1)],
        [("file", "-"), ("file_line", 2)],
    ]


def test_the_library_takes_files_in_pieces_of_any_size(bundle: Path, tmp_path: Path) -> None:
    numbers = random.Random(3)
    logs = [tmp_path / f"{number}.log" for number in range(5)]
    for log in logs:
        log.write_bytes(some_log(numbers, 80))
    records, _ = expected(bundle, logs, KEYS)
    for threads in (1, 2):
        with Engine(bundle, threads=threads, with_keys="file,file_line") as one:
            for _again in range(2):  # a log that follows knows nothing of the first one's files
                one.said.clear()
                for log in logs:
                    one.next_file(str(log).encode())
                    data = log.read_bytes()
                    while data:
                        size = numbers.randrange(1, 60)
                        one.push(data[:size])
                        data = data[size:]
                        if numbers.random() < 0.2:
                            one.flush()
                one.finish()
                assert bytes(one.said) == records


def test_without_a_name_the_file_is_null_and_the_line_the_logs(bundle: Path) -> None:
    assert LogFiles(KEYS).keys_of(7) == ', "file": null, "file_line": 7'
    with Engine(bundle, with_keys="file,file_line") as one:
        for _ in range(30):
            one.push(b"tick\nwhat\n")
        one.finish()
        for line in one.said.splitlines():
            record = json.loads(line)
            assert record["file"] is None
            assert record["file_line"] == record.get("line", record.get("last_line"))


def test_a_key_that_is_not_there_is_refused(score_bundle: Path) -> None:
    for keys in ("", "files", "file,", "file;file_line"):
        with pytest.raises(EngineError, match="there are file, file_line") as caught:
            Engine(score_bundle, with_keys=keys)
        assert caught.value.status == Status.USAGE


@pytest.mark.parametrize("form", sorted(set(COMPRESSORS) - {"plain"}))
def test_cut_anywhere_what_was_read_is_judged_and_then_the_error(
    bundle: Path, tmp_path: Path, form: str
) -> None:
    numbers = random.Random(9)
    text = b"".join(b"%s %d\n" % (numbers.choice((b"open", b"close")), i) for i in range(3000))
    packed = COMPRESSORS[form](text)
    log = tmp_path / "cut.log"
    for cut in (12, len(packed) // 3, len(packed) // 2, len(packed) - 1):
        log.write_bytes(packed[:cut])
        records, problem = expected(bundle, [log], ())
        done = engine("detect", bundle, log)
        assert (done.returncode, done.stdout) == (2, records)
        begin = f"{log} is truncated or corrupt {form} data: "
        assert problem.startswith(begin)
        assert done.stderr.decode().startswith(f"logexport-engine: {begin}")


@pytest.mark.parametrize("form", sorted(set(COMPRESSORS) - {"plain"}))
def test_other_bytes_after_a_member_are_an_error_after_its_lines(
    score_bundle: Path, tmp_path: Path, form: str
) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(COMPRESSORS[form](b"tick\n" * 50) + b"\0\0rest")
    records, problem = expected(score_bundle, [log], ())
    done = engine("detect", score_bundle, log)
    assert (done.returncode, done.stdout) == (2, records)
    assert f"corrupt {form} data" in problem
    assert f"corrupt {form} data" in done.stderr.decode()


def test_windows_and_dictionaries_have_the_references_limits(
    score_bundle: Path, tmp_path: Path
) -> None:
    def xz(size: int) -> bytes:
        return lzma.compress(b"tick\n", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": size}])

    log = tmp_path / "a.log"
    for data in (zstd_with_window(27), xz(64 << 20)):
        log.write_bytes(data)
        done = engine("detect", score_bundle, log)
        assert (done.returncode, done.stdout) == (0, expected(score_bundle, [log], ())[0])
    for data, words in (
        (zstd_with_window(28), "a zstd window of more than 128 MiB"),
        (zstd_of_one_segment((1 << 27) + 1), "a zstd window of more than 128 MiB"),
        (xz((64 << 20) + 1), "an xz dictionary of more than 64 MiB"),
    ):
        log.write_bytes(data)
        done = engine("detect", score_bundle, log)
        assert done.returncode == 2
        assert done.stderr.decode() == f"logexport-engine: {log} has {words}.\n"


@pytest.mark.parametrize("form", sorted(COMPRESSORS))
def test_a_tar_is_refused_with_the_command_that_helps(
    score_bundle: Path, tmp_path: Path, form: str
) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("a.log"), io.BytesIO(b""))
    log = tmp_path / "a.log"
    log.write_bytes(COMPRESSORS[form](archive.getvalue()))
    done = engine("detect", score_bundle, log)
    assert (done.returncode, done.stdout) == (2, b"")
    assert f"{log} is a tar archive, not a log" in done.stderr.decode()
    assert f"tar -xOf {log} MEMBER" in done.stderr.decode()


def test_nothing_is_said_of_a_tar_that_comes_in_pieces(score_bundle: Path) -> None:
    import time

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("a.log")
        member.size = 50
        tar.addfile(member, io.BytesIO(b"what\n" * 10))
    data = archive.getvalue()
    with start("detect", score_bundle, "-") as process:
        assert process.stdin is not None
        for piece in (data[:1], data[1:100], data[100:258], data[258:]):
            process.stdin.write(piece)
            time.sleep(0.3)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (2, b"")
    assert b"standard input is a tar archive" in err


def test_a_log_that_is_missing_is_said_before_the_first_is_read(
    score_bundle: Path, tmp_path: Path
) -> None:
    there = tmp_path / "there.log"
    there.write_bytes(b"what\n")
    for other, words in (
        (tmp_path / "gone.log", "cannot be read: No such file or directory"),
        (tmp_path, "is a directory, not a log"),
    ):
        done = engine("detect", score_bundle, there, other)
        assert (done.returncode, done.stdout) == (2, b"")
        assert f"{other} {words}" in done.stderr.decode()
    done = engine("detect", score_bundle, "-", there, "-")
    assert (done.returncode, done.stdout) == (2, b"")
    assert "Standard input is named twice" in done.stderr.decode()


def test_the_last_line_before_a_log_that_cannot_be_opened_is_judged(
    bundle: Path, tmp_path: Path
) -> None:
    import socket

    there, sock = tmp_path / "there.log", tmp_path / "sock"
    there.write_bytes(b"tick\nwhat\n" * 30 + b"what")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(sock))
        done = engine("detect", bundle, there, sock)
    records, _ = expected_until(bundle, there)
    assert (done.returncode, done.stdout) == (2, records)
    assert f"The log {sock} cannot be read" in done.stderr.decode()


def expected_until(bundle: Path, log: Path) -> tuple[bytes, str]:
    """The records of a log after which another one cannot be read."""
    return expected(bundle, [log, log.with_name("nothing there")], ())


@pytest.mark.parametrize("name", ["-", "./x/../-", "nolf/"])
def test_a_log_is_the_file_that_was_named_to_both_engines(
    score_bundle: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "-").write_bytes(b"tick\nwhat\n" * 30)
    (tmp_path / "nolf").write_bytes(b"what")
    words = ["detect", str(score_bundle), name, "--with", "file"]
    by_engine = engine(*words, cwd=tmp_path, input=b"tick\n")
    by_reference = subprocess.run(
        [sys.executable, "-m", "logexport", *words, "--engine", "python"],
        cwd=tmp_path,
        input=b"tick\n",
        capture_output=True,
        check=False,
    )
    assert by_engine.returncode == by_reference.returncode == (2 if name == "nolf/" else 0)
    assert by_engine.stdout == by_reference.stdout


def test_a_fifo_that_nobody_writes_to_can_be_stopped(score_bundle: Path, tmp_path: Path) -> None:
    import signal
    import time

    there, fifo = tmp_path / "there.log", tmp_path / "fifo"
    there.write_bytes(b"what\n" * 40 + b"what")
    os.mkfifo(fifo)
    with start("detect", score_bundle, there, fifo) as process:
        time.sleep(1.5)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert out == expected(score_bundle, [there], ())[0]


def test_a_bomb_takes_little_memory(score_bundle: Path, tmp_path: Path) -> None:
    import resource

    if "asan" in engine_path().parts:
        pytest.skip("AddressSanitizer reserves more memory than the limit")
    log = tmp_path / "bomb.zst"
    log.write_bytes(FORMS["zstd"](b"a" * (256 << 20)))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (200 << 20, 200 << 20))

    done = subprocess.run(
        [engine_path(), "detect", score_bundle, log, f"--ort-lib={ort_library()}"],
        capture_output=True,
        preexec_fn=limit,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == expected(score_bundle, [log], ())[0]
