"""Kept fields: what their tokens are, and that these stand before the message's."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from logexport.errors import InputError
from logexport.logs.events import EventReader
from logexport.logs.headers import FIELDS, Header
from logexport.logs.joining import RecordReader
from logexport.logs.kept import ABSENT, SEVERITIES, KeptField, kept_tokens
from logexport.logs.lines import WHITE_SPACE, LogLine, tokens
from logexport.logs.preprocess import LineParser, Preprocess
from logexport.logs.structured import StructuredForm
from logexport.types import Vocabulary

FORMS = ("text", "severity", "class")


def token(form: str, value: str | None) -> str:
    values = {} if value is None else {"level": value}
    (found,) = kept_tokens((KeptField("level", form),), values)  # type: ignore[arg-type]
    return found


@given(st.sampled_from(FORMS), st.text() | st.text(f"{WHITE_SPACE}\n 4a_"))
def test_a_token_has_no_white_space_and_no_line_feed_but_that_of_the_absent_one(
    form: str, value: str
) -> None:
    found = token(form, value)
    assert tokens(found) == [found]
    assert found == ABSENT or "\n" not in found
    assert (found == ABSENT) == (not value.strip(WHITE_SPACE + "\n"))


def test_a_severity_is_the_last_three_bits_of_a_number() -> None:
    for number in range(200):
        assert token("severity", str(number)) == SEVERITIES[number % 8]
        assert token("severity", f" {number:09d}\t") == SEVERITIES[number % 8]
    assert token("severity", "165") == "notice"
    for word in ("-1", "+1", "1.0", "0000000001", "\u0663", "err", "0x3"):
        assert token("severity", word) == word


def test_a_class_is_the_first_of_three_digits() -> None:
    for number in range(1000):
        assert token("class", f"{number:03d} ") == f"{number // 100}xx"
    for word in ("40", "4040", "40x", "\u0664\u0660\u0664", "-404"):
        assert token("class", word) == word


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, ABSENT),
        ("", ABSENT),
        (" \n\t", ABSENT),
        (" a \n\t b ", "a_b"),
        ("7\n", "7"),
        ("a\u00a0 b", "a\u00a0_b"),
        ("-", "-"),
    ],
)
def test_other_texts_are_themselves_in_every_form(
    form: str, value: str | None, wanted: str
) -> None:
    assert token(form, value) == wanted


@pytest.mark.parametrize(("field", "form"), [("message", "text"), ("level", "word"), ("", "text")])
def test_what_cannot_be_kept_is_refused(field: str, form: str) -> None:
    with pytest.raises(InputError):
        KeptField(field, form)  # type: ignore[arg-type]


def test_rules_of_version_1_keep_nothing_and_know_few_groups() -> None:
    with pytest.raises(InputError):
        Preprocess(encoding=None, keep=(KeptField("level"),))
    for field in FIELDS:
        headers = (Header("h", f"(?P<{field}>x)(?P<message>.*)"),)
        LineParser(Preprocess(headers=headers))
        if field not in ("timestamp", "host", "process"):
            with pytest.raises(InputError):
                LineParser(Preprocess(headers=headers, encoding=None))


def test_the_innermost_value_is_kept_and_masks_do_not_see_it() -> None:
    rules = Preprocess(
        structured=(StructuredForm("json", "m", level="l", pid="p"),),
        headers=(Header("h", r"<(?P<level>\w*)>(?P<message>.*)$"),),
        keep=(KeptField("level"), KeptField("pid"), KeptField("status", "class")),
    )
    templates = (
        f"7 8 {ABSENT} at <NUM>",
        f"w 8 {ABSENT} at <NUM>",
        f"in 8 {ABSENT} at <NUM>",
        f"{ABSENT} 8 {ABSENT} at <NUM>",
        f"{ABSENT} {ABSENT} {ABSENT}",
    )
    reader = EventReader(rules, Vocabulary(templates))
    lines = (
        '{"l": 7, "p": "8", "m": "at 9"}',
        '{"l": 7, "p": "8", "m": "<w>at 9"}',
        '{"l": 7, "p": "8", "m": "<w>{\\"l\\": \\"in\\", \\"m\\": \\"at 9\\"}"}',
        '{"l": 7, "p": "8", "m": "<>at 9"}',
        "<>",
    )
    numbered = [LogLine(number, line.encode()) for number, line in enumerate(lines, 1)]
    assert [event.template for event in reader.read(numbered)] == [0, 1, 2, 3, 4]


def test_records_of_several_lines_keep_what_their_first_line_says() -> None:
    rules = Preprocess(
        structured=(StructuredForm("cri"),),
        headers=(Header("h", r"(?P<level>[A-Z]+)>(?P<message>\w*)$", next_line=True),),
        keep=(KeptField("level"), KeptField("timestamp")),
    )
    first, second = "2024-06-14T08:00:00Z", "2024-06-14T08:00:01Z"
    lines = (f"{first} stdout P WA", f"{second} stdout F RN>a", f"{second} stdout F b")
    numbered = [LogLine(number, line.encode()) for number, line in enumerate(lines, 1)]
    parser = LineParser(rules)
    (record,) = RecordReader(parser).read(numbered)
    assert record.parsed is not None
    assert record.parsed.kept == ("WARN", first)
    assert parser.mask_record(record.parsed) == (f"WARN {first} a b", bytes(4))


LINES = st.lists(
    st.sampled_from(
        [
            '{"m": "',
            '", "l": ',
            "7",
            '"x"',
            "}",
            "<w>",
            "<>",
            "[9]",
            '{\\"m\\": \\"',
            '\\"}',
            " a",
            "m=b ",
        ]
    ),
    max_size=9,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(LINES)
@example('{"m": "<w>{\\"m\\": \\"a\\", \\"l\\": 8}", "l": 7}')
@example('<w>{"m": "a", "l": 7}')
def test_all_fields_of_a_line_are_those_that_would_be_kept(line: str) -> None:
    rules = Preprocess(
        structured=(StructuredForm("json", "m", level="l"), StructuredForm("logfmt", "m")),
        headers=(
            Header("h", r"<(?P<level>\w*)>(?P<message>.*)$"),
            Header("n", r"\[(?P<pid>\d)\](?P<message>.*)$", next_line=True),
        ),
        keep=(KeptField("level"), KeptField("pid")),
    )
    parser = LineParser(rules)
    assert kept_tokens(rules.keep, parser.find_fields(line)) == parser.parse(line.encode()).kept
