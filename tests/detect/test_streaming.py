"""The streaming reference against the oracle, on every combination of input and decision."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logexport.logs.windows import CountWindows
from logexport.verdicts.detector import Detector
from logexport.verdicts.options import DetectOptions

from tests.detect.fakes import (
    FakeEvent,
    LogitScorer,
    ScoreScorer,
    count_score,
    count_topk,
    event_score,
    event_topk,
    rules_of_version_1,
    vocabulary,
)
from tests.detect.oracle import verdicts

EXAMPLES = int(os.environ.get("LOGEXPORT_TEST_EXAMPLES", "60"))
FEATURES = 6


@st.composite
def logs(draw: st.DrawFn) -> list[FakeEvent]:
    """Non-blank lines with gaps in their numbers, where blank lines would be."""
    events, number = [], 0
    for template, session, gap in draw(
        st.lists(
            st.tuples(
                st.one_of(st.none(), st.integers(0, FEATURES - 2)),
                st.sampled_from([None, "a", "b", 'c"\n\u2028', ""]),
                st.integers(1, 3),
            ),
            max_size=60,
        )
    ):
        number += gap
        events.append(FakeEvent(number, session, template))
    return events


def records_of(detector: Detector, events: list[FakeEvent]) -> list[str]:
    out = []
    for event in events:
        out += [item.to_line() for item in detector.feed(event)]
    return out + [item.to_line() for item in detector.finish()]


def logit_row(window: np.ndarray) -> dict[str, object]:
    return {"logits": LogitScorer(FEATURES).row(window)}


def score_row(window: np.ndarray) -> dict[str, object]:
    outputs = ScoreScorer(FEATURES)(window[None])
    return {"score": outputs["error"][0], "attribution": outputs["by_feature"][0]}


@pytest.mark.parametrize("unknown", [None, FEATURES - 1])
@pytest.mark.parametrize("decision", ["topk", "threshold"])
@settings(max_examples=EXAMPLES, deadline=None)
@given(
    events=logs(),
    length=st.integers(1, 5),
    top_k=st.integers(1, FEATURES - 1),
    threshold=st.floats(0.3, 0.9),
    max_sessions=st.integers(1, 4),
    batch=st.integers(1, 5),
    summaries=st.booleans(),
)
def test_event_windows_say_what_the_definition_says(
    decision: str,
    unknown: int | None,
    events: list[FakeEvent],
    length: int,
    top_k: int,
    threshold: float,
    max_sessions: int,
    batch: int,
    summaries: bool,
) -> None:
    vocab = vocabulary(FEATURES, unknown)
    topk = decision == "topk"
    task = event_topk(length, top_k) if topk else event_score(length, threshold)
    scorer = LogitScorer(FEATURES) if topk else ScoreScorer(FEATURES)
    detector = Detector(
        task,
        vocab,
        scorer,
        DetectOptions(session_summary=summaries, batch_size=batch),
        rules=rules_of_version_1(max_sessions),
    )
    row = logit_row if topk else score_row
    expected = verdicts(events, task, vocab, row, max_sessions, summaries)
    assert records_of(detector, events) == expected


@pytest.mark.parametrize("decision", ["topk", "threshold"])
@settings(max_examples=EXAMPLES, deadline=None)
@given(
    events=logs(),
    lines=st.integers(1, 6),
    stride=st.integers(1, 8),
    steps=st.integers(1, 4),
    top_k=st.integers(1, FEATURES - 1),
    threshold=st.floats(0.3, 0.9),
    batch=st.integers(1, 5),
)
def test_counts_say_what_the_definition_says(
    decision: str,
    events: list[FakeEvent],
    lines: int,
    stride: int,
    steps: int,
    top_k: int,
    threshold: float,
    batch: int,
) -> None:
    vocab = vocabulary(FEATURES)
    topk = decision == "topk"
    task = (
        count_topk(lines, stride, steps, top_k)
        if topk
        else count_score(lines, stride, steps, threshold)
    )
    scorer = LogitScorer(FEATURES) if topk else ScoreScorer(FEATURES)
    detector = Detector(
        task, vocab, scorer, DetectOptions(batch_size=batch), rules=rules_of_version_1()
    )
    row = logit_row if topk else score_row
    assert records_of(detector, events) == verdicts(events, task, vocab, row)


@settings(max_examples=EXAMPLES, deadline=None)
@given(events=logs(), batch=st.integers(1, 9), flushes=st.sets(st.integers(0, 60)))
def test_batches_and_flushes_change_nothing(
    events: list[FakeEvent], batch: int, flushes: set[int]
) -> None:
    task, vocab = event_topk(3, 2), vocabulary(FEATURES)
    by_one = DetectOptions(batch_size=1)
    expected = records_of(
        Detector(task, vocab, LogitScorer(FEATURES), by_one, rules=rules_of_version_1()), events
    )
    detector = Detector(
        task,
        vocab,
        LogitScorer(FEATURES),
        DetectOptions(batch_size=batch),
        rules=rules_of_version_1(),
    )
    parts = []
    for index, event in enumerate(events):
        parts += [item.to_line() for item in detector.feed(event)]
        if index in flushes:
            parts += [item.to_line() for item in detector.flush()]
            assert len(parts) == index + 1, "after a flush nothing is held back"
    assert parts + [item.to_line() for item in detector.finish()] == expected


@settings(max_examples=EXAMPLES, deadline=None)
@given(events=logs(), max_sessions=st.integers(1, 4))
def test_anomalies_only_leaves_out_the_rest_and_keeps_summaries(
    events: list[FakeEvent], max_sessions: int
) -> None:
    task, vocab = event_topk(2, 2), vocabulary(FEATURES)

    def run(**options: bool) -> list[str]:
        detector = Detector(
            task,
            vocab,
            LogitScorer(FEATURES),
            DetectOptions(session_summary=True, **options),
            rules=rules_of_version_1(max_sessions),
        )
        return records_of(detector, events)

    everything = run()
    expected = [line for line in everything if '"lines": ' in line or '"anomaly", "reason"' in line]
    assert run(anomalies_only=True) == expected


def test_a_window_is_scored_once_and_the_counters_add_up() -> None:
    events = [FakeEvent(2 * i + 1, None, (0, 1, 2)[i % 3]) for i in range(300)]
    events.insert(5, FakeEvent(1000, None, None))
    scorer = LogitScorer(FEATURES)
    by_two = DetectOptions(batch_size=2)
    detector = Detector(
        event_topk(3, 2), vocabulary(FEATURES), scorer, by_two, rules=rules_of_version_1()
    )
    records = records_of(detector, events)
    stats = detector.stats
    assert scorer.batches == [2, 2]  # 3 windows; the last one waits alone and is given twice
    assert stats.scored == 3
    assert len(records) == stats.events == 301
    assert (stats.unseen, stats.warmup, stats.judged) == (1, 3, 297)
    assert stats.anomalies == sum('"verdict": "anomaly"' in line for line in records)


def test_no_window_is_scored_alone() -> None:
    """A batch of one gives other last digits in ONNX Runtime than the same window among others."""
    scorer = LogitScorer(FEATURES)
    events = [FakeEvent(i + 1, None, i % FEATURES) for i in range(20)]
    by_one = DetectOptions(batch_size=1)
    records_of(
        Detector(
            event_topk(2, 2), vocabulary(FEATURES), scorer, by_one, rules=rules_of_version_1()
        ),
        events,
    )
    assert set(scorer.batches) == {2}


def test_records_held_back_are_bounded_while_no_batch_fills() -> None:
    """Two windows that repeat never fill a batch of 64; lines are still said before the end."""
    detector = Detector(
        event_topk(1, 2), vocabulary(FEATURES), LogitScorer(FEATURES), rules=rules_of_version_1()
    )
    out = [
        item
        for i in range(5000)
        for item in detector.feed(FakeEvent(i + 1, None, 0 if i % 2 else 1))
    ]
    assert len(out) > 5000 - 64 * 16


def test_count_windows_keep_only_what_later_samples_need() -> None:
    windows = CountWindows(lines=10, stride=3, steps=4, features=5)
    for number in range(1, 2001):
        windows.append(number, number % 5)
    held = sum(len(value) for value in vars(windows).values() if hasattr(value, "__len__"))
    assert held <= 10 + 5 + 4 + (4 + 10 // 3 + 1)


def test_event_number_one_more_than_a_full_stride_apart_is_in_no_window() -> None:
    """With a stride above the window's lines, the lines between are counted nowhere."""
    windows = CountWindows(lines=2, stride=5, steps=2, features=3)
    samples = [windows.append(10 * n, n % 3) for n in range(1, 13)]
    found = [sample for sample in samples if sample is not None]
    assert [(s.number, s.first_line, s.last_line) for s in found] == [(0, 10, 70), (1, 60, 120)]
    assert found[0].counts.tolist() == [[0, 1, 1], [1, 1, 0]]
    assert found[0].counts.dtype == np.float32
