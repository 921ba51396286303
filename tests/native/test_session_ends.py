"""Sessions that begin and end: the engine says what the reference says, byte for byte.

Rules of ends, tasks that need them and logs are drawn at random: idle lines and seconds, closing
patterns, times out of order and without a year, blank and oversize lines, records of several lines,
traces, several files. ``LOGEXPORT_DIFFERENTIAL_CASES`` sets how many are drawn.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from logexport.detect import Detection, open_model
from logexport.errors import InputError, UsageError
from logexport.logs.headers import Header
from logexport.logs.kept import KeptField
from logexport.logs.lines import as_log, iter_lines
from logexport.logs.preprocess import Preprocess, SessionRule
from logexport.logs.structured import StructuredForm
from logexport.logs.tokens import TokenRule
from logexport.types import Task, Vocabulary
from logexport.verdicts.options import DetectOptions

from tests.native.bundles import Tables, make_task, write_bundle
from tests.native.engine import Engine, EngineError, Status, engine

CASES = int(os.environ.get("LOGEXPORT_DIFFERENTIAL_CASES", "60"))

HEADERS = (
    Header("iso", r"(?P<timestamp>\d{4}-\S+ \d\d:\d\d:\d\d) (?P<message>.*)$"),
    Header(
        "syslog",
        r"(?P<timestamp>(?P<month>[A-Z][a-z]{2}) +(?P<day>\d+) (?P<hour>\d\d):(?P<minute>\d\d):"
        r"(?P<second>\d\d)) (?P<host>\w+) (?P<message>.*)$",
    ),
    Header("clock", r"\[(?P<timestamp>(?P<hour>\d\d):(?P<minute>\d\d))\] (?P<message>.*)$"),
    Header("next", r"(?P<timestamp>\d{10}) s=\d(?P<message>)$", next_line=True),
)
FORMS = (
    StructuredForm("docker"),
    StructuredForm("cri"),
    StructuredForm("json", "m", timestamp="t", host="h"),
)
TEMPLATES = (
    *("<*> open <*>", "<*> read <*> <*>", "<*> write", "<*> close", "close"),
    *("ValueError: <*>", "java.lang.Error: <*>"),
)
MESSAGES = ("open 7", "open 8", "read a b", "write", "write", "close", "what is it now", "\u00e9")

VOCABULARY = Vocabulary(
    ("open <*>", "\nstart", "\nend", "\nunknown"), {"start": 1, "end": 2, "unknown": 3}
)
names = st.one_of(
    st.sampled_from((r"s=(\d)", r"s=(\d)", r"s=\d|close", "s=(1)?")).map(
        lambda pattern: SessionRule("regex", pattern)
    ),
    st.sampled_from(("s", "host", "timestamp")).map(lambda name: SessionRule("field", field=name)),
)


@st.composite
def rules(draw: st.DrawFn) -> Preprocess:
    """Of version 2, with sessions that end in every way."""
    session = replace(
        draw(names),
        idle_lines=draw(st.sampled_from((10_000_000, 30, 8, 5, 3, 2, 1))),
        idle_seconds=draw(st.sampled_from((None, 1, 5, 60, 86_400, 40 * 86_400))),
        close_pattern=draw(st.sampled_from((None, None, "close", r"7$", r"[^\x00-\x7f]", "x?"))),
    )
    return Preprocess(
        headers=draw(st.sampled_from((HEADERS, HEADERS, HEADERS[1:], HEADERS[::2], ()))),
        masks=(),
        session=session,
        structured=draw(st.sampled_from((FORMS, FORMS, ()))),
        continuation=draw(st.booleans()),
        keep=draw(st.sampled_from(((), (), (), (KeptField("host"),)))),
        max_line_bytes=draw(st.sampled_from((1 << 20, 1 << 20, 90))),
        tokens=TokenRule("", False),
    )


def draw_time(random: Random, now: int) -> tuple[str, str, str, str]:
    """A time in the forms that the headers read: ISO, syslog, a clock, an epoch."""
    then = datetime.fromtimestamp(1_700_000_000 + now, timezone.utc)
    if random.random() < 0.05:
        return ("2024-02-30 00:00:00", "Feb 30 00:00:00", "25:00", "99999999999")
    return (
        then.strftime("%Y-%m-%d %H:%M:%S"),
        then.strftime("%b %d %H:%M:%S"),
        then.strftime("%H:%M"),
        str(1_700_000_000 + now),
    )


def draw_record(form: str, random: Random, now: int) -> list[str]:
    """The lines of a record, or of what is around records."""
    iso, syslog, clock, epoch = draw_time(random, now)
    name, message = random.choice("1234"), random.choice(MESSAGES)
    text = f"s={name} {message}"
    zoned = f"{iso.replace(' ', 'T')}Z"
    return {
        "iso": [f"{iso} {text}"],
        "syslog": [f"{syslog} web {text}"],
        "clock": [f"[{clock}] {text}"],
        "bare": [text],
        "null": [message],
        "blank": [""] * random.choice((1, 2, 4, 9)),
        "json": [f'{{"m": "{text}", "t": "{iso}", "s": "{name}"}}'],
        "headed json": [f'{{"m": "{iso} {text}", "t": null, "h": "h{name}", "s": "{name}"}}'],
        "docker": [
            f'{{"log": "{text} ", "time": "{zoned}", "s": "{name}"}}',
            f'{{"log": "s=4 7\\n", "time": "{zoned}"}}',
        ],
        "cri": [f"{zoned} stdout P {text} ", f"{zoned} stdout F s=9 close"],
        "next": [f"{epoch} s={name}", random.choice((message, "", text, "\tat a.b(C.java:1)"))],
        "java": [
            f"{iso} {text}",
            "\tat a.b.C.d(C.java:7)",
            "java.lang.Error: close",
            "\t... 3 more",
        ],
        "python": [
            f"{iso} {text}",
            "Traceback (most recent call last):",
            '  File "a.py", line 7, in b',
            random.choice(("ValueError: close", "ValueError: 7")),
        ],
        "long": [f"s={name} " + "long " * 30],
    }[form]


USUAL = ("iso", "syslog", "clock", "bare", "json", "headed json")
UNUSUAL = ("null", "blank", "docker", "cri", "next", "java", "python", "long")


def draw_lines(random: Random, count: int) -> list[bytes]:
    """A log of few forms, whose clock jumps forward, and now and then back."""
    forms = random.choices(USUAL, k=3) * 2 + random.sample(UNUSUAL, 3)
    jumps = random.sample((1, 2, 6, 70, 90_000, 3_600_000, -1, -6, -100, -90_000), 3)
    lines: list[str] = []
    now = 0
    while len(lines) < count:
        now += random.choice((0, 0, 1, *jumps))
        lines += draw_record(random.choice(forms), random, now)
    return [line.encode() for line in lines]


@dataclass(frozen=True)
class Case:
    task: Task
    vocabulary: Vocabulary
    rules: Preprocess
    tables: Tables
    files: Sequence[bytes]
    reference_options: dict[str, Any]
    engine_options: dict[str, Any]


@st.composite
def vocabularies(draw: st.DrawFn) -> Vocabulary:
    """The templates and the labels of boundaries, and perhaps unknown, at any places."""
    labels = ["start", "end", *(["unknown"] if draw(st.booleans()) else [])]
    texts = draw(st.permutations([*TEMPLATES, *(f"\n{label}" for label in labels)]))
    return Vocabulary(tuple(texts), {label: texts.index(f"\n{label}") for label in labels})


@st.composite
def cases(draw: st.DrawFn) -> Case:
    vocabulary = draw(vocabularies())
    kind = draw(st.sampled_from(("events topk", "events score", "sessions score")))
    size = len(vocabulary)
    start = vocabulary.reserved["start"] if draw(st.booleans()) else None
    end = vocabulary.reserved["end"] if draw(st.booleans()) else None
    task = make_task(
        kind,
        length=draw(st.sampled_from((1, 2, 3, 5, 40))),
        top_k=draw(st.integers(1, size - 1)),
        threshold=draw(st.sampled_from((0.0, 0.25, 0.5, 1.1, 3.5))),
        attribution=draw(st.booleans()),
        start=start,
        end=end,
    )
    theirs: dict[str, Any] = {"with_keys": ("file", "file_line")}
    ours: dict[str, Any] = {"with_keys": "file,file_line"}
    if draw(st.integers(0, 3)) == 0:
        theirs["anomalies_only"], ours["anomalies_only"] = True, 1
    if draw(st.integers(0, 3)):
        theirs["session_summary"], ours["session_summary"] = True, 1
    if draw(st.integers(0, 3)) == 0:
        theirs["at_end"], ours["leave_at_end"] = "leave", 1
    if draw(st.integers(0, 3)) == 0:
        by = draw(
            st.sampled_from(
                (r"s=\d", "field:m") if task.needs_sessions else ("host", "none", "field:h")
            )
        )
        theirs["session_by"] = ours["session_by"] = by
    wild = draw(st.sampled_from(({}, {}, {}, {}, {1: float("nan")})))
    random = Random(draw(st.integers(0, 2**32)))
    lines = draw_lines(random, draw(st.sampled_from((120, 40, 40, 12, 3, 0))))
    cuts = sorted(random.choices(range(len(lines) + 1), k=draw(st.integers(0, 2))))
    begins, ends = [0, *cuts], [*cuts, len(lines)]
    last = draw(st.sampled_from((b"", b"\n", b"\n\n\n", b"\n \n\n\n\n\n")))
    files = [b"\n".join(lines[a:b]) + last for a, b in zip(begins, ends, strict=True)]
    tables = Tables(seed=draw(st.integers(0, 5)), wild=wild)
    return Case(task, vocabulary, draw(rules()), tables, files, theirs, ours)


def expected(bundle: Path, files: Sequence[bytes], options: DetectOptions) -> bytes:
    """The reference's records of several files as one log."""
    detection = Detection(open_model(bundle, options), options)
    records = []
    for name, data in enumerate(files):
        detection.next_file(str(name))
        first = detection.stats.lines + 1
        stream = as_log(BytesIO(data), str(name), detection.reading)
        for line in iter_lines(stream, detection.reading, first):
            records += detection.feed(line)
    records += detection.finish()
    return b"".join(record.to_line(detection.files).encode() + b"\n" for record in records)


def push_files(one: Engine, files: Sequence[bytes], random: Random | None) -> bytes:
    """What an engine says of files as one log; with ``random`` they come in pieces."""
    one.said.clear()
    for name, data in enumerate(files):
        one.next_file(str(name).encode())
        while data:
            size = len(data) if random is None else random.randrange(1, 200)
            one.push(data[:size])
            data = data[size:]
            if random is not None and random.random() < 0.2:
                one.flush()
    one.finish()
    return bytes(one.said)


@settings(
    max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)
@given(case=cases(), seed=st.integers(0, 2**32))
def test_sessions_begin_and_end_in_the_engine_as_in_the_reference(case: Case, seed: int) -> None:
    with tempfile.TemporaryDirectory(prefix="logexport-") as directory:
        bundle = write_bundle(
            Path(directory, "bundle"), case.task, case.vocabulary, case.rules, tables=case.tables
        )
        records = expected(bundle, case.files, DetectOptions(**case.reference_options))
        with Engine(bundle, **case.engine_options) as one:
            assert push_files(one, case.files, None) == records
        with Engine(bundle, threads=3, no_jit=1, **case.engine_options) as one:
            for _again in range(2):  # a second log knows nothing of the first
                assert push_files(one, case.files, Random(seed)) == records


# --- what a random log seldom has -----------------------------------------------------------------


def closings(bundle: Path, log: bytes, again: bool = False) -> list[tuple[str, int, int, str]]:
    """Of each session's end: its name, its last line, and when and how it was closed.

    Args:
        bundle: of a model with an end, by which engine and reference say the same.
        log: the log.
        again: the engine reads it twice.
    """
    records = expected(bundle, [log], DetectOptions())
    with Engine(bundle, threads=2) as one:
        for _ in range(1 + again):
            assert push_files(one, [log], Random(0)) == records
    ends = [record for record in map(json.loads, records.splitlines()) if "closed" in record]
    return [(one["session"], one["line"], one["closed"], one["closed_by"]) for one in ends]


def ending(tmp_path: Path, **ends: Any) -> Path:
    """A bundle of a model with an end, whose rules read every form of this file's logs."""
    rules = Preprocess(
        headers=HEADERS,
        structured=FORMS,
        session=SessionRule("regex", r"s=(\d)", **{"idle_lines": 100, **ends}),
        masks=(),
    )
    task = make_task("events topk", start=1, end=2)
    return write_bundle(tmp_path / "bundle", task, VOCABULARY, rules)


def test_a_gap_is_more_than_the_seconds_of_the_rules(tmp_path: Path) -> None:
    bundle = ending(tmp_path, idle_seconds=5)
    for second, split in (("10", False), ("11", True)):
        log = f"2024-01-01 00:00:05 s=1 open 7\n2024-01-01 00:00:{second} s=1 open 7\n".encode()
        first = [("1", 1, 2, "gap")] if split else []
        assert closings(bundle, log) == [*first, ("1", 2, 3, "end")]


def test_a_gap_is_measured_from_the_latest_time_of_the_session(tmp_path: Path) -> None:
    bundle = ending(tmp_path, idle_seconds=5)
    times = ("00:00:30", "00:00:10", "00:00:35", "00:00:20", "00:00:41")
    log = "".join(f"2024-01-01 {time} s=1 open 7\n" for time in times).encode()
    assert closings(bundle, log) == [("1", 4, 5, "gap"), ("1", 5, 6, "end")]


def test_the_first_year_of_times_without_one_has_a_29_february(tmp_path: Path) -> None:
    bundle = ending(tmp_path, idle_seconds=5)
    log = b"Feb 29 23:59:58 web s=1 open 7\nMar  1 00:00:01 web s=1 open 7\n"
    assert closings(bundle, log, again=True) == [("1", 2, 3, "end")]
    log = b"Feb 29 23:59:58 web s=1 open 7\nMar  1 00:00:09 web s=1 open 7\n"
    assert closings(bundle, log, again=True) == [("1", 1, 2, "gap"), ("1", 2, 3, "end")]


def test_a_record_of_several_lines_closes_its_session_by_its_first(tmp_path: Path) -> None:
    bundle = ending(tmp_path, close_pattern="s=[12]")
    pieces = "2024-01-01T00:00:00Z stdout P s={} open \n2024-01-01T00:00:00Z stdout F s=1\n"
    headed = "1700000000 s={}\nopen s=1\n"
    docker = '{{"log": "s={} "}}\n{{"log": "s=1\\n"}}\n'
    log = "".join(one.format(name) for one in (pieces, headed, docker) for name in "12345")
    assert closings(bundle, log.encode()) == [
        *((name, line, line, "pattern") for at in (0, 10, 20) for name, line in closed_at(at)),
        *((name, line, 31, "end") for name, line in (("3", 25), ("4", 27), ("5", 29))),
    ]


def closed_at(before: int) -> list[tuple[str, int]]:
    """The sessions that the pattern closes among ten lines, and the line of each."""
    return [("1", before + 1), ("2", before + 3)]


# --- what is refused ------------------------------------------------------------------------------

BY_PATTERN = Preprocess(session=SessionRule("regex", r"s=(\d)", idle_lines=3))


def refusals(bundle: Path, **options: Any) -> tuple[Exception, EngineError]:
    """What the reference and the engine say."""
    chosen = DetectOptions(**options)
    model = open_model(bundle, chosen)
    with pytest.raises((InputError, UsageError)) as theirs:
        Detection(model, chosen)
    with pytest.raises(EngineError) as ours:
        Engine(bundle, **options)
    return theirs.value, ours.value


@pytest.mark.parametrize("by", ["none", "host"])
@pytest.mark.parametrize("kind", ["events topk", "events score", "sessions score"])
def test_sessions_that_do_not_end_are_refused_for_a_task_that_needs_them(
    tmp_path: Path, kind: str, by: str
) -> None:
    task = make_task(kind, start=1, end=None if kind == "events topk" else 2)
    bundle = write_bundle(tmp_path / "bundle", task, VOCABULARY, BY_PATTERN)
    theirs, ours = refusals(bundle, session_by=by)
    assert isinstance(theirs, UsageError)
    assert ours.status == Status.USAGE
    words = f"--session-by {by} does not apply: the model judges sessions that begin and end"
    assert words in str(theirs)
    assert words in str(ours)


@pytest.mark.parametrize(
    "rules",
    [
        Preprocess(),
        Preprocess(session=SessionRule("host")),
        Preprocess(encoding=None, session=SessionRule("regex", "a")),
    ],
    ids=["none", "host", "version 1"],
)
@pytest.mark.parametrize("kind", ["events topk", "sessions score"])
def test_rules_without_sessions_that_end_are_refused_for_such_a_task(
    tmp_path: Path, kind: str, rules: Preprocess
) -> None:
    bundle = write_bundle(tmp_path / "bundle", make_task(kind, end=2), VOCABULARY, rules)
    theirs, ours = refusals(bundle)
    assert "sessions that begin and end" in str(theirs)
    assert "sessions that begin and end" in str(ours)
    assert ours.status == Status.BUNDLE
    if rules.version > 1:  # the option makes them so
        Engine(bundle, session_by=r"s=(\d)").close()


@pytest.mark.parametrize(("start", "end"), [(0, None), (None, 0), (3, None), (1, 1), (4, 2)])
def test_boundaries_are_two_reserved_indices_of_their_own(
    tmp_path: Path, start: int | None, end: int | None
) -> None:
    task = make_task("events topk", start=start, end=end)
    bundle = write_bundle(tmp_path / "bundle", task, VOCABULARY, BY_PATTERN)
    _, ours = refusals(bundle)
    assert ours.status == Status.BUNDLE


def test_info_shows_the_task_and_when_sessions_end(tmp_path: Path) -> None:
    rules = Preprocess(session=SessionRule("field", field="s", idle_lines=7, close_pattern="x"))
    by_start = write_bundle(
        tmp_path / "events", make_task("events score", start=1, end=2), VOCABULARY, rules
    )
    by_counts = write_bundle(tmp_path / "counts", make_task("sessions score"), VOCABULARY, rules)
    older = Preprocess(encoding=None, session=SessionRule("regex", "a"), max_sessions=3)
    before = write_bundle(tmp_path / "before", make_task("events topk"), VOCABULARY, older)
    described = [
        json.loads(engine("info", bundle).stdout)["models"]["tiny"]
        for bundle in (by_start, by_counts, before)
    ]
    assert [one["task"]["input"] for one in described[:2]] == ["event_window", "session_counts"]
    assert (described[0]["task"]["start"], described[0]["task"]["end"]) == (1, 2)
    assert all(one["task_known"] for one in described)
    for one in described[:2]:
        assert one["session"] == {
            "by": "field",
            "field": "s",
            "idle_lines": 7,
            "close_pattern": "x",
        }
        assert "max_sessions" not in one
    assert described[2]["session"] == {"by": "regex", "pattern": "a"}
    assert described[2]["max_sessions"] == 3


def test_the_program_leaves_or_closes_what_lives_at_the_end(tmp_path: Path) -> None:
    task = make_task("events topk", start=1, end=2)
    bundle = write_bundle(tmp_path / "bundle", task, VOCABULARY, BY_PATTERN)
    log = b"open s=1\nopen s=2\n\n\n\n"
    for at_end, closed in (("close", [5, 6]), ("leave", [5])):
        options = DetectOptions(at_end=at_end)  # type: ignore[arg-type]
        records = expected(bundle, [log], options)
        done = engine("detect", bundle, "-", "--at-end", at_end, input=log)
        assert (done.returncode, done.stdout) == (0, records)
        assert [f'"closed": {line},'.encode() in records for line in (5, 6)] == [
            line in closed for line in (5, 6)
        ]
    done = engine("detect", bundle, "-", "--at-end", "later", input=log)
    assert done.returncode == 2
    assert b"--at-end takes close or leave, not later." in done.stderr
