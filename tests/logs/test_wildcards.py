"""Which templates say nothing: nearly all wildcards, by the rules of their lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logexport.logs.kept import ABSENT, KeptField
from logexport.logs.masks import Mask
from logexport.logs.preprocess import Preprocess
from logexport.logs.wildcards import WildcardFinder

MASKS = (
    Mask("num", r"\d+", "<NUM>"),
    Mask("id", r"([a-z]+)#\w+", r"\1<ID>"),
    Mask("own", r"secret", "REDACTED"),
)
RULES = Preprocess(masks=MASKS, encoding="utf-8")
FINDER = WildcardFinder(RULES)
OPEN = ("<*>", "<*:mark>", "<:IP:>", "<NUM>", "[<NUM>],", "<NUM>:<*>", "(<ID>)", "REDACTED")
WORDS = ("user", "blk_<*>", "x<ID>", "größe", "HTTP/<NUM>", "<IP>")  # no mask makes <IP> here
NEITHER = ("-", "::", "=", ABSENT)


@pytest.mark.parametrize(
    "template",
    ["<*>", "<NUM>", "<*> <*> <*>", "<NUM>: <*>", "<*:mark> - <*>", "stats <*> <*> <*>"],
)
def test_without_words_or_with_one_in_four_a_template_is_nearly_all_wildcards(
    template: str,
) -> None:
    assert FINDER.is_nearly_all_wildcards(template)


@pytest.mark.parametrize(
    "template",
    ["", "-----", "started", "user <*>", "stats <*> <*>", "blk_<*>", "size=<NUM> <NUM>"],
)
def test_one_word_in_three_tokens_or_none_but_punctuation_is_not(template: str) -> None:
    assert not FINDER.is_nearly_all_wildcards(template)


@given(
    st.lists(st.sampled_from(OPEN), max_size=30),
    st.lists(st.sampled_from(WORDS), max_size=6),
    st.lists(st.sampled_from(NEITHER), max_size=6),
    st.randoms(use_true_random=False),
)
def test_only_the_numbers_of_open_tokens_and_words_decide(opened, words, neither, random) -> None:
    tokens = [*opened, *words, *neither]
    random.shuffle(tokens)
    expected = 0 < len(opened) >= 3 * len(words)
    assert FINDER.is_nearly_all_wildcards(" ".join(tokens)) is expected


def test_marks_are_those_of_the_rules() -> None:
    assert not WildcardFinder(Preprocess(masks=())).is_nearly_all_wildcards("<NUM> <NUM>")
    assert WildcardFinder(Preprocess()).is_nearly_all_wildcards("<NUM> <NUM>")


def test_a_kept_level_says_nothing_of_an_event_and_a_kept_method_does() -> None:
    def finder(*kept: KeptField) -> WildcardFinder:
        return WildcardFinder(
            Preprocess(masks=MASKS, encoding="utf-8", structured=(), continuation=False, keep=kept)
        )

    for level in (KeptField("level"), KeptField("priority", "severity")):
        assert finder(level).is_nearly_all_wildcards("err <*>")
        assert not finder(level).is_nearly_all_wildcards("err disk <*>")
    assert not finder(KeptField("method")).is_nearly_all_wildcards("GET <*>")
    assert finder(KeptField("method")).is_nearly_all_wildcards(f"{ABSENT} <*>")
