"""Headers: presets on lines of each kind, detection."""

from __future__ import annotations

from pathlib import Path

import pytest
from logexport.errors import InputError
from logexport.logs.headers import (
    ALOG_DETECT_HEADERS,
    FIELDS,
    PRESETS,
    Fields,
    Header,
    HeaderMatcher,
    parse_header,
)
from logexport.logs.lines import LogLine, decode, iter_logs
from logexport.logs.pids import FIELD_LEVELS
from logexport.logs.preprocess import Preprocess
from logexport.logs.presets import read_preset
from logexport.training.formats import find_format


def lines_of(preset: str) -> list[str]:
    """The lines of its samples, PostgreSQL's fields left out: they are parts of records."""
    samples = read_preset(preset)["samples"]
    records = [one for one in samples if one["fields"].get("level") not in FIELD_LEVELS]
    return [line for one in records for line in one["lines"]]


def find(lines: list[str]) -> str:
    numbered = [LogLine(number, line.encode()) for number, line in enumerate(lines, 1)]
    return find_format(numbered, Preprocess())


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_detected_on_its_own_lines(preset: str) -> None:
    assert find([*lines_of(preset), "", " \t"]) == preset


def test_the_larger_share_wins_and_less_than_half_is_plain() -> None:
    syslog, hdfs = lines_of("syslog")[0], lines_of("hdfs")[0]
    assert find([syslog, hdfs, hdfs]) == "hdfs"
    assert find([syslog, syslog, hdfs]) == "syslog"
    assert find([syslog, "x"]) == "syslog"
    assert find([syslog, "x", "y"]) == "plain"
    assert find([syslog, hdfs]) == "hdfs"  # equal shares: the more specific
    assert find([]) == "plain"


def test_continuation_lines_do_not_count() -> None:
    head = lines_of("iso8601")[0]
    frames = ["\tat com.example.Main.run(Main.java:7)"] * 9
    assert (
        find([head, "java.lang.IllegalStateException: x", *frames, head, "  indented"]) == "iso8601"
    )


@pytest.mark.parametrize(
    ("name", "preset"), [("Linux", "syslog"), ("HDFS", "hdfs"), ("Apache", "apache")]
)
def test_public_logs_are_detected_and_every_line_has_its_header(
    test_data: Path, name: str, preset: str
) -> None:
    lines = [decode(line.raw) for line in iter_logs([test_data / "loghub" / f"{name}_2k.log"])]
    assert find(lines[:1000]) == preset
    matcher = HeaderMatcher(PRESETS[preset], FIELDS, times=True)
    assert sum(matcher.match(line).header is None for line in lines) == 0


def test_alog_detects_headers_leave_861_lines_of_linux_as_they_are(test_data: Path) -> None:
    matcher = HeaderMatcher(ALOG_DETECT_HEADERS)
    lines = list(iter_logs([test_data / "loghub" / "Linux_2k.log"]))
    assert sum(matcher.match(decode(line.raw)).header is None for line in lines) == 861


def test_a_header_is_anchored_and_the_first_that_matches_wins() -> None:
    matcher = HeaderMatcher(
        [Header("one", "b(?P<message>.*)"), Header("two", "(?P<host>[ab])(?P<message>x)?")]
    )
    assert matcher.match("ba") == Fields("a", header="one")
    assert matcher.match("ab") == Fields("", None, "a", None, "two")
    assert matcher.match("cb") == Fields("cb")


@pytest.mark.parametrize(
    "headers",
    [
        [Header("h", "no groups")],
        [Header("h", "(?P<host>a)")],
        [Header("h", "(?P<message>a)(?P<level>b)")],
        [Header("h", "(?P<message>a"), Header("i", "(?P<message>a)")],
        [Header("h", "(?P<message>a)"), Header("h", "(?P<message>b)")],
    ],
)
def test_a_header_that_cannot_work_is_refused_by_name(headers: list[Header]) -> None:
    with pytest.raises(InputError, match="'h'"):
        HeaderMatcher(headers)


def test_a_header_is_read_from_the_command_line() -> None:
    assert parse_header("a=x=(?P<message>.*)") == Header("a", "x=(?P<message>.*)")
    for text in ("(?P<message>.*)", "=x", "a b=x"):
        with pytest.raises(InputError, match="NAME=PATTERN"):
            parse_header(text)
