"""``logexport parse`` from bytes to files."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logexport.cli import main
from logexport.errors import InputError
from logexport.logs.events import EventReader
from logexport.logs.lines import tokens
from logexport.logs.masks import ALOG_DETECT_MASKS, DEFAULT_MASKS
from logexport.logs.matching import TemplateMatcher
from logexport.logs.preprocess import Preprocess
from logexport.logs.tokens import Masked
from logexport.training import parse
from logexport.training.line_tables import (
    ParsedRow,
    SequenceRow,
    read_parsed,
    read_sequences,
    template_history,
    write_sequences,
)
from logexport.training.mining import DrainOptions, TemplateMiner
from logexport.training.parse import ParseRequest, parse_logs
from logexport.types import Vocabulary

LOG = (
    b"Jun 14 15:16:01 combo sshd(pam_unix)[1]: session opened for user root\r\n"
    b"\r\n"
    b"Jun 14 15:16:02 combo sshd(pam_unix)[2]: session opened for user \xff\xfe\n"
    b"Jun 14 15:16:02 combo kernel: " + b"x" * 3000 + b"\n"
    b" \t\n"
    b"not syslog at all\n"
    b"Jan  1 00:00:00 combo cron:"
)


def rows_of(directory: Path) -> list[ParsedRow]:
    return list(read_parsed(directory / "parsed.parquet"))


def test_a_log_becomes_rows_and_rules(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log, out = tmp_path / "x.log", tmp_path / "out"
    log.write_bytes(LOG)
    options = ["--format", "syslog", "--max-line-bytes", "1000", "--year", "2023", "--json"]
    assert main(["parse", str(log), "-o", str(out), *options]) == 0
    report = json.loads(capfd.readouterr().out)
    assert report.pop("seconds") >= 0
    assert report == {
        "parsed": str(out / "parsed.parquet"),
        "preprocess": str(out / "preprocess.json"),
        "format": "syslog",
        "forms": [],
        "message_keys": [],
        "lines": 7,
        "rows": 5,
        "blank": 2,
        "continued": 0,
        "oversize": 1,
        "structured": 0,
        "headers": {"syslog": 3, "syslog-untagged": 0, "": 1},
        "keep": [],
        "unmatched": {
            "records": 1,
            "share": 0.25,
            "example": {"line": 6, "text": "not syslog at all"},
        },
        "warnings": [],
        "templates": 3,
    }
    first, second, third, fourth, fifth = rows_of(out)
    assert first == ParsedRow(
        1,
        datetime(2023, 6, 14, 15, 16, 1),
        "combo",
        "sshd(pam_unix)",
        b"Jun 14 15:16:01 combo sshd(pam_unix)[1]: session opened for user root",
        "session opened for user root",
        1,
        "session opened for user <*>",
    )
    assert (second.line_no, second.template_id, second.template) == (3, 1, first.template)
    assert second.raw is not None
    assert second.raw.endswith(b"\xff\xfe")
    assert second.masked == "session opened for user \ufffd\ufffd"
    assert third == ParsedRow(4, None, None, None, None, None, None, None)
    assert (fourth.line_no, fourth.host, fourth.masked) == (6, None, "not syslog at all")
    assert (fifth.line_no, fifth.timestamp, fifth.template) == (7, datetime(2024, 1, 1), "")

    rules = Preprocess.load(out / "preprocess.json")
    assert rules.max_line_bytes == 1000
    assert [header.name for header in rules.headers] == ["syslog", "syslog-untagged"]
    about = read_parsed(out / "parsed.parquet").about
    assert about == {
        "version": "0.1.0",
        "kind": "parsed",
        "sources": [{"file": "x.log", "size": len(LOG), "sha256": hashlib.sha256(LOG).hexdigest()}],
        "preprocess_sha256": rules.sha256(),
        "format": "syslog",
        "drain": {"depth": 4, "similarity": 0.4, "max_children": 100},
    }
    assert pq.read_schema(out / "parsed.parquet").remove_metadata() == pa.schema(
        [
            pa.field("line_no", pa.int64(), nullable=False),
            pa.field("timestamp", pa.timestamp("us")),
            pa.field("host", pa.string()),
            pa.field("process", pa.string()),
            pa.field("raw", pa.binary()),
            pa.field("masked", pa.string()),
            pa.field("template_id", pa.int64()),
            pa.field("template", pa.string()),
            pa.field("continues", pa.string()),
        ]
    )


def test_gzip_standard_input_and_a_pipe_give_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plain").write_bytes(LOG)
    (tmp_path / "log.gz").write_bytes(gzip.compress(LOG))

    class Standard:
        buffer = cast(BinaryIO, io.BytesIO(LOG))

    monkeypatch.setattr("sys.stdin", Standard)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    # A daemon: without a reader it would wait for one beyond the end of the tests.
    writer = threading.Thread(target=lambda: fifo.write_bytes(LOG), daemon=True)
    writer.start()
    results = []
    for log in (tmp_path / "plain", tmp_path / "log.gz", "-", fifo):
        parse_logs(ParseRequest([log], tmp_path / "out"))
        results.append(rows_of(tmp_path / "out"))
    writer.join(10)
    assert results[0]
    assert all(result == results[0] for result in results)


def test_several_logs_are_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x 1\ny")
    (tmp_path / "b").write_bytes(b"\nx 2\n")
    result = parse_logs(ParseRequest([tmp_path / "a", tmp_path / "b"], tmp_path / "out"))
    assert (result.lines, result.rows) == (4, 3)
    assert [(row.line_no, row.masked) for row in rows_of(tmp_path / "out")] == [
        (1, "x <NUM>"),
        (2, "y"),
        (4, "x <NUM>"),
    ]


@pytest.mark.parametrize("name", ["Linux", "HDFS", "Apache"])
def test_public_logs_match_their_own_templates_again(
    test_data: Path, tmp_path: Path, name: str
) -> None:
    log = test_data / "loghub" / f"{name}_2k.log"
    result = parse_logs(ParseRequest([log], tmp_path))
    rows = rows_of(tmp_path)
    assert [row.line_no for row in rows] == list(range(1, 2001))
    assert result.headers[""] == 0
    templates = sorted({row.template for row in rows if row.template is not None})
    assert len(templates) == result.templates
    rules = Preprocess.load(result.preprocess)
    # With the templates in any order, and without those that no line was matched to.
    events = list(EventReader(rules, Vocabulary(tuple(templates))).read_logs([log]))
    assert [templates[event.template or 0] for event in events] == [row.template for row in rows]


WORDS = st.sampled_from(["a", "b", "c1", "<*>", "7", "é", "x\x1cy"])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(WORDS, max_size=5).map(" ".join), min_size=1, max_size=40),
    st.integers(3, 6),
    st.floats(0, 1),
    st.integers(2, 4),
)
def test_every_mined_line_matches_a_final_template(
    lines: list[str], depth: int, similarity: float, children: int
) -> None:
    miner = TemplateMiner(DrainOptions(depth, similarity, children))
    for line in lines:
        miner.add(line)
    known = miner.templates()
    assert len({template for _, template in known}) == len(known)
    matcher = TemplateMatcher([template for _, template in known])
    for line in lines:
        index = matcher.match(Masked(line))
        assert index is not None
        template = tokens(known[index][1])
        assert all(t in ("<*>", w) for t, w in zip(template, tokens(line), strict=True))


def test_no_drain3_ini_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "drain3.ini").write_text("[DRAIN]\nsim_th = 1.0\n[SNAPSHOT]\nbroken")
    monkeypatch.chdir(tmp_path)
    miner = TemplateMiner()
    miner.add("a b c")
    miner.add("a b d")
    assert miner.templates() == [(1, "a b <*>")]


def test_options_reach_the_rules(tmp_path: Path) -> None:
    log, out = tmp_path / "log", tmp_path / "out"
    log.write_bytes(b"12 job=7 /x 1.2.3.4\n")

    def rules(*options: str) -> Preprocess:
        assert main(["parse", str(log), "-o", str(out), *options]) == 0
        return Preprocess.load(out / "preprocess.json")

    assert rules() == Preprocess()
    assert rules("--format", "alog-detect").masks == ALOG_DETECT_MASKS
    assert rules("--format", "alog-detect", "--masks", "none").masks == ()
    own = rules(
        *("--header", r"a=\d+ (?P<message>.*)", "--header", "b=(?P<message>x)"),
        *("--mask", "job=job=[0-9]=>J", "--mask", "path=/x=>P", "--no-mask", "num"),
        *("--prefer", "general", "--max-line-bytes", "99"),
    )
    assert [header.name for header in own.headers] == ["a", "b"]
    assert [mask.name for mask in own.masks] == [
        "job",
        *(mask.name for mask in DEFAULT_MASKS if mask.name != "num"),
    ]
    assert (own.prefer, own.max_line_bytes) == ("general", 99)
    assert rows_of(out)[0].masked == "J"  # of three values the first
    (tmp_path / "own.json").write_bytes((out / "preprocess.json").read_bytes())
    assert rules("--preprocess", str(tmp_path / "own.json")) == own


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--header", "a=x"], "message"),
        (["--header", "a=(?P<message>.*)", "--format", "plain"], "exclude each other"),
        (["--mask", "x"], "NAME=PATTERN=>REPLACEMENT"),
        (["--mask", "x=a++=>b"], "not portable"),
        (["--no-mask", "nothing"], "no mask 'nothing'"),
        (["--format", "nothing"], "nothing"),
        (["--drain-similarity", "2"], "2"),
        (["--preprocess", "/nonexistent.json"], "/nonexistent.json"),
    ],
)
def test_bad_options_are_one_sentence_and_write_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    (tmp_path / "log").write_bytes(b"a\n")
    assert main(["parse", str(tmp_path / "log"), "-o", str(tmp_path / "out"), *options]) == 2
    captured = capfd.readouterr()
    assert says in captured.err
    assert "Traceback" not in captured.err
    assert not (tmp_path / "out").exists()


def test_a_log_without_a_line_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"a\n")
    (tmp_path / "empty").write_bytes(b"\n \n")
    parse_logs(ParseRequest([tmp_path / "log"], tmp_path / "out"))
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(InputError, match=r"no line to parse in .*empty"):
        parse_logs(ParseRequest([tmp_path / "empty"], tmp_path / "out"))
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_log_that_grows_is_read_as_far_as_it_was_and_one_that_changes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"a 1\nb")
    original = TemplateMiner.templates

    def meanwhile(data: bytes, mode: str) -> None:
        def templates(miner: TemplateMiner) -> list[tuple[int, str]]:
            with log.open(mode) as out:
                out.write(data)
            return original(miner)

        monkeypatch.setattr(parse.TemplateMiner, "templates", templates)

    meanwhile(b" and more\nc\n", "ab")
    parse_logs(ParseRequest([log], tmp_path / "out"))
    assert [row.masked for row in rows_of(tmp_path / "out")] == ["a <NUM>", "b"]
    assert read_parsed(tmp_path / "out" / "parsed.parquet").about["sources"][0]["size"] == 5  # type: ignore[index]

    meanwhile(b"a 2", "r+b")
    with pytest.raises(InputError, match="changed while"):
        parse_logs(ParseRequest([log], tmp_path / "out"))
    assert [row.masked for row in rows_of(tmp_path / "out")] == ["a <NUM>", "b"]


def test_progress_reaches_all_passes(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"some words\n" * 10_000)
    calls: list[tuple[int, int]] = []
    parse_logs(
        ParseRequest([tmp_path / "log"], tmp_path / "out"),
        lambda done, total: calls.append((done, total)),
    )
    assert calls == sorted(calls)
    assert {total for _, total in calls} == {330_000}
    assert calls[-1][0] > 220_000


@pytest.mark.slow
def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    code = (
        "import resource, sys; from logexport.cli import main; "
        "main(['parse', sys.argv[1], '-o', sys.argv[2]]); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )

    def peak(lines: int) -> int:
        """Largest resident size of a process that parses so many different lines, in bytes."""
        log = tmp_path / "log"
        with log.open("wb") as out:
            for number in range(lines):
                out.write(b"Jun 14 15:16:01 h p[%d]: job %d took %x s\n" % (number, number, number))
        done = subprocess.run(
            [sys.executable, "-c", code, str(log), str(tmp_path / "out")],
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout.splitlines()[-1]) * 1024

    small, large = peak(70_000), peak(210_000)
    # Words are remembered, to 65,536 of them, which 70,000 lines reach; nothing else may grow.
    assert large < small + (24 << 20)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from logexport.cli import main; main(['parse', '--help']); "
        "print([m for m in sys.modules if m.split('.')[0] in "
        "('torch', 'onnx', 'numpy', 'pyarrow', 'jsonschema', 'drain3')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


# --- parquet --------------------------------------------------------------------------------------


def test_alog_detects_tables_are_read(test_data: Path) -> None:
    place = test_data / "checkpoints" / "alog-detect-linux"
    parsed = read_parsed(place / "parsed.parquet")
    assert not parsed.written_by_logexport
    assert parsed.rows == 2000
    rows = list(parsed)
    assert sorted(row.line_no for row in rows) == list(range(2000))
    assert isinstance(rows[0].raw, bytes)
    history = template_history(place / "parsed.parquet")
    assert len(history) == 139
    assert len({number for number, _ in history}) == 116
    last = max((row for row in rows if row.template_id == history[0][0]), key=lambda r: r.line_no)
    assert [t for n, t in history if n == last.template_id][-1] == last.template
    sequences = read_sequences(place / "sequences.parquet")
    assert (sequences.rows, sequences.written_by_logexport) == (2000, False)
    assert {row.session for row in sequences} == {None}


def test_sequences_come_back_as_they_were(tmp_path: Path) -> None:
    rows = [
        SequenceRow(1, datetime(2020, 1, 1, 0, 0, 0, 5), "h", "", 3),
        SequenceRow(2, None, None, None, None),
    ] * 6000
    write_sequences(tmp_path / "s.parquet", rows, {"vocab_sha256": "x"})
    file = read_sequences(tmp_path / "s.parquet")
    assert file.about == {"version": "0.1.0", "kind": "sequences", "vocab_sha256": "x"}
    assert file.written_by_logexport
    assert list(file) == rows
    assert max(map(len, file.batches())) <= 10_000


def test_what_is_no_table_is_refused_by_name(tmp_path: Path) -> None:
    write_sequences(tmp_path / "sequences.parquet", [SequenceRow(1, None, None, None, 0)], {})
    whole = (tmp_path / "sequences.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[:-20])
    (tmp_path / "text.parquet").write_text("hello")
    pq.write_table(pa.table({"line_no": ["1"]}), tmp_path / "columns.parquet")
    pq.write_table(
        pa.table({"line_no": ["1"], "template_id": [1], "template": ["a"]}),
        tmp_path / "types.parquet",
    )
    pq.write_table(
        pa.table({"line_no": pa.array([None], pa.int64()), "template_id": [1], "template": ["a"]}),
        tmp_path / "nulls.parquet",
    )
    for name in ("cut", "text", "columns", "types", "nulls", "sequences", "missing"):
        with pytest.raises(InputError, match=f"{name}.parquet"):
            list(read_parsed(tmp_path / f"{name}.parquet"))


def test_damaged_pages_are_refused_and_not_shown_as_rows(tmp_path: Path) -> None:
    rows = [SequenceRow(n, None, "host", None, n % 7) for n in range(5000)]
    path = tmp_path / "s.parquet"
    write_sequences(path, rows, {})
    data = bytearray(path.read_bytes())
    data[20:400] = bytes(380)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"s\.parquet"):
        list(read_sequences(path))
