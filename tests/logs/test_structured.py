"""Structured records: JSON, Docker's json-file, CRI, logfmt, opened to their messages."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logexport.errors import InputError
from logexport.logs.headers import PRESETS
from logexport.logs.joining import LogRecord, RecordReader
from logexport.logs.lines import LogLine
from logexport.logs.preprocess import LineParser, Preprocess, SessionRule
from logexport.logs.structured import (
    Opened,
    StructuredForm,
    StructureReader,
    read_json_object,
    read_logfmt,
)

MSG = StructuredForm("json", "msg", level="level", host="host.name", pid="pid")
DEEP = StructuredForm("json", "fields.message")
DOCKER = StructuredForm("docker")
CRI = StructuredForm("cri")
LOGFMT = StructuredForm("logfmt", "msg", level="level")
TIME = "2025-03-10T08:00:09.180854000+01:00"


def message(form: StructuredForm, text: str) -> str | None:
    opened = StructureReader([form]).open(text)
    return None if opened is None else opened.message


# --- JSON -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"msg":"a b"}', "a b"),
        ('  {"x": [1, {"msg": "no"}], "msg" : "a b" , "y":null}\t\r', "a b"),
        ('{"msg":"first","msg":"second"}', "first"),
        ('{"msg":7,"msg":"second"}', None),
        ('{"msg":"a\\nb"}', "a"),
        ('{"msg":"a\\r\\nb"}', "a"),
        ('{"msg":"a\\r"}', "a\r"),
        ('{"msg":"\\u001b[31mred\\u001b[0m"}', "red"),
        ('{"msg":"\\ud83d\\ude00 \\ud800 \\ude00"}', "\U0001f600 \ufffd \ufffd"),
        ('{"m\\u0073g":"escaped key"}', "escaped key"),
        ('{"msg":[104, 105, 255]}', "hi\ufffd"),
        ('{"msg":[]}', None),
        ('{"msg":[256]}', None),
        ('{"msg":[1.0]}', None),
        ('{"msg":[01]}', None),
        ('{"msg":["a"]}', None),
        ('{"msg":null}', None),
        ('{"msg":{"msg":"x"}}', None),
        ('{"msg":""}', ""),
        ('{"msg":"a"} x', None),
        ('{"msg":"a"}{"msg":"b"}', None),
        ('["msg"]', None),
        ('"msg"', None),
        ('{"msg":"a",}', None),
        ("{'msg':'a'}", None),
        ('{"msg":"a","x":NaN}', None),
        ('{"msg":"a","x":-Infinity}', None),
        ('{"msg":"a","x":1.}', None),
        ('{"msg":"a","x":01}', None),
        ('{"msg":"a","x":+1}', None),
        ('{"msg":"a","x":-0.5E+7}', "a"),
        ('{"msg":"a","x":"\\x"}', None),
        ('{"msg":"a","x":"\t"}', None),
        ('{"msg":"a","x":tru}', None),
        ('\ufeff{"msg":"a"}', None),
        ("", None),
        ("{", None),
    ],
)
def test_a_message_of_json(text: str, expected: str | None) -> None:
    assert message(MSG, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"fields":{"message":"a"}}', "a"),
        ('{"fields.message":"a"}', "a"),
        ('{"fields":{"message":"a"},"fields.message":"b"}', "a"),
        ('{"fields.message":"b","fields":{"message":"a"}}', "b"),
        ('{"fields":1,"fields":{"message":"a"}}', None),
        ('{"fields":{"x":1},"fields":{"message":"a"}}', None),
        ('{"x":{"fields":{"message":"a"}}}', None),
    ],
)
def test_names_are_keys_joined_by_dots(text: str, expected: str | None) -> None:
    assert message(DEEP, text) == expected


def test_a_message_is_its_first_line_that_is_not_blank() -> None:
    """Spring's and Hibernate's messages begin with line feeds; they would be blank lines."""
    assert message(MSG, r'{"msg":"\n\r\n  \n****\nAPPLICATION FAILED"}') == "****"
    assert message(MSG, r'{"msg":"\n    select 1\r\n    from x"}') == "    select 1"
    assert message(MSG, r'{"msg":"\n \n"}') == ""
    assert message(LOGFMT, r'msg="\n  a\nb"') == "  a"


def test_a_trace_that_is_a_message_is_a_record() -> None:
    trace = r"Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 1"
    lines = [
        '{"msg":"before"}',
        f'{{"msg":"{trace}"}}',
        '{"msg":"after"}',
        '{"msg":"    at a.b(C:1)\\n"}',
    ]
    assert seen("\n".join(lines), Preprocess(structured=(MSG,))) == [
        (1, "before"), (2, "Traceback (most recent call last):"), (3, "after")
    ]  # fmt: skip


def test_cee_may_stand_before_an_object() -> None:
    assert message(MSG, '@cee: {"msg":"a b"}') == message(MSG, ' @cee:{"msg":"a b"}') == "a b"
    assert message(MSG, "@cee:") is None
    assert message(MSG, '@cee: @cee: {"msg":"a"}') is None


def test_at_most_64_arrays_and_objects_are_open() -> None:
    def nested(depth: int) -> str:
        return '{"msg":"a","x":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"

    assert message(MSG, nested(64)) == "a"
    assert message(MSG, nested(65)) is None
    assert message(MSG, nested(10_000)) is None
    assert message(MSG, '{"msg":"a","x":"' + "[" * 1000 + '"}') == "a"


def test_fields_are_texts() -> None:
    text = '{"level":30,"host":{"name":"a\\nb"},"pid":1.50,"msg":"m"}'
    assert StructureReader([MSG]).open(text) == Opened(
        "m", {"level": "30", "host": "a\nb", "pid": "1.50"}
    )
    text = '{"level":true,"host":{"name":null},"pid":[1],"msg":"m"}'
    assert StructureReader([MSG]).open(text) == Opened("m", {"level": "true"})


def test_a_number_has_any_size() -> None:
    digits = "7" * 10_000
    form = StructuredForm("json", "msg", pid="pid")
    opened = StructureReader([form]).open('{"msg":"m","pid":' + digits + "}")
    assert opened is not None
    assert opened.fields == {"pid": digits}


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=5), st.booleans())
def test_what_json_writes_is_read(document: dict[str, Any], ascii_only: bool) -> None:
    found = read_json_object(json.dumps(document, ensure_ascii=ascii_only))
    assert found is not None
    assert [key for key, _ in found] == list(document)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='{}[]":,\\ue\t 0.1-tn\ud800', max_size=40))
def test_no_text_is_too_odd(text: str) -> None:
    reader = StructureReader([MSG, DOCKER, DEEP, CRI, LOGFMT])
    opened = reader.open(text.encode("utf-8", "replace").decode())
    assert opened is None or "\n" not in opened.message


@pytest.mark.parametrize(
    "begin", ['{"x":"' + "[" * 70 + '","y":"', '{"msg":"', '{"a":', "msg=", 'msg="', f"{TIME} x "]
)
@pytest.mark.parametrize("unit", ['\\"', "[", "{", '"', "a=", " ", "\\", "a ", '"a":1,'])
def test_opening_is_linear(begin: str, unit: str) -> None:
    reader = StructureReader([MSG, DOCKER, CRI, LOGFMT])

    def seconds(size: int) -> float:
        began = time.perf_counter()
        for _ in range(3):
            reader.open(begin + unit * (size // len(unit)))
        return time.perf_counter() - began

    seconds(1000)
    assert seconds(400_000) < 60 * max(seconds(40_000), 1e-3)


# --- others ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('msg="a b" level=info', "a b"),
        ("level=info msg=word", "word"),
        ("msg=", ""),
        ('msg="" x=1', ""),
        ("msg=first msg=second", "first"),
        (r'msg="a \"b\" \\ \n c"', 'a "b" \\ '),
        (r'msg="\u00e9\ud83d\ude00\ud800\q\t"', "é\U0001f600\ufffdq\t"),
        ("  a=b\tmsg=c  ", "c"),
        ("url=/x?a=b msg=c", "c"),
        ("msg=a bare", None),
        ('msg="open', None),
        ('msg="a"b', None),
        ('msg=a"b', None),
        ("level=info", None),
        ("=a msg=b", None),
        ("", None),
        ("a plain line", None),
    ],
)
def test_a_message_of_logfmt(text: str, expected: str | None) -> None:
    assert message(LOGFMT, text) == expected


@given(
    st.dictionaries(
        st.text(
            alphabet=st.characters(exclude_characters=' \t\x0b\x0c\r\n="', codec="utf-8"),
            min_size=1,
        ),
        st.text(st.characters(codec="utf-8", exclude_characters="\x7f")),
        min_size=1,
        max_size=5,
    )
)
def test_pairs_in_quotes_come_back(pairs: dict[str, str]) -> None:
    text = " ".join(f"{key}={json.dumps(value)}" for key, value in pairs.items())
    assert read_logfmt(text) == pairs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{TIME} stdout F a  b ", "a  b "),
        (f"{TIME} stderr F", ""),
        (f"{TIME} stderr F:x a", "a"),
        ("2025-03-10T08:00:09Z stdout F a", "a"),
        (f"{TIME} stdin F a", None),
        (f"{TIME} stdout X a", None),
        (f"{TIME}  stdout F a", None),
        ("2025-03-10 08:00:09Z stdout F a", None),
    ],
)
def test_a_message_of_cri(text: str, expected: str | None) -> None:
    assert message(CRI, text) == expected


def test_docker_ends_its_lines_with_lf() -> None:
    reader = StructureReader([DOCKER])
    text = '{"log":"a\\n","stream":"stdout","time":"now"}'
    assert reader.open(text) == Opened("a", {"timestamp": "now"}, None, False, ("docker", "stdout"))
    opened = reader.open('{"log":"a"}')
    assert opened is not None
    assert (opened.piece, opened.source) == (True, ("docker", None))
    assert reader.open('{"log":[97]}') is None


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ("json", {}),
        ("logfmt", {"level": "l"}),
        ("docker", {"message": "log"}),
        ("cri", {"host": "h"}),
        ("json", {"message": ""}),
        ("json", {"message": "m" * 257}),
    ],
)
def test_a_form_without_sense_is_refused(form: Any, names: dict[str, str]) -> None:
    with pytest.raises(InputError):
        StructuredForm(form, **names)


# --- records --------------------------------------------------------------------------------------


def records(text: str, rules: Preprocess) -> list[LogRecord]:
    limit = rules.max_line_bytes
    lines = [
        LogLine(number, b"" if len(raw) > limit else raw, len(raw) > limit)
        for number, raw in enumerate(text.encode().split(b"\n"), 1)
    ]
    return list(RecordReader(LineParser(rules)).read(lines))


def docker(log: str, stream: str = "stdout") -> str:
    return json.dumps({"log": log, "stream": stream, "time": "now"})


def cri(message: str, tag: str = "F", stream: str = "stdout") -> str:
    return f"{TIME} {stream} {tag} {message}"


def seen(text: str, rules: Preprocess) -> list[tuple[int, str | None]]:
    return [
        (record.number, None if record.parsed is None else record.parsed.message)
        for record in records(text, rules)
    ]


NESTED = Preprocess(structured=(DOCKER, CRI, MSG, LOGFMT), headers=PRESETS["iso8601"])


def test_forms_and_heads_nest() -> None:
    inner = json.dumps({"msg": "2025-03-10 08:00:01 INFO started", "pid": 7})
    assert seen(docker(inner + "\n"), NESTED) == [(1, "INFO started")]
    behind = '2025-03-10 08:00:01 {"msg":"level=info msg=\\"started\\""}'
    assert seen(cri(behind), NESTED) == [(1, "started")]
    five = "deepest"
    for _ in range(5):
        five = json.dumps({"msg": five})
    assert seen(five, NESTED) == [(1, '{"msg": "deepest"}')]


def test_pieces_are_joined() -> None:
    text = "\n".join((cri("2025-03-10 08:00:01 cac", "P"), "", cri("he ", "P"), cri("flushed")))
    assert seen(text, NESTED) == [(1, "cache flushed")]
    assert records(text, NESTED)[0].raw.count(b"\n") == 2
    assert seen("\n".join((docker("a"), docker("b"), docker("c\n"))), NESTED) == [(1, "abc")]


def test_what_does_not_belong_to_pieces_ends_them() -> None:
    text = "\n".join(
        (cri("a", "P"), cri("b", "F", "stderr"), cri("c", "P"), "plain", cri("d", "P"))
    )
    assert seen(text, NESTED) == [(1, "a"), (2, "b"), (3, "c"), (4, "plain"), (5, "d")]
    assert seen("\n".join((docker("a"), cri("b"))), NESTED) == [(1, "a"), (2, "b")]


def test_pieces_that_are_too_long_are_an_oversize_line() -> None:
    from dataclasses import replace

    rules = replace(NESTED, max_line_bytes=150)
    text = "\n".join((*(cri("x" * 20, "P") for _ in range(5)), cri("end"), cri("next")))
    assert seen(text, rules) == [(1, None), (7, "next")]
    assert records(text, rules)[0].raw == b""


def test_a_blank_message_is_a_blank_line() -> None:
    assert seen("\n".join((docker("\n"), docker(" \n"), cri(""))), NESTED) == []
    # An application that says nothing says it with a level, an error or a request.
    text = "\n".join(('{"msg":"","error":"disk"}', "msg= level=error", docker('{"msg":" "}\n')))
    assert seen(text, NESTED) == [(1, ""), (2, ""), (3, " ")]
    headed = "2025-03-10 08:00:01 failed\n" + '{"msg":"","error":"disk"}'
    assert seen(headed, NESTED) == [(1, "failed"), (2, "")]


def test_sessions_by_a_key_and_by_a_field() -> None:
    def by(field: str, text: str) -> str | None:
        rules = Preprocess(
            structured=(DOCKER, MSG, LOGFMT),
            headers=PRESETS["iso8601"],
            session=SessionRule("field", field=field),
        )
        (record,) = records(text, rules)
        assert record.parsed is not None
        return record.parsed.session

    assert by("trace_id", '{"msg":"m","trace_id":"t7"}') == "t7"
    assert by("trace.id", '{"msg":"m","trace":{"id":7}}') == "7"
    assert by("trace.id", docker('{"msg":"m","trace":{"id":7}}\n')) == "7"
    assert by("trace_id", "msg=m trace_id=t7") == "t7"
    assert by("trace_id", '{"msg":"m","trace_id":null}') is None
    assert by("level", '{"msg":"m","level":"info"}') == "info"
    assert by("host", '{"msg":"m","host":{"name":"h"}}') == "h"
    assert by("process", "2025-03-10T08:00:01Z h sshd[7]: m") == "sshd"
    assert by("stream", docker("m\n")) == "stdout"
    assert by("nothing", "a plain line") is None


def test_a_pattern_of_sessions_searches_the_line_as_it_is() -> None:
    rules = Preprocess(structured=(MSG,), session=SessionRule("regex", r'"id":(\d+)'))
    (record,) = records('{"id":7,"msg":"m"}', rules)
    assert record.parsed is not None
    assert record.parsed.session == "7"
    pieces = "\n".join((cri('"id":7', "P"), cri('"id":8')))
    (record,) = records(pieces, Preprocess(structured=(CRI,), session=rules.session))
    assert record.parsed is not None
    assert record.parsed.session == "7"


def test_the_innermost_host_is_the_host() -> None:
    rules = Preprocess(
        structured=(StructuredForm("json", "msg", host="h"),),
        headers=PRESETS["syslog"],
        session=SessionRule("host"),
    )
    inner = "Jun 14 15:16:01 combo sshd[3]: hello"
    (record,) = records(json.dumps({"h": "outer", "msg": inner}), rules)
    assert record.parsed is not None
    assert (record.parsed.host, record.parsed.session) == ("combo", "combo")
    (record,) = records(json.dumps({"h": "outer", "msg": "hello"}), rules)
    assert record.parsed is not None
    assert record.parsed.session == "outer"
