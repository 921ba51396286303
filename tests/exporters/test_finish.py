"""What finishing does to a graph, whoever wrote it: graphs made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from logexport.errors import ExporterError, PluginError
from logexport.exporters import (
    GraphShapeError,
    StaticAxisError,
    finish,
    finish_graph,
    read_graph,
    write_variant,
)

from tests.exporters.cases import float_dummy

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.torch

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from tests.onnx_places import everything  # noqa: E402

FLOAT = TensorProto.FLOAT
WEIGHT = np.arange(12, dtype=np.float32).reshape(4, 3)


def make_model(
    nodes: list[onnx.NodeProto],
    initializers: list[onnx.TensorProto],
    input_shape: list[str | int] | None = None,
    output_shape: list[str | int] | None = None,
    **more: object,
) -> onnx.ModelProto:
    """A graph from ``values`` to ``result``."""
    graph = helper.make_graph(
        nodes,
        "whatever",
        [helper.make_tensor_value_info("values", FLOAT, input_shape or ["s0", 4])],
        [helper.make_tensor_value_info("result", FLOAT, output_shape or ["s0", "s1"])],
        initializers,
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, **more
    )


def weight(name: str = "fc.weight") -> onnx.TensorProto:
    return numpy_helper.from_array(WEIGHT, name)


def linear(**more: object) -> onnx.ModelProto:
    return make_model(
        [
            helper.make_node("MatMul", ["values", "fc.weight"], ["val_17"], "node_MatMul_3"),
            helper.make_node("Relu", ["val_17"], ["result"], "node_Relu_9"),
        ],
        [weight()],
        **more,
    )


def saved(model: onnx.ModelProto, directory: Path) -> Path:
    path = directory / "graph.onnx"
    onnx.save(model, str(path))
    return path


def run(path: Path, values: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"values": values})[0]


def test_values_and_nodes_are_numbered_and_parameters_keep_their_names(tmp_path: Path) -> None:
    path = saved(linear(), tmp_path)
    info = finish_graph(path, float_dummy())
    graph = onnx.load(str(path)).graph
    assert [(n.name, list(n.input), list(n.output)) for n in graph.node] == [
        ("MatMul_0", ["values", "fc.weight"], ["value_0"]),
        ("Relu_0", ["value_0"], ["result"]),
    ]
    assert [tensor.name for tensor in graph.initializer] == ["fc.weight"]
    assert info.node_count == 2
    assert info.opset_version == 17
    assert info.input_shapes == (("batch_size", 4),)
    assert info.output_shapes == (("batch_size", 3),)
    assert info == read_graph(path)


def test_other_names_for_the_same_graph_give_the_same_bytes(tmp_path: Path) -> None:
    made = {}
    for name in ("val_44", "onnx::MatMul_195"):
        model = make_model(
            [
                helper.make_node("MatMul", ["values", name], [f"{name}_out"], f"node_{name}"),
                helper.make_node("Relu", [f"{name}_out"], ["result"]),
            ],
            [weight(name)],
        )
        path = saved(model, tmp_path)
        finish_graph(path, float_dummy())
        made[name] = path.read_bytes()
    assert len(set(made.values())) == 1
    assert [t.name for t in onnx.load_from_string(made["val_44"]).graph.initializer] == [
        "constant_0"
    ]


def test_a_made_up_name_never_meets_one_that_is_kept(tmp_path: Path) -> None:
    # The input is called what the first value would be called.
    model = linear()
    model.graph.input[0].name = "value_0"
    model.graph.node[0].input[0] = "value_0"
    dummy = float_dummy()
    dummy = replace(
        dummy,
        input_names=("value_0",),
        dynamic_axes={"value_0": {0: "batch_size"}, "result": {0: "batch_size"}},
    )
    path = saved(model, tmp_path)
    finish_graph(path, dummy)
    node = onnx.load(str(path)).graph.node[0]
    assert list(node.input) == ["value_0", "fc.weight"]
    assert list(node.output) == ["value_1"]


def test_prose_is_removed_everywhere(tmp_path: Path) -> None:
    model = linear(doc_string="/home/somebody/model.py")
    model.graph.doc_string = "/home/somebody"
    for part in (model.graph.node[0], model.graph.input[0], model.graph.initializer[0]):
        part.doc_string = 'File "/home/somebody/site-packages/torch/nn.py", line 1'
    for part in (model, model.graph, model.graph.node[0], model.graph.output[0]):
        if "metadata_props" in part.DESCRIPTOR.fields_by_name:
            part.metadata_props.add(key="pkg.torch.onnx.stack_trace", value="/home/somebody/a.py")
    path = saved(model, tmp_path)
    assert b"/home/somebody" in path.read_bytes()
    finish_graph(path, float_dummy())
    assert b"somebody" not in path.read_bytes()
    assert b"stack_trace" not in path.read_bytes()


def test_weights_beside_the_graph_are_folded_in_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "graph.onnx"
    onnx.save(
        linear(),
        str(path),
        save_as_external_data=True,
        location="graph.onnx.data",
        size_threshold=0,
    )
    assert (tmp_path / "graph.onnx.data").is_file()
    finish_graph(path, float_dummy())
    assert [entry.name for entry in tmp_path.iterdir()] == ["graph.onnx"]
    values = np.ones((2, 4), dtype=np.float32)
    np.testing.assert_array_equal(run(path, values), values @ WEIGHT)


def test_weights_elsewhere_are_refused(tmp_path: Path) -> None:
    model = linear()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../weights.bin")
    (tmp_path / "weights.bin").write_bytes(WEIGHT.tobytes())
    (tmp_path / "inner").mkdir()
    path = tmp_path / "inner" / "graph.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ExporterError, match=r"'weights\.bin', which is not beside it"):
        finish_graph(path, float_dummy())


def held_everywhere() -> onnx.ModelProto:
    """A graph with a weight in every kind of place that is computed, and what nothing computes."""
    body = helper.make_node("Constant", [], ["inner"])
    body.attribute.add(name="value", ref_attr_name="weight", type=onnx.AttributeProto.TENSOR)
    added = helper.make_node("Constant", [], ["more"], value=weight("in the body"))
    summed = [helper.make_node("Add", ["inner", "more"], ["sum"])]
    function = helper.make_function(
        "pkg.somebody",
        "Product",
        ["x"],
        ["y"],
        [body, added, *summed, helper.make_node("MatMul", ["x", "sum"], ["y"])],
        [helper.make_opsetid("", 17)],
        attribute_protos=[helper.make_attribute("weight", weight("the default"))],
    )

    def branch(name: str) -> onnx.GraphProto:
        return helper.make_graph(
            [helper.make_node("Add", ["product", "bias"], [name])],
            name,
            [],
            [helper.make_tensor_value_info(name, FLOAT, None)],
            [numpy_helper.from_array(np.float32([1, 2, 3]), "bias")],
        )

    sparse = helper.make_sparse_tensor(
        numpy_helper.from_array(np.float32([5, 7]), "sparse"),
        numpy_helper.from_array(np.int64([1, 11]), "places"),
        [4, 3],
    )
    nodes = [
        helper.make_node("Product", ["values"], ["called"], domain="pkg.somebody"),
        helper.make_node("Constant", [], ["sparse"], sparse_value=sparse),
        helper.make_node("MatMul", ["values", "sparse"], ["sparsely"]),
        helper.make_node("Add", ["called", "sparsely"], ["product"]),
        helper.make_node("ReduceSum", ["values"], ["total"], keepdims=0),
        helper.make_node("Cast", ["total"], ["any"], to=TensorProto.BOOL),
        helper.make_node(
            "If", ["any"], ["branched"], then_branch=branch("yes"), else_branch=branch("no")
        ),
        helper.make_node("MatMul", ["values", "fc.weight"], ["dense"]),
        helper.make_node("Add", ["branched", "dense"], ["result"]),
    ]
    model = make_model(nodes, [weight()], functions=[function])
    model.opset_import.append(helper.make_opsetid("pkg.somebody", 1))
    annotation = model.graph.quantization_annotation.add(tensor_name="product")
    annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="fc.weight")
    training = model.training_info.add()
    training.algorithm.name = "learning"
    training.algorithm.node.append(helper.make_node("Identity", ["rate"], ["step"]))
    training.algorithm.initializer.append(numpy_helper.from_array(np.float32([0.1]), "rate"))
    training.algorithm.output.append(helper.make_tensor_value_info("step", FLOAT, [1]))
    training.update_binding.add(key="fc.weight", value="step")
    return model


def expected_everywhere(values: np.ndarray) -> np.ndarray:
    sparse = np.zeros((4, 3), dtype=np.float32)
    sparse[0, 1], sparse[3, 2] = 5, 7
    return values @ (WEIGHT * 3 + sparse) + np.float32([1, 2, 3])


def test_weights_beside_the_graph_are_folded_in_wherever_they_are_read(tmp_path: Path) -> None:
    model = held_everywhere()
    tensors = [part for part in everything(model) if isinstance(part, TensorProto)]
    assert len(tensors) == 8
    for number, tensor in enumerate(tensors):
        (tmp_path / f"weights.{number}").write_bytes(tensor.raw_data)
        onnx.external_data_helper.set_external_data(tensor, f"weights.{number}")
        tensor.ClearField("raw_data")
    path = saved(model, tmp_path)
    finish_graph(path, float_dummy())
    assert [entry.name for entry in tmp_path.iterdir()] == ["graph.onnx"]
    finished = onnx.load(str(path), load_external_data=False)
    for part in everything(finished):
        if isinstance(part, TensorProto):
            assert not part.external_data
            assert not part.HasField("data_location")
    values = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
    np.testing.assert_allclose(run(path, values), expected_everywhere(values), rtol=1e-6)


def test_prose_is_removed_from_everything_that_can_hold_it(tmp_path: Path) -> None:
    model = held_everywhere()
    written = set()
    for part in list(everything(model)):
        fields = part.DESCRIPTOR.fields_by_name
        if "doc_string" in fields:
            part.doc_string = 'File "/home/somebody/site-packages/torch/nn.py", line 1'
            written.add(part.DESCRIPTOR.name)
        if "metadata_props" in fields:
            part.metadata_props.add(key="pkg.torch.onnx.stack_trace", value="/home/somebody/a.py")
    assert written >= {"FunctionProto", "TensorProto", "AttributeProto", "ValueInfoProto"}
    path = saved(model, tmp_path)
    finish_graph(path, float_dummy())
    assert b"somebody" not in path.read_bytes().replace(b"pkg.somebody", b"")
    assert b"stack_trace" not in path.read_bytes()


def test_a_function_that_cannot_be_inlined_is_rid_of_prose_too(tmp_path: Path) -> None:
    model = make_model(
        [helper.make_node("Twice", ["values"], ["result"], domain="pkg.other")], [], functions=[]
    )
    model.opset_import.append(helper.make_opsetid("pkg.other", 1))
    nodes = [helper.make_node("Add", ["x", "x"], ["y"], doc_string="/home/somebody/a.py")]
    # Written for another opset than the graph's: onnx leaves it a function.
    imports = [helper.make_opsetid("", 16)]
    function = helper.make_function("pkg.other", "Twice", ["x"], ["y"], nodes, imports)
    function.doc_string = "/home/somebody"
    model.functions.append(function)
    path = saved(model, tmp_path)
    info = finish_graph(path, float_dummy())
    assert len(onnx.load(str(path)).functions) == 1
    assert info.node_count == 2
    assert b"somebody" not in path.read_bytes()


def test_what_nothing_computes_is_left_out(tmp_path: Path) -> None:
    path = saved(held_everywhere(), tmp_path)
    finish_graph(path, float_dummy())
    model = onnx.load(str(path))
    assert not model.training_info
    assert not model.graph.quantization_annotation
    values = np.ones((2, 4), dtype=np.float32)
    np.testing.assert_allclose(run(path, values), expected_everywhere(values), rtol=1e-6)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({}, "has weights outside, and does not say in which file"),
        (
            {"location": "weights.bin", "offset": "1000"},
            r"weights in 'weights\.bin'|not valid ONNX",
        ),
        ({"location": "weights.bin", "length": "many"}, r"'weights\.bin' that cannot be read"),
    ],
)
def test_weights_whose_place_is_wrong_are_one_sentence(
    entries: dict[str, str], message: str, tmp_path: Path
) -> None:
    (tmp_path / "weights.bin").write_bytes(WEIGHT.tobytes())
    model = linear()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    path = tmp_path / "graph.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ExporterError, match=message):
        finish_graph(path, float_dummy())


def test_unread_weights_and_weights_declared_as_inputs_are_dropped(tmp_path: Path) -> None:
    model = linear()
    model.graph.initializer.append(weight("fc.unused"))
    model.graph.sparse_initializer.append(
        helper.make_sparse_tensor(
            numpy_helper.from_array(np.float32([5]), "sparse.unused"),
            numpy_helper.from_array(np.int64([1])),
            [4, 3],
        )
    )
    model.graph.input.append(helper.make_tensor_value_info("fc.weight", FLOAT, [4, 3]))
    path = saved(model, tmp_path)
    info = finish_graph(path, float_dummy())
    assert info.input_names == ("values",)
    graph = onnx.load(str(path)).graph
    assert [t.name for t in graph.initializer] == ["fc.weight"]
    assert not graph.sparse_initializer


def test_graphs_inside_nodes_are_renamed_stripped_and_still_mean_the_same(tmp_path: Path) -> None:
    def branch(name: str, op: str) -> onnx.GraphProto:
        graph = helper.make_graph(
            [
                helper.make_node(op, ["val_1", "val_3"], ["val_9"], "same"),
                helper.make_node("Identity", ["val_9"], [name], "same", doc_string="/home/x.py"),
            ],
            name,
            [],
            [helper.make_tensor_value_info(name, FLOAT, ["Resizeleftover_dim_1", None])],
            [numpy_helper.from_array(np.float32(10), "val_3")],
        )
        graph.doc_string = "/home/x.py"
        return graph

    nodes = [
        helper.make_node("MatMul", ["values", "fc.weight"], ["val_1"]),
        helper.make_node("ReduceSum", ["values"], ["val_2"], keepdims=0),
        helper.make_node("Greater", ["val_2", "val_0"], ["val_5"]),
        helper.make_node(
            "If",
            ["val_5"],
            ["result"],
            then_branch=branch("yes", "Mul"),
            else_branch=branch("no", "Add"),
        ),
    ]
    constant = numpy_helper.from_array(np.float32(0), "val_0")
    path = saved(make_model(nodes, [weight(), constant]), tmp_path)
    info = finish_graph(path, float_dummy())
    data = path.read_bytes()
    for leftover in (b"val_", b"/home", b"leftover"):
        assert leftover not in data
    assert info.node_count == 8
    values = np.ones((2, 4), dtype=np.float32)
    np.testing.assert_array_equal(run(path, values), values @ WEIGHT * 10)
    np.testing.assert_array_equal(run(path, -values), -values @ WEIGHT + 10)


def test_functions_of_the_graph_are_inlined(tmp_path: Path) -> None:
    model = make_model(
        [helper.make_node("Twice", ["values"], ["result"], domain="pkg.somebody")], []
    )
    model.opset_import.append(helper.make_opsetid("pkg.somebody", 1))
    model.functions.append(
        helper.make_function(
            "pkg.somebody",
            "Twice",
            ["x"],
            ["y"],
            [helper.make_node("Add", ["x", "x"], ["y"])],
            [helper.make_opsetid("", 17)],
        )
    )
    path = saved(model, tmp_path)
    finish_graph(path, float_dummy())
    assert [node.op_type for node in onnx.load(str(path)).graph.node] == ["Add"]


def test_an_ir_version_that_old_runtimes_cannot_read_is_lowered(tmp_path: Path) -> None:
    model = linear()
    model.ir_version = 11
    assert finish_graph(saved(model, tmp_path), float_dummy()).ir_version == 10


# --- refusals -------------------------------------------------------------------------------------


def test_an_axis_that_the_graph_itself_declares_fixed_is_refused(tmp_path: Path) -> None:
    path = saved(linear(input_shape=[3, 4]), tmp_path)
    before = path.read_bytes()
    with pytest.raises(StaticAxisError, match=r"fixed axis 0 \(batch_size\) .*'values' at 3"):
        finish_graph(path, float_dummy())
    assert path.read_bytes() == before


def test_a_graph_that_runs_at_the_traced_size_only_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shape = numpy_helper.from_array(np.array([3, 4]), "val_0")
    nodes = [helper.make_node("Reshape", ["values", "val_0"], ["result"])]
    path = saved(make_model(nodes, [shape]), tmp_path)
    with pytest.raises(StaticAxisError, match="not at batch_size 1: ") as raised:
        finish_graph(path, float_dummy())
    assert raised.value.sizes == {"batch_size": 1}
    assert capfd.readouterr() == ("", "")


def test_an_output_whose_dynamic_axis_does_not_follow_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Identity", ["fc.weight"], ["result"])]
    path = saved(make_model(nodes, [weight()]), tmp_path)
    # 4 rows whatever the batch: the traced batch is 3.
    with pytest.raises(StaticAxisError, match=r"axis 0 \(batch_size\) .*'result' is 4 at"):
        finish_graph(path, float_dummy())


def test_an_axis_that_varies_without_being_declared_is_an_error(tmp_path: Path) -> None:
    dummy = replace(float_dummy(), dynamic_axes={"values": {0: "batch_size"}})
    path = saved(linear(), tmp_path)
    with pytest.raises(GraphShapeError, match="declared fixed, and is 3 at batch_size 3 and 1 at"):
        finish_graph(path, dummy)


@pytest.mark.parametrize("field", ["input_names", "output_names"])
def test_other_names_than_the_declared_are_an_error(field: str, tmp_path: Path) -> None:
    dummy = replace(float_dummy(), **{field: ("wanted",)})
    with pytest.raises(GraphShapeError, match="declared were wanted"):
        finish_graph(saved(linear(), tmp_path), dummy)


def test_a_file_that_is_no_graph_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "graph.onnx"
    path.write_bytes(b"\xff\xfe this is not protobuf")
    with pytest.raises(ExporterError, match="is not an ONNX graph"):
        finish_graph(path, float_dummy())
    with pytest.raises(ExporterError, match="is not an ONNX graph"):
        read_graph(path)


def test_a_graph_that_the_checker_or_the_runtime_refuses_is_an_error(tmp_path: Path) -> None:
    nodes = [helper.make_node("MatMul", ["values", "nowhere"], ["result"])]
    path = saved(make_model(nodes, []), tmp_path)
    with pytest.raises(ExporterError, match=r"is not valid ONNX: .*nowhere"):
        finish_graph(path, float_dummy())


def test_more_than_one_file_can_hold_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(linear(), tmp_path)
    monkeypatch.setattr(finish, "PROTOBUF_LIMIT", 100)
    with pytest.raises(ExporterError, match="one ONNX file holds less than 2 GiB"):
        finish_graph(path, float_dummy())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"draw": lambda sizes, generator: ()}, "gave 0 arrays for 1 inputs"),
        (
            {"draw": lambda sizes, generator: (np.zeros((sizes["batch_size"], 4)),)},
            r"as float64 \[1, 4\] for {'batch_size': 1} where the example says float32 \[1, 4\]",
        ),
        ({"grid": ({"rows": 2},)}, "grid names no size for batch_size"),
    ],
)
def test_a_fault_of_dummy_input_is_not_taken_for_one_of_the_graph(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    dummy = float_dummy()
    if "grid" in change:
        change = {**change, "draw": lambda sizes, generator: (np.zeros((2, 4), np.float32),)}
    with pytest.raises(PluginError, match=message):
        finish_graph(saved(linear(), tmp_path), replace(dummy, **change))


def test_a_failure_to_write_leaves_the_graph_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(linear(), tmp_path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        finish_graph(path, float_dummy())
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["graph.onnx"]


# --- variants -------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["portable", "optimized"])
def test_a_variant_means_the_same_in_one_file_without_paths(
    level: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = saved(linear(), tmp_path)
    info = finish_graph(path, float_dummy())
    target = tmp_path / f"graph_{level}.onnx"
    variant = write_variant(path, target, level)
    assert variant.path == target
    assert variant.input_shapes == info.input_shapes
    assert variant.output_shapes == info.output_shapes
    assert str(tmp_path).encode() not in target.read_bytes()
    assert {entry.name for entry in tmp_path.iterdir()} == {path.name, target.name}
    values = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
    np.testing.assert_allclose(run(target, values), run(path, values), rtol=1e-6)
    assert capfd.readouterr() == ("", "")


def test_the_portable_variant_has_standard_operators_only(tmp_path: Path) -> None:
    path = saved(linear(), tmp_path)
    finish_graph(path, float_dummy())
    target = tmp_path / "graph_portable.onnx"
    write_variant(path, target, "portable")
    assert {node.domain for node in onnx.load(str(target)).graph.node} == {""}


def test_a_variant_that_cannot_be_made_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    path = saved(make_model([helper.make_node("Relu", ["nowhere"], ["result"])], []), tmp_path)
    with pytest.raises(ExporterError, match="cannot write the portable variant"):
        write_variant(path, tmp_path / "graph_portable.onnx", "portable")
    assert [entry.name for entry in tmp_path.iterdir()] == ["graph.onnx"]
