"""Masks: the rules, the short cut, and what the shipped ones do."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from logexport.errors import InputError
from logexport.logs.masks import ALOG_DETECT_MASKS, DEFAULT_MASKS, Mask, Masker, parse_mask

TEXT = st.text(
    st.sampled_from("aAfFxzZ0129 _-.:/~=<>[]()\"'@%\t\x0b\r\x00\x1c\xa0é١K\u2028"), max_size=80
)


@settings(max_examples=200, deadline=None)
@given(TEXT)
@example("a/b 1.2.3.4\t5 \r\r 6:7 0x1\x0bpid=3 \x1c8")
def test_masking_word_by_word_is_masking_in_sequence(text: str) -> None:
    for masks in (DEFAULT_MASKS, ALOG_DETECT_MASKS):
        masker = Masker(masks)
        assert masker.local
        assert masker(text) == masker(text) == masker.in_sequence(text)


LOCAL_PATTERNS = st.sampled_from(
    [
        r"\d+",
        r"\b\w",
        r"\w\b",
        r"\B\w",
        r"(?<!a)1",
        r"(?<=a)1",
        r"1(?!\w)",
        r"1(?=\w)",
        r"a*",
        r"\B",
        r"(a)?1",
        r"[^\s]+?b",
        r"(?<!\S)a",
        r"1(?!\S)",
        r"-?(?:a|1)+b",
        r"(?!a)\w",
        r"\S{2}",
        r"(?=\S1)a",
        r"(?<=\b)a",
        r"(?:)",
    ]
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(LOCAL_PATTERNS, st.sampled_from(["", "a", "<1>", "-"])), max_size=4),
    st.text(st.sampled_from("ab1- \t\x0b\x0c\r"), max_size=30),
)
def test_the_short_cut_is_right_for_every_set_of_masks_it_is_taken_for(
    rules: list[tuple[str, str]], text: str
) -> None:
    masker = Masker(Mask(f"m{n}", p, r) for n, (p, r) in enumerate(rules))
    assert masker.local
    assert masker(text) == masker.in_sequence(text)


@pytest.mark.parametrize(
    ("pattern", "replacement"), [("a b", "x"), ("^a", "x"), ("a$", "x"), (".", "x"), ("a", "x y")]
)
def test_the_short_cut_is_not_taken_where_white_space_matters(
    pattern: str, replacement: str
) -> None:
    masker = Masker([Mask("m", pattern, replacement)])
    assert not masker.local
    assert Masker([Mask("m", "^a", "x")])("a a") == "x a"


def test_masks_run_one_after_another_on_the_result() -> None:
    assert Masker([Mask("one", "a", "bb"), Mask("two", "b+", "c")])("ab-b") == "c-c"
    # One alternation in one pass would leave the 6 that the first mask writes.
    assert Masker([Mask("one", "x", "<IP6>"), Mask("two", r"\b([A-Z]+)\d+\b", r"\1<ID>")])("x") == (
        "<IP<ID>>"
    )


@pytest.mark.parametrize(
    ("pattern", "replacement", "text", "expected"),
    [
        ("a*", "<>", "baac", "b<>c"),
        (r"\b", "<>", "ab", "ab"),
        ("(?:|a)", "<>", "aa", "<><>"),
        ("a??", "<>", "aa", "<><>"),
        ("(a)?(b)", r"\1|\2", "b ab", "|b a|b"),
        ("a", r"\\1", "a", r"\1"),
        ("a", r"\0\g<0>\n\\", "a", "\\0\\g<0>\\n\\"),
        ("a", "\\", "a", "\\"),
        ("(a*)", r"\1\1", "aab", "aaaab"),
        ("aa", "a", "aaaa", "aa"),
        ("a", "", "bab", "bb"),
    ],
)
def test_replacements(pattern: str, replacement: str, text: str, expected: str) -> None:
    assert Masker([Mask("m", pattern, replacement)])(text) == expected


@pytest.mark.parametrize(
    ("mask", "says"),
    [
        (Mask("m", "a", r"\1"), "refers to group 1, but its pattern has 0"),
        (Mask("m", "(a)", r"\2"), "refers to group 2"),
        (Mask("m", "a", "x\ny"), "line feed"),
        (Mask("m", "a", "x" * 257), "longer than 256"),
        (Mask("m", "(", "x"), "not portable"),
    ],
)
def test_a_mask_that_cannot_work_is_refused_by_name(mask: Mask, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        Masker([mask])
    assert "mask 'm'" in str(caught.value)


def test_two_masks_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="Two masks are named 'm'"):
        Masker([Mask("m", "a", "x"), Mask("m", "b", "x")])


def test_a_mask_is_read_from_the_command_line() -> None:
    assert parse_mask(r"block=a=>b=><B>") == Mask("block", "a=>b", "<B>")
    for text in ("block", "block=a", "=a=>b", "1x=a=>b"):
        with pytest.raises(InputError, match="NAME=PATTERN=>REPLACEMENT"):
            parse_mask(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from 10.251.73.220:50010 to /10.0.0.1:1", "from <HOST>:<NUM> to /<HOST>:<NUM>"),
        ("at 1.2.3.4.", "at <HOST>."),
        ("256.1.1.1 1.2.3.4.5", "<NUM> <NUM>"),
        ("fe80::1%eth0 ::1 2001:db8::8:800:200C:417A", "<HOST> <HOST> <HOST>"),
        ("1:2:3:4:5:6:7:8 1:2:3:4:5:6:7:: ::ffff:1.2.3.4", "<HOST> <HOST> <HOST>"),
        ("/0:0:0:0:0:0:0:1:2181 from fe80::1:", "/<HOST> from <HOST>:"),
        ("[::1]:80 std::vector :: x::y", "[<HOST>]:<NUM> std::vector :: x::y"),
        ("db.example.com:5432 org.acme.Foo a.py", "<HOST>:<NUM> org.acme.Foo a.py"),
        ("12:34:56 12:34", "<NUM> <NUM>"),
        ("00:1a:2B:3c:4d:5e 00-1A-2b-3C-4d-5E 0011.2233.4455", "<MAC> <MAC> <MAC>"),
        ("id 123e4567-e89b-12d3-a456-426614174000! req-", "id <UUID>! req-"),
        ("req-123e4567-e89b-12d3-a456-426614174000", "req-<UUID>"),
        ("/etc/passwd ~root/x '/a/b' f=/a/ </b> a/b", "<PATH> <PATH> '<PATH>' f=<PATH> </b> a/b"),
        (r"C:\a\b \\nas\x D:/x", "<PATH> <PATH> <PATH>"),
        ("and/or 10/11 v1.2.3 HTTP/1.1", "and/or <NUM> <NUM> HTTP/<NUM>"),
        ("see http://a.b/c?d=1 (https://x)", "see <URL> (<URL>)"),
        ("mail a.b+c@example.com, git@x", "mail <EMAIL>, git@x"),
        ("0x1F deadbeef99 feedface 12345678 a1b2c3d", "<NUM> <NUM> <NUM> <NUM> <NUM>"),
        ("Foo@1a2b3c [B@deadbeef", "Foo@<NUM> [B@<NUM>"),
        ("blk_-123 blk_456 job_1_2 attempt_1_2_m_3_0", "<ID> <ID> <ID> <ID>"),
        ("eth0 sda1: log4j jk2_init() IPv6", "eth<ID> sda<ID>: log<ID>j jk<ID>_init() IPv6"),
        ("worker-3 web-7d4b9c6f5-x2x9z a-5 node-5-up", "worker-<ID> web-<ID> a-<ID> node-<ID>-up"),
        ("rx_queue_0_drops no_space", "rx_queue_<ID>_drops no_space"),
        ("pid=12 -3.5 +7 1.5e-07 1_000 1,000", "pid=<NUM> <NUM> <NUM> <NUM> <NUM> <NUM>"),
        ("64KB 12ms 3% 1m2.9s 2005-06-09 PT5M3S", "<NUM> <NUM> <NUM> <NUM> <NUM> <NUM>"),
        ("1.5 GB (637 bytes) bytes=5 bytes:", "<NUM> <NUM> (<NUM> <NUM>) bytes=<NUM> bytes:"),
        ("Sat Jun 11 2005 07/Mar/2025 Mar-07", "<TIME> <TIME> <NUM> <NUM> <NUM> <TIME><NUM>"),
        ("4:05 PM CEST may Mayor Europe/Berlin", "<NUM> <TIME> <TIME> may Mayor <TIME>"),
        (
            "id=null x=- ruser= s=- ok=true - null",
            "id=<NUM> x=<NUM> ruser= s=<NUM> ok=true - null",
        ),
        ("() f() [] (nil)", "<NUM> f() <NUM> <NUM>"),
        ("  two  spaces\tstay ", "  two  spaces\tstay "),
    ],
)
def test_default_masks(text: str, expected: str) -> None:
    assert Masker(DEFAULT_MASKS)(text) == expected


def test_the_names_that_default_masks_write_are_left_alone() -> None:
    masker = Masker(DEFAULT_MASKS)
    for mask in DEFAULT_MASKS:
        name = mask.replacement.replace(r"\1", "")
        assert masker(f"{name} {name}:{name}") == f"{name} {name}:{name}"
