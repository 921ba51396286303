"""A graph's inputs and outputs, held against what ``dummy_input`` declared.

Exporters were found to write graphs that are bound to the traced length and to warn of nothing. So
a graph is run at every size of the grid before its axes are called dynamic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from logexport.errors import ExporterError
from logexport.exporters.capture import one_line
from logexport.exporters.drawing import draw, traced_sizes
from logexport.exporters.graph import Shape, open_session
from logexport.types import DummyInput, Sizes

if TYPE_CHECKING:
    import numpy as np
    import onnx

PLUGIN = "the model's plugin"
"""Who is at fault where dummy_input is: the host, which knows its name, has asked before."""


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


def check_declared(model: onnx.ModelProto, dummy: DummyInput) -> None:
    """Refuse a graph that does not declare the inputs, outputs and axes that ``dummy`` declares.

    Raises:
        GraphShapeError: other names, types or numbers of axes.
        StaticAxisError: the graph itself fixes an axis that must be dynamic.
    """
    _check_names(model, dummy)
    _check_traced_axes(model, dummy)


def confirm_shapes(model: onnx.ModelProto, dummy: DummyInput, grid: Sequence[Sizes]) -> None:
    """Run a graph at the traced sizes and at every size of ``grid``; write the shapes into it that
    all runs confirm.

    Args:
        model: as :func:`check_declared` lets it pass; changed in place.
        dummy: names, dynamic axes, and how to draw inputs.
        grid: axis name to size, each entry one run.

    Raises:
        StaticAxisError: some sizes do not run, or an output has another size than declared.
        GraphShapeError: an output's number of axes or a fixed size changes from run to run.
        ExporterError: the graph does not run even at the traced sizes.
        PluginError: ``dummy.draw`` does not give what ``dummy`` declares.
    """
    traced = traced_sizes(dummy, PLUGIN)
    for value, tensor, name in zip(
        model.graph.input, dummy.tensors, dummy.input_names, strict=True
    ):
        _set_shape(value, _with_axis_names(dummy, name, tuple(tensor.shape)))
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    observed = _run_grid(model, dummy, traced, grid)
    for value, shape in zip(model.graph.output, _output_shapes(dummy, observed), strict=True):
        _set_shape(value, shape)


def _check_names(model: onnx.ModelProto, dummy: DummyInput) -> None:
    for what, values, wanted in (
        ("inputs", model.graph.input, dummy.input_names),
        ("outputs", model.graph.output, dummy.output_names),
    ):
        found = tuple(value.name for value in values)
        if found != tuple(wanted):
            raise GraphShapeError(
                f"the graph's {what} are {_names(found)}, declared were {_names(wanted)}",
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


def _with_axis_names(dummy: DummyInput, name: str, sizes: Sequence[int]) -> Shape:
    axes = dummy.dynamic_axes.get(name, {})
    return tuple(axes.get(axis, int(size)) for axis, size in enumerate(sizes))


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
