"""Bundles without a training run: a hand-made graph, a vocabulary and rules, published as files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from logexport.logs.preprocess import Preprocess
from logexport.types import Task, Vocabulary

from tests.detect.fakes import write_count_graph, write_event_graph


def write_bundle(
    path: Path,
    task: Task,
    vocabulary: Vocabulary,
    preprocess: Preprocess,
    names: tuple[str, ...] = ("tiny",),
    proof: str = "full",
    usual: list[float] | None = None,
    warnings: int | None = None,
) -> Path:
    """A bundle of one or several models that share everything but their graph.

    The manifest is of version 1; with ``warnings``, the number that each model has, of version 2.
    """
    path.mkdir()
    size = len(vocabulary)
    (path / "vocab.json").write_text(
        json.dumps({str(i): template for i, template in enumerate(vocabulary.templates)})
    )
    preprocess.save(path / "preprocess.json")
    for seed, name in enumerate(names):
        graph = path / f"{name}.onnx"
        events = task.input.kind == "event_window"
        if events:
            write_event_graph(graph, size, seed)
        else:
            write_count_graph(graph, size, usual or [1.0] * size)
        meta: dict[str, Any] = {
            "schema_version": 1,
            "model_type": name,
            "vocab_size": size,
            "input_shape": ["batch_size", "sequence_length"]
            if events
            else ["batch_size", 1, "steps", size],
            "output_shape": ["batch_size", size] if events else ["batch_size"],
            "input_names": ["input_sequence" if events else "input_features"],
            "output_names": ["predictions"]
            if events
            else ["reconstructed", "reconstruction_error", "feature_error"],
            "opset_version": 17,
            "dynamic_axes": {},
            "notes": [],
            "exporter": {"strategy": "hand", "torch_version": "none", "reason": "-", "tried": []},
            "vocab": _reference(path / "vocab.json") | {"reserved": dict(vocabulary.reserved)},
            "preprocess": _reference(path / "preprocess.json") | {"source": "option"},
            "variants": {},
            "task": task.to_json(),
        }
        (path / f"{name}.onnx.meta.json").write_text(json.dumps(meta))
    files = {
        file.name: {"sha256": _sha256(file), "size": file.stat().st_size}
        for file in sorted(path.iterdir())
    }
    own = {} if warnings is None else {"warnings": warnings}
    entry = {"opset_version": 17, "ir_version": 8, "proof": proof, **own}
    manifest = {
        "schema_version": 1 if warnings is None else 2,
        "proof": proof,
        **({} if warnings is None else {"warnings": warnings * len(names)}),
        "models": {name: {"metadata": f"{name}.onnx.meta.json", **entry} for name in names},
        "files": files,
        "versions": {"logexport": "0", "torch": "0", "onnx": "0", "onnxruntime": "0"},
    }
    (path / "manifest.json").write_text(json.dumps(manifest))
    return path


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _reference(path: Path) -> dict[str, str]:
    return {"file": path.name, "sha256": _sha256(path)}
