"""From a raw log to a checkpoint by the commands, on a small log of the sample's generator."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import logexport
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from click.testing import CliRunner
from logexport import ExportRequest
from logexport.errors import InputError, LogexportError, OutputError, UsageError
from logexport.logs.preprocess import Preprocess
from logexport.training.line_tables import parsed_writer, read_parsed
from logexport.training.parse import ParseRequest, parse_logs
from logexport.types import CountMatrix, ModelRequest, ScoreThreshold
from logexport.vocab import load_vocab
from logexport_mscred.cli import mscred
from logexport_mscred.counts import read_counts
from logexport_mscred.load import load

from tests.mscred.files import generate

pytestmark = pytest.mark.torch

SMALL = ["--channels", "3,4,5", "--window-size", "4", "--epochs", "2"]
LINES, STRIDE = 20, 10


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A parsed log of 1,500 lines, two of them blank."""
    folder = tmp_path_factory.mktemp("parsed")
    log = generate(folder / "small.log", "--lines", "1498", "--seed", "4")
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join([*lines[:700], "\n", " \t\n", *lines[700:]]))
    parse_logs(ParseRequest([log], folder))
    return folder / "parsed.parquet"


@pytest.fixture(scope="module")
def built(parsed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a build of it."""
    folder = tmp_path_factory.mktemp("built")
    call("build", "--parsed", parsed, "-o", folder, "--lines", LINES, "--stride", STRIDE)
    return folder


def call(*arguments: object) -> dict[str, Any]:
    """Run a ``logexport mscred`` command with --json and give its document."""
    result = CliRunner().invoke(mscred, [*map(str, arguments), "--json"])
    if result.exception is not None:
        raise result.exception
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def train(folder: Path, output: Path, *options: object) -> dict[str, Any]:
    counts = ["--window-counts", folder / "window_counts.parquet"]
    return call("train", *counts, "-o", output, *SMALL, *options)


def content(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(str(path), map_location="cpu")
    return loaded


# --- build ----------------------------------------------------------------------------------------


def test_build_counts_the_templates_of_each_window_in_the_order_of_lines(
    parsed: Path, built: Path
) -> None:
    rows = list(read_parsed(parsed))
    templates = load_vocab(built / "vocab.json").templates
    assert list(templates) == sorted({row.template for row in rows})
    table = pq.read_table(built / "window_counts.parquet").to_pylist()
    expected = []
    for start in range(0, len(rows) - LINES + 1, STRIDE):
        part = rows[start : start + LINES]
        counted = Counter(row.template for row in part)
        expected.append(
            {
                **{f"t{i}": counted[template] for i, template in enumerate(templates)},
                "start_index": start,
                "first_line": part[0].line_no,
                "last_line": part[-1].line_no,
            }
        )
    assert table == expected
    assert len(table) == (1498 - LINES) // STRIDE + 1


def test_the_vocabulary_and_rules_are_those_of_the_deeplog_build(
    parsed: Path, built: Path, tmp_path: Path
) -> None:
    from logexport_deeplog.build import build_sequences

    build_sequences(parsed, tmp_path)
    for name in ("vocab.json", "preprocess.json"):
        assert (tmp_path / name).read_bytes() == (built / name).read_bytes()


def test_the_counts_name_their_vocabulary_rules_and_windows(built: Path) -> None:
    data = read_counts(built / "window_counts.parquet")
    assert data.about is not None
    assert (data.lines, data.stride) == (LINES, STRIDE)
    assert data.vocab_sha256 == load_vocab(built / "vocab.json").sha256()
    assert data.about["preprocess"] == json.loads((built / "preprocess.json").read_text())
    assert (data.counts.sum(axis=1) == LINES).all()


def test_defaults_are_windows_of_50_lines_every_25(parsed: Path, tmp_path: Path) -> None:
    document = call("build", "--parsed", parsed, "-o", tmp_path)
    assert (document["lines"], document["stride"]) == (50, 25)
    assert document["windows"] == (1498 - 50) // 25 + 1


def test_a_reused_vocabulary_is_matched_and_unseen_lines_count_in_no_column(
    parsed: Path, built: Path, tmp_path: Path
) -> None:
    templates = list(load_vocab(built / "vocab.json").templates)
    reduced = tmp_path / "reduced.json"
    reduced.write_text(json.dumps({t: n for n, t in enumerate(templates[5:])}))
    options = ["--vocab", reduced, "--lines", LINES, "--stride", STRIDE]
    document = call("build", "--parsed", parsed, "-o", tmp_path / "out", *options)
    full = read_counts(built / "window_counts.parquet").counts
    assert document["unseen"] > 0
    assert np.array_equal(
        read_counts(tmp_path / "out" / "window_counts.parquet").counts, full[:, 5:]
    )


def test_rules_that_differ_in_sessions_only_are_left_for_their_model(
    parsed: Path, tmp_path: Path
) -> None:
    from logexport_deeplog.build import build_sequences

    build_sequences(parsed, tmp_path, session_by="host")
    before = (tmp_path / "preprocess.json").read_bytes()
    call("build", "--parsed", parsed, "-o", tmp_path)
    assert (tmp_path / "preprocess.json").read_bytes() == before
    assert Preprocess.load(tmp_path / "preprocess.json").session.by == "host"


def test_rules_that_are_not_those_of_the_parse_are_refused(parsed: Path, tmp_path: Path) -> None:
    rules = json.loads((parsed.parent / "preprocess.json").read_text())
    rules["masks"] = []
    other = tmp_path / "other.json"
    other.write_text(json.dumps(rules))
    with pytest.raises(InputError, match="was parsed as"):
        call("build", "--parsed", parsed, "-o", tmp_path / "out", "--preprocess", other)
    assert not (tmp_path / "out" / "window_counts.parquet").exists()


BUILT = ("vocab.json", "preprocess.json", "window_counts.parquet")


def _other_rules(parsed: Path, tmp_path: Path) -> list[object]:
    rules = json.loads((parsed.parent / "preprocess.json").read_text())
    rules["masks"] = []
    (tmp_path / "other.json").write_text(json.dumps(rules))
    return ["--parsed", parsed, "--preprocess", tmp_path / "other.json"]


def _other_vocabulary(parsed: Path, tmp_path: Path) -> list[object]:
    """One that no line is matched against, so that only the failure keeps it out."""
    (tmp_path / "reduced.json").write_text(json.dumps({"something else": 0, "again": 1}))
    return ["--vocab", tmp_path / "reduced.json"]


def _last_line_changed(parsed: Path, tmp_path: Path) -> list[object]:
    copy = tmp_path / "changed.parquet"
    with parsed_writer(copy, {}) as write:
        for row in read_parsed(parsed):
            write(row if row.line_no < 1500 else row._replace(template="another <*> thing"))
    return ["--parsed", copy, "--preprocess", parsed.parent / "preprocess.json"]


def _damaged_pages(parsed: Path, tmp_path: Path) -> list[object]:
    data = bytearray(parsed.read_bytes())
    data[2000:3000] = bytes(1000)
    (tmp_path / "damaged.parquet").write_bytes(data)
    files = ["--parsed", tmp_path / "damaged.parquet"]
    files += ["--preprocess", parsed.parent / "preprocess.json"]
    return [*files, *_other_vocabulary(parsed, tmp_path)]


@pytest.mark.parametrize("arrange", [_other_rules, _last_line_changed, _damaged_pages])
def test_a_build_that_fails_half_way_leaves_the_one_before_bit_for_bit(
    parsed: Path,
    built: Path,
    tmp_path: Path,
    arrange: Callable[[Path, Path], list[object]],
) -> None:
    out = tmp_path / "out"
    shutil.copytree(built, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert set(before) == set(BUILT)
    with pytest.raises(InputError):
        call("build", *arrange(parsed, tmp_path), "-o", out, "--lines", LINES)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


KILLED = """
import os, signal, sys
from logexport.cli import main
from logexport.logs.windows import CountWindows

append, calls = CountWindows.append, iter(range(10_000))
def append_or_die(self, *line):
    if next(calls) == 1_200:
        os.kill(os.getpid(), signal.SIGKILL)
    return append(self, *line)

CountWindows.append = append_or_die
main(sys.argv[1:])
"""
FULL = """
import resource, signal, sys
from logexport.cli import main

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, 8_000))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(("script", "status"), [(KILLED, -signal.SIGKILL), (FULL, 2)])
def test_a_build_that_is_killed_or_has_no_space_leaves_the_one_before(
    parsed: Path, built: Path, tmp_path: Path, script: str, status: int
) -> None:
    """A limit on the size of a file stands for the disk: vocabulary and rules fit, the counts do
    not."""
    assert (built / "preprocess.json").stat().st_size < 8_000
    out = tmp_path / "out"
    shutil.copytree(built, out)
    command = ["mscred", "build", "--parsed", parsed, "-o", out, "--lines", LINES, "--stride", 1]
    options = _other_vocabulary(parsed, tmp_path)
    done = subprocess.run(
        [sys.executable, "-B", "-c", script, *map(str, [*command, *options])],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    if status == 2:
        said = done.stderr.splitlines()[-2]
        assert said.startswith(f"Error: {out / 'window_counts.parquet'} cannot be written:"), said
    for name in BUILT:
        assert (out / name).read_bytes() == (built / name).read_bytes()


def test_paths_need_not_be_utf8(parsed: Path, built: Path, tmp_path: Path) -> None:
    """Neither to build nor to train nor to export."""
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    call("build", "--parsed", parsed, "-o", odd, "--lines", LINES, "--stride", STRIDE)
    for name in BUILT:
        assert (odd / name).read_bytes() == (built / name).read_bytes()
    checkpoint = odd / "m.pth"
    assert train(odd, checkpoint)["checkpoint"] == str(checkpoint)
    request = ExportRequest(
        models=["mscred"],
        output_dir=tmp_path / "bundle",  # the exporter of torch 1.13 takes no such path
        checkpoint=checkpoint,
        vocab=odd / "vocab.json",
        options={"window_counts": odd / "window_counts.parquet", "threshold": "1"},
    )
    (model,) = logexport.run(request).models
    counted = {check.name: check.status for check in model.checks}["parity_counts"]
    assert counted == "passed"


def test_the_paths_of_a_build_are_printed_as_they_are(parsed: Path, tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/caf\xe9"
    done = subprocess.run(
        [sys.executable, "-m", "logexport", "mscred", "build", "--parsed", parsed, "-o", odd],
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        odd + b"/" + name for name in (b"vocab.json", b"window_counts.parquet", b"preprocess.json")
    ]


def test_a_log_shorter_than_a_window_is_refused(parsed: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1498 lines, fewer than one window of 5000"):
        call("build", "--parsed", parsed, "-o", tmp_path, "--lines", 5000)


def test_build_refuses_what_parse_did_not_write(test_data: Path, tmp_path: Path) -> None:
    parsed = test_data / "checkpoints" / "alog-detect-linux" / "parsed.parquet"
    with pytest.raises(InputError, match="not written by logexport parse"):
        call("build", "--parsed", parsed, "-o", tmp_path)


# --- train ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["m.pth", "m.pt", "m.safetensors"])
def test_train_writes_a_checkpoint_that_run_reads(built: Path, tmp_path: Path, name: str) -> None:
    document = train(built, tmp_path / name)
    model = load(ModelRequest("mscred", tmp_path / name, built / "vocab.json"))
    vocabulary = load_vocab(built / "vocab.json")
    assert model.vocab_size == len(vocabulary) == document["num_templates"]
    assert model.trained_vocab_sha256 == vocabulary.sha256()
    assert model.task.input == CountMatrix(LINES, STRIDE, 4)
    decision = model.task.decision
    assert isinstance(decision, ScoreThreshold)
    assert decision.thresholds == document["thresholds"]
    assert model.meta["checkpoint_kind"] == "logexport"
    assert model.meta["channels"] == [3, 4, 5]
    assert model.meta["standardisation"] == "checkpoint"


def test_the_checkpoint_holds_what_it_must_and_no_floats(built: Path, tmp_path: Path) -> None:
    train(built, tmp_path / "m.pth")
    held = content(tmp_path / "m.pth")
    weights = held.pop("state_dict")
    assert held.pop("architecture") == "multiscale-conv-autoencoder"
    settings = json.loads(held.pop("settings"))
    vocabulary = load_vocab(built / "vocab.json")
    assert held == {
        "num_templates": len(vocabulary),
        "steps": 4,
        "lines": LINES,
        "stride": STRIDE,
        "vocab_sha256": vocabulary.sha256(),
    }
    for name in ("standardise.mean", "standardise.deviation"):
        assert weights[name].dtype == torch.float64
        assert tuple(weights[name].shape) == (len(vocabulary),)
    assert settings["training"]["seed"] == 0
    assert settings["preprocess"] == json.loads((built / "preprocess.json").read_text())


def test_the_standardisation_is_of_the_training_part_alone(
    parsed: Path, built: Path, tmp_path: Path
) -> None:
    templates = [*load_vocab(built / "vocab.json").templates, "never <*> seen"]
    more = tmp_path / "more.json"
    more.write_text(json.dumps({template: n for n, template in enumerate(templates)}))
    options = ["--vocab", more, "--lines", LINES, "--stride", STRIDE]
    built = tmp_path / "built"
    call("build", "--parsed", parsed, "-o", built, *options)
    document = train(built, tmp_path / "m.pth")
    weights = content(tmp_path / "m.pth")["state_dict"]
    counts = read_counts(built / "window_counts.parquet").counts.astype(np.float64)
    part = counts[: document["trained_windows"] + 4 - 1]
    assert 0 < len(part) < len(counts)
    constant = (part == part[0]).all(axis=0)
    assert np.allclose(weights["standardise.mean"], part.mean(axis=0), rtol=1e-12)
    expected = np.where(constant, 1.0, part.std(axis=0))
    assert np.allclose(weights["standardise.deviation"], expected, rtol=1e-12)
    assert constant[-1]  # which no line is
    assert document["constant_columns"] == constant.sum() < len(constant) / 2
    assert any(f"{constant.sum()} of" in warning for warning in document["warnings"])


def test_thresholds_are_those_of_the_exported_model_on_the_held_out_part(
    built: Path, tmp_path: Path
) -> None:
    budget = ("--holdout", "0.4", "--false-alarms", "0.02")
    document = train(built, tmp_path / "m.pth", *budget)
    held = document["held_out_windows"]
    assert 50 <= held < 100 and document["false_alarms"] == 0.02  # noqa: PT018
    assert 20 <= held < 100
    model = load(ModelRequest("mscred", tmp_path / "m.pth", built / "vocab.json"))
    samples = read_counts(built / "window_counts.parquet").samples(4)[-held:]
    scores = model.module(torch.from_numpy(np.ascontiguousarray(samples)))[1].double().numpy()
    median = np.median(scores)
    expected = {
        "budget": sorted(scores)[-2],
        "p95": np.percentile(scores, 95),
        "3sigma": scores.mean() + 3 * scores.std(),
        "mad": median + 3 * 1.4826 * np.median(np.abs(scores - median)),
    }
    assert document["thresholds"] == pytest.approx(expected, rel=1e-5)


def test_a_percentile_that_the_held_out_part_is_too_small_for_is_refused_by_name(
    built: Path, tmp_path: Path
) -> None:
    held = train(built, tmp_path / "m.pth", "--holdout", "0.4")["held_out_windows"]

    def read(**options: Any) -> Any:
        request = ModelRequest("mscred", tmp_path / "m.pth", built / "vocab.json", options=options)
        return load(request)

    for name, least in (("p99", "100"), ("p99.9", "1,000")):
        with pytest.raises(UsageError, match=rf"{name} needs at least {least} .* has {held}"):
            read(threshold=name)
    assert read().task.decision.threshold_name == "budget"
    assert read(threshold="p95").task.decision.threshold_name == "p95"


def test_a_budget_is_met_on_the_held_out_part_or_said_to_be_out_of_reach(
    built: Path, tmp_path: Path
) -> None:
    document = train(built, tmp_path / "m.pth", "--holdout", "0.4", "--false-alarms", "0.1")
    assert document["thresholds"]["budget"] == document["curve"]["0.1"]
    assert not any("out of reach" in warning for warning in document["warnings"])
    document = train(built, tmp_path / "m.pth", "--holdout", "0.4", "--false-alarms", "0.001")
    (warning,) = (one for one in document["warnings"] if "out of reach" in one)
    assert f"less than one of the {document['held_out_windows']} held-out windows" in warning
    assert document["thresholds"]["budget"] == document["curve"]["0.0"]
    # Nobody named it: one window may exceed the threshold.
    document = train(built, tmp_path / "m.pth", "--holdout", "0.4")
    (warning,) = (one for one in document["warnings"] if "out of reach" in one)
    assert "The default budget" in warning
    assert document["thresholds"]["budget"] < document["curve"]["0.0"]
    with pytest.raises(UsageError, match=r"--false-alarms 0.1 cannot be met: nothing"):
        train(built, tmp_path / "m.pth", "--holdout", "0", "--false-alarms", "0.1")


def test_one_seed_gives_the_same_weights_and_another_seed_others(
    built: Path, tmp_path: Path
) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(built, tmp_path / f"{name}.pth", "--seed", seed)
    a, b, c = (content(tmp_path / f"{name}.pth")["state_dict"] for name in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["decoder.deconv1.weight"], c["decoder.deconv1.weight"])
    assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "b.pth").read_bytes()


def test_training_learns_and_stops_early_with_the_best_epoch(built: Path, tmp_path: Path) -> None:
    options = ["--epochs", 60, "--patience", 2, "--learning-rate", "0.03", "--channels", "8,8,8"]
    document = train(built, tmp_path / "m.pth", *options)
    stops = [epoch["validation_loss"] for epoch in document["epochs"]]
    assert None not in stops
    assert len(stops) < 60
    assert document["best_epoch"] == 1 + int(np.argmin(stops))
    assert len(stops) == document["best_epoch"] + 2
    assert min(stops) < stops[0]
    losses = [epoch["loss"] for epoch in document["epochs"]]
    assert losses[-1] < 0.9 * losses[0]


def test_a_short_log_has_no_part_to_stop_by_and_says_so(parsed: Path, tmp_path: Path) -> None:
    call("build", "--parsed", parsed, "-o", tmp_path)
    document = train(tmp_path, tmp_path / "m.pth", "--window-size", "12")
    assert document["stop_windows"] == 0
    assert document["held_out_windows"] > 0
    assert any("its own loss" in warning for warning in document["warnings"])


def test_a_log_too_short_to_hold_out_needs_a_threshold_from_the_user(
    parsed: Path, tmp_path: Path
) -> None:
    call("build", "--parsed", parsed, "-o", tmp_path)
    document = train(tmp_path, tmp_path / "m.pth", "--window-size", "40")
    assert (document["held_out_windows"], document["thresholds"]) == (0, {})
    assert any("too short to hold" in warning for warning in document["warnings"])
    request = ModelRequest("mscred", tmp_path / "m.pth", tmp_path / "vocab.json")
    with pytest.raises(UsageError, match="no threshold"):
        load(request)


def test_a_diverging_training_is_an_error_and_writes_nothing(built: Path, tmp_path: Path) -> None:
    from logexport_mscred.settings import Settings
    from logexport_mscred.train import train_mscred

    settings = Settings(steps=4, channels=(3, 4, 5), learning_rate=1e30)
    with pytest.raises(InputError, match="diverged") as refusal:
        train_mscred(built / "window_counts.parquet", tmp_path / "m.pth", settings)
    assert "--learning-rate" in refusal.value.remedy
    assert not (tmp_path / "m.pth").exists()


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        (lambda b, t: ["--window-counts", t / "none.parquet"], InputError, "none.parquet"),
        (lambda b, t: ["--window-counts", b / "vocab.json"], InputError, "vocab.json"),
        (lambda b, t: ["--window-size", 3], UsageError, "3 windows in a sample"),
        (lambda b, t: ["--window-size", 1000], InputError, "too few for two samples of 1000"),
        (lambda b, t: ["--channels", "2,4,8"], UsageError, "2 channels"),
        (lambda b, t: ["--device", "warp"], UsageError, "warp"),
        (lambda b, t: ["-o", t / "mscred.onnx"], UsageError, "suffixes"),
        (lambda b, t: ["-o", t / "none" / "mscred.pth"], OutputError, "cannot be written"),
    ],
)
def test_what_train_cannot_use_is_one_sentence(
    built: Path,
    tmp_path: Path,
    options: Callable[[Path, Path], list[object]],
    error: type[LogexportError],
    says: str,
) -> None:
    with pytest.raises(error, match=re.escape(says)) as refusal:
        train(built, tmp_path / "m.pth", *options(built, tmp_path))
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "m.pth").exists()


def test_a_log_of_few_templates_is_refused_by_the_network(tmp_path: Path) -> None:
    log = tmp_path / "tiny.log"
    log.write_text("start now\nstop it now\n" * 400)
    parse_logs(ParseRequest([log], tmp_path, format="plain"))
    call("build", "--parsed", tmp_path / "parsed.parquet", "-o", tmp_path)
    with pytest.raises(InputError, match="counts 2 templates"):
        train(tmp_path, tmp_path / "m.pth")


def test_window_counts_of_alog_detect_are_trained_on(test_data: Path, tmp_path: Path) -> None:
    folder = test_data / "checkpoints" / "alog-detect-linux"
    document = train(folder, tmp_path / "m.pth", "--window-size", "20")
    assert (document["num_templates"], document["lines"], document["stride"]) == (116, 50, 25)
    assert document["windows"] == 61


def test_prose_goes_to_standard_error_and_the_path_to_standard_output(
    built: Path, tmp_path: Path
) -> None:
    counts = ["--window-counts", built / "window_counts.parquet"]
    arguments = ["train", *counts, "-o", tmp_path / "m.pth", *SMALL]
    result = CliRunner().invoke(mscred, [*map(str, arguments)])
    assert result.stdout == f"{tmp_path / 'm.pth'}\n"
    assert "epoch 1/2: loss" in result.stderr
    assert "columns never vary" in result.stderr
    assert re.search(r"^ +p95 +[\d.]+", result.stderr, re.MULTILINE)
