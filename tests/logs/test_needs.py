"""What a pattern needs is needed, whoever wrote it, and it is enough to leave masks out."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from logexport.errors import InputError
from logexport.logs.masks import DEFAULT_MASKS
from logexport.logs.needs import Candidates
from logexport.logs.patterns import parse

from tests.logs.test_patterns import PATTERN, TEXT


def may_match(pattern: str, text: str) -> bool:
    return Candidates([(pattern, "a test")]).find(text) == (0,)


@settings(max_examples=150, deadline=None)
@given(PATTERN, TEXT)
def test_what_is_left_out_does_not_match(pattern: str, text: str) -> None:
    try:
        parse(pattern, "a test")
    except InputError:
        assume(False)
    if re.compile(pattern, re.ASCII).search(text):
        assert may_match(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "texts", "left_out"),
    [
        (r"\d+", ["1", "a1"], ["", "abc", "/-é"]),
        (r"(?:\w+@)+x", ["a@x"], ["ax", "a.b"]),
        (r"a|\d@", ["f", "1@"], ["@", "1", "z"]),
        (r"(?<==)\d(?!:)", ["a=1"], ["1:", "="]),
        (r"(?=.*/)\d", ["1/"], ["1"]),
        (r"-?(?:\d*)x{2,}", ["g"], ["-1"]),
        ("[^a-z]", ["1", "é", "A"], ["abc"]),
        ("[a-é]", ["é", "z", "日"], ["1Z"]),
        ("日", ["é"], ["1"]),
        (r"\W", ["-", "é", " "], ["a_1"]),
        (r"\w", ["_"], ["é-"]),
        (".", [" ", "é"], [""]),
        (r"\b(?!a)^$", ["", "a"], []),
    ],
)
def test_kinds_of_characters_tell_where_a_pattern_cannot_match(
    pattern: str, texts: list[str], left_out: list[str]
) -> None:
    assert [text for text in texts if not may_match(pattern, text)] == []
    assert [text for text in left_out if may_match(pattern, text)] == []


def test_few_default_masks_are_tried_on_words_and_on_numbers() -> None:
    candidates = Candidates([(mask.pattern, mask.name) for mask in DEFAULT_MASKS])
    found = {text: [DEFAULT_MASKS[n].name for n in candidates.find(text)] for text in ("of", "42")}
    assert found["42"] == ["hash", "num", "digits"]
    assert set(found["of"]) <= {"host", "time", "hash", "unit", "null"}


def test_more_sets_of_kinds_than_are_remembered_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("logexport.logs.needs._MOST_KNOWN", 1)
    candidates = Candidates([("a", "a test"), ("1", "a test")])
    assert candidates.find("1") == (1,) == candidates.find("2")
    assert candidates.find("g") == (0, 1)
