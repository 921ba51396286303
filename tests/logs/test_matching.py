"""Masked lines to templates, against a matcher that compares with every template."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logexport.errors import InputError
from logexport.logs.matching import Prefer, TemplateMatcher

TOKEN = st.sampled_from(["a", "b", "<*>", "<NUM>", "é", "a\xa0b"])
TEMPLATES = st.lists(st.lists(TOKEN, max_size=4).map(" ".join), max_size=12, unique=True)
LINES = st.lists(TOKEN, max_size=4).flatmap(
    lambda words: st.sampled_from([" ".join(words), "\t".join(words) + " ", "  ".join(words)])
)


def split(text: str) -> list[str]:
    return [token for token in re.split("[ \t\x0b\x0c\r]+", text) if token]


def by_definition(
    templates: list[str], reserved: set[int], prefer: Prefer, line: str
) -> int | None:
    """DESIGN's rules, on every template: no tree, no order of the index."""
    words = split(line)
    candidates = []
    for index, template in enumerate(templates):
        pattern = split(template)
        if index in reserved or len(pattern) != len(words):
            continue
        if all(p in ("<*>", w) for p, w in zip(pattern, words, strict=True)):
            wild = [p == "<*>" for p in pattern]
            count = sum(wild) if prefer == "specific" else -sum(wild)
            candidates.append((count, wild, template, index))  # False, a constant, sorts first
    return min(candidates)[-1] if candidates else None


@settings(max_examples=1000, deadline=None)
@given(
    TEMPLATES,
    st.sets(st.integers(0, 11), max_size=3),
    st.sampled_from(["specific", "general"]),
    st.lists(LINES, min_size=1, max_size=8),
)
def test_the_tree_finds_what_the_definition_finds(
    templates: list[str], reserved: set[int], prefer: Prefer, lines: list[str]
) -> None:
    matcher = TemplateMatcher(templates, reserved, prefer)
    for line in [*lines, *lines, *templates]:  # twice: the second answers come from memory
        assert matcher.match(line) == by_definition(templates, reserved, prefer, line)


@settings(max_examples=200, deadline=None)
@given(TEMPLATES, st.sampled_from(["specific", "general"]), LINES, st.integers())
def test_numbering_decides_nothing(
    templates: list[str], prefer: Prefer, line: str, seed: int
) -> None:
    shuffled = list(templates)
    random.Random(seed).shuffle(shuffled)
    one = TemplateMatcher(templates, (), prefer).match(line)
    other = TemplateMatcher(shuffled, (), prefer).match(line)
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert templates[one] == shuffled[other]


def test_fewest_or_most_wildcards_then_the_first_constant() -> None:
    templates = ["<*> b <*>", "a <*> <*>", "<*> <*> <*>", "a b <*>"]
    assert TemplateMatcher(templates).match("a b c") == 3
    assert TemplateMatcher(templates, {3}).match("a b c") == 1
    assert TemplateMatcher(templates, (), "general").match("a b c") == 2


def test_the_empty_template_is_a_line_without_tokens() -> None:
    matcher = TemplateMatcher(["a", ""])
    assert matcher.match(" \t") == 1
    assert TemplateMatcher(["a"]).match("") is None


def test_a_wildcard_in_the_line_is_a_text() -> None:
    assert TemplateMatcher(["a", "<*>"]).match("<*>") == 1
    assert TemplateMatcher(["a"]).match("<*>") is None


def test_no_line_matches_a_reserved_label() -> None:
    matcher = TemplateMatcher(["\nunknown", "unknown"], {0})
    assert matcher.match("unknown") == 1


def test_an_unknown_preference_is_refused() -> None:
    with pytest.raises(InputError, match="'best'"):
        TemplateMatcher([], (), "best")  # type: ignore[arg-type]


def test_many_overlapping_templates_do_not_slow_a_line_down() -> None:
    # 4,096 templates, every way to write "a" or "<*>" on twelve places: a line looks at each once.
    templates = [
        " ".join("<*>" if number >> place & 1 else "a" for place in range(12))
        for number in range(4096)
    ]
    matcher = TemplateMatcher(templates)
    assert templates[matcher.match("a " * 12) or 0] == " ".join(["a"] * 12)
    line = "a b " * 6
    assert templates[matcher.match(line) or 0] == " ".join(["a", "<*>"] * 6)
