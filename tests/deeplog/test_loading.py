"""Files that are no checkpoint, or not a safe one, are one sentence; nothing in them is run."""

from __future__ import annotations

import json
import os
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from logexport.checkpoints import load_checkpoint, pickle_warnings, save_checkpoint
from logexport.errors import CheckpointError

pytestmark = pytest.mark.torch


class _RunsCode:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("was-run",))


def _half(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _truncated(path: Path) -> None:
    torch.save({"a": torch.zeros(500)}, path)
    _half(path)


def _truncated_legacy(path: Path) -> None:
    torch.save({"a": torch.zeros(500)}, path, _use_new_zipfile_serialization=False)
    _half(path)


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "hello")


def _zip_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * (80 * 2**20))


def _torchscript(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(path))


def _safetensors(header: object, body: bytes = b"") -> Callable[[Path], None]:
    def write(path: Path) -> None:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + body)

    return write


_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
_ONE = {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}


@pytest.mark.parametrize(
    ("name", "write", "says"),
    [
        ("m.pth", lambda path: None, "no such checkpoint"),
        ("m.pth", lambda path: path.mkdir(), "not a regular file"),
        ("m.pth", lambda path: os.mkfifo(path), "not a regular file"),
        ("m.pth", lambda path: path.write_bytes(b""), "is empty"),
        ("m.safetensors", lambda path: path.write_bytes(b""), "is empty"),
        ("m.pth", lambda path: path.write_text(_POINTER), "Git LFS pointer"),
        ("m.safetensors", lambda path: path.write_text(_POINTER), "Git LFS pointer"),
        ("m.pth", lambda path: path.write_text("\n<!DOCTYPE html><html>"), "web page"),
        ("m.pth", lambda path: path.write_text("epoch loss\n1 0.5\n"), "neither a PyTorch"),
        ("m.pth", _truncated, "damaged"),
        ("m.pth", _truncated_legacy, "damaged|cut short"),
        ("m.pth", _zip, "not a PyTorch checkpoint"),
        ("m.pth", _zip_bomb, "unpacks to more"),
        ("m.pt", _torchscript, "TorchScript"),
        ("m.pth", lambda path: torch.save({"a": _RunsCode()}, path), "Python objects"),
        ("m.pth", lambda path: torch.save(torch.nn.Linear(2, 2), path), "Python objects"),
        ("m.pth", lambda path: torch.save(torch.zeros(3), path), "holds one Tensor"),
        ("m.pth", lambda path: torch.save([1, 2], path), "holds one list"),
        ("m.pth", lambda path: torch.save({"a": torch.eye(3).to_sparse()}, path), "sparse"),
        (
            "m.pth",
            lambda path: torch.save({"a": [{"b": torch.zeros(2, device="meta")}]}, path),
            r"a\[0\]\.b is .*meta",
        ),
        (
            "m.pth",
            lambda path: torch.save({"a": torch.zeros(1).expand(10**6, 10**6)}, path),
            "declares tensors of 4,000,000,000,000 bytes",
        ),
        (
            "m.pth",
            lambda path: torch.save({"a": torch.zeros(2, dtype=torch.complex64)}, path),
            "complex64",
        ),
        ("m.safetensors", lambda path: path.write_bytes(b"\xff" * 64), "not a valid safetensors"),
        ("m.safetensors", _safetensors(b'{"a":' + b"x" * 20), "not a valid safetensors"),
        ("m.bin", _safetensors(_ONE, b"\0\0"), "not a valid safetensors"),
        (
            "m.safetensors",
            _safetensors({**_ONE, "__metadata__": {"settings": "{"}}, b"\0\0\0\0"),
            "settings that are not JSON",
        ),
        (
            "m.safetensors",
            _safetensors({**_ONE, "__metadata__": {"settings": "[1]"}}, b"\0\0\0\0"),
            "no JSON object",
        ),
    ],
)
def test_a_file_that_is_no_safe_checkpoint_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    write: Callable[[Path], None],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    write(path)
    with pytest.raises(CheckpointError, match=says) as refusal:
        load_checkpoint(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value) + refusal.value.remedy
    assert not (tmp_path / "was-run").exists()


def test_a_file_beyond_the_bound_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(5 * 2**30)  # sparse: takes no space
    with pytest.raises(CheckpointError, match="5,368,709,120 bytes"):
        load_checkpoint(path)


def test_the_warning_names_the_known_holes_of_old_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    for version, holes in {
        "1.13.1+cu117": ("CVE-2025-32434", "CVE-2026-24747"),
        "2.5.1": ("CVE-2025-32434", "CVE-2026-24747"),
        "2.6.0": ("CVE-2026-24747",),
        "2.9.1+cpu": ("CVE-2026-24747",),
        "2.10.0": (),
        "2.13.0+cpu": (),
    }.items():
        monkeypatch.setattr(torch, "__version__", version)
        said = " ".join(pickle_warnings())
        assert [h for h in ("CVE-2025-32434", "CVE-2026-24747") if h in said] == list(holes)


def test_only_pickles_are_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = {"a": torch.arange(3.0)}
    for name in ("m.pth", "m.safetensors"):
        save_checkpoint(tmp_path / name, tensors, {}, {})
    monkeypatch.setattr(torch, "__version__", "2.5.1")
    assert load_checkpoint(tmp_path / "m.pth").warnings
    assert not load_checkpoint(tmp_path / "m.safetensors").warnings


@pytest.mark.parametrize("name", ["m.pth", "m.pt", "m.safetensors"])
def test_what_is_saved_is_read_back(tmp_path: Path, name: str) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    tensors = {"a": base.t(), "b": base[0], "c": torch.tensor([0.1], dtype=torch.float64)}
    entries = {"vocab_size": 3, "note": "ü", "none": None}
    save_checkpoint(tmp_path / name, tensors, entries, {"share": 0.1, "list": [1, None]})
    read = load_checkpoint(tmp_path / name)
    assert read.content["state_dict"].keys() == tensors.keys()
    for key, tensor in tensors.items():
        assert torch.equal(read.content["state_dict"][key], tensor)
        assert read.content["state_dict"][key].dtype == tensor.dtype
    assert {key: read.content[key] for key in entries} == entries
    assert read.settings() == {"share": 0.1, "list": [1, None]}
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_saved_pickle_holds_nothing_that_torch_1_13_refuses(tmp_path: Path) -> None:
    """It refuses Python floats, bytes and sets."""
    save_checkpoint(tmp_path / "m.pth", {"a": torch.zeros(2)}, {"n": 3}, {"share": 0.5})

    def check(value: object) -> None:
        assert isinstance(value, (dict, int, str, torch.Tensor))
        if isinstance(value, dict):
            for item in value.values():
                check(item)

    check(dict(load_checkpoint(tmp_path / "m.pth").content))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_checkpoints_never_raise_anything_else(tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["m.pth", "old.pth", "m.safetensors"]))
    path = tmp_path / name
    if name == "old.pth":
        torch.save({"a": torch.zeros(3), "n": 1}, path, _use_new_zipfile_serialization=False)
    else:
        save_checkpoint(path, {"a": torch.zeros(3)}, {"n": 1}, {"x": 1})
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    try:
        read = load_checkpoint(path)
    except CheckpointError:
        return
    assert isinstance(read.content, dict)
