"""What a staged bundle holds: files of models, the manifest, the validation report."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from logexport import schemas
from logexport.bundle import (
    BUNDLE_SCHEMA_VERSION,
    MANIFEST,
    MANIFEST_SCHEMA_VERSION,
    VALIDATION,
    Bundle,
    FileNames,
    file_entries,
    weakest,
)
from logexport.errors import BundleError, OutputError
from logexport.files import write_json
from logexport.publishing.staging import Staging
from logexport.runtime import silenced
from logexport.types import GraphInfo

__all__ = [
    "Contents",
    "keep_other_models",
    "versions",
]


@dataclass
class Contents:
    """A bundle in the making.

    Args:
        path: the staging directory.
        models: each model's entry in the manifest.
        validation: each model's entry in ``validation.json``.
    """

    path: Path
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    validation: dict[str, Any] = field(default_factory=dict)

    def add_model(self, model: str, graph: GraphInfo, proof: str, warnings: int = 0) -> None:
        """Enter a model into the manifest, in place of what the manifest has of that model.

        Args:
            model: its name.
            graph: its graph.
            proof: what its checks showed.
            warnings: how many of their warnings count.
        """
        self.models[model] = {
            "metadata": FileNames(model).meta,
            "opset_version": graph.opset_version,
            "ir_version": graph.ir_version,
            "proof": proof,
            "warnings": warnings,
        }

    def write_manifest(self) -> dict[str, Any]:
        """``manifest.json`` of what lies in the directory now, checked against its schema."""
        document = {
            "schema_version": MANIFEST_SCHEMA_VERSION,
            "proof": weakest(entry["proof"] for entry in self.models.values()),
            "warnings": sum(entry["warnings"] or 0 for entry in self.models.values()),
            "models": self.models,
            "files": file_entries(self.path),
            "versions": versions(),
        }
        schemas.check(document, "manifest", self.path / MANIFEST)
        write_json(self.path / MANIFEST, document)
        return document

    def add_report(self, model: str, report: Mapping[str, Any]) -> None:
        """Enter a model's report into ``validation.json``, and write the file."""
        self.validation[model] = dict(report)
        document = {"schema_version": BUNDLE_SCHEMA_VERSION, "models": self.validation}
        schemas.check(document, "validation", self.path / VALIDATION)
        write_json(self.path / VALIDATION, document)

    def add_shared(self, name: str, content: bytes, model: str) -> str:
        """Write a file that models share where it is byte-identical; gives the file's name.

        Raises:
            OutputError: the name is another model's, and so is the model's own name for the file.
        """
        for candidate in (name, FileNames(model).own(name)):
            path = self.path / candidate
            if not path.exists() or path.read_bytes() == content:
                path.write_bytes(content)
                return candidate
        raise OutputError(
            f"the bundle has another model's {path.name}",
            "Name another place by --output-dir.",
        )

    def discard_graph(self, model: str, variants: Sequence[str]) -> None:
        """Remove what one attempt at a model's graph wrote; what the attempts share stays."""
        names = FileNames(model)
        for name in (
            names.onnx,
            names.meta,
            names.selftest_log,
            names.selftest_verdicts,
            *map(names.variant, variants),
        ):
            (self.path / name).unlink(missing_ok=True)


def keep_other_models(stage: Staging, models: Sequence[str]) -> Contents:
    """Copy what the old bundle holds of models that are not exported now.

    A manifest of version 1 has no number of warnings: nobody counted those of its models, and null
    says so.

    Args:
        stage: the staging directory and the target, where an old bundle may lie.
        models: those that are exported.

    Raises:
        OutputError: the old bundle is damaged.
    """
    contents = Contents(stage.path)
    if not stage.target.exists() or not any(stage.target.iterdir()):
        return contents
    try:
        old = Bundle.load(stage.target)
        reports = old.validation if VALIDATION in old.manifest["files"] else {}
    except BundleError as error:
        raise OutputError(
            f"{stage.target} holds a damaged bundle: {error}",
            "Remove it, or name another place by --output-dir.",
        ) from error
    for name, model in old.models.items():
        if name in models:
            continue
        names = FileNames(name)
        keep = [names.onnx, names.meta, names.selftest_log, names.selftest_verdicts]
        keep += [model.meta[key]["file"] for key in ("vocab", "preprocess")]
        keep += model.meta["variants"].values()
        for file in keep:
            if file in old.manifest["files"]:
                shutil.copy2(stage.target / file, stage.path / file)
        contents.models[name] = {**old.manifest["models"][name], "warnings": model.warnings}
        if name in reports:
            contents.validation[name] = reports[name]
    return contents


def versions() -> dict[str, str]:
    """Versions of logexport and of what takes part in an export."""
    from importlib.metadata import PackageNotFoundError, version

    from logexport.version import __version__

    out = {"logexport": __version__}
    for package in ("torch", "onnx", "onnxruntime"):
        try:
            out[package] = version(package)
        except PackageNotFoundError:
            import importlib

            with silenced():
                out[package] = str(importlib.import_module(package).__version__)
    return out
