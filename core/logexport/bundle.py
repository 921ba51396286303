"""A bundle on disk: its layout, its manifest, reading it and proving that it is whole.

Nothing in a bundle is trusted: sizes are bounded, every name is a plain file name inside the
directory, symbolic links are not followed, and sums are checked before a file is read.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logexport import schemas
from logexport.errors import BundleError
from logexport.files import read_json
from logexport.types import Task, Vocabulary

if TYPE_CHECKING:
    from logexport.logs.preprocess import Preprocess

__all__ = [
    "BUNDLE_SCHEMA_VERSION",
    "MANIFEST",
    "MANIFEST_SCHEMA_VERSION",
    "PROOFS",
    "VALIDATION",
    "Bundle",
    "BundledModel",
    "FileNames",
    "proof_text",
]

BUNDLE_SCHEMA_VERSION = 1
"""Of the metadata and of the validation report."""
MANIFEST_SCHEMA_VERSION = 2
"""Version 1 has no number of warnings; it is read too."""
MANIFEST = "manifest.json"
VALIDATION = "validation.json"
MAX_JSON_BYTES = 64 << 20
MAX_FILE_BYTES = 4 << 30
MAX_FILES = 1000
PROOFS = ("none", "no_native", "full")
"""From the weakest to the strongest."""

_FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}", re.ASCII)
_REPAIR = "Export the bundle again with `logexport run`, or copy it again from where it was made."


@dataclass(frozen=True)
class FileNames:
    """The names of one model's files in a bundle."""

    model: str

    @property
    def onnx(self) -> str:
        """The graph, weights inside."""
        return f"{self.model}.onnx"

    @property
    def meta(self) -> str:
        """The metadata."""
        return f"{self.model}.onnx.meta.json"

    @property
    def selftest_log(self) -> str:
        """Lines rendered from the templates."""
        return f"{self.model}.selftest.log"

    @property
    def selftest_verdicts(self) -> str:
        """Their verdicts, one JSON line each."""
        return f"{self.model}.selftest.jsonl"

    def variant(self, name: str) -> str:
        """An optimised graph."""
        return f"{self.model}_{name}.onnx"

    def own(self, shared: str) -> str:
        """The model's own form of a file that models share where they can, as ``vocab.json``."""
        return f"{self.model}.{shared}"


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def file_entries(directory: Path) -> dict[str, dict[str, Any]]:
    """The manifest's ``files`` for all files of a directory but the manifest itself."""
    return {
        path.name: {"sha256": sha256_of(path), "size": path.stat().st_size}
        for path in sorted(directory.iterdir())
        if path.name != MANIFEST
    }


def weakest(proofs: Iterator[str]) -> str:
    """The weakest of several proofs."""
    return min(proofs, key=PROOFS.index)


def proof_text(proof: str, warnings: int | None) -> str:
    """A proof with the number of its warnings, as commands say it: ``full, 2 warnings``."""
    if not warnings:
        return proof
    return f"{proof}, {warnings} warning{'s' if warnings > 1 else ''}"


@dataclass(frozen=True)
class BundledModel:
    """One model of a bundle, as its metadata describes it.

    Args:
        name: the model type's.
        directory: the bundle's.
        meta: the metadata.
        proof: what its checks showed, one of :data:`PROOFS`.
        warnings: how many warnings beside the proof count; None if nobody counted them (the
            manifest was of version 1 when the model was exported).
    """

    name: str
    directory: Path
    meta: Mapping[str, Any]
    proof: str
    warnings: int | None = None

    @property
    def is_fully_proven(self) -> bool:
        """Whether the proof is ``full`` and no warning is known that counts."""
        return self.proof == "full" and not self.warnings

    @property
    def onnx(self) -> Path:
        """The graph."""
        return self.directory / FileNames(self.name).onnx

    def graph(self, variant: str | None = None) -> Path:
        """The graph or one of its optimised variants.

        Raises:
            BundleError: the bundle does not have that variant.
        """
        if variant is None:
            return self.onnx
        if variant not in self.meta["variants"]:
            has = ", ".join(self.meta["variants"]) or "none"
            raise BundleError(
                f"{self.directory} has no variant {variant!r} of {self.name} (it has: {has})",
                f"Export it with `logexport run --model {self.name}"
                f" {'--portable' if variant == 'portable' else '--optimize'}`.",
            )
        return self.directory / str(self.meta["variants"][variant])

    @cached_property
    def task(self) -> Task:
        """How the model is fed and read."""
        return Task.from_json(self.meta["task"])

    @cached_property
    def vocab(self) -> Vocabulary:
        """Its vocabulary."""
        path = self.directory / self.meta["vocab"]["file"]
        document = read_json(path, "a vocabulary", MAX_JSON_BYTES * 4, BundleError)
        schemas.check(document, "vocab", path, BundleError, _REPAIR)
        size = len(document)
        if size != self.meta["vocab_size"] or any(str(i) not in document for i in range(size)):
            raise BundleError(
                f"{path} does not hold the indices 0 to {self.meta['vocab_size'] - 1}"
                f" that {self.name}'s metadata asks for",
                _REPAIR,
            )
        reserved = self.meta["vocab"]["reserved"]
        if any(index >= size for index in reserved.values()):
            raise BundleError(f"{path}: a reserved index is not below {size}", _REPAIR)
        return Vocabulary(tuple(document[str(i)] for i in range(size)), reserved)

    @cached_property
    def preprocess(self) -> Preprocess:
        """From bytes to event ids."""
        from logexport.logs.preprocess import Preprocess

        return Preprocess.load(self.directory / self.meta["preprocess"]["file"])


@dataclass(frozen=True)
class Bundle:
    """A bundle that was found to be what its manifest says."""

    path: Path
    manifest: Mapping[str, Any]
    models: Mapping[str, BundledModel]

    @property
    def proof(self) -> str:
        """``full``, ``no_native`` or ``none``: the weakest of its models."""
        return str(self.manifest["proof"])

    @property
    def warnings(self) -> int | None:
        """The warnings of all its models that count; None: the manifest is of version 1."""
        number: int | None = self.manifest.get("warnings")
        return number

    def model(self, name: str | None) -> BundledModel:
        """One model by name, or the only one.

        Raises:
            BundleError: there is no such model, or several and no name.
        """
        names = ", ".join(self.models)
        if name is None and len(self.models) == 1:
            return next(iter(self.models.values()))
        if name is None:
            raise BundleError(f"{self.path} holds several models: {names}", "Name one by --model.")
        if name not in self.models:
            raise BundleError(f"{self.path} holds no model {name!r} (it has: {names})")
        return self.models[name]

    @cached_property
    def validation(self) -> Mapping[str, Any]:
        """``validation.json``: every check with its figures, by model."""
        path = self.path / VALIDATION
        document = read_json(path, "a validation report", MAX_JSON_BYTES, BundleError)
        schemas.check(document, "validation", path, BundleError, _REPAIR)
        return dict(document["models"])

    @classmethod
    def load(cls, path: Path, verify: bool = True) -> Bundle:
        """Read a bundle.

        Args:
            path: its directory.
            verify: check the sha256 of every file; sizes, names and schemas are checked anyway.

        Raises:
            BundleError: it is no bundle, or not what its manifest says.
        """
        manifest = _read_manifest(path)
        _check_files(path, manifest["files"], verify)
        models = {}
        for name, entry in manifest["models"].items():
            expected = FileNames(name).meta
            if entry["metadata"] != expected:
                raise BundleError(
                    f"{path / MANIFEST} names {entry['metadata']!r} as {name}'s metadata,"
                    f" not {expected!r}",
                    _REPAIR,
                )
            meta = _read_meta(path, name, manifest["files"])
            models[name] = BundledModel(name, path, meta, entry["proof"], entry.get("warnings"))
        return cls(path, manifest, models)


def _read_manifest(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        what = "is not a directory" if path.exists() else "does not exist"
        raise BundleError(
            f"{path} {what}, so it is no bundle", "Name a directory that `logexport run` wrote."
        )
    file = path / MANIFEST
    if not file.is_file() or file.is_symlink():
        raise BundleError(
            f"{path} is no bundle: it holds no {MANIFEST}",
            "Name a directory that `logexport run` wrote.",
        )
    manifest: dict[str, Any] = read_json(file, "a manifest", MAX_JSON_BYTES, BundleError)
    schemas.check(manifest, "manifest", file, BundleError, _REPAIR)
    return manifest


def _check_files(path: Path, files: Mapping[str, Any], verify: bool) -> None:
    if len(files) > MAX_FILES:
        raise BundleError(f"{path / MANIFEST} lists {len(files)} files, more than {MAX_FILES}")
    for name, entry in files.items():
        if not _FILE_NAME.fullmatch(name):
            raise BundleError(f"{path / MANIFEST} names {name!r}, which is no plain file name")
        file = path / name
        try:
            status = os.lstat(file)
        except FileNotFoundError:
            raise BundleError(f"{file} is missing; {MANIFEST} lists it", _REPAIR) from None
        if not stat.S_ISREG(status.st_mode):
            raise BundleError(f"{file} is not a regular file", _REPAIR)
        if status.st_size != entry["size"] or status.st_size > MAX_FILE_BYTES:
            raise BundleError(
                f"{file} has {status.st_size} bytes; {MANIFEST} says {entry['size']}", _REPAIR
            )
        if verify and sha256_of(file) != entry["sha256"]:
            raise BundleError(
                f"{file} has changed: its sha256 is not what {MANIFEST} says", _REPAIR
            )


def _read_meta(path: Path, name: str, files: Mapping[str, Any]) -> dict[str, Any]:
    names = FileNames(name)
    file = path / names.meta
    if names.meta not in files or names.onnx not in files:
        raise BundleError(
            f"{path / MANIFEST} lists the model {name!r} without its"
            f" {names.onnx if names.onnx not in files else names.meta}",
            _REPAIR,
        )
    meta: dict[str, Any] = read_json(file, "metadata", MAX_JSON_BYTES, BundleError)
    schemas.check(meta, "meta", file, BundleError, _REPAIR)
    if meta["model_type"] != name:
        raise BundleError(f"{file} says model_type {meta['model_type']!r}, not {name!r}", _REPAIR)
    for key in ("vocab", "preprocess"):
        reference = meta[key]
        if files.get(reference["file"], {}).get("sha256") != reference["sha256"]:
            raise BundleError(
                f"{file} refers to {reference['file']} by a sha256 that {MANIFEST} does not have",
                _REPAIR,
            )
    for variant in meta["variants"].values():
        if variant not in files:
            raise BundleError(
                f"{file} refers to {variant}, which {MANIFEST} does not list", _REPAIR
            )
    return meta
