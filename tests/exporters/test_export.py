"""Real exports by every strategy that is usable here: right at every size, repeatable, silent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from logexport.errors import PluginError
from logexport.exporters import (
    BUILTIN_STRATEGIES,
    DynamoStrategy,
    ExportFailedError,
    ExportLog,
    ExportStrategy,
    StaticAxisError,
    TorchEnvironment,
    TorchScriptStrategy,
    export_with,
    finish_graph,
)
from logexport.exporters.torchscript import KEYWORDS
from logexport.types import DummyInput, GraphInfo

from tests.exporters import models as models
from tests.exporters.cases import (
    VOCAB,
    count_dummy,
    event_dummy,
    float_dummy,
    simulated,
)
from tests.graphs import compare

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

TOLERANCE = 1e-5
MODELS: dict[str, tuple[Callable[[], torch.nn.Module], Callable[[], DummyInput]]] = {
    "lstm": (models.LastStepLSTM, event_dummy),
    "autoencoder": (models.ConvAutoencoder, count_dummy),
}


def usable(strategy: ExportStrategy) -> ExportStrategy:
    available = strategy.availability(TorchEnvironment.installed())
    if not available.usable:
        pytest.skip(available.reason)
    return strategy


@pytest.fixture(params=BUILTIN_STRATEGIES, ids=lambda strategy: strategy.name)
def strategy(request: pytest.FixtureRequest) -> ExportStrategy:
    return usable(request.param)


@pytest.fixture
def dynamo() -> ExportStrategy:
    return usable(DynamoStrategy())


def seeded(make: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    torch.manual_seed(0)
    return make().eval()


@dataclass(frozen=True)
class Exported:
    """One finished export and what led to it."""

    path: Path
    module: torch.nn.Module
    dummy: DummyInput
    opset: int
    info: GraphInfo
    log: ExportLog


@pytest.fixture(scope="module", params=BUILTIN_STRATEGIES, ids=lambda strategy: strategy.name)
def in_a_row(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Exported]:
    """An LSTM, an autoencoder and the LSTM again, exported one after another in this process."""
    strategy = usable(request.param)
    opset = strategy.default_opset(TorchEnvironment.installed())
    directory = tmp_path_factory.mktemp(strategy.name)
    exports: dict[str, Exported] = {}
    for name, model in (("lstm", "lstm"), ("autoencoder", "autoencoder"), ("again", "lstm")):
        make, dummies = MODELS[model]
        path, module, dummy = directory / f"{name}.onnx", seeded(make), dummies()
        with warnings.catch_warnings(record=True) as shown:
            warnings.simplefilter("always")
            log = export_with(strategy, module, dummy, opset, path)
            info = finish_graph(path, dummy)
        assert shown == []
        exports[name] = Exported(path, module, dummy, opset, info, log)
    return exports


def test_exports_in_a_row_are_right_at_every_size(in_a_row: dict[str, Exported]) -> None:
    for export in in_a_row.values():
        assert compare(export.path, export.module, export.dummy)[0] <= TOLERANCE
        assert export.info.opset_version == export.opset
        assert export.info.ir_version <= 10
        assert export.info.input_names == export.dummy.input_names
        assert export.info.output_names == export.dummy.output_names


def test_two_exports_of_one_module_are_the_same_bytes(in_a_row: dict[str, Exported]) -> None:
    first, second = in_a_row["lstm"], in_a_row["again"]
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.info.sha256 == second.info.sha256


def test_an_export_leaves_one_file(in_a_row: dict[str, Exported]) -> None:
    (directory,) = {export.path.parent for export in in_a_row.values()}
    assert {path.name for path in directory.iterdir()} == {f"{name}.onnx" for name in in_a_row}


def test_shapes_are_the_declared_names_and_the_confirmed_sizes(
    in_a_row: dict[str, Exported],
) -> None:
    info = in_a_row["autoencoder"].info
    assert info.input_shapes == (("batch_size", 1, 4, 10),)
    assert info.output_shapes == (("batch_size", 1, 4, 10), ("batch_size",), ("batch_size", 10))
    info = in_a_row["lstm"].info
    assert info.input_shapes == (("batch_size", "sequence_length"),)
    assert info.output_shapes == (("batch_size", VOCAB),)


def test_no_path_of_this_machine_and_no_stack_trace_remains(in_a_row: dict[str, Exported]) -> None:
    places = {sys.prefix, str(Path(torch.__file__).parent), str(Path.home())}
    places |= {str(Path(models.__file__).parent)}
    for export in in_a_row.values():
        data = export.path.read_bytes()
        for place in places | {str(export.path.parent)}:
            assert place.encode() not in data
        for trace in (b".py", b"stack_trace", b"File "):
            assert trace not in data


def test_warnings_are_returned_once_each_on_one_line(in_a_row: dict[str, Exported]) -> None:
    warned = in_a_row["lstm"].log.warnings
    assert warned
    assert len(set(warned)) == len(warned)
    assert all("\n" not in text and "Warning: " in text for text in warned)


def test_torchscript_gives_the_keywords_that_it_is_judged_by() -> None:
    env = simulated("2.13.0")
    assert TorchScriptStrategy().arguments(env, event_dummy(), 17).keys() == KEYWORDS


@pytest.mark.parametrize("opset", range(11, 21))
def test_torchscript_writes_every_opset_it_offers(opset: int, tmp_path: Path) -> None:
    strategy = TorchScriptStrategy()
    if opset not in strategy.opsets(TorchEnvironment.installed()):
        pytest.skip(f"TorchScript does not offer opset {opset} here")
    for model, (make, dummies) in MODELS.items():
        path, module, dummy = tmp_path / f"{model}.onnx", seeded(make), dummies()
        export_with(strategy, module, dummy, opset, path)
        assert finish_graph(path, dummy).opset_version == opset
        assert compare(path, module, dummy)[0] <= TOLERANCE


def test_torchscript_of_2_0_cannot_write_a_mean_at_opset_18(tmp_path: Path) -> None:
    """Why 18 is not offered there, though torch supports it."""
    if TorchEnvironment.installed().release != (2, 0):
        pytest.skip("seen on torch 2.0")
    make, dummies = MODELS["autoencoder"]
    with pytest.raises(ExportFailedError, match=r"Unrecognized attribute: axes .* ReduceMean"):
        export_with(TorchScriptStrategy(), seeded(make), dummies(), 18, tmp_path / "graph.onnx")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("opset", [19, 20])
def test_dynamo_writes_every_opset_it_offers(
    dynamo: ExportStrategy, opset: int, model: str, tmp_path: Path
) -> None:
    """The third, 18, is its default: see the exports in a row."""
    assert set(dynamo.opsets(TorchEnvironment.installed())) == {18, 19, 20}
    make, dummies = MODELS[model]
    path, module, dummy = tmp_path / "graph.onnx", seeded(make), dummies()
    export_with(dynamo, module, dummy, opset, path)
    assert finish_graph(path, dummy).opset_version == opset
    assert compare(path, module, dummy)[0] <= TOLERANCE


# --- graphs that are secretly static --------------------------------------------------------------


def test_a_module_that_bakes_in_the_batch_size_is_refused(
    strategy: ExportStrategy, tmp_path: Path
) -> None:
    opset = strategy.default_opset(TorchEnvironment.installed())
    path, dummy = tmp_path / "graph.onnx", float_dummy()
    if strategy.name == "torchscript":
        export_with(strategy, seeded(models.SecretlyStatic), dummy, opset, path)
        with pytest.raises(StaticAxisError) as raised:
            finish_graph(path, dummy)
        assert raised.value.sizes == {"batch_size": 1}
        assert "Reshape" in raised.value.detail
    else:
        # Whether dynamo itself refuses or writes a fixed axis differs between releases.
        with pytest.raises((StaticAxisError, ExportFailedError)):
            _export_and_finish(strategy, seeded(models.SecretlyStatic), dummy, opset, path)


def _export_and_finish(
    strategy: ExportStrategy, module: torch.nn.Module, dummy: DummyInput, opset: int, path: Path
) -> None:
    export_with(strategy, module, dummy, opset, path)
    finish_graph(path, dummy)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_dynamo_on_2_13_binds_a_time_first_lstm_and_is_found_out(
    dynamo: ExportStrategy,
    bidirectional: bool,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if TorchEnvironment.installed().release != (2, 13):
        pytest.skip("seen on torch 2.13")
    path, dummy = tmp_path / "graph.onnx", event_dummy()
    module = models.TimeFirstLSTM(bidirectional=bidirectional).eval()
    export_with(dynamo, module, dummy, 18, path)
    with pytest.raises(StaticAxisError, match="not at batch_size 1, sequence_length 1"):
        finish_graph(path, dummy)
    assert capfd.readouterr() == ("", "")


def test_torchscript_is_right_where_dynamo_is_not(tmp_path: Path) -> None:
    path, module, dummy = tmp_path / "graph.onnx", seeded(models.TimeFirstLSTM), event_dummy()
    export_with(TorchScriptStrategy(), module, dummy, 17, path)
    finish_graph(path, dummy)
    assert compare(path, module, dummy)[0] <= TOLERANCE


# --- what exporters say ---------------------------------------------------------------------------


def test_what_is_printed_is_returned_and_reaches_neither_stream(
    strategy: ExportStrategy, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    opset = strategy.default_opset(TorchEnvironment.installed())
    log = export_with(
        strategy, seeded(models.Talkative), float_dummy(), opset, tmp_path / "graph.onnx"
    )
    assert capfd.readouterr() == ("", "")
    assert "python says hello" in log.output
    assert "standard output says hello" in log.output
    assert "standard error says hello" in log.output


def test_streams_work_again_after_an_export(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    export_with(
        TorchScriptStrategy(), seeded(models.Talkative), float_dummy(), 17, tmp_path / "g.onnx"
    )
    print("afterwards")  # noqa: T201
    os.write(2, b"afterwards too\n")
    assert capfd.readouterr() == ("afterwards\n", "afterwards too\n")


def test_a_module_that_cannot_be_traced_fails_with_its_own_message(
    strategy: ExportStrategy, tmp_path: Path
) -> None:
    opset = strategy.default_opset(TorchEnvironment.installed())
    with pytest.raises(ExportFailedError, match="this module cannot be traced") as raised:
        export_with(
            strategy, seeded(models.Refusing), float_dummy(), opset, tmp_path / "graph.onnx"
        )
    assert raised.value.strategy == strategy.name
    assert str(raised.value).startswith(f"the {strategy.name} exporter failed: ")
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_a_module_in_training_mode_is_refused(tmp_path: Path) -> None:
    module = seeded(models.LastStepLSTM).train()
    with pytest.raises(PluginError, match="LastStepLSTM is in training mode"):
        export_with(TorchScriptStrategy(), module, event_dummy(), 17, tmp_path / "graph.onnx")


def test_a_strategy_that_raises_anything_or_writes_nothing_has_failed(tmp_path: Path) -> None:
    class Broken(TorchScriptStrategy):
        def export(self, *_: object) -> ExportLog:
            print("last words")  # noqa: T201
            raise KeyError("whatever")

    class Idle(TorchScriptStrategy):
        def export(self, *_: object) -> ExportLog:
            return ExportLog()

    module, dummy, path = seeded(models.Talkative), float_dummy(), tmp_path / "graph.onnx"
    with pytest.raises(ExportFailedError, match="KeyError: 'whatever'") as raised:
        export_with(Broken("broken"), module, dummy, 17, path)
    assert raised.value.log.output == "last words\n"
    with pytest.raises(ExportFailedError, match=r"the idle exporter failed: .*without writing"):
        export_with(Idle("idle"), module, dummy, 17, path)


# --- the process of a dynamo export ---------------------------------------------------------------


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def test_a_hanging_export_is_stopped_and_says_what_it_printed_last(
    dynamo: ExportStrategy, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    hurried = DynamoStrategy(timeout=15.0)
    began = time.monotonic()
    with pytest.raises(ExportFailedError, match="no result after 15 s") as raised:
        export_with(
            hurried, models.Hanging(str(pid_file)).eval(), float_dummy(), 18, tmp_path / "g.onnx"
        )
    assert time.monotonic() - began < 60
    assert "about to hang" in str(raised.value)
    assert not alive(int(pid_file.read_text()))
    assert [path.name for path in tmp_path.iterdir()] == ["pid"]


def test_a_crashing_export_is_a_failure_that_names_the_signal(
    dynamo: ExportStrategy, tmp_path: Path
) -> None:
    with pytest.raises(ExportFailedError, match="was killed by SIGABRT") as raised:
        export_with(dynamo, seeded(models.Crashing), float_dummy(), 18, tmp_path / "graph.onnx")
    assert "about to crash" in raised.value.log.output
    assert list(tmp_path.iterdir()) == []


def test_the_process_ends_when_its_parent_is_killed(dynamo: ExportStrategy, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    program = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from pathlib import Path\n"
        "from tests.exporters import cases, models\n"
        "from logexport.exporters import DynamoStrategy, export_with\n"
        f"export_with(DynamoStrategy(), models.Hanging({str(pid_file)!r}).eval(),\n"
        f"            cases.float_dummy(), 18, Path({str(tmp_path / 'g.onnx')!r}))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program])
    try:
        assert wait_until(lambda: pid_file.is_file() and pid_file.read_text() != "", 90)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert wait_until(lambda: not alive(int(pid_file.read_text())), 10)


def test_a_class_inside_a_function_is_refused_with_the_reason(
    dynamo: ExportStrategy, tmp_path: Path
) -> None:
    class Local(torch.nn.Module):
        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return values

    with pytest.raises(ExportFailedError, match="Local: it is defined inside a function"):
        export_with(dynamo, Local().eval(), float_dummy(), 18, tmp_path / "graph.onnx")
    module = torch.nn.Sequential(Local()).eval()
    with pytest.raises(ExportFailedError, match="inside a function") as raised:
        export_with(dynamo, module, float_dummy(), 18, tmp_path / "graph.onnx")
    assert "importable" in raised.value.remedy


def test_a_class_of_the_program_itself_is_refused_with_the_reason(
    dynamo: ExportStrategy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models.Talkative, "__module__", "__main__")
    with pytest.raises(ExportFailedError, match=r"in the program itself \(__main__\)"):
        export_with(dynamo, seeded(models.Talkative), float_dummy(), 18, tmp_path / "graph.onnx")


def test_a_module_that_cannot_be_pickled_is_refused_with_the_reason(
    dynamo: ExportStrategy, tmp_path: Path
) -> None:
    module = seeded(models.Talkative)
    module.callback = lambda: None
    with pytest.raises(ExportFailedError, match="cannot be pickled") as raised:
        export_with(dynamo, module, float_dummy(), 18, tmp_path / "graph.onnx")
    assert "lambda" in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_what_the_process_reads_is_private(
    dynamo: ExportStrategy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def look(self: DynamoStrategy, job: Path) -> ExportLog:
        seen.append(job.stat().st_mode & 0o777)
        raise ExportFailedError(self.name, "looked at")

    monkeypatch.setattr(DynamoStrategy, "_run", look)
    with pytest.raises(ExportFailedError, match="looked at"):
        export_with(dynamo, seeded(models.Talkative), float_dummy(), 18, tmp_path / "g.onnx")
    assert seen == [0o700]


def test_nothing_in_the_current_directory_takes_the_place_of_a_module(
    dynamo: ExportStrategy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "json.py").write_text("raise SystemExit('the wrong json')")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    export_with(dynamo, seeded(models.Talkative), float_dummy(), 18, tmp_path / "g.onnx")
    assert (tmp_path / "g.onnx").is_file()


# --- importing ------------------------------------------------------------------------------------


def test_importing_the_shim_imports_neither_torch_nor_onnx_nor_numpy() -> None:
    program = (
        "import sys, logexport.exporters; "
        "print(sorted({'torch', 'onnx', 'onnxruntime', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.stdout == "[]\n"
