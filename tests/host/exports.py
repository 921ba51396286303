"""A small model type in this process, its files, and what a directory holds: for tests of a run."""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from logexport.host import Host
from logexport.hosting.discovery import Declaration
from logexport.types import ExportRequest

from tests.distributions import TINY, tiny_checkpoint


def hosted(directory: Path, *sources: str) -> Host:
    """A host of plugins with these sources, loaded as installed ones are."""
    declarations = []
    for source in sources:
        # A name of its own for every source: modules of one name would be one module.
        module = f"plugin_{hashlib.sha256(source.encode()).hexdigest()[:12]}"
        (directory / f"{module}.py").write_text(source, encoding="utf-8")
        declarations.append(Declaration(module, module, f"dist-{module}", "1.0"))
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))
    importlib.invalidate_caches()
    return Host(declarations)


def tiny(name: str = "tiny", **replaced: str) -> str:
    """The source of the tiny model type under another name, with pieces of it replaced."""
    source = TINY.replace('NAME = "tiny"', f'NAME = "{name}"')
    for old, new in replaced.items():
        if old not in source:
            raise ValueError(f"{old!r} is not in the source")
        source = source.replace(old, new)
    return source


@dataclass(frozen=True)
class Job:
    """A directory with a checkpoint and a vocabulary of the tiny model type."""

    directory: Path
    checkpoint: Path
    vocab: Path

    @classmethod
    def make(cls, directory: Path, size: int = 4) -> Job:
        directory.mkdir(parents=True, exist_ok=True)
        return cls(directory, *tiny_checkpoint(directory, size))

    @property
    def bundle(self) -> Path:
        return self.directory / "bundle"

    def request(self, models: Sequence[str] = ("tiny",), **more: Any) -> ExportRequest:
        request = ExportRequest(
            models, self.bundle, checkpoint=self.checkpoint, vocab=self.vocab, opset=17
        )
        return replace(request, **more)


def contents(directory: Path) -> dict[str, bytes]:
    """Every file below a directory, bit for bit."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def leftovers(target: Path) -> list[str]:
    """What lies beside a target under names that a run makes."""
    return [
        path.name for path in target.parent.iterdir() if path.name.startswith(f".{target.name}")
    ]


def meta_of(bundle: Path, model: str = "tiny") -> dict[str, Any]:
    """A model's metadata."""
    document: dict[str, Any] = json.loads((bundle / f"{model}.onnx.meta.json").read_text())
    return document
