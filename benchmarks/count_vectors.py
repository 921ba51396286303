"""How many sessions a second event count vectors judge, against numpy, on one core.

    python benchmarks/count_vectors.py [--vectors N] [--templates N] [--runs N] [--json FILE]

A model of so many distinct vectors is exported by the plugin's own code and judges sessions in ONNX
Runtime with one thread, in batches of 64. Beside it numpy computes the same distances of the same
sessions, one session after another, in float32: the two are measured in turn, and the best run of
each counts. Their scores are compared. No session equals a vector
that is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402
import torch  # noqa: E402
from logexport.exporters import (  # noqa: E402
    TorchEnvironment,
    TorchScriptStrategy,
    export_with,
    finish_graph,
)
from logexport.exporters.graph import open_session  # noqa: E402
from logexport.types import LoadedModel, ScoreThreshold, SessionCounts, Task  # noqa: E402
from logexport_ecvc.load import INPUT, OUTPUTS, dummy  # noqa: E402
from logexport_ecvc.model import CountVectors  # noqa: E402

BATCH = 64


def draw(rows: int, features: int, seed: int) -> np.ndarray:
    """Sessions of about twenty lines and a dozen templates; the last column is zero."""
    generator = np.random.default_rng(seed)
    drawn = np.zeros((rows, features), dtype=np.int64)
    for row in drawn:
        chosen = generator.choice(features - 1, size=12, replace=False)
        row[chosen] = generator.integers(1, 4, size=12)
    return drawn


def export(vectors: np.ndarray, path: Path) -> None:
    """The graph of a model that keeps these."""
    kept = torch.from_numpy(vectors)
    totals = vectors.sum(1)
    known = torch.from_numpy(vectors.any(0))
    module = CountVectors(kept, known, int(totals.min()), int(totals.max())).eval()
    task = Task(SessionCounts(), ScoreThreshold(OUTPUTS[0], 0.5, attribution=OUTPUTS[1]))
    inputs = dummy(LoadedModel(module, task, vectors.shape[1] - 1))
    strategy = TorchScriptStrategy()
    opset = strategy.default_opset(TorchEnvironment.installed())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export_with(strategy, module, inputs, opset, path)
    finish_graph(path, inputs)


def by_numpy(vectors: np.ndarray, sessions: np.ndarray) -> np.ndarray:
    """The distance of each session to the nearest vector."""
    kept, totals = vectors.astype(np.float32), vectors.sum(1).astype(np.float32)
    nearest = np.empty(len(sessions), dtype=np.float32)
    for number, session in enumerate(sessions):
        shared = np.minimum(kept, session).sum(1)
        both = totals + session.sum()
        nearest[number] = ((both - 2 * shared) / (both - shared)).min()
    return nearest


def best(runs: int, *programs: Callable[[], Any]) -> list[float]:
    """The least seconds of each, measured in turn."""
    seconds = [float("inf")] * len(programs)
    for _ in range(runs):
        for place, program in enumerate(programs):
            began = time.perf_counter()
            program()
            seconds[place] = min(seconds[place], time.perf_counter() - began)
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=int, default=1000)
    parser.add_argument("--templates", type=int, default=200)
    parser.add_argument("--sessions", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    features = options.templates + 1
    vectors = np.unique(draw(options.vectors, features, 1), axis=0)
    sessions = draw(options.sessions, features, 2).astype(np.float32)
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "ecvc.onnx"
        export(vectors, path)
        graph = open_session(path)

        def by_graph() -> np.ndarray:
            batches = (sessions[i : i + BATCH] for i in range(0, len(sessions), BATCH))
            return np.concatenate([graph.run([OUTPUTS[0]], {INPUT: one})[0] for one in batches])

        distances = by_graph() % 1  # without what an event or a length that is new adds
        np.testing.assert_allclose(distances, by_numpy(vectors, sessions), atol=1e-5)
        ours, theirs = best(options.runs, by_graph, lambda: by_numpy(vectors, sessions))
    figures = {
        "vectors": len(vectors),
        "templates": options.templates,
        "sessions_per_second": round(len(sessions) / ours),
        "numpy_sessions_per_second": round(len(sessions) / theirs),
        "ratio": round(theirs / ours, 2),
    }
    for key, value in figures.items():
        print(f"{key:28} {value:,}")  # noqa: T201
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
