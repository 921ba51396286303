"""From a checkpoint to a bundle that detects: MSCRED alone, and beside DeepLog."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import logexport_deeplog.hooks
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from logexport import run
from logexport.bundle import Bundle
from logexport.cli import cli
from logexport.errors import CheckFailedError, InputError
from logexport.training.parse import ParseRequest, parse_logs
from logexport.types import ExportRequest, RunResult, ScoreThreshold
from logexport_mscred.build import build_counts
from logexport_mscred.checks import parity_counts, training_counts
from logexport_mscred.counts import read_counts
from logexport_mscred.hooks import model_info
from logexport_mscred.settings import Settings
from logexport_mscred.train import train_mscred

from tests.mscred.files import generate

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

QUICK = Settings(steps=8, channels=(4, 6, 8), epochs=8, learning_rate=0.01)


def outcomes(result: RunResult, model: int = 0) -> dict[str, str]:
    return {check.name: check.status for check in result.models[model].checks}


def detect(bundle: Path, log: Path, *options: str) -> list[dict[str, Any]]:
    arguments = ["detect", str(bundle), str(log), "--engine", "python", *options]
    result: Result = CliRunner().invoke(cli, arguments)
    if result.exception is not None:
        raise result.exception
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a log, parsed, built and trained on."""
    folder = tmp_path_factory.mktemp("trained")
    log = generate(folder / "a.log", "--lines", "4000", "--seed", "3")
    parse_logs(ParseRequest([log], folder))
    build_counts(folder / "parsed.parquet", folder, lines=20, stride=10)
    train_mscred(folder / "window_counts.parquet", folder / "mscred.pth", QUICK)
    return folder


@pytest.fixture(scope="module")
def exported(trained: Path) -> RunResult:
    request = ExportRequest(
        models=["mscred"],
        checkpoint=trained / "mscred.pth",
        output_dir=trained / "bundle",
        replay=trained / "a.log",
        exporter="torchscript",
    )
    return run(request)


def test_every_check_passes_and_the_metadata_is_the_contract(
    exported: RunResult, trained: Path
) -> None:
    found = outcomes(exported)
    for name in ("parity_random", "parity_log", "parity_counts", "training_counts"):
        assert found[name] == "passed"
    assert found["training_events"] == "passed"
    meta = json.loads((trained / "bundle" / "mscred.onnx.meta.json").read_text())
    features = len(json.loads((trained / "vocab.json").read_text()))
    assert meta["window_size"] == 8
    assert meta["feature_dim"] == meta["vocab_size"] == features
    assert meta["input_names"] == ["input_features"]
    assert meta["output_names"] == ["reconstructed", "reconstruction_error", "feature_error"]
    assert meta["input_shape"] == meta["output_shape"] == ["batch_size", 1, 8, features]
    axes = {name: {"0": "batch_size"} for name in meta["input_names"] + meta["output_names"]}
    assert meta["dynamic_axes"] == axes
    task = meta["task"]
    assert list(task) == [
        *("input", "lines", "stride", "steps", "decision", "output", "attribution"),
        *("threshold", "threshold_name", "thresholds"),
    ]
    assert (task["lines"], task["stride"], task["steps"]) == (20, 10, 8)
    assert task["threshold"] == task["thresholds"][task["threshold_name"]]


def test_detection_scores_the_windows_of_training_alike(exported: RunResult, trained: Path) -> None:
    from logexport.types import ModelRequest
    from logexport_mscred.load import load

    records = detect(trained / "bundle", trained / "a.log")
    samples = np.ascontiguousarray(read_counts(trained / "window_counts.parquet").samples(8))
    request = ModelRequest("mscred", trained / "mscred.pth", trained / "vocab.json")
    with torch.no_grad():
        _, errors, _ = load(request).module(torch.from_numpy(samples))
    assert [record["window"] for record in records] == list(range(len(samples)))
    scores = [record["score"] for record in records]
    assert np.allclose(scores, errors.numpy(), rtol=1e-4, atol=1e-5)
    assert [records[3][key] for key in ("first_line", "last_line")] == [31, 30 + 7 * 10 + 20]


def test_top_names_the_template_that_there_is_too_much_of(
    exported: RunResult, trained: Path, tmp_path: Path
) -> None:
    lines = (trained / "a.log").read_text().splitlines(keepends=True)
    flood = next(line for line in lines if "UFW BLOCK" in line)
    log = tmp_path / "flood.log"
    log.write_text("".join([*lines[:1000], *[flood] * 60, *lines[1000:2000]]))
    records = detect(trained / "bundle", log)
    flooded = [r for r in records if r["first_line"] <= 1060 and r["last_line"] >= 1001]
    others = [r for r in records if r not in flooded]
    worst = max(records, key=lambda record: record["score"])
    assert worst in flooded
    assert worst["verdict"] == "anomaly"
    assert min(r["score"] for r in flooded[3:-3]) > max(r["score"] for r in others)
    vocab = Bundle.load(trained / "bundle").model("mscred").vocab
    assert "UFW BLOCK" in vocab.templates[worst["top"][0]["template"]]
    shares = [entry["share"] for entry in worst["top"]]
    assert len(shares) == 5
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 1 + 1e-9


def test_thresholds_by_name_and_by_value_in_detect(exported: RunResult, trained: Path) -> None:
    task = json.loads((trained / "bundle" / "mscred.onnx.meta.json").read_text())["task"]
    for name, value in task["thresholds"].items():
        by_name = detect(trained / "bundle", trained / "a.log", "--threshold", name)
        assert by_name == detect(trained / "bundle", trained / "a.log", "--threshold", repr(value))
        assert all((r["score"] > value) == (r["verdict"] == "anomaly") for r in by_name)


def test_counts_that_are_not_those_of_the_log_fail_the_run(
    exported: RunResult, trained: Path, tmp_path: Path
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name in ("vocab.json", "preprocess.json", "parsed.parquet", "mscred.pth"):
        shutil.copy(trained / name, tmp_path)
    table = pq.read_table(trained / "window_counts.parquet")
    counts = table["t0"].to_pylist()
    counts[17] += 1
    place = table.schema.get_field_index("t0")
    field = table.schema.field("t0")
    changed = table.set_column(place, field, pa.array(counts, field.type))
    pq.write_table(changed, tmp_path / "window_counts.parquet")
    request = ExportRequest(
        models=["mscred"],
        checkpoint=tmp_path / "mscred.pth",
        output_dir=tmp_path / "bundle",
        exporter="torchscript",
        options={"threshold": "0.5"},
    )
    with pytest.raises(CheckFailedError) as failure:
        run(request)
    failed = [check for check in failure.value.checks if check.status == "failed"]
    assert [check.name for check in failed] == ["training_counts"]
    assert failed[0].figures["differ"] == 1
    assert failed[0].figures["first"][0]["window"] == 17  # type: ignore[index, call-overload]
    assert not (tmp_path / "bundle").exists()


def test_a_graph_that_differs_from_pytorch_fails_on_the_training_windows(
    exported: RunResult, trained: Path
) -> None:
    from logexport.exporters import read_graph
    from logexport.types import ModelRequest, StagedBundle
    from logexport_mscred.load import dummy, load

    request = ModelRequest("mscred", trained / "mscred.pth", trained / "vocab.json")
    model = load(request)
    graph = read_graph(trained / "bundle" / "mscred.onnx")
    staged = StagedBundle(trained / "bundle", "mscred", graph, {})
    assert parity_counts(request, model, dummy(model), staged).status == "passed"
    with torch.no_grad():
        model.module.autoencoder.decoder.deconv1.bias += 0.01  # type: ignore[union-attr, operator]
    failed = parity_counts(request, model, dummy(model), staged)
    assert failed.status == "failed"
    assert "reconstruct" in failed.message


def test_a_model_of_both_kinds_shares_what_is_the_same(trained: Path, tmp_path: Path) -> None:
    from logexport_deeplog.build import build_sequences
    from logexport_deeplog.settings import Settings as DeeplogSettings
    from logexport_deeplog.train import train_deeplog

    settings = DeeplogSettings(seq_len=5, embed_dim=4, hidden_dim=6, epochs=1)
    parsed = trained / "parsed.parquet"

    def both(folder: Path, session_by: str | None, vocab: Path | None = None) -> set[str]:
        build_sequences(parsed, folder, vocab=vocab, session_by=session_by)
        files = (folder / "sequences.parquet", folder / "vocab.json", folder / "deeplog.pth")
        train_deeplog(*files, settings)
        request = ExportRequest(
            models=["deeplog", "mscred"],
            checkpoint={"deeplog": folder / "deeplog.pth", "mscred": trained / "mscred.pth"},
            output_dir=folder / "bundle",
            exporter="torchscript",
            options={"native": "off"},
        )
        result = run(request)
        assert [model.model for model in result.models] == ["deeplog", "mscred"]
        assert all(check.status != "failed" for m in result.models for check in m.checks)
        bundle = Bundle.load(folder / "bundle")
        assert set(bundle.models) == {"deeplog", "mscred"}
        assert len(detect(folder / "bundle", trained / "a.log", "--model", "mscred")) > 100
        assert len(detect(folder / "bundle", trained / "a.log", "--model", "deeplog")) == 4000
        return {p.name for p in (folder / "bundle").iterdir() if "onnx" not in p.name}

    same = both(tmp_path / "same", None)
    assert {"vocab.json", "preprocess.json"} <= same
    assert not {"mscred.vocab.json", "mscred.preprocess.json"} & same
    sessions = both(tmp_path / "sessions", "host")
    assert "mscred.preprocess.json" in sessions
    assert "mscred.vocab.json" not in sessions
    templates = json.loads((trained / "vocab.json").read_text())
    other = tmp_path / "other.json"
    other.write_text(json.dumps({t: len(templates) - 1 - n for t, n in templates.items()}))
    assert "mscred.vocab.json" in both(tmp_path / "other", None, other)


def test_the_built_in_sample_is_exported_without_any_option(tmp_path: Path) -> None:
    result = run(ExportRequest(models=["mscred"], output_dir=tmp_path / "bundle"))
    assert result.models[0].sample
    assert [check.warnings for check in result.models[0].checks if check.warnings] == []
    found = outcomes(result)
    assert (found["parity_random"], found["parity_log"]) == ("passed", "passed")
    of_log = {name: found[name] for name in ("events", "known_lines", "templates")}
    assert set(of_log.values()) == {"passed"}, of_log
    sample = model_info().sample
    assert sample is not None
    records = detect(tmp_path / "bundle", sample.log)
    assert {record["verdict"] for record in records} == {"normal", "anomaly"}


def test_the_sample_is_small_and_what_its_program_says(tmp_path: Path) -> None:
    from logexport.types import ModelRequest
    from logexport.vocab import load_vocab
    from logexport_mscred.load import load

    place = str(Path(__file__).resolve().parents[2] / "examples" / "sample")
    sys.path.insert(0, place)
    try:
        import make_mscred_sample
    finally:
        sys.path.remove(place)
    sample = model_info().sample
    assert sample is not None
    again = generate(tmp_path / "sample.log", *make_mscred_sample.SAMPLE_LOG)
    assert again.read_bytes() == sample.log.read_bytes()
    assert sample.checkpoint.stat().st_size < 300_000
    model = load(ModelRequest("mscred", sample.checkpoint, sample.vocab))
    assert isinstance(model.task.decision, ScoreThreshold)
    assert model.task.decision.threshold_name == "p99"
    vocab = load_vocab(sample.vocab, expected_size=model.vocab_size)
    assert model.trained_vocab_sha256 == vocab.sha256()
    deeplog = logexport_deeplog.hooks.model_info().sample
    assert deeplog is not None
    for mine, theirs in ((sample.vocab, deeplog.vocab), (sample.preprocess, deeplog.preprocess)):
        assert mine.read_bytes() == theirs.read_bytes()


@pytest.mark.slow
def test_dynamo_gives_a_graph_that_passes_too(trained: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 13):
        pytest.skip("dynamo is usable from torch 2.13 on")
    request = ExportRequest(
        models=["mscred"],
        checkpoint=trained / "mscred.pth",
        output_dir=tmp_path / "bundle",
        exporter="dynamo",
        options={"native": "off"},
    )
    assert outcomes(run(request))["parity_counts"] == "passed"


@pytest.mark.skipif(torch.__version__.startswith("1."), reason="torch 1.13 does not read floats")
def test_the_alog_detect_linux_checkpoint_is_published(test_data: Path, tmp_path: Path) -> None:
    folder = test_data / "checkpoints" / "alog-detect-linux"
    request = ExportRequest(
        models=["mscred"],
        checkpoint=folder / "mscred.pth",
        vocab=folder / "template_mapping.json",
        parsed=folder / "parsed.parquet",
        output_dir=tmp_path / "bundle",
        options={"window_counts": str(folder / "window_counts.parquet"), "native": "off"},
    )
    result = run(request)
    checks = {check.name: check for check in result.models[0].checks}
    assert checks["parity_counts"].status == "passed"
    assert checks["parity_counts"].figures["rows"] == 61
    counted = checks["training_counts"]
    assert (counted.status, counted.figures["made_by_logexport"]) == ("passed", False)
    assert counted.figures["differ"] > 0  # type: ignore[operator]
    assert any("retraining" in warning for warning in counted.warnings)
    without = {**request.options}
    del without["window_counts"]
    with pytest.raises(InputError, match="neither their mean nor their deviation"):
        run(
            ExportRequest(
                models=["mscred"],
                checkpoint=request.checkpoint,
                vocab=request.vocab,
                output_dir=tmp_path / "other",
                options=without,
            )
        )
    assert not (tmp_path / "other").exists()


def test_training_counts_is_skipped_with_the_reason_where_nothing_is_at_hand(
    exported: RunResult, trained: Path, tmp_path: Path
) -> None:
    from logexport.exporters import read_graph
    from logexport.types import ModelRequest, StagedBundle
    from logexport.vocab import load_vocab
    from logexport_mscred.load import load

    for name in ("vocab.json", "mscred.pth"):
        shutil.copy(trained / name, tmp_path)
    request = ModelRequest("mscred", tmp_path / "mscred.pth", tmp_path / "vocab.json")
    graph = read_graph(trained / "bundle" / "mscred.onnx")
    staged = StagedBundle(trained / "bundle", "mscred", graph, {})
    skipped = training_counts(request, load(request), load_vocab(request.vocab), staged)
    assert skipped.status == "skipped"
    assert "window_counts.parquet" in skipped.message
