"""Continuation lines: which lines of a log are records, by kind of trace."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logexport.logs.continuation import State, look_at, opens
from logexport.logs.headers import PRESETS, Header
from logexport.logs.joining import LogRecord, RecordReader
from logexport.logs.lines import LogLine, is_blank
from logexport.logs.preprocess import LineParser, Preprocess, SessionRule

from tests.logs import trace_lines as traces

HEADERS = (
    *PRESETS["java-util-logging"],
    *PRESETS["dotnet-console"],
    *PRESETS["iso8601"],
)
HEADED = Preprocess(headers=HEADERS)
PLAIN = Preprocess()


def read(text: str, rules: Preprocess) -> list[LogRecord]:
    lines = (LogLine(number, line.encode()) for number, line in enumerate(text.split("\n"), 1))
    return list(RecordReader(LineParser(rules)).read(lines))


def messages(text: str, rules: Preprocess) -> list[tuple[int, str, bool]]:
    """Number, message without the white space before it, and whether it continues."""
    return [
        (record.number, record.parsed.message.lstrip(), record.continues is not None)
        for record in read(text, rules)
        if record.parsed is not None
    ]


#: What is left of a trace after a record with a head.
LEFT: dict[str, list[tuple[int, str, bool]]] = {
    traces.JAVA: [
        (1, "ERROR order rejected", False),
        (2, "java.lang.IllegalStateException: no stock for 4711", True),
        (6, "Caused by: java.io.IOException: broken pipe", True),
    ],
    traces.PYTHON: [
        (1, "ERROR order rejected", False),
        (6, "KeyError: 4711", True),
        (13, "shop.stock.OutOfStock: 4711", True),
    ],
    traces.PYTHON_GROUP: [
        (1, "ERROR several failed", False),
        (5, "| ExceptionGroup: many (1 sub-exception)", True),
        (7, "| ValueError: 1", True),
    ],
    traces.GO: [
        (1, "panic: runtime error: index out of range [4] with length 3 [recovered]", True)
    ],
    traces.NODE: [(5, "Error: no stock", True), (9, "[cause]: Error: broken pipe", True)],
    traces.RUBY: [(1, "/srv/shop/orders.rb:118:in `place': no stock (Shop::StockError)", True)],
    traces.DOTNET: [
        (1, "order rejected", False),
        (3, "Acme.Shop.StockException: no stock", True),
        (4, "---> System.IO.IOException: broken pipe", True),
        (8, "order placed", False),
    ],
    traces.JAVA_UTIL: [(1, "WARNING: peer is slow", False), (3, "INFO: closed", False)],
    traces.RUST: [(2, "no stock for 4711", True)],
    traces.PHP: [
        (1, "PHP Fatal error:  Uncaught StockError: no stock in /srv/www/orders.php:118", False)
    ],
    traces.POSTGRES: [(1, 'ERROR:  column "stok" does not exist at character 8', False)],
    traces.PLAIN: [
        (1, "INFO worker 3 started", False),
        (2, "kernel panic - not syncing", False),
        (3, "an indented line", False),
        (4, "x", False),
        (6, "INFO Traceback (most recent call last):", False),
    ],
}


def test_there_is_a_trace_of_every_kind() -> None:
    assert set(LEFT) == set(traces.ALL)


@pytest.mark.parametrize("text", traces.ALL)
def test_a_trace_after_a_head_leaves_its_exceptions(text: str) -> None:
    before = traces.HEAD + "INFO before\n"
    expected = [(1, "INFO before", False)]
    expected += [(number + 1, message, names) for number, message, names in LEFT[text]]
    assert messages(before + text, HEADED) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(traces.JAVA, traces.PYTHON, traces.GO, traces.NODE, traces.RUBY, traces.RUST),
        *(traces.PHP, traces.POSTGRES),
    ],
)
def test_frames_are_known_without_heads_as_well(text: str) -> None:
    numbers = [number for number, _, _ in LEFT[text]]
    assert [number for number, _, _ in messages(text, PLAIN)] == numbers


@pytest.mark.parametrize("kind", traces.BARE)
def test_lines_without_heads_that_are_events(kind: str) -> None:
    """A trace leaves its exceptions and the line after it; what only looks like one leaves all."""
    text, expected = traces.BARE[kind]
    assert [number for number, _, _ in messages(text, PLAIN)] == expected


@pytest.mark.parametrize("rules", [HEADED, PLAIN])
@pytest.mark.parametrize("text", traces.ALL)
def test_a_trace_twice_in_a_log_gives_the_same_twice(text: str, rules: Preprocess) -> None:
    """No state is left behind that spoils what follows."""
    if rules is PLAIN and text == traces.PLAIN:
        pytest.skip("nothing but a head says that these are over")
    once = messages(traces.HEAD + "x\n" + text, rules)
    lines = text.count("\n") + 1
    twice = messages((traces.HEAD + "x\n" + text + traces.HEAD + "x\n" + text), rules)
    assert twice == [*once, *((number + lines, message, names) for number, message, names in once)]


@pytest.mark.parametrize("text", traces.ALL)
def test_without_continuation_every_line_is_a_record(text: str) -> None:
    rules = Preprocess(continuation=False)
    lines = [line for line in text.split("\n") if not is_blank(line)]
    assert [message for _, message, _ in messages(text, rules)] == [line.lstrip() for line in lines]


def test_a_log_without_heads_loses_no_indented_line() -> None:
    text = "first\n  second\n\tthird\n    at 10:30 the job began\n  - a: b\n"
    assert [number for number, _, _ in messages(text, PLAIN)] == [1, 2, 3, 4, 5]
    assert [number for number, _, _ in messages(text, HEADED)] == [1, 2, 3, 4, 5]
    assert [n for n, _, _ in messages(traces.HEAD + "x\n" + text, HEADED)] == [1, 2, 3, 4, 5, 6]
    behind = traces.HEAD + "x\n" + "\n".join(text.split("\n")[1:])
    assert [number for number, _, _ in messages(behind, HEADED)] == [1]


def test_a_line_with_a_head_is_never_a_continuation() -> None:
    rules = Preprocess(headers=(Header("any", r"(?P<message>.*)$"),))
    for text in traces.ALL:
        lines = [number for number, line in enumerate(text.split("\n"), 1) if not is_blank(line)]
        assert [number for number, _, _ in messages(text, rules)] == lines


def test_an_opener_behind_a_head_opens() -> None:
    text = (
        traces.HEAD
        + "ERROR failed Traceback (most recent call last):\n"
        + "\n".join(traces.PYTHON.split("\n")[2:6])
    )
    assert [(n, names) for n, _, names in messages(text, HEADED)] == [(1, False), (5, True)]
    text = traces.HEAD + "ERROR thread 'main' panicked at src/main.rs:7:5:\nno stock\n"
    assert messages(text, HEADED)[1] == (2, "no stock", True)


def sessions(text: str, rules: Preprocess) -> list[str | None]:
    return [r.parsed.session for r in read(text, rules) if r.parsed is not None]


def test_the_exception_is_of_the_session_of_its_record() -> None:
    by_id = SessionRule("regex", r"id=(\d+)")
    text = (
        f"{traces.HEAD}failed id=1\njava.io.IOException: id=7\n\tat a.B.c(B.java:1)\n"
        f"Caused by: java.io.IOException: x\n{traces.HEAD}next id=2\nkernel panic id=3\n"
        "java.io.IOException: id=8\njava.io.IOException: y\n"
    )
    headed = Preprocess(headers=HEADERS, session=by_id)
    assert sessions(text, headed) == ["1", "1", "1", "2", "3", "8", "3"]
    # Without heads a look alone does not take a line's own session from it.
    plain = Preprocess(session=by_id)
    assert sessions(text, plain) == ["1", "7", "1", "2", "3", "8", "3"]
    assert sessions("java.io.IOException: x\nother", plain) == [None, None]


def test_an_oversize_line_ends_a_trace() -> None:
    rules = Preprocess(headers=HEADERS, max_line_bytes=60)
    reader = RecordReader(LineParser(rules))
    lines = [
        LogLine(1, (traces.HEAD + "failed").encode()),
        LogLine(2, b"Traceback (most recent call last):"),
        LogLine(3, b"", oversize=True),
        LogLine(4, b"    raise ValueError"),
    ]
    assert [record.number for record in reader.read(lines)] == [1, 3, 4]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([line for text in traces.ALL for line in text.split("\n")])))
def test_whatever_the_order_records_come_in_it_and_none_is_invented(lines: list[str]) -> None:
    for rules in (HEADED, PLAIN):
        found = read("\n".join(lines), rules)
        numbers = [record.number for record in found]
        assert numbers == sorted(set(numbers))
        for record in found:
            raws = record.raw.decode().split("\n")
            assert raws[0] == lines[record.number - 1]


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "(",
            ")",
            ":in `",
            "at ",
            "at (",
            ".go:",
            "thread '",
            " panicked at ",
            "a.",
            "A",
            "|",
            "^",
        ),
        *(
            "Caused by: ",
            'Exception in thread "',
            "#1 (1",
            "1):",
            "'",
            "{",
            "--- End of ",
            "7",
            ":7",
        ),
    ],
)
def test_looking_is_linear(unit: str) -> None:
    def seconds(size: int) -> float:
        began = time.perf_counter()
        for before in ("", " ", "\t", "#0 ", "thread '", "at "):
            text = before + unit * (size // len(unit))
            look_at(text)
            opens(text + ":")
        return time.perf_counter() - began

    seconds(1000)
    assert seconds(1_000_000) < 60 * max(seconds(100_000), 1e-3)


def test_states_and_looks() -> None:
    assert look_at("goroutine 7 [chan receive, 2 minutes]:").opens is State.GO
    assert look_at("node:internal/modules/cjs/loader:1080").opens is State.NODE_SOURCE
    assert look_at("file:///srv/shop.mjs:3").opens is State.NODE_SOURCE
    assert not look_at("error in shop.js:3 today").nothing
    assert look_at("thread 'main' panicked at 'no stock', src/main.rs:3:5").names
    assert not look_at("at 10:30 the job began").nothing
    assert not look_at("#1 in the list").nothing
    assert look_at("   bei Acme.Shop.Take(Int32 id) in C:\\shop\\Stock.cs:line 40").nothing
    assert not look_at("Errors: 3").names
    assert look_at("Shop\\StockError: no stock").names
    assert not look_at("com.example.shop: started").names
    assert look_at("com.example.OutOfStock: 7").names
    assert look_at("java.lang.IllegalStateException: [id 7] no stock").names
    assert look_at("java.lang.IllegalStateException: (none left)").names
    assert not look_at("com.example.shop: [id 7] started").names
