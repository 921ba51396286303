"""``logexport heads``, and what it and ``parse`` say of logs whose heads are odd or not found."""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from logexport.cli import main
from logexport.errors import InputError
from logexport.logs.headers import FIELDS
from logexport.logs.preprocess import Preprocess
from logexport.training.line_tables import read_parsed
from logexport.training.parse import ParseRequest, ParseResult, parse_logs
from logexport.training.survey import Survey, SurveyRequest, survey_logs

MESSAGES = ("job {n} started", "cache flushed", "user u{n} logged in", "worker {n} is slow")
PLAIN = ("the quick brown fox", "jumps over", "the lazy dog", "and sleeps", "until noon")


def old(n: int, message: str) -> str:
    level = ("INFO", "WARN")[n % 2]
    return f"2024-01-01 10:{n // 60 % 60:02}:{n % 60:02} {level} [w-{n % 7}] shop: {message}"


def new(n: int, message: str) -> str:
    level = ("debug", "error")[n % 2]
    return f"{level} | 03.02.2025 {n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02} | {message}"


def plain(n: int, message: str) -> str:
    return PLAIN[n % len(PLAIN)]


def write(path: Path, *parts: tuple[int, Callable[[int, str], str]]) -> Path:
    """A log of so many lines of each kind, one kind after another."""
    lines = [head(n, MESSAGES[n % 4].format(n=n)) for count, head in parts for n in range(count)]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def survey(*logs: Path | str, **options: Any) -> Survey:
    return survey_logs(SurveyRequest(logs=logs, **options))


def parse(log: Path, **options: Any) -> ParseResult:
    return parse_logs(ParseRequest([log], log.parent / "out", **options))


def templates(log: Path) -> set[str | None]:
    return {row.template for row in read_parsed(log.parent / "out" / "parsed.parquet")}


# --- what is shown --------------------------------------------------------------------------------


def test_heads_are_shown_with_a_line_that_is_divided(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = write(tmp_path / "app.log", (90, old), (10, plain))
    assert main(["heads", str(log), "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document.pop("seconds") >= 0
    (head,) = document.pop("heads")
    assert Preprocess.load(parse(log).preprocess).headers[0].pattern == head.pop("pattern")
    assert head == {
        "name": "head-1",
        "next_line": False,
        "records": 90,
        "share": 0.9,
        "fields": ["timestamp", "level", "process", "thread"],
        "example": {
            "line": 1,
            "text": "2024-01-01 10:00:00 INFO [w-0] shop: job 0 started",
            "fields": {
                "timestamp": "2024-01-01 10:00:00",
                "process": "shop",
                "level": "INFO",
                "thread": "w-0",
            },
            "message": "job 0 started",
        },
    }
    assert document == {
        "format": "learned",
        "lines": 100,
        "records": 100,
        "blank": 0,
        "oversize": 0,
        "sampled": 100,
        "structured": {"forms": [], "records": 0, "share": 0.0, "example": None},
        "keep": [{"field": "level", "as": "text", "values": ["INFO", "WARN", None]}],
        "unmatched": {
            "records": 10,
            "share": 0.1,
            "example": {"line": 91, "text": "the quick brown fox"},
        },
        "warnings": [],
    }
    assert main(["heads", str(log)]) == 0
    text = capfd.readouterr().out
    for part in (
        "found by a sample of 100 lines and counted over all records",
        "head-1: 90.0% of the records (90)",
        "    level = INFO\n",
        "    message = job 0 started\n",
        "fields that stay in the event: level\n  level: INFO, WARN, (none)\n",
        "without a head: 10.0% of the records (10)\n  line 91: the quick brown fox\n",
    ):
        assert part in text


def test_parse_says_the_same_in_short(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = write(tmp_path / "app.log", (90, old), (10, plain))
    command = ["parse", str(log), "-o", str(tmp_path / "out")]
    assert main(command) == 0
    text = capfd.readouterr().err
    assert "heads of the records: head-1 on 90.0%" in text
    assert "fields that stay in the event: level" in text
    assert "10 records fit no head, such as line 91: 'the quick brown fox'" in text
    assert main([*command, "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    shown = survey(log).to_json()
    assert document["unmatched"] == shown["unmatched"]
    assert document["headers"] == {"head-1": 90, "": 10}
    assert document["keep"] == [{"field": "level", "as": "text"}]
    assert document["warnings"] == []


def test_structured_forms_are_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "app.log"
    record = (
        '{{"log":"{{\\"lvl\\":\\"info\\",\\"msg\\":\\"job {n}\\"}}\\n","stream":"s","time":"t"}}\n'
    )
    log.write_text("".join(record.format(n=n) for n in range(19)) + "started\n")
    document = survey(log).to_json()
    assert document["structured"] == {
        "forms": [{"form": "docker"}, {"form": "json", "message": "msg", "level": "lvl"}],
        "records": 19,
        "share": 0.95,
        "example": {
            "line": 1,
            "text": record.format(n=0).rstrip(),
            "fields": {"timestamp": "t", "level": "info"},
            "message": "job 0",
        },
    }
    assert document["unmatched"]["example"] == {"line": 20, "text": "started"}
    assert main(["heads", str(log)]) == 0
    text = capfd.readouterr().out
    assert "form: json (message in msg, level in lvl)" in text
    assert "fields that stay in the event: level" in text
    assert survey(log, find_forms=False).to_json()["structured"]["forms"] == []


@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: json.dumps({"log": f"{text}\n", "stream": "s", "time": "t"}),
        lambda text: f"2024-01-01T10:00:00Z stdout F {text}",
        lambda text: json.dumps({"msg": text}),
    ],
)
def test_what_docker_and_cri_surround_needs_a_head_and_json_does_not(
    tmp_path: Path, wrap: Callable[[str], str]
) -> None:
    log = tmp_path / "app.log"
    lines = [old(n, "job started") if n % 2 else PLAIN[n % 5] for n in range(100)]
    log.write_text("".join(f"{wrap(line)}\n" for line in lines))
    document = survey(log).to_json()
    assert document["structured"]["records"] == 100
    assert [head["records"] for head in document["heads"]] == [50]
    assert document["unmatched"]["records"] == (0 if "msg" in wrap("") else 50)


def test_a_message_on_the_next_line_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("info: Shop.Cart[0]\n      order placed\n" * 5)
    (head,) = survey(log).to_json()["heads"]
    assert head["next_line"]
    assert (head["records"], head["share"]) == (5, 1.0)
    assert head["example"]["text"] == "info: Shop.Cart[0]"
    assert head["example"]["message"] == "order placed"
    assert head["example"]["fields"] == {
        "process": "Shop.Cart",
        "level": "info",
        "logger": "Shop.Cart",
    }


def test_long_lines_are_cut_off_and_what_cannot_be_printed_is_escaped(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "app.log"
    log.write_text("\x07\x9b31m " + "x" * 5000 + "\n")
    assert main(["heads", str(log), "--format", "plain"]) == 0
    text = capfd.readouterr().out
    assert "line 1: \\x07\\x9b31m xxx" in text
    assert "…" in text
    assert len(text) < 1000


def test_options_of_parse_apply(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "app.log"
    log.write_bytes("a> one\na> two\n".encode("utf-16le"))
    header = ["--header", "own=(?P<code>a)> (?P<message>.*)", "--keep", "code=class"]
    assert main(["heads", str(log), "--encoding", "utf-16le", *header, "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["format"] == "custom"
    assert [head["name"] for head in document["heads"]] == ["own"]
    assert document["keep"] == [{"field": "code", "as": "class", "values": ["a"]}]
    assert main(["heads", str(log), "--header", "x=y", "--format", "plain"]) == 2
    assert "exclude each other" in capfd.readouterr().err


def test_a_pipe_and_a_compressed_log_are_counted_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = write(tmp_path / "app.log", (3000, old), (3000, new))
    packed = tmp_path / "app.log.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))

    class Standard:
        buffer = cast(BinaryIO, io.BytesIO(log.read_bytes()))

    monkeypatch.setattr("sys.stdin", Standard)
    documents = [survey(one).to_json() | {"seconds": 0} for one in (log, packed, "-")]
    assert documents[0]["lines"] == 6000
    assert documents[0] == documents[1] == documents[2]


# --- odd logs -------------------------------------------------------------------------------------


def test_a_format_that_changes_in_the_middle_is_found(tmp_path: Path) -> None:
    log = write(tmp_path / "app.log", (6000, old), (6000, new))
    result = parse(log)
    assert result.headers == {"head-1": 6000, "head-2": 6000, "": 0}
    assert {one.field for one in result.keep} == {"level"}
    assert templates(log) == {
        f"{level} {message.format(n='<NUM>').replace('u<NUM>', 'u<ID>')}"
        for pair, messages in (
            (("INFO", "WARN"), MESSAGES),
            (("debug", "error"), MESSAGES),
        )
        for n, message in enumerate(messages)
        for level in pair[n % 2 : n % 2 + 1]
    }


def test_a_log_of_another_format_beside_a_large_one_is_found(tmp_path: Path) -> None:
    large = write(tmp_path / "large.log", (6000, old))
    small = write(tmp_path / "small.log", (200, new))
    heads = survey(large, small).to_json()["heads"]
    assert [head["records"] for head in heads] == [6000, 200]
    assert heads[1]["example"]["line"] == 6001


def test_a_preset_and_a_learned_head_are_found_in_one_log(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    first = "<34>1 2024-01-01T10:00:00Z web-1 shop 7 - - order {n} placed\n"
    log.write_text(
        "".join(first.format(n=n) for n in range(100))
        + "".join(old(n, f"job {n} started") + "\n" for n in range(100))
    )
    result = parse(log)
    assert result.headers == {"rfc5424": 100, "head-1": 100, "": 0}
    assert result.format == "learned"


def test_heads_on_half_of_the_lines_leave_the_others_whole(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("".join(f"{old(n, 'job started')}\n{PLAIN[n % 5]}\n" for n in range(100)))
    result = parse(log)
    assert result.headers == {"head-1": 100, "": 100}
    assert result.unmatched["share"] == 0.5
    assert templates(log) == {
        "INFO shop: job started",
        "WARN shop: job started",
        *(f"-\n {text}" for text in PLAIN),
    }


def test_a_line_that_ends_after_its_head_is_an_event_without_a_message(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text(
        "".join(f"{old(n, 'job started' if n % 3 else '').rstrip()}\n" for n in range(60))
    )
    result = parse(log)
    assert result.headers == {"head-1": 60, "": 0}
    assert templates(log) == {
        *("INFO shop:", "WARN shop:", "INFO shop: job started", "WARN shop: job started")
    }


def test_one_message_in_a_whole_log_is_a_message(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("".join(old(n, "cache flushed") + "\n" for n in range(60)))
    parse(log)
    assert templates(log) == {"INFO shop: cache flushed", "WARN shop: cache flushed"}
    log.write_text(old(0, "cache flushed") + "\n")
    assert parse(log).rows == 1


@pytest.mark.parametrize("data", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_an_empty_log_is_an_error(tmp_path: Path, data: bytes) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(data)
    with pytest.raises(InputError, match=r"no line to parse in .*app\.log"):
        survey(log)
    log.write_text("\tat a.B.c(B.java:1)\n")
    with pytest.raises(InputError, match="only continuation lines"):
        survey(log)


def test_a_log_of_lines_that_are_too_long_is_an_error(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("xx\nyy\n")
    with pytest.raises(InputError, match="no line to parse"):
        survey(log, preprocess=Preprocess(max_line_bytes=1))


def test_no_log_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["heads"]) == 2
    assert "LOG" in capfd.readouterr().err


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.builds(old, st.integers(0, 99), st.sampled_from(MESSAGES))
        | st.builds(new, st.integers(0, 99), st.sampled_from(MESSAGES))
        | st.sampled_from(
            (*PLAIN, "", "\tat a.B.c(B.java:1)", "java.lang.Error: no", '{"msg":"a b"}')
        )
        | st.text(max_size=12).filter(lambda text: "\n" not in text),
        max_size=40,
    )
)
def test_heads_says_of_any_log_what_parse_makes_of_it(tmp_path: Path, lines: list[str]) -> None:
    log = tmp_path / "any.log"
    log.write_bytes("\n".join(lines).encode())
    try:
        result = parse(log)
    except InputError as error:
        with pytest.raises(InputError, match=re.escape(str(error))):
            survey(log)
        return
    found = survey(log)
    assert found.tally.counts == result.headers
    assert (found.format, found.warnings) == (result.format, result.warnings)
    assert (found.lines, found.blank, found.oversize) == (result.lines, result.blank, 0)
    document = found.to_json()
    assert document["unmatched"] == result.unmatched
    for head in document["heads"]:
        assert (head["example"] is None) == (head["records"] == 0)
        assert head["example"] is None or set(head["example"]["fields"]) <= set(FIELDS)


# --- warnings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["parse", "heads"])
def test_a_header_of_ones_own_that_matches_nothing_is_a_warning(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    log = write(tmp_path / "app.log", (20, plain), (20, old))
    target = ["-o", str(tmp_path / "out")] if command == "parse" else []
    headers = ["--header", "one=the (?P<message>.*)", "--header", "two=nix (?P<message>.*)"]
    assert main([command, str(log), *target, *headers]) == 0
    (warning,) = [
        line for line in capfd.readouterr().err.splitlines() if line.startswith("Warning")
    ]
    assert warning.startswith(
        "Warning: The header 'two' matches no record, for example not line 2: 'jumps over'. "
    )
    assert "logexport heads" in warning


def test_a_format_that_matches_nothing_is_a_warning(tmp_path: Path) -> None:
    log = write(tmp_path / "app.log", (20, old))
    (warning,) = survey(log, format="syslog").warnings
    assert "No header of the format syslog matches a record" in warning
    assert repr(old(0, "job 0 started")) in warning
    assert "--format auto" in warning
    assert survey(log, format="plain").warnings == ()
    # "syslog-untagged" matches nothing either, but "syslog" does.
    log.write_text("Jan  1 10:00:00 web-1 shop: started\n" * 3)
    assert survey(log, format="syslog").warnings == ()


HIDDEN = {
    "a time that no head is learned from": lambda n: f"{'abcdefghijklmnop'[n % 16]} 10:00:{n:02}",
    "digits in the first token": lambda n: f"req{n} {'abcdefghijklmnop'[n % 16]} {PLAIN[n % 5]}",
}


@pytest.mark.parametrize("name", HIDDEN)
def test_lines_that_begin_alike_without_a_head_are_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("logexport.training.formats.learn_heads", lambda texts, followed: ())
    log = tmp_path / "app.log"
    lines = [f"{HIDDEN[name](n)}\n" if n % 10 == 0 else f"{PLAIN[n % 5]}\n" for n in range(100)]
    log.write_text("".join(lines))
    found = survey(log)
    (warning,) = found.warnings
    assert "10% of the records begin alike" in warning
    assert f"line 1: {lines[0].rstrip()!r}" in warning
    assert "logexport heads" in warning
    assert "--header NAME=PATTERN" in warning
    assert parse(log).warnings == found.warnings
    assert survey(log, format="plain").warnings == ()
    log.write_text("".join(lines[:1] + [line for line in lines if line[:-1] in PLAIN]))
    assert survey(log).warnings == ()


def test_lines_of_plain_words_are_not_a_warning(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("".join(f"worker {n} started\nall is well\n" for n in range(50)))
    assert survey(log).warnings == ()
