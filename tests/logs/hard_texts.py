"""Messages that go on for long and look like values, so that a bad mask goes back often."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from logexport.logs.growth import _Matcher
from logexport.logs.patterns import parse

from tests.logs.hard_lines import Shape

RUNS = (
    *("a", "A", "1", "-", "_", ".", ":", "/", "\\", '"', "'", "<", ">", "@", "=", "+", "%", "?"),
    *("~", "(", ")", "[", "]", "{", ",", ";", "|", "&", "*", "#", "$", "é", "µ", "年", "v", "P"),
    *(
        "a-",
        "a-a",
        "a_",
        "a_1_",
        "a_a_",
        "a_a1",
        "-_",
        "_-",
        "--a",
        "_1",
        "a1",
        "1a",
        "a1a",
        "a-1-",
    ),
    *(
        "1.",
        "1-",
        "1:",
        "1,",
        "1/",
        "1_",
        "1+",
        "1::",
        "1.a.",
        "1e-",
        "-1",
        "+1",
        "1%",
        "v1.",
        "1-a",
    ),
    *(
        "a.",
        ".a",
        "a:",
        "a=",
        "a@",
        "a,",
        "a|",
        "a/",
        "a+",
        "a1.",
        "a1-",
        "a1,",
        "é1",
        "A.a",
        "Aa1",
    ),
    *("/a", "//a", "/1", "~a", "~a/", "./", "../", ".a/", "?a", "/a?", "/a:1", "a//", "/=", "/@"),
    *("\\a", "\\\\a", "\\\\a\\", "\\\\?\\", "\\\\.\\a", "C:", "C:/", "C:\\", "C:\\a", "\\/"),
    *("http://", "a://", 'a://"', "a://a", "a+b.c-d://", "://", "a://,", "a@a", "a@a.", "a@a.a"),
    *(
        "::",
        ":1",
        "f:f",
        "1::",
        "::1%",
        "::1%a-",
        "1:1:",
        "ffff:",
        "%a",
        "255.",
        "1.1.1.",
        "1.1.1.1",
    ),
    *("1.1.1.1-", "::1.1.1.1", "00:", "00-", "0000.", "aaaa.bbbb.", "00:00:00:00:00:00:", "-00:00"),
    *("a-1-", "1-a", "Aa1", "1.1.1.1"),
    *("com.", "a.com.", ".com", "a.com", "a.com@", "-.com", "a-.com-"),
    *("0x", "0x0", "x0", "deadbeef", "deadbeef-", "a0a0", "a0a0_", "abcdef1-", "@abcd", "a@abcd"),
    *("eyJ", "eyJaaaaaaaa.", "eyJaaaaaaaa-", "ab+/", "aaaaaaa=", "aaaaaa==", "a1+/=", "=="),
    *("PT", "PT1S", "P1D", "PT1", "P1DT", "1D", "T1S", "PT1.1S"),
    *("Mar", "Mar-", "Mar/1", "May.", "UTC", "UTC+", "Europe/", "Europe/A", "a.m.", "μμ"),
    *("KB", "KB/", "s", "(s", "sec", "ms,", "=null", "=-", "=N/A", "()", "''", '""', "[]", "{}"),
    *("bcdfg-", "-bcdfg", "a-1-bcdfg", "a-1-a", "IPv4", "ipv", "IPv1", "00000000-", "0000-0000-"),
)
"""What is repeated."""
ENDS = ("", "\x01", "a")
"""What stands after it."""


def shapes() -> Iterator[Shape]:
    """Lines that consist of one thing, with and without something else at the end."""
    for run in RUNS:
        for after in ENDS:
            yield Shape("", run, after)


@lru_cache(maxsize=64)
def find_hardest_texts(pattern: str, length: int, most: int) -> list[tuple[int, Shape]]:
    """Those on which a mask takes the most steps, each repeating something else, and their steps.

    Args:
        pattern: of the mask.
        length: characters of the lines.
        most: how many are wanted.
    """
    matcher = _Matcher(parse(pattern, "a mask"), anchored=False)
    slowest: dict[str, tuple[int, Shape]] = {}
    for shape in shapes():
        steps = matcher.count(shape.write(length), length**3)
        if shape.run not in slowest or steps > slowest[shape.run][0]:
            slowest[shape.run] = (steps, shape)
    return sorted(slowest.values(), key=lambda one: -one[0])[:most]


def count_steps(pattern: str, text: str, most: int) -> int:
    """The steps that a matcher goes until a mask has found all its matches; at most ``most``."""
    return _Matcher(parse(pattern, "a mask"), anchored=False).count(text, most)
