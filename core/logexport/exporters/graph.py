"""A graph's file, read back: what it is, and a session that runs it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logexport import onnx_model
from logexport.errors import ExporterError
from logexport.exporters.capture import one_line
from logexport.runtime import import_onnxruntime
from logexport.types import GraphInfo

if TYPE_CHECKING:
    import onnx

Shape = tuple[str | int, ...]


def read_graph(path: Path) -> GraphInfo:
    """What the graph at ``path`` is, from the file alone.

    Raises:
        ExporterError: it is not an ONNX graph.
    """
    import onnx

    data = path.read_bytes()
    try:
        model = onnx.load_from_string(data)
    except Exception as error:  # protobuf's DecodeError: its module differs between versions
        raise ExporterError(f"{path} is not an ONNX graph: {one_line(error)}") from error
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    graph = model.graph
    return GraphInfo(
        path=path,
        opset_version=opsets.get("", opsets.get("ai.onnx", 0)),
        ir_version=model.ir_version,
        input_names=tuple(value.name for value in graph.input),
        output_names=tuple(value.name for value in graph.output),
        input_shapes=tuple(_shape(value) for value in graph.input),
        output_shapes=tuple(_shape(value) for value in graph.output),
        node_count=sum(1 for _ in onnx_model.nodes(model)),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _shape(value: onnx.ValueInfoProto) -> Shape:
    return tuple(
        dim.dim_value if dim.HasField("dim_value") else dim.dim_param
        for dim in value.type.tensor_type.shape.dim
    )


def dynamic_axes(graph: GraphInfo) -> dict[str, dict[str, str]]:
    """The metadata's ``dynamic_axes``: input or output → axis number, as text → axis name."""
    names = (*graph.input_names, *graph.output_names)
    shapes = (*graph.input_shapes, *graph.output_shapes)
    return {
        name: {str(axis): size for axis, size in enumerate(shape) if isinstance(size, str)}
        for name, shape in zip(names, shapes, strict=True)
        if any(isinstance(size, str) for size in shape)
    }


def open_session(model: bytes | Path) -> Any:
    """An ONNX Runtime session on one thread, quiet."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # fatal: errors come as exceptions anyway
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
