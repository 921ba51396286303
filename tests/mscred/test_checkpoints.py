"""Every known kind of MSCRED checkpoint is read, and gives what its author's model gives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from logexport.errors import CheckpointError, InputError, UsageError, VocabularyError
from logexport.types import CountMatrix, LoadedModel, ModelRequest, ScoreThreshold
from logexport_mscred.counts import read_counts
from logexport_mscred.load import dummy, load, vocabulary
from logexport_mscred.model import linear_resize
from safetensors.torch import save_file

from tests.mscred.files import (
    CHANNELS,
    FEATURES,
    alog_content,
    alog_counts,
    alog_stats,
    random_counts,
    save,
)
from tests.mscred.oracles import AlogDetectMscred

pytestmark = pytest.mark.torch

OLD_TORCH = torch.__version__.startswith("1.")
needs_floats = pytest.mark.skipif(OLD_TORCH, reason="torch 1.13 does not read floats safely")


def read(path: Path, **options: Any) -> LoadedModel:
    return load(ModelRequest("mscred", path, path.with_name("vocab.json"), options=options))


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    return alog_counts(tmp_path / "training.parquet", random_counts())


def standardised(counts: np.ndarray, batch: np.ndarray) -> torch.Tensor:
    """As alog-detect does it."""
    values = counts.astype(np.float64)
    scaled = (batch - values.mean(axis=0)) / (values.std(axis=0) + 1e-8)
    return torch.tensor(scaled, dtype=torch.float32)


def batch_of(features: int = FEATURES) -> torch.Tensor:
    generator = np.random.default_rng(8)
    return torch.from_numpy(generator.poisson(4, (5, 1, 20, features)).astype(np.float32))


# --- kinds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("features", [4, 5, 6, 7, 11, 12])
def test_alog_detect_gives_the_reconstruction_of_its_own_model(
    tmp_path: Path, features: int
) -> None:
    oracle, content = alog_content(features)
    table = random_counts(features=features)
    path = alog_counts(tmp_path / "w.parquet", table)
    model = read(save(content, tmp_path / "m.pth"), window_counts=path, threshold="1")
    batch = batch_of(features)
    standard = standardised(table, batch.numpy())
    expected = oracle(standard)
    reconstructed, error, feature_error = model.module(batch)
    assert reconstructed.dtype == error.dtype == feature_error.dtype == torch.float32
    assert torch.allclose(reconstructed, expected, atol=1e-4)
    squared = (expected - standard) ** 2
    assert torch.allclose(error, squared.mean(dim=(1, 2, 3)), rtol=1e-5)
    assert torch.allclose(feature_error, squared.sum(dim=(1, 2)) / (20 * features), rtol=1e-4)
    assert torch.allclose(feature_error.sum(dim=1), error, rtol=1e-5)
    assert model.vocab_size == features
    assert model.meta["checkpoint_kind"] == "alog-detect"
    assert model.meta["channels"] == list(CHANNELS)
    assert not model.module.training


@needs_floats
def test_thresholds_of_alog_detect_are_read_by_name(tmp_path: Path, counts: Path) -> None:
    path = save(alog_content(threshold_stats=alog_stats())[1], tmp_path / "m.pth")
    decision = read(path, window_counts=counts).task.decision
    assert decision == ScoreThreshold(
        "reconstruction_error",
        2.5,
        "p99",
        {"p95": 1.5, "p99": 2.5, "p99.9": 3.5, "3sigma": 1.25, "mad": 1.0},
        "feature_error",
    )
    for name, value in (("p95", 1.5), ("p99.9", 3.5), ("3sigma", 1.25), ("mad", 1.0)):
        chosen = read(path, window_counts=counts, threshold=name).task.decision
        assert isinstance(chosen, ScoreThreshold)
        assert (chosen.threshold, chosen.threshold_name) == (value, name)
    by_value = read(path, window_counts=counts, threshold="0.75").task.decision
    assert isinstance(by_value, ScoreThreshold)
    assert (by_value.threshold, by_value.threshold_name) == (0.75, "value")


def test_floats_of_alog_detect_are_refused_below_torch_2_with_the_remedy(tmp_path: Path) -> None:
    path = save(alog_content(threshold_stats=alog_stats())[1], tmp_path / "m.pth")
    if OLD_TORCH:
        with pytest.raises(CheckpointError, match="Python floats") as refusal:
            read(path)
        assert "torch 2.0" in refusal.value.remedy
    else:
        assert read(path, no_standardise=True).vocab_size == FEATURES


def test_lines_and_stride_are_those_of_the_window_counts(tmp_path: Path) -> None:
    path = save(alog_content()[1], tmp_path / "m.pth")
    own = alog_counts(tmp_path / "w.parquet", random_counts(lines=30), stride=10)
    assert read(path, window_counts=own, threshold="1").task.input == CountMatrix(30, 10, 20)


def test_a_column_that_never_varied_explodes_as_it_did_for_alog_detect(tmp_path: Path) -> None:
    table = random_counts()
    table[:, 0] += table[:, 3]
    table[:, 3] = 0
    path = alog_counts(tmp_path / "w.parquet", table)
    model = read(save(alog_content()[1], tmp_path / "m.pth"), window_counts=path, threshold="1")
    usual = torch.from_numpy(table[:20].astype(np.float32))[None, None]
    once = usual.clone()
    once[0, 0, 7, 3] = 1
    assert float(model.module(usual)[1]) < 1e3
    assert float(model.module(once)[1]) > 1e12
    assert any("1 columns never vary" in str(note) for note in model.meta["notes"])
    (drawn,) = dummy(model).draw({"batch_size": 32}, np.random.default_rng(0))
    assert (drawn[..., 3] == 0).all()


def test_without_standardisation_the_export_stops_and_says_why(
    tmp_path: Path, counts: Path
) -> None:
    path = save(alog_content()[1], tmp_path / "m.pth")
    with pytest.raises(InputError, match=r"neither their mean nor their deviation.*wrong") as stop:
        read(path, threshold="1")
    assert "--window-counts" in stop.value.remedy
    assert "--no-standardise" in stop.value.remedy
    counts.rename(tmp_path / "window_counts.parquet")
    with pytest.raises(InputError) as stop:
        read(path, threshold="1")
    assert str(tmp_path / "window_counts.parquet") in stop.value.remedy


def test_no_standardise_feeds_raw_counts_and_is_recorded(tmp_path: Path) -> None:
    oracle, content = alog_content()
    model = read(save(content, tmp_path / "m.pth"), no_standardise=True, threshold="1")
    assert torch.allclose(model.module(batch_of())[0], oracle(batch_of()), atol=1e-3)
    assert model.task.input == CountMatrix(50, 25, 20)
    notes = " ".join(map(str, model.meta["notes"]))
    assert "--no-standardise" in notes
    assert "50 and 25, are assumed" in notes
    assert any("--no-standardise" in warning for warning in model.warnings)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod."])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_bare_weights_with_any_prefix_need_the_number_of_templates(
    tmp_path: Path, counts: Path, prefix: str, suffix: str
) -> None:
    oracle, content = alog_content()
    weights = {prefix + name: tensor for name, tensor in content["model_state_dict"].items()}
    path = tmp_path / f"m{suffix}"
    if suffix == ".pth":
        save(weights, path)
    else:
        save_file(weights, str(path))
    with pytest.raises(InputError, match="does not say how many templates"):
        read(path, no_standardise=True, threshold="1")
    model = read(path, no_standardise=True, threshold="1", feature_dim=FEATURES)
    assert torch.allclose(model.module(batch_of())[0], oracle(batch_of()), atol=1e-3)
    assert read(path, window_counts=counts, threshold="1").vocab_size == FEATURES
    with pytest.raises(UsageError, match="no threshold"):
        read(path, window_counts=counts)


def test_the_resize_is_pytorchs() -> None:
    for given, wanted in ((4, 5), (4, 7), (16, 19), (108, 110), (20, 23)):
        x = torch.randn(2, 1, 3, given, generator=torch.Generator().manual_seed(0)).double()
        expected = torch.nn.functional.interpolate(
            x, size=(3, wanted), mode="bilinear", align_corners=False
        )
        assert torch.allclose(x @ linear_resize(given, wanted).double().T, expected, atol=1e-6)


@needs_floats
def test_the_alog_detect_linux_checkpoint_equals_its_own_model_on_all_windows(
    test_data: Path,
) -> None:
    folder = test_data / "checkpoints" / "alog-detect-linux"
    file = folder / "window_counts.parquet"
    model = read(folder / "mscred.pth", window_counts=file)
    oracle = AlogDetectMscred().eval()
    content = torch.load(str(folder / "mscred.pth"), map_location="cpu")
    oracle.load_state_dict(content["model_state_dict"])
    data = read_counts(file)
    samples = np.ascontiguousarray(data.samples(20))
    assert samples.shape == (61, 1, 20, 116)
    standard = standardised(data.counts, samples)
    with torch.no_grad():
        expected = ((oracle(standard) - standard) ** 2).mean(dim=(1, 2, 3))
        errors = model.module(torch.from_numpy(samples))[1]
    assert torch.allclose(errors, expected, rtol=1e-4, atol=1e-5)
    # Its own stored percentiles are of 13 of these windows, the two largest errors among them: they
    # come out only if the standardisation is the one that it was trained with.
    second, largest = np.sort(errors.numpy().astype(np.float64))[-2:]
    for key, place in (("95", 0.4), ("99", 0.88), ("99_9", 0.988)):
        stored = content["threshold_stats"][f"threshold_{key}"]
        assert second + place * (largest - second) == pytest.approx(stored, rel=1e-5)
    assert model.task.input == CountMatrix(50, 25, 20)
    assert model.vocab_size == 116


# --- vocabulary -----------------------------------------------------------------------------------


@needs_floats
def test_template_ids_and_the_parsed_log_make_the_vocabulary(test_data: Path) -> None:
    folder = test_data / "checkpoints" / "alog-detect-linux"
    request = ModelRequest(
        "mscred",
        folder / "mscred.pth",
        folder / "template_mapping.json",
        parsed=folder / "parsed.parquet",
        options={"window_counts": folder / "window_counts.parquet"},
    )
    model = load(request)
    made = vocabulary(request, model)
    import json

    import pyarrow.parquet as pq

    mapping = json.loads((folder / "template_mapping.json").read_text())
    rows = pq.read_table(folder / "parsed.parquet").to_pylist()
    last = {r["template_id"]: r["template"] for r in sorted(rows, key=lambda r: r["line_no"])}
    assert {made.templates[index]: index for index in mapping.values()} == {
        last[template_id]: index for template_id, index in mapping.items()
    }
    alone = ModelRequest("mscred", folder / "mscred.pth", folder / "template_mapping.json")
    with pytest.raises(VocabularyError, match="template ids"):
        vocabulary(alone, model)
    deeplogs = ModelRequest(
        "mscred", folder / "mscred.pth", folder / "vocab.json", parsed=folder / "parsed.parquet"
    )
    with pytest.raises(VocabularyError, match=r"139 entries.*116"):
        vocabulary(deeplogs, model)


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value", "trained"), [("window_size", 50, 20), ("feature_dim", 100, FEATURES)]
)
def test_sizes_that_contradict_the_checkpoint_are_errors_with_both_numbers(
    tmp_path: Path, counts: Path, option: str, value: int, trained: int
) -> None:
    path = save(alog_content()[1], tmp_path / "m.pth")
    flag = "--" + option.replace("_", "-")
    with pytest.raises(UsageError, match=rf"{flag} {value} .*trained with {trained} "):
        read(path, window_counts=counts, threshold="1", **{option: value})
    assert read(path, window_counts=counts, threshold="1", **{option: trained})


def test_window_counts_of_another_number_of_templates_are_an_error_with_both(
    tmp_path: Path,
) -> None:
    path = save(alog_content()[1], tmp_path / "m.pth")
    other = alog_counts(tmp_path / "w.parquet", random_counts(features=9))
    with pytest.raises(InputError, match=rf"counts 9 templates.*trained with {FEATURES}"):
        read(path, window_counts=other, threshold="1")


@pytest.mark.parametrize("threshold", ["p98", "nan", "inf", "-1", ""])
def test_a_threshold_that_is_none_is_refused_with_the_choices(
    tmp_path: Path, counts: Path, threshold: str
) -> None:
    path = save(alog_content()[1], tmp_path / "m.pth")
    with pytest.raises(UsageError, match=re.escape(f"--threshold {threshold}")) as refusal:
        read(path, window_counts=counts, threshold=threshold)
    assert "a number" in refusal.value.remedy


def _without(name: str) -> dict[str, Any]:
    content = alog_content()[1]
    del content["model_state_dict"][name]
    return content


def _with(name: str, tensor: torch.Tensor) -> dict[str, Any]:
    content = alog_content()[1]
    content["model_state_dict"][name] = tensor
    return content


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (lambda: {"model_state_dict": {"lstm.weight_ih_l0": torch.zeros(4, 1)}}, "conv1.bn"),
        (lambda: {"epoch": 3}, "no dict of weights"),
        (lambda: _without("encoder.att2.conv_att.bias"), "it has no encoder.att2.conv_att.bias"),
        (lambda: _with("encoder.lstm.weight", torch.zeros(3)), "encoder.lstm.weight"),
        (lambda: _with("decoder.deconv2.weight", torch.zeros(6, 4, 3, 3)), "(6, 4, 4, 4)"),
        (lambda: _with("decoder.deconv1.bias", torch.tensor([float("nan")])), "not finite"),
        (lambda: _with("decoder.deconv1.bias", torch.tensor([1])), "int64"),
        (lambda: {**alog_content()[1], "num_templates": 3}, "num_templates = 3"),
        (lambda: {**alog_content()[1], "num_templates": True}, "num_templates = True"),
        (lambda: {**alog_content()[1], "architecture": "convlstm"}, "'convlstm'"),
    ],
)
def test_what_is_no_known_checkpoint_is_one_sentence(
    tmp_path: Path, content: Any, says: str
) -> None:
    with pytest.raises(CheckpointError, match=re.escape(says)) as refusal:
        read(save(content(), tmp_path / "m.pth"), no_standardise=True, threshold="1")
    assert "\n" not in str(refusal.value)
    assert str(tmp_path) in str(refusal.value)


# --- inputs for the export ------------------------------------------------------------------------


@pytest.mark.parametrize("features", [4, 5, 7, 11])
def test_the_example_has_a_batch_unlike_every_size(tmp_path: Path, features: int) -> None:
    path = save(alog_content(features)[1], tmp_path / "m.pth")
    inputs = dummy(read(path, no_standardise=True, threshold="1"))
    batch, one, steps, columns = inputs.tensors[0].shape
    assert (one, steps, columns) == (1, 20, features)
    assert batch >= 2
    assert batch not in (1, 20, features)
    assert [sizes["batch_size"] for sizes in inputs.grid] == [1, 2, 7, 32]
    (drawn,) = inputs.draw({"batch_size": 7}, np.random.default_rng(0))
    assert (drawn.dtype, drawn.shape) == (np.float32, (7, 1, 20, features))
    assert (drawn >= 0).all()
    assert (drawn == np.floor(drawn)).all()
    assert drawn.any()


@pytest.mark.filterwarnings("ignore")  # the exporter's own, about what the test disproves
@pytest.mark.parametrize("features", [8, 11])
def test_the_torchscript_graph_is_right_at_every_probed_batch(
    tmp_path: Path, features: int
) -> None:
    import inspect

    import onnxruntime

    path = save(alog_content(features)[1], tmp_path / "m.pth")
    data = alog_counts(tmp_path / "w.parquet", random_counts(features=features))
    model = read(path, window_counts=data, threshold="1")
    inputs = dummy(model)
    old = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    with torch.no_grad():
        torch.onnx.export(
            model.module,
            inputs.tensors,
            str(tmp_path / "m.onnx"),
            input_names=list(inputs.input_names),
            output_names=list(inputs.output_names),
            dynamic_axes={name: dict(axes) for name, axes in inputs.dynamic_axes.items()},
            opset_version=17,
            **old,
        )
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    for sizes in inputs.grid:
        (drawn,) = inputs.draw(sizes, np.random.default_rng(4))
        given = session.run(list(inputs.output_names), {"input_features": drawn})
        expected = model.module(torch.from_numpy(drawn))
        for one, other in zip(given, expected, strict=True):
            assert one.shape == tuple(other.shape)
            np.testing.assert_allclose(one, other.numpy(), rtol=1e-4, atol=1e-5)
