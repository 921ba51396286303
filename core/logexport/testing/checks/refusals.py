"""What a model plugin must refuse: damaged and foreign checkpoints and vocabularies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from logexport.errors import LogexportError, PluginError
from logexport.testing.contract import Contract, ContractError
from logexport.types import LoadedModel, Vocabulary


def check_refusals(contract: Contract) -> str:
    """Damaged and foreign files are errors for the user."""
    request = contract.model_request
    count = 0
    for defect, path in _make_bad_checkpoints(contract, request.checkpoint):
        marker = path.with_suffix(".ran")
        _expect_refusal(
            contract, f"a checkpoint that {defect}", "load_model", LoadedModel,
            "Read it by logexport.checkpoints.load_checkpoint, check its keys and shapes, and"
            " raise logexport.errors.CheckpointError.",
            request=replace(request, checkpoint=path),
        )  # fmt: skip
        if marker.exists():
            raise ContractError(
                "load_model ran code that a checkpoint contains",
                "Read checkpoints by logexport.checkpoints.load_checkpoint or with"
                " torch.load(weights_only=True).",
            )
        count += 1
    for defect, path in _make_bad_vocabularies(contract):
        _expect_refusal(
            contract, f"a vocabulary that {defect}", "build_vocab", Vocabulary,
            "Read it by logexport.vocab.load_vocab(path, model.vocab_size).",
            request=replace(request, vocab=path, parsed=None, sequences=None),
            model=contract.loaded,
        )  # fmt: skip
        count += 1
    return f"{count} damaged or foreign files, each with a sentence for the user"


def _expect_refusal(
    contract: Contract, file: str, hook: str, answer: type, remedy: str, **arguments: Any
) -> None:
    try:
        contract.host.required(contract.plugin, hook, answer, **arguments)
    except PluginError as error:
        raise ContractError(f"{file} is not an error for the user: {error}", remedy) from error
    except LogexportError:
        return
    raise ContractError(f"{hook} takes {file} without a word", remedy)


class _FileOpener:
    """Unpickled by calling ``open(PATH, "w")``: what a checkpoint must never be able to do."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self._path), "w")


def _make_bad_checkpoints(contract: Contract, good: Path) -> Iterator[tuple[str, Path]]:
    import pickle

    import torch

    directory = contract.directory / "checkpoints"
    directory.mkdir(parents=True, exist_ok=True)

    def path(name: str) -> Path:
        return directory / f"{name}{good.suffix}"

    path("empty").write_bytes(b"")
    yield "is empty", path("empty")
    path("text").write_text("this is not a checkpoint\n")
    yield "is a text file", path("text")
    data = good.read_bytes()
    path("cut").write_bytes(data[: len(data) // 2])
    yield "was cut short", path("cut")
    torch.save({"weights": torch.ones(3, 4), "epoch": 7}, path("foreign"))
    yield "is another model's", path("foreign")
    path("code").write_bytes(
        pickle.dumps({"state_dict": _FileOpener(path("code").with_suffix(".ran"))}, protocol=2)
    )
    yield "runs code when it is unpickled", path("code")


def _make_bad_vocabularies(contract: Contract) -> Iterator[tuple[str, Path]]:
    directory = contract.directory / "vocabularies"
    directory.mkdir(parents=True, exist_ok=True)
    templates = list(contract.vocab.templates)
    documents = {
        "holds ids in place of templates": {str(1 + i): i for i in range(len(templates))},
        "has a gap": {t: i + (i == len(templates) - 1) for i, t in enumerate(templates)},
        "has entries too many": {t: i for i, t in enumerate([*templates, "one more <*>"])},
        "is not a JSON object": [templates],
    }
    for number, (defect, document) in enumerate(documents.items()):
        path = directory / f"{number}" / "vocab.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        yield defect, path
