"""The lint of docs/STYLE.md: what it finds, and that nothing new breaks a rule."""

from __future__ import annotations

import json

import pytest

from tests import style


@pytest.mark.parametrize(
    ("path", "text", "rule"),
    [
        ("a.md", "The file is no bundle.", "is-no"),
        ("a.py", "# The file is\n# no bundle.\n", "is-no"),
        ("a.c", "/* These are\n * no numbers. */", "is-no"),
        ("a.py", '"""The path, or None where there is none."""', "where-for-if"),
        ("a.md", "Simply run the command.", "filler"),
        ("a.md", "- " + "word " * 41 + "ends.", "long"),
        ("a.py", "def f(said: str) -> None: ...", "name"),
        ("a.py", "whole = 1", "name"),
        ("a.py", "class Hindrance: ...\ndef _below() -> None: ...", "name"),
    ],
)
def test_what_breaks_a_rule_is_found(path: str, text: str, rule: str) -> None:
    assert [one.rule for one in style.findings(path, text)] == [rule]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.md", "The file is not a bundle. The engine is no longer there. There is no file."),
        ("a.md", "| " + "cell " * 60 + "|"),
        ("a.md", "```\n" + "word " * 60 + "\n```\n"),
        ("a.py", "message = 1\nprint(one.whole)\n"),
        ("a.c", "/* NULL if there is none. */"),
    ],
)
def test_what_keeps_the_rules_is_left_alone(path: str, text: str) -> None:
    assert style.findings(path, text) == []


def test_a_finding_has_its_line() -> None:
    (found,) = style.findings("a.py", "x = 1\n# It is\n# no bundle.\n")
    assert found.line == 2


def test_old_text_may_get_better_and_never_worse() -> None:
    found = style.findings("a.md", "This is no bundle. That is no file.")
    assert style.new(found, {"a.md": {"is-no": 2}}) == []
    assert style.new(found, {"a.md": {"is-no": 1}}) == found
    assert style.new(found, {}) == found
    assert style.mended(found, {"a.md": {"is-no": 5, "long": 1}}) == {"a.md": {"is-no": 2}}
    assert style.mended(found, {}) == {}


def test_nothing_new_breaks_a_rule_and_the_record_is_not_too_high() -> None:
    recorded = json.loads(style.RECORD.read_text(encoding="utf-8"))
    found = style.everything()
    assert len(style.files()) > 250
    assert style.new(found, recorded) == []
    assert style.mended(found, recorded) == recorded, "run `python -m tests.style --record`"
