"""The windows of training are those of detection: held against the reference itself, on logs of any
sessions, and against a slow reading of the rules."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from logexport.logs.events import Event
from logexport.logs.preprocess import Preprocess, SessionRule
from logexport.training.budgets import draw_held_out
from logexport.training.sessions import SessionsOfLog
from logexport.types import EventWindow, NextEventTopK, Task, Vocabulary
from logexport.verdicts.records import LinePlace
from logexport.verdicts.tasks import UnscoredWindow, choose_judge, choose_windowing
from logexport_deeplog.windows import UNSEEN, Boundaries, Events, Windows, make_windows, split

pytestmark = pytest.mark.torch


def events(lines: list[tuple[int, int]], named: bool = True) -> Events:
    """From (event, session) a line."""
    array = np.array(lines, dtype=np.int64).reshape(-1, 2)
    sessions = int(array[:, 1].max()) + 1 if len(array) else 0
    return Events(array[:, 0], array[:, 1], np.full(sessions, named))


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


@settings(max_examples=150, deadline=None)
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


# --- sessions that begin and end ------------------------------------------------------------------

START, END, UNKNOWN = 6, 7, 8
LABELS = {"start": START, "end": END}


def vocabulary(unknown: int | None) -> Vocabulary:
    """Six templates, the start, the end, and perhaps an index for unseen lines."""
    reserved = LABELS if unknown is None else {**LABELS, "unknown": unknown}
    templates = [*(f"event {n}" for n in range(START)), *(f"\n{name}" for name in reserved)]
    return Vocabulary(tuple(templates), reserved)


def log_of(lines: list[tuple[int, int | None, int, int, bool]]) -> list[Event]:
    """From (lines before it, template, session, seconds since, whether it closes) an event."""
    found, number, instant = [], 0, 0
    for skipped, template, session, seconds, closes in lines:
        number += skipped + 1
        instant += seconds * 1_000_000
        name = None if session == 0 else f"s{session}"
        found.append(Event(number, name, template, instant, closes))
    return found


def shown_by_detection(
    log: list[Event], task: EventWindow, vocab: Vocabulary, rules: Preprocess
) -> list[tuple[str | None, tuple[int, ...], int | None]]:
    """(session, window, actual event) of each window that the reference asks the model about."""
    judged = Task(task, NextEventTopK("logits", 1))
    windowing = choose_windowing(judged, choose_judge(judged, vocab), vocab, rules)
    queued = [one for event in log for one in windowing.take(event)]
    queued += windowing.close(log[-1].line if log else 0, leave=False)
    return [
        (one.place.session, tuple(one.window.tolist()), one.event)
        for one in queued
        if isinstance(one, UnscoredWindow) and isinstance(one.place, LinePlace)
    ]


@settings(max_examples=150, deadline=None)
@given(
    lines=st.lists(
        st.tuples(
            st.integers(0, 3),
            st.none() | st.integers(0, START - 1),
            st.integers(0, 3),
            st.integers(-3, 6),
            st.booleans(),
        ),
        max_size=40,
    ),
    length=st.integers(1, 6),
    unknown=st.sampled_from((None, UNKNOWN)),
    idle_lines=st.integers(1, 20),
    idle_seconds=st.none() | st.integers(1, 5),
)
def test_windows_with_boundaries_are_those_that_detection_shows_the_model(
    lines: list[tuple[int, int | None, int, int, bool]],
    length: int,
    unknown: int | None,
    idle_lines: int,
    idle_seconds: int | None,
) -> None:
    log, vocab = log_of(lines), vocabulary(unknown)
    rule = SessionRule("regex", "s[0-9]", None, idle_lines, idle_seconds, "never looked at")
    rules = replace(Preprocess(headers=(), masks=()), session=rule, encoding="utf-8")
    sessions, names, rows = SessionsOfLog(rules), {}, []
    for event in log:
        session = sessions.take(event)
        sessions.close_after(event)
        names[session.number] = session.name
        rows.append((UNSEEN if event.template is None else event.template, session.number))
    array = np.array(rows, dtype=np.int64).reshape(-1, 2)
    named = np.array([names[n] is not None for n in range(len(names))], dtype=bool)
    windows = make_windows(
        Events(array[:, 0], array[:, 1], named), length, unknown, Boundaries(START, END)
    )
    task = EventWindow(length, START, END)
    assert sorted(
        (names[n] or "", window, actual) for n, window, actual in pairs(windows)
    ) == sorted(
        (name or "", window, actual)
        for name, window, actual in shown_by_detection(log, task, vocab, rules)
    )


def test_a_session_begins_with_starts_and_an_end_follows_its_last_line() -> None:
    log = Events(np.array([1, 9, 2]), np.array([0, 1, 0]), np.array([True, False]))
    assert pairs(make_windows(log, 2, None, Boundaries(START, END))) == [
        (0, (START, START), 1),
        (0, (START, 1), 2),
        (0, (1, 2), END),
    ]


def test_windows_of_long_sessions_and_of_many_short_ones_take_as_much_memory_as_events() -> None:
    short = make_windows(events([(1, n) for n in range(1000)]), 500, None, Boundaries(START, END))
    assert short.rows.untyped_storage().nbytes() == 8 * (2000 + 500 + 1)
    assert len(short) == 2000


# --- what is held out -----------------------------------------------------------------------------


def test_the_end_of_a_log_is_held_out_and_shares_no_line_with_training() -> None:
    windows = make_windows(events([(n, 0) for n in range(1000)]), 10)
    parts = split(windows, 0.1, seed=1)
    assert parts.by == "end"
    seen = {int(n) for part in windows.take(parts.train) for n in part.flatten()}
    kept = {int(n) for part in windows.take(parts.held_out) for n in part.flatten()}
    assert max(seen) < min(kept)
    assert max(kept) == 999
    assert len(parts.held_out) == 89  # 99 of 990, less the 10 that overlap training


@pytest.mark.parametrize("boundaries", [None, Boundaries(START, END)])
def test_whole_sessions_are_held_out_half_of_them_the_last_ones(
    boundaries: Boundaries | None,
) -> None:
    lines = [(n % 6, n // 20) for n in range(4000)]
    windows = make_windows(events(lines), 5, None, boundaries)
    parts = split(windows, 0.2, seed=1)
    assert parts.by == "sessions"
    left, right = (set(windows.session[part].tolist()) for part in (parts.train, parts.held_out))
    assert (len(left), len(right), left & right) == (160, 40, set())
    assert right == set(parts.sessions.tolist()) >= set(range(180, 200))
    assert torch.equal(parts.held_out, split(windows, 0.2, seed=1).held_out)
    assert not torch.equal(parts.held_out, split(windows, 0.2, seed=2).held_out)


def test_sessions_that_begin_and_end_are_never_cut_and_lines_of_none_are() -> None:
    lines = [*((1, n % 6) for n in range(60)), *((2, 6) for _ in range(100))]
    log = events(lines)
    log.named[6] = False
    windows = make_windows(log, 3, None, Boundaries(START, END))
    parts = split(windows, 0.1, seed=1)
    held = set(windows.session[parts.held_out].tolist())
    assert len(parts.sessions) == 2 and held == {*parts.sessions.tolist(), 6}  # noqa: PT018
    targets = windows.targets(parts.train)
    assert int((targets == END).sum()) == 4
    assert int((targets == 1).sum()) == 40


def test_nothing_is_held_out_where_nothing_would_be_left() -> None:
    windows = make_windows(events([(n, 0) for n in range(14)]), 10)
    parts = split(windows, 0.1, seed=1)
    assert (len(parts.train), len(parts.held_out), parts.by) == (4, 0, "nothing")
    assert split(windows, 0.0, seed=1).by == "nothing"
    few = make_windows(events([(1, n % 3) for n in range(30)]), 2, None, Boundaries(START, END))
    assert split(few, 0.5, seed=1).by == "nothing"


@given(count=st.integers(0, 300), share=st.floats(0.001, 0.9), seed=st.integers(0, 9))
def test_what_is_drawn_leaves_something_to_train_on(count: int, share: float, seed: int) -> None:
    held = list(draw_held_out(count, share, seed))
    assert held == sorted(set(held))
    assert len(held) == (0 if count < 4 else min(max(round(share * count), 2), count - 2))
    last = len(held) - len(held) // 2
    assert held[len(held) - last :] == list(range(count - last, count))
