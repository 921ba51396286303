"""Logs made from a vocabulary: what they hold, and that the real rules read them as meant."""

from __future__ import annotations

import io
import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logexport.bundle import Bundle
from logexport.detect import detect
from logexport.logs.events import Event, EventReader
from logexport.logs.headers import PRESETS, Header
from logexport.logs.kept import ABSENT, KeptField
from logexport.logs.lines import as_log, iter_lines, iter_logs
from logexport.logs.masks import DEFAULT_MASKS, MASK_SETS, Mask
from logexport.logs.preprocess import ALOG_DETECT, Preprocess, SessionRule
from logexport.logs.structured import StructuredForm
from logexport.logs.tokens import TokenRule
from logexport.selftest import RenderedLog, render_selftest, write_selftest
from logexport.selftest.rendering import MAX_BYTES
from logexport.selftest.sampling import draw
from logexport.types import Task, Vocabulary
from logexport.verdicts.records import Record

from tests.detect.bundles import write_bundle
from tests.detect.fakes import count_score, event_topk

TEMPLATES = (
    "session opened for user <*> by (uid= <NUM>",
    "connection from <IP> port <NUM>",
    "creating device node <PATH>",
    "moved <*:mark> to <*:mark>",
    "eth<ID>: link up",
    "cupsd <*> succeeded",
    "page at <HEX> freed",
    "bye",
    "<*>",
)
VOCABULARY = Vocabulary((*TEMPLATES, "\nunknown"), {"unknown": len(TEMPLATES)})
RULES = Preprocess(headers=PRESETS["syslog"])


def events_of(made: RenderedLog, rules: Preprocess, vocabulary: Vocabulary) -> list[Event]:
    lines = iter_lines(as_log(io.BytesIO(made.data), "made", rules.reading), rules.reading)
    return list(EventReader(rules, vocabulary).read(lines))


def test_every_template_is_rendered_and_comes_back() -> None:
    made = render_selftest(VOCABULARY, RULES, event_topk(10, 3))
    events = events_of(made, RULES, VOCABULARY)
    assert made.skipped == ()
    assert made.rendered == len(TEMPLATES)
    assert {event.template for event in events} == {*range(len(TEMPLATES)), None}
    assert sum(event.template is None for event in events) == made.unseen > 0
    assert made.data.count(b"\n") + (not made.data.endswith(b"\n")) == made.lines


def test_it_holds_what_logs_hold_in_the_field() -> None:
    data = render_selftest(VOCABULARY, RULES, event_topk(10, 3)).data
    assert len(data) <= MAX_BYTES
    assert b"\r\n" in data
    assert b"\x00" in data
    assert re.search(rb"\n\r?\n", data), "a blank line"
    assert b"\t" in data
    with pytest.raises(UnicodeDecodeError):
        data.decode("utf-8")
    # A damaged line that is a template all the same, through its <*>.
    events = events_of(render_selftest(VOCABULARY, RULES, event_topk(10, 3)), RULES, VOCABULARY)
    numbers = {event.line for event in events if event.template is not None}
    damaged = {n for n, raw in enumerate(data.split(b"\n"), 1) if b"\xff" in raw}
    assert damaged & numbers
    assert damaged - numbers


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    one = render_selftest(VOCABULARY, RULES, event_topk(10, 3), seed=1)
    assert one == render_selftest(VOCABULARY, RULES, event_topk(10, 3), seed=1)
    assert one != render_selftest(VOCABULARY, RULES, event_topk(10, 3), seed=2)


@pytest.mark.parametrize("max_bytes", [0, 10, 3000, 300_000])
def test_it_is_as_large_as_allowed(max_bytes: int) -> None:
    made = render_selftest(VOCABULARY, RULES, event_topk(3, 3), max_bytes=max_bytes)
    assert max_bytes - 400 < len(made.data) <= max_bytes


@pytest.mark.parametrize("by", [SessionRule("host"), SessionRule("regex", r"user (\S+)")])
def test_sessions_are_long_enough_to_be_judged(by: SessionRule) -> None:
    rules = Preprocess(headers=PRESETS["syslog"], session=by)
    templates = ("user <*> logged in", "user <*> left after <NUM> s", "user <*> failed")
    vocabulary = Vocabulary(templates)
    events = events_of(render_selftest(vocabulary, rules, event_topk(50, 1)), rules, vocabulary)
    lengths: dict[str | None, int] = {}
    for event in events:
        if event.template is not None:
            lengths[event.session] = lengths.get(event.session, 0) + 1
    assert sum(length > 50 for length in lengths.values()) >= 2


def test_long_templates_give_way_where_a_count_sample_would_not_fit() -> None:
    long = tuple(f"{'word ' * 100}{i} <*>" for i in range(30))
    short = tuple(f"short {chr(97 + i)} <*>" for i in range(10))
    vocabulary, task = Vocabulary(long + short), count_score(50, 25, 20, 1.0)
    made = render_selftest(vocabulary, RULES, task)
    assert len(events_of(made, RULES, vocabulary)) >= 19 * 25 + 50


def test_a_model_that_ranks_gets_lines_that_it_expects_and_others(tmp_path: Path) -> None:
    templates = tuple(f"word{chr(97 + i)} <*>" for i in range(20))
    bundle = Bundle.load(
        write_bundle(tmp_path / "b", event_topk(5, 4), Vocabulary(templates), RULES)
    )
    verdicts = tmp_path / "verdicts"
    write_selftest(bundle.model(None), tmp_path / "log", verdicts)
    found = [json.loads(line)["verdict"] for line in verdicts.read_text().splitlines()]
    assert found.count("normal") > 100
    assert found.count("anomaly") > 100


def test_templates_that_never_win_are_skipped_and_named() -> None:
    templates = ("cupsd shutdown succeeded", "cupsd <*> succeeded", "number 17")
    rules = Preprocess(prefer="general")
    made = render_selftest(Vocabulary(templates), rules, event_topk(2, 1), max_bytes=4000)
    assert made.skipped == (0, 2)  # shadowed by <*>; 17 is always masked
    assert made.rendered == 1


@pytest.mark.parametrize("prefer", ["specific", "general"])
@pytest.mark.parametrize("masks", ["default", "alog-detect"])
def test_every_default_mask_can_be_turned_back(masks: str, prefer: str) -> None:
    names = [
        mask.replacement.replace("\\1=", "uid=").replace("\\1", "eth") for mask in MASK_SETS[masks]
    ]
    names = ["<IP<ID>>" if name == "<IP6>" else name for name in names]
    templates = tuple(f"word{chr(97 + i)} {name} end" for i, name in enumerate(names))
    rules = Preprocess(masks=MASK_SETS[masks], prefer=prefer)  # type: ignore[arg-type]
    made = render_selftest(Vocabulary(templates), rules, event_topk(2, 1))
    assert made.skipped == ()


def test_masks_headers_and_sessions_of_the_users_own() -> None:
    rules = Preprocess(
        headers=(
            Header("own", r"(?P<timestamp>\d{4}/\d+) \|(?P<host>[a-f]{3})\|=> (?P<message>.*)$"),
        ),
        masks=(Mask("block", r"blk_-?\d+", "<BLK>"), Mask("q", r"q\((\w+)\)", r"Q:\1")),
        session=SessionRule("regex", r"blk_-?\d+"),
    )
    vocabulary = Vocabulary(("got <BLK> of q", "served <BLK> Q:abc", "lost <BLK> to <*>"))
    made = render_selftest(vocabulary, rules, event_topk(5, 1))
    assert made.skipped == (1,) or made.skipped == ()  # q(abc) must be drawn letter by letter
    events = events_of(made, rules, vocabulary)
    sessions = {event.session for event in events if event.template is not None}
    assert len(sessions) == 3
    assert None not in sessions
    assert re.search(rb"^\d{4}/\d+ \|[a-f]{3}\|=> got blk_-?\d+ of q\r?$", made.data, re.M)


def test_an_empty_template_and_over_long_lines() -> None:
    rules = Preprocess(headers=PRESETS["syslog"], max_line_bytes=200)
    vocabulary = Vocabulary(("", "bye <*>"))
    made = render_selftest(vocabulary, rules, event_topk(2, 1))
    assert made.skipped == ()
    assert max(map(len, made.data.split(b"\n"))) > 200


def test_without_one_template_that_can_be_made_there_is_still_a_log() -> None:
    made = render_selftest(Vocabulary(("number 17",)), Preprocess(), event_topk(2, 1))
    assert made.skipped == (0,)
    assert made.unseen > 100


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.lists(
            st.sampled_from(["a", "b", "<*>", "<NUM>", "x=", "<*:mark>", "eth<ID>", "é", "<IP>"]),
            min_size=1,
            max_size=5,
        ).map(" ".join),
        min_size=1,
        max_size=8,
        unique=True,
    ),
    st.sampled_from(sorted(PRESETS)),
    st.sampled_from(["specific", "general"]),
    st.integers(0, 10),
)
def test_counts_of_rendered_and_skipped_are_true(
    templates: list[str], headers: str, prefer: str, seed: int
) -> None:
    rules = Preprocess(headers=PRESETS[headers], prefer=prefer)  # type: ignore[arg-type]
    vocabulary = Vocabulary(tuple(templates))
    made = render_selftest(vocabulary, rules, event_topk(2, 1), seed, max_bytes=20_000)
    assert made.rendered + len(made.skipped) == len(templates)
    found = {event.template for event in events_of(made, rules, vocabulary)} - {None}
    assert found.isdisjoint(made.skipped)
    if prefer == "specific":
        assert made.skipped == ()


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.lists(
            st.sampled_from(
                ["a", "<*>", "<:NUM:>", "<*:mark>", "blk_<*>", "/<*>:<:PORT:>", "<*><*>é", "<NUM>"]
            ),
            min_size=1,
            max_size=4,
        ).map(" ".join),
        min_size=1,
        max_size=6,
        unique_by=lambda template: template.replace("<:NUM:>", "<*>"),
    ),
    st.sampled_from([DEFAULT_MASKS, ()]),
    st.integers(0, 10),
)
def test_templates_from_elsewhere_are_rendered(
    templates: list[str], masks: tuple[Mask, ...], seed: int
) -> None:
    rules = Preprocess(masks=masks, tokens=TokenRule("", bool(masks)), inner=True)
    vocabulary = Vocabulary(tuple(templates))
    made = render_selftest(vocabulary, rules, event_topk(2, 1), seed, max_bytes=20_000)
    found = {event.template for event in events_of(made, rules, vocabulary)} - {None}
    assert found.isdisjoint(made.skipped)
    skipped = {templates[index] for index in made.skipped}
    # Without masks nothing is marked; with them "/a:1" is a path, and no "/" is left of it.
    assert all(("/" if masks else "<*:mark>") in template for template in skipped)


KEPT_HEADERS = (
    Header("level", r"\d{2}:\d{2} (?P<level>[A-Z]+)(?: \((?P<status>\d{3})\))?: (?P<message>.*)$"),
    Header("waits", r"\d+ <(?P<priority>\d+)>(?P<message>)$", next_line=True),
)
KEPT_RULES = {
    "headers": Preprocess(
        headers=KEPT_HEADERS, keep=(KeptField("level"), KeptField("status", "class"))
    ),
    "severity": Preprocess(
        headers=KEPT_HEADERS, keep=(KeptField("priority", "severity"), KeptField("level"))
    ),
    "structured": Preprocess(
        structured=(
            StructuredForm("json", "m", level="a.lvl", pid="p"),
            StructuredForm("logfmt", "msg", level="level", pid="pid"),
        ),
        keep=(KeptField("level", "severity"), KeptField("pid", "class")),
        session=SessionRule("field", field="level"),
    ),
    "both": Preprocess(
        structured=(StructuredForm("docker"),),
        headers=KEPT_HEADERS,
        keep=(KeptField("level"), KeptField("status", "class")),
    ),
}
KEPT_TOKENS = {
    "headers": (("INFO", ABSENT), ("E", "4xx"), (ABSENT, ABSENT), ("<*>", ABSENT), ("E", "<*>")),
    "severity": (("warning", ABSENT), (ABSENT, "INFO"), (ABSENT, ABSENT), ("debug", "<*>")),
    "structured": (("info", "4xx"), ("a_b", ABSENT), (ABSENT, ABSENT), ("<*>", "5xx"), ("e", "x")),
    "both": (("INFO", "5xx"), (ABSENT, ABSENT), ("E", ABSENT)),
}


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(sorted(KEPT_RULES)),
    st.lists(
        st.sampled_from(["a b", "<*>", "a <NUM>", "x= <NUM> é", "eth<ID> <IP>", ""]),
        min_size=1,
        unique=True,
    ),
    st.integers(0, 10),
)
def test_counts_are_true_with_kept_fields(name: str, messages: list[str], seed: int) -> None:
    rules = KEPT_RULES[name]
    templates = [
        f"{first} {second} {message}".rstrip(" ")
        for first, second in KEPT_TOKENS[name]
        for message in messages
        if message or (rules.headers and not rules.structured)
    ]
    vocabulary = Vocabulary(tuple(templates))
    made = render_selftest(vocabulary, rules, event_topk(2, 1), seed, max_bytes=20_000)
    assert made.rendered + len(made.skipped) == len(templates)
    found = {event.template for event in events_of(made, rules, vocabulary)} - {None}
    assert found.isdisjoint(made.skipped)
    without_a_record = f"{ABSENT} {ABSENT}"  # a blank line, which is nothing
    assert {templates[index] for index in made.skipped} <= {without_a_record}


def test_templates_that_kept_fields_cannot_be_are_skipped() -> None:
    templates = ("404 x", "4xx x", "<*>", "", f"{ABSENT} y")
    rules = Preprocess(keep=(KeptField("status", "class"),), prefer="general")
    made = render_selftest(Vocabulary(templates), rules, event_topk(2, 1), max_bytes=4000)
    assert made.skipped == (0, 1, 2, 3)  # nothing says a status; a line has a word


@pytest.mark.parametrize("kind", ["event", "count"])
def test_the_files_of_a_bundle(tmp_path: Path, kind: str) -> None:
    from logexport.types import ScoreThreshold

    task: Task = event_topk(5, 2)
    if kind == "count":
        decision = ScoreThreshold("reconstruction_error", 0.5, attribution="feature_error")
        task = Task(count_score(10, 5, 4, 0.5).input, decision)
    bundle = Bundle.load(write_bundle(tmp_path / "b", task, VOCABULARY, RULES))
    model = bundle.model(None)
    log, verdicts = tmp_path / "x.selftest.log", tmp_path / "x.selftest.jsonl"
    made = write_selftest(model, log, verdicts)
    assert log.read_bytes() == RULES.mark + made.data
    records = [json.loads(line) for line in verdicts.read_bytes().splitlines()]
    assert sum(record["verdict"] in ("normal", "anomaly") for record in records) >= 20
    lines = iter_logs([log], model.preprocess.reading)
    again = [record.to_line() for record in detect(lines, model) if isinstance(record, Record)]
    assert again == verdicts.read_text(encoding="utf-8").split("\n")[:-1]


@given(
    st.sampled_from(
        [mask.pattern for masks in MASK_SETS.values() for mask in masks]
        + [h.pattern for headers in PRESETS.values() for h in headers if not h.next_line]
    ),
    st.integers(),
)
@settings(deadline=None)
def test_drawn_texts_mostly_match(pattern: str, seed: int) -> None:
    """Of forty draws at least one matches: look-arounds and anchors are not looked at."""
    source = random.Random(seed)
    texts = [draw(pattern, source, {"message": "hello world"}) for _ in range(40)]
    assert any(re.search(pattern, text, re.ASCII) for text in texts)


def test_alog_detects_vocabulary_is_rendered_but_for_what_never_wins(test_data: Path) -> None:
    path = test_data / "checkpoints" / "alog-detect-linux" / "vocab.json"
    indices = json.loads(path.read_text())
    vocabulary = Vocabulary(tuple(sorted(indices, key=indices.__getitem__)))
    made = render_selftest(vocabulary, ALOG_DETECT, event_topk(50, 3))
    assert made.rendered == 116
    found = {event.template for event in events_of(made, ALOG_DETECT, vocabulary)}
    assert len(found - {None}) > 90
