"""Portable patterns: what is refused, and that Python and PCRE2 agree on what is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from logexport.errors import InputError
from logexport.logs.headers import ALOG_DETECT_HEADERS, PRESETS
from logexport.logs.masks import ALOG_DETECT_MASKS, DEFAULT_MASKS, Mask, Masker
from logexport.logs.patterns import MAX_PATTERN_LENGTH, analyse, compile_portable

from tests.logs.pcre2 import LIBRARY, Pattern, load

PCRE2 = load()
needs_pcre2 = pytest.mark.skipif(PCRE2 is None, reason=f"{LIBRARY} is not on this machine")

SHIPPED = [
    *(mask.pattern for mask in (*DEFAULT_MASKS, *ALOG_DETECT_MASKS)),
    *(header.pattern for headers in PRESETS.values() for header in headers),
    *(header.pattern for header in ALOG_DETECT_HEADERS),
]

REFUSED = {
    "inline flags": "(?i)a",
    "local flags": "(?i:a)",
    "back-reference": r"(a)\1",
    "named back-reference": "(?P<x>a)(?P=x)",
    "PCRE2's named group": "(?<x>a)",
    "conditional": "(a)?(?(1)b|c)",
    "atomic group": "(?>a+)b",
    "possessive quantifier": "a++b",
    "possessive braces": "a{1,2}+b",
    "second quantifier": "a{2}{3}",
    "comment": "(?#a)b",
    "branch reset": "(?|(a)|(b))",
    "recursion": "(?R)",
    "verb": "(*UTF)a",
    "verb inside": "a(*SKIP)b",
    "variable look-behind": "(?<=a+)b",
    "look-behind of two widths": "(?<=a|bc)d",
    "look-around in a look-behind": "(?<=(?=a)b)c",
    "capture in a look-ahead": "(?=(a))b",
    "end with newline": r"a\Z",
    "absolute end": r"a\z",
    "start of match": r"\Ga",
    "keep": r"a\Kb",
    "quoting": r"\Qa\E",
    "property": r"\pL",
    "negated property": r"\P{L}",
    "horizontal space": r"\h",
    "newline sequence": r"\R",
    "grapheme": r"\X",
    "vertical space": r"\v",
    "not newline": r"\N",
    "named character": r"\N{DIGIT ONE}",
    "unicode escape": r"\u0041",
    "hex in braces": r"\x{41}",
    "short hex": r"\x4",
    "octal": r"\012",
    "escape": r"\e",
    "control": r"\cA",
    "escaped letter": r"\y",
    "escaped non-ASCII": "\\é",
    "lone backslash": "a\\",
    "POSIX class": "[[:alpha:]]",
    "bracket in a set": "[a[b]",
    "set difference": "[a--b]",
    "set intersection": "[a&&b]",
    "set union": "[a||b]",
    "symmetric difference": "[a~~b]",
    "collating element": "[.a.]",
    "hyphen after a class": r"[\w-.]",
    "hyphen before a class": r"[a-\d]",
    "hyphen after a range": "[a-c-e]",
    "backwards range": "[b-a]",
    "assertion in a set": r"[\b]",
    "unclosed set": "[a",
    "lone open set": "[]",
    "open lower bound": "a{,3}",
    "literal brace": "a{b",
    "brace with spaces": "a{1, 2}",
    "leading brace": "{2}",
    "no upper bound": "a{0}",
    "wrong bounds": "a{3,2}",
    "too many": "a{1001}",
    "far too many": "a{99999999999999999999}",
    "nothing to repeat": "*a",
    "nothing to repeat in a group": "(?:+a)",
    "repeated assertion": r"\b+",
    "repeated look-ahead": "(?=a)*",
    "repeated anchor": "^*",
    "repetition of the empty": "(?:a*)*",
    "repetition of an empty branch": "(?:a|)+",
    "optional empty": "(?:a?)?",
    "repeated capture": "(a)+",
    "repeated group with a capture": "(?:(a)b)*",
    "lazy optional capture": "(a)??",
    "unclosed group": "(a",
    "unbalanced": "a)",
    "group twice": "(?P<x>a)(?P<x>b)",
    "long name": f"(?P<{'x' * 33}>a)",
    "non-ASCII name": "(?P<é>a)",
    "surrogate": "\ud800",
    "too long": "a" * (MAX_PATTERN_LENGTH + 1),
    "too deep": "(?:" * 60 + "a" + ")" * 60,
    "too many groups": "(a)" * 51,
    "too large for PCRE2": "(?:(?:ab){100}c){100}",
}


@pytest.mark.parametrize("pattern", REFUSED.values(), ids=REFUSED.keys())
def test_what_may_differ_is_refused_with_a_sentence_and_a_remedy(pattern: str) -> None:
    with pytest.raises(InputError, match="mask 'x'") as caught:
        compile_portable(pattern, "mask 'x'")
    assert "docs/verdicts.md" in caught.value.remedy


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "a|",
        "[]a]",
        "[^]a]",
        "[-a]",
        "[a-]",
        r"[\]\[\-\\]",
        r"a\{2}",
        "a}b]",
        "(a)?b",
        "a{2,}?",
        r"\x41\t\ ",
        "é+[à-ÿ😀]",
        "(?<!ab)(?=c(?!d))",
    ],
)
def test_what_is_the_same_is_taken(pattern: str) -> None:
    assert compile_portable(pattern, "mask 'x'").pattern == pattern


BOUNDS = {
    "characters": (4096, lambda n: "a" * n),
    "characters beyond ASCII": (4096, lambda n: "é" * n),
    "groups deep": (50, lambda n: "(?:" * n + "a" + ")" * n),
    "look-arounds deep": (50, lambda n: "(?=" * n + "a" + ")" * n),
    "captures": (50, lambda n: "(a)" * n),
    "captures, some named": (50, lambda n: "(a)(?P<x>b)" + "(c)" * (n - 2)),
    "characters of a name": (32, lambda n: f"(?P<{'n' * n}>a)"),
    "repetitions, exactly": (1000, lambda n: f"a{{{n}}}"),
    "repetitions, at least": (1000, lambda n: f"a{{{n},}}"),
    "repetitions, at most": (1000, lambda n: f"a{{0,{n}}}"),
}
"""What docs/verdicts.md and the module's text promise to take, as numbers and not as constants."""


@pytest.mark.parametrize(("most", "pattern"), BOUNDS.values(), ids=BOUNDS.keys())
def test_a_bound_is_taken_and_one_more_is_refused(most: int, pattern: Callable[[int], str]) -> None:
    assert compile_portable(pattern(most), "mask 'x'").pattern == pattern(most)
    if PCRE2 is not None:
        Pattern(PCRE2, pattern(most))
    with pytest.raises(InputError, match="mask 'x' is not portable"):
        compile_portable(pattern(most + 1), "mask 'x'")


@pytest.mark.parametrize("pattern", SHIPPED)
def test_every_shipped_pattern_is_portable(pattern: str) -> None:
    compile_portable(pattern, "a shipped pattern")


@needs_pcre2
@pytest.mark.parametrize("pattern", SHIPPED)
def test_every_shipped_pattern_compiles_in_pcre2(pattern: str) -> None:
    assert PCRE2 is not None
    Pattern(PCRE2, pattern)


def test_widths_and_names_are_known() -> None:
    facts = analyse(r"(?P<a>x{2,3})(?:yz|w)?[0-9]", "x")
    assert (facts.low, facts.high, facts.captures, facts.names) == (3, 6, 1, ("a",))
    assert analyse("a+", "x").high is None


@pytest.mark.parametrize(
    ("pattern", "local"),
    [
        (r"\b\w+\b", True),
        (r"[^\s]", True),
        (r"(?<![\w./-])\d", True),
        (r"[!-~]", True),
        (".", False),
        (r"\s", False),
        (r"\D", False),
        (r"\W", False),
        ("[^a]", False),
        ("a b", False),
        ("[\x0b]", False),
        ("[\x00-\x20]", False),
        (r"[\x09-\x0a]", False),
        ("^a", False),
        ("a$", False),
        ("a(?= b)", False),
        ("a(?!$)", False),
    ],
)
def test_a_pattern_is_local_when_it_cannot_see_past_white_space(pattern: str, local: bool) -> None:
    assert analyse(pattern, "x").local is local


# --- the same in PCRE2 ----------------------------------------------------------------------------

# Characters whose classes or cases differ between tables, and those that engines treat specially.
ODD = "\x00\x01\x0b\x0c\r\x1c\x1d\x85\xa0ªµßéſıK١२　\u2028\u2029\ufeff\ufffd😀"
TEXT = st.text(st.sampled_from("aabbcABZz019_-.:/ \t[]<>=" + ODD), max_size=24)

ATOM = st.sampled_from(
    [
        *[
            r"a",
            r"b",
            r"c",
            r"A",
            r"1",
            r"-",
            r"\.",
            r"\d",
            r"\w",
            r"\s",
            r"\D",
            r"\W",
            r"\S",
            r".",
            r"[ab]",
            r"[^a]",
            r"[a-c1]",
            r"[\w.\-]",
            r"[^\s]",
            r"[^\W_]",
            r"[]a]",
        ],
        *[
            r"[^]a-]",
            r"é",
            r"[à-ÿ]",
            r"\x61",
            r"\xe9",
            r"\x0b",
            r"[\D]",
            r"K",
            r"[٠-٩]",
            r"😀",
            r":",
            r"\r",
        ],
        *(r"\ ", "[\x00-\x1f]"),
    ]
)
ASSERTION = st.sampled_from(
    [
        r"^",
        r"$",
        r"\A",
        r"\b",
        r"\B",
        r"(?=a)",
        r"(?!a)",
        r"(?<=a)",
        r"(?<!b)",
        r"(?<![\w./-])",
        r"(?=\w+:)",
        r"(?!.*1)",
        r"(?<=ab|cd)",
        r"(?<=\s\d)",
        r"(?!$)",
        r"(?=\b)",
    ]
)
QUANTIFIER = st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{1,3}", "*?", "+?", "??", "{1,2}?"])


def _join(parts: list[str]) -> str:
    return "".join(parts)


PATTERN = st.recursive(
    st.one_of(ATOM, ATOM, ASSERTION, st.builds(str.__add__, ATOM, QUANTIFIER)),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map(_join),
        st.lists(inner, min_size=2, max_size=3).map("|".join).map("(?:{})".format),
        inner.map("({})".format),
        inner.map("({})?".format),
        st.builds("(?:{}){}".format, inner, QUANTIFIER),
        inner.map("(?:{}|)".format),
        inner.map("(?={})".format),
        inner.map("(?!{})".format),
    ),
    max_leaves=8,
)


def _groups(match: object) -> list[str | None] | None:
    return None if match is None else [match[0], *match.groups()]  # type: ignore[index,attr-defined]


@needs_pcre2
@settings(max_examples=600, deadline=None)
@given(PATTERN, st.lists(TEXT, min_size=3, max_size=6))
@example(r"\B", ["a", "ab", "-"])
@example("(?:a?|b)", ["ab"])
@example("(a)?b|c", ["ab", "b", "c"])
def test_python_and_pcre2_agree(pattern: str, texts: list[str]) -> None:
    assert PCRE2 is not None
    try:
        python = compile_portable(pattern, "x")
    except InputError:
        assume(False)
    other = Pattern(PCRE2, pattern)
    masker = Masker([Mask("m", pattern, r"<\1>" if python.groups else "<>")])
    for text in texts:
        if text:  # a blank line is never searched; Python before 3.14 has no \\B in an empty text
            assert _groups(python.match(text)) == other.match(text)
            assert _groups(python.search(text)) == other.search(text)

        def replacement(groups: list[str | None]) -> str:
            return f"<{groups[1] or ''}>" if len(groups) > 1 else "<>"

        assert masker(text) == other.sub(replacement, text)


@needs_pcre2
@settings(max_examples=400, deadline=None)
@given(st.text(st.sampled_from(r"ab1()[]{}^$*+?.|\-,:<>=!P dwsb&~" + "é"), max_size=9), TEXT)
def test_whatever_is_taken_compiles_in_pcre2_and_agrees(pattern: str, text: str) -> None:
    assert PCRE2 is not None
    try:
        python = compile_portable(pattern, "x")
    except InputError:
        assume(False)
    other = Pattern(PCRE2, pattern)
    if text:
        assert _groups(python.search(text)) == other.search(text)


@needs_pcre2
@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("aAfFzZ019 _-.:/~=<>[]()\"'@%\t\r" + ODD), max_size=60))
@example("1.2.3.4:80 ::ffff:1.2.3.4 fe80::1%eth0 /a/b.c ~x/y pid=12 0xff blk_-12 12MB -3.5")
def test_the_shipped_masks_agree_with_pcre2(text: str) -> None:
    assert PCRE2 is not None
    for masks in (DEFAULT_MASKS, ALOG_DETECT_MASKS):
        expected = text
        for mask in masks:

            def replacement(groups: list[str | None], text: str = mask.replacement) -> str:
                return text.replace(r"\1", groups[1] or "" if len(groups) > 1 else "")

            expected = Pattern(PCRE2, mask.pattern).sub(replacement, expected)
        assert Masker(masks)(text) == expected
