"""The windows of training are those of detection, held against a slow reading of the rules."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from logexport.logs.events import Event
from logexport.logs.preprocess import ALOG_DETECT
from logexport_deeplog.windows import UNSEEN, Events, SessionNumbers, Windows, make_windows, split

pytestmark = pytest.mark.torch


def events(lines: list[tuple[int, int]]) -> Events:
    """From (event, session) a line."""
    array = np.array(lines, dtype=np.int64).reshape(-1, 2)
    return Events(array[:, 0], array[:, 1])


def pairs(windows: Windows) -> list[tuple[int, tuple[int, ...], int]]:
    """(session, window, target) of every window."""
    window, target = windows.take(torch.arange(len(windows)))
    return [
        (session, tuple(row), actual)
        for session, row, actual in zip(
            windows.session.tolist(), window.tolist(), target.tolist(), strict=True
        )
    ]


def slow(
    lines: list[tuple[int, int]], length: int, unknown: int | None
) -> list[tuple[int, tuple[int, ...], int]]:
    """Line by line, as docs/verdicts.md has it."""
    held: dict[int, deque[int]] = defaultdict(lambda: deque(maxlen=length))
    out = []
    for event, session in lines:
        window = held[session]
        if event == UNSEEN:
            if unknown is not None:
                window.append(unknown)
            continue
        if len(window) == length:
            out.append((session, tuple(window), event))
        window.append(event)
    return out


@settings(max_examples=300, deadline=None)
@given(
    lines=st.lists(st.tuples(st.integers(-1, 5), st.integers(0, 3)), max_size=40),
    length=st.integers(1, 6),
    unknown=st.none() | st.just(6),
)
def test_windows_are_those_of_a_line_by_line_reading(
    lines: list[tuple[int, int]], length: int, unknown: int | None
) -> None:
    windows = make_windows(events(lines), length, unknown)
    assert sorted(pairs(windows)) == sorted(slow(lines, length, unknown))
    assert windows.unseen == sum(event == UNSEEN for event, _ in lines)


def test_windows_never_cross_sessions() -> None:
    lines = [(n, n % 2) for n in range(12)]
    assert pairs(make_windows(events(lines), 3)) == [
        (0, (0, 2, 4), 6),
        (0, (2, 4, 6), 8),
        (0, (4, 6, 8), 10),
        (1, (1, 3, 5), 7),
        (1, (3, 5, 7), 9),
        (1, (5, 7, 9), 11),
    ]


def test_sessions_that_are_never_judged_are_counted() -> None:
    lines = [(1, 0)] * 3 + [(1, 1)] * 4 + [(1, 2)] * 9 + [(UNSEEN, 3)]
    windows = make_windows(events(lines), 4)
    assert (windows.sessions, windows.short_sessions, windows.short_events) == (3, 2, 7)
    assert (windows.events, len(windows), windows.unseen) == (16, 5, 1)


def test_a_forgotten_session_starts_anew() -> None:
    numbers = SessionNumbers(replace(ALOG_DETECT, max_sessions=2))
    keys = ("a", "b", "a", "c", "a", "b", None, "a")
    assert [numbers.of(Event(line, key, 0)) for line, key in enumerate(keys)] == [
        *(1, 2, 1, 3, 1),
        4,  # b had to go when c came
        5,
        6,  # and a when the null session came
    ]


def test_the_end_of_a_log_is_held_out_and_shares_no_line_with_training() -> None:
    windows = make_windows(events([(n, 0) for n in range(1000)]), 10)
    train, held_out, how = split(windows, 0.1, seed=1)
    assert how == "end"
    seen = {int(n) for part in windows.take(train) for n in part.flatten()}
    kept = {int(n) for part in windows.take(held_out) for n in part.flatten()}
    assert max(seen) < min(kept)
    assert max(kept) == 999
    assert len(held_out) == 89  # 99 of 990, less the 10 that overlap training


def test_whole_sessions_are_held_out_where_there_are_enough() -> None:
    windows = make_windows(events([(n % 7, n % 200) for n in range(4000)]), 5)
    train, held_out, how = split(windows, 0.2, seed=1)
    assert how == "sessions"
    left, right = (set(windows.session[part].tolist()) for part in (train, held_out))
    assert (len(left), len(right), left & right) == (160, 40, set())
    assert torch.equal(held_out, split(windows, 0.2, seed=1)[1])
    assert not torch.equal(held_out, split(windows, 0.2, seed=2)[1])


def test_nothing_is_held_out_where_nothing_would_be_left() -> None:
    windows = make_windows(events([(n, 0) for n in range(14)]), 10)
    train, held_out, how = split(windows, 0.1, seed=1)
    assert (len(train), len(held_out), how) == (4, 0, "nothing")
    assert split(windows, 0.0, seed=1)[2] == "nothing"
