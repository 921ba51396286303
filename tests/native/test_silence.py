"""ONNX Runtime does not report home, however it is reached: no file, no thread, no socket."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.alone import SWITCH, Alone, no_namespace, no_tracer
from tests.native.engine import NATIVE, engine_path, library_path, ort_library
from tests.native.test_commands import make_tested

LOOKS_UP_AFTER = 9.0
"""Seconds after which ONNX Runtime looks up its collector (1.32; no socket is made before)."""

another_build = pytest.mark.skipif(
    bool(os.environ.get("LOGEXPORT_ENGINE")), reason="another build is under test"
)

LOGEXPORT = (sys.executable, "-m", "logexport")


@pytest.fixture
def alone(tmp_path: Path) -> Alone:
    return Alone.make(tmp_path / "alone")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tested(tmp_path_factory.mktemp("silence") / "bundle", "events topk")


def runtime() -> str:
    return f"--ort-lib={ort_library()}"


def log_of(bundle: Path) -> Path:
    return bundle / "one.selftest.log"


# --- Python ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_export_leaves_its_bundle_and_verifying_that_leaves_nothing(
    alone: Alone, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    said = alone.run(*LOGEXPORT, "run", "--model", "deeplog", "--portable", "-o", bundle)
    assert b"replay" in said
    alone.run(*LOGEXPORT, "verify", bundle)
    alone.assert_silent()


@pytest.mark.parametrize("engine", ["python", "native"])
def test_detecting_leaves_nothing(engine: str, bundle: Path, alone: Alone) -> None:
    said = alone.run(*LOGEXPORT, "detect", "--engine", engine, bundle, log_of(bundle))
    assert said == (bundle / "one.selftest.jsonl").read_bytes()
    alone.assert_silent()


# --- the engine -----------------------------------------------------------------------------------


def test_the_engines_commands_leave_nothing(bundle: Path, alone: Alone) -> None:
    assert b"one: passed" in alone.run(engine_path(), bundle, runtime())
    said = alone.run(engine_path(), "detect", bundle, log_of(bundle), runtime())
    assert said == (bundle / "one.selftest.jsonl").read_bytes()
    assert b'"runtime"' in alone.run(engine_path(), "info", bundle, runtime())
    alone.assert_silent()


@another_build
@pytest.mark.skipif(bool(no_tracer()), reason=no_tracer())
def test_a_program_of_one_thread_has_another_that_watches_for_signals_and_no_more(
    bundle: Path, alone: Alone
) -> None:
    alone.run(engine_path(), "detect", bundle, log_of(bundle), runtime())
    assert alone.traced("exited with 0")
    assert len(alone.traced("CLONE_THREAD")) == 1


@another_build
def test_programs_that_link_the_library_leave_nothing(
    bundle: Path, alone: Alone, tmp_path: Path
) -> None:
    program, source = tmp_path / "anomalies", NATIVE / "examples" / "anomalies.c"
    place = library_path().parent
    link = [f"-I{NATIVE / 'include'}", library_path(), f"-Wl,-rpath,{place}"]
    subprocess.run(["cc", source, *link, "-o", program], check=True)
    said = alone.run(
        program, bundle, data=log_of(bundle).read_bytes(), LOGEXPORT_ORT_LIB=ort_library()
    )
    assert said.endswith(b" anomalies\n")
    bench = place / "logexport-bench"
    assert b"both_seconds" in alone.run(
        bench, bundle, log_of(bundle), 1, LOGEXPORT_ORT_LIB=ort_library()
    )
    alone.assert_silent()


# --- as long as it takes --------------------------------------------------------------------------


@pytest.mark.slow
def test_nobody_is_called_by_what_reads_a_log_as_it_grows(bundle: Path, tmp_path: Path) -> None:
    commands = {
        "engine": (engine_path(), "detect", bundle, "-", runtime()),
        "python": (*LOGEXPORT, "detect", "--engine", "python", bundle, "-"),
    }
    places = {name: Alone.make(tmp_path / name) for name in commands}
    running = {name: places[name].start(*words) for name, words in commands.items()}
    try:
        for process in running.values():
            assert process.stdin is not None
            process.stdin.write(log_of(bundle).read_bytes())
        for name, process in running.items():
            # A verdict: from now on the runtime is loaded.
            assert select.select([process.stdout], [], [], 120)[0], name
        time.sleep(LOOKS_UP_AFTER + 2)
    finally:
        ended = {name: process.communicate() for name, process in running.items()}
    for name, (out, said) in ended.items():
        assert running[name].returncode == 0, said
        assert out == (bundle / "one.selftest.jsonl").read_bytes()
    for one in places.values():
        one.assert_silent()


# --- who wants it ---------------------------------------------------------------------------------


def knows_the_switch() -> bool:
    return SWITCH.encode() in Path(ort_library()).read_bytes()


@pytest.mark.skipif(bool(no_namespace()), reason=f"it would report home ({no_namespace()})")
@pytest.mark.parametrize("how", ["engine", "python"])
def test_what_the_user_has_set_stays(how: str, bundle: Path, alone: Alone) -> None:
    """And these tests would see what the runtime leaves, if it left anything."""
    if not knows_the_switch():
        pytest.skip("this ONNX Runtime has no telemetry")
    words = {
        "engine": (engine_path(), bundle, runtime()),
        "python": (*LOGEXPORT, "detect", "--engine", "python", bundle, log_of(bundle)),
    }
    alone.run(*words[how], **{SWITCH: "0"})
    assert alone.left() != []
