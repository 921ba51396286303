"""Masked messages to tokens, against a tokenizer that looks at one character after another."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from logexport.errors import InputError
from logexport.logs.lines import tokens
from logexport.logs.masks import ALOG_DETECT_MASKS, DEFAULT_MASKS, Mask, Masker
from logexport.logs.preprocess import ALOG_DETECT, LineParser, Preprocess
from logexport.logs.tokens import MARKED, VALUE, WORD, Masked, Tokenizer, TokenRule

MASKS = (
    Mask("num", r"\d+", "<N=M>"),
    Mask("name", r"([a-y]+)z", r"\1:<I>\1"),
    Mask("swap", r"(=)?:(a)?", r"\2:\1"),
    Mask("gone", r"q", ""),
    Mask("tail", r"M>", "<T>"),
    Mask("wide", r"é", "éé"),
)
NOT_LOCAL = (
    Mask("first", r"^\S+", "<FIRST>"),
    Mask("space", r"u", " <U>\t"),
    Mask("joined", r"v\s", "<V>"),
)
TEXT = st.text(st.sampled_from("abz17 =:,[<N>]-é\u2028\x1cquv\t\r\x00"), max_size=24)
SETS = st.lists(st.sampled_from(MASKS + NOT_LOCAL), max_size=4, unique=True) | st.sampled_from(
    (DEFAULT_MASKS, ALOG_DETECT_MASKS)
)
RULES = st.builds(TokenRule, st.sampled_from(("=:", "", ":", "-^]\\", "<")), st.booleans())


def by_definition(masker: Masker, rule: TokenRule, message: str) -> Masked:
    text, marks = masker.mark_in_sequence(message)
    pieces: list[list[tuple[str, int]]] = [[]]
    for character, mark in zip(text, marks, strict=True):
        if character in " \t\x0b\x0c\r":
            pieces.append([])
            continue
        before = pieces[-1][-1] if pieces[-1] else ("", 0)
        ends = [before[0] in rule.split_after and before[0] != "" and not before[1]]
        ends.append(character in rule.split_after and not mark)
        if ends == [True, False]:
            pieces.append([])
        pieces[-1].append((character, mark))
    found: list[tuple[str, int]] = []
    for token in filter(None, pieces):
        text = "".join(character for character, _ in token)
        others = [character for character, mark in token if not mark]
        if len(others) == len(token):
            kind = WORD
        elif all(c.isascii() and c not in string.ascii_letters + string.digits for c in others):
            kind = VALUE
        else:
            kind = MARKED
        if rule.collapse and kind == VALUE:
            if found and found[-1][1] == VALUE:
                continue
            begin = next(i for i, (_, mark) in enumerate(token) if mark)
            end = next((i for i in range(begin, len(token)) if not token[i][1]), len(token))
            text = text[begin:end]
        found.append((text, kind))
    return Masked(" ".join(text for text, _ in found), bytes(kind for _, kind in found))


@settings(max_examples=150, deadline=None)
@given(SETS, RULES, TEXT)
@example((MASKS[0],), TokenRule(), "17:17 (1) =1= a=:1,1 1")
def test_tokens_are_those_of_the_definition(
    masks: list[Mask], rule: TokenRule, message: str
) -> None:
    masker = Masker(masks)
    tokenizer = Tokenizer(masker, rule)
    expected = by_definition(masker, rule, message)
    assert tokenizer(message) == tokenizer(message) == tokenizer.in_sequence(message) == expected
    assert len(expected.kinds) == len(tokens(expected.text))


@settings(max_examples=150, deadline=None)
@given(SETS, TEXT)
def test_marking_masks_what_masking_masks(masks: list[Mask], message: str) -> None:
    text, marks = Masker(masks).mark(message)
    assert (text, marks) == Masker(masks).mark_in_sequence(message)
    assert text == Masker(masks).in_sequence(message)
    assert len(marks) == len(text)
    assert masks or not any(marks)


@pytest.mark.parametrize(
    ("masks", "text", "marks"),
    [
        ([("a", "<A>")], "a<A>a", "111000111"),
        ([(r"(b)(c)?a", r"\1-\2\1")], "bca", "0100"),
        ([("a", "xy"), ("y", "zz")], "a.", "1110"),
        ([("a", "xy"), ("xyb", "q")], "ab", "1"),
        ([("a", "xy"), ("(x)y(b)", r"\1\2.")], "ab", "101"),
        ([("a*", "x")], "baa", "01"),
        ([("é", "日")], "éa", "10"),
        ([("a", "")], "ab", "0"),
    ],
)
def test_literal_parts_of_replacements_are_marked(
    masks: list[tuple[str, str]], text: str, marks: str
) -> None:
    masker = Masker(Mask(f"m{n}", *mask) for n, mask in enumerate(masks))
    assert "".join(map(str, masker.mark(text)[1])) == marks


@pytest.mark.parametrize(
    ("message", "text", "kinds"),
    [
        ("size=12 Foo::bar a==b key: =", "size= <NUM> Foo:: bar a== b key: =", b"\0\2\0\0\0\0\0\0"),
        ("took (12), 13; 14 words", "took <NUM> words", b"\0\2\0"),
        ("12:34:56 [10.0.0.1]:80", "<NUM>", b"\2"),
        ("<NUM> 7 <NUM>", "<NUM> <NUM> <NUM>", b"\0\2\0"),
        ("é7 7é x_7", "é<NUM> <NUM>é x_<ID>", b"\1\1\1"),
        (" \t", "", b""),
    ],
)
def test_values_lose_what_is_around_them(message: str, text: str, kinds: bytes) -> None:
    masks = (
        Mask("ip", r"\d+\.\d+\.\d+\.\d+", "<IP>"),
        Mask("id", r"([a-z]_)\d+", r"\1<ID>"),
        Mask("num", r"\d+", "<NUM>"),
    )
    found = LineParser(Preprocess(masks=masks)).mask(message)
    assert found == Masked(text, kinds)
    assert Tokenizer(Masker(masks), TokenRule("", False))(message).text == " ".join(
        Masker(masks)(message).split()
    )


def test_rules_of_version_1_keep_the_masked_text_as_it_is() -> None:
    assert LineParser(ALOG_DETECT).mask(" a=1\t [7]  ") == Masked(" a=<NUM>\t [<NUM>]  ", b"")


@pytest.mark.parametrize("split_after", ["==", "a", " ", "\n", "é", "!#$%&,-./", "\x00"])
def test_what_does_not_end_tokens_is_refused(split_after: str) -> None:
    with pytest.raises(InputError, match="cannot be split after"):
        TokenRule(split_after)


def test_a_long_line_of_one_kind_is_split_in_one_pass() -> None:
    tokenizer = Tokenizer(Masker(MASKS[:1]), TokenRule())
    for piece in ("=", "a=", "1", "1=", "1,", "a", "1 "):
        assert tokenizer(piece * 200_000).text
