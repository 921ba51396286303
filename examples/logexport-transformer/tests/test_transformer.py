"""The contract of a plugin, and what this model promises beyond it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import logexport
import logexport_transformer
import pytest
import torch
from logexport.errors import CheckpointError, UsageError
from logexport.testing import PluginContract
from logexport_transformer.model import CausalTransformer, Sizes

SAMPLE = Path(logexport_transformer.__file__).parent / "sample"


class TestContract(PluginContract):
    plugin = "transformer"


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "logexport", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_event_looks_at_a_later_one() -> None:
    torch.manual_seed(1)
    sizes = Sizes(vocab_size=9, width=8, heads=2, layers=2)
    module = CausalTransformer(sizes).eval()
    window = torch.randint(0, 9, (3, 6))
    seen: list[torch.Tensor] = []
    module.norm.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    kept: list[torch.Tensor] = []
    module.blocks[-1].register_forward_hook(lambda _, __, out: kept.append(out))
    with torch.no_grad():
        module(window)
        changed = window.clone()
        changed[:, 4:] = (changed[:, 4:] + 1) % 9
        module(changed)
    assert torch.equal(kept[0][:, :4], kept[1][:, :4])
    assert not torch.allclose(kept[0][:, 4:], kept[1][:, 4:])
    assert not torch.allclose(seen[0], seen[1])


def test_the_order_of_events_matters() -> None:
    module = CausalTransformer(Sizes(vocab_size=9, width=8)).eval()
    with torch.no_grad():
        one, other = module(torch.tensor([[1, 2, 3, 4], [2, 1, 3, 4]]))
    assert not torch.allclose(one, other)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's log, parsed and built."""
    directory = tmp_path_factory.mktemp("built")
    done = command("parse", SAMPLE / "sample.log", "-o", directory)
    assert done.returncode == 0, done.stderr
    parsed = directory / "parsed.parquet"
    done = command("transformer", "build", "--parsed", parsed, "-o", directory, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["unseen"] == 0
    return directory


def train(built: Path, output: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return command(
        *("transformer", "train", "--sequences", built / "sequences.parquet"),
        *("--vocab", built / "vocab.json", "-o", output, "--epochs", "1", "--width", "8"),
        *("--json", *more),
    )


def test_from_a_raw_log_to_a_proven_bundle(built: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "own.safetensors"
    done = train(built, checkpoint)
    assert done.returncode == 0, done.stderr
    result = logexport.run(
        logexport.ExportRequest(
            models=["transformer"],
            output_dir=tmp_path / "bundle",
            checkpoint=checkpoint,
            vocab=built / "vocab.json",
            options={"context": 7},
        )
    )
    model = result.models[0]
    checks = {check.name: check for check in model.checks}
    assert checks["training_events"].status == "passed"
    assert any("--context 7" in warning for warning in model.warnings)
    meta = json.loads(model.metadata.read_text(encoding="utf-8"))
    assert (meta["seq_len"], meta["seq_len_source"]) == (7, "option")
    assert meta["task"]["length"] == 7


def test_one_seed_gives_the_same_weights_twice(built: Path, tmp_path: Path) -> None:
    weights = []
    for number, seed in enumerate((4, 4, 5)):
        output = tmp_path / f"{number}.safetensors"
        assert train(built, output, "--seed", str(seed)).returncode == 0
        weights.append(output.read_bytes().partition(b"}}")[2])
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"width": 16}, "does not hold the weights"),
        ({"layers": 0}, "layers = 0"),
        ({"heads": 3}, "no multiple"),
        ({"model": "other"}, "no checkpoint of transformer"),
    ],
)
def test_a_checkpoint_that_contradicts_itself_is_refused(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    content = torch.load(SAMPLE / "transformer.pth", weights_only=True)
    torch.save({**content, **change}, tmp_path / "odd.pth")
    request = logexport.ExportRequest(
        ["transformer"], tmp_path / "bundle", tmp_path / "odd.pth", SAMPLE / "vocab.json"
    )
    with pytest.raises(CheckpointError, match=words):
        logexport.run(request)
    assert not (tmp_path / "bundle").exists()


def test_options_are_validated(tmp_path: Path) -> None:
    request = logexport.ExportRequest(["transformer"], tmp_path / "bundle", options={"context": 0})
    with pytest.raises(UsageError, match="--context"):
        logexport.run(request)
