"""The built-in plugins keep the same contract as anybody's."""

from __future__ import annotations

import pytest
from logexport.host import default_host
from logexport.testing import PluginContract


@pytest.mark.torch
class TestDeepLog(PluginContract):
    plugin = "deeplog"


@pytest.mark.torch
class TestDeepLogWithOptions(PluginContract):
    plugin = "deeplog"

    @pytest.fixture
    def options(self) -> dict[str, int]:
        return {"top_k": 3, "seq_len": 7}


@pytest.mark.torch
class TestMscred(PluginContract):
    plugin = "mscred"


@pytest.mark.torch
class TestEcvc(PluginContract):
    plugin = "ecvc"


@pytest.mark.torch
class TestNative(PluginContract):
    plugin = "native"


def test_every_built_in_plugin_is_held_to_the_contract() -> None:
    held = {one.plugin for one in (TestDeepLog, TestMscred, TestEcvc, TestNative)}
    built_in = {one.name for one in default_host().plugins if one.distribution == "logexport"}
    assert built_in - {"logexport"} == held
