"""How an output is read: ties, values that are not finite, thresholds, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from logexport.errors import BundleError, InputError, UsageError
from logexport.types import (
    CountMatrix,
    EventWindow,
    OtherDecision,
    OtherInput,
    ScoreThreshold,
    Task,
    Vocabulary,
)
from logexport.verdicts.detector import Detector
from logexport.verdicts.options import DetectOptions, apply_options
from logexport.verdicts.scorers import Scorer

from tests.detect.fakes import (
    ConstantScorer,
    FakeEvent,
    LogitScorer,
    ScoreScorer,
    count_topk,
    event_score,
    event_topk,
    rules_of_version_1,
    vocabulary,
)

NAN, INF = float("nan"), float("inf")


def records(
    task: Task, scorer: Scorer, events: list[int | None], vocab: Vocabulary | None = None
) -> list[dict[str, Any]]:
    detector = Detector(task, vocab or vocabulary(4), scorer, rules=rules_of_version_1())
    out = []
    for number, event in enumerate(events, start=1):
        out += [
            json.loads(item.to_line()) for item in detector.feed(FakeEvent(number, None, event))
        ]
    return out + [json.loads(item.to_line()) for item in detector.finish()]


def test_equal_logits_are_not_greater() -> None:
    scorer = ConstantScorer(predictions=[1.0, 1.0, 2.0, 1.0])
    _, record = records(event_topk(1, 1), scorer, [0, 2])
    assert (record["rank"], record["verdict"]) == (0, "normal")
    for event in (0, 1, 3):
        _, record = records(event_topk(1, 2), scorer, [0, event])
        assert (record["rank"], record["verdict"]) == (1, "normal")


@pytest.mark.parametrize("row", [[NAN, 1, 2, 3], [0, INF, 2, 3], [0, 1, 2, -INF]])
def test_any_logit_that_is_not_finite_is_an_anomaly(row: list[float]) -> None:
    for event in range(4):
        _, record = records(event_topk(1, 3), ConstantScorer(predictions=row), [0, event])
        assert (record["verdict"], record["reason"]) == ("anomaly", "not_finite")
        assert record["rank"] is None
        assert record["template"] == event


@pytest.mark.parametrize("score", [NAN, INF, -INF])
def test_a_score_that_is_not_finite_is_an_anomaly(score: float) -> None:
    scorer = ConstantScorer(error=score, by_feature=[1, 0, 0, 3])
    (record,) = records(event_score(1, 5.0), scorer, [0])
    assert (record["verdict"], record["reason"]) == ("anomaly", "not_finite")
    assert record["score"] is None
    assert [share["template"] for share in record["top"]] == [3, 0, 1, 2]


@pytest.mark.parametrize("attribution", [[NAN, 1, 1, 1], [INF, 1, 1, 1], [0, 0, 0, 0]])
def test_no_shares_without_a_usable_sum(attribution: list[float]) -> None:
    (record,) = records(event_score(1, 0.5), ConstantScorer(error=1.0, by_feature=attribution), [0])
    assert record["verdict"] == "anomaly"
    assert record["top"] == []


def test_a_task_without_attribution_has_no_shares() -> None:
    (record,) = records(event_score(1, 0.5, None), ConstantScorer(error=1.0), [0])
    assert (record["reason"], record["top"]) == ("threshold", [])


def test_the_float32_is_widened_before_it_is_compared() -> None:
    """0.1 as float32 is 0.100000001…, which is greater than the double 0.1."""
    scorer = ConstantScorer(error=0.1, by_feature=[1, 1, 1, 1])
    (record,) = records(event_score(1, 0.1), scorer, [0])
    assert record["reason"] == "threshold"
    assert record["score"] == 0.100000001
    (record,) = records(event_score(1, float(np.float32(0.1))), scorer, [0])
    assert (record["verdict"], record["top"]) == ("normal", [])


def test_a_score_is_judged_with_the_lines_event_a_rank_without_it() -> None:
    first = records(event_score(2, 0.5), ScoreScorer(4), [0, 1])
    assert [record["verdict"] == "warmup" for record in first] == [True, False]
    first = records(event_topk(2, 1), LogitScorer(4), [0, 1])
    assert [record["verdict"] for record in first] == ["warmup", "warmup"]


def test_an_unseen_line_takes_no_place_without_an_unknown_index() -> None:
    scorer = ConstantScorer(predictions=[1, 2, 3, 4])
    got = records(event_topk(2, 3), scorer, [0, None, 1, 2])
    assert [record["verdict"] for record in got] == ["warmup", "anomaly", "warmup", "normal"]
    assert [record["reason"] for record in got] == [None, "unseen", None, None]


def test_an_unseen_line_enters_the_window_as_the_unknown_index() -> None:
    seen: list[list[int]] = []

    class Recorder(LogitScorer):
        def row(self, window: np.ndarray) -> np.ndarray:
            seen.append(window.tolist())
            return super().row(window)

    vocab = vocabulary(5, unknown=3)
    got = records(event_topk(2, 4), Recorder(5), [0, None, 1], vocab)
    assert [record["reason"] for record in got] == [None, "unseen", None]
    assert [record["verdict"] for record in got] == ["warmup", "anomaly", "normal"]
    assert seen[0] == [0, 3]


def test_the_next_line_of_a_sample_may_be_unseen() -> None:
    scorer = ConstantScorer(predictions=[1, 2, 3, 4])
    got = records(count_topk(2, 1, 1, 3), scorer, [0, 1, None, 2])
    assert [(record["window"], record["template"], record["reason"]) for record in got] == [
        (0, None, "unseen"),
        (1, 2, None),
    ]


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ({"other": [0, 1, 2, 3]}, "no output 'predictions'"),
        ({"predictions": [0, 1, 2]}, r"float32 \[2, 3\] where .* float32 \[2, 4\]"),
        ({"predictions": 1.0}, r"float32 \[2\] where"),
    ],
)
def test_outputs_that_are_not_what_the_task_says(outputs: dict[str, Any], words: str) -> None:
    with pytest.raises(BundleError, match=words):
        records(event_topk(1, 1), ConstantScorer(**outputs), [0, 1])


def test_outputs_of_another_type_are_refused() -> None:
    def double(*inputs: np.ndarray) -> dict[str, np.ndarray]:
        return {"predictions": np.zeros((len(inputs[0]), 4))}

    with pytest.raises(BundleError, match="float64"):
        records(event_topk(1, 1), double, [0, 1])


@pytest.mark.parametrize("k", [0, -1, 4, 5])
def test_a_top_k_that_cannot_decide_is_refused(k: int) -> None:
    with pytest.raises(InputError, match="vocabulary has 4 entries") as of_bundle:
        Detector(event_topk(1, k), vocabulary(4), LogitScorer(4), rules=rules_of_version_1())
    assert not isinstance(of_bundle.value, UsageError)
    with pytest.raises(UsageError, match="vocabulary has 4 entries"):
        apply_options(event_topk(1, 1), vocabulary(4), DetectOptions(top_k=k))


@pytest.mark.parametrize(
    "task",
    [
        Task(OtherInput("images"), event_topk(1, 1).decision),
        Task(EventWindow(1), OtherDecision("vote")),
    ],
)
def test_a_task_that_is_not_known_is_refused_by_name(task: Task) -> None:
    with pytest.raises(InputError, match=r"images|vote"):
        Detector(task, vocabulary(4), LogitScorer(4), rules=rules_of_version_1())


def test_thresholds_by_name_and_by_number() -> None:
    decision = ScoreThreshold("error", 1.0, "p99", {"p99": 1.0, "7": 0.5})
    task = Task(CountMatrix(1, 1, 1), decision)

    def chosen(threshold: float | str) -> tuple[float, str]:
        new = apply_options(task, vocabulary(2), DetectOptions(threshold=threshold)).decision
        assert isinstance(new, ScoreThreshold)
        return new.threshold, new.threshold_name

    assert chosen("p99") == (1.0, "p99")
    assert chosen("7") == (0.5, "7"), "a name wins over a number that is spelt alike"
    assert chosen("2.5e-1") == (0.25, "value")
    assert chosen(3) == (3.0, "value")
    for wrong in ("nan", "inf", "-Infinity", "1e999", "p95", "", " 1", "1_0", "0x10", "١", INF):
        with pytest.raises(UsageError, match="nor a named threshold") as caught:
            chosen(wrong)
        assert "p99, 7" in caught.value.remedy
