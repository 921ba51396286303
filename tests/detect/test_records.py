"""The fixed format, and what another runtime may say without being wrong."""

from __future__ import annotations

import json
import math
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from logexport.verdicts.agreement import agreement
from logexport.verdicts.judgements import Ranking, Scoring
from logexport.verdicts.records import (
    Closing,
    LinePlace,
    NextEventPlace,
    Rank,
    Record,
    Score,
    SessionPlace,
    SessionSummary,
    Share,
    WindowPlace,
    find_largest_shares,
    format_number,
)
from logexport.verdicts.tolerance import close

INDEX = st.integers(0, 2**40)
CLOSING = st.builds(Closing, INDEX, st.sampled_from(["idle", "gap", "pattern", "end"]))
FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


def float32(value: float) -> float:
    return float(np.float32(value))


# --- format -----------------------------------------------------------------------------------


def test_the_two_examples_of_the_format() -> None:
    rank = Record(LinePlace(51, None, 17), "anomaly", "topk", Rank(9, 9))
    assert rank.to_line() == (
        '{"line": 51, "session": null, "template": 17, "verdict": "anomaly", "reason": "topk", '
        '"rank": 9, "top_k": 9}'
    )
    score = Record(
        WindowPlace(12, 301, 825),
        "anomaly",
        "threshold",
        Score(3.1375, 2.94840789, (Share(17, 0.61),)),
    )
    assert score.to_line() == (
        '{"window": 12, "first_line": 301, "last_line": 825, "verdict": "anomaly", '
        '"reason": "threshold", "score": 3.1375, "threshold": 2.94840789, '
        '"top": [{"template": 17, "share": 0.61}]}'
    )
    summary = SessionSummary("blk_1", 19, 9, 0)
    assert summary.to_line() == (
        '{"session": "blk_1", "lines": 19, "judged": 9, "anomalies": 0, "verdict": "normal"}'
    )


def test_the_other_two_combinations() -> None:
    score = Record(LinePlace(7, "h", 3), "warmup", None, Score(None, 1e-05))
    assert score.to_line() == (
        '{"line": 7, "session": "h", "template": 3, "verdict": "warmup", "reason": null, '
        '"score": null, "threshold": 1e-05, "top": []}'
    )
    rank = Record(NextEventPlace(0, 1, 20, None), "anomaly", "unseen", Rank(None, 3))
    assert rank.to_line() == (
        '{"window": 0, "first_line": 1, "last_line": 20, "template": null, "verdict": "anomaly", '
        '"reason": "unseen", "rank": null, "top_k": 3}'
    )


@given(
    st.builds(
        Record,
        st.builds(LinePlace, INDEX, st.none() | st.text(), st.none() | INDEX, st.none() | CLOSING)
        | st.builds(SessionPlace, st.text(), INDEX, INDEX, INDEX, CLOSING)
        | st.builds(WindowPlace, INDEX, INDEX, INDEX)
        | st.builds(NextEventPlace, INDEX, INDEX, INDEX, st.none() | INDEX),
        st.sampled_from(["warmup", "normal", "anomaly"]),
        st.sampled_from([None, "topk", "threshold", "unseen", "not_finite"]),
        st.builds(Rank, st.none() | INDEX, INDEX),
    )
)
def test_records_without_numbers_are_what_json_dumps_writes(record: Record) -> None:
    line = record.to_line()
    assert json.dumps(json.loads(line), ensure_ascii=False) == line
    assert "\n" not in line


@given(st.none() | st.text(), INDEX, INDEX, INDEX, st.none() | CLOSING)
def test_summaries_are_what_json_dumps_writes(
    session: str | None, lines: int, judged: int, anomalies: int, closing: Closing | None
) -> None:
    line = SessionSummary(session, lines, judged, anomalies, closing).to_line()
    assert json.dumps(json.loads(line), ensure_ascii=False) == line


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [((5, 0, 0), "short"), ((5, 2, 0), "normal"), ((5, 2, 1), "anomaly"), ((1, 0, 1), "anomaly")],
)
def test_a_summarys_verdict(counts: tuple[int, int, int], verdict: str) -> None:
    assert SessionSummary(None, *counts).verdict == verdict


@given(FLOAT32)
def test_nine_digits_are_json_and_give_the_float32_back(value: float) -> None:
    text = format_number(value)
    assert isinstance(json.loads(text), (int, float))
    assert struct.pack("f", float(text)) == struct.pack("f", value)


def test_numbers_do_not_depend_on_the_locale() -> None:
    """Where the machine has a locale with a decimal comma, it is set; records keep the point."""
    names = ["de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8", "nl_NL.UTF-8"]
    code = f"""
import locale, sys
for name in {names!r}:
    try:
        locale.setlocale(locale.LC_ALL, name)
        break
    except locale.Error:
        continue
from logexport.verdicts.records import format_number
sys.stdout.write(format_number(3.1375) + " " + format_number(1e10))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "3.1375 1e+10"


# --- shares -----------------------------------------------------------------------------------


def test_the_five_largest_shares_ties_to_the_lower_index() -> None:
    attribution = np.array([1, 3, 0, 3, 2, 1, 1, 0], dtype=np.float32)
    top = find_largest_shares(Scoring(9.0, 1.0, attribution).shares, len(attribution))
    assert [(share.template, share.share) for share in top] == [
        (1, 3 / 11),
        (3, 3 / 11),
        (4, 2 / 11),
        (0, 1 / 11),
        (5, 1 / 11),
    ]


@pytest.mark.parametrize(
    "attribution", [None, [], [0, 0], [np.nan, 1], [np.inf, 1], [-1, 1], [-3, 1]]
)
def test_no_shares_without_a_sum_to_divide_by(attribution: list[float] | None) -> None:
    array = None if attribution is None else np.array(attribution, dtype=np.float32)
    assert find_largest_shares(Scoring(9.0, 1.0, array).shares, 9) == ()


@given(st.lists(st.floats(0, 1000, width=32), min_size=1, max_size=40))
def test_shares_are_the_quotient_by_the_sum_in_order_in_double(values: list[float]) -> None:
    total = 0.0
    for value in values:
        total = total + value
    shares = Scoring(9.0, 1.0, np.array(values, dtype=np.float32)).shares
    if total == 0:
        assert shares is None
    else:
        assert shares is not None
        assert shares.tolist() == [value / total for value in values]


# --- what a record was decided from ------------------------------------------------------------


@given(
    st.lists(FLOAT32.map(lambda v: v % 8), min_size=2, max_size=12),
    st.data(),
)
def test_ranks_of_logits_moved_within_the_tolerance_are_in_the_range(
    values: list[float], data: st.DataObject
) -> None:
    logits = np.array(values, dtype=np.float32)
    event = data.draw(st.integers(0, len(values) - 1))
    top_k = data.draw(st.integers(1, len(values) - 1))
    ranking = Ranking(logits, event, top_k)
    lowest, highest = ranking.rank_range
    rank = int((logits > logits[event]).sum())
    assert lowest <= rank <= highest
    pushed = logits.astype(np.float64)
    pushed[event] += 0.99 * (1e-5 + 1e-4 * abs(pushed[event]))
    moved = int((np.delete(pushed, event) > pushed[event]).sum())
    assert lowest <= moved <= highest
    assert ranking.may_flip == (lowest < top_k <= highest)


def test_the_margin_is_the_distance_to_the_logit_that_decides() -> None:
    logits = np.array([5, 1, 4, 3, 2], dtype=np.float32)
    assert Ranking(logits, 3, 2).margin == 1  # rank 2, anomaly: must pass logit 4
    assert Ranking(logits, 3, 3).margin == 1  # rank 2, normal: 2 would have to pass it
    assert Ranking(logits, 0, 4).margin == 4
    assert math.isnan(Ranking(np.array([np.nan, 1], dtype=np.float32), 1, 1).margin)
    assert Ranking(np.array([np.inf, 1], dtype=np.float32), 1, 1).rank_range == (-1, -1)
    assert Scoring(3.0, 2.5).margin == 0.5


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (1.0, 1.0 + 1.0e-4, True),
        (1.0, 1.0 + 2.0e-4, False),
        (0.0, 1e-5, True),
        (math.nan, math.nan, True),
        (math.inf, math.inf, True),
        (math.inf, 1.0, False),
        (1.0, math.nan, False),
    ],
)
def test_close(a: float, b: float, expected: bool) -> None:
    assert close(a, b) is expected


# --- agreement with another runtime -------------------------------------------------------------


def ranked(logits: list[float], event: int, top_k: int) -> Record:
    row = np.array(logits, dtype=np.float32)
    rank = int((row > row[event]).sum())
    verdict, reason = ("anomaly", "topk") if rank >= top_k else ("normal", None)
    return Record(
        LinePlace(3, None, event), verdict, reason, Rank(rank, top_k), Ranking(row, event, top_k)
    )


def test_a_rank_that_close_logits_explain_is_a_tie_and_no_other() -> None:
    record = ranked([2.0, 1.00001, 1.0, 0.0], event=2, top_k=2)
    other = Record(record.place, "normal", None, Rank(1, 2)).to_line()
    assert agreement(record, record.to_line()) == "same"
    assert agreement(record, other) == "tie"
    assert agreement(record, other.replace('"rank": 1', '"rank": 0')) == "different"
    # The verdict must follow from the rank that is given with it.
    assert agreement(record, other.replace('"normal"', '"anomaly"')) == "different"
    apart = ranked([2.0, 1.1, 1.0, 0.0], event=2, top_k=2)
    assert agreement(apart, other) == "different"


@pytest.mark.parametrize(
    "change",
    [
        ('"line": 3', '"line": 4'),
        ('"session": null', '"session": "x"'),
        ('"template": 2', '"template": 1'),
        ('"top_k": 2', '"top_k": 3'),
        (", ", ","),
        ('"rank": 2', '"rank": 2.0'),
        ('"rank": 2', '"rank": null'),
        ('"rank": 2', '"rank": "2"'),
        ("}", ', "more": 1}'),
        ("{", "["),
    ],
)
def test_any_other_difference_is_a_difference(change: tuple[str, str]) -> None:
    record = ranked([2.0, 1.00001, 1.0, 0.0], event=2, top_k=2)
    other = record.to_line().replace(*change)
    assert other != record.to_line()
    assert agreement(record, other) == "different"


def test_what_no_model_decided_must_be_equal() -> None:
    record = Record(LinePlace(3, None, None), "anomaly", "unseen", Rank(None, 2))
    assert agreement(record, record.to_line().replace("unseen", "topk")) == "different"
    assert agreement(record, "") == "different"
    assert agreement(record, "[]") == "different"


def scored(score: float, threshold: float, attribution: list[float]) -> Record:
    value = float32(score)
    judgement = Scoring(value, threshold, np.array(attribution, dtype=np.float32))
    if value <= threshold:
        return Record(WindowPlace(0, 1, 9), "normal", None, Score(value, threshold), judgement)
    outcome = Score(value, threshold, find_largest_shares(judgement.shares, 9))
    return Record(WindowPlace(0, 1, 9), "anomaly", "threshold", outcome, judgement)


def test_scores_agree_when_close_and_verdicts_flip_only_near_the_threshold() -> None:
    record = scored(3.0, 2.0, [2, 1])
    assert agreement(record, scored(3.0001, 2.0, [2, 1]).to_line()) == "same"
    assert agreement(record, scored(3.01, 2.0, [2, 1]).to_line()) == "different"
    near = scored(2.00001, 2.0, [2, 1])
    assert agreement(near, scored(1.99999, 2.0, [2, 1]).to_line()) == "tie"
    assert agreement(scored(1.99999, 2.0, [2, 1]), near.to_line()) == "tie"
    # A verdict that its own score contradicts.
    wrong = scored(3.0001, 2.0, [2, 1]).to_line().replace('"anomaly"', '"normal"')
    assert agreement(record, wrong) == "different"


def test_shares_agree_when_close_and_change_places_only_when_close() -> None:
    record = scored(3.0, 2.0, [2, 1.00001, 1])
    assert agreement(record, scored(3.0, 2.0, [2, 1, 1.00001]).to_line()) == "same"
    assert agreement(record, scored(3.0, 2.0, [1, 2, 1]).to_line()) == "different"
    assert agreement(record, scored(3.0, 2.0, [2, 1.1, 1]).to_line()) == "different"
    missing = record.to_line().replace(', {"template": 2', ', {"template": 1')
    assert agreement(record, missing) == "different"


def test_a_summary_may_differ_by_its_ties() -> None:
    record = SessionSummary("s", 9, 4, 1, flips=1)
    assert agreement(record, SessionSummary("s", 9, 4, 0).to_line()) == "tie"
    assert agreement(record, SessionSummary("s", 9, 4, 3).to_line()) == "different"
    assert agreement(record, SessionSummary("s", 8, 4, 0).to_line()) == "different"
