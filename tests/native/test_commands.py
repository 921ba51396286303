"""The self-test, check and info commands, and an installed copy of the library."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from logexport.logs.preprocess import Preprocess
from logexport.selftest import render_selftest
from logexport.types import OtherDecision, OtherInput, Task, Vocabulary
from logexport.verdicts.scorers import OnnxRuntimeScorer

from tests.native.bundles import KINDS, make_task, write_bundle, write_manifest
from tests.native.engine import NATIVE, engine, engine_path, ort_library, reference

TEMPLATES = ("open <NUM>", "close <NUM>", "user <*> in", "user <*> out", "tick", "go <*> <*>")


@pytest.fixture
def tested(tmp_path: Path) -> Path:
    """A bundle with the self-test of the reference, for two models."""
    return make_tested(tmp_path / "bundle", "events topk", ("one", "two"))


def make_tested(path: Path, kind: str, names: tuple[str, ...] = ("one",)) -> Path:
    task, vocabulary, rules = make_task(kind), Vocabulary(TEMPLATES), Preprocess()
    write_bundle(path, task, vocabulary, rules, names=names)
    log = render_selftest(vocabulary, rules, task, scorer=OnnxRuntimeScorer(path / "one.onnx")).data
    for name in names:
        (path / f"{name}.selftest.log").write_bytes(log)
        (path / f"{name}.selftest.jsonl").write_bytes(reference(path, log, name))
    write_manifest(path, names)
    return path


def change_verdicts(bundle: Path, old: bytes, new: bytes) -> None:
    file = bundle / "one.selftest.jsonl"
    data = file.read_bytes()
    assert old in data
    file.write_bytes(data.replace(old, new, 1))
    names = [path.name[: -len(".onnx")] for path in sorted(bundle.glob("*.onnx"))]
    write_manifest(bundle, names)


# --- the self-test --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_selftest_passes_on_what_the_reference_wrote(kind: str, tmp_path: Path) -> None:
    bundle = make_tested(tmp_path / "bundle", kind)
    verdicts = (bundle / "one.selftest.jsonl").read_bytes().splitlines()
    assert len(verdicts) > 20
    for threads in (1, 3):
        done = engine(bundle, "--threads", threads, "--exact")
        assert done.returncode == 0, done.stdout
        assert done.stdout == b"one: passed: %d verdicts, %d as recorded\n" % (
            len(verdicts),
            len(verdicts),
        )


def test_selftest_tests_every_model(tested: Path) -> None:
    done = engine(tested)
    assert done.returncode == 0
    assert [line.split(b":")[0] for line in done.stdout.splitlines()] == [b"one", b"two"]
    assert engine(tested, "--model", "two").stdout.startswith(b"two: passed")


def test_selftest_shows_the_first_difference(tested: Path) -> None:
    change_verdicts(
        tested, b'"verdict": "normal", "reason": null', b'"verdict": "warmup", "reason": null'
    )
    done = engine(tested)
    assert done.returncode == 1
    report = done.stdout.decode()
    assert "one: FAILED" in report
    assert "1 different; the first:" in report
    recorded, here = report.splitlines()[1:3]
    assert recorded.startswith('  recorded: {"line": ')
    assert '"verdict": "warmup"' in recorded
    assert '"verdict": "normal"' in here
    assert "two: passed" in report


@pytest.mark.parametrize("change", ["shorter", "longer"])
def test_selftest_notices_missing_and_surplus_verdicts(tested: Path, change: str) -> None:
    file = tested / "one.selftest.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-1] if change == "shorter" else [*lines, lines[-1]]))
    write_manifest(tested, ["one", "two"])
    done = engine(tested, "--model", "one")
    assert done.returncode == 1
    assert b"1 different" in done.stdout


def test_selftest_forgives_the_last_digits_of_a_score_but_says_so(tmp_path: Path) -> None:
    bundle = make_tested(tmp_path / "bundle", "events score")
    lines = (bundle / "one.selftest.jsonl").read_bytes().splitlines()
    score = next(r["score"] for r in map(json.loads, lines) if r["score"])
    change_verdicts(bundle, b'"score": %.9g,' % score, b'"score": %.9g,' % (score * 1.00001))
    done = engine(bundle)
    assert done.returncode == 0
    assert b"1 with numbers that another processor or runtime rounds otherwise" in done.stdout
    assert engine(bundle, "--exact").returncode == 1
    change_verdicts(
        bundle, b'"score": %.9g,' % (score * 1.00001), b'"score": %.9g,' % (score * 1.1)
    )
    assert engine(bundle).returncode == 1


def test_selftest_refuses_a_changed_bundle(tested: Path) -> None:
    (tested / "vocab.json").write_bytes(
        (tested / "vocab.json").read_bytes().replace(b"tick", b"tack")
    )
    done = engine(tested)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"vocab.json has changed" in done.stderr


def test_selftest_of_an_unknown_task_is_skipped(tmp_path: Path) -> None:
    task = Task(OtherInput("graph", {"nodes": 3}), OtherDecision("cut", {}))
    path = tmp_path / "bundle"
    write_bundle(
        path,
        make_task("events topk"),
        Vocabulary(TEMPLATES),
        Preprocess(),
        change_meta={"task": task.to_json()},
    )
    done = engine(path)
    assert (done.returncode, done.stdout) == (
        0,
        b"tiny: skipped: task unknown to the engine (its graph loads)\n",
    )
    done = engine("detect", path)
    assert done.returncode == 2
    assert b"is not known to this engine" in done.stderr


def test_selftest_loads_the_variants(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    write_bundle(
        path,
        make_task("events topk"),
        Vocabulary(TEMPLATES),
        Preprocess(),
        selftest={"tiny": (b"", b"")},
        change_meta={"variants": {"optimized": "tiny_optimized.onnx"}},
    )
    (path / "tiny_optimized.onnx").write_bytes(b"not a graph")
    write_manifest(path, ["tiny"])
    done = engine(path)
    assert done.returncode == 2
    assert b"tiny_optimized.onnx is not an ONNX graph" in done.stderr


# --- check ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["events topk", "counts score"])
def test_check_writes_what_onnx_runtime_gives(kind: str, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", make_task(kind), Vocabulary(TEMPLATES), Preprocess())
    random = np.random.default_rng(1)
    size = len(TEMPLATES)
    if kind.startswith("events"):
        name, shown = "input_sequence", random.integers(0, size, size=(7, 5))
    else:
        name = "input_features"
        shown = random.integers(0, 9, size=(7, 1, 3, size)).astype(np.float32)
    np.save(tmp_path / "shown.npy", shown)
    done = engine(
        "check",
        bundle,
        "--model",
        "tiny",
        "--input",
        f"{name}={tmp_path / 'shown.npy'}",
        "--output-dir",
        tmp_path / "out",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    for output, expected in OnnxRuntimeScorer(bundle / "tiny.onnx")(shown).items():
        found = np.load(tmp_path / "out" / f"{output}.npy")
        assert found.dtype == expected.dtype
        assert found.tobytes() == expected.tobytes()
        assert found.shape == expected.shape


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3), dtype=np.float64),
        np.zeros((2, 3), dtype=np.float32),
        np.zeros((2, 3, 4), dtype=np.int64),
        np.full((2, 3), 99, dtype=np.int64),  # no such event
        np.asfortranarray(np.zeros((2, 3), dtype=np.int64)),
    ],
)
def test_check_refuses_arrays_that_do_not_fit(array: np.ndarray, tmp_path: Path) -> None:
    bundle = write_bundle(
        tmp_path / "b", make_task("events topk"), Vocabulary(TEMPLATES), Preprocess()
    )
    np.save(tmp_path / "x.npy", array)
    done = engine(
        "check",
        bundle,
        "--input",
        f"input_sequence={tmp_path / 'x.npy'}",
        "--output-dir",
        tmp_path / "out",
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


# --- info -----------------------------------------------------------------------------------------


def test_info_describes_bundle_engine_and_runtime(tested: Path) -> None:
    import onnxruntime

    done = engine("info", tested)
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert document["models"].keys() == {"one", "two"}
    assert document["models"]["one"]["task"] == make_task("events topk").to_json()
    assert document["models"]["one"]["task_known"] is True
    assert document["proof"] == "full"
    if not os.environ.get("LOGEXPORT_ORT_LIB"):
        assert document["runtime"]["version"] == onnxruntime.__version__
    assert document["runtime"]["library"] == ort_library()
    document = json.loads(engine("info", tested, "--ort-lib", "/nowhere.so").stdout)
    assert "/nowhere.so" in document["runtime"]["error"]


def test_no_runtime_is_one_sentence_that_says_where_it_looked(tested: Path) -> None:
    done = engine("detect", tested, "--model", "one", env={"LOGEXPORT_ORT_LIB": ""})
    if done.returncode == 0:
        pytest.skip("this machine has ONNX Runtime on the system's library path")
    text = done.stderr.decode()
    assert done.returncode == 2
    for place in (
        "no path was named",
        "LOGEXPORT_ORT_LIB",
        "libonnxruntime.so.1",
        "libonnxruntime.so",
    ):
        assert place in text
    assert len(text.splitlines()) == 1


# --- installation ---------------------------------------------------------------------------------


@pytest.mark.skipif(bool(os.environ.get("LOGEXPORT_ENGINE")), reason="another build is under test")
def test_the_example_builds_against_an_installed_copy(tested: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    subprocess.run(
        ["cmake", "--install", NATIVE / "build", "--prefix", prefix],
        check=True,
        capture_output=True,
    )
    pkgconfig = next(prefix.rglob("logexport.pc")).parent
    environment = {
        **os.environ,
        "PKG_CONFIG_PATH": str(pkgconfig),
        "LOGEXPORT_ORT_LIB": ort_library(),
    }
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "logexport"],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    ).stdout.split()
    source = NATIVE / "examples" / "anomalies.c"
    program = tmp_path / "anomalies"
    library = next(prefix.rglob("liblogexport.so")).parent
    compiler = ["cc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    subprocess.run([*compiler, source, *flags, f"-Wl,-rpath,{library}", "-o", program], check=True)
    bundle = make_tested(tmp_path / "single", "events topk")
    log = (bundle / "one.selftest.log").read_bytes()
    done = subprocess.run(
        [program, bundle], input=log, capture_output=True, check=True, env=environment
    )
    verdicts = [json.loads(line) for line in reference(bundle, log).splitlines()]
    anomalies = [record["line"] for record in verdicts if record["verdict"] == "anomaly"]
    said = done.stdout.decode().splitlines()
    assert said[-1] == f"{len(anomalies)} anomalies"
    assert [int(line.split()[1].rstrip(":")) for line in said[:-1]] == anomalies
    static = tmp_path / "static"
    subprocess.run(
        [
            *compiler,
            source,
            *flags,
            "-o",
            static,
            "-static-libgcc",
            f"-L{library}",
            "-Wl,-Bdynamic",
        ],
        check=True,
    )
    installed = next(prefix.rglob("logexport-engine"))
    assert subprocess.run([installed, tested], env=environment, check=False).returncode == 0


@pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler")
def test_the_header_is_cxx_too(tmp_path: Path) -> None:
    source = tmp_path / "x.cc"
    source.write_text(
        "#include <logexport/engine.h>\nint main() { return logexport_version() == 0; }\n"
    )
    subprocess.run(
        ["c++", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", f"-I{NATIVE / 'include'}", source],
        check=True,
    )


def test_the_library_exports_its_header_and_nothing_else() -> None:
    library = NATIVE / "build" / "liblogexport.so"
    listed = subprocess.run(
        ["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True
    ).stdout
    names = {line.split()[-1] for line in listed.splitlines()}
    header = (NATIVE / "include" / "logexport" / "engine.h").read_text()
    declared = {name for name in names if f"{name}(" in header}
    assert names == declared
    assert len(names) == 10
    assert engine_path().exists()


def test_help_is_said_before_and_after_a_command() -> None:
    for words in (["--help"], ["detect", "--help"], ["check", "-h"]):
        done = engine(*words)
        assert done.returncode == 0
        assert done.stdout.startswith(b"Usage: logexport-engine")
