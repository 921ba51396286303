"""preprocess.json, the rules as a whole, and events."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logexport.errors import InputError
from logexport.logs.events import Event, EventReader
from logexport.logs.headers import PRESETS
from logexport.logs.lines import LogLine, decode, is_blank, iter_logs
from logexport.logs.masks import Mask
from logexport.logs.preprocess import ALOG_DETECT, LineParser, ParsedLine, Preprocess, SessionRule
from logexport.logs.tokens import TokenRule
from logexport.types import Vocabulary

SYSLOG = Preprocess(headers=PRESETS["syslog"])
VALID = replace(SYSLOG, session=SessionRule("regex", r"blk_(-?\d+)")).to_json()


def test_rules_come_back_from_their_file_as_they_were(tmp_path: Path) -> None:
    rules = [
        Preprocess(),
        SYSLOG,
        ALOG_DETECT,
        replace(SYSLOG, tokens=TokenRule("[]-^", False)),
        replace(SYSLOG, inner=True),
        replace(SYSLOG, session=SessionRule("host"), max_line_bytes=9),
        replace(SYSLOG, session=SessionRule("host", idle_lines=9)),
        replace(SYSLOG, session=SessionRule("field", None, "id", 9, 60, "done$")),
        replace(ALOG_DETECT, session=SessionRule("host"), max_sessions=3),
        replace(ALOG_DETECT, session=SessionRule("regex", r"é\d"), masks=()),
    ]
    for number, rule in enumerate(rules):
        rule.save(tmp_path / "preprocess.json")
        assert Preprocess.load(tmp_path / "preprocess.json") == rule
        assert [other.sha256() == rule.sha256() for other in rules].index(True) == number


def test_the_file_has_the_documented_keys_in_order(tmp_path: Path) -> None:
    SYSLOG.save(tmp_path / "p.json")
    document = json.loads((tmp_path / "p.json").read_text())
    assert list(document) == [
        "schema_version",
        "encoding",
        "structured",
        "continuation",
        "keep",
        "headers",
        "masks",
        "tokens",
        "matching",
        "session",
        "max_line_bytes",
    ]
    assert document["tokens"] == {"split_after": "=:", "collapse": True}
    assert document["matching"] == {"prefer": "specific", "inner": False}
    assert document["session"] == {"by": "none", "pattern": None}
    assert document["max_line_bytes"] == 1024 * 1024
    assert document["headers"][0]["name"] == "syslog"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("schema_version",), 3),
        (("schema_version",), 2.0),
        (("encoding",), "latin-1"),
        (("structured",), None),
        (("structured",), [{"form": "json"}]),
        (("structured",), [{"form": "docker", "message": "log"}]),
        (("structured",), [{"form": "xml", "message": "m"}]),
        (("structured",), [{"form": "logfmt", "message": ""}]),
        (("structured",), [{"form": "json", "message": "m", "level": "l" * 257}]),
        (("structured",), [{"form": "json", "message": "m", "extra": "x"}]),
        (("structured",), [{"form": "cri"}] * 17),
        (("continuation",), "yes"),
        (("keep",), None),
        (("keep",), ["level"]),
        (("keep",), [{"field": "level"}]),
        (("keep",), [{"as": "text"}]),
        (("keep",), [{"field": "message", "as": "text"}]),
        (("keep",), [{"field": "level", "as": "word"}]),
        (("keep",), [{"field": "level", "as": "text", "extra": 1}]),
        (("keep",), [{"field": "level", "as": "text"}] * 9),
        (("tokens",), {"split_after": "="}),
        (("tokens",), {"split_after": "=", "collapse": True, "extra": 1}),
        (("tokens", "collapse"), "yes"),
        (("tokens", "split_after"), None),
        (("tokens", "split_after"), "=:="),
        (("tokens", "split_after"), "a"),
        (("tokens", "split_after"), "=\n"),
        (("tokens", "split_after"), "= "),
        (("tokens", "split_after"), "\u00b7"),
        (("tokens", "split_after"), "!#$%&,-./"),
        (("matching",), {"prefer": "specific"}),
        (("matching", "inner"), 1),
        (("matching", "inner"), None),
        (("headers", 0, "pattern"), "(?P<user>x)(?P<message>.*)"),
        (("headers", 0, "message"), "this_line"),
        (("session",), {"by": "field"}),
        (("session",), {"by": "field", "field": ""}),
        (("session",), {"by": "field", "field": "f", "pattern": None}),
        (("session", "field"), "f"),
        (("extra",), 1),
        (("headers",), {}),
        (("headers", 0, "extra"), 1),
        (("headers", 0, "pattern"), "(?i)(?P<message>.*)"),
        (("headers", 0, "pattern"), "no message"),
        (("headers", 0, "name"), "a b"),
        (("headers", 0, "name"), "ab\n"),
        (("headers", 1, "name"), "syslog"),
        (("masks", 0, "pattern"), "("),
        (("masks", 0, "replacement"), r"\7"),
        (("masks", 0, "replacement"), "a\nb"),
        (("masks", 0, "replacement"), 3),
        (("matching", "prefer"), "best"),
        (("session", "by"), "none"),
        (("session", "pattern"), None),
        (("session", "pattern"), "a++"),
        (("max_sessions",), 9),
        (("session", "idle_lines"), 0),
        (("session", "idle_lines"), 10_000_001),
        (("session", "idle_lines"), 5.0),
        (("session", "idle_seconds"), 0),
        (("session", "close_pattern"), "a++"),
        (("max_line_bytes",), 1 << 40),
        (("max_line_bytes",), "1"),
        (("max_line_bytes",), 1e3),
    ],
)
def test_a_malformed_file_is_refused_by_name(
    tmp_path: Path, place: tuple[str | int, ...], value: Any
) -> None:
    document = copy.deepcopy(VALID)
    Preprocess.from_json(document)
    target: Any = document
    for part in place[:-1]:
        target = target[part]
    target[place[-1]] = value
    path = tmp_path / "preprocess.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError) as caught:
        Preprocess.load(path)
    assert caught.value.remedy


@pytest.mark.parametrize("key", VALID)
def test_every_key_is_needed(key: str) -> None:
    document = {name: value for name, value in VALID.items() if name != key}
    with pytest.raises(InputError, match=key):
        Preprocess.from_json(document)


@pytest.mark.parametrize(
    ("place", "value"),
    [(("tokens",), {"split_after": "", "collapse": False}), (("matching", "inner"), False)],
)
def test_rules_of_version_1_know_no_token_step(place: tuple[str, ...], value: object) -> None:
    document = ALOG_DETECT.to_json()
    target: Any = document
    for part in place[:-1]:
        target = target[part]
    target[place[-1]] = value
    with pytest.raises(InputError):
        Preprocess.from_json(document)
    with pytest.raises(InputError, match="wildcards inside tokens"):
        replace(ALOG_DETECT, inner=True)


def test_rules_that_cannot_be_read_back_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        Preprocess(masks=(Mask("m", "a", r"\1"),)).save(tmp_path / "p.json")
    assert list(tmp_path.iterdir()) == []


def test_a_line_is_taken_apart() -> None:
    raw = "Jun 14 15:16:01 combo ftpd[3]: from 10.0.0.1 é".encode() + b"\xff"
    parser = LineParser(SYSLOG)
    parsed = parser.parse(raw)
    assert parsed.time is not None
    assert parsed.time["day"] == "14"
    assert parsed._replace(time=None) == ParsedLine(
        text="Jun 14 15:16:01 combo ftpd[3]: from 10.0.0.1 é\ufffd",
        message="from 10.0.0.1 é\ufffd",
        host="combo",
        process="ftpd",
        timestamp="Jun 14 15:16:01",
        session=None,
        header="syslog",
        head_pid="3",
    )
    assert parser.mask(parsed.message).text == "from <HOST> é\ufffd"


@pytest.mark.parametrize(
    ("option", "line", "session"),
    [
        ("none", "Jun 14 15:16:01 h p: blk_1", None),
        ("host", "Jun 14 15:16:01 h p: blk_1", "h"),
        ("host", "no header", None),
        (r"blk_\d+", "Jun 14 15:16:01 h p: blk_12 blk_3", "blk_12"),
        (r"blk_(\d+)", "blk_12", "12"),
        (r"blk_(\d+)?x?", "blk_x", None),
        (r"blk_(\d*)", "blk_", ""),
        (r"^Jun (\d+)", "Jun 14 15:16:01 h p: m", "14"),  # before the header is removed
        ("blk", "none here", None),
    ],
)
def test_sessions(option: str, line: str, session: str | None) -> None:
    rules = replace(SYSLOG, session=SessionRule.from_option(option))
    assert LineParser(rules).parse(line.encode()).session == session


def test_a_session_pattern_is_checked() -> None:
    with pytest.raises(InputError, match="--session-by"):
        SessionRule.from_option("(?i)x")
    with pytest.raises(InputError, match="do not fit"):
        SessionRule("none", "x")
    with pytest.raises(InputError, match="do not fit"):
        SessionRule("regex")


def test_events_of_blank_oversize_and_unseen_lines() -> None:
    rules = replace(SYSLOG, session=SessionRule("host"))
    reader = EventReader(rules, Vocabulary(("a <NUM>", "\nunknown", ""), {"unknown": 1}))
    head = b"Jun 14 15:16:01 h p: "
    lines = [
        LogLine(1, head + b"a 5"),
        LogLine(2, b" \t\r\x0b\x0c"),
        LogLine(3, b"", oversize=True),
        LogLine(4, head + b"b"),
        LogLine(5, b""),
        LogLine(6, head),
        LogLine(7, b"\x00"),
    ]
    assert list(reader.read(lines)) == [
        Event(1, "h", 0),
        Event(3, None, None),
        Event(4, "h", None),
        Event(6, "h", 2),
        Event(7, None, None),
    ]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([SYSLOG, ALOG_DETECT]))
def test_no_bytes_are_too_odd(raw: bytes, rules: Preprocess) -> None:
    reader = EventReader(replace(rules, session=SessionRule("host")), Vocabulary(("a",)))
    parsed = reader.parser.parse(raw)
    event = reader.event(LogLine(1, raw))
    assert event is None or event.session == parsed.host
    assert (event is None) >= is_blank(parsed.text)


def test_alog_detects_rules_give_alog_detects_masked_lines(test_data: Path) -> None:
    from logexport.training.line_tables import read_parsed

    parser = LineParser(ALOG_DETECT)
    raw = {line.number: line.raw for line in iter_logs([test_data / "loghub" / "Linux_2k.log"])}
    rows = list(read_parsed(test_data / "checkpoints" / "alog-detect-linux" / "parsed.parquet"))
    assert len(rows) == len(raw) == 2000
    for row in rows:
        parsed = parser.parse(raw[row.line_no + 1])
        assert row.masked is not None
        assert row.raw is not None
        assert parser.mask(parsed.message).text.strip() == row.masked.strip()
        assert parsed.message.strip() == decode(row.raw).strip()


def test_every_line_of_alog_detects_log_is_in_its_vocabulary(test_data: Path) -> None:
    from logexport.vocab import load_vocab

    vocabulary = load_vocab(test_data / "checkpoints" / "alog-detect-linux" / "vocab.json")
    log = test_data / "loghub" / "Linux_2k.log"
    events = list(EventReader(ALOG_DETECT, vocabulary).read_logs([log]))
    assert [event.line for event in events] == list(range(1, 2001))
    assert all(event.template is not None for event in events)
    # FACTS: a header that knows more tags makes 853 lines unseen against that vocabulary.
    rules = replace(ALOG_DETECT, headers=PRESETS["syslog"], encoding="utf-8", max_sessions=None)
    other = EventReader(rules, vocabulary)
    assert sum(event.template is None for event in other.read_logs([log])) > 800
