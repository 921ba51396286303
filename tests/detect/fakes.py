"""Small stand-ins for what detection is given: events without a log, models without a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from logexport.logs.preprocess import ALOG_DETECT, Preprocess
from logexport.types import (
    CountMatrix,
    EventWindow,
    NextEventTopK,
    ScoreThreshold,
    Task,
    Vocabulary,
)


@dataclass(frozen=True)
class FakeEvent:
    line: int
    session: str | None
    template: int | None
    instant: int | None = None
    closes: bool = False


def rules_of_version_1(max_sessions: int = 100_000) -> Preprocess:
    """Rules whose sessions do not end, but are evicted."""
    return replace(ALOG_DETECT, max_sessions=max_sessions)


def vocabulary(size: int, unknown: int | None = None) -> Vocabulary:
    templates = [f"event number {i}" for i in range(size)]
    if unknown is None:
        return Vocabulary(tuple(templates))
    templates[unknown] = "\nunknown"
    return Vocabulary(tuple(templates), {"unknown": unknown})


def weights(features: int) -> np.ndarray:
    """One distinct, reproducible number for each feature."""
    return np.sin(np.arange(1, features + 1, dtype=np.float64) * 1.7)


class LogitScorer:
    """Logits that depend on every entry of a window and on their order; counts its batches."""

    def __init__(self, features: int) -> None:
        self.features = features
        self.batches: list[int] = []

    def row(self, window: np.ndarray) -> np.ndarray:
        flat = window.astype(np.float64).ravel()
        state = float((flat * np.cos(np.arange(1, len(flat) + 1))).sum())
        return np.sin(weights(self.features) * (state + 1) * 3).astype(np.float32)

    def __call__(self, *inputs: np.ndarray) -> Mapping[str, np.ndarray]:
        (batch,) = inputs
        self.batches.append(len(batch))
        return {"predictions": np.stack([self.row(window) for window in batch])}


class ScoreScorer(LogitScorer):
    """A score in 0..1 and an attribution, from the same state."""

    def __call__(self, *inputs: np.ndarray) -> Mapping[str, np.ndarray]:
        logits = super().__call__(*inputs)["predictions"]
        return {
            "error": np.abs(logits).mean(axis=1, dtype=np.float64).astype(np.float32),
            "by_feature": np.abs(logits),
        }


class ConstantScorer:
    """The same outputs for every window."""

    def __init__(self, **rows: Sequence[float] | float) -> None:
        self._rows = {name: np.asarray(row, dtype=np.float32) for name, row in rows.items()}

    def __call__(self, *inputs: np.ndarray) -> Mapping[str, np.ndarray]:
        size = len(inputs[0])
        return {name: np.stack([row] * size) for name, row in self._rows.items()}


def event_topk(length: int, top_k: int) -> Task:
    return Task(EventWindow(length), NextEventTopK("predictions", top_k))


def event_score(length: int, threshold: float, attribution: str | None = "by_feature") -> Task:
    return Task(EventWindow(length), ScoreThreshold("error", threshold, attribution=attribution))


def count_topk(lines: int, stride: int, steps: int, top_k: int) -> Task:
    return Task(CountMatrix(lines, stride, steps), NextEventTopK("predictions", top_k))


def count_score(lines: int, stride: int, steps: int, threshold: float) -> Task:
    return Task(
        CountMatrix(lines, stride, steps),
        ScoreThreshold("error", threshold, attribution="by_feature"),
    )


def write_event_graph(path: Path, features: int, seed: int = 0) -> Path:
    """An .onnx of an event_window model without PyTorch: embedding, mean, linear.

    Input int64 [batch_size, sequence_length] -> predictions float32 [batch_size, features].
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    draw = np.random.default_rng(seed)
    table = draw.normal(size=(features, 8)).astype(np.float32)
    linear = draw.normal(size=(8, features)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_sequence"], ["embedded"]),
        helper.make_node("ReduceMean", ["embedded"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "linear"], ["predictions"]),
    ]
    graph = helper.make_graph(
        nodes,
        "event_model",
        [helper.make_tensor_value_info("input_sequence", TensorProto.INT64, ["batch_size", "s"])],
        [helper.make_tensor_value_info("predictions", TensorProto.FLOAT, ["batch_size", features])],
        [numpy_helper.from_array(table, "table"), numpy_helper.from_array(linear, "linear")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def write_count_graph(path: Path, features: int, usual: Sequence[float]) -> Path:
    """An .onnx of a count_matrix model: squared distance of the mean counts from ``usual``.

    Input float32 [batch_size, 1, steps, features] -> reconstructed (the input's shape),
    reconstruction_error float32 [batch_size], feature_error float32 [batch_size, features].
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Sub", ["input_features", "usual"], ["difference"]),
        helper.make_node("Sub", ["input_features", "difference"], ["reconstructed"]),
        helper.make_node("Mul", ["difference", "difference"], ["squared"]),
        helper.make_node("ReduceMean", ["squared"], ["feature_error"], axes=[1, 2], keepdims=0),
        helper.make_node(
            "ReduceMean", ["feature_error"], ["reconstruction_error"], axes=[1], keepdims=0
        ),
    ]
    shape = ["batch_size", 1, "steps", features]
    graph = helper.make_graph(
        nodes,
        "count_model",
        [helper.make_tensor_value_info("input_features", TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info("reconstructed", TensorProto.FLOAT, shape),
            helper.make_tensor_value_info(
                "reconstruction_error", TensorProto.FLOAT, ["batch_size"]
            ),
            helper.make_tensor_value_info(
                "feature_error", TensorProto.FLOAT, ["batch_size", features]
            ),
        ],
        [numpy_helper.from_array(np.asarray(usual, dtype=np.float32), "usual")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path
