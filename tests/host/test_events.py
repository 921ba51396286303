"""The check ``events``: what it finds in a log, how it changes it, and when it warns."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import logexport
import pytest
from hypothesis import given
from hypothesis import strategies as st
from logexport.bundle import Bundle
from logexport.checks.changes import Examined, examine
from logexport.checks.events import TIMES_LIMIT, VALUES_LIMIT, WORDS_LIMIT
from logexport.checks.moving import MOVES, Habits, Move, find_times, move_times
from logexport.checks.redrawing import draw_value, find_ids, find_values
from logexport.host import Host
from logexport.logs.headers import Header
from logexport.logs.kept import KeptField
from logexport.logs.masks import Mask
from logexport.logs.preprocess import ALOG_DETECT, LineParser, Preprocess
from logexport.training.heads import learn_heads
from logexport.types import CheckResult, Vocabulary

from tests.host.exports import Job
from tests.logs.head_forms import HEADS, TIMES, TRAINING, Moment, write_log

OTHER_LANGUAGES = ("%F", "%R")
DAY_OF_YEAR = "%j"
FORMS = [
    form
    for form in TIMES
    if DAY_OF_YEAR not in form and not any(name in form for name in OTHER_LANGUAGES)
]
YEARLESS = [form for form in FORMS if not re.search("%[YysQu]", form)]
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2024, 11, 30))
"""Of a leap year, so that a day later is the same day whether the year is written or not."""


def habits_of(form: str) -> Habits:
    """What a year of lines tells of a form."""
    start = datetime(2024, 1, 1, 0, 3, 4, 87021)
    texts = [Moment(start + timedelta(hours=97 * n)).write(form) for n in range(90)]
    return Habits.of(found for text in texts for found in find_times(f"{text} x"))


HABITS = {form: habits_of(form) for form in FORMS}
FAR = "10 of 2 seconds at port 22"
"""Words behind a time that are none."""


def move(text: str, how: Move, form: str, back: bool = False) -> str:
    return move_times(text, find_times(text), how, HABITS[form], back)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_time_is_found(form: str) -> None:
    assert find_times(f"{TRAINING.write(form)} {FAR}")


@given(st.sampled_from(FORMS), MOMENTS)
def test_a_time_that_is_moved_by_nothing_is_the_same_bytes(form: str, moment: datetime) -> None:
    text = f"{Moment(moment).write(form)} {FAR}"
    assert move(text, Move("nothing"), form) == text


@given(st.sampled_from(FORMS), MOMENTS, st.sampled_from(MOVES))
def test_a_time_that_is_moved_forward_and_back_is_the_same_bytes(
    form: str, moment: datetime, how: Move
) -> None:
    text = f"{Moment(moment).write(form)} {FAR}"
    moved = move(text, how, form)
    if not (how.zone and "Z" in text):  # Z becomes +00:00, which stays
        assert move(moved, how, form, back=True) == text


@given(st.sampled_from(FORMS), MOMENTS, st.sampled_from(MOVES[:4]))
def test_a_moved_time_is_what_the_program_would_have_written_then(
    form: str, moment: datetime, how: Move
) -> None:
    if how.name == "year" and form in YEARLESS:
        return
    text = f"{Moment(moment).write(form)} {FAR}"
    assert move(text, how, form) == f"{Moment(moment + how.delta).write(form)} {FAR}"


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("2025-03-10 08:00:00 CET [1]", "2025-03-10 09:00:00 CEST [1]"),
        ("2025-03-10 08:00:00 CEST [1]", "2025-03-10 07:00:00 CET [1]"),
        ("2025-03-10T22:30:00+01:00 x", "2025-03-10T23:30:00+02:00 x"),
        ('[10/Oct/2000:13:55:36 -0700] "GET /"', '[10/Oct/2000:14:55:36 -0600] "GET /"'),
        ("2025-03-10T08:00:00.1Z x", "2025-03-10T08:00:00.1+00:00 x"),
        ("20250310T080000Z x", "20250310T080000Z x"),
        ("2025-03-10 08:00:00 UTC x", "2025-03-10 08:00:00 UTC x"),
        ("2025-03-10 08:00:00 x", "2025-03-10 08:00:00 x"),
    ],
)
def test_another_zone_says_the_same_instant_if_its_form_allows_one(text: str, moved: str) -> None:
    times = find_times(text)
    assert move_times(text, times, MOVES[-1], Habits.of(times)) == moved


@pytest.mark.parametrize(
    "text",
    [
        "version 1.10.3 of 10.0.0.1:8080",
        "ratio 12:34, id 20241399",
        "May 77 was a Friday",
        "took 1731568369 ticks",
        "2024-13-45 is none",
        "/v2/54fadb412c4e40cdbaed9335e4c35a9e/servers 0.2477829",
    ],
)
def test_what_only_looks_like_a_time_is_left_alone(text: str) -> None:
    assert find_times(text) == []


def test_a_pad_that_no_line_shows_is_not_guessed() -> None:
    lines = ["Nov 14 10:00:00 x", "Nov 30 11:00:00 x"]
    habits = Habits.of(found for line in lines for found in find_times(line))
    moved = [move_times(line, find_times(line), MOVES[2], habits) for line in lines]
    assert moved == ["Dec 15 10:00:00 x", "Dec 31 11:00:00 x"]
    assert move_times(lines[1], find_times(lines[1]), MOVES[1], habits) == lines[1]


# --- values ---------------------------------------------------------------------------------------


def drawn(text: str, kept: Sequence[str] = (), ids: frozenset[str] = frozenset()) -> str:
    """A text with its values replaced by `#`."""
    for start, end, _ in reversed(find_values(text, find_times(text), kept, ids)):
        text = f"{text[:start]}#{text[end:]}"
    return text


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("took 350ms, 1m2.9s, PT5M3S or -5 of 1_000", "took #, #, # or -# of #"),
        ("from 10.0.0.1:8080 and [fe80::1:2%3]", "from #:# and [#%#]"),
        ("req-38101a0b-2096-447d-96ea-a692162415ae is 0x1F", "req-# is #"),
        ("00:1b:2c:3d:4e:5f of Foo@1a2b3c", "# of Foo@#"),
        ("pod web-7d4b9c6f5-x2vqp, commit 1a2b3c4d", "pod web-#, commit #"),
        ("v1.2.3 of 4.5e-3 with job_1445144423722_0020", "# of # with #"),
        (
            "x86_64 sha256 utf8 IPv4 eth0 node-24 802.11d",
            "x86_64 sha256 utf8 IPv4 eth0 node-24 802.11d",
        ),
        ('<34>1 - "GET / HTTP/1.1" 200', '<34>1 - "GET / HTTP/1.1" #'),
        ('{"key1": 17, "key2": "a 5 b"}', '{"key1": #, "key2": "a # b"}'),
        ("arg0=5 a1=17", "arg0=# a1=#"),
        (r"caf\u00e9 \042x %20 and ab::cd", r"caf\u00e9 \042x %20 and ab::cd"),
        ("at 12:30 on 2024-01-05 03:04:05", "at 12:30 on 2024-01-05 03:04:05"),
    ],
)
def test_values_are_told_from_names_and_from_what_stands_for_a_character(
    text: str, values: str
) -> None:
    assert drawn(text) == values


def test_digits_in_a_name_are_values_if_the_log_has_more_spellings_than_names_have() -> None:
    ids = find_ids([*(f"node-{n} of eth{n % 4}" for n in range(9)), "sha1 sha224 sha256 sha512"])
    assert drawn("node-3 of eth1 by sha1", ids=ids) == "# of eth1 by sha1"


def test_values_of_kept_fields_stay() -> None:
    assert drawn("GET 404 of 4041 in 404ms", ["404"]) == "GET 404 of # in #"


VALUES = {
    "uuid": st.uuids().map(str),
    "ipv4": st.ip_addresses(v=4).map(str),
    "ipv6": st.ip_addresses(v=6).map(str),
    "number": st.one_of(
        st.integers(0, 10**20).map(str),
        st.from_regex(r"0{0,3}[0-9]{1,5}\.[0-9]{1,5}ms", fullmatch=True),
    ),
    "prefixed": st.integers(0, 2**64).map(hex),
    "port": st.integers(10_000, 65_535).map(str),
}


@given(st.sampled_from(sorted(VALUES)), st.data(), st.integers(0, 99))
def test_a_drawn_value_has_the_shape_of_the_one_before(
    kind: str, data: st.DataObject, seed: int
) -> None:
    text = data.draw(VALUES[kind])
    other = draw_value(text, kind, random.Random(seed))
    shape = "[0-9a-f]" if kind in ("uuid", "ipv6", "prefixed") else "[0-9]"
    assert re.sub(shape, "0", other) == re.sub(shape, "0", text)
    assert other == draw_value(text, kind, random.Random(seed))
    if kind in ("ipv4", "ipv6"):
        (IPv4Address if kind == "ipv4" else IPv6Address)(other)
    if kind == "number" and len(text.partition(".")[0]) > 1:
        digits = text.partition(".")[0]
        zeros = len(digits) - len(digits.lstrip("0"))
        assert len(digits) - len(other.partition(".")[0].lstrip("0")) == zeros
    if kind == "port":
        assert int(other) <= 65_535


# --- a log's events -------------------------------------------------------------------------------


def masked(rules: Preprocess, lines: Sequence[str]) -> list[str]:
    """The masked texts of lines: templates of a vocabulary that holds these lines and no other."""
    parser = LineParser(rules)
    return sorted({parser.mask_record(parser.parse(line.encode())).text for line in lines})


def examined(rules: Preprocess, lines: Sequence[str], templates: Sequence[str] = ()) -> Examined:
    vocabulary = Vocabulary(tuple(templates or masked(rules, lines)))
    return examine(((n, line.encode()) for n, line in enumerate(lines, 1)), rules, vocabulary)


def tomcat(count: int) -> list[str]:
    log = write_log(HEADS["level"], "%d-%b-%Y %H:%M:%S.%L", TRAINING, count, 1, new=False)
    return [line for line, _ in log]


def learned(lines: Sequence[str]) -> Preprocess:
    return Preprocess(headers=learn_heads(lines), keep=(KeptField("level"),))


def test_a_log_whose_head_is_known_is_clean() -> None:
    lines = tomcat(200)
    found = examined(learned(lines), lines)
    assert (found.lines, found.unseen) == (200, 0)
    assert found.times.lines == 200
    assert found.values.lines > 100
    assert found.words.lines > 100
    assert [part.share for part in found[3:]] == [1.0, 1.0, 1.0]


def test_a_month_that_stays_in_the_events_is_found_and_shown_once() -> None:
    lines = tomcat(200)
    found = examined(ALOG_DETECT, lines)
    assert found.times.share is not None
    assert found.times.share < TIMES_LIMIT
    worst = found.times.worst()
    assert worst[0]["before"] == find_times(lines[0])[0].match[0]
    assert str(worst[0]["masked"]).startswith("1")
    assert len(worst) == len({(one["before"], one["after"]) for one in worst}) == 3
    assert (found.values.share, found.words.share) == (1.0, 1.0)


def test_a_value_that_the_masks_take_by_half_is_found_with_its_kind() -> None:
    lines = [f"2024-01-05 03:04:05 job {n:04}-done in 350ms" for n in range(2000, 2100)]
    rules = Preprocess(headers=learn_heads(lines), masks=(Mask("low", "[2-9][0-9]{3}", "<NUM>"),))
    found = examined(rules, lines)
    assert found.values.share is not None
    assert found.values.share < VALUES_LIMIT
    assert found.values.worst()[0]["kind"] == "number"
    assert found.times.share == 1.0


def test_a_template_that_takes_any_word_is_found() -> None:
    lines = [f"2024-01-05 03:04:05 worker {n} started" for n in range(100)]
    header = Header("time", r"(?P<timestamp>\S+ \S+) (?P<message>.*)$")
    rules = Preprocess(headers=(header,))
    right = examined(rules, lines, ["worker <NUM> started", "<*> <*>"])
    assert right.words.share == 1.0
    wrong = examined(rules, lines, ["<*> <NUM> <*>"])
    assert wrong.words.share == 0.0 < WORDS_LIMIT
    assert wrong.words.worst()[0]["before"] in ("worker", "started")


def test_unseen_and_long_lines_are_left_out_and_counted() -> None:
    lines = [f"2024-01-05 03:04:05 worker {n} started" for n in range(10)]
    others = ["what is this", f"2024-01-05 03:04:05 {'x' * 5000}"]
    rules = learned(lines)
    found = examined(rules, lines + others, masked(rules, lines))
    assert (found.lines, found.unseen, found.too_long) == (10, 1, 1)


def test_bytes_that_are_no_utf_8_are_read_and_written_back() -> None:
    rules = Preprocess(headers=learn_heads(tomcat(100)))
    records = [(n, b"14-Nov-2024 08:12:49.248 INFO caf\xe9 %d open" % n) for n in range(9)]
    found = examine(records, rules, Vocabulary(("caf\ufffd <NUM> open",)))
    assert found.lines == 9
    assert (found.times.share, found.values.share) == (1.0, 1.0)


# --- in a run -------------------------------------------------------------------------------------


def run(host: Host, directory: Path, rules: Preprocess, lines: Sequence[str]) -> CheckResult:
    """The check of an export whose vocabulary holds the lines' events, which are replayed."""
    templates = masked(rules, lines)
    job = Job.make(directory, len(templates))
    job.vocab.write_text(json.dumps({text: n for n, text in enumerate(templates)}))
    rules.save(directory / "preprocess.json")
    replay = directory / "replayed.log"
    replay.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (model,) = logexport.run(job.request(replay=replay), host=host).models
    (check,) = [check for check in model.checks if check.name == "events"]
    return check


@pytest.mark.torch
def test_a_bundle_with_rules_of_version_1_is_warned_of_and_published(
    tiny_host: Host, tmp_path: Path
) -> None:
    check = run(tiny_host, tmp_path, ALOG_DETECT, tomcat(120))
    assert check.status == "passed"
    (warning,) = check.warnings
    assert "moved nothing but dates and times" in warning
    assert "rules are of version 1" in warning
    (published,) = checks_of(tmp_path / "bundle")
    assert published["figures"]["first"] == check.figures["first"] != []


@pytest.mark.torch
def test_a_bundle_whose_rules_were_learned_is_clean(tiny_host: Host, tmp_path: Path) -> None:
    lines = tomcat(120)
    check = run(tiny_host, tmp_path, learned(lines), lines)
    assert (check.status, check.warnings, check.figures["first"]) == ("passed", (), [])
    assert check.figures["lines"] == 120


def checks_of(bundle: Path) -> list[dict[str, Any]]:
    """What `validation.json` says of the check."""
    checks = Bundle.load(bundle).validation["tiny"]["checks"]
    return [check for check in checks if check["name"] == "events"]


@pytest.mark.torch
def test_without_a_log_the_check_is_skipped_with_its_reason(exported: Path) -> None:
    (check,) = checks_of(exported)
    assert check["status"] == "skipped"
    assert "no --replay" in check["message"]
