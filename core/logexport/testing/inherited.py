"""The contract as a class of pytest tests, to inherit from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from logexport.testing.contract import Contract, ContractCheck, NotApplicable, Subject
from logexport.testing.kit import CHECKS

_contracts: dict[type, Contract] = {}
"""One for each class of tests: exports are made once for all of them."""


class PluginContract:
    """Inherit, name the plugin, and every check of the contract is a test of yours.

    Without more the sample that the plugin ships is exported. Override the fixtures of what your
    tests make instead; they may have any scope, and are asked for what to export only once for all
    tests of the class.

    Attributes:
        plugin: the model type's name, or the entry point's name of a plugin without a model.
    """

    plugin: ClassVar[str] = ""

    @pytest.fixture
    def checkpoint(self) -> Path | None:
        """What is exported; None for the plugin's sample."""
        return None

    @pytest.fixture
    def vocab(self) -> Path | None:
        """The vocabulary of the checkpoint; None for ``vocab.json`` beside it."""
        return None

    @pytest.fixture
    def preprocess(self) -> Path | None:
        """Its rules; None for ``preprocess.json`` beside the vocabulary."""
        return None

    @pytest.fixture
    def replay(self) -> Path | None:
        """A raw log for the checks on real lines; None for the sample's."""
        return None

    @pytest.fixture
    def options(self) -> Mapping[str, Any]:
        """Options of ``logexport run``, such as ``{"top_k": 5}``."""
        return {}

    @pytest.fixture
    def subject(
        self,
        checkpoint: Path | None,
        vocab: Path | None,
        preprocess: Path | None,
        replay: Path | None,
        options: Mapping[str, Any],
    ) -> Subject:
        """All of the above."""
        if not self.plugin:
            pytest.fail(f"{type(self).__name__} names no plugin: set its attribute `plugin`")
        return Subject(
            plugin=self.plugin,
            checkpoint=checkpoint,
            vocab=vocab,
            preprocess=preprocess,
            replay=replay,
            options=options,
        )

    @pytest.fixture
    def contract(self, subject: Subject, tmp_path_factory: pytest.TempPathFactory) -> Contract:
        """What the tests share: the plugin's answers and its exports."""
        shared = _contracts.get(type(self))
        if shared is None:
            directory = tmp_path_factory.mktemp(f"contract-{subject.plugin}")
            shared = _contracts[type(self)] = Contract(subject, directory=directory)
        return shared

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
    def test_contract(self, check: ContractCheck, contract: Contract) -> None:
        """One check of the contract; its failure says what to change."""
        __tracebackhide__ = True
        try:
            check(contract)
        except NotApplicable as reason:
            pytest.skip(str(reason))
