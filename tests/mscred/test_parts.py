"""The parts of a log share no line, whatever the windows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from logexport.training.budgets import Budget
from logexport_mscred.counts import KIND, read_counts
from logexport_mscred.parts import divide
from logexport_mscred.thresholds import curve_of, needed, thresholds_of


def lines_of(part: range, steps: int, lines: int, stride: int) -> range:
    """The lines that a part's samples cover, from 0."""
    return range(part.start * stride, (part.stop - 1 + steps - 1) * stride + lines)


@given(
    samples=st.integers(2, 3000),
    steps=st.integers(4, 40),
    lines=st.integers(1, 300),
    stride=st.integers(1, 60),
    holdout=st.floats(0, 0.9),
)
def test_no_line_is_in_two_parts(
    samples: int, steps: int, lines: int, stride: int, holdout: float
) -> None:
    parts = divide(samples, steps, lines, stride, holdout)
    kept = [part for part in (parts.train, parts.stop, parts.held_out) if len(part)]
    assert parts.train.start == 0
    assert len(parts.train) >= 1
    assert kept[-1].stop <= samples
    for before, after in pairwise(kept):
        assert after.start - before.stop >= steps
        covered = lines_of(before, steps, lines, stride)
        assert covered.stop <= lines_of(after, steps, lines, stride).start


def test_windows_that_overlap_by_half_are_separated_by_steps() -> None:
    parts = divide(1000, 20, 50, 25, 0.2)
    assert parts.gap == 20
    assert parts.held_out == range(800, 1000)
    assert parts.stop == range(680, 780)
    assert parts.train == range(660)
    assert parts.train_rows == slice(0, 679)


def test_nothing_is_held_out_of_a_log_that_is_too_short() -> None:
    for samples, holdout in ((10, 0.2), (24, 0.5), (500, 0.0)):
        parts = divide(samples, 20, 50, 25, holdout)
        assert parts.train == range(samples)
        assert len(parts.held_out) == len(parts.stop) == 0


def thresholds(scores: np.ndarray, share: float = 0.01) -> dict[str, float]:
    return thresholds_of(scores, Budget(share, len(scores), "windows"))


def test_thresholds_need_enough_scores() -> None:
    everything = ["budget", "p95", "p99", "p99.9", "3sigma", "mad"]
    assert [needed(name) for name in everything] == [1, 20, 100, 1000, 2, 2]
    for count, names in (
        (0, []),
        (1, ["budget"]),
        (2, ["budget", "3sigma", "mad"]),
        (19, ["budget", "3sigma", "mad"]),
    ):
        assert list(thresholds(np.ones(count))) == names
    assert list(thresholds(np.arange(20.0))) == ["budget", "p95", "3sigma", "mad"]
    assert list(thresholds(np.arange(999.0))) == ["budget", "p95", "p99", "3sigma", "mad"]
    assert list(thresholds(np.arange(1000.0))) == everything


def test_thresholds_of_known_scores() -> None:
    scores = np.array([0.0, 0.0, 1.0, 2.0, 7.0] * 20)
    found = thresholds(scores, 0.25)
    assert found["3sigma"] == pytest.approx(2 + 3 * np.sqrt(6.8))
    assert found["mad"] == pytest.approx(1 + 3 * 1.4826 * 1.0)
    assert found["p95"] == found["p99"] == 7
    assert found["budget"] == 2


def test_a_curve_has_the_budgets_that_its_scores_can_tell_apart_and_none() -> None:
    assert curve_of(np.arange(100.0)) == {0.1: 89, 0.05: 94, 0.02: 97, 0.01: 98, 0.0: 99}
    assert curve_of(np.zeros(0)) == {}


def _table(tmp_path: object, columns: dict[str, object], about: object = None) -> object:
    import json
    from pathlib import Path

    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(str(tmp_path)) / "w.parquet"
    table = pa.table(columns)
    if about is not None:
        table = table.replace_schema_metadata({"logexport": json.dumps(about)})
    pq.write_table(table, path)
    return path


@pytest.mark.parametrize(
    ("columns", "about", "says"),
    [
        ({"t0": [1, 2], "t2": [1, 2], "start_index": [0, 25]}, None, "without a gap"),
        ({"a": [1]}, None, "without a gap"),
        ({"t0": ["x"], "start_index": [0]}, None, "Column t0"),
        ({"t0": [1, None], "start_index": [0, 25]}, None, "Column t0"),
        ({"t0": [1.5, 2], "start_index": [0, 25]}, None, "no counts"),
        ({"t0": [-1, 2], "start_index": [0, 25]}, None, "no counts"),
        ({"t0": [float("nan"), 2], "start_index": [0, 25]}, None, "no counts"),
        ({"t0": [1.0, 2.0**25], "start_index": [0, 25]}, None, "no counts"),
        ({"t0": [1.0, 1e300], "start_index": [0, 25]}, None, "no counts"),
        ({"t0": [1, 2]}, None, "does not show how many lines"),
        ({"t0": [5], "start_index": [0]}, None, "does not show how many lines"),
        ({"t0": [0, 0], "start_index": [0, 5]}, None, "does not show how many lines"),
        ({"t0": [1]}, {"kind": "parsed"}, "holds parsed"),
        ({"t0": [1]}, ["x"], "holds"),
        ({"t0": [1]}, {"kind": KIND, "lines": 0, "stride": 1, "vocab_sha256": "a"}, "lacks lines"),
        ({"t0": [1]}, {"kind": KIND, "lines": 5, "stride": 1}, "lacks lines"),
    ],
)
def test_what_is_no_window_counts_is_one_sentence(
    tmp_path: object, columns: dict[str, object], about: object, says: str
) -> None:
    from pathlib import Path

    from logexport.errors import InputError

    path = Path(str(_table(tmp_path, columns, about)))
    with pytest.raises(InputError, match=says) as refusal:
        read_counts(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_lines_and_stride_of_rows_in_the_order_of_time_are_the_usual_ones(
    tmp_path: object,
) -> None:
    from pathlib import Path

    columns = {"t0": [3, 4, 1, 5], "t1": [2, 1, 4, 0], "start_index": [0, 2, 9, 11]}
    data = read_counts(Path(str(_table(tmp_path, columns))))
    assert (data.lines, data.stride, data.about) == (5, 2, None)
    assert "2 of 3" in data.found
