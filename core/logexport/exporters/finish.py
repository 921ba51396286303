"""Make of a written graph the one file that a bundle holds, and read back what it is.

Whatever strategy wrote it: weights inside, no stack traces, doc strings or paths of this machine,
value and node names that do not change from one export to the next, and input and output shapes
that ONNX Runtime confirmed at every size of the grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from logexport import onnx_model
from logexport.errors import ExporterError
from logexport.exporters.axes import check_declared, confirm_shapes
from logexport.exporters.capture import one_line
from logexport.exporters.graph import read_graph
from logexport.exporters.tidy import tidy_graph
from logexport.files import replace_file
from logexport.types import DummyInput, GraphInfo, Sizes

if TYPE_CHECKING:
    import onnx

PROTOBUF_LIMIT = 2**31 - 1
"""A protocol buffer message, and so a graph with its weights inside, is smaller than 2 GiB."""

NEWEST_IR = 10
"""What ONNX Runtime 1.19, the oldest that the C engine can open, reads; enough for opset 20."""


def finish_graph(path: Path, dummy: DummyInput, grid: Sequence[Sizes] | None = None) -> GraphInfo:
    """Finish the graph at ``path`` in place (atomically) and read it back.

    Args:
        path: the .onnx as a strategy wrote it; weights beside it are folded in and removed.
        dummy: what was declared: names, dynamic axes, and how to draw inputs.
        grid: sizes to run instead of ``dummy.grid``. The traced sizes are run in any case.

    Raises:
        StaticAxisError: a declared dynamic axis is fixed, or some sizes do not run.
        GraphShapeError: names, types or shapes are not the declared ones.
        ExporterError: not a valid graph, it does not run, or it is too large for one file.
        OSError: the file cannot be written.
        PluginError: ``dummy.draw`` does not give what ``dummy`` declares.
    """
    model, beside = _load(path)
    if model.ir_version > NEWEST_IR:  # before the check: onnx 1.17 knows no newer one either
        model.ir_version = NEWEST_IR
    _check_valid(model, path)  # what follows relies on order and on every name being defined
    tidy_graph(model)
    check_declared(model, dummy)
    confirm_shapes(model, dummy, dummy.grid if grid is None else grid)
    _check_valid(model, path, full=True)
    replace_file(path, model.SerializeToString(deterministic=True))
    for leftover in beside:
        leftover.unlink(missing_ok=True)
    return read_graph(path)


def _load(path: Path) -> tuple[onnx.ModelProto, tuple[Path, ...]]:
    """The graph with its weights inside, and the files beside it that held them."""
    import onnx
    from onnx.external_data_helper import load_external_data_for_tensor

    _check_size(path, path.stat().st_size)
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's DecodeError: its module differs between versions
        raise ExporterError(f"{path} is not an ONNX graph: {one_line(error)}") from error
    outside = [
        tensor
        for tensor in onnx_model.outside(model)
        if tensor.data_location == onnx.TensorProto.EXTERNAL
    ]
    names = {_location(tensor) for tensor in outside}
    if "" in names:
        raise ExporterError(f"{path} has weights outside, and does not say in which file")
    beside = tuple(path.parent / name for name in sorted(names))
    for file in beside:
        if file.parent.resolve() != path.parent.resolve() or not file.is_file():
            raise ExporterError(f"{path} has weights in {file.name!r}, which is not beside it")
    _check_size(path, path.stat().st_size + sum(file.stat().st_size for file in beside))
    for tensor in outside:
        try:
            load_external_data_for_tensor(tensor, str(path.parent))
        except (ValueError, onnx.checker.ValidationError) as error:
            raise ExporterError(
                f"{path} has weights in {_location(tensor)!r} that cannot be read: "
                f"{one_line(error)}"
            ) from error
    onnx_model.clear(model, "external_data", "data_location")
    return model, beside


def _location(tensor: onnx.TensorProto) -> str:
    """The file that a tensor outside names; "" where it names none."""
    places: dict[str, str] = {entry.key: entry.value for entry in tensor.external_data}
    return places.get("location", "")


def _check_size(path: Path, size: int) -> None:
    if size > PROTOBUF_LIMIT:
        raise ExporterError(
            f"the graph {path.name} with its weights has {size / 2**30:.1f} GiB; one ONNX file "
            "holds less than 2 GiB",
            "Export a smaller model.",
        )


def _check_valid(model: onnx.ModelProto, path: Path, full: bool = False) -> None:
    import onnx

    try:
        onnx.checker.check_model(model, full_check=full)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExporterError(
            f"the graph {path.name} is not valid ONNX: {' '.join(str(error).split())}"
        ) from error
