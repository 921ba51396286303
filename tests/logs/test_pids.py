"""PostgreSQL's fields behind heads of their own: which lines of a log are records."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logexport.logs.headers import Header
from logexport.logs.joining import RecordReader
from logexport.logs.lines import LogLine
from logexport.logs.pids import FIELD_LEVELS, MAX_DISTANCE, MAX_PID_BYTES, RecentPids
from logexport.logs.preprocess import LineParser, Preprocess
from logexport.logs.structured import StructuredForm

HEADS = (Header("head", r"\[(?P<pid>[^\]]*)\] (?:(?P<level>[A-Za-z]*):  )?(?P<message>.*)$"),)
RULES = Preprocess(headers=HEADS)


def numbers(lines: Sequence[str], rules: Preprocess = RULES) -> list[int]:
    """The numbers of the records."""
    log = (LogLine(number, line.encode()) for number, line in enumerate(lines, 1))
    return [record.number for record in RecordReader(LineParser(rules)).read(log)]


def test_fields_belong_to_the_record_of_their_pid_with_others_between() -> None:
    log = [
        "[7] ERROR:  duplicate key value violates unique constraint",
        "[8] LOG:  checkpoint starting",
        "[7] DETAIL:  Key (id)=(1) already exists.",
        "[8] LOG:  checkpoint complete",
        "[7] STATEMENT:  INSERT INTO orders",
        "\tVALUES (1)",
        "[8] ERROR:  deadlock detected",
        "[9] LOG:  connection received",
        "[8] HINT:  See server log for query details.",
        "[8] CONTEXT:  while updating tuple (0,2)",
    ]
    assert numbers(log) == [1, 2, 4, 7, 8]


@pytest.mark.parametrize("level", FIELD_LEVELS)
def test_each_field_is_nothing_after_its_record_and_an_event_alone(level: str) -> None:
    assert numbers(["[7] ERROR:  no", f"[7] {level}:  x"]) == [1]
    assert numbers([f"[7] {level}:  x", f"[7] {level}:  x"]) == [1, 2]


@pytest.mark.parametrize("level", ["Detail", "detail", "DETAILS", "", "ERROR"])
def test_other_levels_are_events(level: str) -> None:
    assert numbers(["[7] ERROR:  no", f"[7] {level}:  x"]) == [1, 2]


def test_a_field_that_is_an_event_is_not_a_record_for_others() -> None:
    assert numbers(["[8] LOG:  x", "[7] DETAIL:  x", "[7] STATEMENT:  x"]) == [1, 2, 3]


def test_the_record_needs_no_level() -> None:
    assert numbers(["[7] without a level", "[7] DETAIL:  x"]) == [1]


@pytest.mark.parametrize("between", [0, 1, MAX_DISTANCE - 1])
def test_a_field_belongs_within_the_distance(between: int) -> None:
    assert numbers(["[7] LOG:  x", *[""] * between, "[7] DETAIL:  x"]) == [1]


def test_beyond_the_distance_a_field_is_an_event() -> None:
    assert numbers(["[7] LOG:  x", *[""] * MAX_DISTANCE, "[7] DETAIL:  x"]) == [1, 1002]


def test_a_field_does_not_bring_its_record_nearer() -> None:
    half = [""] * (MAX_DISTANCE // 2)
    log = ["[7] LOG:  x", *half, "[7] DETAIL:  x", *half, "[7] HINT:  x"]
    assert numbers(log) == [1, len(log)]


@pytest.mark.parametrize(
    ("pid", "is_pid"),
    [
        ("", False),
        ("x" * MAX_PID_BYTES, True),
        ("x" * (MAX_PID_BYTES + 1), False),
        ("é" * (MAX_PID_BYTES // 2), True),
        ("é" * (MAX_PID_BYTES // 2 + 1), False),
    ],
)
def test_a_pid_is_of_1_to_64_bytes(pid: str, is_pid: bool) -> None:
    assert numbers([f"[{pid}] LOG:  x", f"[{pid}] DETAIL:  x"]) == ([1] if is_pid else [1, 2])


def test_without_continuation_every_field_is_an_event() -> None:
    rules = Preprocess(headers=HEADS, continuation=False)
    assert numbers(["[7] LOG:  x", "[7] DETAIL:  x"], rules) == [1, 2]


def test_a_head_without_the_groups_has_no_fields() -> None:
    for group in ("pid", "level"):
        pattern = HEADS[0].pattern.replace(f"(?P<{group}>", "(?:")
        rules = Preprocess(headers=(Header("head", pattern),))
        assert numbers(["[7] LOG:  x", "[7] DETAIL:  x"], rules) == [1, 2]


def test_fields_of_a_structured_record_are_not_its_heads() -> None:
    form = StructuredForm("json", "m", level="l", pid="p")
    log = ['{"m":"x","l":"LOG","p":7}', '{"m":"x","l":"DETAIL","p":7}']
    assert numbers(log, Preprocess(structured=(form,))) == [1, 2]


def test_a_head_inside_a_structured_record_counts() -> None:
    rules = Preprocess(headers=HEADS, structured=(StructuredForm("docker"),))
    log = [f'{{"log":"[7] {level}:  x\\n","stream":"stderr"}}' for level in ("LOG", "DETAIL")]
    assert numbers(log, rules) == [1]


def test_a_field_whose_message_is_on_the_next_line_is_nothing_with_it() -> None:
    waits = Header("waits", r"\[(?P<pid>\d+)\] (?P<level>[A-Z]+)$(?P<message>)", next_line=True)
    log = ["[7] ERROR", "no", "[7] DETAIL", "more", "[8] DETAIL", "more"]
    assert numbers(log, Preprocess(headers=(waits,))) == [1, 5]


def test_lines_with_a_tab_after_a_field_are_nothing_even_in_a_log_of_other_lines() -> None:
    log = ["[7] ERROR:  no", "no head", "[7] STATEMENT:  SELECT", "\ta.B.Error", "x"]
    assert numbers(log) == [1, 2, 5]


def test_a_field_ends_a_trace() -> None:
    opener = "[7] ERROR:  Traceback (most recent call last):"
    assert numbers([opener, "[7] DETAIL:  x", "a line"]) == [1, 3]


@given(st.lists(st.tuples(st.sampled_from("789"), st.booleans(), st.integers(1, 700))))
def test_the_held_pids_say_what_all_records_would(heads: list[tuple[str, bool, int]]) -> None:
    pids, number = RecentPids(), 0
    last: dict[str, int] = {}
    for pid, field, step in heads:
        number += step
        belongs = field and number - last.get(pid, -MAX_DISTANCE) <= MAX_DISTANCE
        assert pids.take(number, pid, "HINT" if field else None) == belongs
        if not field:
            last[pid] = number


def test_pids_are_held_in_bounded_room_and_time() -> None:
    pids = RecentPids()
    begin = time.perf_counter()
    for number in range(1, 200_001):
        pids.take(number, str(number), None)
    assert time.perf_counter() - begin < 5  # a walk through all held ones each time takes a minute
    assert len(pids._numbers) == MAX_DISTANCE + 1
