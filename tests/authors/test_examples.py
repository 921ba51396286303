"""The examples, installed from built wheels into a place of their own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.distributions import TINY, Site

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = ("logexport-transformer", "logexport-hdfs-sanity")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Both, from wheels that pip builds of copies of them."""
    work = tmp_path_factory.mktemp("examples")
    made = Site(work / "installed")
    for name in NAMES:
        shutil.copytree(EXAMPLES / name, work / name, ignore=shutil.ignore_patterns(".tox"))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [
            *pip, "wheel", "--no-deps", "--no-index", "--no-build-isolation",
            "--wheel-dir", str(work / "dist"), *(str(work / name) for name in NAMES),
        ],
        check=True,
    )  # fmt: skip
    wheels = sorted(map(str, (work / "dist").glob("*.whl")))
    assert len(wheels) == len(NAMES)
    subprocess.run(
        [*pip, "install", "--no-deps", "--no-index", "--target", str(made.path), *wheels],
        check=True,
    )
    return made


@pytest.mark.torch
def test_the_transformer_runs_in_the_engine_as_it_is(site: Site, tmp_path: Path) -> None:
    done = site.run("run", "--model", "transformer", "-o", tmp_path / "bundle", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["proof"] == "full"
    checks = {check["name"]: check for check in result["models"][0]["checks"]}
    assert checks["replay"]["figures"]["differ"] == 0
    assert checks["replay"]["figures"]["scored"] > 500
    # The other example checks every export, this one too.
    assert checks["hdfs_blocks"]["status"] == "passed"
    meta = json.loads((tmp_path / "bundle/transformer.onnx.meta.json").read_text("utf-8"))
    assert meta["hdfs_templates"] == 0
    assert (tmp_path / "bundle/transformer.onnx").stat().st_size < 300_000


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_example_passes_its_own_tests(site: Site, tmp_path: Path, name: str) -> None:
    shutil.copytree(EXAMPLES / name / "tests", tmp_path / "tests")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "tests")],
        env=site.environment(OMP_NUM_THREADS="1"), cwd=tmp_path,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@pytest.mark.torch
def test_an_export_with_block_numbers_in_its_templates_is_not_published(
    site: Site, tmp_path: Path
) -> None:
    import torch

    templates = ["Deleting block blk_38865049064139660", "Served block <*>", "PacketResponder <*>"]
    site.install("logexport-tiny", TINY)
    torch.save({"logits": torch.eye(3)}, tmp_path / "tiny.pth")
    vocab = tmp_path / "vocab.json"
    vocab.write_text(json.dumps({template: i for i, template in enumerate(templates)}))
    done = site.run(
        "run", "--model", "tiny", "--checkpoint", tmp_path / "tiny.pth", "--vocab", vocab,
        "-o", tmp_path / "bundle",
    )  # fmt: skip
    assert done.returncode == 1
    assert "hdfs_blocks" in done.stderr
    assert "1 of 3 templates hold a block's number" in done.stdout
    assert not (tmp_path / "bundle").exists()


def test_the_plugin_that_is_no_model_is_twenty_lines() -> None:
    text = (EXAMPLES / "logexport-hdfs-sanity/logexport_hdfs_sanity.py").read_text("utf-8")
    assert len([line for line in text.splitlines() if line.strip()]) <= 20


def test_the_transformers_sample_is_small() -> None:
    sample = EXAMPLES / "logexport-transformer/src/logexport_transformer/sample"
    files = {path.name: path.stat().st_size for path in sample.iterdir()}
    assert set(files) == {"transformer.pth", "vocab.json", "preprocess.json", "sample.log"}
    assert sum(files.values()) <= 300 * 1024
