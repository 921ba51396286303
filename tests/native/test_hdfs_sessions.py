"""Verdicts are right as well as equal: HDFS sessions, from a raw log to the engine's summaries.

The public set of normal HDFS sessions is turned into a log, one line an event, and 80 % of them
train a model by the project's commands. The engine must let the rest pass and must not let sessions
pass whose events come in an order that no block has: backwards, or beginning again after the end.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.long]

WINDOW, TOP_K = 10, 7
"""Not the published k of 9: of the 15 events here few ever follow a window, and which of the others
stand at ranks 7 and 8 is noise that differs between processors and PyTorch releases (backwards at
k = 9: 89 to 100 % from one seed; at k = 7: 100 %, with 0.3 % of normal sessions flagged)."""
Session = list[str]


def logexport(*words: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "logexport", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_log(path: Path, sessions: list[Session], first_block: int) -> Path:
    # Letters alone: no mask may take the events' words for values.
    words = {
        str(number): "event" + "abcdefghijklmnopqrstuvwxyz"[number - 1] for number in range(27)
    }
    with path.open("w") as file:
        for block, session in enumerate(sessions, first_block):
            file.writelines(f"{words[event]} of block blk_{block} done\n" for event in session)
    return path


@pytest.fixture(scope="module")
def sessions(test_data: Path) -> tuple[list[Session], list[Session]]:
    """Training's and the held-out sessions."""
    lines = (test_data / "hdfs_sessions/hdfs_train.txt").read_text().splitlines()
    everything = [line.split() for line in lines if line.strip()]
    random.Random(7).shuffle(everything)
    cut = len(everything) * 8 // 10
    return everything[:cut], everything[cut:]


@pytest.fixture(scope="module")
def bundle(
    sessions: tuple[list[Session], list[Session]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    directory = tmp_path_factory.mktemp("hdfs")
    log = write_log(directory / "train.log", sessions[0], 1000)
    logexport("parse", log, "-o", directory)
    logexport(
        "deeplog", "build", "--parsed", directory / "parsed.parquet", "-o", directory,
        "--session-by", r"blk_\d+",
    )  # fmt: skip
    logexport(
        "deeplog", "train", "--sequences", directory / "sequences.parquet",
        "--vocab", directory / "vocab.json", "-o", directory / "deeplog.pth",
        "--seq-len", WINDOW, "--epochs", 15, "--learning-rate", 0.002, "--seed", 1,
    )  # fmt: skip
    said = logexport(
        "run", "--model", "deeplog", "--checkpoint", directory / "deeplog.pth",
        "-o", directory / "bundle", "--native", "require", "--json",
    )  # fmt: skip
    assert json.loads(said)["proof"] == "full"
    return directory / "bundle"


def flagged(bundle: Path, log: Path, count: int) -> float:
    """The share of the log's sessions that the engine calls anomalous."""
    said = logexport(
        "detect", bundle, log, "--engine", "native", "--top-k", TOP_K,
        "--session-summary", "--anomalies-only", "--require-proof",
    )  # fmt: skip
    summaries = [record for line in said.splitlines() if "lines" in (record := json.loads(line))]
    assert len(summaries) == count
    assert all(summary["judged"] > 0 for summary in summaries)
    return sum(summary["verdict"] == "anomaly" for summary in summaries) / count


def test_normal_sessions_that_were_held_out_pass(
    bundle: Path, sessions: tuple[list[Session], list[Session]], tmp_path: Path
) -> None:
    log = write_log(tmp_path / "normal.log", sessions[1], 50_000)
    assert flagged(bundle, log, len(sessions[1])) <= 0.005


def backwards(session: Session) -> Session:
    """The block is deleted first and allocated last."""
    return session[::-1]


def begun_again(session: Session) -> Session:
    """The block is allocated and written anew after all has been said of it."""
    return [*session, *session[:6]]


def test_sessions_whose_order_is_violated_are_flagged(
    bundle: Path, sessions: tuple[list[Session], list[Session]], tmp_path: Path
) -> None:
    training = {tuple(session) for session in sessions[0]}
    violated = [violate(session) for violate in (backwards, begun_again) for session in sessions[1]]
    violated = [session for session in violated if tuple(session) not in training]
    assert len(violated) > 1_800
    log = write_log(tmp_path / "violated.log", violated, 70_000)
    assert flagged(bundle, log, len(violated)) >= 0.95
