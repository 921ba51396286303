"""logexport-engine as an operator meets it: streams, signals, errors, exit statuses."""

from __future__ import annotations

import gzip
import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest
from logexport.bundle import Bundle
from logexport.errors import BundleError
from logexport.logs.headers import PRESETS
from logexport.logs.preprocess import Preprocess, SessionRule
from logexport.types import Vocabulary

from tests.native.bundles import KINDS, make_task, write_bundle, write_manifest
from tests.native.engine import engine, engine_path, ort_library, reference, start

TEMPLATES = ("open <NUM>", "close <NUM>", "user <*> in", "user <*> out", "tick", "")
LOG = b"".join(
    line + end
    for n in range(40)
    for line, end in (
        (b"open %d" % n, b"\n"),
        (b"user bob in", b"\r\n"),
        (b"", b"\n"),
        (b"tick", b"\n"),
        (b"caf\xc3\xa9 \xff %d" % n if n % 9 == 0 else b"user \xff out", b"\n"),
        (b"close %d" % n if n % 5 else b"tick", b"\n"),
    )
)


@pytest.fixture(scope="module", params=KINDS)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("any") / "bundle"
    return write_bundle(path, make_task(request.param), Vocabulary(TEMPLATES), Preprocess())


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose every non-blank line has a record: windows of four, sessions by host."""
    rules = Preprocess(headers=PRESETS["plain"], session=SessionRule("regex", r"^s\d"))
    path = tmp_path_factory.mktemp("events") / "bundle"
    return write_bundle(path, make_task("events topk"), Vocabulary(TEMPLATES), rules)


def sentence(stderr: bytes) -> str:
    """Standard error is one sentence of ours; it is returned."""
    lines = stderr.decode("utf-8").splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("logexport-engine: ")
    assert lines[0].endswith(".")
    return lines[0]


# --- what goes in ---------------------------------------------------------------------------------


def test_file_pipe_and_gzip_give_the_references_bytes(bundle: Path, tmp_path: Path) -> None:
    expected = reference(bundle, LOG)
    assert len(expected) > 1000
    plain, packed, parts = tmp_path / "a.log", tmp_path / "a.log.gz", tmp_path / "b.gz"
    plain.write_bytes(LOG)
    packed.write_bytes(gzip.compress(LOG))
    parts.write_bytes(gzip.compress(LOG[:700]) + b"\0" * 512 + gzip.compress(LOG[700:]) + b"\0")
    for threads in (1, 2, 4):
        for log in (plain, packed, parts):
            done = engine("detect", bundle, log, "--threads", threads)
            assert (done.returncode, done.stdout) == (0, expected), done.stderr
        for data in (LOG, packed.read_bytes()):
            done = engine("detect", bundle, "-", "--threads", threads, input=data)
            assert (done.returncode, done.stdout) == (0, expected), done.stderr
    assert engine("detect", bundle, input=LOG).stdout == expected


def test_an_empty_log_has_no_verdicts(bundle: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.log"
    empty.write_bytes(b"")
    for done in (engine("detect", bundle, empty), engine("detect", bundle, "-")):
        assert (done.returncode, done.stdout) == (0, b"")
    packed = tmp_path / "empty.gz"
    packed.write_bytes(gzip.compress(b""))
    assert engine("detect", bundle, packed).returncode == 0


def test_one_byte_that_could_begin_gzip_is_a_line(events: Path) -> None:
    done = engine("detect", events, input=b"\x1f")
    assert done.returncode == 0
    assert json.loads(done.stdout)["reason"] == "unseen"


@pytest.mark.parametrize("keep", [5, 30, 200, -4])
def test_truncated_gzip_is_an_error_after_the_verdicts_so_far(
    events: Path, tmp_path: Path, keep: int
) -> None:
    whole = reference(events, LOG)
    data = gzip.compress(os.urandom(3000).hex().encode() + b"\n" + LOG)
    path = tmp_path / "cut.gz"
    path.write_bytes(data[:keep])
    done = engine("detect", events, path)
    assert done.returncode == 2
    assert "truncated or corrupt gzip data" in sentence(done.stderr)
    if keep == -4:  # only the checksum is missing: every complete line was there
        assert len(done.stdout.splitlines()) == len(whole.splitlines()) + 1


def test_corrupt_gzip_is_an_error(events: Path, tmp_path: Path) -> None:
    data = bytearray(gzip.compress(LOG))
    data[len(data) // 2] ^= 0xFF
    path = tmp_path / "bad.gz"
    path.write_bytes(data)
    assert engine("detect", events, path).returncode == 2
    path.write_bytes(gzip.compress(LOG) + b"garbage")
    done = engine("detect", events, path)
    assert done.returncode == 2
    assert done.stdout == reference(events, LOG)


def test_logs_that_cannot_be_read_are_errors(events: Path, tmp_path: Path) -> None:
    for log in (tmp_path / "absent.log", tmp_path):
        done = engine("detect", events, log)
        assert (done.returncode, done.stdout) == (2, b"")
        assert str(log) in sentence(done.stderr)


# --- a stream -------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 3])
def test_a_verdict_follows_its_line_within_100_ms(events: Path, threads: int) -> None:
    delays = []
    with start("detect", events, "-", "--threads", threads) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(1, 31):
            sent = time.monotonic()
            process.stdin.write(b"tick\nop")  # the second line is not finished
            ready, _, _ = select.select([process.stdout], [], [], 5)
            assert ready
            record = json.loads(process.stdout.readline())
            delays.append(time.monotonic() - sent)
            assert record["line"] == 2 * number - 1
            process.stdin.write(b"en 5\n")
            process.stdout.readline()
            time.sleep(0.002)
    delays.sort()
    assert delays[len(delays) // 2] < 0.1  # the median: other work on the machine is not ours


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_signal_ends_it_after_what_was_read(
    events: Path, number: signal.Signals, threads: int
) -> None:
    with start("detect", events, "-", "--threads", threads, "--session-summary") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(LOG + b"tick")
        first = process.stdout.read(10)  # it has begun
        time.sleep(0.3)
        process.send_signal(number)
        rest = process.stdout.read()
        assert process.wait(timeout=10) == 0
        assert first + rest == reference(events, LOG + b"tick", session_summary=True)
        assert b"verdicts" in process.stderr.read()


def test_a_closed_pipe_ends_it_quietly(events: Path, tmp_path: Path) -> None:
    log = tmp_path / "long.log"
    log.write_bytes(LOG * 200)
    with start("detect", events, log) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(100)
        process.stdout.close()
        assert process.wait(timeout=20) == 0
        assert process.stderr.read() == b""


def test_a_full_disk_is_an_error(events: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        process = start("detect", events, "-", stdout=full)
        _, stderr = process.communicate(LOG, timeout=20)
    assert process.returncode == 2
    assert "cannot be written: No space left on device" in sentence(stderr)


def test_memory_does_not_grow_with_the_log(events: Path, tmp_path: Path) -> None:
    def peak(repeats: int) -> int:
        log = tmp_path / f"{repeats}.log"
        log.write_bytes(LOG * repeats)
        command = [str(engine_path()), "detect", str(events), str(log), "--threads", "2"]
        with (tmp_path / "out").open("wb") as out:
            process = subprocess.Popen(
                command,
                stdout=out,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "LOGEXPORT_ORT_LIB": ort_library()},
            )
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        assert status == 0
        return usage.ru_maxrss

    small, large = peak(100), peak(4000)  # 0.4 MB and 16 MB of log
    assert large < small + 10_000  # kibibytes


# --- what comes out -------------------------------------------------------------------------------


def test_options_reach_the_engine(events: Path, tmp_path: Path) -> None:
    log = tmp_path / "s.log"
    log.write_bytes(b"".join(b"s%d tick\n" % (n % 3) + LOG[:40] for n in range(30)))
    data = log.read_bytes()
    cases = (
        (("--top-k", "4"), {"top_k": 4}),
        (
            ("--session-by", "none", "--session-summary"),
            {"session_by": "none", "session_summary": True},
        ),
        (
            ("--session-by=(s\\d)|x", "--anomalies-only"),
            {"session_by": "(s\\d)|x", "anomalies_only": True},
        ),
        (
            ("--session-summary", "--anomalies-only"),
            {"session_summary": True, "anomalies_only": True},
        ),
    )
    for ours, theirs in cases:
        assert engine("detect", *ours, events, log).stdout == reference(events, data, **theirs)


def test_thresholds_are_numbers_or_names(tmp_path: Path) -> None:
    path = write_bundle(
        tmp_path / "b", make_task("events score"), Vocabulary(TEMPLATES), Preprocess()
    )
    for given in ("0.25", "-1", "1e-3", "3sigma", "low"):
        done = engine("detect", path, f"--threshold={given}", input=LOG)
        assert done.stdout == reference(path, LOG, threshold=given)
    for given in ("nan", "inf", "0x1p3", "p50", "1e999", ""):
        done = engine("detect", path, f"--threshold={given}", input=LOG)
        assert done.returncode == 2
        assert "neither a finite number nor" in sentence(done.stderr)


def test_proof_is_said_or_required(tmp_path: Path) -> None:
    path = tmp_path / "b"
    write_bundle(
        path, make_task("events topk"), Vocabulary(TEMPLATES), Preprocess(), proof="no_native"
    )
    done = engine("detect", path, input=LOG)
    assert done.returncode == 0
    assert b"not fully proven: proof no_native.\n" in done.stderr
    done = engine("detect", path, "--require-proof", input=LOG)
    assert (done.returncode, done.stdout) == (2, b"")
    assert '"no_native", not "full"' in sentence(done.stderr)
    done = engine("detect", path, "--require-proof", "--allow-warnings", input=LOG)
    assert done.returncode == 2  # a warning is allowed, a weaker proof is not


@pytest.mark.parametrize(
    ("warnings", "proof"), [(1, b"proof full, 1 warning.\n"), (2, b"proof full, 2 warnings.\n")]
)
def test_warnings_are_said_once_and_refused_unless_they_are_allowed(
    tmp_path: Path, warnings: int, proof: bytes
) -> None:
    path = tmp_path / "b"
    task, vocabulary = make_task("events topk"), Vocabulary(TEMPLATES)
    write_bundle(path, task, vocabulary, Preprocess(), warnings=warnings)
    free = engine("detect", path, input=LOG)
    assert free.returncode == 0
    assert free.stderr.count(proof) == 1
    done = engine("detect", path, "--require-proof", input=LOG)
    assert (done.returncode, done.stdout) == (2, b"")
    assert proof.decode().strip(".\n") in sentence(done.stderr)
    allowed = engine("detect", path, "--require-proof", "--allow-warnings", input=LOG)
    assert allowed.returncode == 0
    assert allowed.stdout == free.stdout
    assert proof in allowed.stderr


@pytest.mark.parametrize("warnings", [None, 0])
def test_a_full_proof_without_a_warning_or_of_an_older_manifest_is_taken_in_silence(
    tmp_path: Path, warnings: int | None
) -> None:
    path = tmp_path / "b"
    task, vocabulary = make_task("events topk"), Vocabulary(TEMPLATES)
    write_bundle(path, task, vocabulary, Preprocess(), warnings=warnings)
    done = engine("detect", path, "--require-proof", input=LOG)
    assert done.returncode == 0
    assert b"proven" not in done.stderr
    assert b"warning" not in done.stderr
    described = json.loads(engine("info", path).stdout)
    assert described["proof"] == described["models"]["tiny"]["proof"] == "full"
    assert described["warnings"] == described["models"]["tiny"]["warnings"] == warnings


def test_info_has_the_number_of_warnings_of_each_model_and_of_all(tmp_path: Path) -> None:
    path = tmp_path / "b"
    task, vocabulary = make_task("events topk"), Vocabulary(TEMPLATES)
    write_bundle(path, task, vocabulary, Preprocess(), names=("one", "two"), warnings=2)
    described = json.loads(engine("info", path).stdout)
    assert described["warnings"] == 4
    assert {model["warnings"] for model in described["models"].values()} == {2}


@pytest.mark.parametrize("of_model", [False, True])
def test_reference_and_engine_take_the_same_numbers_of_warnings(
    tmp_path: Path, of_model: bool
) -> None:
    path = tmp_path / "b"
    task, vocabulary = make_task("events topk"), Vocabulary(TEMPLATES)
    write_bundle(path, task, vocabulary, Preprocess(), warnings=3)
    manifest = json.loads((path / "manifest.json").read_text())
    holder = manifest["models"]["tiny"] if of_model else manifest
    taken = []
    for text in ("0", "1", "1000000", "1000001", "-1", "1.0", "true", '"1"', "null", "[]"):
        holder["warnings"] = json.loads(text)
        (path / "manifest.json").write_text(json.dumps(manifest))
        done = engine("info", path)
        try:
            Bundle.load(path)
        except BundleError:
            assert done.returncode == 2, text
            assert "warnings" in sentence(done.stderr)
        else:
            assert done.returncode == 0, text
            taken.append(text)
    assert taken == ["0", "1", "1000000", *(["null"] if of_model else [])]


def test_a_model_whose_warnings_nobody_counted_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "b"
    task, vocabulary = make_task("events topk"), Vocabulary(TEMPLATES)
    write_bundle(path, task, vocabulary, Preprocess(), names=("new", "old"), warnings=2)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["models"]["old"]["warnings"] = None
    (path / "manifest.json").write_text(json.dumps(manifest))
    assert engine("detect", path, "--model=old", "--require-proof", input=LOG).returncode == 0
    assert engine("detect", path, "--model=new", "--require-proof", input=LOG).returncode == 2
    assert json.loads(engine("info", path).stdout)["models"]["old"]["warnings"] is None


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("detect",),
        ("detect", "{b}", "x", "y"),
        ("detect", "{b}", "--no-such-option"),
        ("detect", "{b}", "--top-k", "0"),
        ("detect", "{b}", "--top-k", "6"),
        ("detect", "{b}", "--top-k", "1x"),
        ("detect", "{b}", "--threads", "0"),
        ("detect", "{b}", "--threshold", "1"),
        ("detect", "{b}", "--session-by", "("),
        ("detect", "{b}", "--model", "other"),
        ("detect", "{b}", "--variant", "portable"),
        ("detect", "{b}", "--ort-lib", "/nowhere/lib.so"),
        ("detect", "/nowhere"),
        ("check", "{b}"),
        ("check", "{b}", "--output-dir", "{b}/out"),
        ("info",),
        ("info", "/nowhere"),
        ("/nowhere",),
        ("{b}", "--threads", "many"),
    ],
)
def test_bad_usage_exits_2_and_prints_nothing(events: Path, arguments: tuple[str, ...]) -> None:
    done = engine(*(word.replace("{b}", str(events)) for word in arguments))
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr


def test_help_and_version(events: Path) -> None:
    assert b"Usage: logexport-engine BUNDLE" in engine("--help").stdout
    assert engine("--version").stdout == b"logexport-engine 0.1.0\n"


def test_several_models_need_a_name(tmp_path: Path) -> None:
    path = tmp_path / "b"
    task, vocabulary = make_task("events topk"), Vocabulary(TEMPLATES)
    write_bundle(path, task, vocabulary, Preprocess(), names=("one", "two"))
    done = engine("detect", path, input=LOG)
    assert done.returncode == 2
    assert "one, two" in sentence(done.stderr)
    assert engine("detect", path, "--model", "two", input=LOG).stdout == reference(path, LOG, "two")


def test_variants_are_chosen_by_name(tmp_path: Path) -> None:
    path = tmp_path / "b"
    task, vocabulary = make_task("events topk"), Vocabulary(TEMPLATES)
    variants = {"variants": {"portable": "tiny_portable.onnx"}}
    write_bundle(path, task, vocabulary, Preprocess(), change_meta=variants)
    (path / "tiny_portable.onnx").write_bytes((path / "tiny.onnx").read_bytes())
    write_manifest(path, ["tiny"])
    done = engine("detect", path, "--variant", "portable", input=LOG)
    assert done.stdout == reference(path, LOG)
    (path / "tiny_portable.onnx").write_bytes(b"no graph")
    write_manifest(path, ["tiny"])
    assert engine("detect", path, input=LOG).returncode == 0
    done = engine("detect", path, "--variant", "portable", input=LOG)
    assert done.returncode == 2
    assert "tiny_portable.onnx is not an ONNX graph" in sentence(done.stderr)


def test_a_graph_that_is_damaged_is_one_sentence(events: Path, tmp_path: Path) -> None:
    path = tmp_path / "b"
    write_bundle(path, make_task("events topk"), Vocabulary(TEMPLATES), Preprocess())
    graph = (path / "tiny.onnx").read_bytes()
    for damaged in (
        b"",
        graph[: len(graph) // 2],
        os.urandom(500),
        graph.replace(b"Gather", b"Gathex"),
    ):
        (path / "tiny.onnx").write_bytes(damaged)
        write_manifest(path, ["tiny"])
        done = engine("detect", path, input=LOG)
        assert (done.returncode, done.stdout) == (2, b"")
        sentence(done.stderr)


@pytest.mark.parametrize("place", ["weights.bin", "../weights.bin", "{tmp}/weights.bin"])
def test_a_graph_whose_weights_lie_elsewhere_is_refused(tmp_path: Path, place: str) -> None:
    import onnx

    path = tmp_path / "b"
    write_bundle(path, make_task("events topk"), Vocabulary(TEMPLATES), Preprocess())
    model = onnx.load(path / "tiny.onnx")
    table = next(one for one in model.graph.initializer if one.name == "first_table")
    for directory in (tmp_path, tmp_path / "b"):
        (directory / "weights.bin").write_bytes(table.raw_data)
    size = len(table.raw_data)
    table.ClearField("raw_data")
    table.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", place.replace("{tmp}", str(tmp_path))), ("length", str(size))):
        entry = table.external_data.add()
        entry.key, entry.value = key, value
    (path / "tiny.onnx").write_bytes(model.SerializeToString())
    write_manifest(path, ["tiny"])
    done = engine("detect", path, input=LOG, cwd=path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert "has weights in another file" in sentence(done.stderr)
