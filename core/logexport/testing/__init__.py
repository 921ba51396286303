"""The contract of a plugin, as checks that its own tests run: for plugin authors.

With pytest, inherit::

    from logexport.testing import PluginContract

    class TestContract(PluginContract):
        plugin = "mymodel"

Without pytest, ``logexport plugins check mymodel`` or :func:`check_plugin` runs the same checks.
Each failure says what is wrong and what to change. Nothing here needs pytest but
:class:`PluginContract`, which is imported when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logexport.testing.contract import (
    Contract,
    ContractCheck,
    ContractError,
    NotApplicable,
    Outcome,
    Subject,
)
from logexport.testing.kit import CHECKS, check_plugin

if TYPE_CHECKING:
    from logexport.testing.inherited import PluginContract

__all__ = [
    "CHECKS",
    "Contract",
    "ContractCheck",
    "ContractError",
    "NotApplicable",
    "Outcome",
    "PluginContract",
    "Subject",
    "check_plugin",
]


def __getattr__(name: str) -> Any:
    if name == "PluginContract":  # late: it imports pytest, which an installation need not have
        from logexport.testing.inherited import PluginContract

        return PluginContract
    raise AttributeError(f"module 'logexport.testing' has no attribute {name!r}")
