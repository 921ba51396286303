"""Make of a written graph the one file that a bundle holds, and read back what it is.

Whatever strategy wrote it: weights inside, no stack traces, doc strings or paths of this machine,
value and node names that do not change from one export to the next, and input and output shapes
that ONNX Runtime confirmed at every size of the grid.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logexport import onnx_model
from logexport.errors import ExporterError
from logexport.exporters.capture import one_line
from logexport.files import replace_file
from logexport.hosting.answers import draw, traced_sizes
from logexport.runtime import import_onnxruntime
from logexport.types import DummyInput, GraphInfo, Sizes

if TYPE_CHECKING:
    import numpy as np
    import onnx

PROTOBUF_LIMIT = 2**31 - 1
"""A protocol buffer message, and so a graph with its weights inside, is smaller than 2 GiB."""

NEWEST_IR = 10
"""What ONNX Runtime 1.19, the oldest that the C engine can open, reads; enough for opset 20."""

GRAPH_NAME = "main_graph"

PLUGIN = "the model's plugin"
"""Who is at fault where dummy_input is: the host, which knows its name, has asked before."""

Shape = tuple[str | int, ...]


class GraphShapeError(ExporterError):
    """The graph's inputs or outputs are not those that ``dummy_input`` declared."""


class StaticAxisError(ExporterError):
    """A declared dynamic axis is bound to the traced size: the graph is refused.

    Attributes:
        sizes: the sizes at which it failed; empty where the graph itself declares the axis fixed.
        detail: what ONNX Runtime or the graph said.
    """

    def __init__(self, problem: str, sizes: Sizes, detail: str) -> None:
        super().__init__(problem, "Another export strategy may keep the axis dynamic.")
        self.sizes = dict(sizes)
        self.detail = detail


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
    _tidy(model)
    _check_names(model, dummy)
    _check_traced_axes(model, dummy)
    traced = traced_sizes(dummy, PLUGIN)
    for value, tensor, name in zip(
        model.graph.input, dummy.tensors, dummy.input_names, strict=True
    ):
        _set_shape(value, _declared(dummy, name, tuple(tensor.shape)))
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    observed = _run_grid(model, dummy, traced, dummy.grid if grid is None else grid)
    for value, shape in zip(model.graph.output, _output_shapes(dummy, observed), strict=True):
        _set_shape(value, shape)
    _check_valid(model, path, full=True)
    replace_file(path, model.SerializeToString(deterministic=True))
    for leftover in beside:
        leftover.unlink(missing_ok=True)
    return read_graph(path)


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


# --- loading and saving ---------------------------------------------------------------------------


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
    said: dict[str, str] = {entry.key: entry.value for entry in tensor.external_data}
    return said.get("location", "")


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


# --- what is in the graph -------------------------------------------------------------------------


def _tidy(model: onnx.ModelProto) -> None:
    """Leave what is computed and drop what is told about it.

    How the model was trained is not computed either: no runtime reads it, and it would bring
    weights, graphs and names of its own into the file. What annotates values by name (for
    quantization, for devices) names none that is left when the values have new names.
    """
    if model.functions:
        import onnx.inliner  # since onnx 1.15

        _give_defaults(model)
        model.CopyFrom(onnx.inliner.inline_local_functions(model))
    model.graph.name = GRAPH_NAME
    model.ClearField("training_info")
    _drop_initializers(model.graph)
    strip_prose(model)
    onnx_model.clear(model, "value_info", "quantization_annotation")
    onnx_model.clear(model, "configuration", "device_configurations")
    for graph in onnx_model.graphs(model.graph):
        if graph is not model.graph:
            for value in (*graph.input, *graph.output):
                # Symbolic leftovers of the exporter; ONNX Runtime infers shapes inside.
                if value.type.HasField("tensor_type"):
                    value.type.tensor_type.ClearField("shape")
    _rename(model.graph)


def _give_defaults(model: onnx.ModelProto) -> None:
    """Write into every call the defaults of a function's attributes, which the inliner forgets."""
    functions = {(one.domain, one.name, one.overload): one for one in model.functions}
    for node in onnx_model.nodes(model):
        function = functions.get((node.domain, node.op_type, node.overload))
        if function is not None:
            given = {attribute.name for attribute in node.attribute}
            node.attribute.extend(
                default for default in function.attribute_proto if default.name not in given
            )


def strip_prose(model: onnx.ModelProto) -> None:
    """Remove doc strings and the exporters' stack traces, which hold paths of this machine."""
    onnx_model.clear(model, "doc_string", "metadata_props")


def _drop_initializers(graph: onnx.GraphProto) -> None:
    """Remove weights that nothing reads, and weights that are declared as inputs too."""
    weights = {tensor.name for tensor in graph.initializer}
    weights |= {sparse.values.name for sparse in graph.sparse_initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != len(graph.input):
        del graph.input[:]
        graph.input.extend(inputs)
    read = {name for node in onnx_model.nodes(graph) for name in node.input}
    read |= {value.name for inner in onnx_model.graphs(graph) for value in inner.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    if len(kept) != len(graph.initializer):
        del graph.initializer[:]
        graph.initializer.extend(kept)
    sparse = [one for one in graph.sparse_initializer if one.values.name in read]
    if len(sparse) != len(graph.sparse_initializer):
        del graph.sparse_initializer[:]
        graph.sparse_initializer.extend(sparse)


# --- names ----------------------------------------------------------------------------------------

# A parameter's path in the module, such as `lstm.weight_ih_l0`. What exporters make up for folded
# constants ends in a running number (`val_44`, `onnx::LSTM_195`) and may change between exports.
PARAMETER = re.compile(r"[A-Za-z_]\w*(\.\w+)+|[A-Za-z_]*[A-Za-z]")


def _rename(graph: onnx.GraphProto) -> None:
    """Number values and nodes in the order of the file; keep what the model itself has named."""
    fixed = {value.name for value in (*graph.input, *graph.output)}
    names = {name: name for name in fixed}
    taken = set(fixed)
    for tensor in graph.initializer:
        if PARAMETER.fullmatch(tensor.name) and tensor.name not in taken:
            names[tensor.name] = tensor.name
            taken.add(tensor.name)
    _Renamer(taken).graph(graph, names)


class _Renamer:
    """Gives new names in one walk; inner graphs see the names around them."""

    def __init__(self, taken: set[str]) -> None:
        self.taken = taken
        self.numbers: dict[str, int] = {}

    def new(self, stem: str) -> str:
        while True:
            number = self.numbers.get(stem, 0)
            self.numbers[stem] = number + 1
            name = f"{stem}_{number}"
            if name not in self.taken:
                self.taken.add(name)
                return name

    def graph(self, graph: onnx.GraphProto, outer: Mapping[str, str]) -> None:
        names = dict(outer)
        inner = graph.name != GRAPH_NAME
        if inner:
            graph.name = self.new("graph")
            for value in graph.input:
                names[value.name] = self.new("value")
                value.name = names[value.name]
        for tensor in graph.initializer:
            if inner or tensor.name not in names:
                names[tensor.name] = self.new("constant")
            tensor.name = names[tensor.name]
        for sparse in graph.sparse_initializer:
            if inner or sparse.values.name not in names:
                names[sparse.values.name] = self.new("constant")
            sparse.values.name = names[sparse.values.name]
        for node in graph.node:
            self.node(node, names, inner)
        if inner:
            for value in graph.output:
                value.name = names[value.name]

    def node(self, node: onnx.NodeProto, names: dict[str, str], inner: bool) -> None:
        import onnx

        node.name = self.new(node.op_type)
        node.input[:] = [names[name] if name else "" for name in node.input]
        for graph in onnx_model.find(node, onnx.GraphProto, nested=False):
            self.graph(graph, names)
        for index, name in enumerate(node.output):
            if not name:
                continue
            if inner or name not in names:
                names[name] = self.new("value")
            node.output[index] = names[name]


# --- inputs and outputs ---------------------------------------------------------------------------


def _check_names(model: onnx.ModelProto, dummy: DummyInput) -> None:
    for what, values, declared in (
        ("inputs", model.graph.input, dummy.input_names),
        ("outputs", model.graph.output, dummy.output_names),
    ):
        found = tuple(value.name for value in values)
        if found != tuple(declared):
            raise GraphShapeError(
                f"the graph's {what} are {_names(found)}, declared were {_names(declared)}",
                "The module's inputs and outputs must be those of dummy_input, in its order.",
            )
        for value in values:
            if not value.type.HasField("tensor_type"):
                raise GraphShapeError(f"{value.name!r} among the graph's {what} is not a tensor")


def _names(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _check_traced_axes(model: onnx.ModelProto, dummy: DummyInput) -> None:
    """Refuse a graph whose own declaration fixes an axis that must be dynamic."""
    for value, tensor in zip(model.graph.input, dummy.tensors, strict=True):
        shape = value.type.tensor_type.shape
        if not value.type.tensor_type.HasField("shape"):
            continue
        if len(shape.dim) != tensor.dim():
            raise GraphShapeError(
                f"the graph's input {value.name!r} has {len(shape.dim)} axes, declared were "
                f"{tensor.dim()}"
            )
        for axis, label in dummy.dynamic_axes.get(value.name, {}).items():
            if shape.dim[axis].HasField("dim_value"):
                size = shape.dim[axis].dim_value
                raise StaticAxisError(
                    f"the exporter fixed axis {axis} ({label}) of the input {value.name!r} at "
                    f"{size}",
                    {},
                    f"input {value.name}: dim {axis} = {size}",
                )


def _declared(dummy: DummyInput, name: str, sizes: Sequence[int]) -> Shape:
    axes = dummy.dynamic_axes.get(name, {})
    return tuple(axes.get(axis, int(size)) for axis, size in enumerate(sizes))


def _shape(value: onnx.ValueInfoProto) -> Shape:
    return tuple(
        dim.dim_value if dim.HasField("dim_value") else dim.dim_param
        for dim in value.type.tensor_type.shape.dim
    )


def _set_shape(value: onnx.ValueInfoProto, shape: Shape) -> None:
    value.type.tensor_type.ClearField("shape")
    value.type.tensor_type.shape.SetInParent()  # no axes at all is a shape too: a scalar's
    for size in shape:
        dim = value.type.tensor_type.shape.dim.add()
        if isinstance(size, str):
            dim.dim_param = size
        else:
            dim.dim_value = size


# --- running --------------------------------------------------------------------------------------

Observed = tuple[dict[str, int], tuple[tuple[int, ...], ...]]
"""The sizes of a run, and the shape of each output."""


def open_session(model: bytes | Path) -> Any:
    """An ONNX Runtime session on one thread, quiet ."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # fatal: errors come as exceptions anyway
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def _run_grid(
    model: onnx.ModelProto, dummy: DummyInput, traced: Mapping[str, int], grid: Sequence[Sizes]
) -> list[Observed]:
    import numpy as np

    try:
        session = open_session(model.SerializeToString())
    except Exception as error:  # onnxruntime's own exceptions have no common public base
        raise ExporterError(f"ONNX Runtime cannot load the graph: {one_line(error)}") from error
    runs: list[Observed] = []
    inputs: tuple[np.ndarray[Any, Any], ...] = tuple(t.detach().numpy() for t in dummy.tensors)
    try:
        runs.append((dict(traced), _run(session, dummy, inputs)))
    except Exception as error:  # as above
        raise ExporterError(
            f"ONNX Runtime cannot run the graph at the traced sizes {_sizes(traced)}: "
            f"{one_line(error)}"
        ) from error
    generator = np.random.default_rng(0)
    for sizes in grid:
        inputs = draw(dummy, sizes, PLUGIN, generator)
        try:
            runs.append((dict(sizes), _run(session, dummy, inputs)))
        except Exception as error:  # as above
            detail = one_line(error)
            raise StaticAxisError(
                f"the graph runs at the traced sizes ({_sizes(traced)}) and not at "
                f"{_sizes(sizes)}: {detail}",
                sizes,
                detail,
            ) from error
    return runs


def _run(
    session: Any, dummy: DummyInput, inputs: Sequence[np.ndarray[Any, Any]]
) -> tuple[tuple[int, ...], ...]:
    feed = dict(zip(dummy.input_names, inputs, strict=True))
    return tuple(tuple(output.shape) for output in session.run(list(dummy.output_names), feed))


def _sizes(sizes: Sizes) -> str:
    return ", ".join(f"{name} {size}" for name, size in sizes.items()) or "none dynamic"


def _output_shapes(dummy: DummyInput, runs: Sequence[Observed]) -> list[Shape]:
    """Declared axis names, and for the rest the size that every run has had."""
    shapes: list[Shape] = []
    for index, name in enumerate(dummy.output_names):
        axes = dummy.dynamic_axes.get(name, {})
        first_sizes, first = runs[0][0], runs[0][1][index]
        unknown = sorted(axis for axis in axes if axis >= len(first))
        if unknown:
            raise GraphShapeError(
                f"the output {name!r} has {len(first)} axes; axis {unknown[0]} is declared dynamic"
            )
        for sizes, outputs in runs:
            found = outputs[index]
            if len(found) != len(first):
                raise GraphShapeError(
                    f"the output {name!r} has {len(first)} axes at {_sizes(first_sizes)} and "
                    f"{len(found)} at {_sizes(sizes)}"
                )
            for axis, size in enumerate(found):
                _check_axis(name, axis, axes.get(axis), size, sizes, first[axis], first_sizes)
        shapes.append(tuple(axes.get(axis, size) for axis, size in enumerate(first)))
    return shapes


def _check_axis(
    name: str,
    axis: int,
    label: str | None,
    size: int,
    sizes: Sizes,
    first: int,
    first_sizes: Sizes,
) -> None:
    if label is None:
        if size != first:
            raise GraphShapeError(
                f"axis {axis} of the output {name!r} is declared fixed, and is {first} at "
                f"{_sizes(first_sizes)} and {size} at {_sizes(sizes)}",
                "Declare it in dummy_input's dynamic_axes.",
            )
    elif label in sizes and size != sizes[label]:
        detail = f"output {name}: axis {axis} ({label}) is {size}"
        raise StaticAxisError(
            f"axis {axis} ({label}) of the output {name!r} is {size} at {_sizes(sizes)}",
            sizes,
            detail,
        )
