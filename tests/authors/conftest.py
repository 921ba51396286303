"""Plugins in this process and their files, shared by the tests of the contract."""

from __future__ import annotations

import hashlib
import importlib
import sys
from pathlib import Path

import pytest
from logexport.host import Host
from logexport.hosting.discovery import Declaration
from logexport.testing import Contract, Subject

from tests.authors.careful import Contracts
from tests.distributions import tiny_checkpoint


@pytest.fixture
def contract_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Contracts:
    """The contract of a model plugin that is given as source, with a checkpoint of its own."""

    def make(source: str) -> Contract:
        directory = tmp_path / "modules"
        directory.mkdir(exist_ok=True)
        monkeypatch.syspath_prepend(str(directory))
        name = f"contract_{hashlib.sha256(source.encode()).hexdigest()[:12]}"
        (directory / f"{name}.py").write_text(source, encoding="utf-8")
        importlib.invalidate_caches()
        host = Host([Declaration(name, name, f"dist-{name}", "1.0")])
        sys.modules.pop(name, None)
        checkpoint, vocab = tiny_checkpoint(tmp_path)
        return Contract(
            Subject("careful", checkpoint=checkpoint, vocab=vocab),
            host=host,
            directory=tmp_path / "contract",
        )

    return make
