"""Records of several lines and structured ones: the engine says what the reference says."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from logexport.logs.headers import PRESETS, Header
from logexport.logs.preprocess import Preprocess, SessionRule
from logexport.logs.structured import StructuredForm
from logexport.types import Vocabulary

from tests.logs import trace_lines
from tests.native.bundles import make_task, write_bundle
from tests.native.engine import Engine, engine, reference
from tests.native.test_decoding import push_all

WILD = " ".join(["<*>"] * 12).split()
TEMPLATES = (
    *(" ".join(WILD[:count]) for count in range(13)),
    *("no stock for <NUM>", "cache flushed", "order rejected", "tick", "KeyError: <NUM>"),
)
HEADERS = (
    *PRESETS["java-util-logging"],
    *PRESETS["dotnet-console"],
    *PRESETS["iso8601"],
    Header("bar", r"(?P<process>\w+) \| (?P<message>.*)$"),
)
JSON_FORM = StructuredForm("json", "fields.message", host="h", level="lvl", timestamp="t")
FORMS = (
    StructuredForm("docker"),
    StructuredForm("cri"),
    JSON_FORM,
    StructuredForm("json", "msg", host="host.name", level="log.level"),
    StructuredForm("logfmt", "msg", host="host", process="app"),
)
RULES = {
    "plain": Preprocess(session=SessionRule("regex", r"tick|id=(\w+)")),
    "heads": Preprocess(
        headers=HEADERS, session=SessionRule("regex", r"ERROR|\d$"), max_sessions=4
    ),
    "no continuation": Preprocess(headers=HEADERS, continuation=False, max_line_bytes=120),
    "structured": Preprocess(structured=FORMS, session=SessionRule("field", field="trace.id")),
    "by a field": Preprocess(
        structured=FORMS, headers=HEADERS, session=SessionRule("field", field="host")
    ),
    "all": Preprocess(
        structured=FORMS, headers=HEADERS, session=SessionRule("host"), max_line_bytes=160
    ),
    "level": Preprocess(structured=FORMS, session=SessionRule("field", field="level")),
    "time": Preprocess(
        structured=FORMS, headers=HEADERS, session=SessionRule("field", field="timestamp")
    ),
}
TRACES = (*trace_lines.ALL, *(text for text, _ in trace_lines.BARE.values()))
LINES = [line for text in TRACES for line in text.split("\n")]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = tmp_path_factory.mktemp("bundles")
    return {
        name: write_bundle(
            made / f"{place}", make_task("events topk"), Vocabulary(TEMPLATES), rules
        )
        for place, (name, rules) in enumerate(RULES.items())
    }


def some_text(numbers: random.Random) -> str:
    """A line of some trace, often damaged."""
    line = numbers.choice(LINES)
    roll = numbers.random()
    if roll < 0.2 and line:
        place = numbers.randrange(len(line))
        line = (
            line[:place] + numbers.choice((":", " ", "\t", "x", "é", "7", "", ")")) + line[place:]
        )
    elif roll < 0.3:
        line = line[numbers.randrange(len(line) + 1) :]
    elif roll < 0.4:
        line = line[: numbers.randrange(len(line) + 1)]
    elif roll < 0.5:
        line = numbers.choice((trace_lines.HEAD, "web | ", "  ", "\t")) + line
    return line


def structured(numbers: random.Random, text: str) -> str:
    """The text as the message of some form."""
    stream = numbers.choice(("stdout", "stderr"))
    form = numbers.randrange(6)
    host = numbers.choice(("a", "b", "\ud800", "7", ""))
    if form == 0:
        log = text + numbers.choice(("\n", "\n", "\r\n", "", "\nmore"))
        return _json(numbers, [("log", log), ("stream", stream), ("time", "now")])
    if form == 1:
        tag = numbers.choice(("F", "F", "P", "F:x", "X"))
        return f"2025-03-10T08:00:09.180854000+01:00 {stream} {tag} {text}"
    if form == 2:
        fields = [("message", text), ("x", numbers.choice((1, None, [1, {}], "fields")))]
        items = [("fields", dict(fields)), ("h", host), ("lvl", numbers.choice((30, True, "e")))]
        return _json(numbers, [*items, ("trace.id", host)])
    if form == 3:
        value = numbers.choice((text, list(text.encode("utf-8", "surrogatepass")), 7, None))
        items = [("msg", value), ("host", {"name": host}), ("log.level", "info"), ("msg", "no")]
        return _json(numbers, [*items, ("trace", {"id": numbers.choice((1.50, "t", None))})])
    if form == 4:
        quoted = json.dumps(text, ensure_ascii=numbers.random() < 0.5)
        return f"app=x host={host.strip(chr(0xD800))} msg={quoted} trace.id=1 msg=2"
    return text


def _json(numbers: random.Random, items: list[tuple[str, object]]) -> str:
    if numbers.random() < 0.7:
        numbers.shuffle(items)
    compact = (",", ":") if numbers.random() < 0.5 else (", ", " : ")
    ascii_only = numbers.random() < 0.5
    members = [
        json.dumps(key) + compact[1] + json.dumps(value, ensure_ascii=ascii_only)
        for key, value in items
    ]
    return "{" + compact[0].join(members) + "}"


def some_log(numbers: random.Random, rules: Preprocess) -> bytes:
    lines = []
    for _ in range(numbers.randrange(80)):
        text = some_text(numbers)
        for _ in range(numbers.choice((0, 1, 1, 2)) if rules.structured else 0):
            if numbers.random() < 0.1:
                text = numbers.choice(("\n", "\r\n", " \n\n ", "\n\t")) + text
            if numbers.random() < 0.1:
                text += numbers.choice(("\n", "\n \r\n", "\nmore", "\n\n  at x"))
            text = structured(numbers, text)
            if numbers.random() < 0.05:
                text = numbers.choice(("@cee:", "@cee: ", " @cee:\t", "@cee", "@cee:@cee:")) + text
        if numbers.random() < 0.03:
            text = numbers.choice(("tick", "", " ", "\x1b[31mtick", "x" * 200, "{", "a=1"))
        if numbers.random() < 0.03 and text:
            text = text[: numbers.randrange(len(text))]
        lines.append(text.encode("utf-8", "surrogatepass"))
    return b"\n".join(lines)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("seed", range(25))
def test_engine_and_reference_join_the_same(bundles: dict[str, Path], name: str, seed: int) -> None:
    numbers = random.Random(f"{name}{seed}")
    for threads in (1, 2):
        with Engine(bundles[name], threads=threads, session_summary=True) as one:
            for _ in range(6):
                data = some_log(numbers, RULES[name])
                one.said.clear()
                push_all(one, data, numbers)
                assert bytes(one.said) == reference(bundles[name], data, session_summary=True), data
