"""Leave in a graph what is computed, under names that do not change from export to export."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from logexport import onnx_model

if TYPE_CHECKING:
    import onnx

GRAPH_NAME = "main_graph"


def tidy_graph(model: onnx.ModelProto) -> None:
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
