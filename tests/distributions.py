"""Real small distributions, installed by pip into a directory of their own.

A test puts the directory on PYTHONPATH of a new process, where the plugins are found through their
entry points like anybody's.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import Any


class Site:
    """A directory with distributions in it, and processes that see them."""

    def __init__(self, root: Path) -> None:
        self.path = root / "site"
        self._wheels = root / "wheels"
        self._wheels.mkdir(parents=True)

    def install(
        self,
        distribution: str,
        source: str,
        *,
        version: str = "1.0",
        entry_point: str | None = None,
    ) -> None:
        """Install a distribution of one module with one plugin in it.

        Args:
            distribution: its name; the module's is the same with underscores.
            source: the module's code.
            entry_point: the entry point's name, by default the module's.
        """
        module = distribution.replace("-", "_")
        wheel = self._wheels / f"{module}-{version}-py3-none-any.whl"
        info = f"{module}-{version}.dist-info"
        files = {
            f"{module}.py": textwrap.dedent(source),
            f"{info}/METADATA": "Metadata-Version: 2.1\n"
            f"Name: {distribution}\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\n"
            "Tag: py3-none-any\n",
            f"{info}/entry_points.txt": f"[logexport]\n{entry_point or module} = {module}\n",
        }
        record = []
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
                digest = hashlib.sha256(text.encode()).digest()
                encoded = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
                record.append(f"{name},sha256={encoded},{len(text.encode())}")
            archive.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,\n"]))
        subprocess.run(
            [
                sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
                "--disable-pip-version-check", "--upgrade", "--target", str(self.path), str(wheel),
            ],
            check=True,
        )  # fmt: skip

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a process that sees the distributions."""
        paths = [str(self.path), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **more}

    def run(self, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run ``logexport`` in a new process."""
        return subprocess.run(
            [sys.executable, "-m", "logexport", *map(str, arguments)],
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def plugins(self) -> dict[str, dict[str, Any]]:
        """What ``logexport plugins list --json`` says, by distribution."""
        done = self.run("plugins", "list", "--json")
        assert done.returncode == 0, done.stderr
        return {one["distribution"]: one for one in json.loads(done.stdout)["plugins"]}


TINY = '''
"""A model type of one file: the next event is the one after the last event."""

import click
import torch

from logexport import hookimpl
from logexport.types import (
    DummyInput, EventWindow, LoadedModel, ModelInfo, NextEventTopK, Task,
)
from logexport.vocab import load_vocab

logexport_api = 1
NAME = "tiny"


class Successor(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        self.logits = torch.nn.Parameter(2.0 * torch.eye(size).roll(1, 1))

    def forward(self, window):
        return self.logits[window[:, -1]]


@hookimpl
def model_info():
    return ModelInfo(NAME, "Successor of the last event.", "event_window", "next_event_topk")


@hookimpl
def run_options():
    return [click.Option(["--top-k"], type=click.IntRange(min=1), default=1, help="Likeliest k.")]


@hookimpl
def load_model(request):
    state = torch.load(request.checkpoint, weights_only=True)
    size = state["logits"].shape[0]
    module = Successor(size)
    module.load_state_dict(state)
    task = Task(EventWindow(2), NextEventTopK("predictions", request.options["top_k"]))
    return LoadedModel(module.eval(), task, vocab_size=size)


@hookimpl
def build_vocab(request, model):
    return load_vocab(request.vocab, model.vocab_size)


@hookimpl
def dummy_input(model):
    size = model.vocab_size

    def draw(sizes, rng):
        shape = (sizes["batch_size"], sizes["sequence_length"])
        return (rng.integers(0, size, shape, dtype="int64"),)

    return DummyInput(
        tensors=(torch.ones(2, 3, dtype=torch.int64),),
        input_names=("input_sequence",),
        output_names=("predictions",),
        dynamic_axes={
            "input_sequence": {0: "batch_size", 1: "sequence_length"},
            "predictions": {0: "batch_size"},
        },
        grid=tuple({"batch_size": b, "sequence_length": n} for b in (1, 7) for n in (1, 2, 4)),
        draw=draw,
    )


@hookimpl
def write_meta(model):
    return {"seq_len": 2}
'''
"""A complete model plugin: ``logexport run --model tiny``."""


def tiny_checkpoint(directory: Path, size: int = 4) -> tuple[Path, Path]:
    """A checkpoint and a vocabulary for :data:`TINY`."""
    import torch

    checkpoint = directory / "tiny.pth"
    torch.save({"logits": 2.0 * torch.eye(size).roll(1, 1)}, checkpoint)
    vocab = directory / "vocab.json"
    vocab.write_text(json.dumps({f"event {'abcdefgh'[i]} happened": i for i in range(size)}))
    return checkpoint, vocab
