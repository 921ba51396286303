"""Sessions that begin and end, from a raw log to a checkpoint: what build reserves, what train
learns of it, and how k comes from a budget of false alarms."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from logexport.errors import CheckpointError, InputError, UsageError, VocabularyError
from logexport.training.line_tables import read_sequences
from logexport.training.parse import ParseRequest, parse_logs
from logexport.types import EventWindow, ModelRequest
from logexport.vocab import load_vocab
from logexport_deeplog.checkpoints import read_deeplog
from logexport_deeplog.cli import deeplog
from logexport_deeplog.load import load, vocabulary

pytestmark = pytest.mark.torch

BY = r"^(job-[0-9]+) "
STEPS = ("accepts the order", "reads input file", "writes result", "is finished after all")
NAMES = ("Ada", "Ben", "Cleo", "Dora", "Emil", "Finn", "Gina")
SMALL = ["--seq-len", "4", "--embed-dim", "4", "--hidden-dim", "12", "--epochs", "3"]


def write_log(path: Path, sessions: int = 120, seed: int = 3) -> Path:
    """Jobs that overlap; each reads and writes as often as it likes, and is finished."""
    generator = random.Random(seed)
    waiting = [f"job-{n}" for n in range(sessions)]
    plans = {
        name: [STEPS[0], *(STEPS[1:3] * generator.randint(1, 3)), STEPS[3]] for name in waiting
    }
    lines = ["nobody speaks here of any thing"]
    while plans:
        name = generator.choice(list(plans)[:4])
        lines.append(f"{name} {plans[name].pop(0)}")
        if not plans[name]:
            del plans[name]
    path.write_text("\n".join(lines) + "\n")
    return path


def call(*arguments: object) -> dict[str, Any]:
    """Run a ``logexport deeplog`` command with --json and give its document."""
    result = CliRunner().invoke(deeplog, [*map(str, arguments), "--json"])
    if result.exception is not None:
        raise result.exception
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def train(folder: Path, output: Path, *options: object) -> dict[str, Any]:
    files = ["--sequences", folder / "sequences.parquet", "--vocab", folder / "vocab.json"]
    return call("train", *files, "-o", output, *SMALL, *options)


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parsed")
    parse_logs(ParseRequest([write_log(folder / "jobs.log")], folder, format="plain"))
    return folder / "parsed.parquet"


@pytest.fixture(scope="module")
def built(parsed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    call("build", "--parsed", parsed, "-o", folder, "--session-by", BY)
    return folder


# --- build ----------------------------------------------------------------------------------------


def test_sessions_by_a_pattern_reserve_a_start_and_an_end_after_all_templates(
    parsed: Path, tmp_path: Path
) -> None:
    document = call("build", "--parsed", parsed, "-o", tmp_path, "--session-by", BY)
    vocab = load_vocab(tmp_path / "vocab.json")
    assert dict(vocab.reserved) == {"start": 5, "end": 6}
    about = read_sequences(tmp_path / "sequences.parquet").about
    assert about is not None
    assert (about["start"], about["end"]) == (document["start"], document["end"]) == (5, 6)
    assert document["sessions"] == 121  # and that of the line that names none
    assert document["closed_by"] == {"end": 120}
    assert document["idle_lines"] == 1000 >= 2 * document["longest_gap"] > 0
    rows = list(read_sequences(tmp_path / "sequences.parquet"))
    names = {row.session_number: row.session for row in rows}
    assert len(names) == len(set(names.values())) == 121


@pytest.mark.parametrize(
    "options", [["--session-by", BY, "--no-boundaries"], ["--session-by", "none"]]
)
def test_without_boundaries_nothing_is_reserved(
    parsed: Path, tmp_path: Path, options: list[str]
) -> None:
    document = call("build", "--parsed", parsed, "-o", tmp_path, *options)
    assert document["start"] is document["end"] is None
    assert not load_vocab(tmp_path / "vocab.json").reserved
    about = read_sequences(tmp_path / "sequences.parquet").about
    assert about is not None
    assert not {"start", "end"} & about.keys()


def test_a_vocabulary_that_reserves_them_keeps_them_and_another_gets_them(
    parsed: Path, built: Path, tmp_path: Path
) -> None:
    templates = [t for t in load_vocab(built / "vocab.json").templates if "\n" not in t]
    orders = {"with": ["\nend", *templates, "\nstart"], "without": templates}
    for name, entries in orders.items():
        vocab = tmp_path / f"{name}.json"
        vocab.write_text(json.dumps({entry: n for n, entry in enumerate(entries)}))
        out = tmp_path / name
        document = call(
            "build", "--parsed", parsed, "-o", out, "--session-by", BY, "--vocab", vocab
        )
        assert (document["start"], document["end"]) == ((6, 0) if name == "with" else (5, 6))
        assert load_vocab(out / "vocab.json").templates[: len(entries)] == tuple(entries)


def test_ends_are_applied_to_the_training_log(parsed: Path, tmp_path: Path) -> None:
    ends = ("--idle-lines", "3", "--close-pattern", "is finished")
    document = call("build", "--parsed", parsed, "-o", tmp_path, "--session-by", BY, *ends)
    assert document["idle_lines"] == 3
    assert document["longest_gap"] is None  # not measured
    assert document["closed_by"]["idle"] > 0 < document["closed_by"]["pattern"]
    assert document["sessions"] - 1 == sum(document["closed_by"].values()) > 120
    assert document["split_share"] > 0.001
    assert any("several sessions" in warning for warning in document["warnings"])


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        (["--session-by", "blk_[0-9]+"], InputError, "in none of the"),
        (["--session-by", "job"], InputError, "finds one session"),
        (["--session-by", "none", "--idle-lines", "5"], UsageError, "--idle-lines"),
        (["--session-by", BY, "--idle-seconds", "5"], InputError, "--idle-seconds needs times"),
    ],
)
def test_sessions_that_divide_nothing_are_one_sentence(
    parsed: Path, tmp_path: Path, options: list[str], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as refusal:
        call("build", "--parsed", parsed, "-o", tmp_path / "b", *options)
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "b" / "vocab.json").exists()


# --- train ----------------------------------------------------------------------------------------


def test_k_is_the_smallest_within_the_budget_of_held_out_sessions(
    built: Path, tmp_path: Path
) -> None:
    """Counted again from the checkpoint, session by session, start and end included."""
    options = ("--holdout", "0.5", "--false-alarms", "0.05", "--epochs", "20", "--batch-size", "8")
    document = train(built, tmp_path / "m.pth", *options)
    assert (document["held_out_by"], document["held_out_sessions"]) == ("sessions", 60)
    vocab = load_vocab(built / "vocab.json")
    start, end = vocab.reserved["start"], vocab.reserved["end"]
    model = read_deeplog(tmp_path / "m.pth").module
    sessions: dict[int, list[int]] = {}
    for row in read_sequences(built / "sequences.parquet"):
        if row.session is not None:
            sessions.setdefault(row.session_number or 0, []).append(row.template_index or 0)
    worst = {}
    for number, own in sessions.items():
        padded = [start] * 4 + own + [end]
        ranks = []
        for place in range(len(own) + 1):
            logits = model(torch.tensor([padded[place : place + 4]]))[0]
            ranks.append(int((logits > logits[padded[place + 4]]).sum()))
        worst[number] = max(ranks)
    last = set(sorted(worst)[-30:])
    drawn_or_last = np.array([rank for number, rank in worst.items() if number in last])
    shares = {int(k): share for k, share in document["flagged_sessions"].items()}
    for k, share in shares.items():
        of_last = int((drawn_or_last >= k).sum())
        assert of_last <= round(share * 60) <= of_last + 30
        assert round(share * 60) <= sum(rank >= k for rank in worst.values())
    assert document["top_k_by"] == "budget"
    assert document["top_k"] == min(k for k, share in shares.items() if share <= 0.05)
    assert document["ends_trained"] == 60


def test_a_checkpoint_with_boundaries_is_loaded_as_a_task_with_them(
    built: Path, tmp_path: Path
) -> None:
    for name in ("m.pth", "m.safetensors"):
        train(built, tmp_path / name, "--top-k", "2")
        request = ModelRequest("deeplog", tmp_path / name, built / "vocab.json")
        model = load(request)
        assert model.task.input == EventWindow(4, 5, 6)
        assert vocabulary(request, model).reserved == {"start": 5, "end": 6}
        assert any("held-out sessions" in str(note) for note in model.meta["notes"])  # type: ignore[union-attr]
        assert not model.warnings


def test_a_vocabulary_with_a_template_in_the_place_of_an_end_is_refused(
    built: Path, tmp_path: Path
) -> None:
    train(built, tmp_path / "m.pth", "--top-k", "2")
    other = tmp_path / "vocab.json"
    other.write_text(json.dumps({f"a line of {name}": n for n, name in enumerate(NAMES)}))
    request = ModelRequest("deeplog", tmp_path / "m.pth", other)
    with pytest.raises(VocabularyError, match="start of a session at index 5"):
        vocabulary(request, load(request))


@pytest.mark.parametrize("trained", [0, None])
def test_an_end_that_was_never_trained_is_refused_or_warned_of(
    built: Path, tmp_path: Path, trained: int | None
) -> None:
    path = tmp_path / "m.pth"
    train(built, path, "--top-k", "2")
    content = torch.load(str(path), weights_only=True)
    assert content.pop("ends_trained") == 96
    if trained is not None:
        content["ends_trained"] = trained
    torch.save(content, path)
    request = ModelRequest("deeplog", path, built / "vocab.json")
    if trained is None:
        assert any("how many ends" in warning for warning in load(request).warnings)
    else:
        with pytest.raises(CheckpointError, match="never trained on one"):
            load(request)


def test_a_vocabulary_with_an_end_and_sequences_without_are_warned_of(
    parsed: Path, built: Path, tmp_path: Path
) -> None:
    vocab = ("--vocab", built / "vocab.json")
    call("build", "--parsed", parsed, "-o", tmp_path, "--session-by", "none", *vocab)
    document = train(tmp_path, tmp_path / "m.pth", "--top-k", "2")
    assert any("reserves a start and an end" in warning for warning in document["warnings"])
    request = ModelRequest("deeplog", tmp_path / "m.pth", tmp_path / "vocab.json")
    assert load(request).task.input == EventWindow(4)


def test_a_budget_below_one_held_out_session_is_out_of_reach(built: Path, tmp_path: Path) -> None:
    document = train(built, tmp_path / "m.pth", "--false-alarms", "0.001")
    (warning,) = (one for one in document["warnings"] if "out of reach" in one)
    assert "less than one of the 24 held-out sessions" in warning
    assert "Hold out 1,000 or more" in warning


def test_a_budget_that_no_k_meets_is_said_with_the_nearest(tmp_path: Path) -> None:
    """A model that has seen nothing in its one step ranks events as it likes."""
    log = tmp_path / "pairs.log"
    log.write_text("".join(f"job-{n} begins\njob-{n} is over now\n" for n in range(200)))
    parse_logs(ParseRequest([log], tmp_path, format="plain"))
    by = ("--session-by", BY)
    call("build", "--parsed", tmp_path / "parsed.parquet", "-o", tmp_path, *by, "--no-boundaries")
    options = ("--seq-len", "1", "--epochs", "1", "--batch-size", "4096")
    document = train(tmp_path, tmp_path / "m.pth", *options, "--learning-rate", "1e-9")
    assert document["top_k"] == 1
    share = document["flagged_sessions"]["1"]
    assert share in (0.0, 1.0)
    met = share == 0.0
    assert document["top_k_by"] == ("budget" if met else "nearest")
    is_warned = any(
        "cannot be met: the nearest is 1, at k = 1" in one for one in document["warnings"]
    )
    assert is_warned != met


def test_a_k_of_half_of_the_events_is_warned_of(built: Path, tmp_path: Path) -> None:
    for k, is_warned in ((2, False), (3, True)):
        document = train(built, tmp_path / "m.pth", "--top-k", k)
        assert (document["top_k"], document["top_k_by"]) == (k, "option")
        warned = any("at least half of the 5 events" in one for one in document["warnings"])
        assert warned == is_warned


def test_held_out_sessions_with_unseen_lines_are_counted_beside_the_curve(
    parsed: Path, tmp_path: Path
) -> None:
    vocab = tmp_path / "vocab.json"
    vocab.write_text(json.dumps({f"<*> {step}": n for n, step in enumerate(STEPS[:3])}))
    out = tmp_path / "out"
    call("build", "--parsed", parsed, "-o", out, "--session-by", BY, "--vocab", vocab)
    document = train(out, tmp_path / "m.pth")
    assert document["held_out_unseen"] == document["held_out_sessions"] == 24
    assert any("match no template" in warning for warning in document["warnings"])


# --- Ctrl-C ---------------------------------------------------------------------------------------


def interrupt(folder: Path, output: Path, after: str) -> subprocess.CompletedProcess[str]:
    """Train for a long time as a process, and interrupt it once its standard error has a text."""
    command = [
        *(sys.executable, "-m", "logexport", "deeplog", "train", "-o", output),
        *("--sequences", folder / "sequences.parquet", "--vocab", folder / "vocab.json"),
        *(*SMALL[:-1], "100000", "--patience", "100000", "--threads", "1"),
    ]
    process = subprocess.Popen(
        [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    seen = ""
    while after not in seen:
        line = process.stderr.readline()
        assert line, seen
        seen += line
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(command, process.returncode, out, seen + err)


def test_ctrl_c_keeps_the_best_epoch_so_far(built: Path, tmp_path: Path) -> None:
    output = tmp_path / "m.pth"
    output.write_bytes(b"old")
    done = interrupt(built, output, "epoch 2/")
    assert done.returncode == 0, done.stderr
    assert "Interrupted after" in done.stderr
    assert done.stdout == f"{output}\n"
    assert read_deeplog(output).end == 6
    assert [path.name for path in tmp_path.iterdir()] == ["m.pth"]


def test_ctrl_c_before_the_first_epoch_writes_nothing(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(*_: object) -> None:
        raise KeyboardInterrupt

    output = tmp_path / "m.pth"
    output.write_bytes(b"old")
    monkeypatch.setattr("logexport.cli.plugin_commands.TrainingProgress.batch", press)
    files = ["--sequences", built / "sequences.parquet", "--vocab", built / "vocab.json"]
    arguments = ["train", *files, "-o", output, *SMALL]
    from logexport.cli import main

    assert main(["deeplog", *map(str, arguments)]) == 130
    assert output.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["m.pth"]
