"""Checkpoints of every kind that the built-in plugins read, and a log for their verdicts.

Everything comes out the same under every PyTorch and numpy: the numbers are those of a small
generator of our own, so that records of different environments can be compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from logexport.checkpoints import save_checkpoint
from logexport.types import ExportRequest
from logexport.vocab import load_vocab

TEMPLATES = (
    "session opened for user <*>",
    "session closed for user <*>",
    "connection from <*> port <*>",
    "connection from <*> port <*> closed",
    "disk usage at <*> percent",
    "disk usage is normal again",
    "job <*> started",
    "job <*> finished in <*> seconds",
    "cache miss for key <*>",
    "cache flushed",
    "clock moved by <*> milliseconds",
)
FEATURES = len(TEMPLATES)
LINES = 1200


class Numbers:
    """Pseudo-random numbers that are the same everywhere (Numerical Recipes' 32-bit generator)."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def below(self, limit: int) -> int:
        self.state = (1664525 * self.state + 1013904223) % 2**32
        return (self.state >> 8) * limit >> 24

    def weights(self, *shape: int, scale: float) -> torch.Tensor:
        """Float32 in steps of ``scale`` / 1024, from ``-scale`` to ``scale``."""
        count = int(np.prod(shape, dtype=np.int64))
        steps = [self.below(2049) - 1024 for _ in range(count)]
        return torch.tensor(steps, dtype=torch.float32).reshape(shape) * (scale / 1024)


def write_log(path: Path) -> Path:
    """A log of :data:`LINES` lines: the templates in bursts, some lines that none matches."""
    numbers, lines = Numbers(7), []
    template = 0
    for _ in range(LINES):
        if numbers.below(3) == 0:
            template = numbers.below(FEATURES)
        elif numbers.below(2) == 0:
            template = (template + 1) % FEATURES
        words = TEMPLATES[template].split()
        filled = (str(numbers.below(1000)) if word == "<*>" else word for word in words)
        lines.append("nobody knows this" if numbers.below(40) == 0 else " ".join(filled))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@dataclass(frozen=True)
class Kind:
    """One kind of checkpoint. Thresholds lie in the widest gap of the log's scores: no rounding can
    turn a verdict.

    Args:
        name: in test names and records.
        model: the plugin's model type.
        write: writes the checkpoint; given the directory (where ``vocab.json`` lies), gives it.
        options: of the export.
        floats: whether it holds Python floats, which torch 1.13 does not read safely.
    """

    name: str
    model: str
    write: Callable[[Path], Path]
    options: Mapping[str, Any] = field(default_factory=dict)
    floats: bool = False

    def request(self, directory: Path, exporter: str) -> ExportRequest:
        """Files in ``directory`` (made here) and the job to export them."""
        directory.mkdir(parents=True, exist_ok=True)
        vocab = directory / "vocab.json"
        vocab.write_text(json.dumps({text: n for n, text in enumerate(TEMPLATES)}))
        (directory / "preprocess.json").write_text(
            json.dumps({"schema_version": 1, "headers": [], "masks": []} | RULES)
        )
        return ExportRequest(
            models=[self.model],
            checkpoint=self.write(directory),
            vocab=vocab,
            output_dir=directory / "bundle",
            replay=write_log(directory / "fixed.log"),
            exporter=exporter,
            # The C engine has tests of its own; here it would be the same on every row.
            options={"native": "off", **self.options},
        )


RULES = {
    "matching": {"prefer": "specific"},
    "session": {"by": "none", "pattern": None},
    "max_sessions": 100_000,
    "max_line_bytes": 2**20,
}


# --- DeepLog --------------------------------------------------------------------------------------

EMBED, HIDDEN = 6, 9


def _lstm(numbers: Numbers, inputs: int, layers: int) -> dict[str, torch.Tensor]:
    weights = {}
    for layer in range(layers):
        step = inputs if layer == 0 else HIDDEN
        weights[f"lstm.weight_ih_l{layer}"] = numbers.weights(4 * HIDDEN, step, scale=0.9)
        weights[f"lstm.weight_hh_l{layer}"] = numbers.weights(4 * HIDDEN, HIDDEN, scale=0.9)
        weights[f"lstm.bias_ih_l{layer}"] = numbers.weights(4 * HIDDEN, scale=0.5)
        weights[f"lstm.bias_hh_l{layer}"] = numbers.weights(4 * HIDDEN, scale=0.5)
    weights["fc.weight"] = numbers.weights(FEATURES, HIDDEN, scale=2)
    weights["fc.bias"] = numbers.weights(FEATURES, scale=0.5)
    return weights


def _embedded(layers: int) -> dict[str, torch.Tensor]:
    numbers = Numbers(11 + layers)
    embed = numbers.weights(FEATURES, EMBED, scale=1.5)
    return {"embed.weight": embed, **_lstm(numbers, EMBED, layers)}


def _logexport_deeplog(suffix: str) -> Callable[[Path], Path]:
    def write(directory: Path) -> Path:
        path = directory / f"deeplog{suffix}"
        entries = {
            "vocab_size": FEATURES,
            "seq_len": 5,
            "embed_dim": EMBED,
            "hidden_dim": HIDDEN,
            "num_layers": 2,
            "top_k": 3,
            "vocab_sha256": load_vocab(directory / "vocab.json").sha256(),
        }
        save_checkpoint(path, _embedded(2), entries, {"written_by": "a test"})
        return path

    return write


def _alog_deeplog(directory: Path) -> Path:
    content = {
        "state_dict": _embedded(1),
        "vocab_size": FEATURES,
        "seq_len": 8,
        "embed_dim": EMBED,
        "hidden_dim": HIDDEN,
    }
    return _save(content, directory / "deeplog.pth")


def _wuyifan18(directory: Path) -> Path:
    weights = {f"module.{name}": tensor for name, tensor in _lstm(Numbers(17), 1, 2).items()}
    return _save(weights, directory / "model.pt")


def _logdeep(directory: Path) -> Path:
    content = {"epoch": 3, "state_dict": _lstm(Numbers(19), 1, 2), "best_loss": None}
    return _save(content, directory / "deeplog_last.pth")


# --- MSCRED ---------------------------------------------------------------------------------------

CHANNELS = (4, 6, 8)


def _autoencoder(seed: int) -> dict[str, torch.Tensor]:
    """Weights and statistics as training leaves them: none at 0 or 1."""
    from logexport_mscred.model import Autoencoder

    numbers, weights = Numbers(seed), {}
    for name, tensor in Autoencoder(CHANNELS, 8, FEATURES).state_dict().items():
        shape = tuple(tensor.shape)
        if not tensor.is_floating_point():
            weights[name] = tensor
        elif name.endswith(("running_var", "bn.weight")):
            weights[name] = 1 + numbers.weights(*shape, scale=0.5)
        else:
            weights[name] = numbers.weights(*shape, scale=0.25)
    return weights


def _logexport_mscred(suffix: str) -> Callable[[Path], Path]:
    def write(directory: Path) -> Path:
        path = directory / f"mscred{suffix}"
        steps = torch.arange(FEATURES, dtype=torch.float64)
        entries = {
            "architecture": "multiscale-conv-autoencoder",
            "num_templates": FEATURES,
            "steps": 9,
            "lines": 20,
            "stride": 10,
            "vocab_sha256": load_vocab(directory / "vocab.json").sha256(),
        }
        scale = {
            "standardise.mean": 1.5 + steps / 16,
            "standardise.deviation": 0.75 + steps / 8,
        }
        settings = {"thresholds": {"p99": 1.885}, "held_out_windows": 500}
        save_checkpoint(path, {**_autoencoder(23), **scale}, entries, settings)
        return path

    return write


STATISTICS = {
    "threshold_95": 28.25,
    "threshold_99": 28.335,
    "threshold_99_9": 29.0,
    "mean": 28.0,
    "std": 2.25,
    "threshold_3sigma": 34.75,
    "median": 28.25,
    "mad": 1.125,
    "threshold_mad": 31.625,
}


def _alog_mscred(**beside: Any) -> Callable[[Path], Path]:
    def write(directory: Path) -> Path:
        content = {"model_state_dict": _autoencoder(29), "num_templates": FEATURES, **beside}
        return _save(content, directory / "mscred.pth")

    return write


def _bare_mscred(directory: Path) -> Path:
    weights = {f"_orig_mod.{name}": tensor for name, tensor in _autoencoder(31).items()}
    return _save(weights, directory / "mscred.pt")


def _save(content: Any, path: Path) -> Path:
    torch.save(content, path)
    return path


KINDS = (
    Kind("deeplog-logexport", "deeplog", _logexport_deeplog(".pth")),
    Kind("deeplog-safetensors", "deeplog", _logexport_deeplog(".safetensors")),
    Kind("deeplog-alog-detect", "deeplog", _alog_deeplog),
    Kind("deeplog-wuyifan18", "deeplog", _wuyifan18, {"top_k": 3}),
    Kind("deeplog-logdeep", "deeplog", _logdeep, {"top_k": 3, "seq_len": 6}),
    Kind("mscred-logexport", "mscred", _logexport_mscred(".pth")),
    Kind("mscred-safetensors", "mscred", _logexport_mscred(".safetensors")),
    Kind(
        "mscred-alog-detect",
        "mscred",
        _alog_mscred(),
        {"threshold": "28.335", "no_standardise": True},
    ),
    Kind(
        "mscred-alog-detect-floats",
        "mscred",
        _alog_mscred(threshold_stats=STATISTICS),
        {"no_standardise": True},
        floats=True,
    ),
    Kind(
        "mscred-weights",
        "mscred",
        _bare_mscred,
        {"threshold": "24.125", "feature_dim": FEATURES, "no_standardise": True},
    ),
)
BY_NAME = {kind.name: kind for kind in KINDS}
