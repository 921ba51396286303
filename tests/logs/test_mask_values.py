"""A message has the same tokens whatever value of a kind stands in it, and others for other words.

``mask_pairs.tsv`` and ``mask_differences.tsv`` hold a name and two messages a line.
"""

from __future__ import annotations

import string
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logexport.logs.preprocess import LineParser, Preprocess

HERE = Path(__file__).parent
PARSER = LineParser(Preprocess())


def read_table(name: str) -> list[tuple[str, str, str]]:
    rows = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [(kind, one, other) for kind, one, other in (row.split("\t") for row in rows)]


def mask(message: str) -> tuple[str, bytes]:
    return PARSER.mask_record(PARSER.parse(message.encode()))


PAIRS = read_table("mask_pairs.tsv")
DIFFERENCES = read_table("mask_differences.tsv")


@pytest.mark.parametrize(
    ("one", "other"), [row[1:] for row in PAIRS], ids=[row[0] for row in PAIRS]
)
def test_values_of_a_kind_are_equal(one: str, other: str) -> None:
    assert one != other
    assert mask(one) == mask(other)


@pytest.mark.parametrize(
    ("one", "other"), [row[1:] for row in DIFFERENCES], ids=[row[0] for row in DIFFERENCES]
)
def test_words_are_different(one: str, other: str) -> None:
    assert mask(one) != mask(other)


def test_the_tables_name_each_kind_once() -> None:
    names = [row[0] for row in (*PAIRS, *DIFFERENCES)]
    assert len(names) == len(set(names)) > 180


# --- values that are drawn ------------------------------------------------------------------------


def digits(least: int, most: int) -> st.SearchStrategy[str]:
    return st.text(st.sampled_from(string.digits), min_size=least, max_size=most)


def hexadecimal(least: int, most: int) -> st.SearchStrategy[str]:
    return st.text(st.sampled_from("0123456789abcdef"), min_size=least, max_size=most)


def join(*parts: str | st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    drawn = [st.sampled_from([part]) if isinstance(part, str) else part for part in parts]
    return st.tuples(*drawn).map("".join)


def repeat(part: st.SearchStrategy[str], between: str, count: int) -> st.SearchStrategy[str]:
    return st.lists(part, min_size=count, max_size=count).map(between.join)


SIGN = st.sampled_from(["", "-", "+"])
NUMBER = join(SIGN, digits(1, 9), st.one_of(st.sampled_from([""]), join(".", digits(1, 9))))
OCTET = st.integers(0, 255).map(str)
DUO = hexadecimal(2, 2)
UUID = join(*[part for size in (8, 4, 4, 4, 12) for part in ("-", hexadecimal(size, size))][1:])
SHORT_HOST = st.sampled_from(["db", "web", "mail-relay"])
POD = st.text(st.sampled_from("bcdfghjklmnpqrstvwxz2456789"), min_size=5, max_size=5)
POD_SET = st.text(st.sampled_from("bcdfghjklmnpqrstvwxz2456789"), min_size=8, max_size=9)
TIME = st.datetimes(datetime(1990, 1, 1), datetime(2069, 12, 31))
FORMS = (
    *("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%d %H:%M:%S,%f +0100", "%d.%m.%Y %H:%M"),
    *("%Y/%m/%d %H:%M:%S", "%d/%b/%Y:%H:%M:%S +0000", "%d-%b-%Y %H:%M:%S", "%b %d %H:%M:%S"),
    *("%a %b %d %H:%M:%S %Y", "%a, %d %b %Y %H:%M:%S GMT", "%b %d, %Y %I:%M:%S %p", "%H:%M:%S"),
    *("%m/%d/%Y %I:%M:%S %p", "%B %d, %Y %H:%M", "%Y%m%d%H%M%S", "%Y%m%d-%H:%M:%S", "%m-%d %H:%M"),
    *("%d %b %Y %H:%M:%S.%f", "%Y-%jT%H:%M:%S", "%b-%d %H:%M:%S", "%A %d %B %Y", "%Y-%m-%d-%H.%M"),
)
KINDS = {
    "number": NUMBER,
    "exponent": join(NUMBER, "e", st.sampled_from(["-", "+", ""]), digits(1, 3)),
    "grouped": join(digits(1, 3), ",", repeat(digits(3, 3), ",", 2)),
    "underscored": join(digits(1, 3), "_", repeat(digits(3, 3), "_", 2)),
    "percent": join(NUMBER, "%"),
    "hexadecimal": join("0x", hexadecimal(1, 16)),
    "hash": hexadecimal(8, 64),
    "uuid": UUID,
    "uuid with prefix": join("req-", UUID),
    "address": repeat(OCTET, ".", 4),
    "address and port": join(repeat(OCTET, ".", 4), ":", digits(1, 5)),
    "short address": join("fe80::", repeat(hexadecimal(1, 4), ":", 4)),
    "full address": join("2001:", repeat(hexadecimal(1, 4), ":", 7)),
    "mac": repeat(DUO, ":", 6),
    "mac with dots": repeat(hexadecimal(4, 4), ".", 3),
    "host": join(SHORT_HOST, digits(0, 3), ".example.", st.sampled_from(["com", "net", "de"])),
    "duration": join(digits(1, 3), st.sampled_from(["ms", "s", "m", "h", "m2s", ".5s", "µs"])),
    "iso duration": join("PT", digits(1, 3), st.sampled_from(["S", "M", "H", "M5S", ".25S"])),
    "size": join(NUMBER, st.sampled_from(["B", "KB", "MiB", "GB", "k", "M"])),
    "size apart": join(NUMBER, " ", st.sampled_from(["bytes", "KB", "MiB", "GB", "B"])),
    "period": join(digits(1, 3), " ", st.sampled_from(["sec", "min", "hours", "days", "ms"])),
    "version": join(
        digits(1, 2), ".", digits(1, 2), st.sampled_from(["", ".3", "-rc1", ".4-beta"])
    ),
    "version with v": join("v", digits(1, 2), ".", digits(1, 2)),
    "job": join("job_", digits(1, 13), "_", digits(1, 4)),
    "attempt": join("attempt_", digits(1, 13), "_", digits(4, 4), "_m_", digits(1, 6), "_0"),
    "block": join("blk_", st.sampled_from(["", "-"]), digits(1, 19)),
    "worker": join("worker-", digits(1, 6)),
    "interface": join("eth", digits(1, 3)),
    "pod": join("web-", POD_SET, "-", POD),
    "identity": join("Foo@", hexadecimal(5, 8)),
    "path": join("/var/lib/", hexadecimal(1, 8), "/", digits(1, 4), ".log"),
    "windows path": join("C:\\x\\", hexadecimal(1, 8), "\\", digits(1, 4), ".log"),
    "url": join("http://db:", digits(1, 5), "/", hexadecimal(1, 8), "?q=", hexadecimal(1, 8)),
}
APART = ("size apart", "period")
PLACES = ("took {} then", "n={} ok", "at ({}), ok", "at [{}] ok", "x '{}' y", "{}: ok", "last {}.")


@settings(max_examples=15, deadline=None)
@given(st.data())
@pytest.mark.parametrize("kind", KINDS)
def test_a_value_is_drawn_anew(kind: str, data: st.DataObject) -> None:
    # "bytes:" names what follows.
    place = data.draw(st.sampled_from(PLACES[:5] if kind in APART else PLACES))
    one, other = data.draw(KINDS[kind]), data.draw(KINDS[kind])
    assert mask(place.format(one)) == mask(place.format(other))


@settings(max_examples=15, deadline=None)
@given(TIME, TIME)
@pytest.mark.parametrize("form", FORMS)
def test_time_moves(form: str, one: datetime, other: datetime) -> None:
    for place in PLACES[:4]:
        first, second = (place.format(time.strftime(form)) for time in (one, other))
        assert mask(first) == mask(second)


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from("abzFX0159 _-.:/=@~\\\"'()[]{}<>,;+%|#é"), max_size=40))
def test_no_digit_is_left_but_those_of_ipv4_and_ipv6(message: str) -> None:
    text = mask(message)[0]
    assert not any(char in string.digits for char in text), text
