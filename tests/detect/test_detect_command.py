"""``logexport detect``: bytes in, JSON Lines out, on real graphs in ONNX Runtime."""

from __future__ import annotations

import gzip
import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from logexport.cli import main
from logexport.logs.headers import PRESETS
from logexport.logs.masks import DEFAULT_MASKS
from logexport.logs.preprocess import Preprocess, SessionRule
from logexport.types import CountMatrix, EventWindow, ScoreThreshold, Task, Vocabulary

from tests.detect.bundles import write_bundle
from tests.detect.fakes import count_topk, event_topk

TEMPLATES = ("session opened for <*>", "session closed for <*>", "port <NUM> is up", "bye")
VOCABULARY = Vocabulary(TEMPLATES)
SYSLOG = Preprocess(headers=PRESETS["syslog"], masks=DEFAULT_MASKS)
LOG = (
    b"Jun 14 15:16:01 combo sshd[19939]: session opened for root\n"
    b"Jun 14 15:16:02 combo sshd[19939]: session closed for root\r\n"
    b" \t\n"
    b"Jun 14 15:16:03 other kernel: port 17 is up\n"
    b"Jun 14 15:16:03 combo kernel: port 17 is down\xff\n"
    b"Jun 14 15:16:04 combo sshd[1]: session closed for caf\xc3\xa9 \r\n"
    b"Jun 14 15:16:05 combo sshd[1]: bye"
)


PROGRAM = (sys.executable, "-c", "import sys; from logexport.cli import main; sys.exit(main())")


def run(*arguments: str | Path, stdin: bytes = b"", status: int = 0) -> tuple[list[str], str]:
    """Run the reference in a process of its own; its lines and what it says."""
    done = subprocess.run(
        [*PROGRAM, "detect", "--engine", "python", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=60,
    )
    said = done.stderr.decode()
    assert done.returncode == status, said
    assert "Traceback" not in said
    return done.stdout.decode().splitlines(), said


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(
        tmp_path_factory.mktemp("bundles") / "tiny", event_topk(2, 1), VOCABULARY, SYSLOG
    )


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs") / "messages"
    path.write_bytes(LOG)
    return path


def numpy_rank(bundle: Path, window: list[int], event: int) -> int:
    """The rank by the weights of the graph, without ONNX Runtime."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(bundle / "tiny.onnx")).graph
    weights = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
    logits = weights["table"][window].mean(axis=0) @ weights["linear"]
    return int((logits > logits[event]).sum())


def test_every_line_of_a_small_log_by_hand(tiny: Path, log: Path) -> None:
    lines, said = run(tiny, log)
    ranks = [
        numpy_rank(tiny, window, event) for window, event in (([0, 1], 2), ([1, 2], 1), ([2, 1], 3))
    ]

    def judged(line: int, template: int, rank: int) -> str:
        verdict = '"anomaly", "reason": "topk"' if rank else '"normal", "reason": null'
        return (
            f'{{"line": {line}, "session": null, "template": {template}, "verdict": {verdict}, '
            f'"rank": {rank}, "top_k": 1}}'
        )

    assert lines == [
        '{"line": 1, "session": null, "template": 0, "verdict": "warmup", "reason": null, '
        '"rank": null, "top_k": 1}',
        '{"line": 2, "session": null, "template": 1, "verdict": "warmup", "reason": null, '
        '"rank": null, "top_k": 1}',
        judged(4, 2, ranks[0]),
        '{"line": 5, "session": null, "template": null, "verdict": "anomaly", "reason": "unseen", '
        '"rank": null, "top_k": 1}',
        judged(6, 1, ranks[1]),
        judged(7, 3, ranks[2]),
    ]
    assert "7 lines (1 blank), 1 unseen, 3 judged" in said


def test_gzip_standard_input_and_pipes_give_the_same(tiny: Path, log: Path, tmp_path: Path) -> None:
    lines, _ = run(tiny, log)
    packed = tmp_path / "messages.gz"
    packed.write_bytes(gzip.compress(LOG))
    assert run(tiny, packed)[0] == lines
    assert run(tiny, "-", stdin=LOG)[0] == lines
    assert run(tiny, stdin=LOG)[0] == lines
    assert run(tiny, "-", stdin=gzip.compress(LOG))[0] == lines


def test_sessions_by_host_with_summaries(tiny: Path, log: Path) -> None:
    lines, _ = run(tiny, log, "--session-by", "host", "--session-summary")
    assert [json.loads(line)["session"] for line in lines[:6]] == ["combo"] * 2 + ["other"] + [
        "combo"
    ] * 3
    rank = numpy_rank(tiny, [0, 1], 1), numpy_rank(tiny, [1, 1], 3)
    anomalies = 1 + sum(value > 0 for value in rank)
    assert lines[6:] == [
        '{"session": "other", "lines": 1, "judged": 0, "anomalies": 0, "verdict": "short", '
        '"closed": 8, "closed_by": "end"}',
        f'{{"session": "combo", "lines": 5, "judged": 2, "anomalies": {anomalies}, '
        '"verdict": "anomaly", "closed": 8, "closed_by": "end"}',
    ]


def test_sessions_by_pattern_take_the_first_group(tiny: Path, log: Path) -> None:
    lines, _ = run(tiny, log, "--session-by", r"sshd\[(\d+)\]")
    assert [json.loads(line)["session"] for line in lines] == [
        *("19939", "19939", None, None, "1", "1")
    ]


def test_top_k_and_anomalies_only(tiny: Path, log: Path) -> None:
    everything, _ = run(tiny, log, "--top-k", "3")
    assert all(json.loads(line)["top_k"] == 3 for line in everything)
    few, said = run(tiny, log, "--top-k", "3", "--anomalies-only")
    assert few == [line for line in everything if '"anomaly"' in line]
    assert 0 < len(few) < len(everything)
    assert "3 judged" in said


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    task = Task(
        CountMatrix(lines=2, stride=1, steps=2),
        ScoreThreshold(
            "reconstruction_error", 1.0, "p99", {"p95": 0.25, "p99": 1.0}, "feature_error"
        ),
    )
    return write_bundle(
        tmp_path_factory.mktemp("bundles") / "counts",
        task,
        VOCABULARY,
        SYSLOG,
        usual=[0.0, 0.5, 0.5, 0.0],
    )


def test_counts_against_a_threshold_by_hand(counts: Path, log: Path) -> None:
    """Non-blank lines 1 2 4 5 6 7 with events 0 1 2 - 1 3; windows of 2, samples of 2 windows."""
    lines, _ = run(counts, log, "--threshold", "0.1875")
    events: list[int | None] = [0, 1, 2, None, 1, 3]
    numbers = [1, 2, 4, 5, 6, 7]
    expected = []
    for sample in range(4):
        matrix = np.zeros((2, 4))
        for step in range(2):
            for event in events[sample + step : sample + step + 2]:
                if event is not None:
                    matrix[step, event] += 1
        by_feature = ((matrix - [0, 0.5, 0.5, 0]) ** 2).mean(axis=0)
        score = float(by_feature.mean())
        order = sorted(range(4), key=lambda i: (-by_feature[i], i))
        top = ", ".join(
            f'{{"template": {i}, "share": {by_feature[i] / by_feature.sum():.9g}}}' for i in order
        )
        anomaly = score > 0.1875
        verdict = '"anomaly", "reason": "threshold"' if anomaly else '"normal", "reason": null'
        expected.append(
            f'{{"window": {sample}, "first_line": {numbers[sample]}, '
            f'"last_line": {numbers[sample + 2]}, "verdict": {verdict}, "score": {score:.9g}, '
            f'"threshold": 0.1875, "top": [{top if anomaly else ""}]}}'
        )
    assert lines == expected
    assert {"normal", "anomaly"} == {json.loads(line)["verdict"] for line in lines}


def test_a_named_threshold(counts: Path, log: Path) -> None:
    assert all(json.loads(line)["threshold"] == 1 for line in run(counts, log)[0])
    lines, _ = run(counts, log, "--threshold", "p95")
    assert all(json.loads(line)["threshold"] == 0.25 for line in lines)


@pytest.mark.parametrize(
    ("bundle", "options", "words"),
    [
        ("tiny", ["--threshold", "1"], "--threshold does not apply"),
        ("tiny", ["--top-k", "4"], "top k is 4, but the vocabulary has 4 entries"),
        ("tiny", ["--top-k", "0"], "--top-k"),
        ("tiny", ["--session-by", "(?i)x"], "not portable"),
        ("tiny", ["--variant", "portable"], "no variant 'portable'"),
        ("tiny", ["--model", "other"], "no model 'other'"),
        ("tiny", ["--ort-lib", "/x", "--engine", "python"], "--ort-lib"),
        ("counts", ["--top-k", "2"], "--top-k does not apply"),
        ("counts", ["--threshold", "p42"], "neither a finite number nor a named threshold"),
        ("counts", ["--threshold", "inf"], "neither a finite number"),
        ("counts", ["--session-by", "host"], "--session-by does not apply"),
        ("counts", ["--session-summary"], "--session-summary does not apply"),
    ],
)
def test_options_that_do_not_fit_are_one_sentence(
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
    log: Path,
    bundle: str,
    options: list[str],
    words: str,
) -> None:
    path = request.getfixturevalue(bundle)
    assert main(["detect", str(path), str(log), "--engine", "python", *options]) == 2
    out, said = capfd.readouterr()
    assert out == ""
    assert words in said


def test_a_bundle_of_several_models_wants_a_name(tmp_path: Path, log: Path) -> None:
    both = write_bundle(
        tmp_path / "both", event_topk(2, 1), VOCABULARY, SYSLOG, names=("one", "two")
    )
    _, said = run(both, log, status=2)
    assert "one, two" in said
    assert run(both, log, "--model", "one")[0] != run(both, log, "--model", "two")[0]


def test_a_proof_that_is_not_full_is_said_once_or_refused(tmp_path: Path, log: Path) -> None:
    weak = write_bundle(tmp_path / "weak", event_topk(2, 1), VOCABULARY, SYSLOG, proof="no_native")
    lines, err = run(weak, log)
    assert len(lines) == 6
    assert err.count("no_native") == 1
    for words in (["--require-proof"], ["--require-proof", "--allow-warnings"]):
        lines, err = run(weak, log, *words, status=2)
        assert lines == []
        assert "no_native" in err


def test_warnings_are_said_once_and_refused_unless_they_are_allowed(
    tmp_path: Path, log: Path
) -> None:
    warned = write_bundle(tmp_path / "b", event_topk(2, 1), VOCABULARY, SYSLOG, warnings=2)
    lines, err = run(warned, log)
    assert err.count("proof full, 2 warnings") == 1
    refused, err = run(warned, log, "--require-proof", status=2)
    assert refused == []
    assert "proof full, 2 warnings" in err
    assert "--allow-warnings" in err
    allowed, err = run(warned, log, "--require-proof", "--allow-warnings")
    assert allowed == lines
    assert "proof full, 2 warnings" in err


@pytest.mark.parametrize("warnings", [None, 0])
def test_a_full_proof_without_a_warning_or_of_an_older_manifest_is_taken_in_silence(
    tmp_path: Path, log: Path, warnings: int | None
) -> None:
    bundle = write_bundle(tmp_path / "b", event_topk(2, 1), VOCABULARY, SYSLOG, warnings=warnings)
    _, err = run(bundle, log, "--require-proof")
    assert "proof" not in err
    assert "warning" not in err


def test_changed_files_are_refused_unless_told_otherwise(tmp_path: Path, log: Path) -> None:
    bundle = write_bundle(tmp_path / "b", event_topk(2, 1), VOCABULARY, SYSLOG)
    vocab = bundle / "vocab.json"
    vocab.write_text(vocab.read_text().replace("bye", "hey"))
    assert "sha256" in run(bundle, log, status=2)[1]
    lines, _ = run(bundle, log, "--no-verify")
    assert json.loads(lines[-1])["reason"] == "unseen"


def test_a_missing_log_is_one_sentence(tiny: Path, tmp_path: Path) -> None:
    lines, said = run(tiny, tmp_path / "absent", status=2)
    assert lines == []
    assert "absent" in said


def test_truncated_gzip_is_an_error_after_the_verdicts_of_what_was_read(
    tiny: Path, log: Path, tmp_path: Path
) -> None:
    whole = run(tiny, log)[0]
    packed = tmp_path / "messages.gz"
    packed.write_bytes(gzip.compress(LOG)[:-6])
    lines, said = run(tiny, packed, status=2)
    assert lines == whole[: len(lines)]
    assert len(lines) >= 5
    assert "truncated or corrupt gzip" in said


def test_a_full_disk_is_an_error(tiny: Path, log: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*PROGRAM, "detect", str(tiny), str(log), "--engine", "python"],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    assert done.returncode == 2
    assert b"standard output cannot be written" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_closed_pipe_is_quiet(tiny: Path, tmp_path: Path) -> None:
    log = tmp_path / "long"
    log.write_bytes(LOG * 5000)
    process = subprocess.Popen(
        [*PROGRAM, "detect", str(tiny), str(log), "--engine", "python"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b'{"line": 1,')
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 0
    assert said == b""


def test_a_slow_stream_gets_each_verdict_before_the_next_line(tiny: Path) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "detect", str(tiny), "-", "--engine", "python"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    answers = []
    for line in LOG.splitlines(keepends=True)[:-1]:
        process.stdin.write(line)
        if line.isspace():
            continue
        assert select.select([process.stdout], [], [], 30)[0], "no verdict while the stream is idle"
        answers.append(os.read(process.stdout.fileno(), 1 << 16))
    assert [answer.count(b"\n") for answer in answers] == [1] * 5
    process.stdin.close()
    assert process.wait(timeout=30) == 0
    process.stdout.close()


def test_the_first_line_of_a_count_sample_counts_real_line_numbers(
    tmp_path: Path, log: Path
) -> None:
    bundle = write_bundle(
        tmp_path / "b",
        Task(
            CountMatrix(lines=2, stride=2, steps=2),
            ScoreThreshold("reconstruction_error", 1.0, attribution="feature_error"),
        ),
        VOCABULARY,
        SYSLOG,
    )
    records = [json.loads(line) for line in run(bundle, log)[0]]
    places = [(r["window"], r["first_line"], r["last_line"]) for r in records]
    assert places == [(0, 1, 5), (1, 4, 7)]


def test_the_wrong_kind_of_output_is_one_sentence(tmp_path: Path, log: Path) -> None:
    bundle = write_bundle(tmp_path / "b", count_topk(1, 1, 1, 1), VOCABULARY, SYSLOG)
    _, said = run(bundle, log, status=2)
    assert "no output 'predictions'" in said
    assert "reconstructed" in said


def test_an_interrupt_ends_without_a_traceback(tiny: Path) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "detect", str(tiny), "-", "--engine", "python"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(LOG.splitlines(keepends=True)[0])
    process.stdin.flush()
    assert process.stdout.readline()
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=30)
    assert b"Traceback" not in said
    assert process.returncode == 130
    assert out == b""


def test_sessions_of_the_bundle_are_the_default(tmp_path: Path, log: Path) -> None:
    rules = replace(SYSLOG, session=SessionRule("host", idle_lines=1))
    bundle = write_bundle(tmp_path / "b", event_topk(2, 1), VOCABULARY, rules)
    lines, _ = run(bundle, log, "--session-summary")
    assert [json.loads(line)["session"] for line in lines if '"lines": ' in line] == [
        *("combo", "other", "combo")
    ]
    # Its summary comes before the record of the line that it does not live to see.
    closed = [json.loads(line) for line in lines if '"closed": ' in line]
    assert [(one["closed"], one["closed_by"]) for one in closed] == [
        *((4, "idle"), (6, "idle"), (8, "end"))
    ]
    places = [place for place, line in enumerate(lines) if '"closed": ' in line]
    assert places == [2, 5, 8]


def test_the_engine_becomes_the_process_with_the_same_options(counts: Path, tmp_path: Path) -> None:
    engine = tmp_path / "engine"
    engine.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"; cat; exit 7\n")
    engine.chmod(0o755)
    code = f"""
import sys
import logexport.cli.detect as command
from logexport.cli import main
command.find_engine = lambda: [{str(engine)!r}, "first"]
sys.exit(main())
"""
    options = ["--threshold", "p95", "--threads", "2", "--anomalies-only", "--no-verify"]
    options += ["--ort-lib", "/opt/libonnxruntime.so"]
    done = subprocess.run(
        [sys.executable, "-c", code, "detect", str(counts), "-", *options],
        input=b"the log",
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 7
    assert done.stdout.decode().splitlines() == [
        *("first", "detect", "--threshold=0.25", "--threads=2"),
        *("--ort-lib=/opt/libonnxruntime.so", "--anomalies-only", "--no-verify"),
        *("--", str(counts), "-", "the log"),
    ]


def test_a_missing_engine_is_one_sentence(
    tiny: Path, log: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("logexport.cli.detect.find_engine", lambda: None)
    assert main(["detect", str(tiny), str(log), "--engine", "native"]) == 2
    out, said = capfd.readouterr()
    assert out == ""
    assert "not installed" in said
    assert "--engine python" in said


def test_sessions_that_live_at_the_end_are_left_if_asked_for(tiny: Path, log: Path) -> None:
    options = ("--session-by", r"sshd\[(\d+)\]", "--session-summary")
    closed, _ = run(tiny, log, *options)
    left, _ = run(tiny, log, *options, "--at-end", "leave")
    assert left == [line for line in closed if '"closed": ' not in line]
    assert len(closed) == len(left) + 3


@pytest.mark.parametrize("by", ["none", "host"])
def test_a_model_of_sessions_that_end_refuses_what_does_not_end(
    tmp_path: Path, log: Path, by: str
) -> None:
    vocabulary = Vocabulary((*VOCABULARY.templates, "\nstart"), {"start": len(VOCABULARY)})
    task = replace(event_topk(2, 1), input=EventWindow(2, start=len(VOCABULARY)))
    rules = replace(SYSLOG, session=SessionRule("regex", r"sshd\[(\d+)\]"))
    bundle = write_bundle(tmp_path / "b", task, vocabulary, rules)
    lines, _ = run(bundle, log, "--session-by", r"\[(\d)")
    assert [json.loads(line)["verdict"] == "warmup" for line in lines].count(True) < 3
    error = run(bundle, log, "--session-by", by, status=2)[1]
    assert "the model judges sessions that begin and end" in error


@pytest.mark.parametrize(
    ("start", "end", "by", "error"),
    [
        (0, None, "regex", "the task's start is 0"),
        (None, 99, "regex", "the task's end is 99"),
        (3, 3, "regex", "start and end are one index, 3"),
        (3, 4, "none", "sessions are by none"),
    ],
)
def test_a_bundle_whose_start_and_end_do_not_fit_is_refused(
    tmp_path: Path, log: Path, start: int | None, end: int | None, by: str, error: str
) -> None:
    labels = ("unknown", "start", "end")
    vocabulary = Vocabulary(
        ("a", "b", *(f"\n{label}" for label in labels)),
        {label: index for index, label in enumerate(labels, start=2)},
    )
    task = replace(event_topk(2, 1), input=EventWindow(2, start, end))
    rule = SessionRule("regex", "x") if by == "regex" else SessionRule()
    bundle = write_bundle(tmp_path / "b", task, vocabulary, replace(SYSLOG, session=rule))
    assert error in run(bundle, log, status=2)[1]
