"""When a session ends, and what is said of it then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logexport.errors import InputError
from logexport.logs.events import Event
from logexport.logs.preprocess import ALOG_DETECT, Preprocess, SessionRule
from logexport.logs.sessions import Closed, LiveSessions
from logexport.types import (
    EventWindow,
    NextEventTopK,
    ScoreThreshold,
    SessionCounts,
    Task,
    Vocabulary,
)
from logexport.verdicts.detector import Detector
from logexport.verdicts.options import DetectOptions

from tests.detect import oracle
from tests.detect.fakes import FakeEvent, LogitScorer, ScoreScorer

TEMPLATES = 4
VOCABULARY = Vocabulary(
    (*(f"event {i}" for i in range(TEMPLATES)), "\nstart", "\nend"),
    {"start": TEMPLATES, "end": TEMPLATES + 1},
)
SIZE = len(VOCABULARY)
SECOND = 1_000_000


def replay(
    live: LiveSessions[list[int]], events: Sequence[Event]
) -> list[tuple[list[int], int | None, str | None]]:
    """The lines of each closed session, in the order in which they are closed."""
    closed: list[Closed[list[int]]] = []
    for event in events:
        closed += live.close_before(event)
        live.touch(event).append(event.line)
        own = live.close_after(event)
        closed += [] if own is None else [own]
    return [(one.state, one.line, one.by) for one in closed]


def sessions_by(idle_lines: int = 100, idle_seconds: int | None = None) -> LiveSessions[list[int]]:
    rule = SessionRule("regex", "x", idle_lines=idle_lines, idle_seconds=idle_seconds)
    return LiveSessions(lambda _: [], Preprocess(session=rule))


# --- one way at a time ----------------------------------------------------------------------------


def test_a_session_is_closed_at_the_line_after_idle_lines_others() -> None:
    live = sessions_by(idle_lines=3)
    events = [Event(1, "a", 0), Event(2, "b", 0), Event(5, "b", 0), Event(6, "a", 0)]
    assert replay(live, events) == [([1], 5, "idle")]
    assert list(live.finish(8)) == [Closed([2, 5], 9, "end"), Closed([6], 9, "end")]


def test_a_session_whose_line_comes_just_in_time_goes_on() -> None:
    live = sessions_by(idle_lines=3)
    assert replay(live, [Event(1, "a", 0), Event(4, "a", 0), Event(7, "a", 0)]) == []


def test_blank_lines_at_the_end_of_a_log_end_sessions() -> None:
    live = sessions_by(idle_lines=3)
    replay(live, [Event(1, "a", 0), Event(2, "b", 0)])
    assert list(live.finish(5)) == [Closed([1], 5, "idle"), Closed([2], 6, "end")]


def test_a_gap_in_its_own_times_ends_a_session_at_its_next_line() -> None:
    live = sessions_by(idle_seconds=10)
    events = [
        Event(1, "a", 0, instant=0),
        Event(2, "b", 0, instant=9 * SECOND),
        Event(3, "a", 0, instant=10 * SECOND),
        Event(4, "a", 0, instant=20 * SECOND + 1),
    ]
    assert replay(live, events) == [([1, 3], 4, "gap")]


def test_times_that_go_backwards_or_are_missing_end_nothing() -> None:
    live = sessions_by(idle_seconds=10)
    seconds = [100, 40, 105, None, 111]
    times = [None if one is None else one * SECOND for one in seconds]
    events = [Event(line, "a", 0, time) for line, time in enumerate(times, start=1)]
    assert replay(live, events) == []


def test_the_line_that_closes_a_session_belongs_to_it() -> None:
    events = [Event(1, "a", 0), Event(2, "a", 0, closes=True), Event(3, "a", 0)]
    assert replay(sessions_by(), events) == [([1, 2], 2, "pattern")]


def test_the_null_session_ends_with_the_log_only() -> None:
    live = sessions_by(idle_lines=1, idle_seconds=1)
    events = [
        Event(1, None, 0, instant=0),
        Event(2, "a", 0),
        Event(9, None, 0, instant=99 * SECOND, closes=True),
    ]
    assert replay(live, events) == [([2], 4, "idle")]
    assert list(live.finish(9)) == [Closed([1, 9], 10, "end")]


def test_the_end_of_a_log_closes_the_null_session_at_its_place_among_the_others() -> None:
    live = sessions_by()
    replay(live, [Event(1, "a", 0), Event(2, None, 0), Event(3, "b", 0)])
    assert [closed.state for closed in live.finish(3)] == [[1], [2], [3]]


def test_sessions_that_are_left_are_not_closed_but_idle_ones_are() -> None:
    live = sessions_by(idle_lines=3)
    replay(live, [Event(1, "a", 0), Event(4, "b", 0)])
    assert list(live.finish(6, leave=True)) == [Closed([1], 5, "idle")]
    assert len(live) == 0


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from([None, *"abcdef"]))))
def test_no_more_sessions_live_than_idle_lines_allow(steps: list[tuple[int, str | None]]) -> None:
    live, line = sessions_by(idle_lines=3), 0
    for step, name in steps:
        line += step
        replay(live, [Event(line, name, 0)])
        assert len(live) <= 3 + 1 + 1  # the line's own, and the null session


# --- version 1 ------------------------------------------------------------------------------------


def held(most: int) -> LiveSessions[list[int]]:
    return LiveSessions(lambda _: [], replace(ALOG_DETECT, max_sessions=most))


@pytest.mark.parametrize("bound", [0, -1])
def test_a_bound_that_holds_no_session_is_refused(bound: int) -> None:
    with pytest.raises(InputError, match="max_sessions"):
        held(bound)


@given(st.lists(st.sampled_from([None, "", "a", "b", "c", "d"])), st.integers(1, 5))
def test_by_version_1_the_least_recently_touched_session_goes_for_a_new_one(
    keys: list[str | None], bound: int
) -> None:
    live = held(bound)
    gone = replay(live, [Event(line, key, 0) for line, key in enumerate(keys)])
    # Replayed by hand: the order of last touches.
    lines: dict[str | None, list[int]] = {}
    expected = []
    for line, key in enumerate(keys):
        if key not in lines and len(lines) == bound:
            expected.append((lines.pop(next(iter(lines))), None, None))
        lines[key] = [*lines.pop(key, []), line]
    assert gone == expected
    assert list(live.finish(99)) == [Closed(one, None, None) for one in lines.values()]


# --- what is said ---------------------------------------------------------------------------------


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[FakeEvent], int]:
    """Events with holes between their lines, and how many lines the log has."""
    events, line = [], 0
    for _ in range(draw(st.integers(0, 40))):
        line += draw(st.sampled_from([1, 1, 1, 2, 5]))
        events.append(
            FakeEvent(
                line,
                draw(st.sampled_from([None, "", "a", "b", "c"])),
                draw(st.sampled_from([None, *range(TEMPLATES)])),
                draw(st.none() | st.integers(0, 40).map(lambda second: second * SECOND // 2)),
                draw(st.sampled_from([False, False, False, False, True])),
            )
        )
    return events, line + draw(st.integers(0, 6))


def rules(idle_lines: int, idle_seconds: int | None) -> Preprocess:
    rule = SessionRule("regex", "x", idle_lines=idle_lines, idle_seconds=idle_seconds)
    return Preprocess(session=rule)


def run(task: Task, scorer: LogitScorer, log: Any, options: DetectOptions, by: Any) -> list[str]:
    events, lines = log
    detector = Detector(task, VOCABULARY, scorer, options, rules=by)
    detector.stats.lines = lines
    out = [record for event in events for record in detector.feed(event)]
    return [record.to_line() for record in (*out, *detector.finish())]


@pytest.mark.parametrize("decision", ["topk", "threshold", "counts"])
@settings(max_examples=60, deadline=None)
@given(
    log=logs(),
    length=st.integers(1, 4),
    bounds=st.sampled_from([(None, None), (4, None), (None, 5), (4, 5)]),
    idle_lines=st.integers(1, 8),
    idle_seconds=st.none() | st.integers(1, 8),
    batch=st.integers(1, 5),
    summaries=st.booleans(),
    leave=st.booleans(),
)
def test_sessions_that_begin_and_end_say_what_the_definition_says(
    decision: str,
    log: tuple[list[FakeEvent], int],
    length: int,
    bounds: tuple[int | None, int | None],
    idle_lines: int,
    idle_seconds: int | None,
    batch: int,
    summaries: bool,
    leave: bool,
) -> None:
    features = SIZE + (decision == "counts")
    window = SessionCounts() if decision == "counts" else EventWindow(length, *bounds)
    scorer = LogitScorer(features) if decision == "topk" else ScoreScorer(features)

    def row(window: np.ndarray) -> dict[str, Any]:
        outputs = scorer(window[None])
        if decision == "topk":
            return {"logits": outputs["predictions"][0].tolist()}
        return {"score": outputs["error"][0], "attribution": outputs["by_feature"][0]}

    task = Task(
        window,
        NextEventTopK("predictions", 2)
        if decision == "topk"
        else ScoreThreshold("error", 0.5, attribution="by_feature"),
    )
    by = rules(idle_lines, idle_seconds)
    options = DetectOptions(
        session_summary=summaries, batch_size=batch, at_end="leave" if leave else "close"
    )
    expected = oracle.session_verdicts(
        log[0], task, VOCABULARY, row, by.session, log[1], summaries, leave
    )
    assert run(task, scorer, log, options, by) == expected


def test_the_first_event_of_a_session_is_judged_and_its_end_too() -> None:
    task = Task(EventWindow(3, start=4, end=5), NextEventTopK("predictions", 2))
    seen: list[list[int]] = []

    class Watched(LogitScorer):
        def __call__(self, *inputs: np.ndarray) -> Any:
            seen.extend(inputs[0].tolist())
            return super().__call__(*inputs)

    events = [FakeEvent(1, "a", 0), FakeEvent(2, None, 1), FakeEvent(3, "a", 2)]
    out = run(task, Watched(SIZE), (events, 3), DetectOptions(), rules(9, None))
    assert [window for i, window in enumerate(seen) if window not in seen[:i]] == [
        [4, 4, 4],
        [4, 4, 0],
        [4, 0, 2],
    ]
    assert '"line": 2, "session": null, "template": 1, "verdict": "warmup"' in out[1]
    assert '"line": 3, "session": "a", "template": 5,' in out[3]
    assert out[3].endswith('"closed": 4, "closed_by": "end"}')
