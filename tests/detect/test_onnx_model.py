"""Tensors are found wherever an ONNX model can hold one, and refused where they lie outside."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logexport.errors import BundleError
from logexport.exporters import read_graph
from logexport.verdicts.scorers import OnnxRuntimeScorer

from tests.detect.fakes import write_event_graph
from tests.onnx_places import everything, places, plant, send_outside

PLACES = places()


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """A graph that runs."""
    return write_event_graph(tmp_path / "graph.onnx", 4)


def test_the_places_are_those_where_weights_have_been_hidden() -> None:
    """What the format has had for years; a release that has more is walked without this list."""
    assert {
        ("graph", "initializer"),
        ("graph", "sparse_initializer", "values"),
        ("graph", "sparse_initializer", "indices"),
        ("graph", "node", "attribute", "t"),
        ("graph", "node", "attribute", "sparse_tensors", "values"),
        ("graph", "node", "attribute", "g", "initializer"),
        ("functions", "node", "attribute", "tensors"),
        ("functions", "attribute_proto", "t"),
        ("training_info", "initialization", "initializer"),
        (
            "training_info",
            "algorithm",
            "node",
            "attribute",
            "graphs",
            "sparse_initializer",
            "values",
        ),
    } <= set(PLACES)


@pytest.mark.parametrize("way", ["location", "entries", "both"])
def test_a_tensor_outside_is_refused_before_the_graph_is_run_wherever_it_is(
    graph: Path, way: str
) -> None:
    whole = graph.read_bytes()
    missed = []
    for place in PLACES:
        model = onnx.load_from_string(whole)
        send_outside(plant(model, place), way)
        graph.write_bytes(model.SerializeToString())
        try:
            OnnxRuntimeScorer(graph)
        except BundleError as error:
            if "the weights 'planted' lie in another file" in str(error):
                continue
        missed.append(".".join(place))
    assert missed == []


@pytest.mark.parametrize("way", ["location", "entries", "both"])
def test_the_check_of_an_export_names_a_tensor_outside_wherever_it_is(
    graph: Path, way: str
) -> None:
    from logexport.checks.structure import structure

    whole = graph.read_bytes()
    info = read_graph(graph)
    context = SimpleNamespace(
        request=SimpleNamespace(opset=None),
        dummy=SimpleNamespace(
            input_names=info.input_names,
            output_names=info.output_names,
            dynamic_axes={
                name: {axis: size for axis, size in enumerate(shape) if isinstance(size, str)}
                for name, shape in zip(
                    (*info.input_names, *info.output_names),
                    (*info.input_shapes, *info.output_shapes),
                    strict=True,
                )
            },
        ),
        bundle=SimpleNamespace(graph=info, meta={"opset_version": info.opset_version}),
    )
    assert structure(context).status == "passed"  # type: ignore[arg-type]
    missed = []
    for place in PLACES:
        model = onnx.load_from_string(whole)
        send_outside(plant(model, place), way)
        graph.write_bytes(model.SerializeToString())
        result = structure(context)  # type: ignore[arg-type]
        if result.status != "failed" or "weights outside the file: planted" not in result.message:
            missed.append(".".join(place))
    assert missed == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), st.booleans()), max_size=8))
def test_every_tensor_graph_and_node_is_found(planted: list[tuple[tuple[str, ...], bool]]) -> None:
    from logexport import onnx_model

    model = onnx.ModelProto()
    for number, (place, is_outside) in enumerate(planted):
        tensor = plant(model, place, f"t{number}")
        if is_outside:
            send_outside(tensor)
    for kind, found in (
        (onnx.TensorProto, onnx_model.tensors(model)),
        (onnx.GraphProto, onnx_model.graphs(model)),
        (onnx.NodeProto, onnx_model.nodes(model)),
    ):
        assert list(found) == [part for part in everything(model) if isinstance(part, kind)]
    # A field that holds one message holds the last that was planted.
    left = {tensor.name for tensor in onnx_model.tensors(model)}
    assert {tensor.name for tensor in onnx_model.outside(model)} == left & {
        f"t{number}" for number, (_, is_outside) in enumerate(planted) if is_outside
    }


def test_what_stands_inside_another_is_left_out_where_it_is_asked() -> None:
    from logexport import onnx_model

    model = onnx.ModelProto()
    plant(model, ("graph", "node", "attribute", "g", "node", "attribute", "graphs", "initializer"))
    (node,) = model.graph.node
    assert len(list(onnx_model.graphs(node))) == 2
    (inner,) = onnx_model.find(node, onnx.GraphProto, nested=False)
    assert inner == node.attribute[0].g


def test_a_field_is_emptied_in_everything_that_has_it() -> None:
    from logexport import onnx_model

    model = onnx.ModelProto()
    for place in PLACES:
        plant(model, place)
    having = [part for part in everything(model) if "doc_string" in part.DESCRIPTOR.fields_by_name]
    for part in having:
        part.doc_string = "prose"
    assert len({type(part).__name__ for part in having}) >= 6
    onnx_model.clear(model, "doc_string", "a name that nothing has")
    assert b"prose" not in model.SerializeToString()
    assert len(list(onnx_model.tensors(model))) == len(
        [part for part in everything(model) if isinstance(part, onnx.TensorProto)]
    )
