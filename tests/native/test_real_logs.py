"""Real logs: the engine equals the reference on every line, from files and through pipes.

Templates are mined and vocabularies built by the project's own commands; the graph is made by hand,
since what is compared is all that stands around the model.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from logexport.logs.preprocess import ALOG_DETECT, Preprocess, SessionRule
from logexport.types import Vocabulary
from logexport.vocab import load_vocab

from tests.native.bundles import make_task, write_bundle
from tests.native.engine import engine, reference, said

LOGS = ("Linux", "HDFS", "Apache")
THREADS = (1, 2, 4)


def logexport(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "logexport", *map(str, words)], check=True, timeout=300)


@pytest.fixture(scope="module", params=[*LOGS, "alog-detect"])
def parsed(
    request: pytest.FixtureRequest, test_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Vocabulary, Preprocess]:
    """A log, and the vocabulary and rules that parse and build made of it (or alog-detect's)."""
    if request.param == "alog-detect":
        vocabulary = load_vocab(test_data / "checkpoints" / "alog-detect-linux" / "vocab.json")
        return test_data / "loghub" / "Linux_2k.log", vocabulary, ALOG_DETECT
    log = test_data / "loghub" / f"{request.param}_2k.log"
    directory = tmp_path_factory.mktemp(request.param)
    logexport("parse", log, "-o", directory)
    parquet = directory / "parsed.parquet"
    logexport("deeplog", "build", "--parsed", parquet, "-o", directory)
    return log, load_vocab(directory / "vocab.json"), Preprocess.load(directory / "preprocess.json")


def pieces(data: bytes, seed: int) -> list[bytes]:
    """The log cut at random, with flushes between."""
    random, out, at = Random(seed), [], 0
    while at < len(data):
        size = random.choice((1, 7, 100, 4096, 70_000))
        out.append(data[at : at + size])
        at += size
        if random.random() < 0.2:
            out.append(b"")
    return out


@pytest.mark.parametrize(
    ("kind", "session"),
    [
        ("events topk", SessionRule("none")),
        ("events topk", SessionRule("host", idle_lines=100_000)),
        ("events score", SessionRule("regex", r"blk_-?\d+|\[\d+\]", idle_lines=30)),
        ("events topk", SessionRule("regex", r"(\d)\b", idle_lines=20, idle_seconds=60)),
        ("counts score", SessionRule("none")),
        ("counts topk", SessionRule("none")),
    ],
)
def test_no_line_differs(
    parsed: tuple[Path, Vocabulary, Preprocess],
    kind: str,
    session: SessionRule,
    tmp_path: Path,
) -> None:
    log, vocabulary, rules = parsed
    if rules.version == 1:
        rules = replace(rules, session=session.without_ends, max_sessions=3)
    else:
        rules = replace(rules, session=session)
    task = make_task(
        kind, length=5, lines=50, stride=25, steps=4, top_k=min(9, len(vocabulary) - 1)
    )
    bundle = write_bundle(tmp_path / "bundle", task, vocabulary, rules)
    data = log.read_bytes()
    events = kind.startswith("events")
    expected = reference(bundle, data, session_summary=events)
    verdicts = [json.loads(line) for line in expected.splitlines()]
    assert sum(record.get("reason") != "unseen" for record in verdicts) > (1500 if events else 50)

    options = ["--session-summary"] if events else []
    for threads in THREADS:
        done = engine("detect", bundle, log, "--threads", threads, *options)
        assert (done.returncode, done.stdout) == (0, expected)
        cut = pieces(data, seed=threads)
        assert said(bundle, cut, threads=threads, session_summary=int(events)) == expected

    done = engine("detect", bundle, "-", "--threads", 2, *options, input=data)
    assert (done.returncode, done.stdout) == (0, expected)
