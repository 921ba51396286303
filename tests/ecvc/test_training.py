"""What training keeps of sessions, and the thresholds that it takes from those held out."""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from logexport.errors import InputError, LogexportError, OutputError, UsageError
from logexport_ecvc import train as training_module
from logexport_ecvc.budget import HeldOut, Point, choose, judge_held_out
from logexport_ecvc.checkpoints import read_ecvc
from logexport_ecvc.cli import ecvc
from logexport_ecvc.counts import read_counts
from logexport_ecvc.settings import Settings
from logexport_ecvc.train import train_ecvc
from logexport_ecvc.vectors import Normal, Vectors, k_centre

from tests.ecvc.files import session_row, write_counts, write_sessions, write_vocab
from tests.ecvc.oracles import Row, Training, distance, entries, single

FEATURES = 5
session = st.lists(st.integers(0, 3), min_size=FEATURES, max_size=FEATURES).filter(any)
sessions = st.lists(session, min_size=2, max_size=25)


def distinct(rows: list[Row]) -> list[Row]:
    return [list(row) for row in dict.fromkeys(map(tuple, rows))]


def vectors(rows: list[Row]) -> Vectors:
    return Vectors.of([entries(row) for row in rows], FEATURES)


# --- vectors --------------------------------------------------------------------------------------


@given(sessions, sessions)
def test_scores_in_training_are_the_scores_of_the_definition(
    known: list[Row], others: list[Row]
) -> None:
    kept = distinct(known)
    found = Normal.of(vectors(kept), np.arange(len(kept))).score(vectors(others))
    for row, score in zip(others, found, strict=True):
        exact = Training(known, kept).score(row)
        assert score == pytest.approx(float(exact), rel=2.0**-22)
        assert exact >= 1 or score == single(exact)


@given(sessions, st.integers(1, 6), st.data())
def test_the_vectors_that_are_kept_are_the_farthest_first(
    rows: list[Row], most: int, data: st.DataObject
) -> None:
    rows = distinct(rows)
    first = data.draw(st.integers(0, len(rows) - 1))
    chosen, apart = k_centre(vectors(rows), most, first)
    if len(rows) <= most:
        assert chosen.tolist() == list(range(len(rows)))
        assert not apart.any()
        return
    kept = [first]
    while len(kept) < most:
        gaps = [min(distance(row, rows[one]) for one in kept) for row in rows]
        kept.append(gaps.index(max(gaps)))
    assert chosen.tolist() == sorted(kept)
    gaps = [min(distance(row, rows[one]) for one in kept) for row in rows]
    assert apart.tolist() == list(map(float, gaps))


@given(sessions, st.lists(st.integers(0, 24), max_size=9))
def test_vectors_are_taken_and_written_out(rows: list[Row], numbers: list[int]) -> None:
    chosen = [number % len(rows) for number in numbers]
    taken = vectors(rows).take(np.array(chosen, dtype=np.int64))
    assert taken.all_dense().tolist() == [rows[number] for number in chosen]
    assert [taken.dense(number).tolist() for number in range(len(taken))] == [
        rows[number] for number in chosen
    ]
    assert taken.totals.tolist() == [sum(rows[number]) for number in chosen]


# --- held-out sessions ----------------------------------------------------------------------------


@given(sessions, st.integers(2, 6), st.integers(1, 4))
@settings(deadline=None)
def test_each_session_is_judged_by_the_other_parts(
    rows: list[Row], folds: int, threads: int
) -> None:
    kept = distinct(rows)
    numbers = np.array([kept.index(row) for row in rows])
    held_out = judge_held_out(vectors(kept), numbers, Settings(folds=folds), threads)
    folds = min(folds, len(rows))
    drawn = np.random.default_rng(0).permutation(len(rows)) % folds
    time = [place * folds // len(rows) for place in range(len(rows))]
    for way, parts in (("drawn", drawn), ("time", time)):
        for place, row in enumerate(rows):
            others = [rows[n] for n in range(len(rows)) if parts[n] != parts[place]]
            exact = float(Training(others, others).score(row))
            assert held_out.scores[way][place] == pytest.approx(exact, rel=2.0**-22)


def scores(drawn: list[float], time: list[float]) -> HeldOut:
    return HeldOut({"drawn": np.float32(drawn), "time": np.float32(time)})


def test_a_threshold_keeps_both_ways_within_the_budget_and_no_lower_one_does() -> None:
    held_out = scores([0.0] * 6 + [0.25, 0.5, 0.5, 0.75], [0.0] * 7 + [0.125, 0.25, 2.0])
    found = {rate: held_out.point("x", rate) for rate in (0.1, 0.2, 0.3, 0.4, 0.5)}
    assert [found[rate].threshold for rate in found] == [0.5, 0.5, 0.25, 0.0, 0.0]
    assert [(point.drawn, point.time) for point in found.values()] == [
        *[(1, 1), (1, 1), (3, 1)],
        *[(4, 3), (4, 3)],
    ]


@given(
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.5]), min_size=2, max_size=30),
    st.floats(0.001, 0.999),
)
def test_the_lowest_threshold_of_a_budget_is_one_of_the_scores(
    drawn: list[float], rate: float
) -> None:
    point = scores(drawn, drawn[::-1]).point("x", rate)
    assert point.drawn == point.time == sum(score > point.threshold for score in drawn)
    assert point.drawn <= rate * len(drawn) + 1e-5
    lower = [score for score in drawn if score < point.threshold]
    if lower:
        flagged = sum(score > max(lower) for score in drawn)
        assert flagged > rate * len(drawn) - 1e-5


# --- train ----------------------------------------------------------------------------------------

NORMAL = [[2, 1, 0, 1, 0], [2, 1, 1, 1, 0], [2, 2, 0, 1, 0], [4, 1, 0, 1, 0]]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A vocabulary and the counts of 200 sessions."""
    write_vocab(tmp_path, FEATURES - 1)
    write_sessions(tmp_path, [NORMAL[n % 4] for n in range(199)] + [[9, 1, 0, 1, 0]])
    return tmp_path


def train(folder: Path, *options: object) -> Result:
    files = ["--counts", folder / "session_counts.parquet", "--vocab", folder / "vocab.json"]
    arguments = ["train", *files, "-o", folder / "m.safetensors", *options]
    return CliRunner().invoke(ecvc, [*map(str, arguments)])


def document(folder: Path, *options: object) -> dict[str, Any]:
    result = train(folder, *options, "--json")
    if result.exception is not None:
        raise result.exception
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_checkpoint_holds_distinct_vectors_lengths_events_and_thresholds(log: Path) -> None:
    found = document(log, "--false-alarms", "0.005")
    assert (found["sessions"], found["distinct"], found["vectors"]) == (200, 5, 5)
    assert (found["shortest"], found["longest"], found["known"]) == (4, 11, 4)
    assert found["warnings"] == []
    model = read_ecvc(log / "m.safetensors")
    assert model.vectors.tolist() == [*NORMAL, [9, 1, 0, 1, 0]]
    assert model.known.tolist() == [True, True, True, True, False]
    assert (model.shortest, model.longest, model.held_out) == (4, 11, 200)
    assert model.thresholds == found["thresholds"]
    assert list(model.thresholds) == ["p95", "p98", "p99", "p99.5", "budget"]
    assert model.thresholds["budget"] == 0.0, "one of 200 may be flagged, and one is unlike"
    assert found["curve"][-1] == vars(Point("budget", 0.005, 0.0, 1, 1))


def test_the_curve_is_printed(log: Path) -> None:
    result = train(log)
    assert result.exit_code == 0, result.output
    assert "200 sessions of 4 to 11 lines, 5 of them distinct" in result.stderr
    lines = [line.split() for line in result.stderr.splitlines()]
    assert ["p99", "1.000%", "0", "1", "1"] in lines
    assert ["budget", "0.500%", "0", "1", "1"] in lines


def test_a_budget_below_one_session_is_out_of_reach_and_the_nearest_is_named(log: Path) -> None:
    found = document(log, "--false-alarms", "0.004")
    assert len(found["warnings"]) == 2
    assert "0.004 is out of reach" in found["warnings"][0]
    assert "200 held-out sessions" in found["warnings"][0]
    assert "allow 0.005" in found["warnings"][0]
    assert found["thresholds"]["budget"] == found["curve"][-1]["threshold"] > 1
    assert found["curve"][-1]["drawn"] == found["curve"][-1]["time"] == 0
    assert "only found by both together" in found["warnings"][1]


def test_what_is_not_kept_has_a_price_that_is_told(log: Path) -> None:
    found = document(log, "--max-vectors", "2")
    assert (found["distinct"], found["vectors"]) == (5, 2)
    kept = read_ecvc(log / "m.safetensors").vectors.tolist()
    apart = {
        tuple(row): min(distance(row, one) for one in kept) for row in [*NORMAL, [9, 1, 0, 1, 0]]
    }
    assert found["largest_distance"] == float(max(apart.values())) > 0
    often = Counter(tuple(NORMAL[n % 4]) for n in range(199))
    threshold = Fraction(found["thresholds"]["budget"])
    assert found["not_kept_flagged"] == sum(
        often[row] for row, one in apart.items() if one > threshold
    )
    assert "that is not kept is at most" in train(log, "--max-vectors", "2").stderr


def test_threads_change_nothing_and_the_same_log_gives_the_same_bytes(log: Path) -> None:
    path = log / "m.safetensors"
    found = document(log, "--threads", "1")
    first = path.read_bytes()
    assert document(log, "--threads", "1") == found
    assert path.read_bytes() == first
    one = read_ecvc(path)
    assert document(log, "--threads", "3") == found
    three = read_ecvc(path)
    assert torch.equal(one.vectors, three.vectors)
    assert one.thresholds == three.thresholds


def test_ctrl_c_leaves_the_checkpoint_that_was_there(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (log / "m.safetensors").write_bytes(b"an older one")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training_module, "choose", interrupted)
    assert train(log).exit_code != 0
    assert (log / "m.safetensors").read_bytes() == b"an older one"
    assert {path.name for path in log.iterdir()} == {
        *("vocab.json", "session_counts.parquet", "m.safetensors")
    }


# --- bad input ------------------------------------------------------------------------------------


def refused(folder: Path, **settings: Any) -> LogexportError:
    with pytest.raises(LogexportError) as raised:
        train_ecvc(
            folder / "session_counts.parquet",
            folder / "vocab.json",
            folder / "m.safetensors",
            Settings(**settings),
        )
    assert "\n" not in str(raised.value)
    assert raised.value.remedy
    assert not (folder / "m.safetensors").exists()
    return raised.value


@pytest.mark.parametrize(("rows", "word"), [([], "no session"), (NORMAL[:1], "one session")])
def test_too_few_sessions_are_refused(tmp_path: Path, rows: list[Row], word: str) -> None:
    write_vocab(tmp_path, FEATURES - 1)
    write_sessions(tmp_path, rows)
    assert word in str(refused(tmp_path))


def test_the_vocabulary_of_another_log_is_refused(log: Path) -> None:
    write_vocab(log, FEATURES)
    assert "another vocabulary" in str(refused(log))


def test_a_table_of_another_kind_is_refused(log: Path) -> None:
    (log / "session_counts.parquet").write_bytes(b"PAR1 it is not")
    assert isinstance(refused(log), InputError)


def test_more_vectors_than_a_graph_may_hold_are_refused(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_module, "MOST_CELLS", 3 * FEATURES)
    assert isinstance(refused(log), UsageError)
    train_ecvc(
        *(log / "session_counts.parquet", log / "vocab.json", log / "m.safetensors"),
        Settings(max_vectors=3),
    )


def test_an_output_that_cannot_be_written_is_refused_first(log: Path) -> None:
    with pytest.raises(OutputError):
        train_ecvc(
            *(log / "session_counts.parquet", log / "vocab.json", log / "no" / "m.safetensors"),
            Settings(),
        )


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"templates": [0, 4]}, "template 4"),
        ({"templates": [1, 0]}, "ascend"),
        ({"templates": [1, 1]}, "ascend"),
        ({"templates": [-1, 1]}, "template"),
        ({"counts": [3, 0]}, "less than 1"),
        ({"counts": [3]}, "2 templates and 1 counts"),
        ({"unseen": -1, "lines": 2}, "less than 1"),
        ({"lines": 4}, "says 4 lines"),
        ({"unseen": 2**24, "lines": 2**24 + 3}, "16,777,219 lines"),
        ({"templates": [], "counts": [], "lines": 0}, "0 lines"),
    ],
)
def test_a_row_that_is_not_a_sessions_counts_is_refused(
    tmp_path: Path, change: dict[str, Any], word: str
) -> None:
    write_vocab(tmp_path, FEATURES - 1)
    row = session_row(1, [1, 2, 0, 0, 0])
    write_counts(tmp_path, [session_row(0, NORMAL[0]), row._replace(**change)])
    error = refused(tmp_path)
    assert "row 1" in str(error)
    assert word in str(error)


@given(sessions)
@settings(deadline=None, max_examples=25)
def test_counts_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row]
) -> None:
    folder = tmp_path_factory.mktemp("counts")
    write_vocab(folder, FEATURES - 1)
    data = read_counts(write_sessions(folder, rows), FEATURES - 1)
    assert data.vectors.all_dense().tolist() == distinct(rows)
    assert data.vectors.all_dense()[data.numbers].tolist() == rows
    assert data.each.sum() == len(rows)


def test_the_most_frequent_vector_is_kept_whatever_the_others_are() -> None:
    rows = [[1, 0, 0, 0, 0], [5, 5, 0, 0, 0], [0, 0, 9, 0, 0]]
    normal, _ = choose(vectors(rows), [1, 7, 1], 1)
    assert normal.vectors.all_dense().tolist() == [[5, 5, 0, 0, 0]]
    assert (normal.shortest, normal.longest) == (1, 10)
    assert normal.known.tolist() == [True, True, True, False, False]


def test_a_budget_that_nobody_named_never_flags_none_for_want_of_sessions() -> None:
    """With few sessions none would be allowed, and the oddest of them would be the limit."""
    drawn = [0.0] * 98 + [0.1, 1.4]
    few = scores(drawn, drawn)
    assert few.curve(0.005)[-1].threshold == pytest.approx(1.4)
    assert few.curve(None)[-1].threshold == pytest.approx(0.1)
    (warning,) = few.budget(None).find_warnings()
    assert "default budget of 0.005 is out of reach" in warning
