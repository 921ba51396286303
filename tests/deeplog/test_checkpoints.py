"""Every known kind of DeepLog checkpoint is read, and gives what its author's model gives."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from logexport.cli import main
from logexport.errors import CheckpointError, UsageError, VocabularyError
from logexport.types import EventWindow, LoadedModel, ModelRequest, NextEventTopK
from logexport_deeplog.load import dummy, load, vocabulary
from safetensors.torch import save_file
from torch import nn

from tests.deeplog.oracles import (
    AlogDetectDeepLog,
    PaddedDeepLog,
    PypiDeepLog,
    Wuyifan18DeepLog,
)

pytestmark = pytest.mark.torch

V, E, H = 23, 6, 8


def read(path: Path, **options: Any) -> LoadedModel:
    return load(ModelRequest("deeplog", path, path.with_name("vocab.json"), options=options))


def alog_detect(**facts: Any) -> tuple[AlogDetectDeepLog, dict[str, Any]]:
    torch.manual_seed(1)
    model = AlogDetectDeepLog(V, E, H).eval()
    content = {
        "state_dict": model.state_dict(),
        "vocab_size": V,
        "seq_len": 12,
        "embed_dim": E,
        "hidden_dim": H,
    }
    return model, {**content, **facts}


def wuyifan18(layers: int = 2) -> Wuyifan18DeepLog:
    torch.manual_seed(2)
    return Wuyifan18DeepLog(1, H, layers, V).eval()


def windows(batch: int = 5, length: int = 7) -> torch.Tensor:
    return torch.randint(0, V, (batch, length), generator=torch.Generator().manual_seed(3))


def save(content: Any, path: Path) -> Path:
    torch.save(content, path)
    return path


# --- kinds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".pth", ".pt"])
def test_alog_detect_gives_the_last_step_of_its_own_model(tmp_path: Path, suffix: str) -> None:
    oracle, content = alog_detect()
    model = read(save(content, tmp_path / f"deeplog{suffix}"))
    assert torch.allclose(model.module(windows()), oracle(windows())[:, -1], atol=1e-6)
    assert model.vocab_size == V
    assert model.meta["checkpoint_kind"] == "alog-detect"
    assert (model.meta["embed_dim"], model.meta["hidden_dim"], model.meta["num_layers"]) == (
        E,
        H,
        1,
    )
    assert model.task.input == EventWindow(12)
    assert model.meta["seq_len_source"] == "checkpoint"
    assert model.task.decision == NextEventTopK("predictions", 3)
    assert not model.module.training


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_bare_state_dict_of_wuyifan18_takes_ids_as_numbers(tmp_path: Path, layers: int) -> None:
    oracle = wuyifan18(layers)
    model = read(save(oracle.state_dict(), tmp_path / "Adam_batch_size=2048.pt"))
    expected = oracle(windows().float().unsqueeze(-1))
    assert torch.allclose(model.module(windows()), expected, atol=1e-6)
    assert model.meta["checkpoint_kind"] == "wuyifan18"
    assert model.meta["num_layers"] == layers
    assert "embed_dim" not in model.meta
    assert model.task.input == EventWindow(10)
    assert model.meta["seq_len_source"] == "default"
    assert model.task.decision == NextEventTopK("predictions", 9)


def test_a_wrapped_state_dict_of_logdeep_is_read(tmp_path: Path) -> None:
    oracle = wuyifan18()
    # logdeep also saves floats here, which torch 1.13 does not read safely: see the refusals below.
    content = {"epoch": 370, "state_dict": oracle.state_dict(), "log": {"train": {"epoch": [1, 2]}}}
    model = read(save(content, tmp_path / "deeplog_last.pth"))
    expected = oracle(windows().float().unsqueeze(-1))
    assert torch.allclose(model.module(windows()), expected, atol=1e-6)
    assert model.meta["checkpoint_kind"] == "logdeep"


@pytest.mark.parametrize("key", ["model", "net", "model_weights"])
def test_weights_under_any_name_are_read(tmp_path: Path, key: str) -> None:
    oracle = wuyifan18()
    model = read(save({"epoch": 3, key: oracle.state_dict()}, tmp_path / "m.pth"))
    expected = oracle(windows().float().unsqueeze(-1))
    assert torch.allclose(model.module(windows()), expected, atol=1e-6)


# --- one-hot input, and more event ids than classes -----------------------------------------------


def pypi(more: int = 0) -> PypiDeepLog:
    torch.manual_seed(5)
    return PypiDeepLog(V + more, H, V, 2).eval()


def padded(rows: int, padding: int) -> PaddedDeepLog:
    torch.manual_seed(6)
    return PaddedDeepLog(rows, V, padding).eval()


@pytest.mark.parametrize("wrapped", [False, True])
def test_one_hot_input_is_read_as_pypis_deeplog_computes_it(tmp_path: Path, wrapped: bool) -> None:
    oracle = pypi()
    weights = oracle.state_dict()
    model = read(save({"net": weights} if wrapped else weights, tmp_path / "deeplog.save"))
    assert torch.allclose(model.module(windows()), oracle(windows()), atol=1e-6)
    assert model.meta["checkpoint_kind"] == "one-hot"
    assert model.vocab_size == V
    assert model.task.input == EventWindow(10)
    assert model.task.decision == NextEventTopK("predictions", 9)


@pytest.mark.parametrize(
    ("make", "first"),
    [
        (lambda: pypi(1), 0),
        (lambda: pypi(3), 0),
        (lambda: padded(V + 1, V), 0),
        (lambda: padded(V + 1, 0), 1),
        (lambda: padded(V + 4, 0), 0),
    ],
)
def test_ids_without_a_class_are_never_likelier_than_one_with(
    tmp_path: Path, make: Callable[[], PypiDeepLog | PaddedDeepLog], first: int
) -> None:
    oracle = make()
    model = read(save(oracle.state_dict(), tmp_path / "m.pth"))
    ids = windows() + first
    logits = model.module(ids)
    assert logits.shape == (len(ids), model.vocab_size)
    assert torch.allclose(logits[:, first : first + V], oracle(ids), atol=1e-6)
    others = torch.cat([logits[:, :first], logits[:, first + V :]], dim=1)
    assert others.shape[1] == model.vocab_size - V
    assert bool(torch.isfinite(others).all())
    assert bool((others < logits[:, first : first + V].min()).all())
    assert any("class 0 for index 1" in warning for warning in model.warnings) == (first == 1)


@pytest.mark.parametrize("padding", [0, V])
def test_a_vocabulary_must_reserve_what_has_no_class_and_the_printed_command_does(
    tmp_path: Path, padding: int
) -> None:
    path = save(padded(V + 1, padding).state_dict(), tmp_path / "m.pth")
    vocab = tmp_path / "vocab.json"
    vocab.write_text(json.dumps({f"{chr(97 + n)} is up": n for n in range(V)}))
    request = ModelRequest("deeplog", path, vocab)
    with pytest.raises(VocabularyError, match=rf"must reserve the others \(index {padding}\)") as e:
        vocabulary(request, load(request))
    found = re.search(r"`logexport (.*?)`", e.value.remedy)
    assert found is not None
    words = shlex.split(found[1])
    assert main(words) == 0
    fixed = replace(request, vocab=Path(words[words.index("--output") + 1]))
    made = vocabulary(fixed, load(fixed))
    assert list(made.reserved.values()) == [padding]
    full = tmp_path / "full.json"
    full.write_text(json.dumps({f"{chr(97 + n)} is up": n for n in range(V + 1)}))
    with pytest.raises(VocabularyError, match="0 of them reserved"):
        vocabulary(replace(request, vocab=full), load(request))


def test_a_published_k_that_is_too_large_gives_way_and_says_so(tmp_path: Path) -> None:
    torch.manual_seed(2)
    model = read(save(Wuyifan18DeepLog(1, H, 1, 5).state_dict(), tmp_path / "m.pth"))
    assert model.task.decision == NextEventTopK("predictions", 4)
    assert any("says no k" in warning for warning in model.warnings)


def test_the_floats_that_logdeep_saves_are_read_or_refused_with_the_reason(tmp_path: Path) -> None:
    content = {"epoch": 1, "state_dict": wuyifan18().state_dict(), "best_loss": 0.25}
    path = save(content, tmp_path / "deeplog_last.pth")
    if torch.__version__.startswith("1."):
        with pytest.raises(CheckpointError, match="Python floats"):
            read(path)
    else:
        assert read(path).meta["checkpoint_kind"] == "logdeep"


def test_an_alog_detect_state_dict_without_its_facts_takes_published_defaults(
    tmp_path: Path,
) -> None:
    _, content = alog_detect()
    model = read(save(content["state_dict"], tmp_path / "deeplog.pth"))
    assert model.task.input == EventWindow(50)
    assert model.meta["seq_len_source"] == "default"


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod.model.", "_orig_mod.module."]
)
@pytest.mark.parametrize("bare", [False, True])
def test_prefixes_of_wrapper_classes_are_stripped(tmp_path: Path, prefix: str, bare: bool) -> None:
    oracle, content = alog_detect()
    weights = {prefix + name: tensor for name, tensor in oracle.state_dict().items()}
    saved = weights if bare else {**content, "state_dict": weights}
    model = read(save(saved, tmp_path / "deeplog.pth"))
    assert torch.allclose(model.module(windows()), oracle(windows())[:, -1], atol=1e-6)


def test_safetensors_of_each_architecture_are_read(tmp_path: Path) -> None:
    oracle, content = alog_detect()
    save_file(content["state_dict"], str(tmp_path / "a.safetensors"), metadata={"format": "pt"})
    assert torch.allclose(
        read(tmp_path / "a.safetensors").module(windows()), oracle(windows())[:, -1], atol=1e-6
    )
    save_file(dict(wuyifan18().state_dict()), str(tmp_path / "w.safetensors"))
    model = read(tmp_path / "w.safetensors")
    expected = wuyifan18()(windows().float().unsqueeze(-1))
    assert torch.allclose(model.module(windows()), expected, atol=1e-6)
    assert model.meta["checkpoint_kind"] == "wuyifan18"


def test_safetensors_settings_come_from_the_header(tmp_path: Path) -> None:
    _, content = alog_detect()
    settings = {"seq_len": 17, "top_k": 4, "vocab_sha256": "0" * 64}
    path = tmp_path / "a.safetensors"
    save_file(content["state_dict"], str(path), metadata={"settings": json.dumps(settings)})
    model = read(path)
    assert model.meta["checkpoint_kind"] == "logexport"
    assert model.task.input == EventWindow(17)
    assert model.task.decision == NextEventTopK("predictions", 4)
    assert model.trained_vocab_sha256 == "0" * 64


def test_the_legacy_format_before_zip_archives_is_read(tmp_path: Path) -> None:
    _, content = alog_detect()
    torch.save(content, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert read(tmp_path / "old.pth").vocab_size == V


def test_half_and_double_weights_are_exported_as_float32_and_said(tmp_path: Path) -> None:
    for dtype in (torch.float16, torch.float64):
        _, content = alog_detect()
        content["state_dict"] = {n: t.to(dtype) for n, t in content["state_dict"].items()}
        model = read(save(content, tmp_path / "deeplog.pth"))
        assert model.module(windows()).dtype == torch.float32
        assert any(str(dtype) in warning for warning in model.warnings)


def test_the_alog_detect_linux_checkpoint_is_read(test_data: Path) -> None:
    folder = test_data / "checkpoints" / "alog-detect-linux"
    model = read(folder / "deeplog.pth")
    assert model.vocab_size == 139
    assert model.task.input == EventWindow(50)
    assert model.task.decision == NextEventTopK("predictions", 3)
    assert model.meta["checkpoint_kind"] == "alog-detect"
    oracle = AlogDetectDeepLog(139, 64, 128).eval()
    content = torch.load(str(folder / "deeplog.pth"), map_location="cpu")
    oracle.load_state_dict(content["state_dict"])
    batch = torch.randint(0, 139, (9, 50))
    with torch.no_grad():
        assert torch.allclose(model.module(batch), oracle(batch)[:, -1], atol=1e-5)


# --- window length and k --------------------------------------------------------------------------


def test_seq_len_unlike_the_trained_one_is_taken_with_a_warning(tmp_path: Path) -> None:
    _, content = alog_detect()
    model = read(save(content, tmp_path / "deeplog.pth"), seq_len=20)
    assert model.task.input == EventWindow(20)
    assert model.meta["seq_len_source"] == "option"
    assert any("12" in warning and "20" in warning for warning in model.warnings)


def test_seq_len_like_the_trained_one_does_not_warn(tmp_path: Path) -> None:
    _, content = alog_detect()
    path = save(content, tmp_path / "deeplog.pth")
    assert read(path, seq_len=12).warnings == read(path).warnings
    assert read(path, seq_len=12).meta["seq_len_source"] == "checkpoint"


def test_seq_len_where_the_checkpoint_says_none_is_the_option_without_warning(
    tmp_path: Path,
) -> None:
    path = save(wuyifan18().state_dict(), tmp_path / "w.pt")
    model = read(path, seq_len=25)
    assert (model.task.input, model.meta["seq_len_source"]) == (EventWindow(25), "option")
    assert model.warnings == read(path).warnings


def test_top_k_is_the_option_else_the_checkpoints_else_the_kinds(tmp_path: Path) -> None:
    _, content = alog_detect(top_k=5)
    path = save(content, tmp_path / "deeplog.pth")
    assert read(path, top_k=7).task.decision == NextEventTopK("predictions", 7)
    assert read(path).task.decision == NextEventTopK("predictions", 5)


@pytest.mark.parametrize("top_k", [V, V + 1])
def test_top_k_not_below_the_vocabulary_is_an_error_naming_both(tmp_path: Path, top_k: int) -> None:
    _, content = alog_detect()
    with pytest.raises(UsageError, match=rf"k = {top_k} .*\({V} entries\)"):
        read(save(content, tmp_path / "deeplog.pth"), top_k=top_k)
    assert read(tmp_path / "deeplog.pth", top_k=V - 1)


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "stored", "actual"),
    [("vocab_size", 99, V), ("embed_dim", 64, E), ("hidden_dim", 128, H), ("num_layers", 2, 1)],
)
def test_facts_that_contradict_the_weights_are_an_error_naming_both_numbers(
    tmp_path: Path, fact: str, stored: int, actual: int
) -> None:
    _, content = alog_detect(**{fact: stored})
    with pytest.raises(CheckpointError, match=rf"{fact} = {stored}, .* {actual}$"):
        read(save(content, tmp_path / "deeplog.pth"))


@pytest.mark.parametrize("value", [0, -3, True, "50", 2**40])
def test_a_window_length_that_is_none_is_refused(tmp_path: Path, value: object) -> None:
    _, content = alog_detect(seq_len=value)
    with pytest.raises(CheckpointError, match="seq_len"):
        read(save(content, tmp_path / "deeplog.pth"))


class Other(nn.Module):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.embed = nn.Embedding(V, E)
        self.lstm = nn.LSTM(E, H, batch_first=True, **options)
        width = (options.get("proj_size") or H) * (2 if options.get("bidirectional") else 1)
        self.fc = nn.Linear(width, V)


@pytest.mark.parametrize(
    ("model", "found"),
    [
        (Other(bidirectional=True), "lstm.weight_ih_l0_reverse"),
        (Other(bidirectional=True), "lstm is bidirectional"),
        (nn.ModuleDict({"gru": nn.GRU(1, H), "fc": nn.Linear(H, V)}), "gru is a GRU"),
        (nn.ModuleDict({"rnn": nn.RNN(1, H), "fc": nn.Linear(H, V)}), "rnn is a plain RNN"),
        (
            nn.ModuleDict({"a": nn.LSTM(1, H), "b": nn.LSTM(1, H), "fc": nn.Linear(H, V)}),
            "several recurrent layers, a and b",
        ),
        (
            nn.ModuleDict({"lstm": nn.LSTM(1, H), "x": nn.Linear(H, V), "y": nn.Linear(H, V)}),
            "several layers that could give the output, x and y",
        ),
        (PypiDeepLog(V + 9, H, V, 1), "lstm.weight_ih_l0"),
        (Other(proj_size=3), "has a projection (lstm.weight_hr_l0)"),
        (Other(bias=False), "lstm.weight_hh_l0"),
        (Wuyifan18DeepLog(300, H, 2, V), "lstm.weight_ih_l0"),  # logdeep's semantic vectors
        (nn.ModuleDict({"lstm": nn.GRU(1, H), "fc": nn.Linear(H, V)}), "lstm.weight_ih_l0"),
        (nn.ModuleDict({"lstm": nn.LSTM(1, H), "fc": nn.Linear(9, V)}), "fc.weight"),
        (nn.ModuleDict({"encoder": nn.Linear(3, 4)}), "encoder.weight (4, 3)"),
        (
            nn.ModuleDict({"embedding": nn.Embedding(V, E), "lstm": nn.LSTM(E, H)}),
            "embedding.weight (23, 6)",
        ),
    ],
)
def test_unknown_architectures_are_refused_with_what_was_found_and_what_is_known(
    tmp_path: Path, model: nn.Module, found: str
) -> None:
    with pytest.raises(CheckpointError) as refusal:
        read(save(model.state_dict(), tmp_path / "deeplog.pth"))
    assert found in str(refusal.value)
    assert str(tmp_path) in str(refusal.value)
    for known in ("alog-detect", "wuyifan18", "logdeep", "logexport"):
        assert known in refusal.value.remedy
    assert "\n" not in str(refusal.value) + refusal.value.remedy


def test_layers_with_a_gap_are_refused(tmp_path: Path) -> None:
    weights = wuyifan18(3).state_dict()
    for name in list(weights):
        if name.endswith("_l1"):
            del weights[name]
    with pytest.raises(CheckpointError, match=r"lstm\.bias_hh_l1"):
        read(save(weights, tmp_path / "w.pt"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(tmp_path: Path, value: float) -> None:
    _, content = alog_detect()
    content["state_dict"]["fc.bias"][3] = value
    with pytest.raises(CheckpointError, match=r"not finite.*fc\.bias"):
        read(save(content, tmp_path / "deeplog.pth"))


def test_doubles_beyond_float32_are_refused(tmp_path: Path) -> None:
    _, content = alog_detect()
    content["state_dict"] = {n: t.double() for n, t in content["state_dict"].items()}
    content["state_dict"]["fc.bias"][3] = 1e300
    with pytest.raises(CheckpointError, match="not finite"):
        read(save(content, tmp_path / "deeplog.pth"))


def test_whole_number_weights_are_refused(tmp_path: Path) -> None:
    weights = {n: t.to(torch.int64) for n, t in wuyifan18().state_dict().items()}
    with pytest.raises(CheckpointError, match="int64"):
        read(save(weights, tmp_path / "w.pt"))


def test_empty_and_weightless_dicts_are_refused(tmp_path: Path) -> None:
    for content in ({}, {"state_dict": {}}, {"epoch": 3}, {"state_dict": {"a": 1}}):
        with pytest.raises(CheckpointError, match="no dict of weights"):
            read(save(content, tmp_path / "w.pt"))


# --- inputs for the export ------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 2, 3, 12, 50])
def test_example_sizes_are_at_least_two_and_unlike_every_size_of_the_model(
    tmp_path: Path, length: int
) -> None:
    _, content = alog_detect(seq_len=length)
    model = read(save(content, tmp_path / "deeplog.pth"))
    inputs = dummy(model)
    sizes = list(inputs.tensors[0].shape)
    assert min(sizes) >= 2
    assert len({*sizes, V, E, H}) == 5
    assert inputs.tensors[0].dtype == torch.int64
    assert int(inputs.tensors[0].max()) < V


def test_the_grid_probes_batches_and_lengths_without_repeats(tmp_path: Path) -> None:
    import numpy as np

    _, content = alog_detect()
    inputs = dummy(read(save(content, tmp_path / "deeplog.pth")))
    pairs = [(sizes["batch_size"], sizes["sequence_length"]) for sizes in inputs.grid]
    assert sorted(pairs) == [(b, n) for b in (1, 2, 7, 32) for n in (1, 6, 12, 24)]
    _, content = alog_detect(seq_len=1)
    short = dummy(read(save(content, tmp_path / "one.pth"))).grid
    assert {sizes["sequence_length"] for sizes in short} == {1, 2}
    assert len(short) == 8
    (drawn,) = inputs.draw({"batch_size": 64, "sequence_length": 24}, np.random.default_rng(1))
    assert (drawn.dtype, drawn.shape) == (np.int64, (64, 24))
    assert set(drawn.ravel().tolist()) == set(range(V))


@pytest.mark.filterwarnings("ignore")  # the exporter's own, about what the test disproves
@pytest.mark.parametrize("kind", ["embedded", "numbers", "layers", "one-hot", "padded"])
def test_the_torchscript_graph_is_right_at_every_probed_shape(tmp_path: Path, kind: str) -> None:
    import inspect

    import numpy as np
    import onnxruntime

    path = tmp_path / "deeplog.pth"
    numbers = wuyifan18(3 if kind == "layers" else 1).state_dict()
    others = {
        "embedded": alog_detect()[1],
        "one-hot": pypi().state_dict(),
        "padded": padded(V + 1, 0).state_dict(),
    }
    save(others.get(kind, numbers), path)
    model = read(path, seq_len=6)
    inputs = dummy(model)
    old = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    with torch.no_grad():
        torch.onnx.export(
            model.module,
            inputs.tensors,
            str(tmp_path / "deeplog.onnx"),
            input_names=list(inputs.input_names),
            output_names=list(inputs.output_names),
            dynamic_axes={name: dict(axes) for name, axes in inputs.dynamic_axes.items()},
            opset_version=17,
            **old,
        )
    session = onnxruntime.InferenceSession(str(tmp_path / "deeplog.onnx"))
    for sizes in inputs.grid:
        (ids,) = inputs.draw(sizes, np.random.default_rng(4))
        (logits,) = session.run(None, {"input_sequence": ids})
        expected = model.module(torch.from_numpy(ids)).numpy()
        assert logits.shape == (sizes["batch_size"], model.vocab_size)
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
