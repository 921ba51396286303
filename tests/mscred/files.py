"""Checkpoints and counts made in a test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from tests.mscred.oracles import AlogDetectMscred, lively

FEATURES = 11
CHANNELS = (4, 6, 8)

GENERATOR = Path(__file__).resolve().parents[2] / "examples" / "sample" / "generate_log.py"


def generate(path: Path, *options: str) -> Path:
    """A log of the sample's generator."""
    subprocess.run([sys.executable, GENERATOR, "-o", path, *options], check=True)
    return path


def alog_content(features: int = FEATURES, **facts: Any) -> tuple[AlogDetectMscred, dict[str, Any]]:
    """An alog-detect model and what its checkpoint holds, but for the floats and the optimiser."""
    model = lively(AlogDetectMscred(CHANNELS))
    assert isinstance(model, AlogDetectMscred)
    content = {"model_state_dict": model.state_dict(), "num_templates": features, **facts}
    return model, content


def alog_stats() -> dict[str, float]:
    return {
        "threshold_95": 1.5,
        "threshold_99": 2.5,
        "threshold_99_9": 3.5,
        "mean": 0.5,
        "std": 0.25,
        "threshold_3sigma": 1.25,
        "median": 0.5,
        "mad": 0.125,
        "threshold_mad": 1.0,
    }


def random_counts(windows: int = 60, features: int = FEATURES, lines: int = 50) -> np.ndarray:
    """Counts ``[windows, features]``, each row of ``lines`` lines."""
    generator = np.random.default_rng(3)
    return generator.multinomial(lines, np.full(features, 1 / features), size=windows)


def alog_counts(path: Path, counts: np.ndarray, stride: int = 25) -> Path:
    """``window_counts.parquet`` as alog-detect writes it: doubles, no metadata of ours."""
    columns = {f"t{i}": counts[:, i].astype(np.float64) for i in range(counts.shape[1])}
    start = pa.array(np.arange(len(counts)) * stride)
    pq.write_table(pa.table({**columns, "start_index": start}), path)
    return path


def save(content: Any, path: Path) -> Path:
    torch.save(content, path)
    return path
