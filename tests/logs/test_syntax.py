"""The tree of a pattern says all that is written, and what is known comes from it alone."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from logexport.errors import InputError
from logexport.logs import syntax
from logexport.logs.patterns import compile_portable, parse
from logexport.logs.syntax import (
    Alternatives,
    AnyChar,
    Assertion,
    CharSet,
    Class,
    Group,
    Literal,
    Look,
    Range,
    Repeat,
    Sequence,
)

from tests.logs.test_patterns import PATTERN, SHIPPED, TEXT


def one(*items: syntax.Item) -> Alternatives:
    return Alternatives((Sequence(items),))


A, B = Literal("a"), Literal("b")


@pytest.mark.parametrize(
    ("pattern", "tree"),
    [
        ("", one()),
        ("a|", Alternatives((Sequence((A,)), Sequence(())))),
        (r"\x41\.\t}", one(Literal("A"), Literal("."), Literal("\t"), Literal("}"))),
        (r".\d\W", one(AnyChar(), Class("d"), Class("W"))),
        ("[a]", one(CharSet(False, (A,)))),
        (r"[^]a-]", one(CharSet(True, (Literal("]"), A, Literal("-"))))),
        (r"[a-bb\s]", one(CharSet(False, (Range("a", "b"), B, Class("s"))))),
        (r"^$\A\b\B", one(*map(Assertion, ("^", "$", r"\A", r"\b", r"\B")))),
        ("(?=a)(?!b)", one(Look(True, False, one(A)), Look(True, True, one(B)))),
        ("(?<=a)(?<!b)", one(Look(False, False, one(A)), Look(False, True, one(B)))),
        ("(?:a)", one(Group(one(A)))),
        (
            "((?P<n>a))?(b)",
            one(
                Repeat(Group(one(Group(one(A), 2, "n")), 1), 0, 1),
                Group(one(B), 3),
            ),
        ),
        ("a*b+?", one(Repeat(A, 0, None), Repeat(B, 1, None, lazy=True))),
        ("a{2}b{2,}?", one(Repeat(A, 2, 2), Repeat(B, 2, None, lazy=True))),
    ],
)
def test_the_tree_says_what_is_written(pattern: str, tree: Alternatives) -> None:
    assert parse(pattern, "x") == tree


def written(node: syntax.Alternatives | syntax.Item | syntax.Member) -> str:
    """A tree as a pattern again, in one of the ways of writing it."""
    match node:
        case Alternatives(branches):
            return "|".join("".join(map(written, branch.items)) for branch in branches)
        case Literal(char):
            if re.match("[0-9A-Za-z]", char) or ord(char) > 255:
                return char
            return f"\\x{ord(char):02x}"
        case AnyChar():
            return "."
        case Class(letter):
            return f"\\{letter}"
        case Range(low, high):
            return f"{written(Literal(low))}-{written(Literal(high))}"
        case CharSet(negated, members):
            return f"[{'^' if negated else ''}{''.join(map(written, members))}]"
        case Assertion(text):
            return text
        case Look(ahead, negated, body):
            return f"(?{'' if ahead else '<'}{'!' if negated else '='}{written(body)})"
        case Group(body, number, name):
            opening = "?:" if number is None else "" if name is None else f"?P<{name}>"
            return f"({opening}{written(body)})"
        case Repeat(item, low, high, lazy):
            bounds = f"{low}," if high is None else f"{low},{high}"
            return f"{written(item)}{{{bounds}}}{'?' if lazy else ''}"
    raise AssertionError(node)


@pytest.mark.parametrize("pattern", SHIPPED)
def test_shipped_patterns_can_be_written_from_their_trees(pattern: str) -> None:
    tree = parse(pattern, "x")
    again = parse(written(tree), "x")
    assert again == tree
    assert again.facts == tree.facts


@settings(max_examples=400, deadline=None)
@given(PATTERN, st.lists(TEXT, min_size=3, max_size=6))
def test_nothing_of_a_pattern_is_missing_in_its_tree(pattern: str, texts: list[str]) -> None:
    try:
        original = compile_portable(pattern, "x")
    except InputError:
        assume(False)
    tree = parse(pattern, "x")
    again = written(tree)
    assert parse(again, "x") == tree
    copy = compile_portable(again, "x")
    assert copy.groupindex == original.groupindex
    for text in texts:
        found, same = original.search(text), copy.search(text)
        assert (found and found.regs) == (same and same.regs)


@settings(max_examples=300, deadline=None)
@given(PATTERN, st.lists(TEXT, min_size=3, max_size=6))
def test_what_is_known_of_a_pattern_is_so(pattern: str, texts: list[str]) -> None:
    try:
        compiled = compile_portable(pattern, "x")
    except InputError:
        assume(False)
    facts = parse(pattern, "x").facts
    assert facts.captures == compiled.groups
    assert set(facts.names) == set(compiled.groupindex)
    for text in texts:
        for found in compiled.finditer(text):
            length = found.end() - found.start()
            assert facts.low <= length
            assert facts.high is None or length <= facts.high
            if facts.local:
                assert not re.search(r"\s", found[0], re.ASCII)
