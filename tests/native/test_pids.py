"""PostgreSQL's fields behind heads of their own: the engine says what the reference says."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from logexport.logs.headers import Header
from logexport.logs.kept import KeptField
from logexport.logs.pids import FIELD_LEVELS
from logexport.logs.preprocess import Preprocess, SessionRule
from logexport.logs.structured import StructuredForm
from logexport.types import Vocabulary

from tests.logs import trace_lines
from tests.native.bundles import make_task, write_bundle
from tests.native.engine import Engine, engine, reference
from tests.native.test_decoding import push_all

HEADS = (
    Header("level", r"\[(?P<pid>[^\]]*)\] (?:(?P<level>\w*): +)?(?P<message>.*)$"),
    Header("waits", r"#(?P<pid>\w*) (?P<level>\w+) *(?P<message>\w*)$", next_line=True),
    Header("pid", r"-(?P<pid>\w*)- (?P<message>.*)$"),
    Header("no-pid", r"(?P<level>[A-Z]+): (?P<message>.*)$"),
)
RULES = {
    "plain": Preprocess(headers=HEADS, session=SessionRule("regex", r"[ab]")),
    "structured": Preprocess(
        headers=HEADS,
        structured=(StructuredForm("docker"), StructuredForm("json", "m", pid="p", level="l")),
        session=SessionRule("field", field="pid"),
    ),
    "kept": Preprocess(
        headers=HEADS, keep=(KeptField("level"), KeptField("pid")), max_line_bytes=60
    ),
    "no continuation": Preprocess(headers=HEADS, continuation=False),
    "no field": Preprocess(headers=HEADS[2:]),
}
TEMPLATES = tuple(" ".join(["<*>"] * count) for count in range(9))

pids = st.sampled_from(("7", "8", "17", "", "x" * 64, "x" * 65, "é" * 32, "é" * 33, "\0"))
levels = st.sampled_from((*FIELD_LEVELS, "ERROR", "LOG", "Detail", "DETAILS", "DETAI", ""))
texts = st.sampled_from(
    ("", "x", "a b", "Traceback (most recent call last):", "a.B.Error: x", "y" * 70)
)
heads = st.builds(
    "{} {}{}{}".format,
    st.builds("[{}]".format, pids),
    levels.map(lambda level: f"{level}:" if level else ""),
    st.sampled_from((" ", "  ")),
    texts,
)
other_heads = st.one_of(
    st.builds("#{} {} {}".format, pids, levels, st.sampled_from(("", "x"))),
    st.builds("-{}- {}".format, pids, texts),
    st.builds("{}: {}".format, levels, texts),
)
tails = st.sampled_from(
    (
        "\tx",
        "  x",
        "x",
        "\ta.B.Error: x",
        "a.B.Error: x",
        "DETAIL:  x",
        *trace_lines.PYTHON.split("\n"),
    )
)
lines = st.one_of(heads, heads, other_heads, tails)
docker = st.builds(
    lambda text, stream, end: json.dumps({"log": text + end, "stream": stream}),
    lines,
    st.sampled_from(("stdout", "stderr")),
    st.sampled_from(("\n", "")),
)
json_lines = st.builds(
    lambda text, pid, level: json.dumps({"m": text, "p": pid, "l": level}), lines, pids, levels
)
gaps = st.sampled_from((0, 1, 497, 997, 998, 999, 1000, 1001)).map(lambda count: "\n" * count)
logs = st.lists(st.one_of(lines, lines, lines, docker, json_lines, gaps), max_size=60).map(
    lambda parts: "\n".join(parts).encode()
)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = tmp_path_factory.mktemp("bundles")
    return {
        name: write_bundle(
            made / f"{place}", make_task("events topk"), Vocabulary(TEMPLATES), rules
        )
        for place, (name, rules) in enumerate(RULES.items())
    }


@pytest.mark.parametrize("name", RULES)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example(data=b"[7] LOG: x" + b"\n" * 1000 + b"[7] HINT: x", seed=0)
@example(data=b"[7] LOG: x" + b"\n" * 1001 + b"[7] HINT: x", seed=0)
@given(data=logs, seed=st.integers(0, 1 << 30))
def test_engine_and_reference_join_the_same(
    bundles: dict[str, Path], name: str, data: bytes, seed: int
) -> None:
    for threads in (1, 2):
        with Engine(bundles[name], threads=threads, session_summary=True) as one:
            for _ in range(2):  # the second log begins as new
                one.said.clear()
                push_all(one, data, random.Random(seed))
                assert bytes(one.said) == reference(bundles[name], data, session_summary=True)


@pytest.mark.parametrize("many", [3, 900, 3000])
@pytest.mark.parametrize("seed", range(3))
def test_many_pids_are_joined_the_same(bundles: dict[str, Path], many: int, seed: int) -> None:
    numbers = random.Random(seed)
    log = []
    for _ in range(8000):
        level = numbers.choice(("LOG", "ERROR", "DETAIL", "STATEMENT"))
        log.append(f"[{numbers.randrange(many)}] {level}:  x")
    data = "\n".join(log).encode()
    with Engine(bundles["plain"], threads=2) as one:
        one.push(data)
        one.finish()
        assert bytes(one.said) == reference(bundles["plain"], data)
        assert 3000 < one.said.count(b"\n") < 8000


def test_fields_are_joined_across_the_end_of_a_file(
    bundles: dict[str, Path], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    from logexport.cli import main

    one, two = tmp_path / "one.log", tmp_path / "two.log"
    one.write_text("[7] ERROR:  no\n[8] LOG:  x\n")
    two.write_text("[7] DETAIL:  x\n\tx\n[9] HINT:  x\n")
    done = engine("detect", bundles["plain"], one, two)
    assert [json.loads(line)["line"] for line in done.stdout.splitlines()] == [1, 2, 5]
    assert main(["detect", str(bundles["plain"]), str(one), str(two), "--engine", "python"]) == 0
    assert capfdbinary.readouterr().out == done.stdout
