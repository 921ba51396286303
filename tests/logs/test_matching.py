"""Masked lines to templates, against a matcher that compares with every template."""

from __future__ import annotations

import random
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logexport.errors import InputError
from logexport.logs.matching import Prefer, TemplateMatcher
from logexport.logs.tokens import Masked

TOKEN = st.sampled_from(["a", "b", "<*>", "<*:mark>", "<NUM>", "é", "a\xa0b"])
TEMPLATES = st.lists(st.lists(TOKEN, max_size=4).map(" ".join), max_size=12, unique=True)
HOLED = st.lists(
    st.sampled_from(["<*>", "<*>", "<:NUM:>", "<:a_-9:>", "<::>", "<*:mark>", "a", "aa", "é", "<"]),
    min_size=1,
    max_size=5,
).map("".join)
LINES = st.lists(TOKEN, max_size=4).flatmap(
    lambda words: st.sampled_from([" ".join(words), "\t".join(words) + " ", "  ".join(words)])
)
PREFER = st.sampled_from(["specific", "general"])


def split(text: str) -> list[str]:
    return [token for token in re.split("[ \t\x0b\x0c\r]+", text) if token]


def untyped(text: str) -> Masked:
    """A line of which no mask wrote anything."""
    return Masked(text, bytes(len(split(text))))


@st.composite
def marked(draw: st.DrawFn, token: st.SearchStrategy[str] = TOKEN) -> Masked:
    words = draw(st.lists(token, max_size=4))
    return Masked(" ".join(words), bytes(draw(st.sampled_from((0, 1, 2))) for _ in words))


def by_definition(
    templates: list[str], reserved: set[int], prefer: Prefer, line: Masked
) -> int | None:
    """The rules, on every template: no tree, no order of the index."""
    words = split(line.text)
    sign = 1 if prefer == "specific" else -1
    candidates = []
    for index, template in enumerate(templates):
        pattern = split(template)
        if index in reserved or len(pattern) != len(words):
            continue
        if all(
            p in ("<*>", w) if p != "<*:mark>" else kind > 0
            for p, w, kind in zip(pattern, words, line.kinds, strict=True)
        ):
            wild = [["<*:mark>", "<*>"].index(p) + 1 if p[:2] == "<*" else 0 for p in pattern]
            order = (sign * wild.count(2), sign * wild.count(1), wild)
            candidates.append((*order, template, index))
    return min(candidates)[-1] if candidates else None


@settings(max_examples=400, deadline=None)
@given(
    TEMPLATES,
    st.sets(st.integers(0, 11), max_size=3),
    PREFER,
    st.lists(marked(), min_size=1, max_size=8),
)
def test_the_tree_finds_what_the_definition_finds(
    templates: list[str], reserved: set[int], prefer: Prefer, lines: list[Masked]
) -> None:
    matcher = TemplateMatcher(templates, reserved, prefer)
    asked = [*lines, *lines, *map(untyped, templates)]  # twice: second answers come from memory
    for line in asked:
        assert matcher.match(line) == by_definition(templates, reserved, prefer, line)


HOLE = r"<\*>|<:[A-Za-z0-9_-]+:>"


def by_expressions(templates: list[str], prefer: Prefer, line: Masked) -> int | None:
    """The rules of ``inner`` by regular expressions."""
    words = split(line.text)
    candidates = []
    for index, template in enumerate(templates):
        pattern = split(template)
        if len(pattern) != len(words):
            continue
        if all(
            kind > 0
            if p == "<*:mark>"
            else re.fullmatch(".+".join(map(re.escape, re.split(HOLE, p))), w, re.DOTALL)
            for p, w, kind in zip(pattern, words, line.kinds, strict=True)
        ):
            literal = sum(len(re.sub(HOLE, "", p)) for p in pattern if p != "<*:mark>")
            candidates.append((-literal if prefer == "specific" else literal, template, index))
    return min(candidates)[-1] if candidates else None


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.lists(HOLED, min_size=1, max_size=2).map(" ".join), max_size=8, unique=True),
    PREFER,
    st.lists(
        marked(st.text(st.sampled_from("aé<x"), min_size=1, max_size=7)), min_size=1, max_size=8
    ),
)
def test_holes_in_tokens_are_non_empty_texts(
    templates: list[str], prefer: Prefer, lines: list[Masked]
) -> None:
    matcher = TemplateMatcher(templates, (), prefer, inner=True)
    filled = [untyped(re.sub(HOLE, "a", template)) for template in templates]
    for line in [*lines, *filled]:
        assert matcher.match(line) == by_expressions(templates, prefer, line)


def test_the_template_of_more_literal_characters_goes_first() -> None:
    templates = ["blk_<*>", "<*>", "blk_<:NUM:>x", "<:ID:>"]
    matcher = TemplateMatcher(templates, inner=True)
    found = [matcher.match(untyped(line)) for line in ("blk_1x", "blk_1", "blk_", "b", "b c")]
    assert found == [2, 0, 1, 1, None]  # "<*>" goes before "<:ID:>" by code point
    assert TemplateMatcher(templates, (), "general", inner=True).match(untyped("blk_1x")) == 1
    assert TemplateMatcher(templates).match(untyped("blk_1x")) == 1


def test_a_long_token_is_matched_in_one_pass() -> None:
    template = "<*>" + "a<*>b<*>" * 50
    matcher = TemplateMatcher([template], inner=True)
    token = "a" * 500_000
    began = time.monotonic()
    assert matcher.match(untyped(token)) is None
    assert matcher.match(untyped(token + "b" * 500_000)) is None
    assert matcher.match(untyped("x" + "axbx" * 100_000)) == 0
    assert time.monotonic() - began < 5


def test_a_typed_wildcard_stands_for_what_masks_wrote() -> None:
    templates = ["<*:mark>", "<NUM>", "word", "<*>"]
    matcher = TemplateMatcher(templates[:3])
    assert matcher.match(Masked("<IP>", b"\2")) == 0
    assert matcher.match(Masked("blk_<ID>", b"\1")) == 0
    assert matcher.match(Masked("<IP>", b"\0")) is None
    assert matcher.match(Masked("<NUM>", b"\2")) == matcher.match(Masked("<NUM>", b"\0")) == 1
    assert TemplateMatcher(templates).match(Masked("<IP>", b"\2")) == 0
    assert TemplateMatcher(templates).match(Masked("<IP>", b"\0")) == 3
    old = TemplateMatcher(templates, typed=False)
    assert [old.match(Masked(line)) for line in ("<IP>", "<*:mark>")] == [3, 0]


@settings(max_examples=200, deadline=None)
@given(TEMPLATES, st.sampled_from(["specific", "general"]), LINES, st.integers())
def test_numbering_decides_nothing(
    templates: list[str], prefer: Prefer, line: str, seed: int
) -> None:
    shuffled = list(templates)
    random.Random(seed).shuffle(shuffled)
    one = TemplateMatcher(templates, (), prefer).match(untyped(line))
    other = TemplateMatcher(shuffled, (), prefer).match(untyped(line))
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert templates[one] == shuffled[other]


def test_fewest_or_most_wildcards_then_the_first_constant() -> None:
    templates = ["<*> b <*>", "a <*> <*>", "<*> <*> <*>", "a b <*>"]
    assert TemplateMatcher(templates).match(untyped("a b c")) == 3
    assert TemplateMatcher(templates, {3}).match(untyped("a b c")) == 1
    assert TemplateMatcher(templates, (), "general").match(untyped("a b c")) == 2


def test_the_empty_template_is_a_line_without_tokens() -> None:
    matcher = TemplateMatcher(["a", ""])
    assert matcher.match(untyped(" \t")) == 1
    assert TemplateMatcher(["a"]).match(untyped("")) is None


def test_a_wildcard_in_the_line_is_a_text() -> None:
    assert TemplateMatcher(["a", "<*>"]).match(untyped("<*>")) == 1
    assert TemplateMatcher(["a"]).match(untyped("<*>")) is None


def test_no_line_matches_a_reserved_label() -> None:
    matcher = TemplateMatcher(["\nunknown", "unknown"], {0})
    assert matcher.match(untyped("unknown")) == 1


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
    assert templates[matcher.match(untyped("a " * 12)) or 0] == " ".join(["a"] * 12)
    line = "a b " * 6
    assert templates[matcher.match(untyped(line)) or 0] == " ".join(["a", "<*>"] * 6)
