"""Who runs the model: the same numbers from ONNX Runtime and PyTorch, errors as sentences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from logexport.errors import BundleError
from logexport.verdicts.scorers import Memo, OnnxRuntimeScorer, TorchScorer

from tests.detect.fakes import write_count_graph, write_event_graph


def test_onnx_runtime_gives_the_outputs_by_name(tmp_path: Path) -> None:
    scorer = OnnxRuntimeScorer(write_count_graph(tmp_path / "c.onnx", 3, [1.0, 0.0, 0.0]))
    assert scorer.output_names == ("reconstructed", "reconstruction_error", "feature_error")
    outputs = scorer(np.array([[[[1, 2, 0], [1, 0, 0]]]], dtype=np.float32))
    assert outputs["reconstruction_error"].tolist() == [np.float32(2 / 3)]
    assert outputs["feature_error"].tolist() == [[0, 2, 0]]


@pytest.mark.parametrize("graph", ["events", "counts"])
def test_results_do_not_depend_on_the_batch_or_on_threads(tmp_path: Path, graph: str) -> None:
    """From a batch of two on: both graphs sum over a middle axis, where a batch of one differs."""
    draw = np.random.default_rng(1)
    if graph == "events":
        path, name = write_event_graph(tmp_path / "e.onnx", 9), "predictions"
        windows = draw.integers(0, 9, size=(60, 7))
    else:
        path = write_count_graph(tmp_path / "c.onnx", 9, draw.normal(size=9).tolist())
        name, windows = "feature_error", draw.poisson(2, size=(60, 1, 20, 9)).astype(np.float32)
    whole = OnnxRuntimeScorer(path)(windows)[name]
    for threads in (1, 2):
        scorer = OnnxRuntimeScorer(path, threads)
        for size in (2, 3, 4, 5, 6, 10, 12, 15, 20, 30):
            parts = [scorer(windows[i : i + size])[name] for i in range(0, 60, size)]
            assert np.concatenate(parts).tobytes() == whole.tobytes()


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08\x08"])
def test_a_broken_graph_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"broken\.onnx") as caught:
        OnnxRuntimeScorer(path)
    assert "\n" not in str(caught.value)


def test_an_input_of_the_wrong_shape_is_one_sentence(tmp_path: Path) -> None:
    scorer = OnnxRuntimeScorer(write_event_graph(tmp_path / "e.onnx", 4))
    with pytest.raises(BundleError, match="cannot run the graph"):
        scorer(np.zeros((1, 2), dtype=np.float32))
    with pytest.raises(BundleError, match="1 inputs, not 2"):
        scorer(np.zeros((1, 2), dtype=np.int64), np.zeros(1))


@pytest.mark.torch
def test_pytorch_runs_in_eval_mode_without_gradients() -> None:
    import torch

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = torch.nn.Embedding(5, 4)
            self.drop = torch.nn.Dropout(0.9)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            hidden = self.drop(self.embed(x)).sum(dim=1)
            return hidden, hidden.mean(dim=1)

    model = Model().train()
    scorer = TorchScorer(model, ["hidden", "mean"])
    window = np.array([[1, 2, 3]], dtype=np.int64)
    outputs = scorer(window)
    expected = model.embed.weight.detach()[[1, 2, 3]].sum(dim=0)
    assert outputs["hidden"].dtype == np.float32
    assert np.allclose(outputs["hidden"][0], expected.numpy())
    assert np.allclose(outputs["mean"], expected.numpy().mean())
    with pytest.raises(BundleError, match="2 outputs where 1"):
        TorchScorer(model, ["hidden"])(window)


@pytest.mark.torch
def test_a_module_with_one_output_may_give_it_alone() -> None:
    import torch

    scorer = TorchScorer(torch.nn.Linear(3, 2), ["out"])
    reversed_rows = np.ones((4, 3), dtype=np.float32)[::-1]
    assert scorer(reversed_rows)["out"].shape == (4, 2)


def test_the_memo_is_bounded_and_forgets_the_least_recently_used() -> None:
    memo = Memo(max_bytes=3 * (8 + 16))
    rows = {key: {"x": np.full(4, ord(key), dtype=np.float32)} for key in "abcd"}
    for key in "abc":
        memo.put(key.encode() * 8, rows[key])
    assert memo.get(b"a" * 8) is rows["a"]
    memo.put(b"d" * 8, rows["d"])
    assert len(memo) == 3
    assert memo.get(b"b" * 8) is None
    assert memo.get(b"a" * 8) is rows["a"]


def test_a_window_larger_than_the_memo_is_not_held() -> None:
    memo = Memo(max_bytes=10)
    memo.put(b"k" * 20, {})
    assert len(memo) == 0
    assert memo.get(b"k" * 20) is None


def test_a_graph_whose_weights_lie_in_another_file_is_refused(tmp_path: Path) -> None:
    weights = onnx.numpy_helper.from_array(np.ones((2, 2), dtype=np.float32), "weights")
    inner = onnx.numpy_helper.from_array(np.ones((2, 2), dtype=np.float32), "hidden")
    for place, initializers, nodes in (
        ("initializer", [weights], [onnx.helper.make_node("MatMul", ["x", "weights"], ["y"])]),
        (
            "attribute",
            [],
            [
                onnx.helper.make_node("Constant", [], ["weights"], value=inner),
                onnx.helper.make_node("MatMul", ["x", "weights"], ["y"]),
            ],
        ),
    ):
        graph = onnx.helper.make_graph(
            nodes,
            "g",
            [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", 2])],
            [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["batch", 2])],
            initializers,
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
        model.ir_version = 8
        tensor = model.graph.initializer[0] if initializers else model.graph.node[0].attribute[0].t
        onnx.external_data_helper.set_external_data(tensor, "../secret")
        tensor.ClearField("raw_data")
        path = tmp_path / f"{place}.onnx"
        path.write_bytes(model.SerializeToString())
        with pytest.raises(BundleError, match="lie in another file"):
            OnnxRuntimeScorer(path)
