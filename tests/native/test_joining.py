"""Records of several lines and structured ones: the engine says what the reference says."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path

import pytest
from logexport.logs.headers import PRESETS, Header
from logexport.logs.kept import ABSENT, KeptField
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
KEPT_HEADERS = (
    Header("priority", r"<(?P<priority>\d+)>(?:(?P<host>[ab]) )?(?P<message>.*)$"),
    Header("waits", r"\[(?P<level>[a-z ]*)(?P<status>\d+)?\] (?P<message>\w*)$", next_line=True),
    Header("level", r"(?P<level>[A-Z]*) ?(?:\((?P<status>\w+)\))?: (?P<message>.*)$"),
    *HEADERS,
)
KEPT_FORMS = (
    *FORMS[:4],
    StructuredForm("logfmt", "msg", host="host", process="app", level="trace.id"),
)
LEVEL, PRIORITY = KeptField("level"), KeptField("priority", "severity")
STATUS = KeptField("status", "class")
RULES = {
    "plain": Preprocess(session=SessionRule("regex", r"tick|id=(\w+)")),
    "heads": Preprocess(headers=HEADERS, session=SessionRule("regex", r"ERROR|\d$", idle_lines=4)),
    "ends": Preprocess(
        structured=FORMS,
        headers=HEADERS,
        session=SessionRule(
            "regex", r"ERROR|\d|[A-Z]", idle_lines=20, idle_seconds=1, close_pattern=r"Error|at |x"
        ),
        max_line_bytes=200,
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
    "a kept level": Preprocess(headers=KEPT_HEADERS, keep=(LEVEL,), session=SessionRule("host")),
    "kept in headers": Preprocess(
        headers=KEPT_HEADERS,
        keep=(PRIORITY, STATUS),
        session=SessionRule("field", field="status"),
        max_line_bytes=160,
    ),
    "a kept level of JSON": Preprocess(
        structured=KEPT_FORMS, keep=(LEVEL, KeptField("timestamp", "class"))
    ),
    "kept in all": Preprocess(
        structured=KEPT_FORMS,
        headers=KEPT_HEADERS,
        keep=(KeptField("level", "severity"), STATUS, KeptField("host")),
        session=SessionRule("field", field="level"),
    ),
    "kept without continuation": Preprocess(
        structured=KEPT_FORMS,
        headers=KEPT_HEADERS,
        keep=(STATUS, LEVEL),
        session=SessionRule("regex", r"ERROR|\d$"),
        continuation=False,
        max_line_bytes=200,
    ),
    "eight kept": Preprocess(
        structured=KEPT_FORMS,
        headers=KEPT_HEADERS,
        keep=(LEVEL, *(KeptField("action"),) * 3, STATUS, KeptField("pid"), PRIORITY, LEVEL),
        session=SessionRule("field", field="trace.id"),
    ),
}
TOKENS = (
    *(ABSENT, "info", "WARN", "WARN_x", "404", "4xx", "500", "7", "debug", "notice", "true", "a"),
    "2025-03-10T08:00:09.180854000+01:00",
)
TRACES = (*trace_lines.ALL, *(text for text, _ in trace_lines.BARE.values()))
LINES = [line for text in TRACES for line in text.split("\n")]


def templates_for(rules: Preprocess) -> tuple[str, ...]:
    """With kept fields: a template for each of their tokens, at two places of the event's."""
    count = len(rules.keep)
    if count == 0:
        return TEMPLATES
    heads = []
    for places in itertools.combinations(range(count), min(count, 2)):
        for chosen in itertools.product((*TOKENS, "<*>"), repeat=len(places)):
            head = ["<*>"] * count
            for place, token in zip(places, chosen, strict=True):
                head[place] = token
            heads.append(" ".join(head))
    step = 1 + len(heads) // 120
    few = dict.fromkeys(heads[::step])
    messages = ("<*>", "<*> <*>", "tick")
    return (
        *(f"{head} {message}".rstrip(" ") for head in few for message in messages),
        *(" ".join(WILD[:length]) for length in range(count + 4, 13)),
    )


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = tmp_path_factory.mktemp("bundles")
    return {
        name: write_bundle(
            made / f"{place}", make_task("events topk"), Vocabulary(templates_for(rules)), rules
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


def kept_head(numbers: random.Random) -> str:
    """What a line may begin with that has fields to be kept; or all of a line."""
    level = numbers.choice(("info", "warn", "", " "))
    return numbers.choice(
        (
            f"<{numbers.choice(('13', '165', '7', '0000000007', '1234567890'))}>",
            f"<{numbers.randrange(200)}>{numbers.choice('ab')} ",
            f"{numbers.choice(('WARN', 'E', ''))} ({numbers.choice(('404', '500', '40', 'x'))}): ",
            "WARN: ",
            f"[{level}{numbers.choice(('', '404', '7'))}] tick\n",
            f"[{level}] ",
        )
    )


def structured(numbers: random.Random, text: str) -> str:
    """The text as the message of some form."""
    stream = numbers.choice(("stdout", "stderr"))
    form = numbers.randrange(6)
    host = numbers.choice(("a", "b", "\ud800", "7", ""))
    level = numbers.choice((30, True, "e", "info", " WARN \n x\t", "", " \n", None, 404, "7\n"))
    if form == 0:
        log = text + numbers.choice(("\n", "\n", "\r\n", "", "\nmore"))
        return _json(numbers, [("log", log), ("stream", stream), ("time", "now")])
    if form == 1:
        tag = numbers.choice(("F", "F", "P", "F:x", "X"))
        return f"2025-03-10T08:00:09.180854000+01:00 {stream} {tag} {text}"
    if form == 2:
        fields = [("message", text), ("x", numbers.choice((1, None, [1, {}], "fields")))]
        items = [("fields", dict(fields)), ("h", host), ("lvl", level)]
        return _json(numbers, [*items, ("trace.id", host), ("t", numbers.choice((404, "now")))])
    if form == 3:
        value = numbers.choice((text, list(text.encode("utf-8", "surrogatepass")), 7, None))
        items = [("msg", value), ("host", {"name": host}), ("log.level", level), ("msg", "no")]
        return _json(numbers, [*items, ("trace", {"id": numbers.choice((1.50, "t", None))})])
    if form == 4:
        quoted = json.dumps(text, ensure_ascii=numbers.random() < 0.5)
        level_quoted = json.dumps(level) if isinstance(level, str) else "1"
        pairs = f"app=x host={host.strip(chr(0xD800))} msg={quoted}"
        return f"{pairs} trace.id={level_quoted} msg=2"
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
        if rules.keep and numbers.random() < 0.6:
            text = kept_head(numbers) + numbers.choice((text, "tick", "two words"))
        for _ in range(numbers.choice((0, 1, 1, 2)) if rules.structured else 0):
            if numbers.random() < 0.1:
                text = numbers.choice(("\n", "\r\n", " \n\n ", "\n\t")) + text
            if numbers.random() < 0.1:
                text += numbers.choice(("\n", "\n \r\n", "\nmore", "\n\n  at x"))
            text = structured(numbers, text)
            if numbers.random() < 0.05:
                text = numbers.choice(("@cee:", "@cee: ", " @cee:\t", "@cee", "@cee:@cee:")) + text
            if rules.keep and rules.headers and numbers.random() < 0.1:
                text = kept_head(numbers) + text
        if numbers.random() < 0.03:
            text = numbers.choice(("tick", "", " ", "\x1b[31mtick", "x" * 200, "{", "a=1"))
        if numbers.random() < 0.03 and text:
            text = text[: numbers.randrange(len(text))]
        lines.append(text.encode("utf-8", "surrogatepass"))
    data = bytearray(b"\n".join(lines))
    for _ in range(numbers.choice((0, 0, 0, 5)) if data else 0):
        data[numbers.randrange(len(data))] = numbers.choice((0, 9, 10, 13, 27, 34, 92, 0xC3, 0xFF))
    return bytes(data)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("seed", range(8))
def test_engine_and_reference_join_the_same(bundles: dict[str, Path], name: str, seed: int) -> None:
    numbers = random.Random(f"{name}{seed}")
    for threads in (1, 2):
        with Engine(bundles[name], threads=threads, session_summary=True) as one:
            for _ in range(6):
                data = some_log(numbers, RULES[name])
                one.said.clear()
                push_all(one, data, numbers)
                assert bytes(one.said) == reference(bundles[name], data, session_summary=True), data


ODD_LOGS = {
    "empty": b"",
    "one line": b"tick",
    "only continuations": b"\tat a.B.c(B.java:1)\n" * 3,
    "every line indented": b"  tick\n\ttick\n    no stock for 7\n" * 5,
    "mixed encodings": b"\xff tick\n\xc3\xa9\n\xe6\x97\n"
    + "caf\xe9".encode("latin-1")
    + b"\ntick\n",
    "ends in a character": b"tick\n\xe6\x97",
    "a megabyte of JSON": b'{"msg":"tick","x":"' + b"y" * (1 << 20) + b'"}\n{"msg":"tick"}\n',
    "almost a megabyte of JSON": b'{"msg":"tick","x":"' + b"y" * 1_000_000 + b'"}\n',
    "brackets": b'{"msg":"tick","x":' + b"[" * 10_000 + b"]" * 10_000 + b"}\n",
    "brackets only": b"[" * 10_000 + b"\n" + b"{" * 10_000 + b"\n",
    "pieces without end": b'{"log":"tick ","stream":"stdout"}\n' * 40_000,
}


@pytest.mark.parametrize("name", ODD_LOGS)
def test_odd_logs_are_judged_alike(bundles: dict[str, Path], name: str) -> None:
    for rules in ("plain", "heads", "by a field"):
        data = ODD_LOGS[name]
        done = engine("detect", bundles[rules], "-", input=data)
        assert (done.returncode, done.stdout) == (0, reference(bundles[rules], data)), done.stderr


def test_a_record_is_held_across_the_end_of_a_file(
    bundles: dict[str, Path], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    from logexport.cli import main

    time = "2025-03-10T08:00:09Z"
    one, two = tmp_path / "one.log", tmp_path / "two.log"
    one.write_text(f"{time} stdout F tick\n{time} stdout P cache ")
    two.write_text(f"\n{time} stdout F flushed\n{time} stdout F tick\n")
    options = ("--with", "file,file_line")
    done = engine("detect", bundles["structured"], one, two, *options)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    cache = TEMPLATES.index("cache flushed")
    assert [(r["line"], r["template"], Path(r["file"]).name, r["file_line"]) for r in records] == [
        (1, TEMPLATES.index("tick"), "one.log", 1),
        (2, cache, "one.log", 2),
        (5, TEMPLATES.index("tick"), "two.log", 3),
    ]
    arguments = ["detect", str(bundles["structured"]), str(one), str(two), *options]
    assert main([*arguments, "--engine", "python"]) == 0
    assert capfdbinary.readouterr().out == done.stdout


def test_a_held_record_does_not_wait_for_time(bundles: dict[str, Path]) -> None:
    """Only the next line or the end decides; what came before is said meanwhile."""
    time = b"2025-03-10T08:00:09Z"
    with Engine(bundles["structured"]) as one:
        one.push(time + b" stdout F tick\n" + time + b" stdout P cache \n")
        one.flush()
        assert one.said.count(b"\n") == 1
        one.push(time + b" stdout F flushed\n")
        one.flush()
        assert one.said.count(b"\n") == 2
        one.push(time + b" stdout P cache \n")
        one.flush()
        assert one.said.count(b"\n") == 2
        one.finish()
        assert one.said.count(b"\n") == 3


def test_line_feeds_between_pieces_do_not_count(tmp_path: Path) -> None:
    # A header whose message goes on in pieces: each LF between them would count in a joined text.
    lines = [b"Mar 10, 2025 8:00:00 AM app.Shop place", b"2025-03-10T08:00:09Z stdout P INFO: "]
    lines += [b"2025-03-10T08:00:09Z stdout P cache ", b"2025-03-10T08:00:09Z stdout F flushed"]
    size = sum(map(len, lines))
    records = []
    for most in (size - 1, size):
        rules = Preprocess(
            headers=PRESETS["java-util-logging"],
            structured=(StructuredForm("cri"),),
            max_line_bytes=most,
        )
        path = write_bundle(
            tmp_path / str(most), make_task("events topk"), Vocabulary(TEMPLATES), rules
        )
        data = b"\n".join(lines)
        with Engine(path) as one:
            one.push(data)
            one.finish()
            assert bytes(one.said) == reference(path, data)
            records += [json.loads(line) for line in one.said.splitlines()]
    assert [(record["line"], record["reason"]) for record in records] == [(1, "unseen"), (1, None)]
