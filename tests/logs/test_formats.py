"""What `logexport parse` finds out about a log: structured forms and their keys, heads, records."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from logexport.cli import main
from logexport.errors import InputError
from logexport.logs.events import EventReader
from logexport.logs.preprocess import Preprocess
from logexport.logs.structured import StructuredForm
from logexport.training.formats import find_forms
from logexport.training.line_tables import read_parsed
from logexport.training.log import TrainingLog
from logexport.training.parse import ParseRequest, ParseResult, parse_logs
from logexport.types import Vocabulary

from tests.logs import trace_lines as traces

MESSAGES = (
    *("opened connection to {ip} port {n}", "worker {n} started job {n}", "cache flushed"),
    *("user u{n} logged in", "closed connection after {n} ms", "disk usage at {n} percent"),
)
NEW = ("cache corrupted", "user u7 was deleted", "shutting down")
Writer = Callable[[str, random.Random], str]


def _dump(numbers: random.Random, document: dict[str, object]) -> str:
    items = list(document.items())
    numbers.shuffle(items)
    return json.dumps(dict(items), separators=numbers.choice(((",", ":"), (", ", ": "))))


def _level(numbers: random.Random) -> str:
    return numbers.choice(("info", "warn"))


def _time(numbers: random.Random) -> str:
    day, minute = numbers.randrange(10, 28), numbers.randrange(10, 60)
    return f"2025-03-{day}T08:{minute}:00.{numbers.randrange(10**6):06}Z"


FORMS: dict[str, tuple[Writer, list[StructuredForm]]] = {
    "pino": (
        lambda text, n: _dump(
            n, {"level": 30, "time": n.randrange(10**12, 10**13), "pid": n.randrange(9999),
                "hostname": "web-1", "name": "shop", "msg": text}
        ),
        [StructuredForm("json", "msg", timestamp="time", level="level", logger="name",
                        host="hostname", pid="pid")],
    ),
    "tracing": (
        lambda text, n: _dump(
            n, {"timestamp": _time(n), "level": _level(n), "target": "shop::cart",
                "fields": {"message": text, "id": n.randrange(9999)}}
        ),
        [StructuredForm("json", "fields.message", timestamp="timestamp", level="level",
                        logger="target")],
    ),
    "ecs": (
        lambda text, n: _dump(
            n, {"@timestamp": _time(n), "log.level": _level(n), "message": text,
                "service.name": "shop", "process": {"pid": n.randrange(9999)}}
        ),
        [StructuredForm("json", "message", timestamp="@timestamp", level="log.level",
                        process="service.name", pid="process.pid")],
    ),
    "journald": (
        lambda text, n: _dump(
            n, {"__REALTIME_TIMESTAMP": str(n.randrange(10**15, 10**16)), "_PID": "7",
                "PRIORITY": "6", "_HOSTNAME": "web-1", "SYSLOG_IDENTIFIER": "shop",
                "MESSAGE": n.choice((text, list(text.encode())))}
        ),
        [StructuredForm("json", "MESSAGE", timestamp="__REALTIME_TIMESTAMP", level="PRIORITY",
                        host="_HOSTNAME", process="SYSLOG_IDENTIFIER", pid="_PID")],
    ),
    "unknown keys": (
        lambda text, n: _dump(n, {"was": text, "wann": _time(n), "nr": n.randrange(10**6)}),
        [StructuredForm("json", "was")],
    ),
    "docker": (
        lambda text, n: _dump(n, {"log": text + "\n", "stream": "stdout", "time": _time(n)}),
        [StructuredForm("docker")],
    ),
    "docker around json": (
        lambda text, n: _dump(
            n, {"log": json.dumps({"msg": text, "level": _level(n)}) + "\n", "stream": "stderr",
                "time": _time(n)}
        ),
        [StructuredForm("docker"), StructuredForm("json", "msg", level="level")],
    ),
    "log without lf": (
        lambda text, n: _dump(n, {"log": text, "stream": "stdout", "time": _time(n)}),
        [StructuredForm("json", "log", timestamp="time")],
    ),
    "cri around logfmt": (
        lambda text, n: f'{_time(n)} stdout F level={_level(n)} msg="{text}" n={n.randrange(99)}',
        [StructuredForm("cri"), StructuredForm("logfmt", "msg", level="level")],
    ),
    "logfmt": (
        lambda text, n: f'ts={_time(n)} level={_level(n)} caller=a:{n.randrange(9)} msg="{text}"',
        [StructuredForm("logfmt", "msg", timestamp="ts", level="level", logger="caller")],
    ),
    "head and json": (
        lambda text, n: f"{_time(n)} web-1 shop[{n.randrange(9999)}]: " + _dump(n, {"msg": text}),
        [StructuredForm("json", "msg")],
    ),
    "half of the lines": (
        lambda text, n: n.choice((text, _dump(n, {"msg": text, "n": n.randrange(10**6)}))),
        [StructuredForm("json", "msg")],
    ),
    "none": (lambda text, n: text, []),
    "a few only": (lambda text, n: '{"msg":"x y"}' if n.random() < 0.01 else text, []),
}  # fmt: skip


def some_log(path: Path, write: Writer, seed: int, last: tuple[str, ...] = ()) -> Path:
    numbers = random.Random(seed)

    def fill(text: str) -> str:
        while "{n}" in text:
            text = text.replace("{n}", str(numbers.randrange(1, 99999)), 1)
        return text.replace("{ip}", f"10.0.{numbers.randrange(256)}.{numbers.randrange(256)}")

    lines = [write(fill(numbers.choice(MESSAGES)), numbers) for _ in range(300)]
    lines += [write(text, numbers) for text in last]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def parse(log: Path, out: Path, rules: Preprocess | None = None) -> ParseResult:
    if rules is None:
        return parse_logs(ParseRequest([log], out))
    return parse_logs(ParseRequest([log], out, preprocess=rules))


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_found_and_what_is_new_is_unseen(tmp_path: Path, name: str) -> None:
    write, forms = FORMS[name]
    log = some_log(tmp_path / "train.log", write, 1)
    result = parse(log, tmp_path / "out")
    rules = Preprocess.load(result.preprocess)
    assert list(rules.structured) == forms
    templates = sorted({row.template for row in read_parsed(result.parsed)} - {None})  # type: ignore[type-var]
    assert result.templates == len(templates)
    assert result.continued == result.blank == 0
    probe = some_log(tmp_path / "probe.log", write, 2, NEW)
    reader = EventReader(rules, Vocabulary(tuple(str(template) for template in templates)))
    events = list(reader.read_logs([probe]))
    if name != "a few only":
        assert [event.template is None for event in events] == [False] * 300 + [True] * 3


def test_a_message_that_is_a_single_word_is_found_by_its_key() -> None:
    (form,) = find_forms(['{"msg":"started","n":1}', '{"msg":"stopped","n":2}'])
    assert form == StructuredForm("json", "msg")
    assert find_forms(['{"a":"started","n":1}']) == ()
    assert find_forms(["type=SYSCALL msg=audit(1.2:3): arch=c000003e pid=7"] * 9) == ()
    assert find_forms([]) == ()


def test_a_key_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log, out = tmp_path / "app.log", tmp_path / "out"
    lines = [{"message": "a constant", "detail": {"text": f"order {n} placed"}} for n in range(9)]
    log.write_text("\n".join(map(json.dumps, lines)))
    assert main(["parse", str(log), "-o", str(out), "--message-key", "detail.text"]) == 0
    rules = Preprocess.load(out / "preprocess.json")
    assert [form.message for form in rules.structured] == ["detail.text", "message"]
    assert {row.template for row in read_parsed(out / "parsed.parquet")} == {"order <NUM> placed"}
    capfd.readouterr()
    assert main(["parse", str(log), "-o", str(out), "--message-key", "detail"]) == 2
    text = capfd.readouterr().err
    assert "No line has a text under the key 'detail'" in text
    assert "a constant" in text
    assert Preprocess.load(out / "preprocess.json") == rules


def test_a_key_is_found_inside_another_form(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    inner = [json.dumps({"msg": "x", "note": f"order {n} placed"}) for n in range(9)]
    log.write_text(
        "\n".join(json.dumps({"log": i + "\n", "stream": "stdout", "time": "t"}) for i in inner)
    )
    request = ParseRequest([log], tmp_path / "out", message_key="note")
    rules = Preprocess.load(parse_logs(request).preprocess)
    assert [form.message for form in rules.structured] == ["note", None, "msg"]


def test_structured_lines_are_text_on_request(tmp_path: Path) -> None:
    log = some_log(tmp_path / "app.log", FORMS["pino"][0], 1)
    assert main(["parse", str(log), "-o", str(tmp_path), "--no-structured"]) == 0
    rules = Preprocess.load(tmp_path / "preprocess.json")
    assert rules.structured == ()
    assert (
        main(["parse", str(log), "-o", str(tmp_path), "--no-structured", "--message-key", "m"]) == 2
    )


def test_traces_are_set_aside_before_heads_are_looked_for(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text((traces.HEAD + "INFO ok\n" + traces.JAVA + traces.PYTHON) * 20)
    result = parse(log, tmp_path / "out")
    assert result.format == "learned"
    assert result.headers["head-1"] == 60
    templates = {row.template for row in read_parsed(result.parsed)}
    assert not any("at com" in str(template) or "File" in str(template) for template in templates)
    assert main(["parse", str(log), "-o", str(tmp_path / "all"), "--no-continuation"]) == 0
    assert not Preprocess.load(tmp_path / "all" / "preprocess.json").continuation
    assert read_parsed(tmp_path / "all" / "parsed.parquet").rows > result.rows


@pytest.mark.parametrize("text", [traces.DOTNET, traces.JAVA_UTIL])
def test_messages_on_the_next_line_are_found(tmp_path: Path, text: str) -> None:
    log = tmp_path / "app.log"
    log.write_text(text * 30)
    result = parse(log, tmp_path / "out")
    rules = Preprocess.load(result.preprocess)
    assert all(header.next_line for header in rules.headers)
    templates = {str(row.template) for row in read_parsed(result.parsed)}
    assert {"fail order rejected", "info order placed"} <= templates or {
        "WARNING: peer is slow",
        "INFO: closed",
    } == templates


@pytest.mark.parametrize("seed", range(12))
def test_training_is_fed_what_detection_feeds(tmp_path: Path, seed: int) -> None:
    """Events from the parsed file, whose rows stand alone, are those of the log."""
    numbers = random.Random(seed)
    lines = [line for text in traces.ALL for line in text.split("\n")]
    chosen = [numbers.choice(lines) for _ in range(300)]
    if seed % 3 == 0:
        time = "2025-03-10T08:00:09Z"
        chosen = [f"{time} stdout {numbers.choice('FFP')} {line}" for line in chosen]
    elif seed % 3 == 1:
        chosen = [
            json.dumps({"log": line + numbers.choice(("\n", "\n", "")), "stream": "s", "time": "t"})
            for line in chosen
        ]
    log = tmp_path / "app.log"
    log.write_text("\n".join(chosen))
    rules = Preprocess(max_line_bytes=150)
    parse(log, tmp_path, rules)
    for session_by in ("none", r"\d+", "host", "field:process"):
        training = TrainingLog(tmp_path / "parsed.parquet", session_by=session_by)
        assert training.rules.continuation
        events = list(EventReader(training.rules, training.vocabulary).read_logs([log]))
        assert [event for _, event in training] == events


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "no line to parse"),
        (b"\n \n", "no line to parse"),
        (b"\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)\n", "only continuation lines"),
        (b'{"log":"\\n","stream":"s","time":"t"}\n', "no line to parse"),
    ],
)
def test_a_log_without_a_record_is_an_error(tmp_path: Path, data: bytes, problem: str) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(data)
    with pytest.raises(InputError, match=problem):
        parse(log, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"one line", 1),
        (b"  all\n  lines\n  indented\n", 3),
        (b'{"msg":"' + b"x" * (1 << 20) + b'"}\n{"msg":"b c"}\n', 2),
        (b'{"msg":"a b","x":' + b"[" * 10_000 + b"}\n" + b'{"msg":"b c"}\n', 2),
        (b'{"msg":"a b"}\nplain text\n\xff\xfe\xe6\nmsg="x y"\n', 4),
        ("ends in the middle of é".encode()[:-1], 1),
    ],
)
def test_odd_logs_are_parsed(tmp_path: Path, data: bytes, rows: int) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(data)
    result = parse(log, tmp_path / "out")
    assert result.rows == rows
    training = TrainingLog(result.parsed)
    events = EventReader(training.rules, training.vocabulary).read_logs([log])
    assert [event for _, event in training] == list(events)


def _found(lines: list[object]) -> StructuredForm:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (form,) = find_forms(texts)
    return form


def test_a_message_is_not_of_an_error_or_a_request() -> None:
    lines = [
        {"msg": f"order {n} placed", "req": {"message": f"hello {n}", "host": "shop.org"},
         "err": {"message": f"no {n}"}, "host": "web-1"} for n in range(30)
    ]  # fmt: skip
    assert _found([*lines]) == StructuredForm("json", "msg", host="host")
    assert _found([{"error": {"message": f"no stock for {n}"}} for n in range(9)]).message == (
        "error.message"
    )


def test_a_constant_is_no_message_where_another_key_has_one() -> None:
    assert _found([{"message": "log", "msg": f"order {n}"} for n in range(9)]).message == "msg"
    lines = [{"event": "log", "details": f"order {n} was placed"} for n in range(9)]
    assert _found([*lines]).message == "details"
    lines = [{"description": "the shop's log", "log_msg": f"order {n}"} for n in range(9)]
    assert _found([*lines]).message == "log_msg"
    assert _found([{"message": "handled request", "path": "a b"}] * 9).message == "message"


def test_without_a_message_what_happened_is_a_kind() -> None:
    """A user agent has many words, and says nothing of what happened."""
    agent = "Mozilla/5.0 (X11; Linux x86_64)"
    lines = [
        {"request_method": ("GET", "POST")[n % 2], "uri": f"/a b/{n}", "user_agent": f"{agent} {n}"}
        for n in range(9)
    ]  # fmt: skip
    assert _found([*lines]).message == "request_method"
    lines = [
        {"event_type": ("dns", "tls")[n % 2], "msg": "", "src": f"10.0.0.{n}"} for n in range(9)
    ]
    assert _found([*lines]).message == "event_type"
    report = [json.dumps({"type": "platform.report", "id": n}) for n in range(9)]
    assert find_forms(report) == ()
    mixed = [*report, *(json.dumps({"msg": f"order {n} placed"}) for n in range(9))]
    assert [form.message for form in find_forms(mixed)] == ["msg", "type"]


def test_a_message_of_one_word_in_logfmt() -> None:
    words = ("started", "stopped", "reloaded")
    lines = [f"ts=2025-03-10T08:00:00Z level=info msg={words[n % 3]} took={n}ms" for n in range(9)]
    assert _found([*lines]) == StructuredForm("logfmt", "msg", timestamp="ts", level="level")
    audit = [f"type=CWD msg=audit(1741593{n}.25:{n}): pid={n}" for n in range(9)]
    assert find_forms(audit) == ()


def test_keys_in_other_languages() -> None:
    assert _found([{"zeit": "t", "stufe": "INFO", "nachricht": "neu"}] * 9) == StructuredForm(
        "json", "nachricht", timestamp="zeit", level="stufe"
    )
    assert _found([{"级别": "信息", "消息": "缓存已损坏"}] * 9).message == "消息"


def test_a_process_that_is_a_number_is_a_pid() -> None:
    form = _found([{"message": f"order {n}", "process": 77} for n in range(9)])
    assert form == StructuredForm("json", "message", pid="process")


def test_a_key_is_named_behind_a_head(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log, out = tmp_path / "app.log", tmp_path / "out"
    log.write_text(
        "".join(
            f'Mar 10 08:00:{n:02} web-1 shop[7]: {{"message":"order {n}","part":"p{n % 2} x"}}\n'
            for n in range(20)
        )
    )
    assert main(["parse", str(log), "-o", str(out), "--message-key", "part"]) == 0
    assert Preprocess.load(out / "preprocess.json").structured[0].message == "part"
    assert "json with the message in part" in (summary := capfd.readouterr().err)
    assert "on 20, format learned on 20" in summary
    assert main(["parse", str(log), "-o", str(out), "--message-key", "parts"]) == 2
    assert "No line has a text under the key 'parts'" in capfd.readouterr().err
