"""SIGTERM, to both engines: what was read is finished, or the exit status is 143."""

from __future__ import annotations

import gzip
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from logexport.logs.headers import PRESETS
from logexport.logs.masks import Mask
from logexport.logs.preprocess import Preprocess
from logexport.types import Vocabulary

from tests.native.bundles import make_task, write_bundle, write_manifest
from tests.native.engine import Doing, Engine, engine_path, ort_library, reference

TEMPLATES = ("open <NUM>", "close <NUM>", "user <*> in", "user <*> out", "tick", "")
TICKS = b"tick\n" * 40
#: The mask looks through the rest of it from each of its words.
#: It has a digit, without which the mask would not be tried.
ENDLESS = b"7" + b"a-" * 400_000 + b"\n"

ENGINES = {
    "one thread": (str(engine_path()), "detect"),
    "threads": (str(engine_path()), "detect", "--threads=3"),
    "python": (sys.executable, "-m", "logexport", "detect", "--engine=python"),
}
BEGUN = 30  # seconds in which a process has its first record, on a machine that is busy


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mask of it is quadratic, and so takes minutes on the line ENDLESS."""
    rules = Preprocess(headers=PRESETS["plain"], masks=(Mask("pairs", r"(?:[a-z]+-)+\d", "<ID>"),))
    path = tmp_path_factory.mktemp("quadratic") / "bundle"
    return write_bundle(path, make_task("events topk"), Vocabulary(TEMPLATES), rules)


@pytest.fixture(scope="module")
def endless_graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its graph counts to 10^15 once it is shown a tick."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    path = tmp_path_factory.mktemp("counting") / "bundle"
    rules = Preprocess(headers=PRESETS["plain"])
    write_bundle(path, make_task("events topk"), Vocabulary(TEMPLATES), rules)
    model = onnx.load(path / "tiny.onnx")
    graph = model.graph
    trips = np.zeros(len(TEMPLATES), dtype=np.int64)
    trips[TEMPLATES.index("tick")] = 10**15
    graph.initializer.extend(
        [
            numpy_helper.from_array(trips, "trips"),
            numpy_helper.from_array(np.array(True), "always"),
            numpy_helper.from_array(np.array(0, dtype=np.float32), "nothing"),
        ]
    )
    node, scalar = helper.make_node, helper.make_tensor_value_info
    body = helper.make_graph(
        [node("Identity", ["on"], ["still_on"]), node("Add", ["sum", "nothing"], ["next_sum"])],
        "body",
        [
            scalar("trip", TensorProto.INT64, []),
            scalar("on", TensorProto.BOOL, []),
            scalar("sum", TensorProto.FLOAT, []),
        ],
        [scalar("still_on", TensorProto.BOOL, []), scalar("next_sum", TensorProto.FLOAT, [])],
    )
    nodes = [
        node("ReduceMax", ["input_sequence"], ["largest"], keepdims=0),
        node("Gather", ["trips", "largest"], ["count"]),
        node("Loop", ["count", "always", "nothing"], ["counted"], body=body),
    ]
    last = next(one for one in graph.node if "predictions" in one.output)
    last.output[:] = ["uncounted"]
    place = list(graph.node).index(last) + 1
    for offset, one in enumerate([*nodes, node("Add", ["uncounted", "counted"], ["predictions"])]):
        graph.node.insert(place + offset, one)
    (path / "tiny.onnx").write_bytes(model.SerializeToString())
    write_manifest(path, ["tiny"])
    return path


@contextmanager
def started(
    names: tuple[str, ...], bundle: Path, *logs: Path
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """The engines beside each other, with pipes at all ends."""
    environment = {**os.environ, "LOGEXPORT_ORT_LIB": ort_library()}
    processes = {
        name: subprocess.Popen(
            [*ENGINES[name], str(bundle), *map(str, logs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            bufsize=0,
        )
        for name in names
    }
    try:
        yield processes
    finally:
        for process in processes.values():
            process.kill()
            process.communicate()


def send(process: subprocess.Popen[bytes], data: bytes) -> None:
    assert process.stdin is not None
    while data:
        data = data[process.stdin.write(data) :]


def take(process: subprocess.Popen[bytes], records: int) -> bytes:
    """The next records, as soon as they are there."""
    assert process.stdout is not None
    taken = b""
    while taken.count(b"\n") < records:
        assert select.select([process.stdout], [], [], BEGUN)[0]
        piece = os.read(process.stdout.fileno(), 1 << 16)
        assert piece, process.stderr and process.stderr.read()
        taken += piece
    assert taken.count(b"\n") == records
    return taken


def hold_up(processes: Mapping[str, subprocess.Popen[bytes]]) -> dict[str, bytes]:
    """Let each process have 80 ticks and the line that it does not come back from; the first 40
    records of each."""
    taken = {}
    for name, process in processes.items():
        send(process, TICKS)
        taken[name] = take(process, 40)
        send(process, TICKS + ENDLESS)
    time.sleep(0.3)
    return taken


def ended(process: subprocess.Popen[bytes], patience: float) -> tuple[int, bytes, str]:
    """The exit status, the rest of the records, and what was said."""
    status = process.wait(timeout=patience)
    assert process.stdout is not None
    assert process.stderr is not None
    return status, process.stdout.read(), process.stderr.read().decode()


def assert_one_sentence(prose: str, *parts: str) -> None:
    assert prose.count("\n") == 1
    assert prose.endswith(".\n")
    for part in parts:
        assert part in prose


def test_a_pattern_that_does_not_come_back_ends_it_after_the_last_record(bundle: Path) -> None:
    expected = reference(bundle, TICKS * 2)
    with started(tuple(ENGINES), bundle) as processes:
        taken = hold_up(processes)
        began = time.monotonic()
        for process in processes.values():
            process.send_signal(signal.SIGTERM)
        for name, process in processes.items():
            status, rest, prose = ended(process, 10)
            assert status == 143
            assert time.monotonic() - began >= 1.9
            assert taken[name] + rest == expected
            assert_one_sentence(
                prose, "did not come back from line 81 within two seconds of SIGTERM"
            )
            if name != "python":
                assert 'mask "pairs"' in prose


def test_another_thread_sees_which_pattern_runs_on_which_line(bundle: Path) -> None:
    line = b"a-" * 7000 + b"\n"  # takes a tenth of a second
    with Engine(bundle) as engine:
        assert engine.activity().doing == Doing.IDLE
        engine.push(TICKS + line * 3)
        work = threading.Thread(target=engine.flush)
        work.start()
        seen = set()
        while work.is_alive():
            activity = engine.activity()
            seen.add((activity.doing, activity.line, activity.pattern))
            time.sleep(0.001)
        work.join()
        assert len(engine.records) == 43
        assert engine.activity().doing == Doing.IDLE
    assert seen >= {(Doing.MATCHING, number, b'mask "pairs"') for number in (41, 42, 43)}


def test_a_runtime_that_does_not_come_back_ends_it_after_the_last_record(
    endless_graph: Path,
) -> None:
    outs = b"user bob out\n" * 7
    with started(tuple(ENGINES), endless_graph) as processes:
        for process in processes.values():
            send(process, outs)
            take(process, 7)
            send(process, TICKS)
        time.sleep(0.3)
        for process in processes.values():
            process.send_signal(signal.SIGTERM)
        for process in processes.values():
            status, rest, prose = ended(process, 10)
            assert status == 143
            # A tick after four other lines is judged by those.
            assert [json.loads(line)["line"] for line in rest.splitlines()] in ([], [8])
            assert_one_sentence(
                prose, "ONNX Runtime did not come back", "within two seconds of SIGTERM"
            )


def test_a_second_sigterm_ends_it_at_once_after_the_last_record(bundle: Path) -> None:
    expected = reference(bundle, TICKS * 2)
    with started(("threads", "python"), bundle) as processes:
        taken = hold_up(processes)
        for _ in range(2):
            began = time.monotonic()
            for process in processes.values():
                process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
        for name, process in processes.items():
            status, rest, prose = ended(process, 10)
            assert status == 143
            assert time.monotonic() - began < 1.5
            assert taken[name] + rest == expected
            assert_one_sentence(prose, "second SIGTERM")


def test_a_reader_that_does_not_read_ends_it_between_two_records(
    bundle: Path, tmp_path: Path
) -> None:
    log = tmp_path / "ticks.log"
    log.write_bytes(TICKS * 50)
    expected = reference(bundle, TICKS * 50)
    with started(("one thread", "python"), bundle, log) as processes:
        for process in processes.values():
            assert select.select([process.stdout], [], [], BEGUN)[0]
        time.sleep(0.5)  # the pipes are full
        for process in processes.values():
            process.send_signal(signal.SIGTERM)
        for process in processes.values():
            status, records, prose = ended(process, 10)
            assert status == 143
            assert 50_000 < len(records) < len(expected)
            assert records.endswith(b"\n")
            assert expected.startswith(records)
            assert_one_sentence(prose, "Nobody took the records from standard output")


@pytest.mark.parametrize("packed", [False, True])
def test_what_was_read_is_finished_and_two_signals_that_come_together_are_one(
    bundle: Path, packed: bool
) -> None:
    log = TICKS + b"user bob in\nti"
    data = gzip.compress(log)[:-4] if packed else log
    with started(("one thread", "python"), bundle) as processes:
        taken = {}
        for name, process in processes.items():
            send(process, data)
            taken[name] = take(process, 41)
        time.sleep(0.1)
        for name, process in processes.items():
            for _ in range(2):  # as timeout(1) sends it
                process.send_signal(signal.SIGTERM)
            status, rest, prose = ended(process, 10)
            assert status == 0, prose
            assert taken[name] + rest == reference(bundle, log)


def test_a_log_that_cannot_be_opened_yet_is_not_waited_for(bundle: Path, tmp_path: Path) -> None:
    log, fifo = tmp_path / "ticks.log", tmp_path / "fifo"
    log.write_bytes(TICKS)
    os.mkfifo(fifo)
    with started(("python",), bundle, log, fifo) as processes:
        process = processes["python"]
        # The last 36 records wait for a batch of windows that is not full.
        first = take(process, 4)
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        status, rest, prose = ended(process, 10)
    assert status == 0, prose
    assert first + rest == reference(bundle, TICKS)


def test_the_process_that_works_ends_with_the_one_that_waits(bundle: Path) -> None:
    with started(("python",), bundle) as processes:
        process = processes["python"]
        send(process, TICKS)
        take(process, 40)
        send(process, ENDLESS)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) == 1
        process.kill()
        assert process.stdout is not None
        assert process.stdout.read() == b""  # nobody has the other end any more
