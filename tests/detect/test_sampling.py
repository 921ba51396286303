"""What is drawn is what the tree of Python's own parser gave, so that no self-test changes."""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from logexport.errors import InputError
from logexport.logs.headers import GROUPS
from logexport.logs.patterns import parse
from logexport.selftest.sampling import draw

from tests.logs.test_patterns import ASSERTION, PATTERN, QUANTIFIER, SHIPPED

PARSER = "re._parser" if sys.version_info >= (3, 11) else "sre_parse"


def standard_parser() -> Any:
    """Python's own parser: private, and perhaps gone or another in a later Python."""
    try:
        return import_module(PARSER)
    except ImportError:
        pytest.skip(f"this Python has no {PARSER}")


PLAIN = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PRINTABLE = PLAIN + "-_./:=+%@#~!$&*,;?^|'\"`()[]{}<>\\ \t"


class Oracle:
    """Drawing as it was defined: from the standard parser's tree, choice by choice."""

    def __init__(self, pattern: str, source: random.Random, groups: Mapping[str, str]) -> None:
        self.tree = standard_parser().parse(pattern, re.ASCII)
        numbers = self.tree.state.groupdict
        self.fixed = {numbers[name]: text for name, text in groups.items() if name in numbers}
        self.random = source

    def text(self) -> str:
        return "".join(self.draw(self.tree))

    def draw(self, tree: Any) -> Iterator[str]:
        for op, argument in tree:
            match str(op):
                case "LITERAL":
                    yield chr(argument)
                case "ANY":
                    yield self.random.choice(PLAIN)
                case "NOT_LITERAL":
                    yield self.random.choice(PLAIN.replace(chr(argument), ""))
                case "IN":
                    yield self.random.choice(members([(str(op), value) for op, value in argument]))
                case "BRANCH":
                    yield from self.draw(self.random.choice(argument[1]))
                case "SUBPATTERN":
                    number, _, _, inner = argument
                    if number in self.fixed:
                        yield self.fixed[number]
                    else:
                        yield from self.draw(inner)
                case "MAX_REPEAT" | "MIN_REPEAT":
                    low, high, inner = argument
                    for _ in range(self.random.randint(low, min(int(high), low + 3))):
                        yield from self.draw(inner)
                case kind:
                    # FAILURE: (?!) since Python 3.12
                    assert kind in ("AT", "ASSERT", "ASSERT_NOT", "FAILURE")


def members(items: list[tuple[str, Any]]) -> list[str]:
    """What is drawn of a set: plain characters, else printable ones, else listed ones, else x."""
    negated = items[0][0] == "NEGATE"
    allowed = [char for char in PRINTABLE if listed(char, items) != negated]
    if not negated:
        allowed += [chr(value) for op, value in items if op == "LITERAL" and value > 127]
    return [char for char in allowed if char in PLAIN] or allowed or ["x"]


def listed(char: str, items: list[tuple[str, Any]]) -> bool:
    classes = {"DIGIT": "d", "SPACE": "s", "WORD": "w"}
    for op, value in items:
        if op == "LITERAL" and ord(char) == value:
            return True
        if op == "RANGE" and value[0] <= ord(char) <= value[1]:
            return True
        if op == "CATEGORY":
            word = str(value).removeprefix("CATEGORY_")
            letter = classes[word.removeprefix("NOT_")]
            if re.match("\\" + (letter.upper() if word.startswith("NOT_") else letter), char, re.A):
                return True
    return False


def check(pattern: str, groups: Mapping[str, str] = {}) -> None:
    """The same texts, and the same random numbers taken for them."""
    for seed in range(5):
        expected, found = random.Random(seed), random.Random(seed)
        assert draw(pattern, found, groups) == Oracle(pattern, expected, groups).text()
        assert found.getstate() == expected.getstate()


@pytest.mark.parametrize("pattern", SHIPPED)
def test_shipped_patterns_give_the_texts_that_bundles_were_tested_with(pattern: str) -> None:
    for groups in ({}, {"message": "closed"}, dict.fromkeys(GROUPS, "x y")):
        check(pattern, groups)


CHARACTER = st.sampled_from(
    [
        *("a", "b", r"\x61", ".", r"\d", r"[\d]", r"\D", r"\W", "[a]", "[aa]", "[ab]", "[ba]"),
        *("[^a]", "[^aa]", "[^ab]", "[a-a]", "[a-c]", "[aab]", "é", "[é]", "[éü]", "[éaé]"),
        *("\x01", "[\x01\x02]", "[ -/]", r"[\w.-]", r"[^\s]"),
    ]
)
BRANCHING = st.recursive(
    st.one_of(CHARACTER, CHARACTER, ASSERTION, st.builds(str.__add__, CHARACTER, QUANTIFIER)),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=4).map("|".join),
        st.lists(inner, min_size=1, max_size=4).map("|".join).map("(?:{})".format),
        st.builds(
            lambda before, after: f"(?:{'|'.join(before + one for one in after)})",
            inner,
            st.lists(inner, min_size=2, max_size=4),
        ),
        inner.map("({})".format),
        inner.map("(?P<host>{})?".format),
        st.builds("(?:{}){}".format, inner, QUANTIFIER),
        inner.map("(?:{}|)".format),
    ),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(BRANCHING, PATTERN))
@example("ab|ac")  # a common beginning, then one set
@example("a|a")  # nothing is left to choose from, and a number is taken all the same
@example("(?:ab)c|(?:ab)d")  # dissolved first
@example("(a)b|(a)c")  # groups are never the same
@example("a*b|a*c")  # nor are repetitions
@example("(?=a)b|(?=a)c")  # nor look-arounds
@example("^a|^b")  # but assertions are
@example("[ab]c|[ba]c")  # sets by what is written
@example(r"[\d]a|\da")
@example("[aa]b|ac")
@example("a|[^b]")  # a negated set stays a branch
@example(r"a|\D|[é]")
@example("a|.")
@example("(?:a|b)+")
@example("a{1}b{2}")
def test_any_portable_pattern_gives_the_texts_of_the_standard_parser(pattern: str) -> None:
    try:
        parse(pattern, "x")
    except InputError:
        assume(False)
    check(pattern)
    check(pattern, {"host": "<fixed>", "nobody": "nothing"})


def test_what_is_not_portable_is_refused() -> None:
    with pytest.raises(InputError, match="not portable"):
        draw(r"(a)\1", random.Random(0))
