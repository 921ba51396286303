"""The one place that imports ONNX Runtime: silenced, and the environment as it was."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import logexport
import pytest
from logexport.engine import run_engine
from logexport.errors import LogexportError
from logexport.exporters import DynamoStrategy, ExportFailedError, TorchEnvironment
from logexport.runtime import import_onnxruntime, runtime_library, silenced, silent_environment

from tests.alone import SWITCH, Alone
from tests.distributions import TINY, Site, tiny_checkpoint
from tests.exporters.cases import float_dummy
from tests.host.exports import Job, hosted

LOGEXPORT = (sys.executable, "-m", "logexport")


def value() -> str | None:
    return os.environ.get(SWITCH)


@pytest.fixture(params=[None, "0", "1", "", "as you like"], ids=repr)
def chosen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """What the user has set before; None: nothing."""
    if request.param is None:
        monkeypatch.delenv(SWITCH, raising=False)
    else:
        monkeypatch.setenv(SWITCH, request.param)
    said: str | None = request.param
    return said


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SWITCH, raising=False)


# --- the environment ------------------------------------------------------------------------------


def test_inside_it_is_off_unless_the_user_chose_and_afterwards_all_is_as_before(
    chosen: str | None,
) -> None:
    before = dict(os.environ)
    with silenced():
        assert value() == ("1" if chosen is None else chosen)
        with silenced():
            assert value() == ("1" if chosen is None else chosen)
        assert value() == ("1" if chosen is None else chosen)
    assert dict(os.environ) == before
    with pytest.raises(KeyError), silenced():
        raise KeyError
    assert dict(os.environ) == before


def test_the_last_of_several_threads_takes_it_back(unset: None) -> None:
    inside, leave = threading.Event(), threading.Event()
    seen: list[str | None] = []

    def stay() -> None:
        with silenced():
            inside.set()
            leave.wait(30)
            seen.append(value())

    thread = threading.Thread(target=stay)
    with silenced():
        thread.start()
        assert inside.wait(30)
    assert value() == "1"
    leave.set()
    thread.join()
    assert seen == ["1"]
    assert value() is None


def test_another_process_is_told_unless_the_user_chose(chosen: str | None) -> None:
    before = dict(os.environ)
    assert silent_environment() == {**before, SWITCH: "1" if chosen is None else chosen}
    assert dict(os.environ) == before


def test_a_missing_package_leaves_the_environment_alone(
    unset: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModuleNotFoundError):
        import_onnxruntime()
    assert value() is None


def test_the_library_is_found_without_importing_the_package(tmp_path: Path) -> None:
    library = runtime_library()
    assert library is not None
    assert library.parent == Path(import_onnxruntime().__file__ or "").parent / "capi"
    program = (
        "import sys; from logexport.runtime import runtime_library;"
        "print(runtime_library()); assert 'onnxruntime' not in sys.modules"
    )
    assert Alone.make(tmp_path).run(sys.executable, "-c", program) == f"{library}\n".encode()


# --- programs of others ---------------------------------------------------------------------------

SCORER = f"""
import os, sys
import logexport, logexport.verdicts.scorers
assert "onnxruntime" not in sys.modules
before = dict(os.environ)
scorer = logexport.verdicts.scorers.OnnxRuntimeScorer(__import__("pathlib").Path(sys.argv[1]))
import numpy
print(scorer(numpy.ones((2, 3), dtype="float32"))["y"].sum())
assert dict(os.environ) == before
assert {SWITCH!r} not in before
"""


def test_a_scorer_leaves_nothing_though_the_environment_is_as_it_was(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, save

    rows = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", rows[:1], rows[1:])
    opset = helper.make_opsetid("", 17)
    save(helper.make_model(graph, opset_imports=[opset], ir_version=8), tmp_path / "g.onnx")
    alone = Alone.make(tmp_path / "alone")
    assert alone.run(sys.executable, "-c", SCORER, tmp_path / "g.onnx") == b"6.0\n"
    alone.assert_silent()


@pytest.mark.slow
def test_a_plugin_that_imports_the_runtime_itself_leaves_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path)
    importing = "def load_model(request):\n    import onnxruntime"
    site.install("tiny-plugin", TINY.replace("def load_model(request):", importing))
    checkpoint, vocab = tiny_checkpoint(tmp_path)
    files = ("--checkpoint", checkpoint, "--vocab", vocab, "-o", tmp_path / "bundle")
    alone = Alone.make(tmp_path / "alone")
    words = ("run", "--model", "tiny", "--no-validate", *files)
    alone.run(*LOGEXPORT, *words, PYTHONPATH=site.environment()["PYTHONPATH"])
    alone.assert_silent()


def test_a_hook_of_an_export_from_python_runs_inside(unset: None, tmp_path: Path) -> None:
    load = "def load_model(request):\n"
    telling = f"{load}    import os\n    raise LogexportError(repr(os.environ.get({SWITCH!r})))\n"
    source = "from logexport import LogexportError\n" + TINY.replace(load, telling)
    job = Job.make(tmp_path / "job")
    with pytest.raises(LogexportError, match=r"^'1'$"):
        logexport.run(job.request(), host=hosted(tmp_path, source))
    assert value() is None


# --- processes that we start ----------------------------------------------------------------------


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_whatever_engine_is_named_is_told(unset: None, tmp_path: Path) -> None:
    other = program(tmp_path / "other-engine", f'echo "${SWITCH}"')
    assert run_engine([str(other)], runtime=False).stdout == b"1\n"
    alone = Alone.make(tmp_path / "alone")
    words = (*LOGEXPORT, "detect", "--engine", "native", tmp_path, other)
    assert alone.run(*words, LOGEXPORT_ENGINE=str(other)) == b"1\n"
    assert alone.run(*words, LOGEXPORT_ENGINE=str(other), **{SWITCH: "0"}) == b"0\n"


def test_dynamos_process_is_told_and_has_a_temporary_directory_of_its_own(
    unset: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    python = program(tmp_path / "python", f'echo "${SWITCH} in $TMPDIR"; ls -d "$TMPDIR"; exit 3')
    monkeypatch.setattr(sys, "executable", str(python))
    (tmp_path / "here").mkdir()
    module = torch.nn.Identity()
    with pytest.raises(ExportFailedError) as caught:
        DynamoStrategy().export(module, float_dummy(), 18, tmp_path / "here" / "g.onnx")
    said, listed = caught.value.log.output.splitlines()
    assert said == f"1 in {listed}"
    assert Path(listed).is_relative_to(tmp_path / "here")
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.slow
def test_an_export_by_dynamo_leaves_its_bundle_alone(tmp_path: Path) -> None:
    available = DynamoStrategy().availability(TorchEnvironment.installed())
    if not available.usable:
        pytest.skip(available.reason)
    alone = Alone.make(tmp_path / "alone")
    words = ("run", "--model", "deeplog", "--exporter", "dynamo", "--no-validate")
    alone.run(*LOGEXPORT, *words, "-o", tmp_path / "bundle")
    assert (tmp_path / "bundle" / "deeplog.onnx").is_file()
    alone.assert_silent()
