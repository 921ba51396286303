"""Bundles for the C engine's tests: graphs made by hand, so that no PyTorch is needed.

Logits are small multiples of a power of two, so that equal ones are frequent; a row of the tables
may hold numbers that are not finite. A graph's outputs depend on the first, the last and the sum of
what it is shown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from logexport.logs.preprocess import Preprocess
from logexport.types import (
    CountMatrix,
    EventWindow,
    NextEventTopK,
    ScoreThreshold,
    SessionCounts,
    Task,
    Vocabulary,
)


@dataclass(frozen=True)
class Tables:
    """What a graph is made from; ``wild`` events make the outputs they touch not finite."""

    seed: int = 0
    wild: Mapping[int, float] = field(default_factory=dict)

    def draw(self, size: int, count: int) -> list[np.ndarray]:
        random = np.random.default_rng(self.seed)
        tables = [
            (random.integers(-6, 7, size=(size, size)) / 8).astype(np.float32) for _ in range(count)
        ]
        for event, value in self.wild.items():
            tables[0][event % size, event % size] = value
        return tables


def write_graph(path: Path, task: Task, features: int, tables: Tables | None = None) -> Path:
    """Write the .onnx of a model of any known task, with every output that a task may name."""
    tables = tables or Tables()
    wild = tuple(sorted(tables.wild.items(), key=repr))
    path.write_bytes(_graph(task.input.kind, features, tables.seed, wild))
    return path


@lru_cache(maxsize=256)
def _graph(input_: str, features: int, seed: int, wild: tuple[tuple[int, float], ...]) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    first, last, whole = Tables(seed, dict(wild)).draw(features, 3)
    initializers = [
        numpy_helper.from_array(first, "first_table"),
        numpy_helper.from_array(last, "last_table"),
        numpy_helper.from_array(whole, "whole_table"),
        numpy_helper.from_array(np.array(0, dtype=np.int64), "zero"),
        numpy_helper.from_array(np.array(-1, dtype=np.int64), "minus_one"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "last_axis"),
        # A mean by MatMul: ReduceMean over the last axis adds up in an order that depends on where
        # a row happens to lie in memory, so on its place in the batch, unless it has 4n floats.
        numpy_helper.from_array(np.full((features, 1), 1 / features, np.float32), "mean_weights"),
    ]
    node = helper.make_node
    shape: list[str | int | None]
    if input_ == "event_window":
        name, shape, kind = "input_sequence", ["batch_size", "length"], TensorProto.INT64
        nodes = [
            node("Gather", [name, "zero"], ["first_event"], axis=1),
            node("Gather", [name, "minus_one"], ["last_event"], axis=1),
            node("Gather", ["first_table", "first_event"], ["by_first"]),
            node("Gather", ["last_table", "last_event"], ["by_last"]),
            node("Gather", ["whole_table", name], ["by_each"]),
            node("ReduceMean", ["by_each"], ["by_whole"], axes=[1], keepdims=0),
        ]
    elif input_ == "session_counts":
        name, shape, kind = "input_counts", ["batch_size", features], TensorProto.FLOAT
        nodes = [
            node("MatMul", [name, "first_table"], ["by_first"]),
            node("MatMul", [name, "last_table"], ["by_last"]),
            node("MatMul", ["by_last", "whole_table"], ["by_whole"]),
        ]
    else:
        name, kind = "input_features", TensorProto.FLOAT
        shape = ["batch_size", 1, "steps", features]
        nodes = [
            node("Squeeze", [name, "one_axis"], ["matrix"]),
            node("Gather", ["matrix", "zero"], ["first_row"], axis=1),
            node("Gather", ["matrix", "minus_one"], ["last_row"], axis=1),
            node("ReduceMean", ["matrix"], ["mean_row"], axes=[1], keepdims=0),
            node("MatMul", ["first_row", "first_table"], ["by_first"]),
            node("MatMul", ["last_row", "last_table"], ["by_last"]),
            node("MatMul", ["mean_row", "whole_table"], ["by_whole"]),
        ]
        initializers.append(numpy_helper.from_array(np.array([1], dtype=np.int64), "one_axis"))
    nodes += [
        node("Add", ["by_first", "by_last"], ["by_both"]),
        node("Add", ["by_both", "by_whole"], ["predictions"]),
        node("Abs", ["predictions"], ["feature_error"]),
        node("MatMul", ["feature_error", "mean_weights"], ["error_column"]),
        node("Squeeze", ["error_column", "last_axis"], ["error"]),
    ]
    row: list[str | int | None] = ["batch_size", features]
    graph = helper.make_graph(
        nodes,
        "hand_made",
        [helper.make_tensor_value_info(name, kind, shape)],
        [
            helper.make_tensor_value_info("predictions", TensorProto.FLOAT, row),
            helper.make_tensor_value_info("error", TensorProto.FLOAT, ["batch_size"]),
            helper.make_tensor_value_info("feature_error", TensorProto.FLOAT, row),
        ],
        initializers,
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    return bytes(model.SerializeToString())


def make_task(
    kind: str,
    *,
    length: int = 4,
    lines: int = 6,
    stride: int = 3,
    steps: int = 2,
    top_k: int = 2,
    threshold: float = 0.5,
    attribution: bool = True,
    start: int | None = None,
    end: int | None = None,
) -> Task:
    """A task by name: ``events topk``, ``events score``, ``counts topk``, ``counts score`` or
    ``sessions score``."""
    shown, decided = kind.split()
    input_ = {
        "events": EventWindow(length, start, end),
        "counts": CountMatrix(lines, stride, steps),
        "sessions": SessionCounts(),
    }[shown]
    if decided == "topk":
        return Task(input_, NextEventTopK("predictions", top_k))
    return Task(
        input_,
        ScoreThreshold(
            "error",
            threshold,
            threshold_name="p99",
            thresholds={"p99": threshold, "3sigma": threshold * 2, "low": -1.0},
            attribution="feature_error" if attribution else None,
        ),
    )


KINDS = ("events topk", "events score", "counts topk", "counts score")


def write_bundle(
    path: Path,
    task: Task,
    vocabulary: Vocabulary,
    preprocess: Preprocess,
    *,
    names: Sequence[str] = ("tiny",),
    proof: str = "full",
    warnings: int | None = None,
    tables: Tables | None = None,
    selftest: Mapping[str, tuple[bytes, bytes]] | None = None,
    change_meta: Mapping[str, Any] | None = None,
) -> Path:
    """A bundle of models that share everything, graph tables included.

    Args:
        warnings: see :func:`write_manifest`.
        selftest: by model, the log and the verdicts.
        change_meta: entries of the metadata that are replaced.
    """
    path.mkdir(parents=True)
    vocab = {str(i): template for i, template in enumerate(vocabulary.templates)}
    (path / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
    (path / "preprocess.json").write_text(json.dumps(preprocess.to_json()), encoding="utf-8")
    for name in names:
        write_graph(path / f"{name}.onnx", task, task.count_features(len(vocabulary)), tables)
        meta = _meta(path, name, task, vocabulary) | dict(change_meta or {})
        (path / f"{name}.onnx.meta.json").write_text(json.dumps(meta), encoding="utf-8")
        if selftest and name in selftest:
            (path / f"{name}.selftest.log").write_bytes(selftest[name][0])
            (path / f"{name}.selftest.jsonl").write_bytes(selftest[name][1])
    write_manifest(path, names, proof, warnings)
    return path


def write_manifest(
    path: Path, names: Sequence[str], proof: str = "full", warnings: int | None = None
) -> None:
    """(Re)write the manifest for the files that are there.

    It is of version 1, or with ``warnings``, the number that each model has, of version 2.
    """
    own = {} if warnings is None else {"warnings": warnings}
    entry = {"opset_version": 17, "ir_version": 8, "proof": proof, **own}
    manifest = {
        "schema_version": 1 if warnings is None else 2,
        "proof": proof,
        **({} if warnings is None else {"warnings": warnings * len(names)}),
        "models": {name: {"metadata": f"{name}.onnx.meta.json", **entry} for name in names},
        "files": {
            file.name: {"sha256": sha256(file), "size": file.stat().st_size}
            for file in sorted(path.iterdir())
            if file.name != "manifest.json"
        },
        "versions": {"logexport": "0", "torch": "0", "onnx": "0", "onnxruntime": "0"},
    }
    (path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def _meta(path: Path, name: str, task: Task, vocabulary: Vocabulary) -> dict[str, Any]:
    size = len(vocabulary)
    rows = task.count_features(size)
    name_of, shape = {
        "event_window": ("input_sequence", ["batch_size", "length"]),
        "session_counts": ("input_counts", ["batch_size", rows]),
        "count_matrix": ("input_features", ["batch_size", 1, "steps", size]),
    }[task.input.kind]
    return {
        "schema_version": 1,
        "model_type": name,
        "vocab_size": size,
        "input_shape": shape,
        "output_shape": ["batch_size", rows],
        "input_names": [name_of],
        "output_names": ["predictions", "error", "feature_error"],
        "opset_version": 17,
        "dynamic_axes": {},
        "notes": [],
        "exporter": {"strategy": "hand", "torch_version": "none", "reason": "-", "tried": []},
        "vocab": _reference(path / "vocab.json") | {"reserved": dict(vocabulary.reserved)},
        "preprocess": _reference(path / "preprocess.json") | {"source": "option"},
        "variants": {},
        "task": task.to_json(),
    }


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _reference(path: Path) -> dict[str, str]:
    return {"file": path.name, "sha256": sha256(path)}
