"""The engine's JSON cursor (native/src/json_cursor.c) against Python's json module.

A driver (native/tests/read_json.c) says what texts mean, or that they are malformed. What the two
sides differ in is left out: Python has no bound for depth and takes NaN and Infinity.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.native.engine import NATIVE

TEXTS = 20_000

#: What is put into a text, or in the place of a part of it.
PIECES = (
    *'{}[],:"\\/ \t\n\r0123456789-+.eEuabfnrt\0\x1f\x7fé€😀\ufeff\u2028\u00a0',
    *("\\u", "\\u00e9", "\\ud83d", "\\ude00", "\\uDBFF\\uDFFF", "\\\\", '\\"', '""', "[]", "{}"),
    *("true", "false", "null", "NaN", "Infinity", "1e5", "-0", "0.5", "01", '"a":', ",,", "//"),
)


class Number(str):
    """A number, as it is written."""


class Members(list[tuple[str, Any]]):
    """An object, with the keys that stand twice."""


def refuse_constant(name: str) -> None:
    raise ValueError(name)


def read(text: str) -> Any:
    return json.loads(
        text,
        parse_int=Number,
        parse_float=Number,
        parse_constant=refuse_constant,
        object_pairs_hook=Members,
    )


def tokens_of(value: Any) -> Iterator[str]:
    """What the driver prints of a value."""
    if isinstance(value, Number) or value is None or isinstance(value, bool):
        yield value if isinstance(value, Number) else json.dumps(value)
    elif isinstance(value, str):
        yield "s" + hex_of(value)
    elif isinstance(value, Members):
        yield "{"
        for key, member in value:
            yield "k" + hex_of(key)
            yield from tokens_of(member)
        yield "}"
    else:
        yield "["
        for item in value:
            yield from tokens_of(item)
        yield "]"


def hex_of(text: str) -> str:
    return re.sub("[\ud800-\udfff]", "\ufffd", text).encode("utf-8").hex()


def expected(text: str) -> str:
    try:
        return " ".join(tokens_of(read(text)))
    except ValueError:
        return "malformed"


def draw_string(draw: random.Random) -> str:
    return "".join(
        draw.choice('abcdefgh "\\/\n\té€😀\ud83d\ude00\x01')
        for _ in range(draw.choice([0, 1, 3, 9, 40]))
    )


def draw_value(draw: random.Random, depth: int = 0) -> Any:
    kind = draw.randrange(8 if depth < 5 else 6)
    if kind == 6:
        return [draw_value(draw, depth + 1) for _ in range(draw.randrange(4))]
    if kind == 7:
        return {draw_string(draw): draw_value(draw, depth + 1) for _ in range(draw.randrange(4))}
    if kind == 5:
        return draw_string(draw)
    return (None, True, draw.randrange(-(10**20), 10**20), draw.uniform(-1, 1) * 1e-9, 0)[kind]


def draw_text(draw: random.Random) -> str:
    """A valid text, mostly with a few changes."""
    indent = draw.choice([None, 1])
    ascii_only = draw.random() < 0.5
    text = json.dumps(draw_value(draw), indent=indent, ensure_ascii=ascii_only)
    text = re.sub("[\ud800-\udfff]", "", text)  # those that are not escaped
    for _ in range(draw.choice([0, 1, 1, 2, 5])):
        at = draw.randint(0, len(text))
        piece = draw.choice(PIECES) if draw.random() < 0.7 else ""
        text = text[:at] + piece + text[at + draw.choice([0, 0, 1, 3]) :]
    return text


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("this machine has no C compiler (cc), which builds the driver of the cursor")
    program = tmp_path_factory.mktemp("json") / "read_json"
    sources = [NATIVE / "tests" / "read_json.c", NATIVE / "src" / "json_cursor.c"]
    flags = ("-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{NATIVE / 'src'}")
    subprocess.run([compiler, *flags, "-o", program, *sources], check=True)
    return program


def answers(driver: Path, texts: list[str]) -> list[str]:
    """What the driver says of each text."""
    encoded = [text.encode("utf-8") for text in texts]
    given = b"".join(struct.pack("=I", len(text)) + text for text in encoded)
    done = subprocess.run([driver], input=given, capture_output=True, check=True)
    lines = [line.strip() for line in done.stdout.decode("ascii", "replace").split("\n")]
    return ["malformed" if line.endswith("malformed") else line for line in lines[:-1]]


def test_it_reads_what_python_reads(driver: Path) -> None:
    draw = random.Random(8259)
    texts = [draw_text(draw) for _ in range(TEXTS)]
    wanted = [expected(text) for text in texts]
    malformed = wanted.count("malformed") / TEXTS
    assert 0.2 < malformed < 0.8, "the texts show both sides"
    for text, want, got in zip(texts, wanted, answers(driver, texts), strict=True):
        assert got == want, text


def test_any_two_pieces_in_a_string_and_between_values(driver: Path) -> None:
    texts = [
        frame % (first + second)
        for frame in ('"%s"', "[%s]", '{"k":1%s}', "%s")
        for first in PIECES
        for second in ("", *PIECES)
    ]
    for text, want, got in zip(texts, map(expected, texts), answers(driver, texts), strict=True):
        assert got == want, text
