"""Checkpoints are read with suspicion: what training does not write is refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from logexport.checkpoints import save_checkpoint
from logexport.errors import CheckpointError, UsageError
from logexport.types import LoadedModel, ModelRequest, ScoreThreshold, SessionCounts
from logexport_ecvc.checkpoints import read_ecvc
from logexport_ecvc.load import load
from logexport_ecvc.model import ARCHITECTURE

pytestmark = pytest.mark.torch


def content() -> dict[str, Any]:
    """Tensors, entries and settings of a checkpoint that is read."""
    return {
        "tensors": {
            "vectors": torch.tensor([[3, 1, 0], [1, 1, 0]], dtype=torch.int32),
            "known": torch.tensor([True, True, False]),
        },
        "entries": {
            "architecture": ARCHITECTURE,
            "feature_dim": 3,
            "shortest": 2,
            "longest": 9,
            "vocab_sha256": "0" * 64,
        },
        "settings": {
            "thresholds": {"p95": 0.125, "budget": 0.25},
            "held_out_sessions": 20,
        },
    }


def write(folder: Path, name: str = "m.safetensors", **changes: dict[str, Any]) -> Path:
    parts = {part: {**held, **changes.get(part, {})} for part, held in content().items()}
    path = folder / name
    save_checkpoint(path, parts["tensors"], parts["entries"], parts["settings"])
    return path


def loaded(path: Path, **options: Any) -> LoadedModel:
    return load(ModelRequest("ecvc", path, path.parent / "vocab.json", options=options))


@pytest.mark.parametrize("name", ["m.safetensors", "m.pth"])
@pytest.mark.filterwarnings("ignore")
def test_what_training_writes_is_read(tmp_path: Path, name: str) -> None:
    model = read_ecvc(write(tmp_path, name))
    assert model.vectors.tolist() == [[3, 1, 0], [1, 1, 0]]
    assert model.known.tolist() == [True, True, False]
    assert (model.shortest, model.longest, model.held_out) == (2, 9, 20)
    assert model.thresholds == {"p95": 0.125, "budget": 0.25}


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"entries": {"architecture": "another"}}, "not a checkpoint of event count vectors"),
        ({"entries": {"architecture": None}}, "not a checkpoint of event count vectors"),
        ({"entries": {"feature_dim": None}}, "feature_dim"),
        ({"entries": {"feature_dim": 4}}, "feature_dim is 4"),
        ({"entries": {"feature_dim": 2**40}}, "feature_dim"),
        ({"entries": {"shortest": 0}}, "shortest"),
        ({"entries": {"longest": 1}}, "longest"),
        ({"entries": {"longest": 3}}, "from 2 to 3"),
        ({"entries": {"longest": 2**25}}, "longest"),
        ({"entries": {"vocab_sha256": None}}, "vocab_sha256"),
        ({"entries": {"vocab_sha256": "abc"}}, "vocab_sha256"),
        ({"settings": {"thresholds": {"budget": "much"}}}, "budget"),
        ({"settings": {"thresholds": [1]}}, "thresholds"),
        ({"settings": {"held_out_sessions": -1}}, "held_out_sessions"),
        ({"tensors": {"more": torch.zeros(1)}}, "other tensors"),
        ({"tensors": {"vectors": torch.zeros(2, 3)}}, "float32"),
        ({"tensors": {"vectors": torch.zeros(3, dtype=torch.int32)}}, "vectors is"),
        ({"tensors": {"vectors": torch.zeros(0, 3, dtype=torch.int32)}}, "vectors"),
        ({"tensors": {"vectors": torch.tensor([[3, -1, 0]], dtype=torch.int32)}}, "below 0"),
        ({"tensors": {"vectors": torch.tensor([[0, 0, 0]], dtype=torch.int32)}}, "from 2 to 9"),
        ({"tensors": {"vectors": torch.tensor([[1, 1, 1]], dtype=torch.int32)}}, "not known"),
        (
            {"tensors": {"vectors": torch.tensor([[2**31 - 1] * 3], dtype=torch.int32)}},
            "from 2 to 9",
        ),
        ({"tensors": {"known": torch.tensor([1, 1, 0])}}, "known is"),
        ({"tensors": {"known": torch.tensor([True, True])}}, "known is"),
    ],
)
def test_what_training_does_not_write_is_refused(
    tmp_path: Path, changes: dict[str, dict[str, Any]], word: str
) -> None:
    with pytest.raises(CheckpointError) as raised:
        read_ecvc(write(tmp_path, **changes))
    assert word in str(raised.value)
    assert "\n" not in str(raised.value)


def test_more_counts_than_a_graph_may_hold_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path)
    monkeypatch.setattr("logexport_ecvc.checkpoints.MOST_CELLS", 5)
    with pytest.raises(CheckpointError, match="2 vectors: 5 counts at most"):
        read_ecvc(path)


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:40], lambda _: b""])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = write(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError):
        read_ecvc(path)


def test_a_model_is_loaded_with_the_threshold_of_its_budget(tmp_path: Path) -> None:
    model = loaded(write(tmp_path))
    decision = model.task.decision
    assert model.task.input == SessionCounts()
    assert model.vocab_size == 2
    assert model.trained_vocab_sha256 == "0" * 64
    assert isinstance(decision, ScoreThreshold)
    assert (decision.threshold, decision.threshold_name) == (0.25, "budget")
    assert (decision.output, decision.attribution) == ("score", "shares")
    assert decision.thresholds == {"p95": 0.125, "budget": 0.25}
    assert not model.module.training


@pytest.mark.parametrize(
    ("wanted", "value", "name"), [("p95", 0.125, "p95"), ("0.5", 0.5, "value"), ("0", 0.0, "value")]
)
def test_a_threshold_is_a_name_or_a_number(
    tmp_path: Path, wanted: str, value: float, name: str
) -> None:
    decision = loaded(write(tmp_path), threshold=wanted).task.decision
    assert isinstance(decision, ScoreThreshold)
    assert (decision.threshold, decision.threshold_name) == (value, name)


@pytest.mark.parametrize(
    ("wanted", "word"),
    [
        ("p99", "at least 100 sessions"),
        ("p99.9", "at least 1,000 sessions"),
        ("much", "neither a number"),
        ("-1", "neither a number"),
        ("nan", "neither a number"),
        ("inf", "neither a number"),
    ],
)
def test_a_threshold_that_there_is_not_is_refused_with_those_that_there_are(
    tmp_path: Path, wanted: str, word: str
) -> None:
    with pytest.raises(UsageError, match=word) as raised:
        loaded(write(tmp_path), threshold=wanted)
    assert "p95, budget, a number" in raised.value.remedy


def test_a_checkpoint_without_thresholds_needs_a_number(tmp_path: Path) -> None:
    path = write(tmp_path, settings={"thresholds": {}})
    with pytest.raises(UsageError, match="no threshold budget"):
        loaded(path)
    decision = loaded(path, threshold="0.5").task.decision
    assert isinstance(decision, ScoreThreshold)
    assert decision.threshold == 0.5
