"""The C engine says what the Python reference says, byte for byte, whatever it is given.

Rules, vocabularies, tasks, options and logs are drawn at random; each is judged once by the
reference and then by the engine, with several numbers of threads and cut into pieces in several
ways. ``LOGEXPORT_DIFFERENTIAL_CASES`` sets how many are drawn (hundreds by default).
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from logexport.logs.headers import Header
from logexport.logs.masks import ALOG_DETECT_MASKS, DEFAULT_MASKS, Mask
from logexport.logs.preprocess import Preprocess, SessionRule
from logexport.logs.tokens import TokenRule
from logexport.types import Task, Vocabulary

from tests.native.bundles import KINDS, Tables, make_task, write_bundle
from tests.native.engine import cut, reference, said

CASES = int(os.environ.get("LOGEXPORT_DIFFERENTIAL_CASES", "300"))

# --- what logs and rules are made of --------------------------------------------------------------

TOKENS = (
    "a",
    "b",
    "ab",
    "<*>",
    "<NUM>",
    "<ID>",
    "é",
    "<*>x",
    "a1",
    "7",
    "-7",
    "k=1",
    "k=",
    "a::7",
    "(7),",
    "<*:mark>",
    "a<*>",
    "<:N:><*>1",
    "日本",
    "\x00",
)
SPACES = (" ", " ", " ", "  ", "\t", "\x0b", "\x0c", "\r", " \r ")
OTHER_SPACES = ("\u00a0", "\u2028", "\x85", "\x1c", "\ufeff")

HEADERS = (
    Header("tag", r"(?P<host>\w+): (?P<message>.*)$"),
    Header("host", r"^\[(?P<host>[^\]]*)\] ?(?P<message>.*)$"),
    Header("optional", r"<(?P<host>\d+)?>(?P<message>.*)"),
    Header("short", r"(?P<message>a\S*)"),
    Header("lost", r"(?:!(?P<message>.*)|\?(?P<process>.*))$"),
)

MASKS = (
    Mask("number", r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])", "<NUM>"),
    Mask("name", r"\b([a-z]+)(\d+)\b", r"\1<ID>"),
    Mask("swap", r"(a)(b)?", r"\2\1"),
    Mask("empty", r"x*", "<X>"),
    Mask("lazy", r"a*?", r"<\\\0>"),
    Mask("space", r"b", " b\t"),
    Mask("gone", r"é", ""),
    Mask("start", r"^a", "日本"),
    Mask("end", r"\S$", "E"),
    Mask("wide", r"[^\x00-\x7f]", "U"),
    Mask("blank", r"\s+", " "),
    Mask("nul", r"\x00", "0"),
    Mask("ahead", r"(?=a)|b", "<B>"),
    Mask("edge", r"\b(?=\w)|\W\B", "|"),
    Mask("any", r".(?<=7)", "<7>"),
    Mask("bytes", r"\xe9|[\xc0-\xff]", "L"),
)

TOKEN_RULES = st.builds(TokenRule, st.sampled_from(("=:", "", "<", ",-")), st.booleans())

SESSIONS = (
    SessionRule("none"),
    SessionRule("none"),
    SessionRule("host"),
    SessionRule("regex", r"s\d"),
    SessionRule("regex", r"(?:id=(\d*))|(b)"),
    SessionRule("regex", r"id=([^ ]*)"),
    SessionRule("regex", r"\W"),
)

WILDCARDS = re.compile(r"<\*>|<\*:mark>|<:N:>")

token = st.sampled_from(TOKENS)
space = st.sampled_from(SPACES)


@st.composite
def texts(draw: st.DrawFn, most: int = 4) -> str:
    """A few tokens, now and then with unusual white space."""
    parts = [draw(st.sampled_from(("", "", " ", "\t")))]
    for _ in range(draw(st.integers(0, most))):
        parts += [draw(token), draw(space)]
    return "".join(parts[:-1]) if draw(st.booleans()) else "".join(parts)


@st.composite
def vocabularies(draw: st.DrawFn) -> Vocabulary:
    templates = draw(st.lists(texts(3), min_size=2, max_size=9, unique=True))
    reserved = {}
    for name in ("unknown", "missing:1"):
        if draw(st.integers(0, 3)) == 0:
            at = draw(st.integers(0, len(templates) - 1))
            if at not in reserved.values():
                templates[at] = f"\n{name}"
                reserved[name] = at
    return Vocabulary(tuple(templates), reserved)


@st.composite
def rules(draw: st.DrawFn) -> Preprocess:
    """Half of them leave most lines as they are, so that templates match and windows fill."""
    headers: tuple[Header, ...] = ()
    masks: tuple[Mask, ...] = ()
    if draw(st.booleans()):
        headers = tuple(draw(st.lists(st.sampled_from(HEADERS), max_size=3, unique=True)))
        sets = st.sampled_from((DEFAULT_MASKS, ALOG_DETECT_MASKS))
        own = st.lists(st.sampled_from(MASKS), max_size=4, unique_by=lambda mask: mask.name)
        masks = tuple(draw(st.one_of(sets, own, own)))
    # Of version 1, of version 2 as parse makes them, or of version 2 with anything.
    version = draw(st.integers(0, 3))
    session = draw(st.sampled_from(SESSIONS))
    most = draw(st.sampled_from((100_000, 1, 2, 3)))
    held = {} if version else {"max_sessions": most}
    if version and session.by != "none":
        session = replace(session, idle_lines=most)
    return Preprocess(
        encoding="utf-8" if version else None,
        tokens=draw(TOKEN_RULES) if version > 1 else TokenRule(),
        inner=version > 1 and draw(st.booleans()),
        headers=headers,
        masks=masks,
        prefer=draw(st.sampled_from(("specific", "general"))),
        session=session,
        **held,
        max_line_bytes=draw(st.sampled_from((1 << 20, 1 << 20, 1 << 20, 30, 12, 1))),
    )


def encoded(text: str) -> bytes:
    return text.encode("utf-8")


line_contents = st.one_of(
    texts(6).map(encoded),
    texts(6).map(encoded),
    st.builds(
        lambda prefix, text: encoded(prefix + text),
        st.sampled_from(
            ("s1 ", "s2 ", "id= ", "id=4 ", "h1: ", "[h 2] ", "<3>", "<>", "!", "?", "[] ")
        ),
        texts(4),
    ),
    st.builds(lambda a, b: encoded(a + b), st.sampled_from(OTHER_SPACES), texts(2)),
    st.builds(bytes.__add__, texts(2).map(encoded), st.binary(max_size=6)),
    st.binary(max_size=12),
    st.sampled_from(
        (b"", b" ", b"\t\x0b\r", b"\xed\xa0\x80", b"\xf4\x90\x80\x80 a", b"a\xe2\x82", b"\r\r")
    ),
    st.integers(20, 60).map(lambda n: b"a" * n),
)
line_ends = st.sampled_from((b"\n", b"\n", b"\n", b"\r\n", b"\r\r\n", b"\n\n"))


@st.composite
def filled(draw: st.DrawFn, vocabulary: Vocabulary) -> bytes:
    """A template of the vocabulary with something in place of each wildcard."""
    template = draw(st.sampled_from(vocabulary.templates))
    if draw(st.integers(0, 4)):
        template = WILDCARDS.sub(
            lambda found: draw(token if found[0] == "<*>" else st.sampled_from(("7", "a1", "bc"))),
            template,
        )
    text = template
    prefix = draw(st.sampled_from(("",) * 8 + ("h1: ", "h2: ", "[s1] ", "<3>")))
    return encoded(prefix + text.replace("\n", "?"))


@st.composite
def logs(draw: st.DrawFn, vocabulary: Vocabulary) -> bytes:
    """Lines that come again, as a log's do, so that windows fill and matches happen."""
    pool = draw(st.lists(filled(vocabulary), min_size=2, max_size=6))
    pool += draw(st.lists(line_contents, max_size=3))
    ends = draw(st.lists(line_ends, min_size=1, max_size=4))
    random = Random(draw(st.integers(0, 2**32)))
    count = draw(st.sampled_from((40, 80, 12, 3, 0)))
    parts: list[bytes] = []
    for _ in range(count):
        parts += [random.choice(pool), random.choice(ends)]
    return b"".join(parts) + draw(st.sampled_from((b"", b"", b"a", b"\r", b" ", b"a\xc3")))


@dataclass(frozen=True)
class Case:
    task: Task
    vocabulary: Vocabulary
    rules: Preprocess
    tables: Tables
    log: bytes
    reference_options: dict[str, Any]
    engine_options: dict[str, Any]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    vocabulary = draw(vocabularies())
    kind = draw(st.sampled_from(KINDS))
    size = len(vocabulary)
    task = make_task(
        kind,
        length=draw(st.sampled_from((1, 2, 3, 5))),
        lines=draw(st.integers(1, 7)),
        stride=draw(st.integers(1, 8)),
        steps=draw(st.integers(1, 4)),
        top_k=draw(st.integers(1, size - 1)),
        threshold=draw(st.sampled_from((0.0, 0.25, 0.5, 1.1, 3.5))),
        attribution=draw(st.booleans()),
    )
    wild = draw(
        st.dictionaries(
            st.integers(0, size - 1),
            st.sampled_from((float("nan"), float("inf"), float("-inf"), 3e38)),
            min_size=1,
            max_size=1,
        )
        if draw(st.integers(0, 2)) == 0
        else st.just({})
    )
    theirs: dict[str, Any] = {}
    ours: dict[str, Any] = {}
    if draw(st.booleans()):
        theirs["anomalies_only"], ours["anomalies_only"] = True, 1
    if kind.startswith("events") and draw(st.booleans()):
        theirs["session_summary"], ours["session_summary"] = True, 1
    if kind.startswith("events") and draw(st.integers(0, 4)) == 0:
        by = draw(st.sampled_from(("none", "host", r"s\d|h(\d)")))
        theirs["session_by"] = ours["session_by"] = by
    if kind.endswith("topk") and draw(st.integers(0, 3)) == 0:
        theirs["top_k"] = ours["top_k"] = draw(st.integers(1, size - 1))
    if kind.endswith("score") and draw(st.integers(0, 3)) == 0:
        theirs["threshold"] = draw(st.sampled_from((0.125, -1.0, 1e-9, 123456.789012345)))
        ours |= {"threshold": theirs["threshold"], "set_threshold": 1}
    if kind.endswith("score") and draw(st.integers(0, 5)) == 0:
        theirs["threshold"] = ours["threshold_name"] = draw(
            st.sampled_from(("p99", "3sigma", "low"))
        )
    tables = Tables(seed=draw(st.integers(0, 5)), wild=wild)
    return Case(task, vocabulary, draw(rules()), tables, draw(logs(vocabulary)), theirs, ours)


# --- the comparison -------------------------------------------------------------------------------


@settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
@given(
    case=cases(),
    threads=st.sampled_from((1, 2, 4)),
    sizes=st.lists(st.integers(0, 40), max_size=30),
    no_jit=st.booleans(),
)
def test_engine_and_reference_say_the_same_bytes(
    case: Case, threads: int, sizes: list[int], no_jit: bool
) -> None:
    with tempfile.TemporaryDirectory(prefix="logexport-") as directory:
        bundle = write_bundle(
            Path(directory, "bundle"), case.task, case.vocabulary, case.rules, tables=case.tables
        )
        expected = reference(bundle, case.log, **case.reference_options)
        whole = said(bundle, [case.log], no_jit=int(no_jit), **case.engine_options)
        assert whole == expected
        pieces = cut(case.log, sizes)
        assert said(bundle, pieces, threads=threads, **case.engine_options) == expected
