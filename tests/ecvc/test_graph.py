"""The graph gives the score as it is defined, exactly, in PyTorch and in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from logexport.exporters import (
    DynamoStrategy,
    ExportStrategy,
    TorchEnvironment,
    TorchScriptStrategy,
    export_with,
    finish_graph,
)
from logexport.exporters.graph import open_session
from logexport.types import LoadedModel, ScoreThreshold, SessionCounts, Task
from logexport_ecvc.load import INPUT, OUTPUTS, dummy
from logexport_ecvc.model import CountVectors
from logexport_ecvc.vectors import LARGEST_TOTAL

from tests.ecvc.oracles import Row, Training, module, single

pytestmark = pytest.mark.torch

FEATURES = 5
counts = st.one_of(st.integers(0, 4), st.sampled_from([0, 0, 1000, 2**22]))
rows = st.lists(counts, min_size=FEATURES, max_size=FEATURES)
session = rows.filter(lambda row: 0 < sum(row) <= LARGEST_TOTAL)
training = st.lists(session, min_size=1, max_size=12).map(
    lambda sessions: Training(sessions, sessions[: len(sessions) // 2 + 1])
)


def loaded(model: CountVectors) -> LoadedModel:
    return LoadedModel(
        model, Task(SessionCounts(), ScoreThreshold(*OUTPUTS[:1], 0.5)), len(model.places) - 1
    )


def judge(model: CountVectors, batch: list[Row]) -> tuple[np.ndarray, np.ndarray]:
    with torch.no_grad():
        score, shares = model(torch.tensor([list(row) for row in batch], dtype=torch.float32))
    return score.numpy(), shares.numpy()


@given(training, st.lists(rows, min_size=1, max_size=6))
@settings(deadline=None)
def test_score_and_shares_are_the_exact_quotients_rounded(
    training: Training, batch: list[Row]
) -> None:
    score, shares = judge(module(training), batch)
    for row, value, share in zip(batch, score, shares, strict=True):
        exact = training.score(row)
        assert abs(float(value) - float(exact)) <= 2.0**-23 * float(exact)
        if exact < 1:
            assert value == single(exact)
        wanted = [float(part) for part in training.shares(row)]
        np.testing.assert_allclose(share, wanted, rtol=2.0**-22)


def test_a_session_of_the_training_scores_zero_and_has_no_shares() -> None:
    training = Training(SESSIONS, SESSIONS)
    score, shares = judge(module(training), SESSIONS)
    assert not score.any()
    assert not shares.any()


SESSIONS = [[3, 1, 0, 2, 0], [3, 1, 1, 2, 0], [1, 1, 0, 0, 0], [6, 6, 6, 2, 0]]


@pytest.mark.parametrize(
    ("row", "score", "largest"),
    [
        ([3, 1, 0, 1, 0], 1 / 6, 3),
        ([3, 1, 0, 2, 1], 1 + 1 / 7, 4),  # an unseen line, which no session had
        ([1, 0, 0, 0, 0], 1 + 1 / 2, 1),  # shorter than all
        ([6, 6, 6, 3, 0], 1 + 1 / 21, 3),  # longer than all
        ([0, 0, 0, 0, 1], 3.0, 4),  # nothing in common, new and too short
        ([0, 0, 0, 0, 0], 2.0, 0),  # nothing at all
    ],
)
def test_each_cause_adds_one(row: Row, score: float, largest: int) -> None:
    value, shares = judge(module(Training(SESSIONS, SESSIONS)), [row])
    assert value[0] == np.float32(score)
    assert shares[0].argmax() == largest
    assert shares.min() >= 0


def test_of_equally_near_vectors_the_first_is_named() -> None:
    kept = [[2, 1, 4], [1, 2, 4]]
    seventh = np.float32(1 / 7)
    assert judge(module(Training(kept, kept)), [[1, 1, 4]])[1].tolist() == [[seventh, 0, 0]]
    assert judge(module(Training(kept, kept[::-1])), [[1, 1, 4]])[1].tolist() == [[0, seventh, 0]]


def test_a_session_of_more_lines_than_float32_counts_is_judged_all_the_same() -> None:
    score, shares = judge(module(Training(SESSIONS, SESSIONS)), [[2**24, 2**24, 2**24, 9, 0]])
    assert 1.99 < score[0] <= 2
    assert np.isfinite(shares).all()


def many(rows: int, features: int) -> CountVectors:
    """A model of vectors that are drawn; its last column is not known."""
    generator = np.random.default_rng(2)
    vectors = generator.poisson(0.4, size=(rows, features)) * generator.integers(
        1, 300, size=(rows, features)
    )
    vectors[:, 0] += 1
    vectors[:, [features // 2, -1]] = 0
    totals = vectors.sum(1)
    known = torch.from_numpy(vectors.any(0))
    return CountVectors(torch.from_numpy(vectors), known, totals.min(), totals.max()).eval()


@pytest.mark.parametrize(
    ("strategy", "opset"),
    [
        (TorchScriptStrategy(), 17),
        (TorchScriptStrategy(), 18),
        pytest.param(DynamoStrategy(), 18, marks=pytest.mark.slow),
    ],
)
def test_the_graph_gives_pytorchs_bits_whatever_the_batch(
    strategy: ExportStrategy, opset: int, tmp_path: Path
) -> None:
    environment = TorchEnvironment.installed()
    available = strategy.availability(environment)
    if not available.usable:
        pytest.skip(available.reason)
    if opset not in strategy.opsets(environment):
        pytest.skip(f"{strategy.name} does not offer opset {opset} here")
    model = many(150, 61)  # several parts, and rows of 61, which four does not divide
    assert len(torch.split(model.vectors, model.part)) > 1
    inputs = dummy(loaded(model))
    path = tmp_path / "ecvc.onnx"
    export_with(strategy, model, inputs, opset, path)
    finish_graph(path, inputs)
    graph = open_session(path)
    generator = np.random.default_rng(1)
    (batch,) = inputs.draw({"batch_size": 64}, generator)
    with torch.no_grad():
        wanted = [output.numpy() for output in model(torch.from_numpy(batch))]
    assert len(np.unique(wanted[0])) > 30
    for size in (1, 2, 3, 7, 64):
        for first in range(0, len(batch), size):
            part = slice(first, first + size)
            found = graph.run(list(OUTPUTS), {INPUT: batch[part]})
            for one, other in zip(found, wanted, strict=True):
                assert one.tobytes() == other[part].tobytes()
