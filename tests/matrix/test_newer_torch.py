"""A PyTorch newer than the table, simulated by its version and its signature, at the command line.

What is simulated is what logexport looks at: ``torch.__version__``, the parameters of
``torch.onnx.export`` and whether the TorchScript exporter is there. The exports themselves are made
by the installed PyTorch. Of dynamo's process, which looks for itself, what it would give to a newer
``torch.onnx.export`` is asked.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.onnx.utils
from logexport.cli import main
from logexport.exporters import BUILTIN_STRATEGIES, explain
from logexport.exporters.dynamo_worker import KEYWORDS, WHERE_KNOWN, arguments
from logexport.exporters.environment import TorchEnvironment, _installed
from packaging.version import Version

from tests.matrix.cases import BY_NAME

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

NEWER = "2.99.0"
COMMON = ("input_names", "output_names", "opset_version", "dynamic_axes")
BOTH = (*COMMON, "dynamo", "dynamic_shapes", "external_data")
DYNAMO_IS_RIGHT = explain(TorchEnvironment.installed(), BUILTIN_STRATEGIES)[1].usable

Newer = Callable[..., None]


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Newer]:
    """Call it with the keywords that the newer ``torch.onnx.export`` has."""
    real = torch.onnx.export

    def simulate(*keywords: str, required: str | None = None, torchscript: bool = True) -> None:
        known = inspect.signature(real).parameters

        def export(model: Any, args: Any, f: Any, **given: Any) -> Any:
            strange = set(given) - set(keywords) - {required}
            if strange:
                raise TypeError(f"export() got an unexpected keyword argument {strange.pop()!r}")
            return real(model, args, f, **{k: v for k, v in given.items() if k in known})

        kinds = inspect.Parameter
        parameters = [kinds(n, kinds.POSITIONAL_OR_KEYWORD) for n in ("model", "args", "f")]
        if required is not None:
            parameters.append(kinds(required, kinds.KEYWORD_ONLY))
        parameters += [kinds(name, kinds.KEYWORD_ONLY, default=None) for name in keywords]
        export.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        monkeypatch.setattr(torch.onnx, "export", export)
        monkeypatch.setattr(torch, "__version__", NEWER)
        if not torchscript:
            monkeypatch.delattr(torch.onnx, "utils")
        _installed.cache_clear()

    yield simulate
    _installed.cache_clear()


@dataclass(frozen=True)
class Said:
    """What a command said, and how it ended."""

    exit_code: int
    stdout: str
    output: str


class Shell:
    """The command line in this process."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self.capfd = capfd

    def call(self, *arguments: object) -> Said:
        self.capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        stdout, stderr = self.capfd.readouterr()
        assert "Traceback" not in stdout + stderr
        return Said(status, stdout, stdout + stderr)

    def run(self, directory: Path, *options: object) -> Said:
        request = BY_NAME["deeplog-alog-detect"].request(directory, "auto")
        files = ["--checkpoint", request.checkpoint, "--vocab", request.vocab]
        where = ["-o", directory / "bundle", "--native", "off"]
        return self.call("run", "--model", "deeplog", *files, *where, *options)

    def doctor(self) -> dict[str, dict[str, Any]]:
        document = json.loads(self.call("doctor", "--json").stdout)
        return {strategy["name"]: strategy for strategy in document["strategies"]}


@pytest.fixture
def shell(capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capfd)


def exporter(directory: Path) -> dict[str, Any]:
    meta = json.loads((directory / "bundle" / "deeplog.onnx.meta.json").read_text())
    return dict(meta["exporter"])


def test_doctor_says_that_the_version_is_untested(newer: Newer, shell: Shell) -> None:
    newer(*BOTH)
    said = shell.call("doctor").output
    assert f"torchscript: usable, untested: torch {NEWER} is newer than logexport" in said
    strategies = shell.doctor()
    assert not any(strategy["tested"] for strategy in strategies.values())
    assert strategies["torchscript"]["auto"] == 1


def test_run_takes_torchscript_where_it_can_be_asked_for(
    newer: Newer, shell: Shell, tmp_path: Path
) -> None:
    newer(*BOTH)
    done = shell.run(tmp_path)
    assert done.exit_code == 0, done.output
    taken = exporter(tmp_path)
    assert taken["strategy"] == "torchscript"
    assert f"untested: torch {NEWER}" in taken["reason"]


def test_an_unknown_optional_keyword_changes_nothing(
    newer: Newer, shell: Shell, tmp_path: Path
) -> None:
    newer(*BOTH, "quantum")
    assert shell.run(tmp_path).exit_code == 0
    assert exporter(tmp_path)["strategy"] == "torchscript"


@pytest.mark.parametrize(
    ("keywords", "torchscript", "why"),
    [
        ([k for k in BOTH if k != "dynamo"], True, "no keyword dynamo to ask for TorchScript with"),
        (BOTH, False, "has no TorchScript exporter any more"),
    ],
)
def test_run_falls_to_dynamo_where_torchscript_is_gone(
    newer: Newer, shell: Shell, tmp_path: Path, keywords: list[str], torchscript: bool, why: str
) -> None:
    newer(*keywords, torchscript=torchscript)
    strategies = shell.doctor()
    assert not strategies["torchscript"]["usable"]
    assert why in strategies["torchscript"]["reason"]
    assert strategies["dynamo"]["auto"] == 1
    assert not strategies["dynamo"]["tested"]
    refused = shell.run(tmp_path, "--exporter", "torchscript")
    assert refused.exit_code == 2
    assert why in refused.output
    assert not (tmp_path / "bundle").exists()
    done = shell.run(tmp_path)
    if DYNAMO_IS_RIGHT:
        assert done.exit_code == 0, done.output
        taken = exporter(tmp_path)
        assert taken["strategy"] == "dynamo"
        assert why in taken["reason"]
    else:  # the installed torch cannot do it, and that is said in a sentence
        assert done.exit_code == 1
        sentences = ("the dynamo exporter failed", "Another export strategy may keep the axis")
        assert any(sentence in done.output for sentence in sentences), done.output
        assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("missing", WHERE_KNOWN)
def test_dynamos_process_gives_only_the_keywords_that_torch_has(missing: str) -> None:
    if not DYNAMO_IS_RIGHT:
        pytest.skip("dynamo is not usable on this torch")
    env = TorchEnvironment(Version(NEWER), keywords=KEYWORDS - {missing})
    document = {
        "input_names": ["windows"],
        "output_names": ["scores"],
        "opset": 18,
        "dynamic_axes": {"windows": {"0": "batch_size"}},
    }
    given = arguments(env, document, (torch.zeros(2, 3),))
    assert given.keys() == KEYWORDS - {missing}
    assert given.get("dynamo", True) is True


def test_a_torch_without_onnx_export_is_a_sentence(
    newer: Newer, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer(*BOTH)
    monkeypatch.delattr(torch.onnx, "export")
    sentence = f"torch.onnx.export of torch {NEWER} is not what it was"
    assert sentence in shell.call("doctor").output
    refused = shell.run(tmp_path)
    assert refused.exit_code == 2
    assert sentence in refused.output
    assert not (tmp_path / "bundle").exists()


def test_a_required_argument_that_nobody_knows_is_a_sentence(
    newer: Newer, shell: Shell, tmp_path: Path
) -> None:
    newer(*BOTH, required="quantum")
    sentence = "requires an argument that this strategy does not know: quantum"
    for strategy in shell.doctor().values():
        assert not strategy["usable"]
        assert sentence in strategy["reason"]
    assert "auto takes: nothing" in shell.call("doctor").output
    refused = shell.run(tmp_path)
    assert refused.exit_code == 2
    assert "no export strategy is usable here" in refused.output
    assert "does not know: quantum" in refused.output
    assert not (tmp_path / "bundle").exists()


def test_a_signature_without_any_way_is_a_sentence(
    newer: Newer, shell: Shell, tmp_path: Path
) -> None:
    newer("opset_version")
    refused = shell.run(tmp_path)
    assert refused.exit_code == 2
    assert "no export strategy is usable here" in refused.output
