"""A log divided into sessions for training: as detection does, with ends that the log gives."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logexport.errors import InputError, UsageError
from logexport.logs.events import Event, EventReader
from logexport.logs.headers import PRESETS
from logexport.logs.lines import LogLine
from logexport.logs.preprocess import Preprocess, SessionRule
from logexport.training.line_tables import ParsedRow, parsed_writer
from logexport.training.log import TrainingLog
from logexport.training.sessions import EndOptions, SessionTally, measure_ends
from logexport.training.tables import Column, Table
from logexport.types import Vocabulary

EVENTS = Table("line_events", (Column("line", "int64"), Column("number", "int64")))
NAME = r"id=(\w+)"
WORK = r"work \d+"


def write_parsed(folder: Path, lines: Sequence[str], rules: Preprocess | None = None) -> Path:
    (rules or Preprocess()).save(folder / "preprocess.json")
    reader = EventReader(rules or Preprocess(), Vocabulary(("work <NUM> <NUM>",)))
    with parsed_writer(folder / "parsed.parquet", {}) as write:
        for number, text in enumerate(lines, start=1):
            if text:
                masked = reader.parser.mask(reader.parser.parse(text.encode()).message).text
                write(ParsedRow(number, None, None, None, text.encode(), masked, 1, masked))
    return folder / "parsed.parquet"


def build(
    parsed: Path, session_by: str | None = NAME, **ends: Any
) -> tuple[list[tuple[int, int]], list[tuple[Any, ...]], SessionTally, Preprocess]:
    """The session number of each line, the sessions as they closed, what was counted, the rules."""
    log = TrainingLog(parsed, session_by=session_by, ends=EndOptions(**ends))
    closed: list[tuple[Any, ...]] = []
    numbers = []
    with log.build(
        parsed.parent / "out",
        EVENTS,
        on_close=lambda one: closed.append((one.state.name, one.state.lines, one.line, one.by)),
    ) as out:
        for row, _, session in out:
            numbers.append((row.line_no, session.number))
            out.write((row.line_no, session.number))
    return numbers, closed, out.sessions, Preprocess.load(out.preprocess)


def test_sessions_are_numbered_by_their_first_lines_and_closed_as_detection_closes_them(
    tmp_path: Path,
) -> None:
    names = ["a", "b", "a", "", "c", "b", "d", "d", "d"]
    parsed = write_parsed(tmp_path, [f"id={one} work 1" if one else "" for one in names])
    numbers, closed, tally, rules = build(parsed, idle_lines=2)
    assert numbers == [(1, 0), (2, 1), (3, 0), (5, 2), (6, 3), (7, 4), (8, 4), (9, 4)]
    assert closed == [
        *(("b", 1, 5, "idle"), ("a", 2, 6, "idle"), ("c", 1, 8, "idle")),
        *(("b", 1, 9, "idle"), ("d", 3, 10, "end")),
    ]
    assert (tally.sessions, tally.names, tally.split) == (5, 4, 1)
    assert rules.session == SessionRule("regex", NAME, idle_lines=2)
    assert any("several sessions" in one for one in tally.find_warnings())


def test_idle_lines_are_measured_by_the_longest_gap_of_a_session(tmp_path: Path) -> None:
    lines = ["id=a work 1", *(f"id=n{n} work 1" for n in range(1500)), "id=a work 1"]
    _, _, tally, rules = build(write_parsed(tmp_path, lines))
    assert rules.session.idle_lines == 2 * 1501
    assert tally.measured_gap == 1501
    assert tally.split == 0
    assert "longest gap in the log: 1,501" in tally.describe()


def test_where_no_gap_can_be_measured_the_default_is_taken(tmp_path: Path) -> None:
    lines = [f"id=n{n} work 1" for n in range(9)]
    *_, tally, rules = build(write_parsed(tmp_path, lines))
    assert (rules.session.idle_lines, tally.measured_gap) == (100_000, None)


@given(st.lists(st.sampled_from([None, "a", "b", "c"]), min_size=1), st.data())
def test_measured_ends_split_no_session_of_their_log(
    names: list[str | None], data: st.DataObject
) -> None:
    line, events = 0, []
    for name in names:
        line += data.draw(st.sampled_from([1, 1, 1, 700]))
        events.append(Event(line, name, 0))
    rules = Preprocess(session=SessionRule("regex", "x", idle_lines=1))
    idle_lines, gap = measure_ends(events, rules)
    gaps = [
        later - earlier
        for name in {"a", "b", "c"}
        for own in [[event.line for event in events if event.session == name]]
        for earlier, later in pairwise(own)
    ]
    assert gap == (max(gaps) if gaps else None)
    assert idle_lines == (max(1000, 2 * max(gaps)) if gaps else 100_000)


def test_ends_that_the_rules_have_stay_where_no_option_says_otherwise(tmp_path: Path) -> None:
    rules = Preprocess(session=SessionRule("regex", NAME, idle_lines=77, close_pattern="bye"))
    parsed = write_parsed(tmp_path, ["id=a work 1", "id=b work 1"], rules)
    assert build(parsed, None)[3].session == rules.session
    assert build(parsed, None, idle_lines=5)[3].session.close_pattern == "bye"


@pytest.mark.parametrize(
    ("pattern", "lines", "error"),
    [
        ("user=(.)", ["id=a work 1"] * 3, r"finds a session in none of the 3 lines"),
        (NAME, ["id=a work 1", "work", "id=a work 1"], r"finds one session in .* all 2 lines"),
    ],
)
def test_a_pattern_that_divides_nothing_is_refused(
    tmp_path: Path, pattern: str, lines: list[str], error: str
) -> None:
    with pytest.raises(InputError, match=error):
        build(write_parsed(tmp_path, lines), pattern)
    assert list((tmp_path / "out").iterdir()) == []


def test_ends_without_sessions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--idle-lines does not apply"):
        build(write_parsed(tmp_path, ["work"]), None, idle_lines=5)


@pytest.mark.parametrize("pattern", ["", "x*", "bye|$"])
def test_a_closing_pattern_that_matches_every_line_is_refused(tmp_path: Path, pattern: str) -> None:
    parsed = write_parsed(tmp_path, ["id=a work 1", "id=b work 1"])
    with pytest.raises(UsageError, match="matches every line"):
        build(parsed, close_pattern=pattern)


def test_times_that_part_of_the_log_lacks_are_warned_of_and_none_at_all_is_refused(
    tmp_path: Path,
) -> None:
    rules = Preprocess(headers=PRESETS["iso8601"])
    timed = ["2024-01-01T00:00:00Z id=a work 1", "2024-01-01T00:01:00Z id=a work 1"]
    parsed = write_parsed(tmp_path, [*timed, "id=b work 1"], rules)
    _, closed, tally, _ = build(parsed, idle_seconds=59)
    assert closed[0] == ("a", 1, 2, "gap")
    assert any("1 of 3 lines of sessions (33.3 %) have no time" in w for w in tally.find_warnings())
    (tmp_path / "b").mkdir()
    parsed = write_parsed(tmp_path / "b", ["id=a work 1", "id=b work 1"], rules)
    with pytest.raises(InputError, match="--idle-seconds needs times"):
        build(parsed, idle_seconds=59)


def test_a_reserved_entry_comes_after_all_templates_where_sessions_begin_and_end(
    tmp_path: Path,
) -> None:
    parsed = write_parsed(tmp_path, ["id=a work 1", "id=b work 1"])
    own = len(TrainingLog(parsed).vocabulary)
    for by, reserved in ((NAME, {"start": own, "end": own + 1}), ("host", {}), (None, {})):
        vocabulary = TrainingLog(parsed, session_by=by, reserve=("start", "end")).vocabulary
        assert vocabulary.reserved == reserved
        assert len(vocabulary) == own + len(reserved)


# --- events ---------------------------------------------------------------------------------------


def events_of(rules: Preprocess, lines: list[str]) -> list[Event]:
    reader = EventReader(rules, Vocabulary(("x",)))
    return list(reader.read(LogLine(n, one.encode()) for n, one in enumerate(lines, start=1)))


def test_a_line_closes_its_session_by_its_whole_text_header_included() -> None:
    rules = Preprocess(
        headers=PRESETS["iso8601"], session=SessionRule("regex", NAME, close_pattern="Z id|bye$")
    )
    lines = ["2024-01-01T00:00:00Z id=a x", "id=a x", "id=a good bye", "  ", "id=a bye now"]
    assert [event.closes for event in events_of(rules, lines)] == [True, False, True, False]


def test_an_event_has_its_instant_only_where_ends_need_it() -> None:
    line = ["2024-01-01T00:00:00Z id=a x", "Jan  2 00:00:00 host id=a x", "nothing"]
    headers = (*PRESETS["iso8601"], *PRESETS["syslog"])
    timed = Preprocess(headers=headers, session=SessionRule("regex", NAME, idle_seconds=1))
    first, second, third = (event.instant for event in events_of(timed, line))
    assert first == 1_704_067_200_000_000
    assert second == 946_771_200_000_000  # of the year 2000
    assert third is None
    untimed = Preprocess(headers=headers, session=SessionRule("regex", NAME))
    assert {event.instant for event in events_of(untimed, line)} == {None}
