"""Ids in a vocabulary are told from templates by what the entries are to each other."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logexport.ids import counter_of, find_ids, undress
from logexport.vocab import looks_like_ids, reserved_label


def hashed(kind: Callable[..., object], length: int | None = None, count: int = 12) -> list[str]:
    return [kind(str(n).encode()).hexdigest()[:length] for n in range(count)]  # type: ignore[attr-defined]


def numbered(form: str, count: int = 9) -> list[str]:
    return [form.format(n) for n in range(count)]


IDS = {
    "numbers": numbered("{}"),
    "numbers with zeros": numbered("{:04d}"),
    "numbers as floats": numbered("{}.0"),
    "negative numbers": ["-1", "0", "1", "2"],
    "pairs": ["(0, 1)", "(1, 2)", "(2, 3)"],
    "tuples": numbered("({},)"),
    "lists": numbered("[{}]"),
    "quoted": numbered('"T-{}"'),
    "quoted in tuples": numbered("('E{}',)"),
    "bytes": numbered("b'E{}'"),
    "numpy's": numbered("np.int64({})"),
    "letter and number": ["E1", "E12", "E5"],
    "one id": ["E12"],
    "letters and numbers": ["A1", "B2", "C3"],
    "stem and number": numbered("Event_{}"),
    "two of a stem": numbered("cluster_{}", 2),
    "stem of another script": numbered("事件{}"),
    "stems": ["HDFS_E1", "HDFS_E2", "BGL_E1", "BGL_E2", "BGL_E3"],
    "stem and letter": ["Event_A", "Event_B", "Event_C"],
    "key and number": numbered("EventId={}"),
    "marked": numbered("<E{}>"),
    "labels": numbered("__label__{}"),
    "words and numbers": numbered("log key {}"),
    "words and some numbers": [f"Event {n}" for n in (5, 22, 11, 9, 26, 3, 2, 23, 21, 4, 6)],
    "words and hashes": [f"template {one}" for one in hashed(hashlib.md5, 8)],
    "md5 of 8": hashed(hashlib.md5, 8),
    "md5 of 8, capitals": [one.upper() for one in hashed(hashlib.md5, 8)],
    "md5 of 6": hashed(hashlib.md5, 6, 40),
    "md5": hashed(hashlib.md5),
    "sha1": hashed(hashlib.sha1),
    "sha256": hashed(hashlib.sha256),
    "hashes with their kind": [f"md5:{one}" for one in hashed(hashlib.md5)],
    "hashes of a stem": [f"t_{one}" for one in hashed(hashlib.md5, 10)],
    "hashes with 0x": [f"0x{one}" for one in hashed(hashlib.md5, 8)],
    "hashes in base64": [
        base64.b64encode(bytes.fromhex(one)).decode() for one in hashed(hashlib.md5, None, 20)
    ],
    "UUIDs": [str(uuid.uuid5(uuid.NAMESPACE_DNS, str(n))) for n in range(9)],
    "ids and special ones": [*numbered("E{}"), "<unk>", "PAD", ""],
    "few ids, many special ones": ["E1", "E2", "<unk>", "<pad>", "", "[CLS]"],
    "ids among words": [*numbered("Event_{}", 5), "Started", "Stopped", "ready"],
    "hashes among words": [*hashed(hashlib.md5, 8, 5), "Started", "Stopped"],
}

TEMPLATES = {
    "words": ["Started", "Stopped", "ready"],
    "states": ["UP", "DOWN", "OK"],
    "letters": ["a", "b", "c", "d"],
    "marks": ["<NUM>", "<*>", "ready"],
    "a mark": ["<NUM>"],
    "a wildcard": ["<*>"],
    "marks in words": ["eth<ID>", "wlan<ID>"],
    "marks and punctuation": ["<NUM>.<NUM>", "<NUM>", "<NUM>:<NUM>"],
    "wildcards in words": ["blk_<*>", "/<*>:<*>", "size=<*>"],
    "Drain3's": ["<:NUM:>", "Received block <:BLK:>"],
    "typed": ["<*:mark>", "<*:mark> up"],
    "the empty one": [""],
    "the empty one and others": ["", "<*>"],
    "special and words": ["<unk>", "Started"],
    "special alone": ["<unk>", "<pad>"],
    "codes with words": ["E1001 disk full", "E1002 disk ok", "E1003 fan failed"],
    "codes with the same words": [f"E{n} disk full" for n in range(1001, 1009)],
    "statuses": ["HTTP 200", "HTTP 404", "HTTP 500", "HTTP 503"],
    "exit codes": ["exit 0", "exit 1", "exit 127", "exit 255"],
    "numbers inside": [f"worker {n} started" for n in range(9)],
    "versions": ["IPv4 ready", "IPv6 ready", "TLSv1.2 ready", "TLSv1.3 ready"],
    "names with digits": ["base64 decoded", "sha256 checked", "md5 failed"],
    "words with digits": ["ipv4", "ipv6", "started", "stopped", "http2"],
    "words of hexadecimal letters": ["deadbeef", "cafe", "facade", "started"],
    "lines": ["----", "====", "started"],
    "few ids among templates": ["Started", "Stopped", "E12", "E13"],
    "one number among templates": ["Started", "12"],
    "long words": ["acknowledgement", "initialization", "authentication"],
    "events by letter": ["event a", "event b", "event c", "event d"],
    "names in camel case": ["DataNode", "NameNode", "BlockMap", "JobTrack"],
    "hashes in sentences": [f"fetched {one} in time" for one in hashed(hashlib.md5, 8)],
}


@pytest.mark.parametrize("kind", IDS)
def test_ids_are_found_in_any_dress(kind: str) -> None:
    found = find_ids(IDS[kind])
    assert found
    assert set(found) <= set(IDS[kind])
    assert looks_like_ids([*IDS[kind], reserved_label("unknown")])


@pytest.mark.parametrize("kind", TEMPLATES)
def test_templates_of_a_small_vocabulary_are_no_ids(kind: str) -> None:
    assert find_ids(TEMPLATES[kind]) == ()


@pytest.mark.parametrize("kind", IDS)
def test_ids_that_are_fewer_than_the_templates_are_let_pass(kind: str) -> None:
    words = [f"{chr(97 + n % 26)}{chr(97 + n // 26)} is started" for n in range(len(IDS[kind]))]
    assert find_ids([*IDS[kind], *words]) == ()


def test_the_ids_that_are_named_are_not_the_words_among_them() -> None:
    assert find_ids(["Started", "E1", "<unk>", "E2"]) == ("E1", "E2")


names = st.text(st.characters(categories=["Lu", "Ll"]), min_size=1, max_size=8)
dresses = st.sampled_from(["{}", "({},)", "[{}]", "'{}'", '"{}"', "<{}>", "{}.0", "#{}"])


@given(
    names,
    st.sampled_from(["", "_", "-", ":", "="]),
    dresses,
    st.sets(st.integers(0, 10**6), min_size=2),
)
def test_a_stem_and_a_counter_are_ids_whatever_the_stem(
    stem: str, separator: str, dress: str, numbers: set[int]
) -> None:
    assert looks_like_ids([dress.format(f"{stem}{separator}{n}") for n in numbers])


@given(st.lists(st.text("ab <*>NUM", max_size=12), unique=True))
def test_what_has_no_digit_is_no_id_by_number_or_hash(templates: list[str]) -> None:
    assert find_ids([f"{one} done" for one in templates]) == ()


@given(st.integers(0, 10**9), dresses)
def test_a_number_is_the_same_in_every_dress(number: int, dress: str) -> None:
    assert counter_of(dress.format(f"Event_{number}")) == number
    if not dress.endswith(".0"):
        assert undress(dress.format(f"E{number}")) == f"E{number}"


def test_a_large_vocabulary_is_judged_in_linear_time() -> None:
    import time

    def seconds(count: int) -> float:
        entries = ["-".join(["ab12"] * 39) + str(n) for n in range(count)]
        began = time.perf_counter()
        find_ids(entries)
        return time.perf_counter() - began

    assert seconds(8000) < 20 * max(seconds(1000), 0.005)
